--- The platform as a function: request table in, response table out.
-- Owns one make-believe account: instances, consents, the log of requests.  Opens no
-- socket, reads no clock and no random source but those it is given, and shares
-- nothing with another model, so that any server can host any number of them.
--
--     request   method, path, query (raw, nil without "?"), headers (lower-case names), body
--     response  status, headers, body, and what the host should do wrong (faults.lua):
--               delay = seconds, hang_up = true | "reset", cut = bytes,
--               later = function to be called after the delay, for the response itself

local auth = require "celements.sandbox.auth"
local body_reader = require "celements.sandbox.body"
local faults = require "celements.sandbox.faults"
local instances = require "celements.sandbox.instances"
local json = require "celements.json"
local options_reader = require "celements.sandbox.options"
local provider = require "celements.sandbox.provider"
local proxies = require "celements.sandbox.proxies"
local reply = require "celements.sandbox.reply"
local router = require "celements.sandbox.router"
local text = require "celements.sandbox.text"
local usage = require "celements.sandbox.usage"

local API = "/elements/api-v2"
local LOG_MAX = 1000            -- requests kept; all are counted
local LOG_BODY_MAX = 64 * 1024

local ROUTES = { "elements", "oauth", "instances", "parts", "hub", "account", "provider", "control" }

-- One for all models: routes hold no state.
local routes = router.new()
for _, group in ipairs(ROUTES) do
  require("celements.sandbox.routes_" .. group)(function(method, pattern, options, handler)
    routes:add(method, pattern, {
      who = options.who, body = options.body, page = options.page, query = options.query, handler = handler,
    })
  end)
end

---@class celements.sandbox.Model
local model = {}
local model_mt = { __index = model, __name = "celements.sandbox.Model" }

local M = {}

--- Forget everything that happened.
function model:reset()
  self.log = { count = 0, requests = {} }
  local options = self.options
  self.rules = faults.rules(options.faults or {})
  self.late = {}   -- what the platform has still to do, by the fault late=SECONDS
  self.usage = usage.new(options)
  self.proxies = proxies.new(options.oauth_proxies or {})
  self.provider = provider.new{ url = options.provider_url, now = self.now, random = self.random }
  self.instances = instances.new{
    now = self.now, random = self.random, provider = self.provider, oauth_proxies = self.proxies,
    refusal_status = options.refusal_status, masked = options.masked, premade_instances = options.premade_instances,
  }
end

--- What a list without rows is answered with; nil for the empty list.
---@param things string
---@return table? response
function model:none(things)
  return self.options.empty_lists == "not_found" and reply.refuse(404, ("No %s found"):format(things)) or nil
end

--- Replace the rules of the option `faults`.
---@param list table[]
---@return boolean? ok
---@return string? message
function model:set_faults(list)
  local rules, message = faults.rules(list)
  if not rules then
    return nil, message
  end
  self.rules = rules
  return true
end

--- Make a model.
---@param given table  see celements.sandbox.options
---@param level? integer  whose line a raised error names: its caller's unless said
---@return celements.sandbox.Model
function M.new(given, level)
  level = level or 1
  local options = options_reader.read(given, level + 1)
  local rules, message = faults.rules(options.faults or {})
  if not rules then
    error("sandbox: option faults: " .. message, level + 1)
  end
  local self = setmetatable({
    options = options, now = options.now, random = options.random,
    user_secret = options.user_secret, org_secret = options.org_secret,
  }, model_mt)
  self:reset()
  return self
end

local function record(self, request)
  local log = self.log
  log.count = log.count + 1
  local headers = {}
  for name, value in pairs(request.headers) do
    headers[name] = text.printable(value)
  end
  table.insert(log.requests, {
    method = request.method, path = request.path, query = request.query, headers = headers,
    body = text.printable(request.body:sub(1, LOG_BODY_MAX)),
  })
  if #log.requests > LOG_MAX then
    table.remove(log.requests, 1)
  end
end

-- Does this Accept header allow JSON?
local function accepts_json(accept)
  for range in ((accept or "*/*") .. ","):gmatch("%s*(.-)%s*,") do
    local kind = range:lower():match("^[^;%s]*")
    local refused = range:find(";%s*q=0%.?0*%s*$")
    if not refused and (kind == "*/*" or kind == "application/*" or kind == "application/json") then
      return true
    end
  end
  return false
end

local function read_body(request, demand)
  if demand == "optional" and request.body == "" then
    return {}
  end
  local content_type = (request.headers["content-type"] or ""):lower():match("^%s*([^;%s]*)")
  if content_type ~= "application/json" then
    return nil, reply.refuse(415, "Content-Type must be application/json.")
  end
  local body = json.decode(request.body)
  if type(body) ~= "table" or body_reader.is_array(body) then
    return nil, reply.refuse(400, "The request body is not a JSON object.")
  end
  return body
end

-- A name that the call does not have, or one twice that it has once, is nothing to be silent about.
local function check_query(query, known)
  for name, values in pairs(query) do
    if known[name] == nil then
      return reply.refuse(400, ("This call has no query parameter %s."):format(name))
    elseif values[2] and known[name] ~= "many" then
      return reply.refuse(400, ("The query parameter %s stands there more than once."):format(name))
    elseif known[name] == "boolean" and values[1] ~= "true" and values[1] ~= "false" then
      return reply.refuse(400, ("%s must be true or false."):format(name))
    end
  end
end

-- The request against everything that is the same for all calls, then the handler.
local function dispatch(self, request)
  local route, params = routes:find(request.method, request.path)
  if not route then
    if not params then
      return reply.refuse(404, "There is nothing at this path.")
    end
    local response = reply.refuse(405, ("The method %s is not allowed here."):format(request.method))
    response.headers.Allow = params
    return response
  end
  local call = { model = self, request = request, params = params, query = text.parse_query(request.query) }
  if not call.query then
    return reply.refuse(400, "The query string is not percent-encoded.")
  end
  local refused
  if route.who then
    call.caller, refused = auth.check(self, request.headers.authorization, route.who)
  end
  if not refused and not route.page and not accepts_json(request.headers.accept) then
    refused = reply.refuse(406, "Only application/json can be answered.")
  end
  if not refused and route.query then
    refused = check_query(call.query, route.query)
  end
  if not refused and route.body then
    call.body, refused = read_body(request, route.body)
  end
  local response = refused or route.handler(call)
  if call.caller and call.caller.instance then
    request.instance = call.caller.instance
    response.headers["Elements-Element-Instance-Id"] = ("%d"):format(call.caller.instance.id)
  end
  return response
end

local function below_api(path)
  return path:sub(1, #API) == API and path:sub(#API + 1) or path
end

local function find_fault(self, request)
  local spec = request.headers["sandbox-fault"]
  if spec then
    return faults.parse(spec)
  end
  return faults.match(self.rules, request.method, below_api(request.path))
end

-- Values become JSON, and every answer of the platform carries the request's id.
local function finish(self, response)
  local value = response.value
  if response.body then
    return response
  end
  local request_id = text.hex(self.random(12))
  response.headers["Elements-Request-Id"] = request_id
  response.headers["Content-Type"] = "application/json;charset=UTF-8"
  if value == nil then
    response.body = ""
    response.headers["Content-Type"] = nil
    return response
  end
  if response.status >= 400 then
    value.requestId = request_id
  end
  response.body = assert(json.encode(value))
  return response
end

-- The platform acts, and its answer is spoilt as the fault says.
local function answer(self, request, fault)
  local response
  if fault and faults.intercepts(fault) then
    response = finish(self, faults.instead(fault))
  else
    self.instances.breaks_off = fault and fault.hangup == "middle" or false
    response = finish(self, dispatch(self, request))
    self.instances.breaks_off = false
    local id = response.headers["Elements-Request-Id"]
    if id then
      self.usage:add{
        id = id, method = request.method, path = request.path, status = response.status, instance = request.instance,
      }
    end
  end
  if fault then
    local query = text.parse_query(request.query) or {}
    faults.spoil(fault, response, query.nextPage and query.nextPage[1])
  end
  return response
end

local function failed(self, problem)
  return finish(self, reply.refuse(500, "The sandbox itself failed: " .. text.printable(tostring(problem))))
end

-- The platform will act when its time has come, also when nobody waits any more.
local function put_off(self, request, fault)
  local task = { due = self.now() + fault.late }
  function task.run()
    if not task.response then
      local ok, response = pcall(answer, self, request, fault)
      task.response = ok and response or failed(self, response)
    end
    return task.response
  end
  table.insert(self.late, task)
  if fault.hangup then
    return { status = 200, headers = {}, body = "", hang_up = fault.reset and "reset" or true, delay = fault.delay }
  end
  return { status = 200, headers = {}, body = "", delay = fault.late + (fault.delay or 0), later = task.run }
end

local function catch_up(self)
  local waiting = {}
  for _, task in ipairs(self.late) do
    if task.due <= self.now() then
      task.run()
    else
      waiting[#waiting + 1] = task
    end
  end
  self.late = waiting
end

local function act(self, request)
  if self.late[1] then
    catch_up(self)
  end
  if request.path:find("^/sandbox/") then
    return finish(self, dispatch(self, request))
  end
  record(self, request)
  local fault, message = find_fault(self, request)
  if message then
    return finish(self, reply.refuse(400, message))
  elseif fault and fault.late then
    return put_off(self, request, fault)
  end
  return answer(self, request, fault)
end

--- Answer a request.  Never raises: a fault of the sandbox itself is a 500 that says so.
---@param request table
---@return table response
function model:handle(request)
  local ok, response = pcall(act, self, request)
  if ok then
    return response
  end
  return failed(self, response)
end

--- The requests received, oldest first (the last thousand), as `GET /sandbox/requests` shows them.
---@return table[] requests
---@return integer count  of all there ever were
function model:requests()
  return self.log.requests, self.log.count
end

return M
