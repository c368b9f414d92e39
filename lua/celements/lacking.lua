--- What a parameter table lacks before it can be sent, and the error that says so.
-- Pure.  Read only when something is missing, or may be: most calls lack nothing.

local errors = require "celements.error"

local M = {}

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

local function find_equal(value, path, wanted)
  if type(value) ~= "table" then
    return value == wanted and path or nil
  end
  for name, inner in pairs(value) do
    local step = type(name) == "number" and ("[%d]"):format(name) or (path ~= "" and "." or "") .. name
    local found = find_equal(inner, path .. step, wanted)
    if found then
      return found
    end
  end
end

--- The path of a value that is the mask; nil if there is none.
---@param value any  that JSON can say
---@param mask string
---@return string?
function M.mask(value, mask)
  return find_equal(value, "", mask)
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

--- One error for all that is missing and all that is still a template.
---@param missing string[]
---@param placeholders string[]
---@return celements.Error
function M.error(missing, placeholders)
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
    attempts = 0,
    hint = hint_for(missing, placeholders),
  }
end

return M
