--- What tests ask the sandbox itself, from whatever process they run in.
--
--     GET  /sandbox/requests   {"count": 3, "requests": [{"method", "path", "query", "headers", "body"}, …]}
--     POST /sandbox/faults     {"faults": [rule, …]} replaces the rules of the option `faults`
--     POST /sandbox/reset      instances, grants, rules and requests as at the start
--
-- Requests are shown whole, secrets included: they are made up.

local json = require "celements.json"
local reply = require "celements.sandbox.reply"

local function requests(call)
  local log = call.model.log
  local shown = json.array{}
  for i, request in ipairs(log.requests) do
    shown[i] = request
  end
  return reply.ok{ count = log.count, requests = shown }
end

local function set_faults(call)
  local list = call.body.faults
  local ok, message = call.model:set_faults(type(list) == "table" and list or {})
  return ok and reply.ok() or reply.refuse(400, message)
end

local function reset(call)
  call.model:reset()
  return reply.ok()
end

return function(add)
  add("GET", "/sandbox/requests", {}, requests)
  add("POST", "/sandbox/faults", { body = true }, set_faults)
  add("POST", "/sandbox/reset", {}, reset)
end
