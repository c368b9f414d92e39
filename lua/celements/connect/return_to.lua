--- Where a user may be sent in the end: pages of this site, and nothing else (pitfall 15).
-- Pure.  An allow-list of what a path is made of: what browsers and proxies repair,
-- each in its own way, is refused rather than understood.

local M = {}

local MAX_BYTES = 1024

-- Of RFC 3986: what a path, a query and a fragment hold beside "/", "?" and "%".
local ALLOWED = "^[%w%-._~!$&'()*+,;=:@/?%%#]*$"

-- Every "%" begins an encoding of something that is no control character.
local function encodings_are_fine(text)
  for hex in text:gmatch("%%(.?.?)") do
    local byte = hex:find("^%x%x$") and tonumber(hex, 16)
    if not byte or byte < 32 or byte == 127 then
      return false
    end
  end
  return true
end

-- A part of a path must not hide what separates parts, nor lead upwards.
local function segments_are_fine(path)
  local lower = path:lower()
  if lower:find("%2f", 1, true) or lower:find("%5c", 1, true) or path:find("//", 1, true) then
    return false
  end
  for segment in lower:gsub("%%2e", "."):gmatch("[^/]+") do
    if segment == "." or segment == ".." then
      return false
    end
  end
  return true
end

--- The value itself when it is a page of this site.
---@param value any  what somebody asked for
---@return string? path  with its query and fragment
function M.clean(value)
  if type(value) ~= "string" or #value > MAX_BYTES or value:sub(1, 1) ~= "/" then
    return nil
  elseif not value:find(ALLOWED) or not encodings_are_fine(value) then
    return nil
  end
  local path, rest = value:match("^([^?#]*)(.*)$")
  if not segments_are_fine(path) or select(2, rest:gsub("#", "")) > 1 then
    return nil
  end
  return value
end

--- The path alone, without query and fragment.
---@param value string
---@return string
function M.path(value)
  return value:match("^[^?#]*")
end

--- A page of this site with one more argument in its query.
---@param page string
---@param name string
---@param value string  of characters that need no encoding
---@return string
function M.with(page, name, value)
  local before, fragment = page:match("^([^#]*)(.*)$")
  local joined = before:find("?", 1, true) and "&" or "?"
  return before .. joined .. name .. "=" .. value .. fragment
end

return M
