--- Drives a sandbox model the way a client would, without a socket.  Every answer is
-- looked at: errors must have the platform's body, results must meet the vendor's schema.

local json = require "celements.json"
local model = require "celements.sandbox.model"
local schema = require "spec.support.schema"
local schemas = require "spec.fixtures.schemas"
local text = require "celements.sandbox.text"

local API = "/elements/api-v2"

-- Paths below the API, and what a 200 there must look like; the first that fits counts.
local SHAPES = {
  { "^/elements/oauthProxies", nil },
  { "^/elements/metadata$", "element.metadata.schema.json", each = true },
  { "^/elements/%d+/docs$", "swagger.schema.json" },
  { "^/elements/[^/]+/export$", "element.schema.json" },
  { "^/elements$", "elements.schema.json" },
  { "^/elements/keys$", "keys.schema.json" },
  { "^/elements/[^/]+$", "element.schema.json" },
  { "^/elements/[^/]+/configuration$", "element.configurations.schema.json" },
  { "/instances/%d+$", "element.instance.schema.json" },
  { "^/instances$", "element.instances.schema.json", method = "GET" },
  { "^/instances$", "element.instance.schema.json" },
  { "^/elements/[^/]+/instances$", "element.instances.schema.json", method = "GET" },
  { "^/elements/[^/]+/instances$", "element.instance.schema.json" },
  { "/events$", "events.schema.json" },
  { "/events/[^/]+$", "event.schema.json" },
  { "^/instances/.*docs$", "swagger.schema.json" },
  { "^/instances/.*docs/[^/]+$", "swagger.schema.json" },
  { "^/usage$", "usage.schema.json" },
}

local M = {}

local platform = {}
platform.__index = platform

--- A model with a clock and a random source of the spec's own.
---@param options? table  as celements.sandbox.model takes
---@return table platform
function M.new(options)
  local self = setmetatable({ time = 1500000000, seed = 1 }, platform)
  local filled = {
    user_secret = "user+secret/1=", org_secret = "0123456789abcdef0123456789abcdef",
    provider_url = "http://127.0.0.1:1/provider",
    now = function() return self.time end,
    random = function(n)   -- different every time, and the same in every run
      local bytes = {}
      for i = 1, n do
        self.seed = (self.seed * 16807) % 2147483647
        bytes[i] = string.char(self.seed % 256)
      end
      return table.concat(bytes)
    end,
  }
  for name, value in pairs(options or {}) do
    filled[name] = value
  end
  self.model = model.new(filled)
  self.account = ("User %s, Organization %s"):format(filled.user_secret, filled.org_secret)
  return self
end

--- The Authorization header of calls with an instance's token.
function platform:element(token)
  return ("User %s, Element %s"):format(self.model.user_secret, token)
end

local function check_shape(method, path, query, value)
  local metadata = path:find("^/elements/%d+/metadata$")
  if metadata then
    local expanded = query:find("expand=true", 1, true)
    assert(schema.check(schemas, ("element.metadata.%sschema.json"):format(expanded and "expanded" or ""), value))
  end
  for _, shape in ipairs(SHAPES) do
    if path:find(shape[1]) and (not shape.method or shape.method == method) then
      for _, one in ipairs(shape[2] and (shape.each and value or { value }) or {}) do
        assert(schema.check(schemas, shape[2], one))
      end
      return
    end
  end
end

local function look_at(method, path, query, response, value)
  local id = response.headers["Elements-Request-Id"]
  assert(id and id:find("^%x+$") and #id == 24, "no request id at " .. path)
  if response.status >= 400 then
    local expected = { requestId = true, message = true, providerMessage = true }
    assert(value.requestId == id and type(value.message) == "string", "not the platform's error body")
    for name in pairs(value) do
      assert(expected[name], "the error body has a field " .. name)
    end
    return
  end
  check_shape(method, path, query, value)
end

--- One call below the API.
---@param method string
---@param path string  with its query
---@param options? table  `auth` (default: User and Organization; false: none), `json` (a value to send), `headers`, `body`, `other_shape` (not as the vendor's schema has it)
---@return integer status
---@return any value  decoded; nil for an empty body
---@return table response
function platform:call(method, path, options)
  options = options or {}
  local headers = {}
  if options.auth ~= false then
    headers.authorization = options.auth or self.account
  end
  local body = options.body or ""
  if options.json ~= nil then
    body, headers["content-type"] = assert(json.encode(options.json)), "application/json"
  end
  for name, value in pairs(options.headers or {}) do
    headers[name] = value ~= "" and value or nil
  end
  local where, query = path:match("^([^?]*)%??(.*)$")
  local response = self.model:handle{
    method = method, path = API .. where, query = query ~= "" and query or nil, headers = headers, body = body,
  }
  local value
  if (response.headers["Content-Type"] or ""):find("json") and response.body ~= "" then
    value = json.decode(response.body)
    if not headers["sandbox-fault"] and not options.other_shape then
      look_at(method, where, query, response, value)
    end
  end
  return response.status, value, response
end

--- The header of calls about an instance, addressed by its token.
function platform:instance(token)
  return ("%s, Element %s"):format(self.account, token)
end

--- A call to the sandbox's own control paths.
---@return integer status
---@return any value
function platform:control(method, path, value)
  local response = self.model:handle{
    method = method, path = "/sandbox" .. path, body = value and assert(json.encode(value)) or "",
    headers = { ["content-type"] = value and "application/json" or nil },
  }
  return response.status, response.body ~= "" and json.decode(response.body) or nil
end

--- oauth/url with these parameters -> the URL for the user.
function platform:consent_url(element, parameters)
  local list = {}
  for name, value in pairs(parameters) do
    list[#list + 1] = { name, value }
  end
  local status, value = self:call("GET", text.add_query(("/elements/%s/oauth/url"):format(element), list))
  assert(status == 200, value.message)
  return value.oauthUrl
end

--- A request to the provider's page.
---@return table response
function platform:provider(method, url, body)
  local path, query = url:match("^https?://[^/]+([^?]*)%??(.*)$")
  return self.model:handle{ method = method, path = path, query = query, headers = {}, body = body or "" }
end

--- Decide at the consent page -> the callback's parameters, one value a name.
function platform:consent(url, decision)
  local response = self:provider("POST", url, "decision=" .. (decision or "approve"))
  assert(response.status == 302, response.body)
  local found = {}
  for name, values in pairs(text.parse_query(response.headers.Location:match("%?(.*)$"))) do
    assert(#values == 1)
    found[name] = values[1]
  end
  return found, response.headers.Location
end

return M
