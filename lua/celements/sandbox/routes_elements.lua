--- The catalogue: which elements there are and what each wants to know.

local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"

local API = "/elements/api-v2"

local function with_element(handler)
  return function(call)
    local element = catalogue.find(call.params.key)
    if not element then
      return reply.refuse(404, "No element found with key " .. call.params.key)
    end
    return handler(call, element)
  end
end

local function list(call)
  local rows = {}
  for i, element in ipairs(catalogue.elements) do
    rows[i] = catalogue.show(element)
  end
  return reply.page(rows, call.query, { name = "elements" })
end

local function keys(call)
  local rows = {}
  for i, element in ipairs(catalogue.elements) do
    rows[i] = element.key
  end
  return reply.page(rows, call.query, { name = "element keys" })
end

local show = with_element(function(_, element)
  return reply.ok(catalogue.show(element))
end)

local configuration = with_element(function(_, element)
  local _, authentication = catalogue.authentication(element)
  local entries = {}
  for i, name in ipairs(authentication.provider_data or {}) do
    entries[i] = { name, name = name, type = "TEXTFIELD_1000", required = true }
  end
  return reply.ok{
    configuration = catalogue.configuration_items(element, catalogue.entries(element)),
    providerData = catalogue.configuration_items(element, entries),
  }
end)

local authentication_types = with_element(function(_, element)
  local names, options = {}, json.array{}
  for name in pairs(element.types) do
    names[#names + 1] = name
  end
  table.sort(names)
  for i, name in ipairs(names) do
    options[i] = { value = name, description = name }
  end
  return reply.ok{ defaultValue = element.default_type, options = options }
end)

local authentication_configurations = with_element(function(call, element)
  local name = catalogue.authentication(element, call.params.type)
  if not name then
    return reply.refuse(404, ("No authentication type %s found for element %s"):format(call.params.type, element.key))
  end
  local items = catalogue.configuration_items(element, catalogue.entries(element, name))
  for _, item in ipairs(items) do
    item.options = json.array{}
  end
  return reply.ok(items)
end)

local function routes(add)
  local anyone = { who = "anyone" }
  add("GET", API .. "/elements", anyone, list)
  add("GET", API .. "/elements/keys", anyone, keys)
  add("GET", API .. "/elements/{key}", anyone, show)
  add("GET", API .. "/elements/{key}/configuration", anyone, configuration)
  add("GET", API .. "/elements/{key}/authentication-types", anyone, authentication_types)
  add("GET", API .. "/elements/{key}/authentication-types/{type}/configurations", anyone,
    authentication_configurations)
end

return routes
