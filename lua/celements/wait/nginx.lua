--- The waiter for nginx with its Lua module, OpenResty included.
-- The pump is one timer per worker, while something is in flight; who waits does so on a
-- semaphore.  nginx offers no way to watch a descriptor of ours, so the pump looks,
-- every 1 to 5 milliseconds: the more often the shorter calls are.  docs/nginx.md says what
-- that costs.

local loop = require "celements.wait.loop"
local ngx = require "ngx"
local semaphore = require "ngx.semaphore"

-- Where ngx.semaphore, ngx.sleep and ngx.timer all work, tried one by one; server_rewrite,
-- of newer versions, is rewrite.  In ssl_client_hello they seem to, and the handshake breaks.
local CAN_WAIT = {
  rewrite = true,
  server_rewrite = true,
  access = true,
  content = true,
  timer = true,
  ssl_cert = true,
}

-- A timer cannot be had either before there are workers, or when one ends.
local CANNOT_DEFER = { init = true, exit_worker = true }

local M = { name = "nginx", now = ngx.now, sleep = ngx.sleep }

--- Looked up before anything is sent: a failed attempt to wait could not be undone.
---@return boolean may
---@return string? why_not
function M.check()
  local phase = ngx.get_phase()
  if CAN_WAIT[phase] then
    return true
  elseif phase == "init" then
    return false, "nginx cannot wait in the phase 'init', before it has workers: make the client there, and its calls "
      .. "in a request or, by client:defer(function() ... end), in init_worker_by_lua"
  elseif CANNOT_DEFER[phase] then
    return false, ("nginx cannot wait in the phase '%s'"):format(phase)
  end
  return false, ("nginx cannot wait in the phase '%s': use client:defer(function() ... end) there"):format(phase)
end

local event_mt = {}
event_mt.__index = event_mt

function event_mt:wait(seconds)
  self.semaphore:wait(math.max(seconds, 0.001))
end

function event_mt:signal()
  self.semaphore:post(1)
end

function M.event()
  return setmetatable({ semaphore = assert(semaphore.new()) }, event_mt)
end

-- Fails when a worker has too many timers.
function M.spawn(f)
  return ngx.timer.at(0, f)
end

local SHORTEST, LONGEST = 0.001, 0.005

function M.pause(_, slack)
  ngx.sleep(math.min(LONGEST, math.max(SHORTEST, slack)))
end

--- Run f as soon as this place lets go, where waiting is possible.
---@param f fun()
---@param on_error fun(problem: any)  gets what f raises
---@return true? soon
---@return string? problem
function M.defer(f, on_error)
  local phase = ngx.get_phase()
  if CANNOT_DEFER[phase] then
    return nil, ("nginx has no timers in the phase '%s'"):format(phase)
  end
  local fine, problem = ngx.timer.at(0, function()
    local ran, raised = pcall(f)
    if not ran then
      on_error(raised)
    end
  end)
  if not fine then
    return nil, "nginx starts no timer: " .. tostring(problem)
  end
  return true
end

--- What went wrong where nobody is to be told.
function M.report(text)
  ngx.log(ngx.ERR, text)
end

return loop.new(M)
