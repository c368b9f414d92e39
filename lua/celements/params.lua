--- From our names to the wire's, and what is missing before anything is sent.
-- Pure.  Knows the form of a parameter table, not which calls exist.

local check = require "celements.check"
local core = require "celements.core"
local null = require("celements.json").null

local M = {}

--- A copy with wire names.  Ours and the wire's are both taken; the same parameter in
-- both raises.  Nested tables keep their names.
---@param params table
---@param renames table<string, string>  our name -> the wire's
---@param level integer  whose line a raised error names
---@param types? table<string, string>  the wire's name -> the types of its value
---@return table
---@return boolean plain  for certain all are in `types`, and of them
function M.wire(params, renames, level, types)
  local out, known = core.params.wire(params, renames, types)
  if out then
    return out, known
  end
  check.table(params, "params", level + 1)
  out = {}
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
  end
  return out, false
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

--- Sorted paths of the values that are still a template's text.
---@param params table
---@return string[]
function M.placeholders(params)
  local found = require("celements.lacking").placeholders(params)
  return found
end

--- One error for all that is missing and all that is still a template; nil if nothing.
---@param missing string[]
---@param placeholders string[]
---@return celements.Error?
function M.incomplete(missing, placeholders)
  if missing[1] == nil and placeholders[1] == nil then
    return nil
  end
  return require("celements.lacking").error(missing, placeholders)
end

return M
