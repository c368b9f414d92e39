--- Lets `assert(client:call())` show our errors on Lua 5.1 and 5.2.
-- There assert() takes a string as its message and nothing else: of an error value it
-- says "string expected, got table" and hides what happened.  It is the one global we
-- touch, only where it is needed, and only for error values of ours.

local errors = require "celements.error"

local stock = assert

local function carries_tables()
  local _, seen = pcall(stock, nil, errors.new { kind = "config", message = "probe" })
  return errors.is(seen)
end

if not carries_tables() then
  function _G.assert(...)
    local value, message = ...
    if value then
      return ...
    elseif errors.is(message) then
      error(tostring(message), 0)
    end
    -- The stock one names its caller's line, which is not ours.
    local _, problem = pcall(stock, ...)
    error((problem:gsub("^(bad argument #%d to )'%?'", "%1'assert'")), 2)
  end
end

return true
