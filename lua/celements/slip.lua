--- How a programmer is told of a slip: at the caller's line, with the nearest name, and with
-- the colon that a method needs.  Raises strings.  Pure.  Read only when there is one.

local M = {}

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

local function sorted(word)
  local letters = {}
  for letter in word:gmatch "." do
    letters[#letters + 1] = letter
  end
  table.sort(letters)
  return table.concat(letters)
end

--- The known name that this one is but for its case, one letter, or the order of its letters.
---@param name string
---@param known table<string, any>  the names are the keys
---@return string?
function M.misspelt(name, known)
  name = name:lower()
  for candidate in pairs(known) do
    if distance(name, candidate) <= 1 or sorted(name) == sorted(candidate) then
      return candidate
    end
  end
end

-- Is this what a method works on?
local function is_object(value)
  local mt = getmetatable(value)
  return type(mt) == "string" or type(value) == "table" and type(mt) == "table" and mt.__name ~= nil
end

--- Raise at the caller's line.  A method that is called with a dot takes its first argument
-- for the object, and what then is missing is told of the others.
---@param message string
---@param level integer  as for error()
function M.raise(message, level)
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

local MANY = 20 -- names that nobody wants to read

-- Which there are, where none is near.
local function all_of(known, what)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  return #names <= MANY and ("; the %ss are %s"):format(what, table.concat(names, ", ")) or ""
end

--- Raise for a name that is not known, with the nearest that is, or all that are.
---@param name any
---@param known table<string, any>
---@param what string  "option", "parameter"
---@param level integer  as for error()
function M.unknown(name, known, what, level)
  local nearest = type(name) == "string" and M.nearest(name, known)
  local advice = nearest and (", did you mean '%s'?"):format(nearest) or all_of(known, what)
  M.raise(("unknown %s '%s'%s"):format(what, tostring(name), advice), level + 1)
end

return M
