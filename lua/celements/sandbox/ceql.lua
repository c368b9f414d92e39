--- The platform's `where`, `fields` and `orderBy`, evaluated over rows.
-- Understands = != < > <= >= LIKE IN IS NULL AND OR and brackets; 'text' with '' for a
-- quote, numbers, true and false; `field` in back-quotes, which a field with a dot
-- needs.  What it does not understand is refused, never ignored.

local json = require "celements.json"

local M = {}

--- The value of a field; a dotted name leads into nested objects.
---@param row table
---@param field string
---@return any value  nil for null and absent
function M.value(row, field)
  local value = row[field]
  if value == nil then
    value = row
    for step in field:gmatch("[^.]+") do
      value = type(value) == "table" and value[step] or nil
    end
  end
  if value == json.null then
    return nil
  end
  return value
end

-- Tokens: { kind, value }, kind being "field", "value", "word" or the sign itself.
local WORDS = { AND = true, OR = true, LIKE = true, IN = true, IS = true, NULL = true }
local COMPARISONS = {
  ["="] = true, ["!="] = true, ["<"] = true, [">"] = true, ["<="] = true, [">="] = true, LIKE = true,
}

-- -> token, the place behind it | nil: nothing known begins here
local function read_token(source, at)
  local _, last, found = source:find("^'([^']*)'", at)
  if found then
    while source:find("^'", last + 1) do   -- '' inside a text is one quote
      local _, more_last, more = source:find("^'([^']*)'", last + 1)
      if not more then
        return nil
      end
      found, last = found .. "'" .. more, more_last
    end
    return { "value", found }, last + 1
  end
  _, last, found = source:find("^`([^`]+)`", at)
  if found then
    return { "field", found }, last + 1
  end
  _, last, found = source:find("^(-?%d+%.?%d*)", at)
  if found then
    return { "value", tonumber(found) }, last + 1
  end
  _, last, found = source:find("^([%a_][%w_]*)", at)
  if found then
    local upper = found:upper()
    if WORDS[upper] then
      return { upper }, last + 1
    elseif upper == "TRUE" or upper == "FALSE" then
      return { "value", upper == "TRUE" }, last + 1
    end
    return { "field", found }, last + 1
  end
  found = source:match("^[<>!]=", at) or source:match("^[<>=(),]", at)
  if found then
    return { found }, at + #found
  end
end

local function tokenize(source)
  local tokens, at = {}, source:find("%S") or #source + 1
  while at <= #source do
    local token, behind = read_token(source, at)
    if not token then
      return nil, ("where is not understood at %q"):format(source:sub(at))
    end
    tokens[#tokens + 1] = token
    at = source:find("%S", behind) or #source + 1
  end
  return tokens
end

local function like(value, pattern)
  return value:find("^" .. pattern:gsub("%W", "%%%0"):gsub("%%%%", ".*") .. "$") ~= nil
end

-- null compares with nothing; numbers as such when both sides are, all else as text.
local function holds(value, operator, wanted)
  if value == nil then
    return false
  end
  local a, b = tonumber(value), tonumber(wanted)
  if operator == "LIKE" or not a or not b then
    a, b = tostring(value), tostring(wanted)
  end
  if operator == "=" then
    return a == b
  elseif operator == "!=" then
    return a ~= b
  elseif operator == "<" then
    return a < b
  elseif operator == ">" then
    return a > b
  elseif operator == "<=" then
    return a <= b
  elseif operator == ">=" then
    return a >= b
  end
  return like(a, b)
end

local parser = {}
parser.__index = parser

function parser:take(kind)
  local token = self.tokens[self.at]
  if token and token[1] == kind then
    self.at = self.at + 1
    return token
  end
end

-- Raises a table, which compile() catches: the way out of nested brackets.
function parser:need(kind)
  local token = self:take(kind)
  if not token then
    local found = self.tokens[self.at] or { "its end" }
    local shown = found[2] == nil and found[1] or tostring(found[2])
    error({ message = ("where: %s expected, not %s"):format(kind, shown) })
  end
  return token
end

function parser:values()
  self:need("(")
  local values = {}
  repeat
    values[#values + 1] = self:need("value")[2]
  until not self:take(",")
  self:need(")")
  return values
end

function parser:condition()
  if self:take("(") then
    local inner = self:either()
    self:need(")")
    return inner
  end
  local field = self:need("field")[2]
  if not self.known(field) then
    error({ message = ("where: there is no field %s"):format(field) })
  end
  if self:take("IS") then
    self:need("NULL")
    return function(row) return M.value(row, field) == nil end
  elseif self:take("IN") then
    local values = self:values()
    return function(row)
      local value = M.value(row, field)
      for _, wanted in ipairs(values) do
        if holds(value, "=", wanted) then
          return true
        end
      end
      return false
    end
  end
  local operator = self.tokens[self.at] and self.tokens[self.at][1]
  if not COMPARISONS[operator] then
    self:need("an operator")
  end
  self.at = self.at + 1
  local wanted = self:need("value")[2]
  return function(row) return holds(M.value(row, field), operator, wanted) end
end

function parser:both()
  local left = self:condition()
  while self:take("AND") do
    local a, b = left, self:condition()
    left = function(row) return a(row) and b(row) end
  end
  return left
end

function parser:either()
  local left = self:both()
  while self:take("OR") do
    local a, b = left, self:both()
    left = function(row) return a(row) or b(row) end
  end
  return left
end

--- Make a predicate of a `where`.
---@param source string
---@param known fun(field: string): boolean  is this a field of these rows?
---@return (fun(row: table): boolean)? predicate
---@return string? message
function M.compile(source, known)
  local tokens, message = tokenize(source)
  if not tokens then
    return nil, message
  end
  local self = setmetatable({ tokens = tokens, at = 1, known = known }, parser)
  local ok, predicate = pcall(self.either, self)
  if not ok then
    if type(predicate) ~= "table" then
      error(predicate, 0)   -- a fault of ours
    end
    return nil, predicate.message
  end
  local rest = tokens[self.at]
  if rest then
    return nil, ("where: AND or OR expected, not %s"):format(rest[2] == nil and rest[1] or tostring(rest[2]))
  end
  return predicate
end

--- The rows that a `where` lets through.
---@param rows table[]
---@param source string?  nil lets all through
---@param known fun(field: string): boolean
---@return table[]? rows
---@return string? message
function M.filter(rows, source, known)
  if not source then
    return rows
  end
  local predicate, message = M.compile(source, known)
  if not predicate then
    return nil, message
  end
  local kept = {}
  for _, row in ipairs(rows) do
    if predicate(row) then
      kept[#kept + 1] = row
    end
  end
  return kept
end

--- The rows in the order of an `orderBy`, "field", "field asc" or "field desc"; null comes last.
---@param rows table[]
---@param order string?
---@param known fun(field: string): boolean
---@return table[]? rows
---@return string? message
function M.sort(rows, order, known)
  if not order then
    return rows
  end
  local field, direction = order:match("^%s*`?([%w_.]+)`?%s*(%a*)%s*$")
  direction = direction and direction:lower()
  if not field or not known(field) or (direction ~= "" and direction ~= "asc" and direction ~= "desc") then
    return nil, ("orderBy is not understood: %s"):format(order)
  end
  local sorted, place = {}, {}
  for i, row in ipairs(rows) do
    sorted[i], place[row] = row, i
  end
  table.sort(sorted, function(a, b)
    local x, y = M.value(a, field), M.value(b, field)
    if x == y then
      return place[a] < place[b]
    elseif x == nil or y == nil then
      return y == nil
    elseif type(x) ~= type(y) then
      x, y = tostring(x), tostring(y)
    end
    if direction == "desc" then
      return x > y
    end
    return x < y
  end)
  return sorted
end

--- The rows with nothing but the fields of a `fields` list.
---@param rows table[]
---@param fields string?  names joined by commas
---@param known fun(field: string): boolean
---@return table[]? rows
---@return string? message
function M.select(rows, fields, known)
  if not fields then
    return rows
  end
  local names = {}
  for name in fields:gmatch("[^,]+") do
    name = name:match("^%s*`?(.-)`?%s*$")
    if not known(name) then
      return nil, ("fields: there is no field %s"):format(name)
    end
    names[#names + 1] = name
  end
  local selected = {}
  for i, row in ipairs(rows) do
    selected[i] = {}
    for _, name in ipairs(names) do
      local value = row[name]
      if value == nil then
        value = M.value(row, name)
      end
      selected[i][name] = value
    end
  end
  return selected
end

return M
