--- The waiter for plain scripts: it blocks, and Ctrl-C gets through (pitfall 48).
-- Waits in slices in C; between them Lua runs, so that a pending hook can raise.

local core = require "celements.core"

local SLICE_MS = 200

local M = { name = "block" }

--- May this place wait?  A script always may.
---@return true
function M.check()
  return true
end

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

-- LuaJIT's compiled code does not look for hooks, and lua_sethook is how Ctrl-C comes.
local jit = rawget(_G, "jit")
if type(jit) == "table" and jit.off then
  jit.off(M.wait)
  jit.off(M.sleep)
end

return M
