--- Checking what a programmer hands in: types, names, lists.
-- Raises strings at the caller's line, by celements.slip, which is read when there is something
-- to raise.  Pure.  Knows none of the names itself.

local M = {}

local ID_MAX = 1024 -- so that it fits into a path, percent-encoded

local function fail(message, level)
  require("celements.slip").raise(message, level + 1)
end

--- Raise for a name that is not known, with the nearest that is.
---@param name any
---@param known table<string, any>
---@param what string  "option", "parameter"
---@param level integer  as for error()
function M.unknown(name, known, what, level)
  require("celements.slip").unknown(name, known, what, level + 1)
end

--- Raise unless the value is of one of the types.
---@param value any
---@param types string  "string", "string or table"
---@param name string
---@param level integer  as for error()
function M.type(value, types, name, level)
  local got = type(value)
  if got == types or types:find(got, 1, true) then
    return -- no type's name is part of another's
  end
  fail(("%s has to be a %s, not a %s"):format(name, types, got), level + 1)
end

--- Raise unless the value is a table.
---@param value any
---@param name string
---@param level integer
function M.table(value, name, level)
  M.type(value, "table", name, level + 1) -- not as a tail call, which has no level
end

--- Raise unless the table is a list: 1 to n without a hole.  What stands anywhere else
-- would be left out in silence.
---@param value table
---@param name string
---@param level integer
---@return integer count
function M.list(value, name, level)
  local count, highest = 0, 0
  for key in pairs(value) do
    if type(key) ~= "number" then
      fail(("%s is a list and has no place for the key %s"):format(name, tostring(key)), level + 1)
    elseif key < 1 or key % 1 ~= 0 then
      fail(("%s is a list from 1 on; %g is no place in it"):format(name, key), level + 1)
    end
    count = count + 1
    if key > highest then
      highest = key
    end
  end
  if count ~= highest then
    local hole = 1
    while value[hole] ~= nil do
      hole = hole + 1
    end
    fail(("%s has a hole: item %d of %d is nil"):format(name, hole, highest), level + 1)
  end
  return count
end

--- Raise unless a count, if given, is a whole number.
---@param value number?
---@param name string
---@param least integer
---@param level integer
function M.count(value, name, least, level)
  if value ~= nil and not (value >= least and value < math.huge and value % 1 == 0) then
    fail(("%s has to be a whole number, %d or more"):format(name, least), level + 1)
  end
end

--- Raise unless the value can name one thing in a path.
---@param value any
---@param name string
---@param level integer
function M.id(value, name, level)
  local kind = type(value)
  if kind == "string" and value ~= "" and #value <= ID_MAX
    or kind == "number" and value % 1 == 0 and value >= -2 ^ 53 and value <= 2 ^ 53 then
    return
  end
  M.type(value, "string or number", name, level + 1)
  if value == "" then
    fail(name .. " is empty", level + 1)
  elseif kind == "string" then
    fail(("%s has %d characters; none is that long"):format(name, #value), level + 1)
  end
  local is_huge = value % 1 == 0 and value > -math.huge and value < math.huge
  fail(name .. (is_huge and " is beyond 2^53 and may have been rounded already: give it as text"
    or " has to be a whole number"), level + 1)
end

--- What makes a text no secret of ours, if anything.  Never quotes it.
---@param text string
---@return string? problem
function M.secret_problem(text)
  if text:find("^%s*<.*>%s*$") then
    return "is still a template's text: put the real value in its place"
  end
  local word = text:match("^(%a+)%s+%S")
  if word == "User" or word == "Organization" or word == "Element" then
    return ("begins with '%s', which belongs to the Authorization header: give what stands behind it alone"):format(word)
  end
  return M.credential_problem(text)
end

--- What makes a text unfit for a header or a credential, if anything.  Never quotes it.
---@param text string
---@return string? problem
function M.credential_problem(text)
  local at = text:find("%c")
  if at then
    local what = text:find("^[\r\n]", at) and "a line break" or "a control character"
    return ("holds %s at position %d of %d; copy it again without"):format(what, at, #text)
  end
  -- U+2018, U+2019, U+201C, U+201D: what a word processor makes of quotes.
  at = text:find("\226\128[\152\153\156\157]")
  if at then
    return ("holds a curly quote at position %d; it was copied from formatted text, use the plain value"):format(at)
  end
  if text:find("^%s") or text:find("%s$") then
    return "has a space at its start or end; copy it again without"
  end
end

return M
