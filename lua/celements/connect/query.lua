--- The arguments of a request, read from the raw text of its query.
-- Pure.  nginx's own reader stops after a hundred arguments without a word, and gives
-- tables and `true` where a program expects text; here the one is refused and the other
-- is left to whoever asks for text.

local M = {}

-- More than any provider sends, and little to read.
local MAX_BYTES = 16 * 1024
local MAX_ARGUMENTS = 100

local function unescape(text)
  text = text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return text
end

--- Read a query.
---@param text string?  what stands behind the "?"
---@return table<string, string|string[]|true>? arguments  a list where a name is repeated, true where it has no "="
---@return string? problem
function M.read(text)
  local found, count = {}, 0
  text = text or ""
  if #text > MAX_BYTES then
    return nil, ("the query is longer than %d bytes"):format(MAX_BYTES)
  end
  for pair in text:gmatch("[^&]+") do
    count = count + 1
    if count > MAX_ARGUMENTS then
      return nil, ("the query has more than %d arguments"):format(MAX_ARGUMENTS)
    end
    local name, value = pair:match("^([^=]*)=(.*)$")
    name, value = unescape(name or pair), value and unescape(value) or true
    if found[name] == nil then
      found[name] = value
    elseif type(found[name]) == "table" then
      table.insert(found[name], value)
    else
      found[name] = { found[name], value }
    end
  end
  return found
end

--- The value of an argument that is there once and has one.
---@param arguments table
---@param name string
---@return string?
function M.text(arguments, name)
  local value = arguments[name]
  if type(value) == "string" and value ~= "" then
    return value
  end
end

--- One value, ready to stand in a query.
---@param value string
---@return string
function M.escape(value)
  return (value:gsub("[^%w%-._~/]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

return M
