--- What a client's on_response is told of each attempt.
-- Read by who has such a hook.

local redact = require "celements.redact"

local M = {}

--- Tell the hook.  It may fail; the call goes on, since what was created on the platform must
-- not be lost to a fault in somebody's logging.
---@param hook fun(event: celements.Event)
---@param call {method: string, path: string}
---@param number integer  of the attempt
---@param ended table  its answer, or what failed
---@param err celements.Error?
---@param values table  what to redact
---@return string? problem  what the hook raised
function M.tell(hook, call, number, ended, err, values)
  local fine, problem = pcall(hook, {
    method = call.method,
    path = redact.text(call.path, values),
    attempt = number,
    status = ended.status,
    request_id = err and err.request_id or ended.request_id,
    seconds = ended.seconds,
    reused = ended.reused,
    kind = err and err.kind,
  })
  return not fine and redact.text(tostring(problem), values) or nil
end

return M
