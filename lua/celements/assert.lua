--- Lets `assert(client:call())` show our errors on Lua 5.1 and 5.2, and in nginx.
-- On the two, assert() takes a string as its message and nothing else: of an error value
-- it says "string expected, got table" and hides what happened.  nginx's assert() carries
-- the value, but nginx logs "unknown reason" for whatever ends a handler and is no string.
-- It is the one global we touch, only where it is needed, and only for error values of ours.

local errors = require "celements.error"

local stock = assert

local function carries_tables()
  local _, seen = pcall(stock, nil, errors.new { kind = "config", message = "probe" })
  return errors.is(seen)
end

local function in_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.get_phase) == "function"
end

if in_nginx() or not carries_tables() then
  function _G.assert(...)
    local value, message = ...
    if value then
      return ...
    elseif errors.is(message) then
      error(tostring(message), 0)
    end
    -- The stock one names its caller's line, which is not ours.
    local _, problem = pcall(stock, ...)
    if type(problem) ~= "string" then
      error(problem, 0)
    end
    error((problem:gsub("^(bad argument #%d to )'%?'", "%1'assert'")), 2)
  end
end

return true
