--- Instances over HTTP: create, list, read, replace, patch, delete, enable and disable.

local catalogue = require "celements.sandbox.catalogue"
local reply = require "celements.sandbox.reply"
local target = require "celements.sandbox.target"
local view = require "celements.sandbox.view"

local API = "/elements/api-v2"

local function show(model, instance, light)
  return view.instance(instance, model.options, model.instances:trouble(instance) == nil, light)
end

local function element_or_refusal(key_or_id)
  local element = catalogue.find(key_or_id)
  if not element then
    return nil, reply.refuse(404, "No element found with key " .. tostring(key_or_id))
  end
  return element
end

-- -> the element the body names | nil, refusal; nil, nil when it names none
local function element_of_body(body)
  local named = body.element
  if named == nil then
    return nil
  end
  local key = type(named) == "table" and (named.key or named.id)
  if type(key) ~= "string" and type(key) ~= "number" then
    return nil, reply.refuse(400, "element must be an object with a key or an id.")
  end
  return element_or_refusal(key)
end

local function create(call)
  local element, refused = element_of_body(call.body)
  if refused then
    return refused
  end
  if call.params.key then   -- nested path: the body may name the element again, but no other
    local of_path
    of_path, refused = element_or_refusal(call.params.key)
    if refused then
      return refused
    end
    if element and element ~= of_path then
      return reply.refuse(400, "The element of the body is not the element of the path.")
    end
    element = of_path
  end
  if not element then
    return reply.refuse(400, "element.key is required.")
  end
  local instance
  instance, refused = call.model.instances:create(element, call.body)
  if refused then
    return refused
  end
  local shown = show(call.model, instance)
  if call.model.options.echo_provider_data then
    shown.providerData = call.body.providerData
  end
  return reply.ok(shown)
end

-- All given tags must be there; the instance's name counts as one of its tags.
local function has_tags(instance, wanted, name_counts)
  for _, tag in ipairs(wanted) do
    local found = name_counts and tag == instance.name
    for _, own in ipairs(instance.tags) do
      found = found or own == tag
    end
    if not found then
      return false
    end
  end
  return true
end

local function contains(instance, search)
  return instance.name:lower():find(search:lower(), 1, true) ~= nil or instance.element.key == search
end

-- The instances that a list is about, and how many; without a filter none is made for it.
local function rows_of(instances, fits)
  if not fits then
    return setmetatable({}, { __index = function(_, place) return instances:at(place) end }), instances.count
  end
  local rows = {}
  for place = 1, instances.count do
    local instance = instances:at(place)
    if fits(instance) then
      rows[#rows + 1] = instance
    end
  end
  return rows, #rows
end

local function list(call)
  local model = call.model
  local element, refused
  if call.params.key then
    element, refused = element_or_refusal(call.params.key)
    if refused then
      return refused
    end
  end
  local tags, search = call.query["tags[]"] or {}, call.query.searchText and call.query.searchText[1] or ""
  local light = call.query.hydrate ~= nil and call.query.hydrate[1] == "false"
  local fits = (element or tags[1] or search ~= "") and function(instance)
    return (not element or instance.element == element)
      and has_tags(instance, tags, model.options.name_as_tag ~= "no") and contains(instance, search)
  end
  local rows, count = rows_of(model.instances, fits)
  return reply.page(rows, call.query, {
    name = table.concat({ "instances", element and element.key or "", search, table.concat(tags, "\n") }, "\n"),
    count = count, none = model:none("instances"),
    show = function(instance) return show(model, instance, light) end,
  })
end

local function read(call, instance)
  return reply.ok(show(call.model, instance))
end

local SAID = { ["true"] = true, ["false"] = false }

local function change(call, instance)
  local element, refused = element_of_body(call.body)
  if refused then
    return refused
  elseif element and element ~= instance.element then   -- only to a clone of it, and there are none here
    return reply.refuse(400, "The instance cannot move to another element.")
  end
  local asked = call.query.reAuthenticate and call.query.reAuthenticate[1]
  refused = call.model.instances:change(instance, call.body, SAID[asked])
  return refused or reply.ok(show(call.model, instance))
end

local function delete(call, instance)
  if instance.in_use then
    return reply.refuse(409, instance.in_use)
  end
  call.model.instances:remove(instance)
  return reply.ok()
end

local function set(field, value)
  return function(_, instance)
    instance[field] = value
    return reply.ok()
  end
end

-- The body is optional; in it only `duration` is known.
local function trace(call, instance)
  local duration = call.body.duration
  if duration ~= nil and type(duration) ~= "number" then
    return reply.refuse(400, "duration must be a number.")
  end
  instance.trace_logging = true
  return reply.ok()
end

-- What each call may be asked with: names, each once, "many" times or as a boolean.
local LIST = { ["tags[]"] = "many", searchText = "once", hydrate = "boolean", pageSize = "once", nextPage = "once" }
local NONE = {}
local CHANGE = { reAuthenticate = "boolean" }

return function(add)
  local account, list_of = { who = "account", query = NONE }, { who = "account", query = LIST }
  local body, change_of = { who = "account", body = true, query = NONE }, { who = "account", body = true, query = CHANGE }
  add("POST", API .. "/instances", body, create)
  add("GET", API .. "/instances", list_of, list)
  add("GET", API .. "/instances/{id}", account, target.with_instance(read))   -- not by token
  target.add(add, "PUT", "", change, true, CHANGE)
  target.add(add, "PATCH", "", change, true, NONE)
  target.add(add, "DELETE", "", delete, nil, NONE)
  target.add(add, "PUT", "/enabled", set("disabled", false), nil, NONE)
  target.add(add, "DELETE", "/enabled", set("disabled", true), nil, NONE)
  target.add(add, "PUT", "/trace-logging", trace, "optional", NONE)
  target.add(add, "DELETE", "/trace-logging", set("trace_logging", false), nil, NONE)
  add("POST", API .. "/elements/{key}/instances", body, create)
  add("GET", API .. "/elements/{key}/instances", list_of, list)
  add("GET", API .. "/elements/{key}/instances/{id}", account, target.with_instance(read))
  add("PUT", API .. "/elements/{key}/instances/{id}", change_of, target.with_instance(change))
  add("DELETE", API .. "/elements/{key}/instances/{id}", account, target.with_instance(delete))
end
