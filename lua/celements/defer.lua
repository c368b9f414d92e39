--- Calls from places that cannot wait.  Adds defer to celements.Client.

local check = require "celements.check"
local client = require "celements.client"
local errors = require "celements.error"

---@class celements.Client
local methods = client.methods

--- Run f as soon as this place lets go, where calls can wait for their answers: from
-- nginx's phases that cannot (log, header_filter, init_worker, ...), or to let a request
-- be answered before its call is.  In nginx f runs in a timer, in cqueues and luv in a
-- coroutine of its own, and what it raises is reported there; in a script at once.
---@param f fun()
---@return true? soon
---@return celements.Error? err  where there is no "later" either
function methods:defer(f)
  check.type(f, "function", "f", 2)
  local waiter = client.waiter_of(self)
  local fine, problem = waiter.defer(f, function(raised)
    waiter.report("celements: what was deferred failed: " .. client.redacted(self, tostring(raised)))
  end)
  if not fine then
    return nil, errors.new { kind = "config", message = problem, outcome = "not_sent" }
  end
  return true
end

return true
