--- What a call is given besides its parameters: headers, timeout, retries, an instance's token.
-- Read at the first call that has any.  Knows nothing of clients.

local check = require "celements.check"
local core = require "celements.core"

local M = {}

-- What any call can be given besides its parameters.
local ANY_CALL = { headers = true, timeout = true, retries = true }

--- An instance's token as a Secret; the line break of the file it was read from is no
-- part of it.  Raises with what is wrong with it.
---@param text string
---@param name string  how the caller calls it
---@param level integer
---@return celements.Secret
function M.token(text, name, level)
  check.type(text, "string", name, level + 1)
  text = text:gsub("\r?\n$", "")
  local problem = text == "" and "is empty" or check.secret_problem(text)
  if problem then
    error(name .. " " .. problem, level + 1)
  end
  return core.secret.new(text)
end

--- Raises unless options hold nothing but known names of the right types.
---@param options celements.CallOptions
---@param level integer
---@param known? table<string, boolean>  those of any call unless said
function M.check(options, level, known)
  known = known or ANY_CALL
  check.table(options, "options", level + 1)
  for name in pairs(options) do
    if not known[name] then
      check.unknown(name, known, "option", level + 1)
    end
  end
  if options.timeout ~= nil then
    check.type(options.timeout, "number", "timeout", level + 1)
    if not (options.timeout > 0 and options.timeout < math.huge) then
      error("timeout has to be a number of seconds above 0", level + 1)
    end
  end
  if options.retries ~= nil then
    check.type(options.retries, "number", "retries", level + 1)
    check.count(options.retries, "retries", 0, level + 1)
  end
  if options.element_token ~= nil then
    M.token(options.element_token, "element_token", level + 1)
  end
end

-- The instance's token goes with the user secret alone to its resources, and with both
-- to /instances/... (platform 2).
local function letters_for(path)
  return path:find("^/instances") and "uoe" or "ue"
end

--- Puts the options of one call over what the client has for all.
---@param call table  see celements.client.send()
---@param lines string[]?  the client's own headers
---@param options celements.CallOptions  checked
---@param level integer
function M.apply(call, lines, options, level)
  if options.headers then
    call.lines = require("celements.headers").merged(lines, options.headers, level + 1)
  end
  call.timeout, call.retries, call.deadline = options.timeout, options.retries, options.deadline
  if options.element_token then
    call.letters, call.element = letters_for(call.path), M.token(options.element_token, "element_token", level + 1)
  end
end

return M
