--- The first step of a consent: oauth/url by GET and POST, and OAuth 1's oauth/token.

local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"

local API = "/elements/api-v2"

-- Parameters the platform knows; a second value of one of these would be ignored by it,
-- so it is refused here.  Any other name is an element's own business.
local KNOWN = {
  "apiKey", "apiSecret", "callbackUrl", "scope", "state", "siteAddress", "requestToken", "callbackProxy",
  "isOauthProxy", "oauthProxyName",
}

local function from_query(call)
  local values = {}
  for _, name in ipairs(KNOWN) do
    local given = call.query[name]
    if given and given[2] then
      return nil, reply.refuse(400, "The query parameter " .. name .. " stands there more than once.")
    end
    values[name] = given and given[1]
  end
  values["authentication.type"] = call.query["authentication.type"] and call.query["authentication.type"][1]
  return values
end

-- The body spells one name in another way than the query.
local function from_body(call)
  local values = {}
  for name, value in pairs(call.body) do
    if type(value) == "table" then
      return nil, reply.refuse(400, name .. " must be text.")
    end
    if value ~= json.null then
      values[name == "isOAuthProxy" and "isOauthProxy" or name] = tostring(value)
    end
  end
  if call.body.isOauthProxy ~= nil then
    return nil, reply.refuse(400, "In a body the name is isOAuthProxy.")
  end
  return values
end

-- A stored proxy brings key, secret and callback; the app's own callback is the state.
local function apply_proxy(call, values)
  if values.isOauthProxy ~= "true" then
    return nil
  end
  local proxy = call.model.proxies:named(values.oauthProxyName)
  if not proxy then
    return reply.refuse(404, "No OAuth proxy found with name " .. tostring(values.oauthProxyName))
  end
  values.apiKey = values.apiKey or proxy.api_key
  values.apiSecret = values.apiSecret or proxy.api_secret
  values.callbackUrl = values.state
  values.state = nil
end

local function missing(values, names)
  local absent = {}
  for _, name in ipairs(names) do
    if (values[name] or "") == "" then
      absent[#absent + 1] = name
    end
  end
  if absent[1] then
    return reply.refuse(400, "Missing required parameters: " .. table.concat(absent, ", "))
  end
end

-- Who asks for what: the element, its authentication type and the checked values.
local function read(call, source, oauth1_only)
  local element = catalogue.visible(call.params.key, call.caller)
  if not element then
    return reply.refuse(404, "No element found with key " .. call.params.key)
  end
  local values, refused = source(call)
  if not values then
    return refused
  end
  local _, authentication = catalogue.authentication(element, values["authentication.type"])
  local consent = authentication and authentication.consent
  if not consent or (oauth1_only and consent ~= "oauth1") then
    return reply.refuse(400, ("The element %s does not support %s."):format(element.key,
      oauth1_only and "OAuth 1" or "OAuth"))
  end
  refused = apply_proxy(call, values)
  if refused then
    return refused
  end
  local names = { "apiKey", "apiSecret", "callbackUrl" }
  if consent == "oauth1" and not oauth1_only then
    names[4] = "requestToken"
  end
  refused = missing(values, names)
  if refused then
    return refused
  end
  return nil, element, authentication, {
    api_key = values.apiKey, api_secret = values.apiSecret, callback = values.callbackUrl,
    scope = values.scope, state = values.state, request_token = values.requestToken,
  }
end

local function url(source)
  return function(call)
    local refused, element, authentication, ask = read(call, source)
    if refused then
      return refused
    end
    local consent_url = call.model.provider:consent_url(element, authentication, ask)
    if not consent_url then
      return reply.refuse(400, "requestToken is not one of this API key's.")
    end
    return reply.ok{ element = element.key, oauthUrl = consent_url }
  end
end

local function token(call)
  local refused, element, _, ask = read(call, from_query, true)
  if refused then
    return refused
  end
  local request_token, secret = call.model.provider:request_token(element, ask)
  return reply.ok{ token = request_token, secret = secret }
end

return function(add)
  add("GET", API .. "/elements/{key}/oauth/url", { who = "anyone" }, url(from_query))
  add("POST", API .. "/elements/{key}/oauth/url", { who = "anyone", body = true }, url(from_body))
  add("GET", API .. "/elements/{key}/oauth/token", { who = "anyone" }, token)
end
