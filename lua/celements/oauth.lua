--- The OAuth calls: where to send the user, and OAuth 1's request token.
-- Adds oauth_url and oauth_token to celements.Client.  Knows the wire names and
-- their order; nothing of what the provider does with them.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local errors = require "celements.error"
local params_of = require "celements.params"

---@class celements.Client
local methods = client.methods

local M = {}

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

local OURS = {}
for name, wire_name in pairs(RENAMES) do
  OURS[wire_name] = name
end

-- Equal calls give equal bytes: these first, the others by name.
local FIRST = { "apiKey", "apiSecret", "scope", "callbackUrl", "state" }
local IS_FIRST = {}
for _, name in ipairs(FIRST) do
  IS_FIRST[name] = true
end

-- Ours, never sent.
local NOT_SENT = { element = true, post = true }

-- The same for core.params.query().
local PLACES = { element = false, post = 0 }
for i, name in ipairs(FIRST) do
  PLACES[name] = i
end

local USUAL_KEY = 64 -- characters of an element's key

-- Pasted by hand more than any other: a curly quote in them is never meant.
local PASTED = { apiKey = true, apiSecret = true, scope = true, callbackUrl = true }

-- A parameter's name as the caller wrote it.
local function spelled(params, name)
  return params[name] == nil and OURS[name] or name
end

-- A list is joined by one space, each item as it is.  In a string a '+' or %20 between
-- scopes stands for the space: the vendor's page writes contacts-rw+offline.
local function scope_text(scope, what, level)
  if type(scope) == "table" then
    check.list(scope, what, level + 1)
    for i, item in ipairs(scope) do
      check.type(item, "string", ("%s[%d]"):format(what, i), level + 1)
    end
    return table.concat(scope, " ")
  end
  check.type(scope, "string or table", what, level + 1)
  if not scope:find("[%%+]") then
    return scope
  end
  return (scope:gsub("%%20", " "):gsub("+", " "))
end

local function add(flat, name, value, params, level)
  if name == "scope" then
    value = scope_text(value, spelled(params, name), level + 1)
  end
  if type(value) == "string" then
    local n = #flat
    flat[n + 1], flat[n + 2] = name, value
  else
    params_of.add_pairs(flat, name, value, spelled(params, name), level + 1)
  end
end

-- Names that are sent behind the first ones.
local function other_names(wire)
  local names = {}
  for name in pairs(wire) do
    if not IS_FIRST[name] and not NOT_SENT[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- The parameters as a flat list of names and values, in the order of the wire; left is
-- how many of them are sent.
local function flat_list(wire, left, params, level)
  local flat = { nil, nil, nil, nil, nil, nil, nil, nil } -- room for the usual four
  for i = 1, #FIRST do
    local name = FIRST[i]
    local value = wire[name]
    if value ~= nil then
      add(flat, name, value, params, level + 1)
      left = left - 1
    end
  end
  if left > 0 then
    for _, name in ipairs(other_names(wire)) do
      add(flat, name, wire[name], params, level + 1)
    end
  end
  return flat
end

-- A line break at the end comes along when a value is read from a file.  The error of
-- the first value that cannot be meant, if any.
local function tidy(flat, params)
  for i = 2, #flat, 2 do
    if PASTED[flat[i - 1]] and flat[i]:find("[^\32-\126]") then
      flat[i] = flat[i]:gsub("\r?\n$", "")
      local problem = check.credential_problem(flat[i])
      if problem then
        local message = spelled(params, flat[i - 1]) .. " " .. problem
        return errors.new { kind = "config", message = message, outcome = "not_sent" }
      end
    end
  end
end

local function json_body(flat)
  local body = {}
  for i = 1, #flat, 2 do
    local name = flat[i]
    if name == "isOauthProxy" then
      name = "isOAuthProxy" -- the body spells it so (platform 7.2)
    end
    local value = flat[i + 1]
    if body[name] == nil then
      body[name] = value
    elseif type(body[name]) == "table" then
      table.insert(body[name], value)
    else
      body[name] = { body[name], value }
    end
  end
  return body
end

-- The element's key or id as a path segment; nil when there is none.
local function element_of(value, level)
  if type(value) == "table" then
    value = value.key or value.id
  end
  if params_of.is_absent(value) then
    return nil
  end
  check.id(value, "element", level + 1)
  return value
end

-- What is missing or still a template; nil when all is well.  The encoded text tells at
-- one look whether there is anything to look for; there is none of what is too long for a
-- URL.
local function lacks(element, text, params)
  if element and text and not text:find("%3C", 1, true) and not tostring(element):find("<", 1, true) then
    return nil
  end
  return params_of.incomplete(element and {} or { "element" }, params_of.placeholders(params))
end

local function get(element, resource, query, text)
  return {
    method = "GET",
    path = core.url.path("elements", element, "oauth", resource),
    query = query, query_text = text,
    compressed = false, -- the answer is two lines
    letters = nil, lines = nil, timeout = nil, deadline = nil, retries = nil, -- room for what send() adds
  }
end

-- The call that the parameters ask for, or nil and the error.
local function read(params, resource, level)
  local wire, count = params_of.wire(params, RENAMES, level + 1)
  if wire.post ~= nil then
    check.type(wire.post, "boolean", "post", level + 1)
    count = count - 1
  end
  local element = element_of(wire.element, level + 1)
  local flat = flat_list(wire, wire.element ~= nil and count - 1 or count, params, level + 1)
  local text = core.url.query(flat, #flat)
  local err = lacks(element, text, params)
  if not err and (not text or text:find("%%[0189A-F]")) then -- a control character or one beyond ASCII
    err = tidy(flat, params)
    text = nil -- of before
  end
  if err then
    return nil, err
  end
  local request = get(element, resource, flat, text)
  if wire.post then
    request.method, request.query, request.query_text, request.json = "POST", nil, nil, json_body(flat)
  end
  return request
end

-- The same where all is as usual, at one look; else nil.
local function read_plain(params, resource)
  local text = core.params.query(params, RENAMES, PLACES)
  local element = text and params.element
  if text and type(element) == "string" and element:find("^[%w_]+$") and #element <= USUAL_KEY then
    return get(element, resource, nil, text)
  end
end

local function call(self, params, options, resource, level)
  local request, err = read_plain(params, resource)
  if not request then
    request, err = read(params, resource, level + 1)
  end
  client.check_options(options, level + 1)
  if not request then
    return nil, err
  end
  local result, info = client.send(self, request, options, level + 1)
  return result, info
end

--- What client:oauth_url does; `level` is whose line a raised error names, as for
-- error() in the function that calls this one.
function M.url(self, params, options, level)
  local result, info = call(self, params, options, "url", level + 1)
  return result, info
end

--- What client:oauth_token does.
function M.token(self, params, options, level)
  if type(params) == "table" and params.post then
    error("oauth_token has no POST form; leave post out", level + 1)
  end
  local result, info = call(self, params, options, "token", level + 1)
  return result, info
end

--- Where to send the user: GET /elements/{element}/oauth/url.
-- Yields in event loops, blocks elsewhere.  Nothing is created; calling again is safe.
---@param params celements.OauthParams  element, api_key, api_secret, callback_url, scope, state, ...; post = true keeps the secret out of the URL
---@param options? celements.CallOptions
---@return {oauthUrl: string, element: string}? answer
---@return celements.Info info  or celements.Error
function methods:oauth_url(params, options)
  local result, info = M.url(self, params, options, 2)
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
