--- How the platform shows an instance, its configuration and its objects.

local body = require "celements.sandbox.body"
local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"

local USER = { id = 4711, emailAddress = "sandbox@example.com", firstName = "Sandy", lastName = "Box" }
local OBJECTS = { { name = "contacts", vendorName = "contacts", type = "vendor" } }
local ITEMS_MAX = 1000   -- configuration entries an instance's ids leave room for

local M = {}

-- What is the same for all instances of an element: read from the catalogue once.
local of_element = setmetatable({}, { __mode = "k" })

local function facts(element)
  local known = of_element[element]
  if not known then
    known = { entries = catalogue.entries(element), secret = {}, default = {}, summary = catalogue.summary(element) }
    for _, entry in ipairs(known.entries) do
      known.secret[entry[1]] = entry.type == "PASSWORD"
      known.default[entry[1]] = entry.default
    end
    of_element[element] = known
  end
  return known
end

local function show_value(known, name, value, options)
  return known.secret[name] and options.secrets ~= "clear" and body.MASK or value
end

local function show_configuration(instance, options)
  local known = facts(instance.element)
  local shown = {}
  for name, value in pairs(known.default) do
    shown[name] = value
  end
  shown["event.notification.callback.url"] = json.null
  for name, value in pairs(instance.configuration) do
    shown[name] = show_value(known, name, value, options)
  end
  return shown
end

local function show_tags(instance, options)
  local names = json.array{}
  if options.name_as_tag == "shown" then
    names[1] = instance.name
  end
  for _, tag in ipairs(instance.tags) do
    if tag ~= names[1] or options.name_as_tag ~= "shown" then
      names[#names + 1] = tag
    end
  end
  if options.tags == "objects" then
    for i, name in ipairs(names) do
      names[i] = { id = instance.id * 100 + i, name = name }
    end
  end
  return names
end

--- The objects of an instance and where they come from: of the provider, or defined
-- for this instance.
---@param instance table
---@return table[] objects
function M.objects(instance)
  local objects, names = json.array{}, {}
  for i, object in ipairs(OBJECTS) do
    objects[i] = object
  end
  for name in pairs(instance.definitions or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    objects[#objects + 1] = { name = name, vendorName = name, type = "vdr" }
  end
  return objects
end

--- An instance as the platform shows it.
---@param instance table
---@param options table  the model's: `secrets`, `name_as_tag`, `tags`, `users`
---@param valid boolean
---@param light? boolean  the row of `hydrate=false`: no configuration, and of the element only what names it
---@return table
function M.instance(instance, options, valid, light)
  local element = instance.element
  local shown = {
    id = instance.id, name = instance.name, token = instance.token, tags = show_tags(instance, options),
    user = options.users == "id" and { id = USER.id } or USER,
    createdDate = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(instance.created)), elementId = element.id,
    provisionInteractions = json.array{}, valid = valid, disabled = instance.disabled,
    maxCacheSize = 0, cacheTimeToLive = 0, cachingEnabled = false,
    eventsEnabled = instance.configuration["event.notification.enabled"] == "true",
    traceLoggingEnabled = instance.trace_logging or false, externalAuthentication = instance.external,
  }
  if light then
    shown.element = { id = element.id, key = element.key, name = element.name }
  else
    shown.element = facts(element).summary
    shown.configuration = show_configuration(instance, options)
  end
  if instance.objects then
    shown.objects = M.objects(instance)
  end
  return shown
end

-- An id for each key, the same for ever: those of the catalogue first.
local function item_ids(instance, known)
  local ids = instance.config_ids
  if not ids then
    ids = { next = 1 }
    for _, entry in ipairs(known.entries) do
      ids[entry[1]], ids.next = instance.id * ITEMS_MAX + ids.next, ids.next + 1
    end
    instance.config_ids = ids
  end
  local more = {}
  for name in pairs(instance.configuration) do
    more[#more + 1] = not ids[name] and name or nil
  end
  table.sort(more)
  for _, name in ipairs(more) do
    ids[name], ids.next = instance.id * ITEMS_MAX + ids.next, ids.next + 1
  end
  return ids
end

local function item(instance, known, options, id, entry)
  local value = instance.configuration[entry[1]]
  if value == nil then
    value = entry.default or json.null
  else
    value = show_value(known, entry[1], value, options)
  end
  local shown = {
    id = id, key = entry[1], name = entry.name or entry[1], description = entry.name or entry[1],
    propertyValue = value, active = true, hideFromConsole = false,
  }
  catalogue.name_item(shown, entry.type or "TEXTFIELD_1000", entry.required or false, options.item_names)
  return shown
end

--- The configuration as `GET …/configuration` shows it.
---@param instance table
---@param options table  the model's: `secrets`, `item_names`
---@return table[] items
function M.items(instance, options)
  local known = facts(instance.element)
  local ids = item_ids(instance, known)
  local items, more = json.array{}, {}
  for _, entry in ipairs(known.entries) do
    items[#items + 1] = item(instance, known, options, ids[entry[1]], entry)
  end
  for name in pairs(instance.configuration) do
    if known.secret[name] == nil then
      more[#more + 1] = name
    end
  end
  table.sort(more, function(a, b) return ids[a] < ids[b] end)
  for _, name in ipairs(more) do
    items[#items + 1] = item(instance, known, options, ids[name], { name })
  end
  return items
end

return M
