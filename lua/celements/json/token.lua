--- The tokens of JSON, and of what people write instead.
-- Cuts text into tokens one at a time and never gives up: what JSON does not know
-- comes as a token of its own kind.  Knows no grammar; diagnose.lua does.

local fault = require "celements.json.fault"

local M = {}

M.OPENER = { ["}"] = "{", ["]"] = "[" }
M.CLOSER = { ["{"] = "}", ["["] = "]" }
M.SCALAR = { string = true, number = true, literal = true }

-- “ ” „ ‟ ‘ ’ ‚ ‛ in UTF-8: what word processors and web pages make of quotes.
local CURLY = "\226\128[\152-\159]"

-- What stands in for a value that somebody is to fill in.
local PLACEHOLDERS = {
  "^<[^<>\n]*>",                  -- <INSERT_ID>
  "^{{[^{}\n]*}}",                -- {{id}}
  "^%${[^{}\n]*}",                -- ${id}
  "^{[%a_][%w_ .%-]*}",           -- {id}
  "^%[%u[%u%d_ ]+%]",             -- [INSERT ID]
  "^%%[%w_]+%%",                  -- %ID%
  "^%$[%a_][%w_]*",               -- $ID
  "^%.%.%.+", "^\226\128\166",    -- ... and the one-character ellipsis
  "^%*%*+", "^__+[%w_]*",         -- **** and ____
}

local COMMENTS = { "^//", "^/%*", "^#", "^<!%-%-", "^%-%-%s" }

-- Spaces that are none, and what shows nothing at all: no-break space, zero-width
-- characters, a byte order mark.
local INVISIBLE = { "^\194\160", "^\226\128[\139-\143]", "^\239\187\191" }

local WORD = "^[%w_.+%-@$\128-\255]+"

-- A token that is broken inside; what follows it is anybody's guess.
local function broken(what)
  return { kind = "fault", from = what.at, to = what.at, reason = what.reason, message = what.message }
end

--- Where a curly quote ends a string that ought to end in a straight one.
---@param content string
---@return integer? offset  0-based, in bytes
function M.curly_end(content)
  local at = content:find(CURLY .. "%s*[,:}%]]") or content:find(CURLY .. "%s*$")
  return at and at - 1
end

--- Where the closing quote has to go in from..stop, which ran on too far: in front of
--- what separates or closes.
---@param text string
---@param from integer
---@param stop integer
---@return integer
function M.quote_place(text, from, stop)
  local content = text:sub(from, stop)
  local tail = content:find("[{%[]") and "[%s,]*$" or "[%s,}%]]*$"
  return from + content:find(tail) - 1
end

-- A string runs into the end of its line.  Either the text goes on in the next one,
-- or the next one starts something new and the closing quote was forgotten.
local function open_line(text, from, stop)
  local content = text:sub(from + 1, stop - 1)
  local curly = M.curly_end(content)
  if curly then
    return fault.curly_quote(from + 1 + curly)
  end
  local rest = text:sub(stop)
  local new_member = rest:find('^%s*"[^"\n]*"%s*:') or rest:find("^%s*[}%]]")
  local new_item = content:find(",%s*$")
    and (rest:find('^%s*"[^"\n]*"%s*[,%]\r\n]') or rest:find("^%s*[{%[]"))
  if new_member or new_item or not rest:find('"', 1, true) then
    return fault.no_closing_quote(M.quote_place(text, from + 1, stop - 1))
  end
  return fault.new("raw newline in string", stop, "a line break inside a string: write \\n, or put it on one line")
end

local function bad_escape(text, at)
  local code = text:match("^\\u(%x%x%x%x)", at)
  if not code then
    return not text:find('^\\["\\/bfnrt]', at)
  end
  local unit = tonumber(code, 16)
  if unit >= 0xDC00 and unit <= 0xDFFF then
    return true
  end
  return unit >= 0xD800 and unit <= 0xDBFF and not text:find("^\\u[dD][c-fC-F]%x%x", at + 6)
end

local function string_token(text, from)
  local at = from + 1
  while true do
    at = text:find('[%c"\\]', at)
    if not at then
      return broken(open_line(text, from, #text + 1))
    end
    local char = text:sub(at, at)
    if char == '"' then
      return { kind = "string", from = from, to = at + 1 }
    elseif char == "\\" then
      if bad_escape(text, at) then
        return broken(fault.other(at, "a backslash that escapes nothing JSON knows: write \\\\ for one backslash"))
      end
      at = at + (text:find("^\\u[dD][89abAB]", at) and 12 or 2)
    elseif char == "\n" or char == "\r" then
      return broken(open_line(text, from, at))
    elseif char == "\t" then
      return broken(fault.other(at, "a tab inside a string: write \\t"))
    elseif char == "\127" then
      at = at + 1
    else
      return broken(fault.other(at, "a control character inside a string"))
    end
  end
end

local function is_number(word)
  local rest = word:match("^%-?0(.*)$") or word:match("^%-?[1-9]%d*(.*)$")
  rest = rest and (rest:match("^%.%d+(.*)$") or rest)
  rest = rest and (rest:match("^[eE][+%-]?%d+(.*)$") or rest)
  return rest == ""
end

local function word_token(word, from)
  local token = { kind = "word", from = from, to = from + #word }
  if word == "true" or word == "false" or word == "null" then
    token.kind = "literal"
  elseif is_number(word) then
    token.kind = "number"
    local value = tonumber(word)   -- LuaJIT has none for an exponent of many digits
    if not word:find("[eE]%-") and (not value or math.abs(value) == math.huge) then
      return broken(fault.other(from, "a number too large"))
    end
  elseif word:find("^%u[%u%d]*_[%u%d_]*$") or word:find("^[xX][xX][xX]+$") then
    token.kind = "placeholder"
  end
  return token
end

local function first_match(patterns, text, from)
  for _, pattern in ipairs(patterns) do
    local _, last = text:find(pattern, from)
    if last then
      return last
    end
  end
end

--- The token at or after a place.  `kind` is one of { } [ ] : , string number literal
--- placeholder comment curly invisible word stray eof, or fault for a string that is broken
--- inside (with reason and message; the others get theirs from the grammar).
---@param text string
---@param pos integer
---@return table token  {kind, from, to}: the bytes from..to-1
function M.next(text, pos)
  local from = text:find("[^ \t\r\n]", pos)
  if not from then
    return { kind = "eof", from = #text + 1, to = #text + 1 }
  end
  local char = text:sub(from, from)
  if char:find("[,:}%]]") then
    return { kind = char, from = from, to = from + 1 }
  elseif char == '"' then
    local tok = string_token(text, from)
    tok.start = from   -- a fault inside has its own `from`
    return tok
  end
  if not char:find("[%w{%[]") and first_match(COMMENTS, text, from) then
    return { kind = "comment", from = from, to = from }
  end
  local last = not char:find("%w") and first_match(PLACEHOLDERS, text, from)
  if last then
    return { kind = "placeholder", from = from, to = last + 1 }
  elseif char == "{" or char == "[" then
    return { kind = char, from = from, to = from + 1 }
  end
  if text:find("^" .. CURLY, from) then
    return { kind = "curly", from = from, to = from + 3 }
  elseif text:find("^\194[\171\187]", from) then -- « and », as some languages quote
    return { kind = "curly", from = from, to = from + 2 }
  end
  last = first_match(INVISIBLE, text, from)
  if last then
    return { kind = "invisible", from = from, to = last + 1 }
  end
  local word = text:match(WORD, from)
  if word then
    return word_token(word, from)
  end
  return { kind = "stray", from = from, to = from + 1 }
end

return M
