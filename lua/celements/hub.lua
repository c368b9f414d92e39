--- Calling an instance with its token: the provider's data through the platform.
-- Owns the token of one instance and shows it to nobody.  The hub segment of the
-- vendor's paths is ignored by the platform, so paths here are
-- "/contacts" and not "/hubs/crm/contacts"; both work.

local any_call = require "celements.any_call"
local call_options = require "celements.call_options"
local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local instances = require "celements.instances"
local page = require "celements.page"

---@class celements.Client
local methods = client.methods

local M = {}

---@class celements.InstanceClient
local hub = {}

local hub_mt = { __name = "celements.InstanceClient", __index = hub, __metatable = "celements.InstanceClient" }

local inside = setmetatable({}, { __mode = "k" })

function hub_mt:__tostring()
  local id = inside[self].id
  return id and ("celements.InstanceClient (%s)"):format(tostring(id)) or "celements.InstanceClient"
end

--- A client for one instance: what it holds, and the instance itself.
---@param instance_or_token table|string  what create_instance returned, or its token
---@return celements.InstanceClient
function methods:instance(instance_or_token)
  check.type(instance_or_token, "table or string", "the instance", 2)
  local token, id = instance_or_token, nil
  if type(token) == "table" then
    token, id = token.token, token.id
  end
  local secret = call_options.token(token, "the instance's token", 2)
  local self_hub = setmetatable({}, hub_mt)
  inside[self_hub] = { client = self, id = id, token = secret }
  return self_hub
end

local function check_path(path, level)
  check.type(path, "string", "the path", level + 1)
  if not core.url.path_ok(path) then
    error("the path has to start with '/' and be percent-encoded, without the base URL; "
      .. "celements.path('contacts', id) makes one", level + 1)
  end
end

-- One resource call; query is a table as for client:request().
local function call(self, request, query, options, level)
  check_path(request.path, level + 1)
  client.check_options(options, level + 1)
  local state = inside[self]
  local err = client.lacks(state.client, "u")
  if err then
    return nil, err
  end
  request.query = query ~= nil and any_call.flat_query(query, level + 1) or nil
  request.letters, request.element = "ue", state.token
  local result, info = client.send(state.client, request, options, level + 1)
  return result, info
end

--- GET a resource: hubspot:get("/contacts", {pageSize = 5}).
---@param path string  "/contacts", or celements.path("contacts", id)
---@param query? table
---@param options? celements.CallOptions
---@return any? result
---@return celements.Info info  or celements.Error
function hub:get(path, query, options)
  local result, info = call(self, { method = "GET", path = path }, query, options, 2)
  return result, info
end

--- POST a new thing.  Sent at most once.
---@param path string
---@param body any
---@param options? celements.CallOptions
---@return any? result
---@return celements.Info info  or celements.Error
function hub:post(path, body, options)
  local result, info = call(self, { method = "POST", path = path, json = body }, nil, options, 2)
  return result, info
end

--- PUT a thing whole.  Sent at most once.
---@param path string
---@param body any
---@param options? celements.CallOptions
---@return any? result
---@return celements.Info info  or celements.Error
function hub:put(path, body, options)
  local result, info = call(self, { method = "PUT", path = path, json = body }, nil, options, 2)
  return result, info
end

--- PATCH parts of a thing.  Sent at most once.
---@param path string
---@param body any
---@param options? celements.CallOptions
---@return any? result
---@return celements.Info info  or celements.Error
function hub:patch(path, body, options)
  local result, info = call(self, { method = "PATCH", path = path, json = body }, nil, options, 2)
  return result, info
end

--- DELETE a thing.
---@param path string
---@param query? table
---@param options? celements.CallOptions
---@return any? result  true for an empty answer
---@return celements.Info info  or celements.Error
function hub:delete(path, query, options)
  local result, info = call(self, { method = "DELETE", path = path }, query, options, 2)
  return result, info
end

--- The names of the objects that the provider has: GET /objects.  Answers for a
-- disabled instance too.
---@param options? celements.CallOptions
---@return string[]? names
---@return celements.Info info  or celements.Error
function hub:objects(options)
  local result, info = call(self, { method = "GET", path = "/objects", empty = true }, nil, options, 2)
  return result, info
end

--- Does the provider answer?  GET /ping; an element without it answers not_found.
---@param options? celements.CallOptions
---@return any? result
---@return celements.Info info  or celements.Error
function hub:ping(options)
  local result, info = call(self, { method = "GET", path = "/ping" }, nil, options, 2)
  return result, info
end

local PAGE_OPTIONS = { limit = true, page = true, timeout = true, retries = true, headers = true }

--- All rows of a resource, page by page: for contact in hubspot:pages("/contacts") do.
-- The query stays the same on every page, as the page token wants it.  Raises a
-- celements.Error when a page cannot be had.
---@param path string
---@param query? table  where, pageSize, fields, orderBy ...
---@param options? {limit?: integer, page?: string, timeout?: number, retries?: integer, headers?: table}  page: a token to go on from
---@return celements.Pages
function hub:pages(path, query, options)
  check_path(path, 2)
  local fixed = query ~= nil and any_call.flat_query(query, 2) or {}
  for i = 1, #fixed, 2 do
    if fixed[i] == "nextPage" then
      error("the page token to go on from belongs in the options, as page", 2)
    end
  end
  local of_call, of_pages
  if options ~= nil then
    check.table(options, "options", 2)
    of_call, of_pages = {}, {}
    for name, value in pairs(options) do
      if not PAGE_OPTIONS[name] then
        check.unknown(name, PAGE_OPTIONS, "option", 2)
      end
      local into = (name == "limit" or name == "page") and of_pages or of_call
      into[name] = value
    end
    check.type(of_pages.limit, "number or nil", "limit", 2)
    check.type(of_pages.page, "string or nil", "page", 2)
    check.count(of_pages.limit, "limit", 0, 2)
    client.check_options(of_call, 2)
  end
  local state = inside[self]
  return page.new(function(token, in_loop)
    local err = client.lacks(state.client, "u")
    if err then
      return nil, err
    end
    local flat = {}
    for i = 1, #fixed do
      flat[i] = fixed[i]
    end
    if token then
      flat[#flat + 1] = "nextPage"
      flat[#flat + 1] = token
    end
    -- Behind a page token there are rows: "No ... found" is no end there.
    local request = { method = "GET", path = path, query = flat, empty = not token, in_loop = in_loop }
    request.letters, request.element = "ue", state.token
    local rows, info = client.send(state.client, request, of_call, 2)
    return rows, info
  end, of_pages)
end

-- The life of the instance itself, by its token: the verbs of celements.instances.
local function by_token(verb)
  return function(self, options, level, ...)
    client.check_options(options, level + 1)
    local state = inside[self]
    local result, info = instances[verb](state.client, state.token, options, level + 1, ...)
    return result, info
  end
end

local update, replace, delete = by_token "update", by_token "replace", by_token "delete"
local enable, disable = by_token "enable", by_token "disable"
local configuration, set_configuration = by_token "configuration", by_token "set_configuration"
local docs, events, event = by_token "docs", by_token "events", by_token "event"
local enable_trace, disable_trace = by_token "enable_trace_logging", by_token "disable_trace_logging"

--- Change parts of this instance: PATCH /instances.
---@param patch table
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function hub:update_instance(patch, options)
  local result, info = update(self, options, 2, patch)
  return result, info
end

--- Replace this instance: PUT /instances.
---@param body table
---@param options? celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function hub:replace_instance(body, options)
  local result, info = replace(self, options, 2, body)
  return result, info
end

--- Delete this instance: DELETE /instances.  Its token stops working at once.
---@param options? celements.CallOptions
---@return true? deleted
---@return celements.Info info  or celements.Error
function hub:delete_instance(options)
  local result, info = delete(self, options, 2)
  return result, info
end

--- Enable this instance: PUT /instances/enabled.
---@param options? celements.CallOptions
---@return true? enabled
---@return celements.Info info  or celements.Error
function hub:enable_instance(options)
  local result, info = enable(self, options, 2)
  return result, info
end

--- Disable this instance: DELETE /instances/enabled.
---@param options? celements.CallOptions
---@return true? disabled
---@return celements.Info info  or celements.Error
function hub:disable_instance(options)
  local result, info = disable(self, options, 2)
  return result, info
end

--- The configuration of this instance: GET /instances/configuration.
---@param options? celements.CallOptions
---@return table[]? items
---@return celements.Info info  or celements.Error
function hub:instance_configuration(options)
  local result, info = configuration(self, options, 2)
  return result, info
end

--- Change one configuration value of this instance, by its key.
---@param key string
---@param value string|number|boolean
---@param options? celements.CallOptions
---@return table? item
---@return celements.Info info  or celements.Error
function hub:set_instance_configuration(key, value, options)
  local result, info = set_configuration(self, options, 2, key, value)
  return result, info
end

--- This instance's API as Swagger: GET /instances/docs.
---@param operation? string
---@param options? celements.CallOptions
---@return table? swagger
---@return celements.Info info  or celements.Error
function hub:instance_docs(operation, options)
  local result, info = docs(self, options, 2, operation)
  return result, info
end

--- The events that arrived for this instance: GET /instances/events.
---@param options? celements.CallOptions
---@return table[]? events
---@return celements.Info info  or celements.Error
function hub:instance_events(options)
  local result, info = events(self, options, 2)
  return result, info
end

--- One event of this instance: GET /instances/events/{eventId}.
---@param event_id string|integer
---@param options? celements.CallOptions
---@return table? event
---@return celements.Info info  or celements.Error
function hub:instance_event(event_id, options)
  local result, info = event(self, options, 2, event_id)
  return result, info
end

--- Record what this instance sends and gets: PUT /instances/trace-logging.
---@param duration? number
---@param options? celements.CallOptions
---@return true? enabled
---@return celements.Info info  or celements.Error
function hub:enable_trace_logging(duration, options)
  local result, info = enable_trace(self, options, 2, duration)
  return result, info
end

--- Stop recording: DELETE /instances/trace-logging.
---@param options? celements.CallOptions
---@return true? disabled
---@return celements.Info info  or celements.Error
function hub:disable_trace_logging(options)
  local result, info = disable_trace(self, options, 2)
  return result, info
end

return M
