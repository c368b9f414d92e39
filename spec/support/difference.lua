--- What two lists of names do not share, for messages that stay short.

---@param expected string[]
---@param actual string[]
---@return string[]  "missing: x" for what only `expected` has, "unexpected: x" for the others
return function(expected, actual)
  local has, found = {}, {}
  for _, name in ipairs(actual) do
    has[name] = true
  end
  for _, name in ipairs(expected) do
    if not has[name] then
      found[#found + 1] = "missing: " .. name
    end
    has[name] = nil
  end
  for name in pairs(has) do
    found[#found + 1] = "unexpected: " .. name
  end
  table.sort(found)
  return found
end
