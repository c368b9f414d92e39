--- JSON in and out: exact, and with errors a person can act on.
-- lua-cjson does the work, through celements.json.raw; here its refusals become errors, and a
-- broken text is looked at again to find its first fault.  Knows nothing of HTTP.

local error_of = require "celements.error"
local raw = require "celements.json.raw"

local decode_text, encode_value = raw.decode, raw.encode

---@class celements.Json
local M = {}

--- JSON's null, the same value as lua-cjson's; truthy, so compare with it.
M.null = raw.null

--- Marks a table as an array, so that it is written as `[]` even when it is empty.
--- Returns the same table.  Arrays that were decoded are marked already.
---@generic T: table
---@param list T
---@return T
M.array = raw.array

local function check_string(name, value, what)
  if type(value) ~= "string" then
    error(("celements.json.%s: %s must be a string, not %s"):format(name, what, type(value)), 3)
  end
end

local function unescape(quoted)
  return (decode_text(quoted))
end

-- lua-cjson's words, and the guard's, for a fault that no one can place better.
local function fallback(why, offset)
  return { reason = "other", at = offset or tonumber(why:match("at character (%d+)")) or 1, message = why }
end

local function decode_error(text, why, offset, file)
  -- Finding a fault takes code that most programs never need.
  local diagnose, place = require "celements.json.diagnose", require "celements.json.place"
  local fault = diagnose.first_fault(text, unescape)
  if not fault or (offset and offset < fault.at) then
    fault = fallback(why, offset)
  end
  local line, column = place.of(text, fault.at)
  return error_of.new {
    kind = "decode",
    message = (file and file .. ", " or "")
      .. ("line %d, column %d: %s (%s)"):format(line, column, fault.message, fault.reason),
    reason = fault.reason,
    line = line,
    column = column,
    excerpt = place.excerpt(text, fault.at),
  }
end

local function decode(text, file)
  local value, why, offset = decode_text(text, true)
  if value ~= nil then
    return value
  end
  return nil, decode_error(text, why, offset, file)
end

--- Read a JSON text that a person wrote: strictly.  A byte order mark at its start is
--- skipped; a name twice in one object is refused, since a value would be lost, and so
--- is an integer that this Lua cannot hold exactly.
---@param text string
---@return any? value
---@return celements.Error? err  kind "decode" with reason, line, column and excerpt
function M.decode(text)
  check_string("decode", text, "the text")
  return decode(text)
end

--- Read an answer of the platform: raw line breaks inside strings are accepted, the
--- last of two equal names counts, and an integer that this Lua cannot hold exactly
--- comes as text, digit for digit.
---@param text string
---@return any? value
---@return celements.Error? err  kind "decode"; it holds nothing of the text
function M.decode_answer(text)
  local value, why = decode_text(text, false)
  if value ~= nil then
    return value
  end
  check_string("decode_answer", text, "the text") -- what is no text is no JSON either
  return nil, error_of.new { kind = "decode", message = "not JSON: " .. why, reason = "other" }
end

--- Write a value as JSON.  What JSON cannot say, or could only say by losing
--- something (holes, mixed keys, text that is not UTF-8, cycles), is refused.
---@param value any
---@return string? text
---@return celements.Error? err  kind "config", naming the path and never the value
function M.encode(value)
  local text, why = encode_value(value)
  if text then
    return text
  end
  return nil, error_of.new { kind = "config", message = "cannot be written as JSON: " .. why }
end

--- Read a file such as the vendor's `instance.json`, as `decode` does.
---@param path string
---@return any? value
---@return celements.Error? err  kind "config" when it cannot be read, else as `decode`
function M.load(path)
  check_string("load", path, "the path")
  local file, why = io.open(path, "rb")
  local text
  if file then
    text, why = file:read("*a")
    file:close()
  end
  if not text then
    -- io.open puts the path before the reason, read does not.
    why = why and why:gsub("^" .. path:gsub("%p", "%%%0") .. ": ", "") or "it cannot be read"
    return nil, error_of.new { kind = "config", message = ("cannot read %s: %s"):format(path, why) }
  end
  return decode(text, path)
end

return M
