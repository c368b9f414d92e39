--- Who waits, and on what: the engine of this Lua state and the waiters.
-- C gives start, step and result; all waiting is Lua (pitfall 32).  A waiter is a table with
--
--   name
--   check()                       may this place wait?  false and why not; nil where any may
--   wait(engine, transfer, late)  until it is done; true, or nil and a problem.  Where the
--                                 code that waits can be ended from outside (may_be_left),
--                                 late(transfer) gets what then comes
--   slice_ms                      may be there: a call may block for so long before it is waited for
--   sleep(seconds)
--   pause(seconds, err)           may be there: the same between two attempts, the first of which
--                                 ended with that error
--   basket(late)                  to wait for several: add(engine, transfer, holder),
--                                 wait(engine, seconds), take() -> list of those that are
--                                 done, or of their holders
--   defer(f, on_error)            runs f where waiting is possible, soon
--   report(text)                  tells what went wrong where nobody is to be told
--
-- Knows nothing of HTTP.

local core = require "celements.core"

local running = coroutine.running

local M = {}

local ready = {} -- by name: those that are loaded

-- By name: the module, and what it cannot do without.
local WAITERS = {
  block = { module = "celements.wait.block" },
  cqueues = { module = "celements.wait.cqueues", needs = "cqueues (Debian: lua-cqueues)" },
  luv = { module = "celements.wait.luv", needs = "luv (Debian: lua-luv)" },
  nginx = { module = "celements.wait.nginx", needs = "nginx with its Lua module and lua-resty-core" },
}

local loaded = package.loaded

-- Which waiter is at home where this code runs.  Nobody has to have loaded an event loop
-- for that: whoever runs in one has.  luv does not tell whether its loop runs, so it is
-- taken by name alone.
local function at_home()
  if loaded.ngx then
    return "nginx"
  end
  local cqueues = loaded.cqueues
  if cqueues and type(cqueues) == "table" then
    local _, resumed_us = cqueues.running()
    if resumed_us then
      return "cqueues"
    end
  end
  return "block"
end

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
  local routine = running()
  return routine and entered[routine]
end

-- Lua 5.1 cannot hand over from inside the iterator of a `for` loop; the call blocks
-- there, and the transfers of the others go on meanwhile.
local LOOPS_YIELD = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

local function load_waiter(name)
  local known = WAITERS[name]
  if not known then
    local names = {}
    for each in pairs(WAITERS) do
      names[#names + 1] = '"' .. each .. '"'
    end
    table.sort(names)
    return nil, ("waiter has to be one of %s"):format(table.concat(names, ", "))
  end
  local fine, waiter = pcall(require, known.module)
  if not fine then
    return nil, ('the waiter "%s" needs %s'):format(name, tostring(known.needs))
  end
  ready[name] = waiter
  return waiter
end

--- The waiter of that name, or the one that fits where this code runs.
---@param name? string
---@param in_loop? boolean  asked for by the iterator of a `for` loop
---@return table? waiter
---@return string? problem
function M.find(name, in_loop)
  if in_loop and not LOOPS_YIELD then
    name = "block"
  elseif entered_count > 0 then -- seldom so, and cheaper to ask
    local routine = running()
    local inside = routine and entered[routine]
    if inside then
      return inside
    end
  end
  name = name or (loaded.ngx or loaded.cqueues) and at_home() or "block"
  local waiter = ready[name]
  if waiter then
    return waiter
  end
  return load_waiter(name)
end

--- The engine of this Lua state and this process, made at the first call: never
--- before fork, since its connections are not for sharing (pitfall 4).
---@type fun(): celements.Engine?, string?
M.engine = core.engine.current

return M
