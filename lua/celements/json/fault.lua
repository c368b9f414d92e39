--- A fault: what is wrong (`reason`), where (`at`, a byte offset) and in which words.
-- The reasons are part of the interface; the words are not.

local M = {}

function M.new(reason, at, message)
  return { reason = reason, at = at, message = message }
end

function M.other(at, message)
  return M.new("other", at, message)
end

function M.curly_quote(at)
  return M.new("curly quote", at, 'a curly quote where a plain one (") belongs')
end

function M.inner_quote(at)
  return M.new("unescaped quote in string", at, 'a quote inside a string: write \\"')
end

function M.no_opening_quote(at)
  return M.new("other", at, 'the opening quote (") is missing here')
end

function M.no_closing_quote(at)
  return M.new("other", at, 'the closing quote (") is missing here')
end

function M.missing_comma(at)
  return M.new("missing comma", at, "a comma is missing here")
end

function M.trailing_comma(at, what)
  return M.new("trailing comma", at, "a comma behind the last " .. what)
end

function M.missing_brace(at, bracket)
  return M.new("missing brace", at, ("a %s is missing here"):format(bracket))
end

function M.extra_brace(at)
  return M.new("extra closing brace", at, "this closes nothing that is open")
end

return M
