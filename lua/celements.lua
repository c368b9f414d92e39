--- Provision element instances on the Cloud Elements Platform API (SAP Open Connectors).
-- The face: names and nothing else.  What they do is in celements.*.

local callback = require "celements.callback"
local ceql = require "celements.ceql"
local client = require "celements.client"
local core = require "celements.core"
local diagnostics = require "celements.diagnostics"
local instance = require "celements.instance"
local json = require "celements.json"
local oauth = require "celements.oauth"
require "celements.element"
require "celements.instances"
require "celements.reauthenticate"
require "celements.hub"
require "celements.many"
require "celements.support"
require "celements.assert"

---@class celements
local M = {
  _VERSION = require "celements.version",
  json = json,
  null = json.null,
}

-- Parts that few programs need, loaded when they are named.
local LAZY = { sandbox = "celements.sandbox" }

setmetatable(M, {
  __index = function(self, name)
    local module = LAZY[name]
    if module then
      local part = require(module)
      rawset(self, name, part)
      return part
    end
  end,
})

--- A client for one account of the platform.
---@param options? celements.Options
---@return celements.Client
M.new = client.new

--- Marks a list as a JSON array, so that an empty one is written as [].
---@param list table
---@return table list  the same table
M.array = json.array

--- A path out of segments, each percent-encoded: celements.path("instances", 12345).
---@param ... string|integer
---@return string
M.path = core.url.path

--- One condition for `where`, quoted: celements.where("LastModifiedDate", ">", t).
---@param field string
---@param operator string
---@param value? string|number|boolean|table
---@return string
M.where = ceql.where

--- All of the conditions that celements.where() made.
---@param ... string
---@return string
M.all = ceql.all

--- At least one of the conditions.
---@param ... string
---@return string
M.any = ceql.any

--- Read the URL that the provider sent the user to.
---@param url string|table
---@param expected? {state?: string, request_token?: string}
---@return table<string, string>? granted
---@return celements.Error? err
M.parse_callback = callback.parse

--- Versions, paths and settings, for a support ticket; prints readably.
---@return celements.Diagnostics
M.diagnostics = diagnostics.collect

-- The client of calls without options.  It lives as long as the environment says the
-- same, so that its connections and settings serve the next call too.
local default, default_of

local ENVIRONMENT = { "CELEMENTS_BASE_URL", "CELEMENTS_USER_SECRET", "CELEMENTS_ORG_SECRET", "CELEMENTS_TIMEOUT" }

local function default_client(level)
  local now = {}
  local same = default ~= nil
  for i, name in ipairs(ENVIRONMENT) do
    now[i] = os.getenv(name) or false
    same = same and now[i] == default_of[i]
  end
  if same then
    return default
  end
  local self, err = client.build(nil, level + 1)
  if self then
    default, default_of = self, now
  end
  return self, err
end

local function client_for(options, level)
  if options == nil then
    return default_client(level + 1)
  end
  local self, err = client.build(options, level + 1)
  if not self then
    error(err.message, level + 1)
  end
  return self
end

--- client:oauth_url() with a client made of the options, or of the environment.
---@param params celements.OauthParams
---@param options? celements.Options
---@return {oauthUrl: string, element: string}? answer
---@return celements.Info info  or celements.Error
function M.oauth_url(params, options)
  local self, err = client_for(options, 2)
  if not self then
    return nil, err
  end
  local result, info = oauth.url(self, params, nil, 2)
  return result, info
end

--- client:oauth_token() with a client made of the options, or of the environment.
---@param params celements.OauthParams
---@param options? celements.Options
---@return {token: string, secret: string}? answer
---@return celements.Info info  or celements.Error
function M.oauth_token(params, options)
  local self, err = client_for(options, 2)
  if not self then
    return nil, err
  end
  local result, info = oauth.token(self, params, nil, 2)
  return result, info
end

--- client:create_instance() with a client made of the options, or of the environment.
---@param params celements.InstanceParams
---@param options? celements.Options
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function M.create_instance(params, options)
  local self, err = client_for(options, 2)
  if not self then
    return nil, err
  end
  local result, info = instance.create(self, params, nil, 2)
  return result, info
end

return M
