--- A waiter made out of what an event loop offers.
-- One pump turns the engine for all, and lives only while something is in flight; whoever
-- waits is woken by an event of its own.  The pump writes down when it was last at work.
-- Should the loop refuse it, or drop it, whoever waits takes its place, so there is no
-- single point of failure.  Knows nothing of nginx, cqueues or luv: they hand in
--
--   name, check, sleep, defer, report   as of any waiter; see celements.wait
--   now()                       seconds
--   event()                     -> something with wait(self, seconds) and signal(self)
--   spawn(f)                    runs f in a coroutine of its own, soon; true if it will
--   pause(engine, slack)        until the engine may have something to do; a loop that
--                               cannot tell looks again after about slack seconds

local board = require "celements.wait.board"

local M = {}

-- Seconds of waiting between two looks at the pump: one of those who wait looks often.
-- Should it be gone itself, whoever comes next does, or the others.
local OFTEN, SELDOM = 0.25, 1
local STALE = 0.2 -- seconds without a sign of the pump: it is gone
local DISTRUST = 1 -- seconds without another try, after a pump that never came

-- How late an answer may be seen: after a share of the time that calls take, and of the
-- time that nothing has come.
local SHARE_OF_CALL, SHARE_OF_SILENCE = 1 / 60, 1 / 8
local INERTIA = 8 -- how many calls change what is typical

local SPARE_MAX = 512 -- baskets kept for the next calls

-- When is nobody going to fetch an answer?  Its waiter was woken; a busy process may need
-- a while to get there, and so may a pump that did not turn meanwhile.  One that comes even
-- later, its controller having rested, finds it handed to late() already.
local LOST_SECONDS, LOST_TURNS = 1, 20

---@param loop table
---@return table waiter
function M.new(loop)
  local now = loop.now
  local at_work -- who turns the engine: { engine, beat = when it was seen last }
  local typical = 0 -- seconds that a call takes
  local distrusted_until = 0 -- no pump is started before
  local unfetched = {} -- baskets whose only owner has been woken
  local looked_after_until = 0 -- by then one who waits looks at the pump
  local spare = {} -- empty baskets

  -- Does what there is to do, or a part of it when that is much: a burst of answers does
  -- not hold up the whole process.  True when somebody got something.
  local function turn(engine)
    local fine, problem = engine:step(0)
    if not fine then
      board.fail(engine, problem)
    end
    return board.collect(engine) > 0
  end

  -- An owner that is gone for good: a killed thread, a request that nginx has ended.
  local function give_up_on_lost()
    local time = now()
    for basket in pairs(unfetched) do
      basket.turns = basket.turns + 1
      if basket.turns > LOST_TURNS and time - basket.since > LOST_SECONDS then
        unfetched[basket] = nil
        for i = basket.given + 1, #basket.ready do
          basket.given = i
          local ran, raised = pcall(basket.late, basket.ready[i])
          if not ran then
            loop.report("celements: an answer that nobody fetched: " .. tostring(raised))
          end
        end
      end
    end
  end

  local function is_busy(engine)
    return engine:alive() and (board.count(engine) > 0 or next(unfetched) ~= nil)
  end

  -- Turns the engine until enough() or nothing is left to do.
  local function work(me, enough)
    local since = now() -- the last news
    while at_work == me and is_busy(me.engine) and not enough() do
      me.beat = now()
      if turn(me.engine) or me.news then
        since, me.news = me.beat, false
      end
      give_up_on_lost()
      if not enough() then
        loop.pause(me.engine, math.max(typical * SHARE_OF_CALL, (me.beat - since) * SHARE_OF_SILENCE))
      end
    end
    if at_work == me then
      at_work = nil
    end
  end

  local function never()
    return false
  end

  -- True if a pump will be there; a loop that dropped the last one is not asked again soon.
  local function start_pump(engine)
    if now() < distrusted_until then
      return false
    end
    local me = { engine = engine, beat = now(), is_new = true }
    local soon = loop.spawn(function()
      me.is_new = false
      work(me, never)
    end)
    at_work = soon and me or nil
    return soon
  end

  local function somebody_works(engine)
    local it = at_work
    if it == nil or it.engine ~= engine then
      return start_pump(engine)
    elseif now() - it.beat <= STALE then
      return true
    elseif it.is_new then
      distrusted_until = now() + DISTRUST
    end
    return false
  end

  -- How long to wait for an answer before the next look at the pump.
  local function patience()
    local time = now()
    if time < looked_after_until then
      return SELDOM
    end
    looked_after_until = time + OFTEN
    return OFTEN
  end

  -- Does the pump's work until this basket has what it waits for, then finds a successor.
  local function lead(engine, basket, deadline)
    local me = { engine = engine, beat = now() }
    local until_then = math.min(deadline, me.beat + OFTEN) -- by then there may be timers again
    at_work = me
    work(me, function()
      return #basket.ready > 0 or now() >= until_then
    end)
    if at_work == nil and is_busy(engine) and not start_pump(engine) then
      local next_one = board.any(engine)
      if next_one then
        next_one.event:signal()
      end
    end
  end

  local function signal(basket)
    if basket.late then
      basket.since, basket.turns = now(), 0
      unfetched[basket] = true
    end
    basket.event:signal()
  end

  local basket_methods = {}

  --- The transfer will end up in this basket, or what holds it.
  function basket_methods:add(engine, transfer, holder)
    board.watch(self, engine, transfer, holder)
    self.fresh = true
  end

  --- Until something is in the basket, or seconds have passed.
  ---@return true? fine
  ---@return string? problem
  function basket_methods:wait(engine, seconds)
    local deadline = now() + seconds
    if self.fresh then -- its request leaves at once
      self.fresh = false
      turn(engine)
      if at_work then
        at_work.news = true
      end
    end
    while #self.ready == 0 and now() < deadline do
      if board.count(engine) > 0 and not somebody_works(engine) then
        lead(engine, self, deadline)
      else
        self.event:wait(math.min(patience(), deadline - now()))
      end
    end
    unfetched[self] = nil
    if self.problem then
      return nil, self.problem
    end
    return true
  end

  --- What has ended; the basket is empty then.
  ---@return table[]  transfers, or their holders
  function basket_methods:take()
    local ready = self.ready
    self.ready, self.given = {}, 0
    return ready
  end

  local waiter = {
    name = loop.name,
    check = loop.check,
    sleep = loop.sleep,
    defer = loop.defer,
    report = loop.report,
    may_be_left = true,
  }

  local basket_mt = { __index = basket_methods }

  --- A place for several transfers, to be waited for by one.
  ---@param late? fun(ended: table)  gets each, as take() would, when nobody is there any more to take it
  function waiter.basket(late)
    -- All that it will ever have: a table that grows is made anew several times.
    return setmetatable({
      ready = {}, problem = false, signal = signal, event = loop.event(), late = late or false,
      fresh = false, given = 0, since = 0, turns = 0,
    }, basket_mt)
  end

  -- A basket of which everything has been fetched and nothing is to come serves again.  An
  -- owner that was killed does not get here, and its basket is nobody's again.
  local function empty(basket)
    if #spare < SPARE_MAX then
      basket.ready[1], basket.late, basket.given = nil, false, 0
      spare[#spare + 1] = basket
    end
  end

  local function single_basket(late)
    local basket = table.remove(spare)
    if basket then
      basket.late = late or false
      return basket
    end
    return waiter.basket(late)
  end

  --- Until the transfer is done.
  ---@param engine celements.Engine
  ---@param transfer celements.Transfer
  ---@param late? fun(transfer: celements.Transfer)  gets it when nobody is there any more to go on
  ---@return true? done
  ---@return string? problem
  function waiter.wait(engine, transfer, late)
    local basket = single_basket(late)
    basket:add(engine, transfer)
    local began = now()
    local fine, problem
    repeat
      fine, problem = basket:wait(engine, SELDOM)
    until not fine or #basket.ready > 0 -- late() may have closed it
    typical = typical + (now() - began - typical) / INERTIA
    if fine then
      empty(basket)
    end
    return fine, problem
  end

  return waiter
end

return M
