--- Connecting an existing instance again: its id, token, name and tags stay.
-- Adds reauthenticate to celements.Client.  The body is built from scratch like that of a
-- create (platform 13.5): what the platform masks is never sent back.

local check = require "celements.check"
local client = require "celements.client"
local instances = require "celements.instances"
local json = require "celements.json"
local params_of = require "celements.params"
local pasted = require "celements.pasted"

---@class celements.Client
local methods = client.methods

-- The tokens of the old connection; the documented recipe takes them out.
local OLD_GRANT = {
  ["oauth.user.token"] = true,
  ["oauth.user.token.secret"] = true,
  ["oauth.user.refresh_token"] = true,
  ["oauth.user.refresh_time"] = true,
}

local function is_masked(value)
  return type(value) == "string" and value:find("^%*+$") ~= nil
end

local function merged(old, new)
  local configuration = {}
  for key, value in pairs(type(old) == "table" and old or {}) do
    if value ~= json.null and not OLD_GRANT[key] and not is_masked(value) then
      configuration[key] = value
    end
  end
  for key, value in pairs(new or {}) do
    configuration[key] = value
  end
  return configuration
end

-- As text, whichever way the platform shows them (platform 14).
local function tags_of(instance)
  local tags = json.array {}
  for i, tag in ipairs(type(instance.tags) == "table" and instance.tags or {}) do
    tags[i] = type(tag) == "table" and tag.name or tag
  end
  return tags
end

--- Give an existing instance a new grant: PUT /instances/{id}?reAuthenticate=true.
-- Keeps id, token, name and tags.  Secrets of the configuration come masked from the
-- platform and are not sent back; give those the element needs (oauth.api.key,
-- oauth.api.secret) in `configuration`.  An element without consent has no provider_data
-- but new credentials in `configuration`.  Sent at most once: a code works once.
---@param id string|integer
---@param provider_data table<string, string>?  what the new callback brought
---@param configuration? table<string, any>  laid over the instance's own
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function methods:reauthenticate(id, provider_data, configuration, options)
  local target = instances.by_id(id, options, 2)
  check.type(provider_data, "table or nil", "provider_data", 2)
  check.type(configuration, "table or nil", "configuration", 2)
  local given = { provider_data = provider_data, configuration = configuration }
  local err = params_of.incomplete({}, params_of.placeholders(given))
  if not err then
    configuration, err = pasted.tidied(configuration)
  end
  if err then
    return nil, err
  end
  options = client.within(self, options, instances.REPLACE_TIMEOUT)
  local old, info = instances.get(self, target, options, 2)
  if old == nil then
    return nil, info
  end
  local body = {
    element = type(old.element) == "table" and { key = old.element.key } or nil,
    name = old.name,
    tags = tags_of(old),
    providerData = provider_data and next(provider_data) ~= nil and provider_data or nil,
    configuration = merged(old.configuration, configuration),
  }
  local instance
  instance, info = instances.replace(self, target, options, 2, body, { "reAuthenticate", "true" })
  return instance, info
end

return true
