--- A client: where the platform is, the secrets, and the one door to it.
-- Owns the secrets of a connection to the platform and shows none of them.  What can
-- be asked of the platform is added by celements.oauth and celements.instance.

local core = require "celements.core"
local errors = require "celements.error"
local options_reader = require "celements.options"
local request = require "celements.request"
local version = require "celements.version"
local wait = require "celements.wait"

---@class celements.Client
local client = {}

local client_mt = { __name = "celements.Client", __index = client, __metatable = "celements.Client" }

-- The inside of each client, out of reach of pairs() and of debuggers that print tables.
local inside = setmetatable({}, {
  __mode = "k",
  __index = function(_, value)
    require("celements.slip").no_client(value)
  end,
})

local NO_OPTIONS = {}

local perform = request.perform

function client_mt:__tostring()
  local state = inside[self]
  return ("celements.Client (%s%s)"):format(state.place.base_url, state.letters == "" and ", without secrets" or "")
end

-- Short: libcurl writes each character of it anew for each call.
local USER_AGENT = "celements/" .. version

-- Stands for a secret that was not given; shorter than anything that is looked for.
local NO_SECRET = core.secret.new ""

local last_settings_id = 0

-- Organization secrets are 32 hex digits in all samples; user secrets are base64.
local function look_swapped(user, org)
  return user and org and user:find("^%x+$") and #user == 32 and not org:find("^%x+$") or false
end

local function proxy_password(url)
  return url and url:gsub("^%a[%w+.-]*://", ""):match("^[^:@/]*:([^@/]*)@") or ""
end

local function new_state(options, level)
  local user = options.user_secret and core.secret.new(options.user_secret)
  local org = options.org_secret and core.secret.new(options.org_secret)
  local proxy = options.proxy
  if proxy == nil and options.loopback then
    proxy = "" -- a proxy's loopback is not ours
  end
  local missing = {}
  for _, name in ipairs { "org_secret", "user_secret" } do
    if not options[name] then
      missing[#missing + 1] = name
    end
  end
  last_settings_id = last_settings_id + 1
  return {
    waiter = options.waiter,
    on_response = options.on_response,
    timeout = options.timeout,
    retries = options.retries,
    lines = options.headers and require("celements.headers").lines(options.headers, level + 1),
    letters = user and org and "uo" or "",
    secrets = { user or NO_SECRET, org or NO_SECRET, core.secret.new(proxy_password(options.proxy)) },
    missing = missing,
    stats = { calls = 0, reused = 0, opened = 0, unanswered = 0, failed = 0, failures = {} },
    settings = core.engine.settings {
      id = last_settings_id,
      base_url = options.base_url,
      user = user,
      organization = org,
      user_agent = options.user_agent or USER_AGENT,
      ca_file = options.ca_file,
      proxy = proxy,
      http2 = options.http_version == "2",
      allow_http = options.base_url:find("^http:") ~= nil,
      connect_timeout = options.connect_timeout,
      max_body = options.max_body,
    },
    place = {
      base_url = options.base_url,
      ca_file = options.ca_file,
      missing = missing,
      swapped = look_swapped(options.user_secret, options.org_secret),
      proxy = function()
        return require("celements.proxy").of(proxy)
      end,
      trust = function()
        local engine = wait.engine()
        return engine and engine:trust()
      end,
    },
  }
end

local M = {}

--- Make a client out of options, or tell what is wrong with the environment.
---@param options table?
---@param level integer  whose line a raised error names
---@return celements.Client?
---@return celements.Error?
function M.build(options, level)
  local complete, problem = options_reader.read(options, level + 1)
  if not complete then
    return nil, errors.new { kind = "config", message = problem, outcome = "not_sent" }
  end
  local _, waiter_problem = wait.find(complete.waiter)
  if waiter_problem then
    error(waiter_problem, level + 1)
  end
  local self = setmetatable({}, client_mt)
  inside[self] = new_state(complete, level + 1)
  return self
end

--- A client for one account of the platform.  Options win over the environment
-- (CELEMENTS_BASE_URL, CELEMENTS_USER_SECRET, CELEMENTS_ORG_SECRET, CELEMENTS_TIMEOUT).
-- Opens no connection.  Raises for an option that cannot be used.
---@param options? celements.Options
---@return celements.Client
function M.new(options)
  local self, err = M.build(options, 2)
  if not self then
    error(err.message, 2)
  end
  return self
end

--- Which of the two secrets this client lacks; sorted names.
---@param self celements.Client
---@return string[]
function M.missing_secrets(self)
  return inside[self].missing
end

--- The error for a call that cannot be made without the secrets this client lacks.
---@param self celements.Client
---@param letters string  which it needs: "u"ser, "o"rganization
---@return celements.Error?
function M.lacks(self, letters)
  local all = inside[self].missing
  if all[1] == nil then
    return nil
  end
  local missing = {}
  for _, name in ipairs(all) do
    if letters:find(name:sub(1, 1), 1, true) then
      missing[#missing + 1] = name
    end
  end
  return require("celements.params").incomplete(missing, {})
end

-- What the platform shows in place of a secret; sent back, it might become the secret.
local MASK = "********"

local function encode(call)
  local body, err = call.body, nil
  if not body then
    body, err = require("celements.json").encode(call.json)
  end
  if body and body:find(MASK, 1, true) then
    local path = require("celements.lacking").mask(call.json, MASK)
    err = path and errors.new {
      kind = "config",
      message = ("%s is the mask ******** that the platform shows for a secret"):format(path),
      hint = "leave it out to keep what is there, or give the real value",
    }
  end
  if err then
    err.outcome, err.method, err.path, err.attempts = "not_sent", call.method, call.path, 0
    return err
  end
  call.body = body
end

--- The door itself, for the modules that add methods to a client.
-- call: method, path, and where there are any query (flat list of names and values) and
-- query_text (when it is encoded already),
-- json (and body, when it is encoded already, and ordinary as celements.json.raw says), compressed = false for a short answer,
-- usual_timeout (when neither options nor client name one), letters and element (the secrets
-- to send, when not the client's two), empty = true where 404 "No ... found" is an empty
-- list, wants where only a table can be the answer: the words for it, checked = true when the
-- catalogue was asked what the body has to have.  It is taken over.
-- options are the caller's own, checked by check_options, or those of within().
---@param self celements.Client
---@param call table
---@param options table?
---@param level integer
---@return any?, table
function M.send(self, call, options, level)
  local state = inside[self]
  if options then
    require("celements.call_options").apply(call, state.lines, options, level + 1)
  end
  if call.query and not call.query_text then
    local problem
    call.query_text, problem = core.url.query(call.query, #call.query)
    if problem then
      return nil, require("celements.failure").not_sent(call, "config", problem)
    end
  end
  if call.json ~= nil and not call.ordinary then
    local err = encode(call)
    if err then
      return nil, err
    end
  end
  return perform(state, call)
end

--- For a function that makes several calls: options for each of them, so that one
-- deadline holds over all.  `deadline` is its time by M.clock().
---@param self celements.Client
---@param options celements.CallOptions?  checked
---@param default? number  seconds, when neither options nor client name any
---@return {deadline: number, headers?: table, retries?: integer}
function M.within(self, options, default)
  options = options or NO_OPTIONS
  local seconds = options.timeout or inside[self].timeout or default or request.DEFAULT_TIMEOUT
  return { headers = options.headers, retries = options.retries, timeout = seconds, deadline = M.clock() + seconds }
end

--- Who waits for this client's calls, where this code runs.
---@param self celements.Client
---@return table waiter  see celements.wait
function M.waiter_of(self)
  return (assert(wait.find(inside[self].waiter)))
end

--- Sleep as this client waits: without blocking where others can run meanwhile.
---@param self celements.Client
---@param seconds number
function M.sleep(self, seconds)
  M.waiter_of(self).sleep(seconds)
end

--- A text without the secrets of this client.
---@param self celements.Client
---@param text string
---@return string
function M.redacted(self, text)
  local redact = require "celements.redact"
  return redact.text(text, redact.values(inside[self].secrets, {}))
end

--- A call with all that send() would add to it, for celements.any_call to show.
---@param self celements.Client
---@param call table
---@param options table?
---@param level integer
---@return table call  with lines, letters, element and the client's secrets, too
---@return string base_url
function M.completed(self, call, options, level)
  local state = inside[self]
  call.secrets = state.secrets
  call.query_text = call.query and core.url.query(call.query, #call.query)
  if options then
    require("celements.call_options").apply(call, state.lines, options, level + 1)
  end
  call.letters, call.lines = call.letters or state.letters, call.lines or state.lines
  return call, state.place.base_url
end

--- Counts of what a client has done, in a new table.
---@param self celements.Client
---@return celements.Stats
function M.stats_of(self)
  local stats = inside[self].stats
  local failures = {}
  for kind, count in pairs(stats.failures) do
    failures[kind] = count
  end
  return {
    calls = stats.calls,
    attempts = stats.reused + stats.opened + stats.unanswered,
    reused = stats.reused,
    opened = stats.opened,
    failed = stats.failed,
    failures = failures,
  }
end

--- Seconds of a clock that only goes forward.
M.clock = core.engine.clock

--- A path out of segments, each percent-encoded.
M.path = core.url.path

--- Where the modules put what clients can do.
---@type celements.Client
M.methods = client

--- Raises unless the options of a call, if there are any, are known and of the right types.
---@param options celements.CallOptions?
---@param level integer
---@param known? table<string, boolean>  those of any call unless said
function M.check_options(options, level, known)
  if options ~= nil then
    require("celements.call_options").check(options, level + 1, known)
  end
end

return M
