--- A text with its lines: where things stand, and whether brackets match.
-- Made once for a text that is to be explained.  Knows tokens and no grammar.

local token = require "celements.json.token"

local OPENER = token.OPENER
local CLOSER = token.CLOSER

local look = {}
look.__index = look

-- The offset at which the line of a byte starts.
function look:line_start(at)
  local starts, low, high = self.starts, 1, #self.starts
  while low < high do
    local middle = math.floor((low + high + 1) / 2)
    if starts[middle] <= at then
      low = middle
    else
      high = middle - 1
    end
  end
  return starts[low]
end

--- The width of the white space that the line of a byte begins with.
function look:line_indent(at)
  return #self.text:match("^[ \t]*", self:line_start(at))
end

--- The same for a token that is the first on its line; nil for any other.
function look:indent(tok)
  local start = self:line_start(tok.from)
  local width = self:line_indent(tok.from)
  return start + width == tok.from and width or nil
end

function look:same_line(from, to)
  return self:line_start(from) == self:line_start(to)
end

function look:rest_of_line(at)
  return self.text:match("^[^\r\n]*", at)
end

--- The token behind a token.
function look:peek(tok)
  return token.next(self.text, math.max(tok.to, tok.from + 1))
end

function look:is_name(tok)
  return tok.kind == "string" and self:peek(tok).kind == ":"
end

--- Would every bracket from here on match, were these open?  Takes the list over.
function look:balances(pos, open)
  local tok = token.next(self.text, pos)
  while tok.kind ~= "eof" do
    if CLOSER[tok.kind] then
      open[#open + 1] = tok.kind
    elseif OPENER[tok.kind] and table.remove(open) ~= OPENER[tok.kind] then
      return false
    end
    tok = self:peek(tok)
  end
  return #open == 0
end

--- How many closers begin a line without standing under what they close; with one
--- more in front of the byte at `extra`, if that is given.
function look:misfits(extra)
  local count, open, tok = 0, {}, token.next(self.text, 1)
  while tok.kind ~= "eof" do
    if extra and tok.from >= extra then
      table.remove(open)
      extra = nil
    end
    if CLOSER[tok.kind] then
      open[#open + 1] = self:line_indent(tok.from)
    elseif OPENER[tok.kind] then
      local opened_at, stands_at = table.remove(open), self:indent(tok)
      count = count + (stands_at and stands_at ~= opened_at and 1 or 0)
    end
    tok = self:peek(tok)
  end
  return count
end

local M = {}

---@param text string
---@return table
function M.new(text)
  local starts = { 1 }
  for newline in text:gmatch("()\n") do
    starts[#starts + 1] = newline + 1
  end
  return setmetatable({ text = text, starts = starts }, look)
end

return M
