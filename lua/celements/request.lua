--- One call: attempts, the deadline over all of them, the answer.
-- Everything that goes to the platform passes `perform`.  Knows what may be repeated
-- (celements.retry) and nothing of elements or instances.

local core = require "celements.core"
local raw = require "celements.json.raw"
local wait = require "celements.wait"

local M = {}

--- Seconds for a call when nobody says another number.
M.DEFAULT_TIMEOUT = 60

local DEFAULT_TIMEOUT = M.DEFAULT_TIMEOUT

local clock = core.engine.clock
local decode, engine_of, find = raw.decode, wait.engine, wait.find
local type = type

-- A number in [0, 1) that differs between processes started in the same second.
local function random()
  local a, b, c = core.secret.random(3):byte(1, 3)
  return (a + b * 256 + c * 65536) / 16777216
end

-- Each attempt that has ended is one of the three.
local function count_attempt(stats, answer)
  if not answer then
    stats.unanswered = stats.unanswered + 1
  elseif answer.reused then
    stats.reused = stats.reused + 1
  else
    stats.opened = stats.opened + 1
  end
end

-- What no text about this call may show.
local function secret_values(state, call)
  call.lines = call.lines or state.lines
  return require("celements.redact").values(state.secrets, call)
end

-- The program's hook sees the attempt; what is wrong with the hook.
local function tell(state, call, number, ended, err)
  local problem = require("celements.event").tell(state.on_response, call, number, ended, err, secret_values(state, call))
  return problem
end

-- What becomes of an answer that is no plain success, or of what failed.
local function judge(state, call, answer, rest, problem)
  local result, err = require("celements.failure").judge(call, answer, rest, problem, secret_values(state, call))
  return result, err
end

-- The result, or nil and the error.  rest is the answer's body, or what failed.
local function read(state, call, answer, rest)
  local status = answer and answer.status or 0
  if status < 200 or status >= 300 then
    return judge(state, call, answer, rest)
  end
  local value, why = true, nil
  if rest ~= "" then
    value, why = decode(rest)
  end
  if value == nil then
    return judge(state, call, answer, rest, "the answer is not JSON: " .. why)
  elseif call.wants and type(value) ~= "table" then
    return judge(state, call, answer, rest, "the answer is not " .. call.wants) -- who knows what answered
  end
  return value
end

-- Was a first DELETE lost on its way back?  Then it is gone now, as was asked for.
local function is_gone(call, err, tried_before)
  return call.method == "DELETE" and err.status == 404 and tried_before
end

local function count_failure(stats, err)
  stats.failed = stats.failed + 1
  stats.failures[err.kind] = (stats.failures[err.kind] or 0) + 1
end

-- For when whoever asked is gone: nginx has ended the request, its client having left, or
-- the program its thread.  What was sent goes on to its end (pitfall 44), and the hook is
-- told.  Made here, since variables of a thread that was killed are no longer there.
-- A thread that was only held up for long finds here what it waited for.
-- One table, not a closure with all that it holds: each call has one, and few need it.
local alone_mt = {}

function alone_mt:__call(transfer)
  local state, call = self.state, self.call
  local answer, rest = transfer:take()
  self.ended, self.answer, self.rest = true, answer, rest
  local _, err = read(state, call, answer, rest)
  count_attempt(state.stats, answer)
  if err then
    count_failure(state.stats, err)
  end
  if state.on_response then
    tell(state, call, self.number, answer or rest, err)
  end
end

local function end_alone(state, call, number)
  return setmetatable({ state = state, call = call, number = number, ended = false }, alone_mt)
end

-- One attempt: the answer and its body, or nil and what failed; and whether it has been
-- counted and told already.
local function attempt(state, call, waiter, ms, number)
  local engine, problem = engine_of()
  if not engine then
    return nil, { kind = "config", message = problem, sent = false }
  end
  local transfer, answer, rest = engine:start(state.settings, call.method, call.path, call.query_text, call.body,
    call.letters or state.letters, call.lines or state.lines, ms, call.element, call.compressed, waiter.slice_ms)
  if not transfer then
    return answer, rest
  end
  local alone = waiter.may_be_left and end_alone(state, call, number) -- elsewhere nothing ends a thread from outside
  local done
  done, problem = waiter.wait(engine, transfer, alone or nil)
  if alone and alone.ended then
    return alone.answer, alone.rest, true
  elseif not done then
    transfer:close()
    return nil, { kind = "network", message = problem, sent = true, phase = "wait" }
  end
  return transfer:take()
end

-- Seconds to wait before another attempt; nil: there is none.
local function delay_of(call, retries, number, answer, rest, err)
  if number <= retries and err.kind ~= "decode" then
    return require("celements.retry").delay(number, call.method, answer and err or rest, random())
  end
end

--- Send a call and bring its answer, trying again where that is safe.
-- Yields where the waiter does, blocks elsewhere.  What a call leaves out, the client has.
---@param state table  a client's inside; see celements.client
---@param call {method: string, path: string, query_text?: string, json?: any, body?: string, letters?: string, element?: celements.Secret, lines?: string[], compressed?: boolean, timeout?: number, usual_timeout?: number, deadline?: number, retries?: integer, empty?: boolean, wants?: string, in_loop?: boolean, ordinary?: boolean, checked?: boolean}
---@return any? result  the decoded answer; true for an empty one
---@return table info  or celements.Error
function M.perform(state, call)
  local waiter, problem = find(state.waiter, call.in_loop)
  if waiter and waiter.check then
    local may, why = waiter.check()
    problem = not may and why or nil
  end
  if problem then
    return nil, require("celements.failure").not_sent(call, "config", problem)
  end
  local started = clock()
  local deadline = started + (call.timeout or state.timeout or call.usual_timeout or DEFAULT_TIMEOUT)
  if call.deadline then
    deadline = math.min(deadline, call.deadline)
    if started >= deadline then
      return nil, require("celements.failure").not_sent(call, "timeout", "no time was left for this call")
    end
  end
  local stats = state.stats
  stats.calls = stats.calls + 1
  local number, now, sent_before, hook_error = 1, started, false, nil
  while true do
    local answer, rest, told = attempt(state, call, waiter, (deadline - now) * 1000, number)
    if answer and answer.reused and not told then
      stats.reused = stats.reused + 1 -- as most are
    elseif not told then
      count_attempt(stats, answer)
    end
    local result, err = read(state, call, answer, rest)
    if state.on_response and not told then
      hook_error = tell(state, call, number, answer or rest, err) or hook_error
    end
    if result == nil and is_gone(call, err, sent_before) then
      result = true
    end
    if result ~= nil then
      answer.attempts = number
      if number > 1 then
        answer.seconds = clock() - started
      end
      if hook_error then
        answer.hook_error = hook_error
      end
      return result, answer
    end
    sent_before = sent_before or answer ~= nil or rest.sent
    local delay = delay_of(call, call.retries or state.retries, number, answer, rest, err)
    now = clock()
    if not delay or now + delay >= deadline then
      err.hook_error = hook_error
      if not told then
        count_failure(stats, err)
      end
      return nil, require("celements.failure").finish(err, call, number, state.place, secret_values(state, call))
    end
    if waiter.pause then
      waiter.pause(delay, err)
    else
      waiter.sleep(delay)
    end
    number, now = number + 1, clock()
  end
end

return M
