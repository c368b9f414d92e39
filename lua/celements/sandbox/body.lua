--- Reads the body of a create, a replace or a patch of an instance.
-- Says what it holds, as text where the platform stores text, or refuses.  Which of it
-- must be there, and whether the provider likes it, is celements.sandbox.instances' matter.

local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local text = require "celements.sandbox.text"

local MASK = "********"

local M = { MASK = MASK }

local ARRAY = getmetatable(json.array{})

--- Was this an array in the JSON?  An empty one and an empty object are told apart.
---@param value table  decoded
---@return boolean
function M.is_array(value)
  return value[1] ~= nil or getmetatable(value) == ARRAY
end

--- Is nothing given here?
function M.absent(value)
  return value == nil or value == json.null or value == ""
end

--- A value of a configuration or of providerData as it is stored.
---@param value any
---@param name string  for refusals
---@param masked string  the option
---@return string? stored  nil when nothing is to be stored
---@return table? refusal
function M.scalar(value, name, masked)
  if type(value) == "table" then
    return nil, reply.refuse(400, name .. " must be text.")
  elseif text.is_placeholder(value) then
    return nil, reply.refuse(400, name .. " still holds a placeholder.")
  elseif value == MASK and masked == "refuse" then
    return nil, reply.refuse(400, name .. " is a masked value, not the value.")
  elseif value == json.null or (value == MASK and masked == "skip") then
    return nil
  end
  return tostring(value)
end

-- An object of scalars -> the same as text, nulls left out.
local function read_object(given, field, rules)
  if type(given) ~= "table" or M.is_array(given) then
    return nil, reply.refuse(400, field .. " must be an object.")
  end
  local values = {}
  for name, value in pairs(given) do
    local stored, refused = M.scalar(value, field .. "." .. name, rules.masked)
    if refused then
      return nil, refused
    end
    values[name] = stored
  end
  return values
end

local function read_name(given)
  if type(given) ~= "string" then
    return nil, reply.refuse(400, "name must be text.")
  elseif text.is_placeholder(given) then
    return nil, reply.refuse(400, "name still holds a placeholder.")
  elseif given == "" then
    return nil, reply.refuse(400, "name is required.")
  end
  return text.strip_markup(given)
end

-- Tags are text; in the form {id, name}, as some answers have them, they can come back.
local function read_tags(given)
  if type(given) ~= "table" or not M.is_array(given) then
    return nil, reply.refuse(400, "tags must be an array.")
  end
  local tags = json.array{}
  for i, tag in ipairs(given) do
    if type(tag) == "table" then
      tag = tag.name
    end
    if type(tag) ~= "string" then
      return nil, reply.refuse(400, "tags must be an array of text.")
    elseif text.is_placeholder(tag) then
      return nil, reply.refuse(400, ("tags[%d] still holds a placeholder."):format(i))
    end
    tags[i] = text.strip_markup(tag)
  end
  return tags
end

local function read_proxy(given, _, rules)
  local name = type(given) == "table" and given.isOauthProxy == true and given.oauthProxyName
  local proxy = name and rules.oauth_proxies:named(name)
  if not proxy then
    return nil, reply.refuse(400, "oauthProxy does not name a stored OAuth proxy.")
  end
  return proxy
end

local function read_external(given)
  if given ~= "none" and given ~= "initial" then
    return nil, reply.refuse(400, 'externalAuthentication must be "none" or "initial".')
  end
  return given
end

local BOOLEANS = { [true] = "true", [false] = "false", ["true"] = "true", ["false"] = "false" }

local function read_boolean(given, field)
  if not BOOLEANS[given] then
    return nil, reply.refuse(400, field .. " must be true or false.")
  end
  return BOOLEANS[given]
end

local READERS = {
  { "configuration", read_object }, { "providerData", read_object }, { "name", read_name }, { "tags", read_tags },
  { "oauthProxy", read_proxy }, { "externalAuthentication", read_external },
  { "retrieveObjectsAfterInstantiation", read_boolean },
}

--- Read a body.
---@param given table  decoded
---@param rules table  `masked`, `oauth_proxies`
---@return table? fields  those of `configuration`, `providerData`, `name`, `tags`, `oauthProxy`, `externalAuthentication` that are there
---@return table? refusal
function M.read(given, rules)
  local fields = {}
  for _, reader in ipairs(READERS) do
    local field, read = reader[1], reader[2]
    if given[field] ~= nil and given[field] ~= json.null then
      local value, refused = read(given[field], field, rules)
      if refused then
        return nil, refused
      end
      fields[field] = value
    end
  end
  return fields
end

return M
