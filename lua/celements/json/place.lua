--- Where in a text a fault is, and how to show it to a person.
-- Lines and columns are counted from 1, columns in characters.  The excerpt is made
-- of the user's own line, with the values of secrets masked and nothing in it that a
-- terminal would obey.

local M = {}

local BOM = "\239\187\191"
local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"
local QUOTE = "[\"'`]"
local CURLY = "\226\128[\152-\159]"
local WIDTH = 96   -- characters of the line that are shown

local SECRET_WORDS = {
  "pass", "pwd", "secret", "token", "key", "code", "credential", "auth", "private", "signature", "verifier", "session",
}

-- Values that cannot be secret, whatever their name.
local function is_harmless(value)
  return value == "true" or value == "false" or value == "null" or value:find("^<[^<>]*>$")
end

local function names_a_secret(name)
  name = name:lower()
  for _, word in ipairs(SECRET_WORDS) do
    if name:find(word, 1, true) then
      return true
    end
  end
  return false
end

local function stars(value)
  return (value:gsub(CHARACTER, function(char)
    return char:find("%s") and char or "*"
  end))
end

-- Is the byte at `at` escaped, by an odd number of backslashes before it?
local function is_escaped(text, at)
  local first = at
  while text:byte(first - 1) == 92 do
    first = first - 1
  end
  return (at - first) % 2 == 1
end

-- The first and last byte of the value at `at`.  It may be broken, so a quote ends
-- it only where something may follow; in doubt the value is longer.
local function extent(text, at)
  local quote = text:match("^" .. QUOTE, at)
  local curly = not quote and text:match("^" .. CURLY, at)
  if not quote and not curly then
    return text:find("^[^,}%]\r\n]*", at)
  end
  local first = at + #(quote or curly)
  local from = first
  while true do
    local start, stop = text:find(quote or CURLY, from)
    if not start then
      return first, #text
    end
    local goes_on = text:find("^%s*[,}%]]", stop + 1) or text:find("^%s*$", stop + 1)
      or text:find('^%s*"[^"\n]*"%s*:', stop + 1) or text:find('^%s*\n%s*"', stop + 1)
    if goes_on and not is_escaped(text, start) then
      return first, start - 1
    end
    from = stop + 1
  end
end

-- Two texts in quotes side by side, and a text in quotes that is a name.
local PAIR = QUOTE .. "%s*[,;]?%s*" .. QUOTE
local NAME = "^" .. QUOTE .. "[^\"'`\n]*" .. QUOTE .. "%s*:"

-- A function that gives what next stands between a name and its value, and where that begins:
-- a colon or '=', or another mark or none between two texts in quotes, the second being no
-- name itself.
local function separators(text)
  local mark, pair, stop = 0, 0, 0 -- nil: there are no more
  return function(pos)
    if mark and mark < pos then
      mark = text:find("[:=]", pos)
    end
    while pair and pair < pos do
      repeat
        pair, stop = text:find(PAIR, math.max(pair + 1, pos))
      until not pair or not text:find(NAME, stop)
    end
    if pair and (not mark or pair < mark) then
      return pair, stop
    end
    return mark, mark and text:find("%S", text:match("^[:=>]+()", mark))
  end
end

-- The text with as many characters in as many lines, and no secret in it.
local function masked(text)
  local out, done, pos = {}, 1, 1
  local separator = separators(text)
  while true do
    local at, value = separator(pos)
    if not at then
      break
    end
    pos = at + 1
    local before = text:sub(math.max(done, at - 200), at - 1)
    local name = before:match("([%w_.%-]+)[\"'`\128-\191\226]*%s*$")
    if name and value and names_a_secret(name) and text:sub(value, value) ~= "{" then
      local first, last
      if text:sub(at, at) == "=" and not text:find("^" .. QUOTE, value) then
        first, last = text:find("^[^&\"%s]*", value)
      elseif text:sub(value, value) == "[" then
        first, last = text:find("^[^%]]*", value + 1)
      else
        first, last = extent(text, value)
      end
      if not is_harmless(text:sub(first, last)) then
        out[#out + 1] = text:sub(done, first - 1)
        out[#out + 1] = stars(text:sub(first, last))
        done = last + 1
      end
      pos = math.max(pos, done)
    end
  end
  out[#out + 1] = text:sub(done)
  return table.concat(out)
end

-- As a terminal may see it: nothing that it would obey, nothing that is not UTF-8.
local function shown(char)
  local lead = char:byte()
  if lead < 128 then
    return (lead < 32 or lead == 127) and " " or char:sub(1, 1)
  end
  local length = lead >= 240 and 4 or lead >= 224 and 3 or 2
  if #char < length then
    return "?"
  end
  return char:find("^\194[\128-\159]") and " " or char:sub(1, length)
end

--- Line and column of a byte offset.
---@param text string
---@param at integer  1-based; one past the end is allowed
---@return integer line
---@return integer column
function M.of(text, at)
  local line, start = 1, text:sub(1, 3) == BOM and 4 or 1
  for newline in text:sub(1, at - 1):gmatch("()\n") do
    line, start = line + 1, newline + 1
  end
  local _, column = text:sub(start, at - 1):gsub("[^\128-\191]", "")
  return line, column + 1
end

-- How much is looked at around a fault: enough before it to know whose value it is in.
local BEFORE, AFTER = 65536, 4096

--- Two lines: the text's line, cut to what fits, and a caret under the place.
---@param text string
---@param at integer  1-based byte offset; one past the end is allowed
---@return string
function M.excerpt(text, at)
  local start = math.max(text:sub(1, 3) == BOM and 4 or 1, at - BEFORE)
  local _, before = text:sub(start, at - 1):gsub("[^\128-\191]", "")
  local list, caret, line_first = {}, before + 1, 1
  for char in masked(text:sub(start, at + AFTER)):gmatch(CHARACTER) do
    if char:find("^\n") and #list >= caret - 1 then
      break
    end
    list[#list + 1] = shown(char)
    line_first = char:find("^\n") and #list + 1 or line_first
  end
  local first = math.max(line_first, math.min(caret - math.floor(WIDTH * 2 / 3), #list - WIDTH + 1))
  local last = math.min(#list, first + WIDTH - 1)
  local cut_before = first > line_first and "..." or ""
  local cut_after = last < #list and "..." or ""
  local gutter = ("%d | "):format((M.of(text, at)))
  return gutter .. cut_before .. table.concat(list, "", first, last) .. cut_after .. "\n"
    .. (" "):rep(#gutter - 2) .. "| " .. (" "):rep(#cut_before + caret - first) .. "^"
end

return M
