--- Connecting an account, as two functions from a request to a response.
-- Pure but for the client and the store: nginx, or whatever hosts this, is in what is
-- handed in.  No server keeps anything between the two requests, see
-- celements.connect.state.
--
--     request    method, path (as it was sent), args (the raw query), cookies (the raw header), host
--     response   status, headers, cookies (Set-Cookie lines), body

local callback = require "celements.callback"
local client = require "celements.client"
local cookie = require "celements.connect.cookie"
local errors = require "celements.error"
local finish = require "celements.connect.finish"
local page = require "celements.connect.page"
local params_of = require "celements.params"
local query = require "celements.connect.query"
local return_to = require "celements.connect.return_to"
local state = require "celements.connect.state"

---@class celements.connect.Flow
local flow = {}
local flow_mt = { __index = flow, __name = "celements.connect.Flow", __metatable = "celements.connect.Flow" }

-- The inside of each flow, which has secrets: out of reach of pairs().
local inside = setmetatable({}, { __mode = "k" })

-- Of a user's name, percent-encoded: it is a part of names in the store.
local USER_BYTES = 180

-- What a flow sets itself when it asks for the URL and when it creates the instance.
local OURS = { "element", "api_key", "api_secret", "callback_url", "scope" }

-- Errors and answers ----------------------------------------------------------------

local HINTS = {
  expired = "start again; state_ttl says how long there is",
  forged = "somebody made it up, the keys have changed, or the provider does not send the state back",
  other_browser = "connect and callback have to be reached under the same host, and with cookies",
  other_user = "user_id() has to return the same for both requests",
  no_answer = "a provider that answers behind a # sign tells the browser only",
}

-- Not the user's, the provider's or the platform's doing.
local OUR_OWN = { internal = true, application = true }

local function problem(reason, message, hint)
  return errors.new {
    kind = OUR_OWN[reason] and "config" or "oauth", reason = reason, message = message, hint = hint or HINTS[reason],
    outcome = "not_sent",
  }
end

-- What hooks and functions among the options are told.
local function context_of(self)
  return function(facts, reason)
    return {
      stage = facts.stage, reason = reason, element = self.element_name, user_id = facts.user_id, return_to = facts.return_to,
    }
  end
end

local function redirecting(self)
  return function(location, clear)
    local headers = page.headers()
    headers["Location"] = location
    return {
      status = 303, headers = headers, cookies = clear and { cookie.clear(clear, self.secure) } or {}, body = "",
    }
  end
end

-- The answer when something went wrong, and the error to whom it concerns.  more: the
-- provider's words (said), a cookie to take away (clear).
local function failing(self)
  return function(reason, facts, err, more)
    more = more or {}
    if err then
      self.report(err, self.context(facts, reason))
    end
    -- A callback that goes on when it is asked for again is not led away from: the instance
    -- may be there, and starting anew would make another.
    local stays = reason == "method" or facts.stage == "callback" and page.goes_on(reason)
    if self.failure_path and not stays then
      return self.redirect(return_to.with(self.failure_path, "reason", reason), more.clear)
    end
    local start = facts.start or self.connect_path
    if start and facts.return_to and facts.return_to ~= self.success_path then
      start = return_to.with(return_to.path(start), "return_to", query.escape(facts.return_to))
    end
    local status, headers, body = page.build(reason, self.title, { start = start, home = self.success_path }, {
      said = more.said, request_id = err and err.request_id,
    })
    return {
      status = status, headers = headers, cookies = more.clear and { cookie.clear(more.clear, self.secure) } or {},
      body = body,
    }
  end
end

-- Who it is, as text; nil and the response when that cannot be said.
local function who(self, facts)
  local fine, user = pcall(self.user_id)
  if not fine then
    return nil, self.fail("internal", facts, problem("internal", "user_id raised: " .. tostring(user):sub(1, 500)))
  elseif user == nil or user == false or user == "" then
    return nil, self.fail("sign_in", facts)
  elseif type(user) == "number" and user == user and math.abs(user) < math.huge then
    user = params_of.number_text(user)
  end
  if type(user) ~= "string" then
    return nil, self.fail("internal", facts, problem("internal",
      "user_id has to return a text or a number, not a " .. type(user)))
  elseif #client.path(user) > USER_BYTES then
    return nil, self.fail("internal", facts, problem("internal",
      ("user_id has returned a text that is longer than %d bytes, percent-encoded"):format(USER_BYTES - 1)))
  end
  facts.user_id = user
  return user
end

-- The value of an option that may be a function of the context; nil and a message.
local function value_of(self, name, facts, types)
  local value = self[name]
  if type(value) == "function" then
    local fine, made = pcall(value, self.context(facts))
    if not fine then
      return nil, ("%s raised: %s"):format(name, tostring(made):sub(1, 500))
    elseif made ~= nil and not types:find(type(made), 1, true) then
      return nil, ("%s has to return a %s, not a %s"):format(name, types, type(made))
    end
    value = made
  end
  return value
end

local function copied(values)
  local copy = {}
  for name, value in pairs(values or {}) do
    copy[name] = value
  end
  return copy
end

-- The start ------------------------------------------------------------------------

-- A page of this site that does not begin all over again.
local function wanted_page(self, args, path)
  local wanted = return_to.clean(query.text(args or {}, "return_to"))
  if not wanted or return_to.path(wanted) == path or return_to.path(wanted) == self.callback_path then
    return self.success_path
  end
  return wanted
end

-- What the platform names as the place to send a user to.
local function oauth_url_problem(url)
  if type(url) ~= "string" or url:find("[%c%s\128-\255]") or not url:find("^https?://") then
    return "the platform's oauthUrl is not a URL"
  end
  local host = url:match("^https?://([^/?#:]*)")
  if host == "" or host:find("^%.") or host:find("..", 1, true) then
    return "the platform's oauthUrl has no whole host: a parameter such as siteAddress or subdomain is missing"
  end
end

local function ask_params(self, facts)
  local params, message = value_of(self, "oauth_params", facts, "table")
  if message then
    return nil, problem("internal", message)
  end
  params = copied(params)
  for _, name in ipairs(OURS) do
    params[name] = self[name]
  end
  return params
end

-- OAuth 1's request token, when it is wanted.  -> the flow's id, token, secret
local function new_flow(self, params)
  if not self.oauth1 then
    return self.state:new_id()
  end
  local answer, err = self.client:oauth_token(params)
  if not answer then
    return nil, err
  elseif type(answer.token) ~= "string" or type(answer.secret) ~= "string" then
    return nil, errors.new { kind = "decode", message = "the platform's answer has no request token and secret" }
  end
  return self.state:id_of(answer.token), answer.token, answer.secret
end

-- Browsers give a cookie back to the host that set it: another host can never work.
local function warn_of_host(self, host)
  local own = (host or ""):lower():gsub(":%d*$", "")
  if own ~= "" and own ~= self.callback_host and not self.warned then
    self.warned = true
    self.warn(("connect was reached under another host (%s) than the one of callback_url (%s); "
      .. "if that is what browsers see too, they will not bring the cookie back"):format(
      own:gsub("[^%w.:%[%]-]", "?"):sub(1, 100), self.callback_host))
  end
end

local function new_cookies(self, request, id, fields)
  local name, value = cookie.name(id, self.secure), self.state:seal_cookie(id, fields)
  local lines = {}
  for _, old in ipairs(cookie.surplus(request.cookies, #name + #value, self.secure)) do
    lines[#lines + 1] = cookie.clear(old, self.secure)
  end
  lines[#lines + 1] = cookie.set(name, value, math.ceil(self.state_ttl), self.secure)
  return lines
end

--- The first of the two: where to send the user.
-- Asks the platform, so it yields where the client does.  Each call begins a flow of its
-- own; those begun before stay good.
---@param request table
---@return table response  303 to the provider, or a page
function flow:start(request)
  self = inside[self]
  -- As the browser wrote it, which may be more than one way: only a plain one is linked to.
  local path = return_to.clean(request.path) or ""
  local facts = { stage = "connect", start = path ~= "" and path or nil }
  if request.method ~= "GET" and request.method ~= "POST" then
    return self.fail("method", facts)
  end
  local user, refused = who(self, facts)
  if not user then
    return refused
  end
  warn_of_host(self, request.host)
  facts.return_to = wanted_page(self, query.read(request.args), path)
  local err = client.lacks(self.client, "uo")
  if err then
    return self.fail("setup", facts, err) -- before the user agrees to what cannot be finished
  end
  local params
  params, err = ask_params(self, facts)
  if not params then
    return self.fail("internal", facts, err)
  end
  local id, token, secret = new_flow(self, params)
  if not id then
    return self.fail("platform", facts, token)
  end
  local text = self.state:issue(id, user, path)
  params.state, params.post, params.request_token = text, self.post, token
  local answer
  answer, err = self.client:oauth_url(params)
  if not answer then
    return self.fail(err.kind == "config" and "setup" or "platform", facts, err)
  end
  local wrong = oauth_url_problem(answer.oauthUrl)
  if wrong then
    return self.fail("setup", facts, errors.new { kind = "config", message = wrong })
  end
  local response = self.redirect(answer.oauthUrl)
  response.cookies = new_cookies(self, request, id, {
    return_to = facts.return_to, state = token and text, token = token, secret = secret,
  })
  return response
end

-- The end --------------------------------------------------------------------------

local NOT_OURS = "the callback's state was not made here"

local function missing_state(args)
  local refused = query.text(args, "error")
  if refused then
    local _, err = callback.parse { error = refused }
    return refused == "access_denied" and "denied" or "provider", err
  end
  return "forged", problem("forged", "the callback has no state", HINTS.forged)
end

-- Which flow it is.  -> pass, or nil, the reason and the error
local function identify(self, args, cookies)
  local text, pass = query.text(args, "state"), {}
  local record = text and self.state:read(text)
  if args.state and not text then
    return nil, "invalid", problem("invalid", "the callback has an empty or repeated state")
  elseif text and not record then
    return nil, "forged", problem("forged", NOT_OURS)
  end
  local token = self.oauth1 and (query.text(args, "oauth_token") or query.text(args, "denied"))
  pass.id = token and self.state:id_of(token) or record and record.id
  if not pass.id then
    return nil, missing_state(args)
  elseif record and record.id ~= pass.id then
    return nil, "forged", problem("forged", "the callback's oauth_token and its state are of two flows")
  end
  pass.cookie_name = cookie.name(pass.id, self.secure)
  pass.cookie = self.state:open_cookie(pass.id, cookie.values(cookies, pass.cookie_name))
  if pass.cookie and not record and pass.cookie.state then
    record = self.state:read(pass.cookie.state)
  end
  pass.record = record
  return pass
end

-- What celements.callback calls it, and what we do.
local PROVIDER_SAYS = {
  repeated = "invalid", empty = "invalid", missing = "no_answer", state = "forged", access_denied = "denied",
}

-- Whatever keeps this callback from making an instance, apart from having made one.
-- -> {reason, err, more}, or nil and what the provider granted
local function look(self, pass, args)
  -- First, since the cookie expires with the state, and browsers then no longer send it.
  if pass.record and self.state:expired(pass.record) then
    return { "expired", problem("expired", "the callback came after the state had expired"),
      { clear = pass.cookie_name } }
  elseif not pass.cookie or not pass.record then
    return { "other_browser", problem("other_browser", "the callback came without its flow's cookie") }
  end
  local granted, err = callback.parse(args, { request_token = pass.cookie.token })
  if granted then
    return nil, granted
  end
  local reason = PROVIDER_SAYS[err.reason] or "provider"
  local said = reason == "provider" and query.text(args, "error_description") or nil
  return { reason, err, { said = said and said:sub(1, 300), clear = pass.cookie.token and pass.cookie_name or nil } }
end

local function scope_text(scope)
  return type(scope) == "table" and table.concat(scope, " ") or scope
end

-- Options that may be functions, and what those return.
local MADE = { name = "string", tags = "string or table", configuration = "table", provider_data = "table" }

-- What create_instance is to be given; nil and a message.
local function instance_params(self, pass, granted)
  local made = {}
  for name, types in pairs(MADE) do
    local value, message = value_of(self, name, pass.facts, types)
    if message then
      return nil, message
    end
    made[name] = value
  end
  local data = copied(made.provider_data)
  for name, value in pairs(granted) do
    if name ~= "state" then
      data[name] = value
    end
  end
  if pass.cookie.secret then
    data.secret = pass.cookie.secret
  end
  if data.access_token and not data.code and data.apikey == nil then
    data.apikey = self.api_key -- not in the callback, and wanted beside its tokens (platform 13.2)
  end
  local configuration = {
    ["oauth.api.key"] = self.api_key, ["oauth.api.secret"] = self.api_secret,
    ["oauth.callback.url"] = self.callback_url, ["oauth.scope"] = scope_text(self.scope),
  }
  for name, value in pairs(made.configuration or {}) do
    configuration[name] = value
  end
  return {
    element = self.element, name = made.name or self.title, tags = made.tags, provider_data = data,
    configuration = configuration, once = finish.once(pass.id),
  }
end

--- The second of the two: what the provider's answer leads to.
-- Creates the instance, which may take a minute, in what the host's run() gives it.  A
-- second call with the same answer gives the same response, and makes no second instance.
---@param request table
---@return table response  303 to a page of this site, or a page
function flow:finish(request)
  self = inside[self]
  local facts = { stage = "callback" }
  if request.method ~= "GET" then
    return self.fail("method", facts)
  end
  local user, refused = who(self, facts)
  if not user then
    return refused
  end
  local args, wrong = query.read(request.args)
  if not args then
    return self.fail("invalid", facts, problem("invalid", wrong))
  elseif next(args) == nil then
    return self.fail("no_answer", facts, problem("no_answer", "the callback has no query"))
  end
  local pass, reason, err = identify(self, args, request.cookies)
  if not pass then
    return self.fail(reason, facts, err)
  end
  pass.facts, pass.user, pass.user_hash = facts, user, self.state:hash_of(user)
  if pass.record then
    facts.start = pass.record.path ~= "" and pass.record.path or nil
    if pass.record.user ~= pass.user_hash then
      return self.fail("other_user", facts, problem("other_user", "the callback came from another user than the start"))
    end
  end
  facts.return_to = pass.cookie and return_to.clean(pass.cookie.return_to) or self.success_path
  local granted
  pass.blocked, granted = look(self, pass, args)
  if not pass.blocked then
    local message
    pass.params, message = instance_params(self, pass, granted)
    if not pass.params then
      pass.blocked = { "internal", problem("internal", message) }
    end
  end
  return self.run(function()
    return finish.run(self, pass)
  end)
end

--- The answer to a request whose handling raised.
---@param stage string  "connect" or "callback"
---@param message string
---@return table response
function flow:crashed(stage, message)
  self = inside[self]
  return self.fail("internal", { stage = stage }, problem("internal", message))
end

--- The instances that a user has connected, as the store has them.
---@param user string|number
---@return table[]? instances  each with id, name, token, element
---@return celements.Error? err
function flow:connected(user)
  self = inside[self]
  local found = {}
  user = type(user) == "number" and params_of.number_text(user) or user
  local names, err = self.store:list(finish.key(user)):all()
  if not names then
    return nil, err
  end
  for _, name in ipairs(names) do
    local instance
    instance, err = self.store:get(name)
    if err then
      return nil, err
    end
    found[#found + 1] = instance
  end
  return found
end

local M = {}

M.key = finish.key

local function name_of(element)
  if type(element) == "table" then
    element = element.key or element.id
  end
  return type(element) == "number" and params_of.number_text(element) or element
end

--- Make a flow.
-- parts: box, hash and token as celements.seal has them; store; now(); sleep(seconds);
-- run(job) does the job so that it comes to its end when the client leaves, and returns
-- what it returns; every(seconds, f) -> stop(), calls f again and again meanwhile; later(seconds,
-- f) calls f once, when it can; report(err, context); warn(text).
---@param options table  from celements.connect.options
---@param parts table
---@return celements.connect.Flow
function M.new(options, parts)
  local own = copied(options)
  for name, part in pairs(parts) do
    own[name] = part
  end
  own.element_name = name_of(options.element)
  own.title = options.title or own.element_name
  own.secure = options.callback_url:lower():find("^https:") ~= nil
  local authority, rest = options.callback_url:match("^[^:]*://([^/?]*)([^?]*)")
  own.callback_host, own.callback_path = authority:lower():gsub(":%d*$", ""), rest
  own.state = state.new {
    box = parts.box, hash = parts.hash, token = parts.token, now = parts.now, seconds = options.state_ttl,
    purpose = "celements connect\n" .. own.element_name .. "\n" .. options.callback_url,
  }
  own.problem, own.context = problem, context_of(own)
  own.redirect, own.fail = redirecting(own), failing(own)
  local self = setmetatable({}, flow_mt)
  inside[self] = own
  return self
end

return M
