--- What an instance is for: its data, called with the Element token.
-- Every instance has its own contacts, made up but always the same ones.  The hub in
-- the path is ignored, as the platform ignores it: "/hubs/crm/contacts", any other
-- hub and "/contacts" are one and the same.

local json = require "celements.json"
local reply = require "celements.sandbox.reply"

local API = "/elements/api-v2"
local CONTACTS = 450
local PROVIDER_MAX = 200

local FIRST_NAMES = { "Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fatima", "Grace", "Haruki", "Ines", "João" }
local LAST_NAMES = { "Lovelace", "O'Brien", "Nuñez", "van der Berg", "Yılmaz", "Kowalski", "Hopper" }

local function made_up(instance, n)
  local first, last = FIRST_NAMES[n % #FIRST_NAMES + 1], LAST_NAMES[n % #LAST_NAMES + 1]
  return {
    id = ("%d"):format(n), firstName = first, lastName = last,
    email = ("contact%d@instance%d.example.com"):format(n, instance.id),
    createdDate = ("2016-%02d-%02dT08:00:00Z"):format(n % 12 + 1, n % 28 + 1),
  }
end

local function contacts_of(instance)
  if not instance.contacts then
    instance.contacts = {}
    for n = 1, CONTACTS do
      instance.contacts[n] = made_up(instance, n)
    end
  end
  return instance.contacts
end

-- A disabled instance says no to everything but GET /objects.
local function enabled(handler)
  return function(call)
    if call.caller.instance.disabled then
      return reply.refuse(403, "The element instance is disabled.")
    end
    return handler(call, call.caller.instance)
  end
end

local list = enabled(function(call, instance)
  if call.query.where then
    return reply.refuse(400, "This sandbox does not evaluate where.")   -- better than rows nobody asked for
  end
  return reply.page(contacts_of(instance), call.query, {
    name = ("contacts %d"):format(instance.id), by_number = true, provider_max = PROVIDER_MAX,
  })
end)

local show = enabled(function(call, instance)
  for _, contact in ipairs(contacts_of(instance)) do
    if contact.id == call.params.id then
      return reply.ok(contact)
    end
  end
  return reply.refuse(404, "No contact found with id " .. call.params.id, "contact does not exist")
end)

local create = enabled(function(call, instance)
  local contacts = contacts_of(instance)
  local contact = {}
  for name, value in pairs(call.body) do
    contact[name] = value
  end
  contact.id = ("%d"):format(#contacts + 1)
  contacts[#contacts + 1] = contact
  return reply.ok(contact)
end)

local ping = enabled(function(call, instance)
  return reply.ok{
    endpoint = instance.element.key, valid = true,
    dateTime = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(call.model.now())),
  }
end)

local function objects()
  return reply.ok(json.array{ "contacts" })
end

return function(add)
  local function both(method, path, options, handler)
    add(method, API .. path, options, handler)
    add(method, API .. "/hubs/{hub}" .. path, options, handler)
  end
  local reading, writing = { who = "element" }, { who = "element", body = true }
  both("GET", "/contacts", reading, list)
  both("POST", "/contacts", writing, create)
  both("GET", "/contacts/{id}", reading, show)
  both("GET", "/ping", reading, ping)
  both("GET", "/objects", reading, objects)
end
