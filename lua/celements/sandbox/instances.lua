--- The instances of one model: creating, finding, changing, forgetting.
-- Owns ids and tokens and the rules a body must meet; the provider is asked whether
-- codes and credentials are good.  Knows nothing of HTTP beyond the refusals.
--
-- Any number of instances can be there from the start (`premade_instances`): what one of
-- them is follows from its place, and it becomes a table of its own when it is touched.

local body = require "celements.sandbox.body"
local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local text = require "celements.sandbox.text"

local FIRST_ID = 12345
local PREMADE_ELEMENT = "typeform"
local PREMADE_SECRET = "premade instance %015d"   -- as long as the others: 32 bytes

-- An app that holds tokens already (`externalAuthentication: "initial"`) gives these.
local EXTERNAL = {
  oauth2 = { "oauth.api.key", "oauth.api.secret", "oauth.user.refresh_token" },
  oauth1 = { "oauth.user.token", "oauth.user.token.secret" },
}

local instances = {}
instances.__index = instances

local M = {}

--- @param options table  `now`, `random`, `provider`, `oauth_proxies`, `refusal_status`, `masked`, `premade_instances`
---@return table instances
function M.new(options)
  return setmetatable({
    now = options.now, random = options.random, provider = options.provider,
    refusal_status = options.refusal_status,
    rules = { masked = options.masked, oauth_proxies = options.oauth_proxies },
    premade = options.premade_instances, born = options.premade_instances > 0 and options.now() or nil,
    count = options.premade_instances, next_id = FIRST_ID + options.premade_instances,
    order = {}, by_id = {}, by_token = {},
  }, instances)
end

-- Authentication -------------------------------------------------------------------

local function collect_missing(names, given, prefix, missing)
  for _, name in ipairs(names) do
    if body.absent(given[name]) then
      missing[#missing + 1] = prefix .. name
    end
  end
end

-- Everything that is missing, named at once.
local function refuse_missing(draft)
  local missing, required = {}, {}
  local external = draft.external and EXTERNAL[draft.type_name]
  if external then
    required = external
  elseif not draft.proxy then
    for _, entry in ipairs(draft.authentication.configuration) do
      required[#required + 1] = entry.required and entry[1] or nil
    end
  end
  collect_missing(required, draft.configuration, "", missing)
  if not external then
    collect_missing(draft.authentication.provider_data or {}, draft.provider_data, "providerData.", missing)
  end
  if missing[1] then
    table.sort(missing)
    return reply.refuse(400, "Missing required configuration entries: " .. table.concat(missing, ", "))
  end
end

-- -> what the provider gives the platform to store | nil, its message
local function ask_provider(self, draft)
  local configuration = draft.configuration
  if not draft.authentication.consent then
    local ok, message = self.provider.check_credentials(draft.authentication, configuration)
    return ok and {} or nil, message
  elseif draft.external then
    return {}
  end
  local app = {
    api_key = configuration["oauth.api.key"], api_secret = configuration["oauth.api.secret"],
    callback = configuration["oauth.callback.url"],
  }
  if draft.proxy then
    app.api_key, app.api_secret = draft.proxy.api_key or app.api_key, draft.proxy.api_secret or app.api_secret
    app.callback = nil
  end
  return self.provider:redeem(draft.element, draft.authentication, draft.provider_data, app)
end

-- Connect with the provider: what it gives goes into the draft's configuration.
-- -> refusal | nil; draft.broken tells why the provider refused what is kept all the same
local function authenticate(self, draft)
  local asked = draft.configuration["authentication.type"]
  draft.type_name, draft.authentication = catalogue.authentication(draft.element, asked)
  if not draft.authentication then
    return reply.refuse(400, ("authentication.type %s is none of the element %s."):format(asked, draft.element.key))
  end
  if draft.external and next(draft.provider_data) then
    return reply.refuse(400, "With externalAuthentication there is no providerData.")
  end
  local refused = refuse_missing(draft)
  if refused then
    return refused
  end
  local stored, provider_message = ask_provider(self, draft)
  if self.breaks_off then
    return reply.refuse(500, "The platform broke off.")
  elseif not stored and self.refusal_status ~= 200 then
    return reply.refuse(self.refusal_status, "The provider refused the authentication of this instance.",
      provider_message)
  end
  draft.broken = not stored and provider_message or nil
  for name, value in pairs(stored or {}) do
    draft.configuration[name] = value
  end
end

--- Why the provider does not let this instance in; nil when it does.
---@param instance table
---@return string? provider_message
function instances:trouble(instance)
  local _, authentication = catalogue.authentication(instance.element, instance.configuration["authentication.type"])
  if not instance.broken and authentication and not authentication.consent then
    local _, message = self.provider.check_credentials(authentication, instance.configuration)
    return message
  end
  return instance.broken
end

-- Finding --------------------------------------------------------------------------

local function premade_token(id)
  return text.secret(PREMADE_SECRET:format(id))
end

local premade_configuration = catalogue.credentials(PREMADE_ELEMENT)
local premade_tags = json.array{ "premade" }

-- Its tables are shared: changes put others in their place.
local function make_premade(self, place)
  local id = FIRST_ID + place - 1
  return {
    id = id, token = premade_token(id), element = catalogue.find(PREMADE_ELEMENT), created = self.born,
    name = ("Premade %d"):format(place), tags = premade_tags, configuration = premade_configuration,
    external = "none", disabled = false,
  }
end

local function remember(self, instance, place)
  self.order[place] = instance
  self.by_id[instance.id], self.by_token[instance.token] = instance, instance
  return instance
end

--- The instance at a place of the list, 1 being the oldest; not for changing.
---@param place integer
---@return table? instance
function instances:at(place)
  return self.order[place] or (place <= self.premade and make_premade(self, place)) or nil
end

local function of_id(self, id)
  local place = id and id - FIRST_ID + 1
  if place and not self.by_id[id] and place >= 1 and place <= self.premade then
    return remember(self, make_premade(self, place), place)
  end
  return self.by_id[id]
end

--- Find an instance by its id as it stands in a path.
---@param id string
---@return table? instance
function instances:find(id)
  return id:find("^%d+$") and #id < 16 and of_id(self, tonumber(id)) or nil
end

--- Find an instance by its token.
---@param token string
---@return table? instance
function instances:of_token(token)
  if self.premade > 0 and not self.by_token[token] then
    local id = tonumber(((text.unbase64(token) or ""):match("%d+$")))
    if id and premade_token(id) == token then
      return of_id(self, id)
    end
  end
  return self.by_token[token]
end

-- The life of an instance ----------------------------------------------------------

--- Create an instance from a decoded body.
---@param element table
---@param given table
---@return table? instance
---@return table? refusal
function instances:create(element, given)
  local fields, refused = body.read(given, self.rules)
  if refused then
    return nil, refused
  elseif not fields.name then
    return nil, reply.refuse(400, "name is required.")
  end
  local draft = {
    element = element, configuration = fields.configuration or {}, provider_data = fields.providerData or {},
    proxy = fields.oauthProxy, external = fields.externalAuthentication == "initial",
  }
  refused = authenticate(self, draft)
  if refused then
    return nil, refused
  end
  local instance = {
    id = self.next_id, token = text.secret(self.random(32)), element = element, created = self.now(),
    name = fields.name, tags = fields.tags or json.array{}, configuration = draft.configuration,
    proxy = draft.proxy, broken = draft.broken, external = draft.external and "initial" or "none", disabled = false,
    objects = tostring(given.retrieveObjectsAfterInstantiation) == "true",
  }
  self.next_id, self.count = self.next_id + 1, self.count + 1
  return remember(self, instance, self.count)
end

local function merged(old, new)
  local all = {}
  for name, value in pairs(old) do
    all[name] = value
  end
  for name, value in pairs(new or {}) do
    all[name] = value
  end
  return all
end

-- Do new values concern what the provider lets this instance in for?
local function changes_credentials(instance, configuration)
  local _, authentication = catalogue.authentication(instance.element, instance.configuration["authentication.type"])
  for name in pairs(authentication and authentication.accepts or {}) do
    if configuration and configuration[name] and configuration[name] ~= instance.configuration[name] then
      return true
    end
  end
  return false
end

--- Change an instance: what the body names, and nothing else.  Tags are replaced, the
-- configuration is merged; providerData or new credentials connect it again.
---@param instance table
---@param given table  decoded
---@param reauthenticate? boolean  said with the call; nil when it was not
---@return table? refusal
function instances:change(instance, given, reauthenticate)
  local fields, refused = body.read(given, self.rules)
  if refused then
    return refused
  end
  local external = fields.externalAuthentication or instance.external
  local wanted = reauthenticate
  if wanted == nil then
    wanted = fields.providerData ~= nil and next(fields.providerData) ~= nil
      or changes_credentials(instance, fields.configuration)
  end
  local draft = {
    element = instance.element, configuration = merged(instance.configuration, fields.configuration),
    provider_data = fields.providerData or {}, proxy = fields.oauthProxy or instance.proxy, broken = instance.broken,
    -- A new grant ends what the app began with tokens of its own.
    external = external == "initial" and not next(fields.providerData or {}),
  }
  if wanted then
    refused = authenticate(self, draft)
    if refused then
      return refused
    end
    instance.external = draft.external and "initial" or "none"
  end
  instance.name, instance.tags = fields.name or instance.name, fields.tags or instance.tags
  instance.configuration, instance.proxy, instance.broken = draft.configuration, draft.proxy, draft.broken
end

--- Set one value of the configuration.
---@param instance table
---@param name string
---@param given any
---@return table? refusal
function instances:configure(instance, name, given)
  local value, refused = body.scalar(given, "propertyValue", self.rules.masked)
  if not refused and (value or given == json.null) then
    instance.configuration = merged(instance.configuration)
    instance.configuration[name] = value
  end
  return refused
end

--- Forget an instance; its token is worth nothing from now on.
---@param instance table
function instances:remove(instance)
  for place = 1, self.premade do   -- behind it they move up, and then place says nothing any more
    if not self.order[place] then
      remember(self, make_premade(self, place), place)
    end
  end
  self.premade = 0
  self.by_id[instance.id], self.by_token[instance.token] = nil, nil
  for place, other in ipairs(self.order) do
    if other == instance then
      table.remove(self.order, place)
      self.count = self.count - 1
      return
    end
  end
end

return M
