--- Any call: client:request(), and calls for display.
-- Adds request to celements.Client.  Reads and checks what the caller wrote; how a call
-- is sent is the client's business.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local params_of = require "celements.params"

---@class celements.Client
local methods = client.methods

local M = {}

local OPTIONS = { headers = true, timeout = true, retries = true, query = true, json = true, element_token = true }

local DISPLAY_OPTIONS = { reveal = true }
for name in pairs(OPTIONS) do
  DISPLAY_OPTIONS[name] = true
end

local NO_OPTIONS = {}

local AS_WRITTEN = {} -- a query's names are the wire's, and have no places

local PATH_MAX = 16 * 1024

local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true }

local function add_parameter(out, name, value, level)
  check.type(name, "string", "a query parameter's name", level + 1)
  params_of.add_pairs(out, name, value, "the query parameter " .. name, level + 1)
end

--- A query as a flat list of names and values: from a list of pairs in its order, from
-- a table in the order of the alphabet, so that equal calls give equal bytes.
function M.flat_query(query, level)
  check.table(query, "query", level + 1)
  local out = {}
  if query[1] ~= nil then
    for name in pairs(query) do
      if type(name) ~= "number" then
        error(("a query is a list of pairs or a table of names, not both: %s"):format(tostring(name)), level + 1)
      end
    end
    check.list(query, "the query", level + 1)
    for _, pair in ipairs(query) do
      check.table(pair, "each pair of a query list", level + 1)
      add_parameter(out, pair[1], pair[2], level + 1)
    end
    return out
  end
  local names = {}
  for name in pairs(query) do
    check.type(name, "string", "a query parameter's name", level + 1)
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    add_parameter(out, name, query[name], level + 1)
  end
  return out
end

-- What request() is given as a call; raises for what cannot be one.
local function as_asked(method, path, options, level, known)
  check.type(method, "string", "the method", level + 1)
  check.type(path, "string", "the path", level + 1)
  method = method:upper()
  if not METHODS[method] then
    error("the method has to be one of DELETE, GET, HEAD, PATCH, POST and PUT", level + 1)
  elseif #path > PATH_MAX then
    error(("the path is longer than %d bytes"):format(PATH_MAX), level + 1)
  elseif not core.url.path_ok(path) then
    error("the path has to start with '/' and be percent-encoded, without the base URL; "
      .. "celements.path('instances', id) makes one", level + 1)
  end
  client.check_options(options, level + 1, known or OPTIONS)
  options = options or NO_OPTIONS
  local query = options.query
  local text = query ~= nil and core.params.query(query, AS_WRITTEN, AS_WRITTEN) or nil
  return {
    method = method,
    path = path,
    query = query ~= nil and not text and M.flat_query(query, level + 1) or nil,
    query_text = text,
    json = options.json,
  }
end

--- Send any request to the platform: the one door that all other functions use.
-- Yields in event loops, blocks elsewhere.  GET, HEAD and DELETE are tried again where
-- that helps; POST, PUT and PATCH only when certainly nothing was sent.
---@param method string  "GET", "HEAD", "POST", "PUT", "PATCH" or "DELETE"
---@param path string  below the base URL, made by celements.path()
---@param options? {query?: table, json?: any, headers?: table<string, string>, timeout?: number, retries?: integer, element_token?: string}  element_token: an instance's token, for a call to its resources
---@return any? result  the decoded answer; true for an empty one
---@return celements.Info info  or celements.Error when result is nil
function methods:request(method, path, options)
  local call = as_asked(method, path, options, 2)
  local result, info = client.send(self, call, options, 2)
  return result, info
end

--- A call as client:request() would send it, without sending it: for display.
---@param self celements.Client
---@param method string
---@param path string
---@param options table?  as for client:request(), and reveal
---@param level integer
---@return table call  with query, json, lines, letters, element and the client's secrets
---@return string base_url
function M.describe(self, method, path, options, level)
  local call = as_asked(method, path, options, level + 1, DISPLAY_OPTIONS)
  if options and options.query ~= nil then
    call.query = M.flat_query(options.query, level + 1)
  end
  local base_url
  call, base_url = client.completed(self, call, options, level + 1)
  return call, base_url
end

local SCHEMES = { { "u", "User", 1 }, { "o", "Organization", 2 } }

--- The value of the Authorization header of a call, hidden unless it is to be revealed.
---@param call table  from describe()
---@param reveal boolean?
---@return string?
function M.authorization(call, reveal)
  local parts = {}
  for _, scheme in ipairs(SCHEMES) do
    local secret = call.secrets[scheme[3]]
    if call.letters:find(scheme[1], 1, true) then
      parts[#parts + 1] = scheme[2] .. " " .. (reveal and core.secret.reveal(secret) or "[redacted]")
    end
  end
  if call.element then
    parts[#parts + 1] = "Element " .. (reveal and core.secret.reveal(call.element) or "[redacted]")
  end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

return M
