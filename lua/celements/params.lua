--- From our names to the wire's, and what is missing before anything is sent.
-- Pure.  Knows the form of a parameter table, not which calls exist.

local check = require "celements.check"
local core = require "celements.core"
local errors = require "celements.error"
local null = require("celements.json").null

local M = {}

--- A copy with wire names.  Ours and the wire's are both taken; the same parameter in
-- both raises.  Nested tables keep their names.
---@param params table
---@param renames table<string, string>  our name -> the wire's
---@param level integer  whose line a raised error names
---@param types? table<string, string>  the wire's name -> the types of its value
---@return table
---@return integer count  of the parameters
---@return boolean plain  all are of their types, for certain
function M.wire(params, renames, level, types)
  local out, count = core.params.wire(params, renames, types)
  if out then
    return out, count, true -- the usual case
  end
  check.table(params, "params", level + 1)
  out, count = {}, 0
  for name, value in pairs(params) do
    local wire = renames[name]
    if not wire then
      if type(name) ~= "string" then
        check.type(name, "string", "a parameter's name", level + 1)
      end
      out[name] = value
    elseif params[wire] == nil then
      out[wire] = value
    else
      local a, b = name, wire
      if b < a then
        a, b = b, a
      end
      error(("%s and %s are the same parameter; give one of them"):format(a, b), level + 1)
    end
    count = count + 1
  end
  return out, count, false
end

-- `<INSERT_YOUR_KEY>`, `<domain>.example.com`, `https://<YOUR_TENANT>.example.com`:
-- text of a template, as the vendor's pages have it.  Markup has closing tags.
local function is_template(text)
  if not text:find("<", 1, true) then
    return false
  elseif text:find("</", 1, true) or text:find("/>", 1, true) then
    return false
  end
  return text:find("^%s*<%s*%a") ~= nil or text:find("<%u[%u%d_. -]*>") ~= nil
end

-- `inside` holds the tables that we are in: one inside itself has no end, and that it
-- cannot be written is for the JSON encoder to say.
local function holds_template(value, inside)
  if type(value) == "string" then
    return is_template(value)
  elseif type(value) == "table" and not inside[value] then
    inside[value] = true
    for _, inner in pairs(value) do
      if holds_template(inner, inside) then
        return true
      end
    end
    inside[value] = nil
  end
  return false
end

local function find_templates(found, value, path, inside)
  if type(value) == "string" then
    if is_template(value) then
      found[#found + 1] = path
    end
  elseif type(value) == "table" and not inside[value] then
    inside[value] = true
    for name, inner in pairs(value) do
      local step = type(name) == "number" and ("[%d]"):format(name) or (path ~= "" and "." or "") .. tostring(name)
      find_templates(found, inner, path .. step, inside)
    end
    inside[value] = nil
  end
end

--- Sorted paths of the values that are still a template's text.
---@param params table
---@return string[]
function M.placeholders(params)
  local found = {}
  if holds_template(params, {}) then -- paths are made for the rare case only
    find_templates(found, params, "", {})
    table.sort(found)
  end
  return found
end

--- Is nothing given here?
---@param value any
---@return boolean
function M.is_absent(value)
  return value == nil or value == null or value == ""
end

--- A number as it stands on the wire: an integer whole, never as 12345.0 or 1e+15.
-- Raises for what has no such text, or may have lost digits before it came here.
---@param value number
---@param name string  what it is, for the error
---@param level integer
---@return string
function M.number_text(value, name, level)
  if math.type and math.type(value) == "integer" then
    return ("%d"):format(value)
  elseif value ~= value or value == math.huge or value == -math.huge then
    error(name .. " has to be a finite number", level + 1)
  elseif value % 1 ~= 0 then
    local text = ("%.14g"):format(value)
    return tonumber(text) == value and text or ("%.17g"):format(value)
  elseif value > 2 ^ 53 or value < -2 ^ 53 then
    error(name .. " is beyond 2^53 and may have been rounded already: give it as text", level + 1)
  end
  return ("%.0f"):format(value)
end

local function value_text(value, what, level)
  if type(value) == "string" then
    return value
  end
  check.type(value, "string or number or boolean", what, level + 1)
  if type(value) == "number" then
    return (M.number_text(value, what, level + 1)) -- a tail call would have no level
  end
  return tostring(value)
end

--- A parameter as pairs of a query: one, or one for each item of a list.
---@param flat string[]  names and values, added to
---@param name string
---@param value string|number|boolean|table
---@param what string  how to call it in an error
---@param level integer
function M.add_pairs(flat, name, value, what, level)
  local n = #flat
  if type(value) ~= "table" then
    flat[n + 1], flat[n + 2] = name, value_text(value, what, level + 1)
    return
  end
  for i = 1, check.list(value, what, level + 1) do
    flat[n + 2 * i - 1], flat[n + 2 * i] = name, value_text(value[i], what, level + 1)
  end
end

local ENV = { user_secret = "CELEMENTS_USER_SECRET", org_secret = "CELEMENTS_ORG_SECRET" }

local function hint_for(missing, placeholders)
  local hints = {}
  local settings = {}
  for _, name in ipairs(missing) do
    if ENV[name] then
      settings[#settings + 1] = ENV[name]
    end
  end
  if #settings > 0 then
    hints[1] = "set " .. table.concat(settings, " and ") .. ", or give the options to celements.new"
    local ngx = rawget(_G, "ngx")
    if type(ngx) == "table" and ngx.worker then
      hints[1] = hints[1] .. "; nginx hides the environment from its workers unless nginx.conf names it: `env "
        .. table.concat(settings, ";` and `env ") .. ";`"
    end
  end
  if #placeholders > 0 then
    hints[#hints + 1] = "fill in what stands in <...>"
  end
  return #hints > 0 and table.concat(hints, "; ") or nil
end

--- One error for all that is missing and all that is still a template; nil if nothing.
---@param missing string[]
---@param placeholders string[]
---@return celements.Error?
function M.incomplete(missing, placeholders)
  if missing[1] == nil and placeholders[1] == nil then
    return nil
  end
  table.sort(missing)
  table.sort(placeholders)
  local parts = {}
  if #missing > 0 then
    parts[#parts + 1] = "missing: " .. table.concat(missing, ", ")
  end
  if #placeholders > 0 then
    parts[#parts + 1] = "still the template's text: " .. table.concat(placeholders, ", ")
  end
  return errors.new {
    kind = "config",
    message = table.concat(parts, "; "),
    missing = missing,
    placeholders = placeholders,
    outcome = "not_sent",
    hint = hint_for(missing, placeholders),
  }
end

return M
