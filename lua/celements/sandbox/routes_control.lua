--- What tests ask the sandbox itself, from whatever process they run in.
--
--     GET  /sandbox/requests   {"count": 3, "requests": [{"method", "path", "query", "headers", "body"}, …]}
--     POST /sandbox/faults     {"faults": [rule, …]} replaces the rules of the option `faults`
--     POST /sandbox/reset      instances, grants, rules and requests as at the start
--     POST /sandbox/instances/{id}   {"in_use": "why"}: cannot be deleted; {"broken": "the provider's words"}:
--                              the account is locked out until it is connected again; false undoes either
--     POST /sandbox/instances/{id}/events  {"status", "providerData", "notifiedData"}: an event came, all optional
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

local function with_instance(handler)
  return function(call)
    local instance = call.model.instances:find(call.params.id)
    if not instance then
      return reply.refuse(404, "No instance found with id " .. call.params.id)
    end
    return handler(call, instance)
  end
end

local mark = with_instance(function(call, instance)
  for _, name in ipairs{ "in_use", "broken" } do
    local value = call.body[name]
    if value ~= nil then
      instance[name] = type(value) == "string" and value or nil
    end
  end
  return reply.ok()
end)

local add_event = with_instance(function(call, instance)
  instance.events = instance.events or {}
  local event = {
    id = ("%d-%d"):format(instance.id, #instance.events + 1),
    eventDate = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(call.model.now())),
    status = call.body.status or "NOTIFIED", providerData = call.body.providerData or "{}",
    notifiedData = json.array(call.body.notifiedData or {}),
  }
  table.insert(instance.events, event)
  return reply.ok(event)
end)

return function(add)
  add("GET", "/sandbox/requests", {}, requests)
  add("POST", "/sandbox/faults", { body = true }, set_faults)
  add("POST", "/sandbox/reset", {}, reset)
  add("POST", "/sandbox/instances/{id}", { body = true }, mark)
  add("POST", "/sandbox/instances/{id}/events", { body = true }, add_event)
end
