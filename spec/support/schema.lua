--- Checks a decoded value against a JSON schema: type, properties, required, items,
-- enum and $ref by file name.  Any other keyword is an error, so that no demand of a
-- schema is passed over in silence.

local json = require "celements.json"

local UNDERSTOOD = { type = true, properties = true, required = true, items = true, enum = true, ["$ref"] = true }

local M = {}

-- An empty table is an empty array and an empty object: Lua cannot tell.
local function is_array(value)
  return type(value) == "table" and (next(value) == nil or value[1] ~= nil)
end

local function is_object(value)
  return type(value) == "table" and value[1] == nil
end

local TYPES = {
  string = function(v) return type(v) == "string" end,
  number = function(v) return type(v) == "number" end,
  integer = function(v) return type(v) == "number" and v % 1 == 0 end,
  boolean = function(v) return type(v) == "boolean" end,
  null = function(v) return v == json.null end,
  array = is_array,
  object = is_object,
}

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then
      return true
    end
  end
  return false
end

local function check(schemas, schema, value, path)
  local name = schema["$ref"]
  if name then
    return check(schemas, schemas[name] or error("no schema " .. name), value, path)
  end
  for keyword in pairs(schema) do
    if not UNDERSTOOD[keyword] then
      error("the schema keyword " .. keyword .. " is not understood")
    end
  end
  if schema.type and not TYPES[schema.type](value) then
    return nil, ("%s is not of type %s"):format(path, schema.type)
  end
  if schema.enum and not contains(schema.enum, value) then
    return nil, path .. " is none of the allowed values"
  end
  for _, key in ipairs(schema.required or {}) do
    if value[key] == nil then
      return nil, ("%s.%s is missing"):format(path, key)
    end
  end
  for key, property in pairs(is_object(value) and schema.properties or {}) do
    if value[key] ~= nil then
      local ok, message = check(schemas, property, value[key], path .. "." .. key)
      if not ok then
        return nil, message
      end
    end
  end
  for i, item in ipairs(schema.items and value or {}) do
    local ok, message = check(schemas, schema.items, item, ("%s[%d]"):format(path, i))
    if not ok then
      return nil, message
    end
  end
  return true
end

--- Does the value meet the schema?
---@param schemas table  name -> schema
---@param name string
---@param value any  decoded
---@return boolean? ok
---@return string? message  where it does not, and why
function M.check(schemas, name, value)
  return check(schemas, { ["$ref"] = name }, value, "answer")
end

return M
