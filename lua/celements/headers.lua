--- Headers that a program adds to its calls.
-- Checks them and makes lines of them.  Read when a client or a call has some.

local check = require "celements.check"
local core = require "celements.core"

local M = {}

local FRAMING = {}
for name in ("host content-length transfer-encoding expect te trailer upgrade"):gmatch("%S+") do
  FRAMING[name] = true
end

--- "Name: value" lines of a table of headers.  Ours, which are made in C, are refused.
---@param headers table<string, string|number>
---@param level integer  whose line a raised error names
---@return string[]
function M.lines(headers, level)
  local lines = {}
  for name, value in pairs(headers) do
    check.type(name, "string", "a header's name", level + 1)
    check.type(value, "string or number", "the header " .. name, level + 1)
    value = tostring(value)
    if name:find("[^%w!#$%%&'*+.^_`|~-]") or name == "" then
      error("a header's name has characters that do not belong there", level + 1)
    elseif name:lower() == "authorization" then
      error("the Authorization header is made from user_secret and org_secret", level + 1)
    elseif FRAMING[name:lower()] then
      error(("the header %s is libcurl's to write: it says where a request ends and where it goes"):format(name), level + 1)
    elseif core.url.control(value) then
      error(("the header %s holds a control character"):format(name), level + 1)
    end
    -- "Name:" alone would tell libcurl to leave the header out; "Name;" is one without a value.
    lines[#lines + 1] = value ~= "" and name .. ": " .. value or name .. ";"
  end
  table.sort(lines)
  return lines
end

--- The lines of a call: the client's own, but for those that the call names itself.
---@param own string[]?
---@param headers table?
---@param level integer
---@return string[]?
function M.merged(own, headers, level)
  if not headers then
    return own
  end
  check.table(headers, "headers", level + 1)
  local lines, named = M.lines(headers, level + 1), {}
  for _, line in ipairs(lines) do
    named[line:match("^[^:;]+"):lower()] = true
  end
  for _, line in ipairs(own or {}) do
    if not named[line:match("^[^:;]+"):lower()] then
      lines[#lines + 1] = line
    end
  end
  return lines
end

return M
