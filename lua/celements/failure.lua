--- From a failed attempt to the error the caller gets.
-- Names the kind, tells the outcome, redacts every text.  Sends nothing.

local errors = require "celements.error"
local hint = require "celements.hint"
local json = require "celements.json"
local redact = require "celements.redact"
local retry = require "celements.retry"

local M = {}

local BODY_BYTES = 200
local BODY_DECODED = 64 * 1024 -- of a larger answer only the beginning is shown
local BODY_SEARCHED = 65536 -- a secret that is cut in two is not found: look further than is shown

local BY_STATUS = { [401] = "auth", [403] = "forbidden", [404] = "not_found", [409] = "conflict", [429] = "rate_limit" }

local function kind_of(status)
  if status >= 500 then
    return "server"
  elseif status >= 400 then
    return BY_STATUS[status] or "invalid"
  elseif status >= 300 then
    return "redirect"
  end
  return "decode"
end

-- A gateway that gave up says nothing about what the platform behind it did.
local function outcome_of(status, from_platform)
  if status < 300 or status == 303 or status == 408 or status == 504 then
    return "unknown"
  elseif status >= 500 and status ~= 503 and not from_platform then
    return "unknown"
  end
  return "refused"
end

local TEXT_BYTES = 8 * 1024 -- no message for a person is that long

local function text_of(value)
  if type(value) == "string" and value:find("%S") then
    return value:sub(1, BODY_SEARCHED)
  end
end

-- Cut after the secrets are out: of one that is cut in two the beginning would stay.
local function shown(text, values)
  return redact.text(text, values):sub(1, TEXT_BYTES)
end

local function redirect_message(answer, values)
  local scheme, host = redact.text(answer.headers.location or "", values):match("^(%a[%w+.-]*://)([^/?#]+)")
  local target = host and scheme .. host:gsub("^.*@", "") or "another place"
  return ("the server answers %d and points to %s"):format(answer.status, target)
end

local function plain_message(answer)
  local kind = answer.headers["content-type"]
  if kind and not kind:find("json") then
    return ("the server answered %d with %s, not with the platform's JSON"):format(answer.status, kind:match("^[^;]+"))
  end
  return ("the server answered %d"):format(answer.status)
end

--- The error for a whole answer that is not a success, or that cannot be read.
---@param answer {status: integer, headers: table<string, string>}
---@param text string  its body as it came
---@param values table  what to redact
---@param problem? string  why a success cannot be read
---@return celements.Error
function M.of_answer(answer, text, values, problem)
  local status, headers = answer.status, answer.headers
  local decoded
  if text ~= "" then
    decoded = json.decode_answer(text)
  end
  local object = type(decoded) == "table" and decoded or {}
  local from_platform = text_of(object.message) ~= nil
  local kind = kind_of(status)
  local message
  if problem then
    message = problem
  elseif kind == "redirect" then
    message = redirect_message(answer, values)
  else
    message = text_of(object.message) or plain_message(answer)
  end
  local body
  if type(decoded) == "table" and #text <= BODY_DECODED then
    body = redact.value(decoded, values)
  elseif text ~= "" then
    body = redact.text(text:sub(1, BODY_SEARCHED), values):sub(1, BODY_BYTES)
  end
  local provider = text_of(object.providerMessage)
  local id = headers["elements-request-id"] or text_of(object.requestId)
  return errors.new {
    kind = kind,
    message = shown(message, values),
    provider_message = provider and shown(provider, values),
    status = status,
    request_id = id and shown(id, values),
    retry_after = retry.retry_after(headers["retry-after"], os.time()),
    outcome = outcome_of(status, from_platform),
    body = body,
  }
end

--- The error for an attempt that brought no whole answer.
---@param failed {kind: string, message: string, phase: string, sent: boolean, status?: integer}
---@param values table
---@return celements.Error
function M.of_transfer(failed, values)
  return errors.new {
    kind = failed.kind,
    message = redact.text(failed.message, values),
    phase = failed.phase,
    outcome = failed.sent and "unknown" or "not_sent",
    status = failed.status,
  }
end

-- The platform says of some lists that are empty: 404 "No instances found" (platform 5).
-- A provider's 404 means that something is not there.
-- The list, and the request id that the body may name.
local function empty_list(text)
  local said = json.decode_answer(text)
  if type(said) == "table" and type(said.message) == "string" and type(said.providerMessage) ~= "string"
    and said.message:find("^No .* found%.?$") then
    return json.array {}, text_of(said.requestId)
  end
end

--- Why an attempt brought no result; or after all one, which some refusals are.
---@param call {empty?: boolean}
---@param answer table?
---@param rest string|table  the answer's body, or what failed
---@param problem? string  why a success cannot be read
---@param values table  what to redact
---@return any? result
---@return celements.Error? err
function M.judge(call, answer, rest, problem, values)
  if not answer then
    return nil, M.of_transfer(rest, values)
  elseif call.empty and answer.status == 404 then
    local list, request_id = empty_list(rest)
    if list then
      answer.request_id = answer.request_id or request_id
      return list
    end
  end
  return nil, M.of_answer(answer, rest, values, problem)
end

--- Complete an error with what the call knows.
---@param err celements.Error
---@param call {method: string, path: string, element?: celements.Secret, checked?: boolean}
---@param attempts integer
---@param place table  see celements.hint
---@param values table  what to redact: an id may be anything a program puts there
---@return celements.Error
function M.finish(err, call, attempts, place, values)
  err.method, err.path, err.attempts = call.method, redact.text(call.path, values), attempts
  local advice = err.hint or hint.of(err, place, call)
  err.hint = advice and redact.text(advice, values)
  return err
end

--- An error of our own making, before anything was sent.
---@param call table
---@param kind string
---@param message string
---@return celements.Error
function M.not_sent(call, kind, message)
  return errors.new {
    kind = kind,
    message = message,
    outcome = "not_sent",
    method = call.method,
    path = call.path,
    attempts = 0,
  }
end

return M
