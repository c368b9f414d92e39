--- Provision element instances on the Cloud Elements Platform API (SAP Open Connectors).
-- The face: names and nothing else.  What they do is in celements.*.

-- Makes the next line quicker; it does without.
pcall(require, "celements.libcurl")

-- A module for another Lua does not get as far as to say so itself: it lacks symbols.
local built, why = pcall(require, "celements.core")
if not built and tostring(why):find "undefined symbol" then
  error(("the C core of celements that is found first is built for another Lua than this %s: install it for this one "
    .. "(luarocks --lua-version=..., or make install LUA=...), and look at LUA_CPATH and at what luarocks left in this "
    .. "directory (make clean)\n%s"):format(_VERSION, tostring(why)), 0)
elseif not built then
  local is_missing = tostring(why):find("module 'celements.core' not found", 1, true)
  local advice = ("the C core of celements is not there for this %s: in a checkout `make LUA=...` builds it\n"):format(_VERSION)
  error((is_missing and advice or "") .. tostring(why), 0)
end

local client = require "celements.client"
local core = require "celements.core"
local instance = require "celements.instance"
local oauth = require "celements.oauth"
local raw = require "celements.json.raw"
require "celements.assert"

---@class celements
---@field json celements.Json
---@field sandbox celements.SandboxModule  a platform on this machine, for tests; needs LuaSocket
---@field parse_callback fun(url: string|table, expected?: {state?: string, request_token?: string}): table<string, string>?, celements.Error?
---@field where fun(field: string, operator: string, value?: string|number|boolean|table): string
---@field all fun(...: string): string
---@field any fun(...: string): string
---@field diagnostics fun(): celements.Diagnostics
local M = {
  _VERSION = require "celements.version",
  null = raw.null,
}

-- Loaded when they are named: a script that runs once should not read all of us.
local PARTS = {
  json = { "celements.json" },
  sandbox = { "celements.sandbox" },
  parse_callback = { "celements.callback", "parse" },
  where = { "celements.ceql", "where" },
  all = { "celements.ceql", "all" },
  any = { "celements.ceql", "any" },
  diagnostics = { "celements.diagnostics", "collect" },
}

-- The same for the methods of a client: which module adds which.
local METHODS = {
  ["celements.any_call"] = "request",
  ["celements.element"] = "elements element required_configuration skeleton element_docs element_metadata",
  ["celements.instances"] = "instances get_instance update_instance replace_instance delete_instance "
    .. "enable_instance disable_instance instance_configuration set_instance_configuration instance_docs "
    .. "enable_trace_logging disable_trace_logging instance_events instance_event",
  ["celements.reauthenticate"] = "reauthenticate",
  ["celements.hub"] = "instance",
  ["celements.many"] = "map create_instances",
  ["celements.defer"] = "defer",
  ["celements.support"] = "usage whoami curl stats",
}

setmetatable(M, {
  __index = function(self, name)
    local part = PARTS[name]
    if part then
      local value = require(part[1])
      if part[2] then
        value = value[part[2]]
      end
      rawset(self, name, value)
      return value
    end
  end,
})

local module_of = {}
for module, names in pairs(METHODS) do
  for name in names:gmatch("%S+") do
    module_of[name] = module
  end
end

setmetatable(client.methods, {
  __index = function(methods, name)
    if module_of[name] then
      require(module_of[name])
      return rawget(methods, name)
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
M.array = raw.array

--- A path out of segments, each percent-encoded: celements.path("instances", 12345).
---@param ... string|integer
---@return string
M.path = core.url.path

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
