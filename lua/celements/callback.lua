--- What the provider's redirect brought back.  Pure; sends nothing, logs nothing.

local check = require "celements.check"
local core = require "celements.core"
local errors = require "celements.error"
local number_text = require("celements.params").number_text

local M = {}

-- Any of these carries a grant (platform 13.2).
local GRANTS = { "code", "access_token", "oauth_verifier", "token" }

-- Empty, these are worth nothing; elsewhere a provider may send an empty value.
local NOT_EMPTY = {
  code = true,
  authorization_code = true,
  access_token = true,
  oauth_token = true,
  oauth_verifier = true,
  token = true,
  state = true,
  error = true,
  denied = true,
}

local EXPECTED = { state = true, request_token = true }

local function fail(reason, message, hint)
  return nil, errors.new { kind = "oauth", reason = reason, message = message, hint = hint, outcome = "not_sent" }
end

local function unescape(text)
  text = text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return text
end

local function put(found, name, value)
  if type(value) == "table" or found[name] ~= nil then
    return "repeated", name
  elseif type(value) == "boolean" or (value == "" and NOT_EMPTY[name]) then
    return "empty", name
  end
  found[name] = value
end

-- Reads name=value&... into found; the reason and the name of the first that is wrong.
local function read_query(text, found)
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    local reason, at = put(found, unescape(name or pair), value and unescape(value) or true)
    if reason then
      return reason, at
    end
  end
end

-- Does it begin as a URL or a path does, so that a '=' before the first '?' is the path's?
local function begins_with_path(text)
  return text:find("^/") or text:find("^%a[%w+.-]*:/")
end

-- The query and the fragment of a URL, or of what is left when a person cuts one short.
local function parts_of(text)
  local before, fragment = text:match("^([^#]*)#?(.*)$")
  local has_path = begins_with_path(before)
  local query = before:match(has_path and "^[^?]*%?(.*)$" or "^[^=?]*%?(.*)$") -- a value may hold a '?' of its own
  if not query and not has_path and before:find("=", 1, true) then
    query = before
  end
  fragment = fragment:match("^/[^?]*%?(.*)$") or fragment -- "#/route?code=...", of a page that routes by it
  if fragment == "_=_" or not fragment:find("=", 1, true) then
    fragment = "" -- an anchor, or what Facebook puts there
  end
  return query or "", fragment
end

local function read_text(text, found)
  local query, fragment = parts_of(text:match("^%s*(.-)%s*$"))
  local reason, at = read_query(query, found)
  if not reason then
    reason, at = read_query(fragment, found)
  end
  return reason, at
end

local function read_table(arguments, found)
  local names = {}
  for name in pairs(arguments) do
    check.type(name, "string", "a callback parameter's name", 3)
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = arguments[name]
    check.type(value, "string or number or boolean or table", "the callback parameter " .. name, 3)
    if type(value) == "number" then
      value = number_text(value, "the callback parameter " .. name, 3)
    end
    local reason, at = put(found, name, value)
    if reason then
      return reason, at
    end
  end
end

-- These are words that a provider may say of a refusal, and of no use to anybody else.
local WORDS = { state = true, error = true, denied = true }

-- Text of the callback, fit for one line of a log: without what else in it may be a grant.
local function plain(text, found)
  local values = {}
  for name, value in pairs(found) do
    if core.secret.is_name(name) or NOT_EMPTY[name] and not WORDS[name] then
      values[#values + 1] = value
    end
  end
  return (core.secret.redact(text, values):gsub("%c", " "):sub(1, 300))
end

local function refusal(found)
  if found.error then
    local reason = plain(found.error, found)
    local message = "the provider answers: " .. reason
    if found.error_description and found.error_description ~= "" then
      message = message .. " (" .. plain(found.error_description, found) .. ")"
    end
    local hint
    if reason == "access_denied" then
      hint = "the user did not agree; start again with oauth_url when they want to"
    end
    return reason, message, hint
  elseif found.denied then
    return "access_denied", "the user did not agree", "start again with oauth_token when they want to"
  end
end

local function matches(found, name, wanted)
  return found[name] ~= nil and core.secret.equal(found[name], wanted)
end

--- Read the URL that the provider sent the user to.
-- Query and fragment are read.  A pure function: calling it again changes nothing.
---@param url string|table  a whole URL, a query string, or a table such as ngx.req.get_uri_args() gives
---@param expected? {state?: string, request_token?: string}  what was sent; compared in constant time
---@return table<string, string>? granted  every parameter, ready to be provider_data
---@return celements.Error? err  kind "oauth", with reason
function M.parse(url, expected)
  check.type(url, "string or table", "the callback", 2)
  expected = expected or {}
  check.table(expected, "what is expected", 2)
  for name, value in pairs(expected) do
    if not EXPECTED[name] then
      check.unknown(name, EXPECTED, "expectation", 2)
    end
    check.type(value, "string", "expected." .. name, 2)
  end

  local found = {}
  local read = type(url) == "string" and read_text or read_table
  local reason, at = read(url, found)
  if reason == "repeated" then
    return fail(reason, ("the callback has the parameter %s more than once"):format(plain(at, found)))
  elseif reason then
    return fail(reason, ("the callback has the parameter %s without a value"):format(plain(at, found)))
  end
  local message, hint
  reason, message, hint = refusal(found)
  if reason then
    return fail(reason, message, hint)
  end
  if expected.state and not matches(found, "state", expected.state) then
    return fail("state",
      found.state and "the callback's state is not the one that was sent" or "the callback has no state",
      "it belongs to another attempt, or somebody else made it; start again with oauth_url")
  end
  if expected.request_token and not matches(found, "oauth_token", expected.request_token) then
    return fail("state", "the callback's oauth_token is not the one of this attempt", "start again with oauth_token")
  end
  if found.authorization_code and not found.code then
    found.code = found.authorization_code
  end
  for _, name in ipairs(GRANTS) do
    if found[name] then
      return found
    end
  end
  return fail("missing", "the callback has neither a code nor a token nor a verifier",
    "check that this is the URL the provider redirected to, query and fragment included")
end

return M
