--- An application in nginx whose users connect their HubSpot accounts.
-- One flow, made when nginx starts; the two locations of celements.conf use it.

local celements = require "celements"
local openresty = require "celements.openresty"

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
}

local function html(text)
  return (tostring(text):gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }))
end

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Accounts</title></head>
<body>
<h1>Your accounts</h1>
<ul>
%s</ul>
<p><a href="/connect/hubspot">Connect HubSpot</a></p>
</body>
</html>
]]

--- The page that shows what the user has connected.
function M.home()
  local accounts, err = M.hubspot:connected(M.user_id())
  if not accounts then
    ngx.log(ngx.ERR, tostring(err))
    return ngx.exit(503)
  end
  local lines = {}
  for i, account in ipairs(accounts) do
    lines[i] = ("<li>%s, instance %s</li>\n"):format(html(account.name), html(account.id))
  end
  ngx.header.content_type = "text/html; charset=utf-8"
  ngx.print(PAGE:format(table.concat(lines)))
end

return M
