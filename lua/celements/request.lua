--- One call: attempts, the deadline over all of them, the answer.
-- Everything that goes to the platform passes `perform`.  Knows what may be repeated
-- (celements.retry) and nothing of elements or instances.

local core = require "celements.core"
local json = require "celements.json"
local wait = require "celements.wait"

local M = {}

local clock = core.engine.clock

-- A number in [0, 1) that differs between processes started in the same second.
local function random()
  local a, b, c = core.secret.random(3):byte(1, 3)
  return (a + b * 256 + c * 65536) / 16777216
end

local function count_attempt(stats, answer)
  stats.attempts = stats.attempts + 1
  if answer then
    local name = answer.reused and "reused" or "opened"
    stats[name] = stats[name] + 1
  end
end

-- The program's hook sees the attempt.  It may fail; the call goes on, since what was
-- created on the platform must not be lost to a fault in somebody's logging.
local function tell(state, call, number, answer, failed, err)
  local redact = require "celements.redact"
  local values = redact.values(state.secrets, call)
  local event = {
    method = call.method,
    path = redact.text(call.path, values),
    attempt = number,
    status = answer and answer.status or err and err.status,
    request_id = err and err.request_id or answer and answer.request_id,
    seconds = (answer or failed).seconds,
    reused = (answer or failed).reused,
    kind = err and err.kind,
  }
  local fine, problem = pcall(state.on_response, event)
  return not fine and redact.text(tostring(problem), values) or nil
end

-- A success: the decoded body, or nil and why it is none.
local function read(answer, wants)
  local value, err = true, nil
  if #answer.body > 0 then
    value, err = json.decode_answer(answer.body)
  end
  if value == nil then
    return nil, "the answer is " .. err.message
  elseif wants and type(value) ~= "table" then
    return nil, "the answer is not " .. wants -- who knows what answered
  end
  return value
end

-- The platform says of some lists that are empty: 404 "No instances found" (platform 5).
-- A provider's 404 means that something is not there.
-- The list, and the request id that the body may name.
local function empty_list(answer)
  local said = json.decode_answer(answer.body)
  if type(said) == "table" and type(said.message) == "string" and type(said.providerMessage) ~= "string"
    and said.message:find("^No .* found%.?$") then
    return json.array {}, type(said.requestId) == "string" and said.requestId or nil
  end
end

-- The result, or nil and the error.
local function judge(state, call, answer, failed)
  local problem
  if answer and answer.status >= 200 and answer.status < 300 then
    local result
    result, problem = read(answer, call.wants)
    if result ~= nil then
      return result
    end
  elseif answer and call.empty and answer.status == 404 then
    local list, request_id = empty_list(answer)
    if list then
      answer.request_id = answer.request_id or request_id
      return list
    end
  end
  local failure = require "celements.failure" -- here and below: only what fails needs it
  local values = require("celements.redact").values(state.secrets, call)
  if answer then
    return nil, failure.of_answer(answer, values, problem)
  end
  return nil, failure.of_transfer(failed, values)
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
  local answer, failed = transfer:take()
  self.ended, self.answer, self.failed = true, answer, failed
  local _, err = judge(state, call, answer, failed)
  count_attempt(state.stats, answer)
  if err then
    count_failure(state.stats, err)
  end
  if state.on_response then
    tell(state, call, self.number, answer, failed, err)
  end
end

local function end_alone(state, call, number)
  return setmetatable({ state = state, call = call, number = number, ended = false }, alone_mt)
end

-- One attempt: the answer, or what failed, and whether it has been counted and told already.
local function attempt(state, call, waiter, ms, number)
  local engine, problem = wait.engine()
  if not engine then
    return nil, { kind = "config", message = problem, sent = false }
  end
  local transfer
  transfer, problem = engine:start(state.settings, call.method, call.path, call.query_text, call.body, call.letters,
    call.lines, ms, call.element, call.compressed)
  if not transfer then
    return nil, { kind = "config", message = problem, sent = false }
  end
  local alone = waiter.may_be_left and end_alone(state, call, number) -- elsewhere nothing ends a thread from outside
  local done
  done, problem = waiter.wait(engine, transfer, alone or nil)
  if alone and alone.ended then
    return alone.answer, alone.failed, true
  elseif not done then
    transfer:close()
    return nil, { kind = "network", message = problem, sent = true, phase = "wait" }
  end
  return transfer:take()
end

-- The answer without its body is what is told beside a result.
local function as_info(answer, attempts, started, hook_error)
  answer.body = nil
  answer.attempts = attempts
  answer.seconds = clock() - started
  if hook_error then
    answer.hook_error = hook_error
  end
  return answer
end

--- Send a call and bring its answer, trying again where that is safe.
-- Yields where the waiter does, blocks elsewhere.
---@param state table  a client's inside; see celements.client
---@param call {method: string, path: string, query?: string[], query_text?: string, json?: any, body?: string, letters: string, element?: celements.Secret, lines?: string[], timeout: number, deadline?: number, retries: integer, empty?: boolean, wants?: string, in_loop?: boolean}
---@return any? result  the decoded answer; true for an empty one
---@return table info  or celements.Error
function M.perform(state, call)
  local waiter, problem = wait.find(state.waiter, call.in_loop)
  if waiter and waiter.check then
    local may, why = waiter.check()
    problem = not may and why or nil
  end
  if problem then
    return nil, require("celements.failure").not_sent(call, "config", problem)
  end
  local started = clock()
  local deadline = started + call.timeout
  if call.deadline and call.deadline < deadline then
    deadline = call.deadline
  end
  if started >= deadline then
    return nil, require("celements.failure").not_sent(call, "timeout", "no time was left for this call")
  end
  local number, sent_before, hook_error = 0, false, nil
  state.stats.calls = state.stats.calls + 1
  while true do
    number = number + 1
    local now = number == 1 and started or clock()
    local answer, failed, told = attempt(state, call, waiter, (deadline - now) * 1000, number)
    if not told then
      count_attempt(state.stats, answer)
    end
    local result, err = judge(state, call, answer, failed)
    if state.on_response and not told then
      hook_error = tell(state, call, number, answer, failed, err) or hook_error
    end
    if result ~= nil then
      return result, as_info(answer, number, started, hook_error)
    elseif is_gone(call, err, sent_before) then
      return true, as_info(answer, number, started, hook_error)
    end
    sent_before = sent_before or answer ~= nil or failed.sent
    local delay
    if number <= call.retries and err.kind ~= "decode" then
      delay = require("celements.retry").delay(number, call.method, answer and err or failed, random())
    end
    if not delay or clock() + delay >= deadline then
      err.hook_error = hook_error
      if not told then
        count_failure(state.stats, err)
      end
      local values = require("celements.redact").values(state.secrets, call)
      return nil, require("celements.failure").finish(err, call, number, state.place, values)
    end
    waiter.sleep(delay)
  end
end

return M
