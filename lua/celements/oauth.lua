--- The OAuth calls: where to send the user, and OAuth 1's request token.
-- Adds oauth_url and oauth_token to celements.Client.  Knows the wire names and
-- their order; nothing of what the provider does with them.

local client = require "celements.client"
local core = require "celements.core"

---@class celements.Client
local methods = client.methods

local M = {}

local URL, TOKEN = "/oauth/url", "/oauth/token"

local RENAMES = {
  api_key = "apiKey",
  api_secret = "apiSecret",
  callback_url = "callbackUrl",
  site_address = "siteAddress",
  request_token = "requestToken",
  callback_proxy = "callbackProxy",
  is_oauth_proxy = "isOauthProxy",
  oauth_proxy_name = "oauthProxyName",
  scopes = "scope",
}

-- Equal calls give equal bytes: these first, in this order, the others by name.  `element` is
-- in the path; `post` makes the call another one.
local PLACES = { apiKey = 1, apiSecret = 2, scope = 3, callbackUrl = 4, state = 5, element = false, post = 0 }

-- The call that any parameters ask for, or nil and the error.
local function looked_into(params, resource, level)
  local asked, err = require("celements.oauth_params").read(params, RENAMES, PLACES, level + 1)
  if not asked then
    return nil, err
  end
  local path = core.url.path("elements", asked.element) .. resource
  if asked.body then
    return { method = "POST", path = path, json = asked.body, wants = "an object" }
  end
  return {
    method = "GET", path = path, query = asked.flat, query_text = asked.text, compressed = false, wants = "an object",
  }
end

local function call(self, params, options, resource, level)
  local text, element = core.params.query(params, RENAMES, PLACES)
  local request, err
  if element then -- all is as usual, and one look was enough; the answer is two lines, not worth compressing
    request = {
      method = "GET", path = "/elements/" .. element .. resource, query_text = text, compressed = false, wants = "an object",
    }
  else
    request, err = looked_into(params, resource, level + 1)
  end
  if options ~= nil then
    client.check_options(options, level + 1)
  end
  if not request then
    return nil, err
  end
  local result, info = client.send(self, request, options, level + 1)
  return result, info
end

--- What client:oauth_url does; `level` is whose line a raised error names, as for
-- error() in the function that calls this one.
function M.url(self, params, options, level)
  local result, info = call(self, params, options, URL, level + 1)
  return result, info
end

--- What client:oauth_token does.
function M.token(self, params, options, level)
  if type(params) == "table" and params.post then
    error("oauth_token has no POST form; leave post out", level + 1)
  end
  local result, info = call(self, params, options, TOKEN, level + 1)
  return result, info
end

--- Where to send the user: GET /elements/{element}/oauth/url.
-- Yields in event loops, blocks elsewhere.  Nothing is created; calling again is safe.
---@param params celements.OauthParams  element, api_key, api_secret, callback_url, scope, state, ...; post = true keeps the secret out of the URL
---@param options? celements.CallOptions
---@return {oauthUrl: string, element: string}? answer
---@return celements.Info info  or celements.Error
function methods:oauth_url(params, options)
  local result, info = call(self, params, options, URL, 2)
  return result, info
end

--- OAuth 1.0's request token: GET /elements/{element}/oauth/token.
-- Keep `secret` until the instance is created; `token` goes into oauth_url as
-- request_token.  Each call makes a new pair.
---@param params celements.OauthParams
---@param options? celements.CallOptions
---@return {token: string, secret: string}? answer
---@return celements.Info info  or celements.Error
function methods:oauth_token(params, options)
  local result, info = M.token(self, params, options, 2)
  return result, info
end

return M
