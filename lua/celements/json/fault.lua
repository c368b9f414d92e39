--- A fault: what is wrong (`reason`), where (`at`, a byte offset) and in which words.
-- The reasons are part of the interface; the words are not.

local M = {}

--- A fault for a reason of the interface.
function M.new(reason, at, message)
  return { reason = reason, at = at, message = message }
end

--- One that has no reason of its own.
function M.other(at, message)
  return M.new("other", at, message)
end

--- What a word processor makes of a quote.
function M.curly_quote(at)
  return M.new("curly quote", at, 'a curly quote where a plain one (") belongs')
end

--- A quote that ends its string too early.
function M.inner_quote(at)
  return M.new("unescaped quote in string", at, 'a quote inside a string: write \\"')
end

--- A string that begins without its quote.
function M.no_opening_quote(at)
  return M.new("other", at, 'the opening quote (") is missing here')
end

--- A string that goes on without its quote.
function M.no_closing_quote(at)
  return M.new("other", at, 'the closing quote (") is missing here')
end

--- Two values with nothing between them.
function M.missing_comma(at)
  return M.new("missing comma", at, "a comma is missing here")
end

--- A comma with nothing behind it; `what` says what stands before it.
function M.trailing_comma(at, what)
  return M.new("trailing comma", at, "a comma behind the last " .. what)
end

--- A bracket that has to be there and is not.
function M.missing_brace(at, bracket)
  return M.new("missing brace", at, ("a %s is missing here"):format(bracket))
end

--- A closing bracket too many.
function M.extra_brace(at)
  return M.new("extra closing brace", at, "this closes nothing that is open")
end

return M
