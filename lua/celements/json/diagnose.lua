--- The first fault of a JSON text, as a person would point at it.
-- Runs only when lua-cjson or its guard has refused the text, so it may take its
-- time: it reads token by token as a parser would, and where the grammar breaks it
-- looks around (at the rest of the line, at the indentation, at whether the brackets
-- that remain match) for what the writer most likely meant.
--
-- A parser's own place is often not where the mistake is: for what is missing we
-- point where it has to go, behind the last thing that was right.

local fault = require "celements.json.fault"
local token = require "celements.json.token"
local walk = require "celements.json.walk"

local DEPTH_MAX = 128
local CLOSER = token.CLOSER
local OPENER = token.OPENER
local SCALAR = token.SCALAR

-- ---- strings that ended too early ------------------------------------------

-- Was the quote that ended `str` meant to be inside it?  `tok` cannot follow it.
local function quote_is_inside(self, str, tok)
  if self.expect == "colon" and self.text:find("^[=;]", tok.from) then
    return false   -- typed in place of the colon
  end
  local rest = self.look:rest_of_line(str.to)
  if not rest:find('"%s*[,}%]:]') and not rest:find('"%s*$') then
    return false   -- there is no other quote that could end it
  end
  local after = rest:sub(1, 1)
  if after == '"' or tok.kind == "string" then
    return self.expect ~= "colon" and self:top_kind() ~= "[" and not self.look:is_name(tok)
  elseif tok.kind == "comment" then
    return after == "/" and rest:find('"%s*[,}%]]')
  elseif after:find("%s") then
    local next_name = rest:find('^%s+[%w_.%-\128-\255]+"%s*:')
    return not next_name and (tok.kind == "word" or tok.kind == "stray" or tok.kind == "placeholder")
  end
  return not after:find("[%[%]{},:]")
end

-- `tok` cannot follow the string before it.  Did the string end at a quote that was
-- meant to be inside, or lose its own?
local function broken_string(self, tok)
  local text, str = self.text, self.prev
  if str.kind ~= "string" or tok.kind == "invisible" or not self.look:same_line(str.from, tok.from) then
    return nil
  end
  local content = text:sub(str.from + 1, str.to - 2)
  local curly = token.curly_end(content)
  if curly then
    return fault.curly_quote(str.from + 1 + curly)
  end
  local name_end = self.expect == "colon" and content:match("^[%w_.%-\128-\255]+()%s*:")
  if name_end then
    return fault.no_closing_quote(str.from + name_end)
  end
  if content:find(",%s*$") and text:find('^[%w_.%-\128-\255]+"%s*:', str.to) then
    return fault.no_closing_quote(token.quote_place(text, str.from + 1, str.to - 2))
  end
  return quote_is_inside(self, str, tok) and fault.inner_quote(str.to - 1) or nil
end

-- ---- brackets ----------------------------------------------------------------

-- A closer is missing at `at` at the latest, unless the indentation shows where it was
-- forgotten: where fewer closers stand wrong with it.  When nothing but closers is
-- behind that place, the latest is as good and easier to see.
local function forgotten(self, at, opener)
  local best, fewest = { at = at, opener = opener }, self.look:misfits(at)
  for _, hint in ipairs { self.outdent or false, self.undercut or false } do
    if hint and self.text:find('"', hint.at) and self.look:misfits(hint.at) < fewest then
      best, fewest = hint, self.look:misfits(hint.at)
    end
  end
  return fault.missing_brace(best.at, CLOSER[best.opener])
end

local function end_of_text(self)
  return forgotten(self, self.prev.to, self:top_kind())
end

-- A closer of the other kind: one is missing before it, or it is one too many, or
-- the wrong one was typed.  What makes the rest match is what was meant.
local function mismatch(self, tok)
  local depth, top = #self.stack, self:top()
  if self.prev.kind == "," then
    return fault.trailing_comma(self.prev.from, "item")
  elseif self.look:balances(tok.to, self:open_kinds(depth - 1)) then
    return fault.other(tok.from, ("%s here would close what %s opened: %s belongs here")
      :format(tok.kind, top.kind, CLOSER[top.kind]))
  elseif self.look:balances(tok.to, self:open_kinds(depth)) then
    return fault.extra_brace((self.double_closer or tok).from)
  end
  return forgotten(self, self:end_of_last_value(), top.kind)
end

-- The closer that is one too many, once the document has ended too early.
local function closer_too_many(self)
  return fault.extra_brace((self.double_closer or self.last_closer).from)
end

-- The whole document was closed, and a comma follows: a brace too many before it, or
-- one that is missing further up.
local function goes_on(self, comma)
  local after = self.look:peek(comma)
  if after.kind == "eof" then
    return fault.trailing_comma(comma.from, "thing there is")
  elseif OPENER[after.kind] then
    return fault.extra_brace(after.from)
  elseif self.jump and self.jump.depth == 1 then
    return fault.missing_brace(self.jump.at, "{")
  elseif not self.look:is_name(after) then
    return fault.new("text after the document", comma.from, "the document ended before this")
  elseif self.twice and self.twice.depth == 1 then
    return fault.missing_brace(self.twice.tok.from, "{")
  end
  return closer_too_many(self)
end

-- Where a name's list has no [ and `tok` is in it, as in "tags": "a", "b" ]
local function list_without_bracket(self, tok)
  while SCALAR[tok.kind] or tok.kind == "," do
    tok = self.look:peek(tok)
  end
  return tok.kind == "]" and self:top().last_value
end

-- "[," or "{,": was the closer between them lost?
local function never_closed(self, comma)
  local depth = #self.stack
  return depth > 0 and self.prev.from == self.stack[depth].at
    and self.look:balances(comma.from, self:open_kinds(depth - 1))
end

-- A name among the items of an array: the array should have ended before it, or an
-- object should have begun.
local function name_in_array(self, tok)
  local depth = #self.stack
  if self.prev.from ~= self:top().at and self.look:balances(tok.from, self:open_kinds(depth - 1)) then
    return fault.missing_brace(self:end_of_last_value(), "]")
  end
  return fault.missing_brace(tok.from, "{")
end

-- ---- single tokens -------------------------------------------------------------

-- What is wrong wherever it stands.
local function strange(self, tok)
  if tok.kind == "fault" then
    return fault.new(tok.reason, tok.from, tok.message)
  elseif tok.kind == "comment" then
    return fault.new("comment", tok.from, "JSON has no comments")
  elseif tok.kind == "curly" then
    return fault.curly_quote(tok.from)
  elseif tok.kind == "invisible" then
    return fault.other(tok.from, "an invisible character that is no space: delete it")
  elseif tok.kind == "placeholder" and self.text:find('^"', tok.to) then
    return fault.no_opening_quote(tok.from)
  elseif tok.kind == "placeholder" then
    return fault.new("placeholder", tok.from, "a placeholder that was never filled in")
  end
end

local function unexpected(self, tok, wanted)
  local known = strange(self, tok)
  if known then
    return known
  elseif self.text:find("^['`]", tok.from) then
    return fault.other(tok.from, 'a single quote where a double one (") belongs')
  elseif tok.kind == "word" and self.text:find('^"', tok.to) then
    return fault.no_opening_quote(tok.from)
  elseif tok.kind == "word" and wanted == "a value" then
    return fault.other(tok.from, "a value that is no number, true, false or null belongs in quotes")
  end
  return fault.other(tok.from, wanted .. " belongs here")
end

-- ---- one explanation for each thing the grammar expected -------------------------

local explain = {}

function explain.value(self, tok)
  local top = self:top_kind()
  if tok.kind == "eof" then
    return top and end_of_text(self) or fault.other(1, "the text is empty")
  elseif SCALAR[tok.kind] then
    return name_in_array(self, tok)
  elseif tok.kind == "," and never_closed(self, tok) then
    return fault.missing_brace(tok.from, CLOSER[top])
  elseif tok.kind == "]" and top == "[" then
    return fault.trailing_comma(self.prev.from, "item")
  elseif OPENER[tok.kind] and top == "[" then
    return mismatch(self, tok)
  elseif tok.kind == "word" and not top and self.text:find("^%s*:", tok.to) then
    return fault.missing_brace(tok.from, "{")
  end
  return unexpected(self, tok, "a value")
end

function explain.name(self, tok)
  local name_end = tok.start and self.text:match('^"[%w_.%-\128-\255]+()%s*:', tok.start)
  if name_end and tok.reason ~= "curly quote" then
    return fault.no_closing_quote(name_end)
  elseif tok.kind == "eof" then
    return end_of_text(self)
  elseif tok.kind == "}" then
    return fault.trailing_comma(self.prev.from, "member")
  elseif tok.kind == "," and never_closed(self, tok) then
    return fault.missing_brace(tok.from, "}")
  elseif tok.kind == "]" then
    return mismatch(self, tok)
  end
  return unexpected(self, tok, "a name in quotes")
end

function explain.colon(self, tok)
  local early = broken_string(self, tok)
  if early then
    return early
  elseif tok.kind == "eof" then
    return end_of_text(self)
  end
  local list = list_without_bracket(self, tok)
  if list and not self.look:balances(tok.from, self:open_kinds(#self.stack)) then
    return fault.missing_brace(list, "[")
  end
  if tok.kind == "," or OPENER[tok.kind] then
    local before = self.before_name   -- "a "," b": the comma was meant to be inside
    if before and self.look:same_line(before.from, tok.from) and self.text:find('^"[%s%p]', self.prev.from) then
      return fault.inner_quote(before.to - 1)
    end
    return fault.other(self.prev.to, "a name without a value")
  elseif SCALAR[tok.kind] or CLOSER[tok.kind] then
    return fault.other(self.prev.to, "the colon (:) is missing here")
  end
  return unexpected(self, tok, "a colon (:)")
end

-- May this begin a value or a name, so that only the comma is missing before it?
local function begins_something(self, tok)
  return SCALAR[tok.kind] or CLOSER[tok.kind] or tok.kind == "fault" or tok.kind == "curly"
    or tok.kind == "word" and self.text:find('^"%s*:', tok.to)
end

explain["next"] = function(self, tok)
  local top, prev = self:top_kind(), self.prev
  local is_name = self.look:is_name(tok)
  if tok.kind == "eof" then
    return end_of_text(self)
  elseif OPENER[tok.kind] then
    return mismatch(self, tok)
  elseif tok.kind == ":" and prev.kind == "string" then
    return fault.missing_brace(prev.from, "{")
  end
  local early = broken_string(self, tok)
  if early then
    return early
  elseif is_name and top == "[" then
    return name_in_array(self, tok)
  elseif is_name then
    self:note_name(tok)
    if self.outdent and not self.look:balances(tok.from, self:open_kinds(#self.stack)) then
      return fault.missing_brace(self.outdent.at, "}")
    end
  elseif tok.start == prev.to and (prev.kind == "number" or prev.kind == "literal") then
    return fault.no_opening_quote(prev.from)
  end
  if begins_something(self, tok) then
    return fault.missing_comma(prev.to)
  end
  return unexpected(self, tok, "a comma or " .. CLOSER[top])
end

explain["end"] = function(self, tok)
  local scalar = SCALAR[self.prev.kind]
  if scalar and tok.kind == ":" then
    return fault.missing_brace(self.prev.from, "{")
  elseif scalar and tok.kind == "," then
    return fault.missing_brace(self.prev.from, "[")
  elseif tok.kind == "comment" then
    return strange(self, tok)
  elseif tok.kind == "," then
    return goes_on(self, tok)
  elseif OPENER[tok.kind] then
    if self.jump and self.jump.depth == 1 and self.twice then
      return fault.missing_brace(self.jump.at, "{")
    end
    return fault.extra_brace((self.double_closer or tok).from)
  elseif self.last_closer and self.look:is_name(tok) and self.look:balances(tok.from, { "{" }) then
    return closer_too_many(self)
  end
  return broken_string(self, tok)
    or fault.new("text after the document", tok.from, "the document ended before this")
end

local M = {}

--- The first fault, or nil when this grammar finds none.
---@param text string
---@param unescape fun(quoted: string): string?  reads one JSON string, escapes and all
---@return table? fault  {reason, at (1-based byte offset), message}
function M.first_fault(text, unescape)
  if text:find("^\255\254") or text:find("^\254\255") or text:sub(1, 2):find("\0", 1, true) then
    return fault.other(1, "text in UTF-16: save the file as UTF-8")
  end
  local self = walk.new(text, unescape)
  local tok = token.next(text, text:find("^\239\187\191") and 4 or 1)
  while self:take(tok) do
    if tok.kind == "eof" then
      return self.twice and fault.other(self.twice.tok.from, "the same name twice in one object")
    elseif #self.stack > DEPTH_MAX then
      return fault.other(tok.from, "nested more than 128 levels deep")
    end
    tok = token.next(text, tok.to)
  end
  return explain[self.expect](self, tok)
end

return M
