--- What an instance is for: its data, called with the Element token.
-- The hub in the path is ignored, as the platform ignores it: "/hubs/crm/contacts", any
-- other hub and "/contacts" are one and the same.

local ceql = require "celements.sandbox.ceql"
local contacts = require "celements.sandbox.contacts"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local view = require "celements.sandbox.view"

local API = "/elements/api-v2"
local PROVIDER_MAX = 200

local function date(call)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(call.model.now()))
end

-- A disabled instance says no to everything but GET /objects; one whose account the
-- provider has locked out says so in the provider's words.
local function reachable(handler)
  return function(call)
    local instance = call.caller.instance
    if instance.disabled then
      return reply.refuse(403, "The element instance is disabled.")
    end
    local trouble = call.model.instances:trouble(instance)
    if trouble then
      return reply.refuse(401, "The provider refused the credentials of this instance.", trouble)
    end
    return handler(call, instance)
  end
end

-- Nulls are left out unless the instance is configured to show them.
local function shown(instance)
  if instance.configuration["filter.response.nulls"] == "false" then
    return function(contact) return contact end
  end
  return contacts.without_nulls
end

local function first(query, name)
  return query[name] and query[name][1]
end

local list = reachable(function(call, instance)
  local query, known = call.query, contacts.has_field
  local where, order, fields = first(query, "where"), first(query, "orderBy"), first(query, "fields")
  local rows, message = ceql.filter(contacts.of(instance), where, known)
  if rows then
    rows, message = ceql.sort(rows, order, known)
  end
  if rows then
    rows, message = ceql.select(rows, fields, known)
  end
  if not rows then
    return reply.refuse(400, message)
  end
  local response = reply.page(rows, query, {
    name = ("contacts %d\n%s\n%s\n%s"):format(instance.id, where or "", order or "", fields or ""),
    by_number = true, provider_max = PROVIDER_MAX, none = call.model:none("contacts"), show = shown(instance),
  })
  if call.model.options.total_count == "asked" and first(query, "returnTotalCount") ~= "true" then
    response.headers["Elements-Total-Count"] = nil
  end
  return response
end)

-- handler(call, instance, contact, place)
local function with_contact(handler)
  return reachable(function(call, instance)
    local contact, place = contacts.find(instance, call.params.id)
    if not contact then
      return reply.refuse(404, "No contact found with id " .. call.params.id, "contact does not exist")
    end
    return handler(call, instance, contact, place)
  end)
end

local show = with_contact(function(_, instance, contact)
  return reply.ok(shown(instance)(contact))
end)

local create = reachable(function(call, instance)
  return reply.ok(shown(instance)(contacts.add(instance, call.body, date(call))))
end)

local function change(wholly)
  return with_contact(function(call, instance, _, place)
    return reply.ok(shown(instance)(contacts.change(instance, place, call.body, date(call), wholly)))
  end)
end

local delete = with_contact(function(_, instance, _, place)
  table.remove(contacts.of(instance), place)
  return reply.ok()
end)

local ping = reachable(function(call, instance)
  return reply.ok{ endpoint = instance.element.key, valid = true, dateTime = date(call) }
end)

-- Names; the version Helium tells where each comes from, too.
local function objects(call)
  local found = view.objects(call.caller.instance)
  if call.request.headers["elements-version"] == "Helium" then
    return reply.ok(found)
  end
  local names = json.array{}
  for i, object in ipairs(found) do
    names[i] = object.name
  end
  return reply.ok(names)
end

local metadata = reachable(function(call, instance)
  local name = call.params.object
  local defined = instance.definitions and instance.definitions[name]
  local fields = defined and defined.fields or name == "contacts" and contacts.fields()
  if not fields then
    return reply.refuse(404, "No object found with name " .. name)
  end
  local described = json.array{}
  for i, field in ipairs(fields) do
    described[i] = { type = field.type or "string", vendorPath = field.path, vendorDisplayName = field.path }
  end
  return reply.ok{ fields = described }
end)

return function(add)
  local function both(method, path, options, handler)
    add(method, API .. path, options, handler)
    add(method, API .. "/hubs/{hub}" .. path, options, handler)
  end
  local reading, writing = { who = "element" }, { who = "element", body = true }
  both("GET", "/contacts", reading, list)
  both("POST", "/contacts", writing, create)
  both("GET", "/contacts/{id}", reading, show)
  both("PUT", "/contacts/{id}", writing, change(true))
  both("PATCH", "/contacts/{id}", writing, change(false))
  both("DELETE", "/contacts/{id}", reading, delete)
  both("GET", "/ping", reading, ping)
  both("GET", "/objects", reading, objects)
  both("GET", "/objects/{object}/metadata", reading, metadata)
end
