--- The waiter for plain scripts: it blocks, and Ctrl-C gets through (pitfall 48).
-- Waits in slices in C; between them Lua runs, so that a pending hook can raise.

local core = require "celements.core"

local SLICE_MS = 200

local board -- celements.wait.board, from the first basket on: a script that runs once has none

local M = { name = "block", slice_ms = SLICE_MS }

--- Until the transfer is done.
---@param engine celements.Engine
---@param transfer celements.Transfer
---@return true? done
---@return string? problem
function M.wait(engine, transfer)
  while true do
    local done, problem = engine:drive(transfer, SLICE_MS)
    if done then
      return true
    elseif done == nil then
      return nil, problem
    end
  end
end

---@param seconds number
function M.sleep(seconds)
  local clock, until_then = core.engine.clock, core.engine.clock() + seconds
  local left = seconds
  while left > 0 do
    core.engine.sleep(math.min(left, SLICE_MS / 1000))
    left = until_then - clock()
  end
end

local basket_mt = {}
basket_mt.__index = basket_mt

--- Works on everything in flight for one round, of at most so many seconds.
---@return true? fine
---@return string? problem
function basket_mt:wait(engine, seconds)
  -- What another run brought along is no reason to wait.
  local ms = (#self.ready > 0 or engine:timeout() == 0) and 0 or math.ceil(seconds * 1000)
  local fine, problem = engine:step(ms)
  board.collect(engine)
  return fine, problem
end

function basket_mt:take()
  local ready = self.ready
  self.ready = {}
  return ready
end

--- A place for several transfers, to be waited for by one.
function M.basket()
  if not board then
    board = require "celements.wait.board"
    basket_mt.add = board.watch
  end
  return setmetatable(board.basket(), basket_mt)
end

--- A script can wait anywhere, so there is nothing to put off; what f raises is the
-- caller's to see.
---@param f fun()
---@return true
function M.defer(f)
  f()
  return true
end

-- LuaJIT's compiled code does not look for hooks, and lua_sethook is how Ctrl-C comes.
local jit = rawget(_G, "jit")
if type(jit) == "table" and jit.off then
  jit.off(M.wait)
  jit.off(M.sleep)
  jit.off(basket_mt.wait)
end

return M
