--- The door that every text passes on its way into an error (pitfall 5).
-- Collects what a client and a call know to be secret; C does the searching.

local core = require "celements.core"

local M = {}

local is_name = core.secret.is_name

local DEPTH = 128 -- as deep as JSON may be

local HIDDEN = "[redacted]"

-- As it stood on the wire: 987654321, on no Lua 987654321.0.
local function number_text(value)
  return value % 1 == 0 and ("%.0f"):format(value) or tostring(value)
end

-- All that is in these may be one, whatever its name: a configuration value's key stands beside
-- it, or in the path.
local ALL_SECRET = { providerData = true, propertyValue = true }

local function add(values, value)
  if type(value) == "string" and #value > 0 then
    values[#values + 1] = value
  end
end

-- Every text under a name that sounds secret, and all that a provider gave.
local function collect(values, value, secret, depth)
  if type(value) == "string" or type(value) == "number" then
    if secret then
      add(values, type(value) == "number" and number_text(value) or value)
    end
  elseif type(value) == "table" and depth < DEPTH then
    for name, inner in pairs(value) do
      local named = type(name) == "string" and (ALL_SECRET[name] or is_name(name))
      collect(values, inner, secret or named, depth + 1)
    end
  end
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(c)
  return ESCAPES[c] or ("\\u%04x"):format(c:byte())
end

-- As they stand in a request's body: a server that answers with the body in base64 or
-- percent-encoded encodes the escapes too.  Encoders differ about the slash.
local function add_escaped(values)
  for i = 1, #values do
    local value = values[i]
    if type(value) == "string" and value:find('[%c"\\/]') then
      add(values, (value:gsub('[%c"\\/]', escape)))
      add(values, (value:gsub('[%c"\\]', escape)))
    end
  end
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- All secrets of a client and a call: Secrets and strings.
---@param secrets table[]  of the client
---@param call {query_text?: string, json?: any, lines?: string[], element?: celements.Secret, secret_value?: string}
---@return table
function M.values(secrets, call)
  local values = {}
  for i = 1, #secrets do
    values[i] = secrets[i]
  end
  for name, value in (call.query_text or ""):gmatch "([^&=]*)=([^&]*)" do
    if is_name(decoded(name)) then
      add(values, decoded(value))
    end
  end
  for _, line in ipairs(call.lines or {}) do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    if name and is_name(name) then
      add(values, value)
    end
  end
  values[#values + 1] = call.element
  add(values, call.secret_value)
  collect(values, call.json, false, 0)
  add_escaped(values)
  return values
end

--- A text without the values, and without what stands behind secret names.
---@param text string
---@param values table
---@return string
function M.text(text, values)
  return core.secret.redact(text, values)
end

--- A decoded answer without them: a copy, secret names hidden whole.
---@param value any
---@param values table
---@param secret? string  the name that it stands under, or a table around it, when that sounds secret
---@return any
function M.value(value, values, secret)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    local shown = secret and M.secret_field(secret, value) or value
    if type(shown) == "string" then
      return core.secret.redact(shown, values)
    end
    -- A secret of digits alone may come back as a number, such as a portal's id.
    local text = number_text(shown)
    return core.secret.redact(text, values) == text and shown or HIDDEN
  elseif kind ~= "table" then
    return value
  end
  local copy = setmetatable({}, getmetatable(value)) -- an array stays one
  for name, inner in pairs(value) do
    local clean, named = name, secret
    if type(name) == "string" then
      clean, named = core.secret.redact(name, values), secret or (is_name(name) and name) or nil
    end
    copy[clean] = M.value(inner, values, named)
  end
  return copy
end

-- "code" also names what went wrong; the search in text knows the difference.
function M.secret_field(name, value)
  local text = tostring(value)
  local hidden = core.secret.redact(('"%s":"%s"'):format(name, text), {})
  if hidden == ('"%s":"%s"'):format(name, text) then
    return value
  end
  return HIDDEN
end

return M
