--- An application in nginx whose users connect their HubSpot accounts.
-- One flow, made when nginx starts; the two locations of celements.conf use it.

local celements = require "celements"
local openresty = require "celements.openresty"
local page = require "page"

local M = {}

-- The environment is there in init_by_lua, where this file is read; workers see of it what
-- nginx.conf names with `env`.
local function setting(name)
  return os.getenv(name) or error("set " .. name .. " in the environment of nginx")
end

M.client = celements.new() -- CELEMENTS_BASE_URL, CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET

-- Who is signed in is for your application to say: a session, a token, a header that a
-- proxy in front sets.  Here everybody is the same.
function M.user_id()
  return "42"
end

M.hubspot = openresty.new {
  client = M.client,
  element = "hubspotcrm",
  title = "HubSpot",
  api_key = setting "HUBSPOT_API_KEY",
  api_secret = setting "HUBSPOT_API_SECRET",
  scope = { "contacts", "oauth" },
  callback_url = setting "HUBSPOT_CALLBACK_URL",
  key = setting "CONNECT_KEY", -- openssl rand -base64 32
  user_id = M.user_id,
  success_path = "/",
  state_ttl = tonumber(os.getenv "CONNECT_SECONDS"), -- how long a user may take; nil: 600
}

-- The first contacts of each account, asked for side by side, each with its own token.
local function with_contacts(accounts)
  local outcomes = assert(M.client:map(accounts, function(account)
    return M.client:instance(account):get("/contacts", { pageSize = 5 })
  end))
  local shown = {}
  for i, account in ipairs(accounts) do
    local outcome = outcomes[i]
    shown[i] = {
      name = account.name, id = account.id, contacts = outcome.result,
      problem = outcome.err and (outcome.err.hint or outcome.err.message),
    }
  end
  return shown
end

--- The page that shows what the user has connected.
function M.home()
  local accounts, err = M.hubspot:connected(M.user_id())
  if not accounts then
    ngx.log(ngx.ERR, tostring(err))
    return ngx.exit(503)
  end
  ngx.header.content_type = "text/html; charset=utf-8"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    .. "frame-ancestors 'none'"
  ngx.print(page.build(with_contacts(accounts)))
end

return M
