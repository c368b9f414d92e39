--- The instances of one model: creating, finding, showing.
-- Owns ids and tokens and the rules a create body must meet; the provider is asked
-- whether codes and credentials are good.  Knows nothing of HTTP beyond the refusals.

local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local text = require "celements.sandbox.text"

local FIRST_ID = 12345
local MASK = "********"

local USER = { id = 4711, emailAddress = "sandbox@example.com", firstName = "Sandy", lastName = "Box" }

-- An app that holds tokens already (`externalAuthentication: "initial"`) gives these.
local EXTERNAL = {
  oauth2 = { "oauth.api.key", "oauth.api.secret", "oauth.user.refresh_token" },
  oauth1 = { "oauth.api.key", "oauth.api.secret", "oauth.user.token", "oauth.user.token.secret" },
}

local instances = {}
instances.__index = instances

local M = {}

--- @param options table  `now`, `random`, `provider`, `oauth_proxies`, `refusal_status`
---@return table instances
function M.new(options)
  return setmetatable({
    now = options.now, random = options.random, provider = options.provider,
    oauth_proxies = options.oauth_proxies, refusal_status = options.refusal_status,
    next_id = FIRST_ID, by_id = {}, by_token = {}, order = {},
  }, instances)
end

-- Checking a create body -----------------------------------------------------------

local function absent(value)
  return value == nil or value == json.null or value == ""
end

-- An optional object of scalars -> the same as text, nulls left out.
local function read_object(body, field)
  local given = body[field]
  if given == nil or given == json.null then
    return {}
  end
  if type(given) ~= "table" or given[1] ~= nil then
    return nil, reply.refuse(400, field .. " must be an object.")
  end
  local values = {}
  for name, value in pairs(given) do
    if type(value) == "table" then
      return nil, reply.refuse(400, ("%s.%s must be text."):format(field, name))
    end
    if text.is_placeholder(value) then
      return nil, reply.refuse(400, ("%s.%s still holds a placeholder."):format(field, name))
    end
    if value == MASK then
      return nil, reply.refuse(400, ("%s.%s is a masked value, not the value."):format(field, name))
    end
    if value ~= json.null then
      values[name] = tostring(value)
    end
  end
  return values
end

local function read_name(body)
  local name = body.name
  if absent(name) then
    return nil, reply.refuse(400, "name is required.")
  end
  if type(name) ~= "string" then
    return nil, reply.refuse(400, "name must be text.")
  end
  if text.is_placeholder(name) then
    return nil, reply.refuse(400, "name still holds a placeholder.")
  end
  return text.strip_markup(name)
end

local function read_tags(body)
  local tags = json.array{}
  local given = body.tags
  if given == nil or given == json.null then
    return tags
  end
  if type(given) ~= "table" or (next(given) ~= nil and given[1] == nil) then
    return nil, reply.refuse(400, "tags must be an array.")
  end
  for i, tag in ipairs(given) do
    if type(tag) ~= "string" then
      return nil, reply.refuse(400, "tags must be an array of text.")
    end
    if text.is_placeholder(tag) then
      return nil, reply.refuse(400, ("tags[%d] still holds a placeholder."):format(i))
    end
    tags[i] = text.strip_markup(tag)
  end
  return tags
end

local function collect_missing(names, given, prefix, missing)
  for _, name in ipairs(names) do
    if absent(given[name]) then
      missing[#missing + 1] = prefix .. name
    end
  end
end

-- Everything that is missing, named at once.
local function refuse_missing(draft)
  local missing, required = {}, {}
  if draft.external then
    required = EXTERNAL[draft.type_name] or {}
  elseif not draft.proxy then
    for _, entry in ipairs(draft.authentication.configuration) do
      required[#required + 1] = entry.required and entry[1] or nil
    end
  end
  collect_missing(required, draft.configuration, "", missing)
  if not draft.external then
    collect_missing(draft.authentication.provider_data or {}, draft.provider_data, "providerData.", missing)
  end
  if missing[1] then
    table.sort(missing)
    return reply.refuse(400, "Missing required configuration entries: " .. table.concat(missing, ", "))
  end
end

local function read_proxy(self, body)
  local given = body.oauthProxy
  if given == nil or given == json.null then
    return nil
  end
  local name = type(given) == "table" and given.isOauthProxy == true and given.oauthProxyName
  local proxy = name and self.oauth_proxies[name]
  if not proxy then
    return nil, reply.refuse(400, "oauthProxy does not name a stored OAuth proxy.")
  end
  return proxy
end

local function read_draft(self, element, body)
  local draft, refused = { element = element }
  draft.configuration, refused = read_object(body, "configuration")
  if not refused then
    draft.provider_data, refused = read_object(body, "providerData")
  end
  if not refused then
    draft.name, refused = read_name(body)
  end
  if not refused then
    draft.tags, refused = read_tags(body)
  end
  if not refused then
    draft.proxy, refused = read_proxy(self, body)
  end
  if refused then
    return nil, refused
  end
  local asked = draft.configuration["authentication.type"]
  draft.type_name, draft.authentication = catalogue.authentication(element, asked)
  if not draft.authentication then
    return nil, reply.refuse(400, ("authentication.type %s is none of the element %s."):format(asked, element.key))
  end
  local external = body.externalAuthentication
  if not absent(external) and external ~= "none" and external ~= "initial" then
    return nil, reply.refuse(400, 'externalAuthentication must be "none" or "initial".')
  end
  draft.external = external == "initial"
  draft.objects = body.retrieveObjectsAfterInstantiation == true
  return draft, refuse_missing(draft)
end

-- -> what the provider gives the platform to store | nil, its message
local function ask_provider(self, draft)
  local configuration = draft.configuration
  if draft.external then
    return {}
  end
  if not draft.authentication.consent then
    local ok, message = self.provider.check_credentials(draft.authentication, configuration)
    return ok and {} or nil, message
  end
  local app = draft.proxy or {
    api_key = configuration["oauth.api.key"], api_secret = configuration["oauth.api.secret"],
    callback = configuration["oauth.callback.url"],
  }
  return self.provider:redeem(draft.element, draft.authentication, draft.provider_data, app)
end

-- Storing and showing --------------------------------------------------------------

--- Create an instance from a decoded body.
---@param element table
---@param body table
---@return table? instance
---@return table? refusal
function instances:create(element, body)
  local draft, refused = read_draft(self, element, body)
  if refused then
    return nil, refused
  end
  local stored, provider_message = ask_provider(self, draft)
  if not stored then
    return nil, reply.refuse(self.refusal_status, "The provider refused the authentication of this instance.",
      provider_message)
  end
  for name, value in pairs(stored) do
    draft.configuration[name] = value
  end
  local instance = {
    id = self.next_id, token = text.secret(self.random(32)), element = element, created = self.now(),
    name = draft.name, tags = draft.tags, configuration = draft.configuration, objects = draft.objects,
    external = draft.external and "initial" or "none", disabled = false,
  }
  self.next_id = self.next_id + 1
  self.by_id[instance.id] = instance
  self.by_token[instance.token] = instance
  table.insert(self.order, instance)
  return instance
end

--- Find an instance by its id as it stands in a path.
---@param id string
---@return table? instance
function instances:find(id)
  return id:find("^%d+$") and self.by_id[tonumber(id)] or nil
end

--- Forget an instance; its token is worth nothing from now on.
---@param instance table
function instances:remove(instance)
  self.by_id[instance.id] = nil
  self.by_token[instance.token] = nil
  for i, other in ipairs(self.order) do
    if other == instance then
      table.remove(self.order, i)
      return
    end
  end
end

local function show_configuration(instance)
  local shown, secret = {}, {}
  for _, entry in ipairs(catalogue.entries(instance.element)) do
    secret[entry[1]] = entry.type == "PASSWORD"
    if entry.default then
      shown[entry[1]] = entry.default
    end
  end
  shown["event.notification.callback.url"] = json.null
  for name, value in pairs(instance.configuration) do
    shown[name] = secret[name] and MASK or value
  end
  return shown
end

--- An instance as the platform shows it.
---@param instance table
---@param light? boolean  the row of `hydrate=false`: no configuration, and of the element only what names it
---@return table
function M.show(instance, light)
  local element = instance.element
  local shown = {
    id = instance.id, name = instance.name, token = instance.token, tags = instance.tags, user = USER,
    createdDate = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(instance.created)),
    elementId = element.id, element = { id = element.id, key = element.key, name = element.name },
    provisionInteractions = json.array{}, valid = true, disabled = instance.disabled,
    maxCacheSize = 0, cacheTimeToLive = 0, cachingEnabled = false,
    eventsEnabled = false, traceLoggingEnabled = false, externalAuthentication = instance.external,
  }
  if not light then
    shown.element = catalogue.summary(element)
    shown.configuration = show_configuration(instance)
  end
  if instance.objects then
    shown.objects = json.array{ { name = "contacts", vendorName = "contacts", type = "vendor" } }
  end
  return shown
end

return M
