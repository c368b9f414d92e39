--- The options of a client: names, types, environment, defaults.
-- Reads the environment once, when a client is made.  Knows nothing of requests.

local base_url = require "celements.base_url"
local check = require "celements.check"

local M = {}

local function positive(value)
  return value > 0 and value < math.huge, "has to be a number of seconds above 0"
end

local function whole(value)
  return value >= 0 and value < math.huge and value % 1 == 0, "has to be a whole number, 0 or more"
end

local function not_empty(value)
  return value ~= "", "is empty; leave it out for the system's trust store"
end

-- check: the value -> true, or false and what is wrong with it.
local KNOWN = {
  base_url = { type = "string", env = "CELEMENTS_BASE_URL", default = base_url.DEFAULT },
  user_secret = { type = "string", env = "CELEMENTS_USER_SECRET", secret = true },
  org_secret = { type = "string", env = "CELEMENTS_ORG_SECRET", secret = true },
  timeout = { type = "number", env = "CELEMENTS_TIMEOUT", check = positive },
  connect_timeout = { type = "number", default = 10, check = positive },
  retries = { type = "number", default = 2, check = whole },
  ca_file = { type = "string", check = not_empty },
  proxy = { type = "string" },
  user_agent = { type = "string" },
  max_body = { type = "number", default = 16 * 1024 * 1024, check = whole },
  http_version = {
    type = "string",
    default = "1.1",
    check = function(value)
      return value == "1.1" or value == "2", 'has to be "1.1" or "2"'
    end,
  },
  waiter = { type = "string" },
  on_response = { type = "function" },
  allow_http = { type = "boolean", default = false },
  headers = { type = "table" },
}

-- A file's last line break comes along when a value is read from it.
local function trim_line_end(text)
  return (text:gsub("\r?\n$", ""))
end

local SECRET_MAX = 8 * 1024

local function from_environment(spec, getenv)
  local text = spec.env and getenv(spec.env)
  if not text or text == "" then
    return nil
  end
  if spec.type ~= "number" then
    return text
  end
  local number = tonumber(text)
  if not number then
    return nil, ("%s is not a number"):format(spec.env)
  end
  return number
end

-- One value, checked: value, or nil and the problem; name is how to call it.
local function accept(spec, value, name)
  if type(value) == "string" and spec.type == "string" then
    value = trim_line_end(value)
    if spec.secret then
      if value == "" then
        return nil, name .. " is empty"
      elseif #value > SECRET_MAX then
        return nil, ("%s has %d bytes; no secret is that long"):format(name, #value)
      end
    end
    local problem = spec.secret and check.secret_problem(value)
    if not problem and value:find("%c") then
      problem = "holds a control character"
    end
    if problem then
      return nil, name .. " " .. problem
    end
  end
  if spec.check then
    local fine, problem = spec.check(value)
    if not fine then
      return nil, name .. " " .. problem
    end
  end
  return value
end

local function read_one(name, spec, given, getenv)
  if given ~= nil then
    return accept(spec, given, name)
  end
  local value, problem = from_environment(spec, getenv)
  if problem then
    return nil, problem
  end
  if value ~= nil then
    return accept(spec, value, spec.env)
  end
  return spec.default
end

--- Complete the options a program gave by the environment and the defaults.
-- Raises for an unknown name or a wrong type; a value that cannot be used comes
-- back as a problem, since it may be the environment's.
---@param given table?
---@param level integer  whose line a raised error names, as for error()
---@param getenv? fun(name: string): string?
---@return table? options  a new table
---@return string? problem
function M.read(given, level, getenv)
  getenv = getenv or os.getenv
  given = given or {}
  check.table(given, "options", level + 1)
  if given.create_instance then
    error("call celements.new with a dot, not with a colon", level + 1)
  end
  for name, value in pairs(given) do
    local spec = KNOWN[name]
    if not spec then
      check.unknown(name, KNOWN, "option", level + 1)
    end
    check.type(value, spec.type, name, level + 1)
  end
  local options = {}
  for name, spec in pairs(KNOWN) do
    local value, problem = read_one(name, spec, given[name], getenv)
    if problem then
      return nil, problem
    end
    options[name] = value
  end
  local url, problem, loopback = base_url.normalise(options.base_url, options.allow_http)
  if not url then
    return nil, (given.base_url and "base_url" or "CELEMENTS_BASE_URL") .. " " .. problem
  end
  options.base_url, options.loopback = url, loopback
  return options
end

return M
