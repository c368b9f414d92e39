--- Connecting a customer's account in two locations of nginx.
-- The only file of the flow that knows nginx: it reads requests, writes answers, and lends
-- the clock, sleep and timers of nginx to celements.connect.flow, where it is decided what
-- happens.
--
--     init_by_lua_block {
--       local celements, openresty = require "celements", require "celements.openresty"
--       hubspot = openresty.new {
--         client = celements.new(), element = "hubspot", api_key = …, api_secret = …, key = …,
--         callback_url = "https://app.example.com/connect/hubspot/callback",
--         user_id = function() return signed_in_user() end,
--       }
--     }
--     location = /connect/hubspot          { content_by_lua_block { hubspot:connect() } }
--     location = /connect/hubspot/callback { access_log off; content_by_lua_block { hubspot:callback() } }
--
-- Nothing of a callback is to reach a log, and nginx puts the request's line, query
-- included, behind everything that is logged while it is handled.  So what a
-- callback leads to runs in a timer, which has no request: creating, storing, and the
-- application's hooks.  It comes to its end also when the browser has left.

local check = require "celements.check"
local client_of = require "celements.client"
local flow_of = require "celements.connect.flow"
local options_reader = require "celements.connect.options"

local M = {}

-- Methods of what new() makes.
---@class celements.OpenrestyFlow
local methods = {}
local methods_mt = { __name = "celements.OpenrestyFlow", __index = methods, __metatable = "celements.OpenrestyFlow" }

local flows = setmetatable({}, { __mode = "k" })

-- The dictionary that is used when it is there and no store is given.
local DICT = "celements"

local JOB_SECONDS = 600    -- longer than anything that a job does
local START_SECONDS = 2    -- a timer that has not begun by then was dropped
local SLICE = 0.5          -- seconds
local STEP = 0.005

function methods_mt.__tostring()
  return "celements.OpenrestyFlow"
end

local function nginx(level)
  local ngx = package.loaded.ngx
  if not ngx then
    error("this runs inside nginx only, in a content_by_lua_block", level + 1)
  end
  return ngx
end

-- Running beside and after a request ----------------------------------------------

local function nothing() end

-- A job that two may come to do, and what came of it.  Made by a function that has returned
-- before anybody waits: when nginx kills the thread of a request, that thread's local
-- variables are no longer there for a function that uses them, but other requests' are.
local function job_of_two(job)
  local semaphore = require "ngx.semaphore"
  local state = { ended = assert(semaphore.new(0)), begun = false, fine = nil, result = nil }

  -- For whichever comes first, the timer or the request.
  function state.work()
    if not state.begun then
      state.begun = true
      state.fine, state.result = pcall(job)
      state.ended:post(1)
    end
  end
  return state
end

-- Does the job in a timer of its own and waits for what it returns, so that no log line
-- has this request (pitfall 18) and nobody's leaving ends it (pitfall 44).  nginx drops timers
-- when there are too many; the job is then done here, where a client that leaves does
-- not end it either.
local function run(job)
  local ngx = package.loaded.ngx
  local state = job_of_two(job)
  ngx.on_abort(nothing) -- for who has lua_check_client_abort on
  if ngx.timer.at(0, state.work) then
    state.ended:wait(START_SECONDS)
  end
  state.work()
  local ends = ngx.now() + JOB_SECONDS
  while state.fine == nil and ngx.now() < ends do
    state.ended:wait(START_SECONDS)
  end
  if not state.fine then
    error(state.result or "it has not come to an end", 0)
  end
  return state.result
end

-- Calls f every so many seconds beside what goes on, until it is stopped.  Stopping waits for
-- an f that runs: nothing comes after it.
local function every(seconds, f)
  local ngx = package.loaded.ngx
  local stopped, running = false, false
  ngx.thread.spawn(function()
    local left = seconds
    while not stopped do
      local slice = math.min(left, SLICE)
      ngx.sleep(slice)
      left = left - slice
      if left <= 0 and not stopped then
        running = true
        pcall(f)
        running, left = false, seconds
      end
    end
  end)
  return function()
    stopped = true
    while running do
      ngx.sleep(STEP)
    end
  end
end

-- Calls f after so many seconds; earlier when nginx is to end, and not at all when it has no timer.
local function later(seconds, f)
  package.loaded.ngx.timer.at(seconds, function()
    pcall(f)
  end)
end

-- Without a request, so that no line that is logged has one.
local function outside(f)
  local ngx = package.loaded.ngx
  if ngx.get_phase() == "timer" then
    f()
    return true
  end
  return ngx.timer.at(0, f)
end

local function write_log(level, text)
  local ngx = package.loaded.ngx
  local logged = outside(function()
    ngx.log(ngx[level], "celements: ", text)
  end)
  if not logged then
    io.stderr:write("celements: ", text, "\n") -- which nginx has made its error log
  end
end

local function line_of(err, context)
  return ("%s of %s: %s"):format(context.stage, context.element, (tostring(err):gsub("%c", " ")))
end

local function reporter(on_error)
  if not on_error then
    return function(err, context)
      write_log("ERR", line_of(err, context))
    end
  end
  return function(err, context)
    local handed = outside(function()
      local fine, problem = pcall(on_error, err, context)
      if not fine then
        write_log("ERR", "on_error raised: " .. tostring(problem):sub(1, 500))
      end
    end)
    if not handed then
      write_log("ERR", line_of(err, context))
    end
  end
end

-- Requests and answers ---------------------------------------------------------------

local function read_request(ngx)
  local var = ngx.var
  return {
    method = ngx.req.get_method(), path = var.request_uri:match("^[^?]*"), args = var.args, cookies = var.http_cookie,
    host = var.http_host,
  }
end

local function write_response(ngx, response)
  ngx.status = response.status
  for name, value in pairs(response.headers) do
    ngx.header[name] = value
  end
  if #response.cookies > 0 then
    local own = ngx.header["Set-Cookie"] or {}
    local lines = type(own) == "table" and own or { own }
    for _, line in ipairs(response.cookies) do
      lines[#lines + 1] = line
    end
    ngx.header["Set-Cookie"] = lines
  end
  ngx.header["Content-Length"] = #response.body
  if response.body ~= "" then
    ngx.print(response.body)
  end
  ngx.eof()
end

local function check_phase(ngx, name, level)
  local phase = ngx.get_phase()
  if phase ~= "content" then
    error(("flow:%s() answers a request: it belongs into content_by_lua_block, not into phase '%s'"):format(name, phase),
      level + 1)
  elseif ngx.headers_sent then
    error(("flow:%s() came after the answer had begun"):format(name), level + 1)
  end
end

local function flow_behind(self, name, level)
  local flow = flows[self]
  if not flow then
    error(("call flow:%s() with a colon, on what openresty.new() made"):format(name), level + 1)
  end
  return flow
end

local function serve(self, name, method, level)
  local flow = flow_behind(self, name, level + 1)
  local ngx = nginx(level + 1)
  check_phase(ngx, name, level + 1)
  local fine, response = pcall(flow[method], flow, read_request(ngx))
  if not fine then
    response = flow:crashed(name, tostring(response):sub(1, 1000))
  end
  write_response(ngx, response)
end

--- Answer the request with a redirect to the provider's consent page.
-- For a content_by_lua_block.  The argument return_to of the request, if it is a page of
-- this site, is where the user goes in the end.  Yields; each call begins a flow of its own.
function methods:connect()
  serve(self, "connect", "start", 2)
end

--- Answer the provider's redirect: create the instance, keep it, and send the user on.
-- For a content_by_lua_block.  Yields, for a minute if need be.  The same callback once
-- more gets the same answer and makes no second instance.
function methods:callback()
  serve(self, "callback", "finish", 2)
end

--- What a user has connected, from the store.
---@param user string|number  as user_id() returned it
---@return celements.Instance[]? instances  each with id, name, token, element, tags: ready for client:instance()
---@return celements.Error? err
function methods:connected(user)
  local flow = flow_behind(self, "connected", 2)
  if type(user) ~= "number" then
    check.type(user, "string", "the user", 2)
  end
  local instances, err = flow:connected(user)
  return instances, err
end

-- Making a flow ----------------------------------------------------------------------

local function load_seal(level)
  local found, seal = pcall(require, "celements.seal")
  if not found then
    error("celements.openresty needs celements.seal, which needs libsodium: " .. tostring(seal):match("^[^\n]*"), level + 1)
  end
  return seal
end

-- Where a line that is logged has no request.
local STARTS = { init = true, init_worker = true }

local function default_store(keys)
  local ngx = package.loaded.ngx
  local shared = ngx and ngx.shared and ngx.shared[DICT] and DICT or nil
  if ngx and not shared and STARTS[ngx.get_phase()] then
    ngx.log(ngx.WARN, "celements: no store is given and there is no lua_shared_dict ", DICT,
      ": what is connected is known to one worker only, until it ends")
  end
  return require("celements.store").memory { dict = shared, key = keys }
end

-- Not an error: the rest of the site is better up than down.  But who starts nginx is the
-- one who can do something, and the first user would be too late for them to hear of it.
local function warn_of_secrets(client)
  local lacking = client_of.lacks(client, "uo")
  local ngx = package.loaded.ngx
  if lacking and ngx and STARTS[ngx.get_phase()] then
    ngx.log(ngx.WARN, "celements: nobody can connect an account, since the client lacks secrets: ", tostring(lacking))
  end
end

--- Make a flow.  Sends nothing, so it can be made in init_by_lua_block.
-- Raises for an option that cannot be used.
---@param options celements.OpenrestyOptions
---@return celements.OpenrestyFlow
function M.new(options)
  local own = options_reader.read(options, 2)
  warn_of_secrets(own.client)
  local seal = load_seal(2)
  local self = setmetatable({}, methods_mt)
  flows[self] = flow_of.new(own, {
    box = seal.new(own.key), hash = seal.hash, token = seal.token, store = own.store or default_store(own.key),
    now = function()
      return package.loaded.ngx.now()
    end,
    sleep = function(seconds)
      package.loaded.ngx.sleep(seconds)
    end,
    run = run, every = every, later = later, report = reporter(own.on_error),
    warn = function(text)
      write_log("WARN", text)
    end,
  })
  return self
end

--- The store's name for an instance that a user has connected; without an id what the
-- names of all of them begin with, for store:list().
---@param user string|number
---@param id? string|integer
---@return string
function M.key(user, id)
  return (flow_of.key(user, id))
end

return M
