--- What hangs on an instance: configuration, docs, object definitions, events.
-- Each by id and by token.

local describe = require "celements.sandbox.describe"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local target = require "celements.sandbox.target"
local view = require "celements.sandbox.view"

-- Configuration --------------------------------------------------------------------

local function configuration(call, instance)
  return reply.ok(view.items(instance, call.model.options))
end

local function find_item(call, instance)
  for _, item in ipairs(view.items(instance, call.model.options)) do
    if ("%d"):format(item.id) == call.params.config then
      return item
    end
  end
  return nil, reply.refuse(404, "No configuration found with id " .. call.params.config)
end

local function configuration_item(call, instance)
  local item, refused = find_item(call, instance)
  return refused or reply.ok(item)
end

local function configure(call, instance)
  local item, refused = find_item(call, instance)
  if refused then
    return refused
  elseif call.body.propertyValue == nil then
    return reply.refuse(400, "propertyValue is required.")
  elseif call.body.key ~= nil and call.body.key ~= item.key then   -- the whole item may be sent back
    return reply.refuse(400, "key is not the key of this configuration.")
  end
  refused = call.model.instances:configure(instance, item.key, call.body.propertyValue)
  if refused then
    return refused
  end
  return configuration_item(call, instance)
end

-- Docs and object definitions ------------------------------------------------------

local function swagger(call, instance, operation)
  local host = call.request.headers.host or "localhost"
  local docs = describe.swagger(instance.element, host, instance.definitions or {}, operation)
  if not docs then
    return reply.refuse(404, "No operation found with id " .. operation)
  end
  return reply.ok(docs)
end

local function docs(call, instance)
  return swagger(call, instance, call.params.operation or call.query.operationId and call.query.operationId[1])
end

local function docs_definitions(call, instance)
  local response = docs(call, instance)
  if response.status == 200 then
    response.value = response.value.definitions
  end
  return response
end

local function definitions(_, instance)
  if not instance.definitions or not next(instance.definitions) then
    return reply.refuse(404, "No object definitions found")
  end
  return reply.ok(instance.definitions)
end

local function definition(call, instance)
  local found = instance.definitions and instance.definitions[call.params.object]
  if not found then
    return nil, reply.refuse(404, "No object definition found with name " .. call.params.object)
  end
  return found
end

local function show_definition(call, instance)
  local found, refused = definition(call, instance)
  return refused or reply.ok(found)
end

local function read_fields(call)
  local fields = call.body.fields
  if type(fields) ~= "table" or (next(fields) ~= nil and fields[1] == nil) then
    return nil, reply.refuse(400, "fields must be an array.")
  end
  for i, field in ipairs(fields) do
    if type(field) ~= "table" or type(field.path) ~= "string" then
      return nil, reply.refuse(400, ("fields[%d].path is required."):format(i))
    end
  end
  return fields
end

local function define(call, instance)
  local fields, refused = read_fields(call)
  if refused then
    return refused
  elseif definition(call, instance) then
    return reply.refuse(409, "An object definition exists already with name " .. call.params.object)
  end
  instance.definitions = instance.definitions or {}
  instance.definitions[call.params.object] = { fields = fields }
  return show_definition(call, instance)
end

local function redefine(call, instance)
  local found, refused = definition(call, instance)
  local fields
  if found then
    fields, refused = read_fields(call)
  end
  if refused then
    return refused
  end
  found.fields = fields
  return reply.ok(found)
end

local function undefine(call, instance)
  local _, refused = definition(call, instance)
  if refused then
    return refused
  end
  instance.definitions[call.params.object] = nil
  return reply.ok()
end

-- Events ---------------------------------------------------------------------------

local function events(call, instance)
  return reply.page(instance.events or {}, call.query, {
    name = ("events %d"):format(instance.id), none = call.model:none("events"),
  })
end

local function event(call, instance)
  for _, one in ipairs(instance.events or json.array{}) do
    if one.id == call.params.event then
      return reply.ok(one)
    end
  end
  return reply.refuse(404, "No event found with id " .. call.params.event)
end

return function(add)
  target.add(add, "GET", "/configuration", configuration)
  target.add(add, "GET", "/configuration/{config}", configuration_item)
  target.add(add, "PATCH", "/configuration/{config}", configure, true)
  target.add(add, "GET", "/docs", docs)
  target.add(add, "GET", "/docs/{operation}", docs)
  target.add(add, "GET", "/docs/{operation}/definitions", docs_definitions)
  target.add(add, "GET", "/objects/definitions", definitions)
  target.add(add, "GET", "/objects/{object}/definitions", show_definition)
  target.add(add, "POST", "/objects/{object}/definitions", define, true)
  target.add(add, "PUT", "/objects/{object}/definitions", redefine, true)
  target.add(add, "DELETE", "/objects/{object}/definitions", undefine)
  target.add(add, "GET", "/events", events)
  target.add(add, "GET", "/events/{event}", event)
end
