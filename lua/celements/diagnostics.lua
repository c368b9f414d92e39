--- What this installation is made of, for a support ticket.  No secrets, no network.

local base_url = require "celements.base_url"
local core = require "celements.core"
local proxy = require "celements.proxy"
local version = require "celements.version"
local wait = require "celements.wait"

local M = {}

local report_mt = { __name = "celements.Diagnostics" }

function report_mt:__tostring()
  local lines = {
    "celements " .. self.celements .. " on " .. self.lua,
    ("libcurl %s (%s%s)"):format(self.libcurl.version, self.libcurl.tls, self.libcurl.http2 and ", HTTP/2" or ""),
    "lua-cjson " .. self.cjson.version .. (self.cjson.path and " from " .. self.cjson.path or ""),
    ("trust store: %s%s: %s%s"):format(self.trust.kind, self.trust.path and " " .. self.trust.path or "", self.trust.why,
      self.trust.readable and "" or "; it cannot be read"),
    "base URL: " .. self.base_url,
    "secrets in the environment: user " .. self.user_secret .. ", organization " .. self.org_secret,
    "proxy in the environment: " .. (self.proxy or "none"),
  }
  if not self.libcurl.quick_exit then
    lines[#lines + 1] = "this libcurl is older than 7.87: a slow name server can hold a call past its timeout"
  end
  return table.concat(lines, "\n")
end

local function set_or_not(name)
  local value = os.getenv(name)
  return value and value ~= "" and "set" or "not set"
end

local function cjson()
  local cjson_module = require "cjson"
  local path = package.searchpath and package.searchpath("cjson", package.cpath) or nil
  return { version = tostring(cjson_module._VERSION or "of unknown version"), path = path }
end

local function environment_url()
  local configured = os.getenv "CELEMENTS_BASE_URL"
  if not configured or configured == "" then
    return base_url.DEFAULT
  end
  return base_url.normalise(configured, true) or "not usable"
end

local function trust_store(engine)
  local trust = engine:trust()
  local file = trust.path and io.open(trust.path, "rb")
  trust.readable = trust.path == nil or file ~= nil
  if file then
    file:close()
  end
  return trust
end

--- Versions, paths and settings as they are found; tostring() of it is readable.
---@return celements.Diagnostics
function M.collect()
  local engine = assert(wait.engine())
  return setmetatable({
    celements = version,
    lua = rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION,
    libcurl = core.engine.library(),
    cjson = cjson(),
    trust = trust_store(engine),
    base_url = environment_url(),
    user_secret = set_or_not "CELEMENTS_USER_SECRET",
    org_secret = set_or_not "CELEMENTS_ORG_SECRET",
    proxy = proxy.from_environment(),
  }, report_mt)
end

return M
