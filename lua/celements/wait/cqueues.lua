--- The waiter for cqueues: the pump is a coroutine of the controller that polls the engine.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local loop = require "celements.wait.loop"

local TICK = 0.005 -- where the engine has no descriptor to poll
local LOOK = 0.1 -- seconds; well below what a waiter takes for "the pump is gone"

local M = { name = "cqueues", now = cqueues.monotime, sleep = cqueues.sleep }

---@return boolean may
---@return string? why_not
function M.check()
  local _, resumed_us = cqueues.running()
  if resumed_us then
    return true
  end
  return false, "cqueues cannot wait here: make the call in a coroutine that a controller runs, by cq:wrap(f)"
end

local event_mt = {}
event_mt.__index = event_mt

function event_mt:wait(seconds)
  self.condition:wait(seconds)
end

function event_mt:signal()
  self.condition:signal()
end

function M.event()
  return setmetatable({ condition = condition.new() }, event_mt)
end

function M.spawn(f)
  local controller = cqueues.running()
  return controller ~= nil and controller:wrap(f) ~= nil
end

function M.pause(engine)
  if engine:pollfd() then
    cqueues.poll(engine, LOOK)
  else
    cqueues.sleep(TICK)
  end
end

--- Run f in a coroutine of the controller, whose loop raises what f does.
---@param f fun()
---@return true? soon
---@return string? problem
function M.defer(f)
  if M.spawn(f) then
    return true
  end
  return nil, "no cqueues controller runs here"
end

return loop.new(M)
