--- Stand-ins for the versions of lua-cjson that are not installed here.
-- Each has the settings and does the damage that the real one does: what it rounds,
-- clips and confuses is the point.  Small and slow; for specs only.

local real = require "cjson"

local M = {}

local function escape(text, slash)
  text = text:gsub('[%c"\\\127]', function(char)
    return char == '"' and '\\"' or char == "\\" and "\\\\" or ("\\u%04x"):format(char:byte())
  end)
  return '"' .. (slash and text:gsub("/", "\\/") or text) .. '"'
end

local function is_integer(value)
  return math.type and math.type(value) == "integer"
end

local encode

local function encode_list(list, count, version)
  local out = {}
  for i = 1, count do
    out[i] = encode(list[i], version)
  end
  return "[" .. table.concat(out, ",") .. "]"
end

function encode(value, version)
  local kind = type(value)
  if kind == "string" then
    return escape(value, version.slash)
  elseif kind == "number" and version.exact and is_integer(value) then
    return ("%d"):format(value)
  elseif kind == "number" then
    return ((("%%.%dg"):format(version.precision)):format(value))
  elseif kind == "boolean" then
    return tostring(value)
  elseif value == nil or value == real.null then
    return "null"
  elseif kind ~= "table" then
    error("Cannot serialise " .. kind)
  end
  local highest, names = 0, false
  for key in pairs(value) do
    names = names or type(key) ~= "number"
    highest = not names and math.max(highest, key) or highest
  end
  if not names and (highest > 0 or (version.array_mt and getmetatable(value) == version.array_mt)) then
    return encode_list(value, highest, version)
  end
  local out = {}
  for key, item in pairs(value) do
    out[#out + 1] = escape(tostring(key), version.slash) .. ":" .. encode(item, version)
  end
  return "{" .. table.concat(out, ",") .. "}"
end

-- The real one reads; what is damaged by it and by the stand-in's version is the same
-- up to integers, which are read again from the text where the version is exact.
local function decode(text, version, settings)
  local instance = real.new()
  instance.decode_invalid_numbers(settings.decode_invalid_numbers)
  instance.decode_max_depth(settings.decode_max_depth)
  if not version.exact or not math.tointeger then
    return instance.decode(text)
  end
  -- Integers go through as text with a mark, then become what strtoll makes of them.
  local marked = text:gsub('("[^"\\]*")', function(str)
    return (str:gsub("%d", function(digit)
      return "\\u003" .. digit
    end))
  end):gsub("([%[:,]%s*)(%-?%d+)(%s*[,}%]])", '%1"\1int%2"%3'):gsub("([%[:,]%s*)(%-?%d+)(%s*[,}%]])", '%1"\1int%2"%3')
  local function settle(value)
    if type(value) == "table" then
      for key, item in pairs(value) do
        value[key] = settle(item)
      end
      return value
    end
    local digits = type(value) == "string" and value:match("^\1int(.*)$")
    if not digits then
      return value
    end
    return math.tointeger(tonumber(digits)) or (digits:find("^%-") and math.mininteger or math.maxinteger)
  end
  return settle(instance.decode(marked))
end

local function module_of(version)
  local module = { null = real.null, array_mt = version.array_mt, empty_array_mt = version.array_mt and {} }
  module.settings = {}   -- name -> value, of the instances; the module's own are never to be set

  function module.new()
    local instance = { null = real.null }
    function instance.encode(value)
      local precision = module.settings.encode_number_precision or version.precision
      return encode(value, setmetatable({ precision = precision }, { __index = version }))
    end
    function instance.decode(text)
      return decode(text, version, module.settings)
    end
    for _, name in ipairs { "decode_invalid_numbers", "decode_max_depth", "encode_max_depth", "encode_keep_buffer" } do
      instance[name] = function(value)
        module.settings[name] = value
      end
    end
    function instance.encode_number_precision(value)
      assert(value <= version.precision, "precision out of range")
      module.settings.encode_number_precision = value
    end
    return instance
  end
  return module
end

--- The stand-ins by name, fresh at each call.
function M.all()
  return {
    ["the installed one"] = real,
    ["one like 2.1.0"] = module_of { precision = 14, slash = true },
    ["one like 2.1.0.10"] = module_of { precision = 16, array_mt = {} },
    ["one like today's"] = module_of { precision = 16, exact = true, array_mt = {} },
  }
end

return M
