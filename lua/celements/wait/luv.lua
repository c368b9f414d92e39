--- The waiter for luv (libuv, Neovim's loop too): a coroutine yields, and a callback of the
-- loop resumes it.  Calls are made in coroutines, as everything that waits is there.

local loop = require "celements.wait.loop"
local uv = require "luv"

local TICK_MS = 5 -- where the engine has no descriptor to watch
local LOOK_MS = 100 -- well below what a waiter takes for "the pump is gone"

local M = { name = "luv" }

function M.now()
  return uv.hrtime() / 1e9
end

---@return boolean may
---@return string? why_not
function M.check()
  local routine, is_main = coroutine.running()
  if routine and not is_main then
    return true
  end
  return false, "luv cannot wait in the main program: make the call in a coroutine, such as "
    .. "coroutine.wrap(function() ... end)(), and run the loop"
end

-- Who hears what a coroutine of ours raises.
local listeners = setmetatable({}, { __mode = "k" })

-- What another one raises has nobody to go to but the loop, which prints it.
local function resume(routine)
  local fine, raised = coroutine.resume(routine)
  if fine then
    return
  elseif listeners[routine] then
    listeners[routine](raised)
  else
    error(debug.traceback(routine, tostring(raised)), 0)
  end
end

-- Yields until wake() is called from a callback of the loop.
local function suspended(arm)
  local routine = coroutine.running()
  local woken = false
  arm(function()
    if not woken then
      woken = true
      resume(routine)
    end
  end)
  coroutine.yield()
end

local function milliseconds(seconds)
  return math.max(0, math.ceil(seconds * 1000))
end

---@param seconds number
function M.sleep(seconds)
  local timer = uv.new_timer()
  suspended(function(wake)
    timer:start(milliseconds(seconds), 0, wake)
  end)
  timer:close()
end

local event_mt = {}
event_mt.__index = event_mt

function event_mt:wait(seconds)
  if self.signalled then
    self.signalled = false
    return
  end
  self.timer = uv.new_timer()
  suspended(function(wake)
    self.wake = wake
    self.timer:start(milliseconds(seconds), 0, wake)
  end)
  self.timer:close()
  self.timer, self.signalled = nil, false
end

-- Who signals goes on first: the one that waits is resumed by the loop.
function event_mt:signal()
  self.signalled = true
  if self.timer then
    self.timer:start(0, 0, self.wake)
  end
end

function M.event()
  return setmetatable({ signalled = false }, event_mt)
end

function M.spawn(f, on_error)
  local routine = coroutine.create(f)
  listeners[routine] = on_error
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    resume(routine)
  end)
  return true
end

function M.pause(engine)
  local fd = engine:pollfd()
  if not fd then
    return M.sleep(TICK_MS / 1000)
  end
  local due = engine:timeout()
  local poll, timer = uv.new_poll(fd), uv.new_timer()
  suspended(function(wake)
    poll:start("r", wake)
    timer:start(math.min(LOOK_MS, due and milliseconds(due) or LOOK_MS), 0, wake)
  end)
  poll:close()
  timer:close()
end

--- Run f in a coroutine of the loop.
---@type fun(f: fun(), on_error: fun(problem: any)): true
M.defer = M.spawn

function M.report(text)
  io.stderr:write(text, "\n")
end

return loop.new(M)
