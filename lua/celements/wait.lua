--- Who waits, and on what: the engine of this Lua state and the waiters.
-- C gives start, step and result; all waiting is Lua (pitfall 32).  A waiter is a table with
-- `name`, `check()` (may this place wait?), `wait(engine, transfer)` and
-- `sleep(seconds)`.  Knows nothing of HTTP.

local core = require "celements.core"

local M = {}

-- By name: the module, and whether it is at home here.
local WAITERS = {
  block = { module = "celements.wait.block" },
}

-- Coroutines that somebody runs many of and waits for: their waiters.
local entered = setmetatable({}, { __mode = "k" })
local entered_count = 0

--- From now on calls in this coroutine wait by handing over to whoever runs it.
---@param routine thread
---@param waiter table
function M.enter(routine, waiter)
  entered[routine] = waiter
  entered_count = entered_count + 1
end

---@param routine thread
function M.leave(routine)
  if entered[routine] then
    entered[routine] = nil
    entered_count = entered_count - 1
  end
end

--- The waiter of the coroutine that runs now, if somebody entered it.
---@return table?
function M.inside()
  if entered_count > 0 then
    local routine = coroutine.running()
    return routine and entered[routine]
  end
end

-- Lua 5.1 cannot hand over from inside the iterator of a `for` loop; the call blocks
-- there, and the transfers of the others go on meanwhile.
local LOOPS_YIELD = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

--- The waiter of that name, or the one that fits where this code runs.
---@param name? string
---@param in_loop? boolean  asked for by the iterator of a `for` loop
---@return table? waiter
---@return string? problem
function M.find(name, in_loop)
  local inside = (LOOPS_YIELD or not in_loop) and M.inside()
  if inside then
    return inside
  end
  name = name or "block"
  local known = WAITERS[name]
  if not known then
    local names = {}
    for each in pairs(WAITERS) do
      names[#names + 1] = '"' .. each .. '"'
    end
    table.sort(names)
    return nil, ("waiter has to be one of %s"):format(table.concat(names, ", "))
  end
  known.waiter = known.waiter or require(known.module)
  return known.waiter
end

local engine

--- The engine of this Lua state and this process, made at the first call: never
--- before fork, since its connections are not for sharing (pitfall 4).
---@return celements.Engine? engine
---@return string? problem
function M.engine()
  if engine and engine:alive() then
    return engine
  end
  local problem
  engine, problem = core.engine.open()
  return engine, problem
end

return M
