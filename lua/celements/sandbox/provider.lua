--- The make-believe provider: what a user's consent is worth, and to whom.
-- Owns applications, request tokens, codes and tokens.  Everything it hands out is
-- bound to the application that asked, lives ten minutes and, where the real ones do
-- so, works once.  Knows nothing of HTTP; routes_provider.lua is its door.

local text = require "celements.sandbox.text"

local LIFETIME = 600
local TOKEN_LIFETIME = "28800"   -- seconds, sent as text

local provider = {}
provider.__index = provider

local M = {}

--- @param options table  `url` (where the consent pages are), `now`, `random`
---@return table provider
function M.new(options)
  return setmetatable({
    url = options.url, now = options.now, random = options.random,
    secrets = {},          -- element key, client id -> the application's secret
    request_tokens = {},   -- OAuth 1: token -> attempt
    grants = {},           -- code or access token -> grant
  }, provider)
end

local function secret_of(self, element, client_id)
  return self.secrets[element.key .. " " .. tostring(client_id)]
end

local function new_secret(self, prefix)
  return prefix .. text.hex(self.random(12))
end

--- Where the user goes, as the platform's oauth/url answers it.
---@param element table  of the catalogue
---@param authentication table  its definition
---@param ask table  api_key, api_secret, callback, scope, state, request_token
---@return string? url  nil when the request token is not this application's
function provider:consent_url(element, authentication, ask)
  self.secrets[element.key .. " " .. ask.api_key] = ask.api_secret
  local page = ("%s/%s/authorize"):format(self.url, element.key)
  if authentication.consent == "oauth1" then
    local attempt = self.request_tokens[ask.request_token]
    if not attempt or attempt.element ~= element or attempt.api_key ~= ask.api_key then
      return nil
    end
    return text.add_query(page, {
      { "oauth_token", ask.request_token },
      { "oauth_callback", text.add_query(ask.callback, { { "state", ask.state } }) },
    })
  end
  return text.add_query(page, {
    { "response_type", authentication.consent == "code" and "code" or nil },
    { "client_id", ask.api_key },
    { authentication.secret_parameter or "", authentication.secret_parameter and ask.api_secret or nil },
    { "redirect_uri", ask.callback },
    { "scope", ask.scope },
    { "state", ask.state or (authentication.default_state and element.key or nil) },
  })
end

--- OAuth 1, step one.
---@return string token
---@return string secret
function provider:request_token(element, ask)
  local token, secret = new_secret(self, "rt-"), new_secret(self, "rts/")
  self.request_tokens[token] = {
    element = element, secret = secret, expires = self.now() + LIFETIME,
    api_key = ask.api_key, api_secret = ask.api_secret, callback = ask.callback,
  }
  return token, secret
end

--- What a consent page was opened for.
---@param element table
---@param authentication table
---@param query table  one value a name
---@return table? attempt  `callback`, `scope`, `finish(approved)` -> parameters for the callback
---@return string? message  what the page says instead
function provider:attempt(element, authentication, query)
  local callback = query.redirect_uri or query.oauth_callback or ""
  if not callback:find("^https?://[^/?#%s]+[^#%s]*$") then
    return nil, "The redirect URI is not an absolute http or https URL."
  end
  local attempt = { callback = callback, scope = query.scope }
  if authentication.consent == "oauth1" then
    local asked = self.request_tokens[query.oauth_token]
    if not asked or asked.expires < self.now() or asked.verifier then
      return nil, "The request token is unknown, expired or used already."
    end
    function attempt.finish(approved)
      if not approved then
        self.request_tokens[query.oauth_token] = nil
        return { { "denied", query.oauth_token } }
      end
      asked.verifier = new_secret(self, "v")
      return { { "oauth_token", query.oauth_token }, { "oauth_verifier", asked.verifier } }
    end
    return attempt
  end

  local client_id, secret = query.client_id, secret_of(self, element, query.client_id)
  if not secret then
    return nil, "No application with this client id is registered here."
  end
  function attempt.finish(approved)
    if not approved then
      return {
        { "error", "access_denied" }, { "error_description", "The user denied the request" }, { "state", query.state },
      }
    end
    local grant = {
      element = element, api_key = client_id, api_secret = secret, callback = callback,
      extra = authentication.extra, expires = self.now() + LIFETIME,
    }
    if authentication.consent == "tokens" then
      grant.access_token, grant.refresh_token = new_secret(self, "at-"), new_secret(self, "rt-")
      self.grants[grant.access_token] = grant
      return {
        { "access_token", grant.access_token }, { "refresh_token", grant.refresh_token },
        { "expires_in", TOKEN_LIFETIME }, { "state", query.state },
      }
    end
    local code = new_secret(self, "c/")   -- a slash, as real ones have: it must survive the way
    self.grants[code] = grant
    local parameters = { { "code", code }, { "state", query.state } }
    for name, value in pairs(authentication.extra or {}) do
      parameters[#parameters + 1] = { name, value }
    end
    return parameters
  end
  return attempt
end

local function refusal(code, description)
  return nil, ('{"error":"%s","error_description":"%s"}'):format(code, description)
end

-- The application must be the one that asked, with the secret it named then.
local function wrong_application(grant, app)
  if grant.api_key ~= app.api_key or grant.api_secret ~= app.api_secret then
    return refusal("invalid_client", "client id or client secret do not belong to this grant")
  end
end

local function redeem_oauth1(self, element, data, app)
  local asked = self.request_tokens[data.oauth_token]
  if not asked or asked.element ~= element or asked.expires < self.now() then
    return refusal("token_rejected", "the oauth_token is unknown, expired or used already")
  end
  local _, message = wrong_application(asked, app)
  if message then
    return nil, message
  end
  if not asked.verifier or asked.verifier ~= data.oauth_verifier then
    return refusal("verifier_invalid", "the oauth_verifier is not the one of this token")
  end
  if asked.secret ~= data.secret then
    return refusal("signature_invalid", "the request token secret does not fit")
  end
  if app.callback and asked.callback ~= app.callback then
    return refusal("redirect_uri_mismatch", "redirect_uri mismatch: not the callback URL of the first step")
  end
  self.request_tokens[data.oauth_token] = nil
  return {
    ["oauth.user.token"] = new_secret(self, "ut-"), ["oauth.user.token.secret"] = new_secret(self, "uts-"),
    ["oauth.user.refresh_interval"] = "13046400",
  }
end

local function redeem_tokens(self, element, data, app)
  local grant = self.grants[data.access_token]
  if not grant or grant.element ~= element or grant.refresh_token ~= data.refresh_token
    or grant.expires < self.now() then
    return refusal("invalid_token", "the access token or the refresh token was not issued here, or has expired")
  end
  local _, message = wrong_application(grant, app)
  if message then
    return nil, message
  end
  if data.apikey ~= grant.api_key then
    return refusal("invalid_client", "apikey is not the client id")
  end
  if not tostring(data.expires_in):find("^[1-9]%d*$") then
    return refusal("invalid_request", "expires_in is not a number of seconds")
  end
  return {
    ["oauth.user.token"] = grant.access_token, ["oauth.user.refresh_token"] = grant.refresh_token,
    ["oauth.user.refresh_interval"] = tostring(data.expires_in),
  }
end

local function redeem_code(self, element, data, app)
  local grant = self.grants[data.code]
  if not grant or grant.access_token or grant.element ~= element or grant.expires < self.now() then
    return refusal("invalid_grant", "the authorization code is unknown, expired or used already")
  end
  local _, message = wrong_application(grant, app)
  if message then
    return nil, message
  end
  if app.callback and grant.callback ~= app.callback then
    return refusal("invalid_grant", "redirect_uri mismatch: not the callback URL of the first step")
  end
  for name, value in pairs(grant.extra or {}) do
    if data[name] ~= value then
      return refusal("invalid_request", name .. " is not the one of this code")
    end
  end
  self.grants[data.code] = nil
  return {
    ["oauth.user.token"] = new_secret(self, "at-"), ["oauth.user.refresh_token"] = new_secret(self, "rt-"),
    ["oauth.user.refresh_interval"] = "3600",
  }
end

local REDEEM = { code = redeem_code, tokens = redeem_tokens, oauth1 = redeem_oauth1 }

--- What the platform does with the callback's values when it creates an instance.
---@param element table
---@param authentication table
---@param data table  providerData
---@param app table  api_key, api_secret, callback of the instance's configuration; with an OAuth proxy no callback
---@return table? configuration  what the platform stores
---@return string? provider_message
function provider:redeem(element, authentication, data, app)
  return REDEEM[authentication.consent](self, element, data, app)
end

--- Are these the credentials of an account at this provider?
---@return boolean? ok
---@return string? provider_message
function provider.check_credentials(authentication, configuration)
  for name, value in pairs(authentication.accepts) do
    if configuration[name] ~= value then
      return refusal("invalid_credentials", "user name, password or key are wrong")
    end
  end
  return true
end

return M
