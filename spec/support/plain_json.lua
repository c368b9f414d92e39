--- JSON read by hand, for specs that must not trust celements.json with its own work.
-- Strict and small.  Keeps what decoders like to lose: arrays know that they are arrays,
-- null is a value, and numbers stay the text they were.

local M = {}

M.null = setmetatable({}, { __tostring = function() return "null" end })

local array_mt = { __name = "array" }
local number_mt = { __name = "number", __tostring = function(self) return self[1] end }

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

-- A code point as UTF-8.
local function utf8_char(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return string.char(0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40,
    0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

local function fail(at, what)
  error(("plain_json: %s at %d"):format(what, at), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function read_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('[%c"\\]', from) or fail(at, "a string without an end")
    parts[#parts + 1] = text:sub(from, stop - 1)
    local c = text:sub(stop, stop)
    if c == '"' then
      return table.concat(parts), stop + 1
    elseif c ~= "\\" then
      fail(stop, "a control character")
    end
    local hex = text:match("^u(%x%x%x%x)", stop + 1)
    if hex then
      local code, low = tonumber(hex, 16), text:match("^\\u([dD][c-fC-F]%x%x)", stop + 6)
      from = stop + 6
      if code >= 0xD800 and code < 0xDC00 and low then
        code = 0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00
        from = from + 6
      end
      parts[#parts + 1] = utf8_char(code)
    else
      parts[#parts + 1] = ESCAPES[text:sub(stop + 1, stop + 1)] or fail(stop, "an unknown escape")
      from = stop + 2
    end
  end
end

local read_value

local function read_list(text, at, close, read_item)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then
    return at + 1
  end
  while true do
    at = skip(text, read_item(at))
    local c = text:sub(at, at)
    if c == close then
      return at + 1
    elseif c ~= "," then
      fail(at, "no comma")
    end
    at = skip(text, at + 1)
  end
end

local function read_array(text, at)
  local list = setmetatable({}, array_mt)
  at = read_list(text, at, "]", function(from)
    local value, after = read_value(text, from)
    list[#list + 1] = value
    return after
  end)
  return list, at
end

local function read_object(text, at)
  local object = {}
  at = read_list(text, at, "}", function(from)
    local name, colon = read_string(text, text:find('^"', from) or fail(from, "no name"))
    colon = skip(text, colon)
    if text:sub(colon, colon) ~= ":" then
      fail(colon, "no colon")
    elseif object[name] ~= nil then
      fail(from, "a name twice")
    end
    local value, after = read_value(text, skip(text, colon + 1))
    object[name] = value
    return after
  end)
  return object, at
end

function read_value(text, at)
  local c = text:sub(at, at)
  if c == '"' then
    return read_string(text, at)
  elseif c == "{" then
    return read_object(text, at)
  elseif c == "[" then
    return read_array(text, at)
  end
  for word, value in pairs { ["true"] = true, ["false"] = false, null = M.null } do
    if text:sub(at, at + #word - 1) == word then
      return value, at + #word
    end
  end
  local number = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at) or fail(at, "no value")
  return setmetatable({ number }, number_mt), at + #number
end

--- Marks a list as an array, as those that were read are.
---@param list table
---@return table list
function M.array(list)
  return setmetatable(list, array_mt)
end

--- The value of a JSON text; raises for what is not JSON.
---@param text string
---@return any
function M.decode(text)
  local value, at = read_value(text, skip(text, 1))
  at = skip(text, at)
  if at <= #text then
    fail(at, "text after the document")
  end
  return value
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c)
    return ("\\u%04x"):format(c:byte())
  end) .. '"'
end

--- The JSON text of a decoded value.
---@param value any
---@return string
function M.encode(value)
  if type(value) == "string" then
    return quote(value)
  elseif type(value) ~= "table" or value == M.null or getmetatable(value) == number_mt then
    return tostring(value)
  end
  local parts = {}
  if getmetatable(value) == array_mt then
    for i, inner in ipairs(value) do
      parts[i] = M.encode(inner)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for name, inner in pairs(value) do
    parts[#parts + 1] = quote(name) .. ":" .. M.encode(inner)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Where two decoded values differ, as a path; nil when they are the same.  Knows an
--- empty array from an empty object, null from nothing, and 1 from "1" and 1.0.
---@param a any
---@param b any
---@return string?
function M.difference(a, b, path)
  path = path or "the document"
  if type(a) ~= "table" or type(b) ~= "table" then
    return a ~= b and ("%s: %s is not %s"):format(path, tostring(a), tostring(b)) or nil
  elseif getmetatable(a) ~= getmetatable(b) then
    return path .. ": not of the same kind"
  end
  for name in pairs(a) do
    local where = M.difference(a[name], b[name], path .. "." .. tostring(name))
    if where then
      return where
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return path .. "." .. tostring(name) .. ": missing"
    end
  end
end

--- As plain Lua: numbers become numbers, null what is given for it.
---@param value any
---@param null any
---@return any
function M.plain(value, null)
  if value == M.null then
    return null
  elseif type(value) ~= "table" then
    return value
  elseif getmetatable(value) == number_mt then
    return tonumber(value[1])
  end
  local copy = {}
  for name, inner in pairs(value) do
    copy[name] = M.plain(inner, null)
  end
  return copy
end

return M
