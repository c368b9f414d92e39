--- The grammar of JSON, a token at a time.
-- Takes what the grammar allows, and on the way notes what may explain a fault that
-- shows itself only later: what the indentation says, names met twice, closers in a
-- row.  Explains nothing; diagnose.lua does.

local look = require "celements.json.look"
local token = require "celements.json.token"

local CLOSER = token.CLOSER
local OPENER = token.OPENER
local SCALAR = token.SCALAR

local walk = {}
walk.__index = walk

function walk:top()
  return self.stack[#self.stack]
end

function walk:top_kind()
  local top = self:top()
  return top and top.kind
end

--- The kinds of the outermost brackets that are open, `count` of them.
function walk:open_kinds(count)
  local kinds = {}
  for i = 1, count do
    kinds[i] = self.stack[i].kind
  end
  return kinds
end

--- Behind the last value, in front of a comma that follows it.
function walk:end_of_last_value()
  return self.prev.kind == "," and self.prev.from or self.prev.to
end

function walk:is_twice(tok)
  local names = self:top().names
  local name = self.text:sub(tok.from + 1, tok.to - 2)
  if name:find("\\", 1, true) then
    name = self.unescape('"' .. name .. '"') or name
  end
  local twice = names[name]
  names[name] = true
  return twice
end

-- Stands this name where those of an object further out stand?  Then the one that is
-- open seems to have ended without a brace.
function walk:note_outdent(depth)
  local here = self:top()
  if self.outdent or depth > here.indent then
    return
  end
  for i = 1, #self.stack - 1 do
    if self.stack[i].member_indent == depth then
      self.outdent = { at = self:end_of_last_value(), opener = here.kind }
    end
  end
end

-- Stands this name deeper than the one before, and nothing was opened between?  Then
-- an object seems to have begun without a brace.
function walk:note_jump(tok, depth, last)
  local here = self:top()
  local flat = last and last.indent == here.member_indent and not here.closed_since_name
  if flat and depth > last.indent and not self.jump then
    local again = self.twice and self.twice.tok == last.tok
    self.jump = { at = again and last.tok.from or tok.from, depth = #self.stack }
  end
end

--- Notes a name of the object that is open.
function walk:note_name(tok)
  local here = self:top()
  if self:is_twice(tok) and not self.twice then
    self.twice = { tok = tok, depth = #self.stack }
  end
  local depth, last = self.look:indent(tok), here.last_name
  here.last_name = { tok = tok, indent = depth }
  if depth then
    here.member_indent = here.member_indent or depth
    self:note_outdent(depth)
    self:note_jump(tok, depth, last)
    here.closed_since_name = false
  end
end

function walk:value_done(tok)
  self.expect = #self.stack == 0 and "end" or "next"
  self.prev = tok
end

function walk:open(tok)
  self.stack[#self.stack + 1] = {
    kind = tok.kind, at = tok.from, names = {}, indent = self.look:line_indent(tok.from),
  }
  self.prev = tok
  self.expect = tok.kind == "{" and "name" or "value"
end

function walk:close(tok)
  local closed = table.remove(self.stack)
  local stands_at = self.look:line_indent(tok.from)
  local in_a_row = self.last_closer and self.prev == self.last_closer
  if in_a_row and stands_at ~= closed.indent and stands_at == self.look:line_indent(self.prev.from) then
    self.double_closer = self.double_closer or tok   -- two stand alike, and this one stands wrong
  end
  if stands_at < closed.indent then
    self.undercut = self.undercut or { at = self:end_of_last_value(), opener = closed.kind }
  end
  self.last_closer = tok
  if self.stack[1] then
    self:top().closed_since_name = true
  end
  self:value_done(tok)
end

--- Takes a token that the grammar allows here; false when it does not.
function walk:take(tok)
  local expect, kind, top = self.expect, tok.kind, self:top_kind()
  local just_opened = self.prev and self.prev.kind == top
  if OPENER[kind] and OPENER[kind] == top and (expect == "next" or just_opened) then
    self:close(tok)
  elseif expect == "value" and CLOSER[kind] then
    self:open(tok)
  elseif expect == "value" and SCALAR[kind] and not (top == "[" and self.look:is_name(tok)) then
    self:value_done(tok)
  elseif expect == "name" and kind == "string" then
    self:note_name(tok)
    self.before_name = self.before_comma
    self.prev, self.expect = tok, "colon"
  elseif expect == "colon" and kind == ":" then
    self.prev, self.expect = tok, "value"
    self:top().last_value = self.look:peek(tok).from
  elseif expect == "next" and kind == "," then
    self.before_comma = self.prev.kind == "string" and self.prev or nil
    self.prev, self.expect = tok, top == "{" and "name" or "value"
  else
    return expect == "end" and kind == "eof"
  end
  return true
end

local M = {}

--- Begins before the first token.  `expect` says what may come: "value", "name",
--- "colon", "next" (a comma or a closer) or "end"; `prev` is the last token taken.
---@param text string
---@param unescape fun(quoted: string): string?  reads one JSON string, escapes and all
---@return table
function M.new(text, unescape)
  return setmetatable({ text = text, unescape = unescape, look = look.new(text), stack = {}, expect = "value" }, walk)
end

return M
