--- Many calls at once over one engine: client:map() and client:create_instances().
-- Each item runs in a coroutine, which serves for the next when it is done; where it would
-- wait for an answer it hands over, and whichever answer comes first goes on.  One failure
-- does not stop the others;
-- neither does an error in a hook, which is told at the end, or in the input, which is
-- raised when what runs is done.
-- Knows nothing of what the calls are.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local errors = require "celements.error"
local instance = require "celements.instance"
local board = require "celements.wait.board"
local wait = require "celements.wait"

---@class celements.Client
local methods = client.methods

local CONCURRENCY = 16
local LONGEST_PAUSE = 60 -- seconds without a start, whatever a server asks for
local BATCH = 6 -- calls are started, and answers dealt with, before what was started leaves
local SLICE = 0.2 -- seconds; between slices Ctrl-C gets its turn

local clock = core.engine.clock
local resume, yield = coroutine.resume, coroutine.yield

-- What a coroutine of ours says when it hands over: it waits, or has its result.
local FOR_TRANSFER, FOR_TIME, DONE = {}, {}, {}

-- The waiter of the calls in our coroutines; may_be_left is that of the run itself.
local function task_waiter(may_be_left)
  return {
    name = "task",
    may_be_left = may_be_left,
    wait = function(engine, transfer, late)
      return yield(FOR_TRANSFER, transfer, late, engine)
    end,
    sleep = function(seconds)
      yield(FOR_TIME, clock() + seconds)
    end,
    pause = function(seconds, err)
      yield(FOR_TIME, clock() + seconds, err)
    end,
  }
end

local LEFT, STAYS = task_waiter(true), task_waiter(false)

-- Calls f for one item after the other.
local function routine_for(f)
  return coroutine.create(function(item, index)
    while true do
      item, index = yield(DONE, f(item, index))
    end
  end)
end

-- One run of map(), a table without methods: a step of it is taken for every item.
local function new_run(input, f, options, waiter)
  return {
    idle = false, -- a task whose coroutine waits for an item; more hang on it by `next`
    calls_waiter = waiter.may_be_left and LEFT or STAYS,
    list = input.list, -- the items, or
    iterator = input.iterator, -- what gives them
    count = input.count, -- of a list
    total = input.count or options.total,
    -- May items be asked for while answers are at hand?  An iterator may wait itself, and where
    -- a thread can be ended meanwhile, they would be lost.
    between = input.list ~= nil or not waiter.may_be_left,
    f = f,
    limit = options.concurrency,
    most = options.concurrency,
    outcomes = input.list and {} or nil,
    on_result = options.on_result,
    on_progress = options.on_progress,
    started = 0,
    running = 0,
    done = 0,
    failed = 0,
    paused_until = 0,
    sleeping = {}, -- task -> when it wants to go on
    basket = nil, -- where tasks come that have their answer
    engine = nil, -- that turns them
    is_copy = false, -- in a process that was forked inside it
    exhausted = input.count == 0,
  }
end

-- The platform asks for less: start nothing for a while, and then half as much at once.
local function ease_off(run, err)
  run.paused_until = math.max(run.paused_until, clock() + math.min(err.retry_after or 1, LONGEST_PAUSE))
  run.limit = math.max(1, math.floor(run.limit / 2))
end

local function is_paused(run)
  return clock() < run.paused_until
end

-- The input broke off, which is not its end: starts nothing more, and has something to
-- raise when what runs is done.
local function give_up(run, why)
  run.exhausted = true
  run.broken = why == nil and "the iterator raised nil" or why
end

-- What was created must not be lost to a fault in a hook.
local function note_hook(run, fine, problem)
  if not fine and run.hook_error == nil then
    local told, text = pcall(tostring, problem) -- somebody else's __tostring
    run.hook_error = told and text or "the hook raised what cannot be told"
  end
end

local function heed(run, err)
  if errors.is(err) and err.kind == "rate_limit" then
    ease_off(run, err)
  end
end

local function count_failure(run, err)
  run.failed = run.failed + 1
  heed(run, err)
end

local function finish(run, task, fine, result, info)
  run.running, run.done = run.running - 1, run.done + 1
  local outcome, err
  if fine and result ~= nil then
    outcome = { result = result, info = info }
  else
    err = info -- nothing at all for a function that returns nothing
    if not fine then
      err = result == nil and "the function raised nil" or result
    end
    outcome = { err = err }
  end
  if err ~= nil then
    count_failure(run, err)
  elseif run.limit < run.most then
    run.limit = run.limit + 1
  end
  if run.outcomes then
    run.outcomes[task.index] = outcome
  end
  if run.on_result then
    note_hook(run, pcall(run.on_result, task.index, outcome))
  end
  if run.on_progress then
    note_hook(run, pcall(run.on_progress, { done = run.done, failed = run.failed, total = run.total }))
  end
end

-- A task for the next item.
local function new_task(run)
  local index, task = run.started + 1, run.idle
  run.started, run.running = index, run.running + 1
  if index == run.count then
    run.exhausted = true
  end
  if task then
    run.idle = task.next
  else
    -- While it waits it holds its transfer, and what gets that when the whole run is gone.
    task = { routine = routine_for(run.f), index = 0, next = false, transfer = false, late = false }
    wait.enter(task.routine, run.calls_waiter)
  end
  task.index = index
  return task
end

-- The routine of a task has its result, or is of no more use.
local function ended(run, task, fine, what, result, info)
  if fine and what == DONE then
    task.next, run.idle = run.idle, task
    return finish(run, task, true, result, info)
  end
  wait.leave(task.routine)
  finish(run, task, false, fine and "the function yielded; only calls of celements may wait inside map()" or what)
end

-- Runs a task until it waits or ends.  a and b are the item and its place, or what it waited
-- for.
local function go_on(run, task, a, b)
  local fine, what, on, late, engine = resume(task.routine, a, b)
  if what == FOR_TRANSFER then
    task.transfer, task.late = on, late
    run.basket:add(engine, on, task)
  elseif what == FOR_TIME then
    run.sleeping[task] = on
    heed(run, late) -- what the call tries again after
  else
    ended(run, task, fine, what, on, late)
  end
end

-- The engine of this process.  Where that was forked inside this run nothing more may start, or it
-- would be done twice, and what was in flight never comes; what it sent itself does.
local function engine_of(run)
  local engine = wait.engine()
  if engine ~= run.engine and engine then
    if run.engine then
      run.sleeping, run.is_copy = {}, true
      give_up(run, "this process was forked inside map(): what was in flight is the other's")
    end
    run.engine = engine
  end
  return engine
end

-- Can nothing that runs here end any more?
local function is_left(run, engine)
  return run.is_copy and next(run.sleeping) == nil and (not engine or board.count(engine) == 0)
end

-- At most so many at a time: what runs must not starve where most items need no answer.
local function start(run, most)
  local engine = engine_of(run)
  for i = 1, most do
    if run.running >= run.limit or run.exhausted or run.paused_until > 0 and is_paused(run) then
      return
    end
    local item
    if run.list then
      item = run.list[run.started + 1]
    else
      local fine
      fine, item = pcall(run.iterator) -- somebody else's code
      if not fine then
        return give_up(run, item)
      end
    end
    if item == nil then
      run.exhausted = true
      return
    end
    local task = new_task(run)
    go_on(run, task, item, task.index)
    if engine and i % BATCH == 0 then
      engine:flush()
    end
  end
end

local function wake(run)
  if next(run.sleeping) == nil then
    return
  end
  local now = clock()
  local due = {}
  for task, at in pairs(run.sleeping) do
    if at <= now then
      due[#due + 1] = task
    end
  end
  for _, task in ipairs(due) do
    run.sleeping[task] = nil
    go_on(run, task)
  end
end

-- How long nothing can happen but an answer.
local function patience(run)
  local may_start = not run.exhausted and run.running < run.limit
  if next(run.sleeping) == nil and not (may_start and is_paused(run)) then
    return may_start and 0 or SLICE
  end
  local now = clock()
  local until_then = now + SLICE
  for _, at in pairs(run.sleeping) do
    until_then = math.min(until_then, at)
  end
  if may_start then
    until_then = math.min(until_then, run.paused_until)
  end
  return math.max(0, until_then - now)
end

-- Lets every task go on whose answer has come.  When many have come, the next items do not
-- wait for the last of them; but see `between`.
local function dispatch(run)
  local ready = run.basket:take()
  for i = 1, #ready do
    go_on(run, ready[i], true)
    if i % BATCH == 0 and run.between then
      start(run, BATCH)
    end
  end
end

-- Nginx can end the thread of the run, whose variables are then gone: the task is not.
local function end_alone(task)
  task.late(task.transfer)
end

local function run_all(run, waiter)
  run.basket = waiter.basket(end_alone)
  start(run, run.most)
  while run.running > 0 or not run.exhausted do
    local engine = engine_of(run)
    if is_left(run, engine) then
      break
    elseif engine then
      assert(run.basket:wait(engine, patience(run)))
    else -- out of descriptors: nothing is in flight, and each item is told so
      waiter.sleep(patience(run))
    end
    dispatch(run)
    wake(run)
    start(run, run.most)
  end
end

-- As in celements.wait.block: compiled code of LuaJIT does not look for Ctrl-C.
local jit = rawget(_G, "jit")
if type(jit) == "table" and jit.off then
  jit.off(run_all)
end

local function close(run)
  local task = run.idle
  while task do
    wait.leave(task.routine)
    task = task.next
  end
  run.idle = false
end

-- Inside a task of another run: one item at a time, and its waits are that task's.
local function run_in_turn(run)
  while not run.exhausted do
    if is_paused(run) then
      yield(FOR_TIME, run.paused_until)
    end
    local item
    if run.list then
      item = run.list[run.started + 1]
    else
      close(run) -- what it raises goes through here: on Lua 5.1 nothing waits inside a pcall()
      item = run.iterator()
    end
    if item == nil then
      break
    end
    local task = new_task(run)
    local fine, what, on, late, engine = resume(task.routine, item, task.index)
    while what == FOR_TRANSFER or what == FOR_TIME do
      fine, what, on, late, engine = resume(task.routine, yield(what, on, late, engine))
    end
    ended(run, task, fine, what, on, late)
  end
end

local OPTIONS = { concurrency = "number", on_progress = "function", on_result = "function", total = "number" }

-- Of create_instances: those, and what each call takes.
local CREATE_OPTIONS = { timeout = true, retries = true, headers = true }
for name in pairs(OPTIONS) do
  CREATE_OPTIONS[name] = true
end

-- The options of the run, and apart from them those of each call.
local function split(options, level)
  options = options or {}
  check.table(options, "options", level + 1)
  local of_run, of_call = {}, {}
  for name, value in pairs(options) do
    if OPTIONS[name] then
      check.type(value, OPTIONS[name], name, level + 1)
      of_run[name] = value
    else
      of_call[name] = value
    end
  end
  local concurrency = of_run.concurrency or CONCURRENCY
  if concurrency < 1 or concurrency % 1 ~= 0 then
    error("concurrency has to be a whole number above 0", level + 1)
  end
  of_run.concurrency = concurrency
  return of_run, of_call
end

local function is_callable(value)
  local mt = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or type(mt) == "table" and mt.__call ~= nil
end

-- The items: a list and how many it has, or an iterator.
local function read_input(items, level)
  if is_callable(items) then
    return { iterator = items }
  end
  check.type(items, "table or function", "the items", level + 1)
  return { list = items, count = core.params.list(items) or check.list(items, "the input", level + 1) }
end

local function map(waiter, items, f, options, level)
  if waiter.check then
    local may, why = waiter.check()
    if not may then
      return nil, errors.new { kind = "config", message = why, outcome = "not_sent", attempts = 0 }
    end
  end
  local run = new_run(read_input(items, level + 1), f, options, waiter)
  if wait.inside() then
    run_in_turn(run)
  else
    run_all(run, waiter)
  end
  close(run)
  if run.broken ~= nil then
    error(run.broken, 0)
  end
  local summary = { done = run.done, failed = run.failed, total = run.total or run.done, hook_error = run.hook_error }
  return run.outcomes or true, summary
end

--- Call f(item, index) for every item, up to `concurrency` at once, over one engine.
-- f returns what a call returned: a result, or nil and an error.  Order is kept; a
-- failure is an outcome and stops nothing.  With an iterator as input the outcomes go to
-- on_result alone, so that memory does not grow; should the iterator fail, what runs is finished
-- and the error raised.  What a hook raises is in summary.hook_error.  After 429, also one that
-- a call tries again after, fewer run at once.
---@param items table|function  a list, or an iterator such as client:instances()
---@param f fun(item: any, index: integer): any, any
---@param options? {concurrency?: integer, on_progress?: fun(p: {done: integer, failed: integer, total?: integer}), on_result?: fun(index: integer, outcome: celements.Outcome), total?: integer}
---@return celements.Outcome[]|true|nil outcomes  each {result, info} or {err}; true for an iterator; nil where nothing can wait
---@return {done: integer, failed: integer, total: integer, hook_error?: string} summary  or celements.Error
function methods:map(items, f, options)
  check.type(f, "function", "f", 2)
  local of_run, of_call = split(options, 2)
  local extra = next(of_call)
  if extra then
    check.unknown(extra, OPTIONS, "option", 2)
  end
  local outcomes, summary = map(client.waiter_of(self), items, f, of_run, 2)
  return outcomes, summary
end

--- Create many instances at once; each as create_instance does, with a deadline of its own.
---@param list table|function  parameters of create_instance, a list or an iterator
---@param options? {concurrency?: integer, on_progress?: function, on_result?: function, total?: integer, timeout?: number, retries?: integer, headers?: table}
---@return celements.Outcome[]|true|nil outcomes  in the order of the list; nil where nothing can wait
---@return {done: integer, failed: integer, total: integer, hook_error?: string} summary  or celements.Error
function methods:create_instances(list, options)
  local of_run, of_call = split(options, 2)
  client.check_options(of_call, 2, CREATE_OPTIONS)
  local outcomes, summary = map(client.waiter_of(self), list, function(params)
    local created, info = instance.create_item(self, params, of_call)
    return created, info
  end, of_run, 2)
  return outcomes, summary
end

return true
