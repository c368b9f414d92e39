--- A call that has to raise, and to blame the line of the spec that made it.

local debug = require "debug"

--- Calls `f`, which has to raise a text that starts with its own file and a line of its
--- own: the mistake is the caller's, and there it has to be shown.
---@param f fun()  makes the call, and not as its last thing (a tail call has no line)
---@return string message  without the place
return function(f)
  local where = debug.getinfo(f, "S")
  local fine, problem = pcall(f)
  assert(not fine, "it did not raise")
  assert(type(problem) == "string", "it raised a " .. type(problem))
  local file, line, message = problem:match("^(.-):(%d+): (.*)$")
  assert(file == where.short_src, ("it blames another file: %s"):format(problem))
  line = tonumber(line)
  assert(line >= where.linedefined and line <= where.lastlinedefined, ("it blames another line: %s"):format(problem))
  return message
end
