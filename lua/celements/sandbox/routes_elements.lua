--- The catalogue: which elements there are, what each wants to know, and what it can do.

local catalogue = require "celements.sandbox.catalogue"
local ceql = require "celements.sandbox.ceql"
local describe = require "celements.sandbox.describe"
local json = require "celements.json"
local reply = require "celements.sandbox.reply"

local API = "/elements/api-v2"

local function with_element(handler)
  return function(call)
    local element = catalogue.visible(call.params.key, call.caller)
    if not element then
      return reply.refuse(404, "No element found with key " .. call.params.key)
    end
    return handler(call, element)
  end
end

-- Metadata and docs are found by the number only.
local function with_numbered_element(handler)
  return function(call)
    local id = call.params.key
    local element = id:find("^%d+$") and catalogue.visible(id, call.caller)
    if not element then
      return reply.refuse(404, "No element found with id " .. id)
    end
    return handler(call, element)
  end
end

local function visible(call)
  local elements = {}
  for _, element in ipairs(catalogue.elements) do
    elements[#elements + 1] = catalogue.visible(element.key, call.caller)
  end
  return elements
end

-- Fields of an element that hold one value can be searched for.
local FIELDS = {
  id = true, key = true, name = true, hub = true, active = true, private = true, extended = true, beta = true,
}

local function is_field(name)
  return FIELDS[name] or false
end

local function list(call)
  local where = call.query.where and call.query.where[1]
  local rows = {}
  for i, element in ipairs(visible(call)) do
    rows[i] = catalogue.show(element, call.model.options.item_names)
  end
  local found, message = ceql.filter(rows, where, is_field)
  if not found then
    return reply.refuse(400, message)
  end
  return reply.page(found, call.query, { name = "elements\n" .. (where or ""), none = call.model:none("elements") })
end

local function keys(call)
  return reply.page(visible(call), call.query, {
    name = "element keys", show = function(element) return element.key end,
  })
end

local show = with_element(function(call, element)
  return reply.ok(catalogue.show(element, call.model.options.item_names))
end)

-- An element whole; or, of one that is not extended, nothing that an extension added.
local export = with_element(function(call, element)
  local shown = catalogue.show(element, call.model.options.item_names)
  if call.query.extendedOnly and call.query.extendedOnly[1] == "true" and not element.extended then
    shown.resources, shown.parameters, shown.configuration = json.array{}, json.array{}, json.array{}
  end
  return reply.ok(shown)
end)

local configuration = with_element(function(call, element)
  local names = call.model.options.item_names
  local _, authentication = catalogue.authentication(element)
  local entries = {}
  for i, name in ipairs(authentication.provider_data or {}) do
    entries[i] = { name, name = name, type = "TEXTFIELD_1000", required = true }
  end
  return reply.ok{
    configuration = catalogue.configuration_items(element, catalogue.entries(element), names),
    providerData = catalogue.configuration_items(element, entries, names),
  }
end)

local function with_types(handler)
  return with_element(function(call, element)
    if element.untyped then
      return reply.refuse(404, "No authentication types found for element " .. element.key)
    end
    return handler(call, element)
  end)
end

local authentication_types = with_types(function(_, element)
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

local authentication_configurations = with_types(function(call, element)
  local name = catalogue.authentication(element, call.params.type)
  if not name then
    return reply.refuse(404, ("No authentication type %s found for element %s"):format(call.params.type, element.key))
  end
  local entries = catalogue.entries(element, name)
  local items = catalogue.configuration_items(element, entries, call.model.options.item_names)
  for _, item in ipairs(items) do
    item.options = json.array{}
  end
  return reply.ok(items)
end)

local function all_metadata(call)
  return reply.page(visible(call), call.query, {
    name = "metadata",
    show = function(element) return describe.metadata(element, call.model.options.metadata_events) end,
  })
end

local function count_instances(model, element)
  local count = 0
  for place = 1, model.instances.count do
    count = count + (model.instances:at(place).element == element and 1 or 0)
  end
  return count
end

local metadata = with_numbered_element(function(call, element)
  local expand = call.query.expand and call.query.expand[1] == "true"
  local count = expand and count_instances(call.model, element) or nil
  return reply.ok(describe.metadata(element, call.model.options.metadata_events, count))
end)

local docs = with_numbered_element(function(call, element)
  local operation = call.query.operationId and call.query.operationId[1]
  local swagger = describe.swagger(element, call.request.headers.host or "localhost", {}, operation)
  return swagger and reply.ok(swagger) or reply.refuse(404, "No operation found with id " .. operation)
end)

return function(add)
  local anyone = { who = "anyone" }
  add("GET", API .. "/elements", anyone, list)
  add("GET", API .. "/elements/keys", anyone, keys)
  add("GET", API .. "/elements/metadata", anyone, all_metadata)
  add("GET", API .. "/elements/{key}", anyone, show)
  add("GET", API .. "/elements/{key}/configuration", anyone, configuration)
  add("GET", API .. "/elements/{key}/authentication-types", anyone, authentication_types)
  add("GET", API .. "/elements/{key}/authentication-types/{type}/configurations", anyone,
    authentication_configurations)
  add("GET", API .. "/elements/{key}/export", anyone, export)
  add("GET", API .. "/elements/{key}/metadata", anyone, metadata)
  add("GET", API .. "/elements/{key}/docs", anyone, docs)
end
