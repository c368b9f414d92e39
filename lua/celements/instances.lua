--- The life of an instance after its creation: list, read, change, disable, delete.
-- Adds instances, get_instance, update_instance, replace_instance, delete_instance,
-- enable_instance and the rest to celements.Client.  Every verb is a function of a
-- target, an id or a token's Secret, so that celements.hub offers the same by token.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local element = require "celements.element"
local errors = require "celements.error"
local instance = require "celements.instance"
local params_of = require "celements.params"

---@class celements.Client
local methods = client.methods

local M = {}

local path = core.url.path

-- Replacing an instance can mean re-authenticating it, which takes as long as creating.
M.REPLACE_TIMEOUT = 120

-- By id User and Organization are sent, by token Element, too.
---@alias celements.Target string|integer|celements.Secret

-- One call to /instances[/{id}]/...; the rest are segments.
local function call(self, target, request, options, level, ...)
  local err = client.lacks(self, "uo")
  if err then
    return nil, err
  end
  if type(target) == "userdata" then
    request.path = path("instances", ...)
    request.letters, request.element = "uoe", target
  else
    request.path = path("instances", target, ...)
  end
  local result, info = client.send(self, request, options, level + 1)
  return result, info
end

-- For a call whose answer says nothing but that it was done.
local function if_done(result, info)
  if result == nil then
    return nil, info
  end
  return true, info
end

--- Raise unless these are an instance's id and the options of a call; the target, which is the id.
---@param id any
---@param options celements.CallOptions?
---@param level integer
---@return celements.Target
function M.by_id(id, options, level)
  check.id(id, "the instance's id", level + 1)
  if options ~= nil then
    client.check_options(options, level + 1)
  end
  return id
end

-- The verbs, each of (self, target, options, level, its own arguments).

--- Reads it: GET.
function M.get(self, target, options, level)
  local request = { method = "GET", wants = "an instance", path = nil } -- room for call()'s
  local result, info = call(self, target, request, options, level + 1)
  return result, info
end

--- Changes parts of it: PATCH.
function M.update(self, target, options, level, patch)
  check.table(patch, "the patch", level + 1)
  local request = { method = "PATCH", json = instance.body(patch, level + 1) }
  local result, info = call(self, target, request, options, level + 1)
  return result, info
end

--- Puts a whole body in its place: PUT, with a query for re-authentication.
function M.replace(self, target, options, level, body, query)
  check.table(body, "the instance", level + 1)
  local request = { method = "PUT", json = instance.body(body, level + 1), query = query, usual_timeout = M.REPLACE_TIMEOUT }
  local result, info = call(self, target, request, options, level + 1)
  return result, info
end

--- Deletes it: DELETE, which answers true.
function M.delete(self, target, options, level)
  local done, info = if_done(call(self, target, { method = "DELETE" }, options, level + 1))
  return done, info
end

--- Makes its token work again: PUT .../enabled.
function M.enable(self, target, options, level)
  local done, info = if_done(call(self, target, { method = "PUT" }, options, level + 1, "enabled"))
  return done, info
end

--- Makes its token useless for a while: DELETE .../enabled.
function M.disable(self, target, options, level)
  local done, info = if_done(call(self, target, { method = "DELETE" }, options, level + 1, "enabled"))
  return done, info
end

--- Its configuration items: GET .../configuration.
function M.configuration(self, target, options, level)
  local request = { method = "GET", empty = true, wants = "a list" }
  local result, info = call(self, target, request, options, level + 1, "configuration")
  return result, info
end

local function item_named(items, key)
  local names = {}
  for _, item in ipairs(items) do
    if item.key == key then
      return item
    end
    names[tostring(item.key)] = true
  end
  return nil, require("celements.slip").nearest(key, names)
end

--- Changes one item: PATCH .../configuration/{configId}.  The platform wants the item's
-- id; people know its key (platform 9).
function M.set_configuration(self, target, options, level, key, value)
  check.type(key, "string", "the configuration key", level + 1)
  check.type(value, "string or number or boolean", "the value", level + 1)
  -- Values are text on the wire, whatever they mean (platform 3).
  if type(value) == "number" then
    value = params_of.number_text(value, "the value", level + 1)
  end
  options = client.within(self, options)
  local items, info = M.configuration(self, target, options, level + 1)
  if items == nil then
    return nil, info
  end
  local item, nearest = item_named(items, key)
  if not item then
    local question = nearest and (", did you mean '%s'?"):format(nearest) or ""
    return nil, errors.new {
      kind = "config",
      message = ("the instance has no configuration key '%s'%s"):format(key, question),
      outcome = "not_sent",
      request_id = info.request_id,
    }
  end
  -- Whether it is a secret only the key could tell, and the answer may not name the key.
  local request = { method = "PATCH", json = { propertyValue = tostring(value) }, secret_value = tostring(value) }
  local result
  result, info = call(self, target, request, options, level + 1, "configuration", item.id)
  return result, info
end

--- Its Swagger, or that of one operation: GET .../docs[/{operationId}].
function M.docs(self, target, options, level, operation)
  local result, info
  if operation ~= nil then
    check.type(operation, "string", "the operation's id", level + 1)
    check.id(operation, "the operation's id", level + 1)
    result, info = call(self, target, { method = "GET" }, options, level + 1, "docs", operation)
  else
    result, info = call(self, target, { method = "GET" }, options, level + 1, "docs")
  end
  return result, info
end

--- Has the platform record its traffic: PUT .../trace-logging.
function M.enable_trace_logging(self, target, options, level, duration)
  check.type(duration, "number or nil", "the duration", level + 1)
  local request = { method = "PUT", json = duration and { duration = duration } or nil }
  local done, info = if_done(call(self, target, request, options, level + 1, "trace-logging"))
  return done, info
end

--- Ends that: DELETE .../trace-logging.
function M.disable_trace_logging(self, target, options, level)
  local done, info = if_done(call(self, target, { method = "DELETE" }, options, level + 1, "trace-logging"))
  return done, info
end

--- The events that arrived for it: GET .../events.
function M.events(self, target, options, level)
  local request = { method = "GET", empty = true, wants = "a list" }
  local result, info = call(self, target, request, options, level + 1, "events")
  return result, info
end

--- One of them: GET .../events/{eventId}.
function M.event(self, target, options, level, event_id)
  check.id(event_id, "the event's id", level + 1)
  local result, info = call(self, target, { method = "GET" }, options, level + 1, "events", event_id)
  return result, info
end

-- The same as methods of a client, by id.

local LIST_OPTIONS = {
  tags = "string or table",
  search = "string",
  hydrate = "boolean",
  page_size = "number",
  limit = "number",
  page = "string",
}

--- All instances of the account, one after the other: GET /instances.
-- hydrate = false brings lighter rows.  With several tags an instance has to have
-- them all.
---@param options? {tags?: string|string[], search?: string, hydrate?: boolean, page_size?: integer, limit?: integer, page?: string}
---@return celements.Pages
function methods:instances(options)
  options = element.checked(options, LIST_OPTIONS, 2)
  local query = {}
  local tags = options.tags
  tags = type(tags) == "string" and { tags } or tags or {}
  check.list(tags, "tags", 2)
  for _, tag in ipairs(tags) do
    check.type(tag, "string", "each tag", 2)
    query[#query + 1] = "tags[]"
    query[#query + 1] = tag
  end
  if options.search then
    query[#query + 1] = "searchText"
    query[#query + 1] = options.search
  end
  if options.hydrate ~= nil then
    query[#query + 1] = "hydrate"
    query[#query + 1] = tostring(options.hydrate)
  end
  return (element.list(self, "/instances", query, options, 2, "uo"))
end

--- One instance: GET /instances/{id}.  Secrets in its configuration come masked.
---@param id string|integer
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function methods:get_instance(id, options)
  local result, info = M.get(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- Change parts of an instance: PATCH /instances/{id}.  `tags` replaces all tags.
---@param id string|integer
---@param patch table  such as {name = "New name"}; names as create_instance takes them
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function methods:update_instance(id, patch, options)
  local result, info = M.update(self, M.by_id(id, options, 2), options, 2, patch)
  return result, info
end

--- Replace an instance: PUT /instances/{id}.  A masked ******** value is refused.
---@param id string|integer
---@param body table  names as create_instance takes them
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function methods:replace_instance(id, body, options)
  local result, info = M.replace(self, M.by_id(id, options, 2), options, 2, body)
  return result, info
end

--- Delete an instance: DELETE /instances/{id}.  Its token stops working at once.
-- Tried again when the answer is lost; gone by then counts as done.
---@param id string|integer
---@param options? celements.CallOptions
---@return true? deleted
---@return celements.Info info  or celements.Error
function methods:delete_instance(id, options)
  local result, info = M.delete(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- Enable a disabled instance: PUT /instances/{id}/enabled.
---@param id string|integer
---@param options? celements.CallOptions
---@return true? enabled
---@return celements.Info info  or celements.Error
function methods:enable_instance(id, options)
  local result, info = M.enable(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- Disable an instance: DELETE /instances/{id}/enabled.  Calls with its token get 403.
---@param id string|integer
---@param options? celements.CallOptions
---@return true? disabled
---@return celements.Info info  or celements.Error
function methods:disable_instance(id, options)
  local result, info = M.disable(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- The configuration of an instance: GET /instances/{id}/configuration.
---@param id string|integer
---@param options? celements.CallOptions
---@return table[]? items  each with id, key, propertyValue, type, required
---@return celements.Info info  or celements.Error
function methods:instance_configuration(id, options)
  local result, info = M.configuration(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- Change one configuration value, by its key: PATCH /instances/{id}/configuration/{configId}.
---@param id string|integer
---@param key string  such as "event.notification.enabled"
---@param value string|number|boolean
---@param options? celements.CallOptions
---@return table? item
---@return celements.Info info  or celements.Error
function methods:set_instance_configuration(id, key, value, options)
  local result, info = M.set_configuration(self, M.by_id(id, options, 2), options, 2, key, value)
  return result, info
end

--- The instance's API as Swagger, custom objects included: GET /instances/{id}/docs.
---@param id string|integer
---@param operation? string  only this operation
---@param options? celements.CallOptions
---@return table? swagger
---@return celements.Info info  or celements.Error
function methods:instance_docs(id, operation, options)
  local result, info = M.docs(self, M.by_id(id, options, 2), options, 2, operation)
  return result, info
end

--- Record what the instance sends and gets: PUT /instances/{id}/trace-logging.
---@param id string|integer
---@param duration? number  as the platform counts it
---@param options? celements.CallOptions
---@return true? enabled
---@return celements.Info info  or celements.Error
function methods:enable_trace_logging(id, duration, options)
  local result, info = M.enable_trace_logging(self, M.by_id(id, options, 2), options, 2, duration)
  return result, info
end

--- Stop recording: DELETE /instances/{id}/trace-logging.
---@param id string|integer
---@param options? celements.CallOptions
---@return true? disabled
---@return celements.Info info  or celements.Error
function methods:disable_trace_logging(id, options)
  local result, info = M.disable_trace_logging(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- The events that arrived for an instance: GET /instances/{id}/events.
---@param id string|integer
---@param options? celements.CallOptions
---@return table[]? events
---@return celements.Info info  or celements.Error
function methods:instance_events(id, options)
  local result, info = M.events(self, M.by_id(id, options, 2), options, 2)
  return result, info
end

--- One event: GET /instances/{id}/events/{eventId}.
---@param id string|integer
---@param event_id string|integer
---@param options? celements.CallOptions
---@return table? event
---@return celements.Info info  or celements.Error
function methods:instance_event(id, event_id, options)
  local result, info = M.event(self, M.by_id(id, options, 2), options, 2, event_id)
  return result, info
end

return M
