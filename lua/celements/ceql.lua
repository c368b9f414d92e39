--- Conditions for `where`, with the quoting that CEQL wants (platform 10).
-- Pure: text in, text out.  Whoever sends it percent-encodes the whole.

local check = require "celements.check"
local number_text = require("celements.params").number_text

local M = {}

local OPERATORS = {}
for operator in ("= != < > <= >= LIKE IN IS"):gmatch("%S+") do
  OPERATORS[operator] = true
end

-- Words of the language, in any case of letters.
local WORDS = {}
for word in ("AND OR NOT IN IS LIKE NULL TRUE FALSE"):gmatch("%u+") do
  WORDS[word] = true
end

-- A name with a dot would be read as a path, and one that is a word of the language as that:
-- back-quotes protect it.
local function field_text(field, level)
  check.type(field, "string", "a field", level + 1)
  if field:find("^[%a_][%w_]*$") and not WORDS[field:upper()] then
    return field
  elseif field == "" or field:find("[`%c]") then
    error("a field's name cannot be empty or hold a back-quote or a control character", level + 1)
  end
  return "`" .. field .. "`"
end

local function value_text(value, level)
  if type(value) == "number" then
    return (number_text(value, "the value of a condition", level + 1)) -- a tail call would have no level
  elseif type(value) == "boolean" then
    return tostring(value)
  end
  check.type(value, "string or number or boolean", "the value of a condition", level + 1)
  if value:find("%c") then
    error("the value of a condition holds a control character", level + 1)
  end
  return "'" .. value:gsub("'", "''") .. "'"
end

local function list_text(values, level)
  check.table(values, "the value of IN", level + 1)
  check.list(values, "the value of IN", level + 1)
  local texts = {}
  for i, value in ipairs(values) do
    texts[i] = value_text(value, level + 1)
  end
  if #texts == 0 then
    error("IN needs at least one value", level + 1)
  end
  return "(" .. table.concat(texts, ", ") .. ")"
end

--- One condition: celements.where("LastModifiedDate", ">", "2026-01-31T00:00:00Z").
-- Join conditions with celements.all() and celements.any().
---@param field string
---@param operator string  "=", "!=", "<", ">", "<=", ">=", "LIKE", "IN" (a list) or "IS" (nil: IS NULL)
---@param value? string|number|boolean|table
---@return string
function M.where(field, operator, value)
  check.type(operator, "string", "the operator", 2)
  operator = operator:upper()
  if not OPERATORS[operator] then
    error("the operator has to be one of = != < > <= >= LIKE IN IS", 2)
  end
  local name = field_text(field, 2)
  if operator == "IS" then
    if value ~= nil then
      error("IS stands for IS NULL and takes no value", 2)
    end
    return name .. " IS NULL"
  elseif operator == "IN" then
    return name .. " IN " .. list_text(value, 2)
  end
  return name .. " " .. operator .. " " .. value_text(value, 2)
end

local function join(word, ...)
  local parts = { ... }
  for i = 1, select("#", ...) do
    check.type(parts[i], "string", "a condition", 3)
  end
  if #parts == 0 then
    error("there is no condition to join", 3)
  elseif #parts == 1 then
    return parts[1]
  end
  for i, part in ipairs(parts) do
    -- Only what is joined already needs its own brackets; text of the caller's own may
    -- be written in any case.
    local words = part:lower()
    parts[i] = (words:find("%f[%w]and%f[%W]") or words:find("%f[%w]or%f[%W]")) and "(" .. part .. ")" or part
  end
  return table.concat(parts, " " .. word .. " ")
end

--- All of the conditions.
---@param ... string
---@return string
function M.all(...)
  local text = join("AND", ...)
  return text
end

--- At least one of the conditions.
---@param ... string
---@return string
function M.any(...)
  local text = join("OR", ...)
  return text
end

return M
