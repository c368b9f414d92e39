--- Instances over HTTP: create, list, read, delete, enable and disable.

local catalogue = require "celements.sandbox.catalogue"
local instances = require "celements.sandbox.instances"
local reply = require "celements.sandbox.reply"

local API = "/elements/api-v2"

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
  return refused or reply.ok(instances.show(instance))
end

-- All given tags must be there; the instance's name counts as one of its tags.
local function has_tags(instance, wanted)
  for _, tag in ipairs(wanted) do
    local found = tag == instance.name
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

local function list(call)
  local element, refused
  if call.params.key then
    element, refused = element_or_refusal(call.params.key)
    if refused then
      return refused
    end
  end
  local tags, search = call.query["tags[]"] or {}, call.query.searchText and call.query.searchText[1] or ""
  local light = call.query.hydrate ~= nil and call.query.hydrate[1] == "false"
  local rows = {}
  for _, instance in ipairs(call.model.instances.order) do
    if (not element or instance.element == element) and has_tags(instance, tags) and contains(instance, search) then
      rows[#rows + 1] = instance
    end
  end
  if #rows == 0 and call.model.empty_lists == "not_found" then
    return reply.refuse(404, "No instances found")
  end
  local response = reply.page(rows, call.query, {
    name = table.concat({ "instances", element and element.key or "", search, table.concat(tags, "\n") }, "\n"),
  })
  for i, instance in ipairs(response.status == 200 and response.value or {}) do
    response.value[i] = instances.show(instance, light)
  end
  return response
end

local function with_instance(handler)
  return function(call)
    local instance = call.model.instances:find(call.params.id)
    local element = call.params.key and catalogue.find(call.params.key)
    if not instance or (call.params.key and instance.element ~= element) then
      return reply.refuse(404, "No instance found with id " .. call.params.id)
    end
    return handler(call, instance)
  end
end

local show = with_instance(function(_, instance)
  return reply.ok(instances.show(instance))
end)

local delete = with_instance(function(call, instance)
  call.model.instances:remove(instance)
  return reply.ok()
end)

local function set_disabled(disabled)
  return with_instance(function(_, instance)
    instance.disabled = disabled
    return reply.ok()
  end)
end

return function(add)
  local account, body = { who = "account" }, { who = "account", body = true }
  add("POST", API .. "/instances", body, create)
  add("GET", API .. "/instances", account, list)
  add("GET", API .. "/instances/{id}", account, show)
  add("DELETE", API .. "/instances/{id}", account, delete)
  add("PUT", API .. "/instances/{id}/enabled", account, set_disabled(false))
  add("DELETE", API .. "/instances/{id}/enabled", account, set_disabled(true))
  add("POST", API .. "/elements/{key}/instances", body, create)
  add("GET", API .. "/elements/{key}/instances", account, list)
  add("GET", API .. "/elements/{key}/instances/{id}", account, show)
  add("DELETE", API .. "/elements/{key}/instances/{id}", account, delete)
end
