--- What an application says about its flow: names, types, and what cannot work.
-- Pure.  Everything is checked when the flow is made, so that a mistake shows when nginx
-- starts and not when the first user comes back.

local base_url = require "celements.base_url"
local check = require "celements.check"
local return_to = require "celements.connect.return_to"

local M = {}

local TYPES = {
  client = "table", element = "string or table or number", api_key = "string", api_secret = "string",
  callback_url = "string", scope = "string or table", key = "string or table", user_id = "function",
  on_connected = "function", on_error = "function", store = "table or userdata", success_path = "string",
  failure_path = "string", connect_path = "string", title = "string", name = "string or function",
  tags = "string or table or function", configuration = "table or function", provider_data = "table or function",
  oauth_params = "table or function", oauth1 = "boolean", post = "boolean", state_ttl = "number", lease = "number",
  allow_http = "boolean",
}

local REQUIRED = { "api_key", "api_secret", "callback_url", "client", "element", "key", "user_id" }

local STORE = { "put", "get", "delete", "list", "claim", "release" }

local KEY_BYTES = 32

local DEFAULTS = { success_path = "/", state_ttl = 600, lease = 30, oauth1 = false, post = true, allow_http = false }

-- Never made from a request, whose headers anybody can write (pitfall 16).
local function check_url(url, allow_http)
  if url:find("[%c%s#\\]") or url:find("[\128-\255]") then
    return "holds a character that does not belong there, or a fragment"
  end
  local scheme, authority, path = url:match("^(%a[%w+.-]*)://([^/?]*)(.*)$")
  scheme = scheme and scheme:lower()
  if scheme ~= "https" and scheme ~= "http" then
    return "has to be a whole URL, such as https://app.example.com/callback"
  elseif authority:find("@", 1, true) then
    return "has a user name in it"
  end
  local host = authority:match("^(%[[%x:.]+%]):?%d*$") or authority:match("^([%w._-]+):?%d*$")
  if not host then
    return "has no host"
  elseif path == "" or path:sub(1, 1) ~= "/" then
    return "has no path; it ends with the location that flow:callback() stands in"
  elseif scheme == "http" and not base_url.is_loopback(host) and not allow_http then
    return "is plain http, where everybody on the way can read the user's grant; use https, or set allow_http = true"
  end
end

local function check_keys(keys)
  local list = type(keys) == "table" and keys or { keys }
  if #list == 0 then
    return "is empty"
  end
  for i, key in ipairs(list) do
    if type(key) ~= "string" or #key < KEY_BYTES then
      return ("%shas to be a text of at least %d bytes, such as `openssl rand -base64 32` prints"):format(
        type(keys) == "table" and ("number %d "):format(i) or "", KEY_BYTES)
    end
  end
end

local function check_element(element)
  if type(element) == "table" then
    element = element.key or element.id
  end
  if type(element) ~= "string" and type(element) ~= "number" or element == "" then
    return 'has to be the key of an element, such as "hubspot", or a table with its key or id'
  end
end

local function check_store(store)
  if type(store) == "table" then
    for _, name in ipairs(STORE) do
      if type(store[name]) ~= "function" then
        return ("has no method %s: it has to be one of celements.store, or do as they do"):format(name)
      end
    end
  end
end

local function check_client(client)
  if getmetatable(client) ~= "celements.Client" then
    return "has to be a client, as celements.new() makes them"
  end
end

local function check_seconds(least, most)
  return function(seconds)
    if not (seconds >= least and seconds <= most) then
      return ("has to be between %d and %d seconds"):format(least, most)
    end
  end
end

local function check_page(page)
  if not return_to.clean(page) then
    return 'has to be a page of this site: a path such as "/settings", percent-encoded, without a host'
  end
end

local function check_credential(text)
  return text == "" and "is empty" or check.credential_problem(text)
end

local CHECKS = {
  client = check_client, element = check_element, key = check_keys, store = check_store,
  api_key = check_credential, api_secret = check_credential,
  state_ttl = check_seconds(1, 24 * 3600), lease = check_seconds(1, 3600),
  success_path = check_page, failure_path = check_page, connect_path = check_page,
}

--- Complete and check them; raises at the caller's line.  Quotes no key and no secret.
---@param given table
---@param level integer  whose line a raised error names, as for error()
---@return table options  a new table
function M.read(given, level)
  check.table(given, "options", level + 1)
  for name, value in pairs(given) do
    if not TYPES[name] then
      check.unknown(name, TYPES, "option", level + 1)
    end
    check.type(value, TYPES[name], name, level + 1)
  end
  local missing = {}
  for _, name in ipairs(REQUIRED) do
    if given[name] == nil then
      missing[#missing + 1] = name
    end
  end
  if #missing > 0 then
    error("missing: " .. table.concat(missing, ", "), level + 1)
  end
  local options = {}
  for name in pairs(TYPES) do
    local value = given[name]
    if value == nil then
      value = DEFAULTS[name]
    end
    local problem = value ~= nil and CHECKS[name] and CHECKS[name](value)
    if problem then
      error(name .. " " .. problem, level + 1)
    end
    options[name] = value
  end
  local problem = check_url(options.callback_url, options.allow_http)
  if problem then
    error("callback_url " .. problem, level + 1)
  end
  return options
end

return M
