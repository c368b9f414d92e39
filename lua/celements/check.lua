--- Checking what a programmer hands in: types, names, nearest names.
-- Raises strings at the caller's line.  Pure.  Knows none of the names itself.

local M = {}

local ID_MAX = 1024 -- so that it fits into a path, percent-encoded

-- The number of single-letter changes between two short words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The known name that was probably meant.
---@param name string
---@param known table<string, any>  the names are the keys
---@return string?
function M.nearest(name, known)
  local best, best_distance
  local plain = name:lower():gsub("[_%-%.]", "")
  for candidate in pairs(known) do
    local d = distance(plain, (candidate:lower():gsub("[_%-%.]", "")))
    if not best or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  if best and best_distance <= math.max(2, math.floor(#plain / 3)) then
    return best
  end
end

-- Is this what a method works on?
local function is_object(value)
  local mt = getmetatable(value)
  return type(mt) == "string" or type(value) == "table" and type(mt) == "table" and mt.__name ~= nil
end

-- A method that is called with a dot takes its first argument for the object, and what then
-- is missing is told of the others.
local function fail(message, level)
  local name, object
  if debug and debug.getinfo(level, "f") then
    name, object = debug.getlocal(level, 1) -- of the function whose caller the error names
  end
  if name == "self" and not is_object(object) then
    message = message .. "; call a method with a colon, as in client:oauth_url{...}"
  end
  error(message, level + 1)
end

--- Raise for what stands in the place of a client and is none.
---@param value any  the first argument of a method, which calls others with it
function M.no_client(value)
  local level, caller = 2, 1
  while debug and debug.getinfo(level, "f") do
    local name, object = debug.getlocal(level, 1)
    if name == "self" and rawequal(object, value) then
      caller = level + 1
    elseif level == caller and debug.getinfo(level, "S").what == "tail" then
      caller = caller + 1 -- Lua 5.1 has a level for what a tail call has replaced
    end
    level = level + 1
  end
  error(("the client is a %s: call a method with a colon, as in client:oauth_url{...}"):format(type(value)), caller)
end

--- Raise for a name that is not known, with the nearest that is.
---@param name any
---@param known table<string, any>
---@param what string  "option", "parameter"
---@param level integer  as for error()
function M.unknown(name, known, what, level)
  local nearest = type(name) == "string" and M.nearest(name, known)
  local question = nearest and (", did you mean '%s'?"):format(nearest) or ""
  fail(("unknown %s '%s'%s"):format(what, tostring(name), question), level + 1)
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
    or kind == "number" and value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return
  end
  M.type(value, "string or number", name, level + 1)
  if value == "" then
    fail(name .. " is empty", level + 1)
  elseif kind == "string" then
    fail(("%s has %d characters; none is that long"):format(name, #value), level + 1)
  end
  fail(name .. " has to be a whole number", level + 1)
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
