--- Creating an instance.  Adds create_instance to celements.Client.
-- Knows the body's names; the configuration keys are the element's own business.

local check = require "celements.check"
local client = require "celements.client"
local errors = require "celements.error"
local json = require "celements.json"
local params_of = require "celements.params"

local M = {}

local RENAMES = {
  provider_data = "providerData",
  external_authentication = "externalAuthentication",
  oauth_proxy = "oauthProxy",
  retrieve_objects = "retrieveObjectsAfterInstantiation",
}

local TYPES = {
  element = "string or table or number",
  name = "string",
  providerData = "table",
  configuration = "table",
  tags = "string or table",
  oauthProxy = "table",
  externalAuthentication = "string",
}

-- The vendor's own run of one creation took 61 seconds.
local TIMEOUT = 120

local function has_element(element)
  if type(element) == "table" then
    return not (params_of.is_absent(element.key) and params_of.is_absent(element.id))
  end
  return not params_of.is_absent(element)
end

local function element_object(element)
  if type(element) == "string" then
    return { key = element }
  elseif type(element) == "number" then
    return { id = element }
  end
  return element
end

-- Always an array on the wire, also when it is one or none.
local function tags_array(tags)
  if type(tags) == "string" then
    return json.array { tags }
  end
  local copy = {}
  for i, tag in ipairs(tags) do
    copy[i] = tag
  end
  return json.array(copy)
end

local function check_types(wire, level)
  for name, types in pairs(TYPES) do
    if wire[name] ~= nil and wire[name] ~= json.null then
      check.type(wire[name], types, name, level + 1)
    end
  end
  if type(wire.tags) == "table" then
    for name, tag in pairs(wire.tags) do
      check.type(name, "number", "a key of tags (a list)", level + 1)
      check.type(tag, "string", ("tags[%d]"):format(name), level + 1)
    end
  end
end

--- What client:create_instance does; `level` is whose line a raised error names, as for
-- error() in the function that calls this one.
function M.create(self, params, options, level)
  local body = params_of.wire(params, RENAMES, level + 1)
  if options ~= nil then
    client.check_options(options, level + 1)
  end
  check_types(body, level + 1)
  local missing = {}
  for _, name in ipairs(client.missing_secrets(self)) do
    missing[#missing + 1] = name
  end
  if not has_element(body.element) then
    missing[#missing + 1] = "element"
  end
  local err = params_of.incomplete(missing, params_of.placeholders(params))
  if err then
    return nil, err
  end
  body.element = element_object(body.element)
  if body.tags ~= nil and body.tags ~= json.null then
    body.tags = tags_array(body.tags)
  end
  local call = { method = "POST", path = "/instances", json = body, timeout = TIMEOUT }
  local instance, info = client.send(self, call, options, level + 1)
  if instance ~= nil and type(instance) ~= "table" then
    return nil, errors.new {
      kind = "decode",
      message = "the answer is not an instance",
      status = info.status,
      request_id = info.request_id,
      outcome = "unknown",
      method = "POST",
      path = "/instances",
      attempts = info.attempts,
      hint = "look whether it was created before you send it again",
    }
  end
  return instance, info
end

--- Create an instance of an element: POST /instances.
-- Yields in event loops, blocks elsewhere.  Sent at most once, whatever happens: when
-- the answer is lost, err.outcome is "unknown".  A second call makes a second instance.
---@param params celements.InstanceParams  element, name, provider_data, configuration, tags, ...; a decoded instance.json will do
---@param options? celements.CallOptions
---@return celements.Instance? instance  as the platform gave it; `token` is what calls with it need
---@return celements.Info info  or celements.Error
function client.methods:create_instance(params, options)
  local instance, info = M.create(self, params, options, 2)
  return instance, info
end

return M
