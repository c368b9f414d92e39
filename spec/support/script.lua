--- A script in a new process of the interpreter that runs the specs, beside this one.
-- Owns the process and its files until finish().
--
--     local job = script.start('print "hello"', { prefix = "unshare -n" })
--     … process.kill(job:pid(), "INT") …
--     local out, err, status = job:finish(5)

local process = require "celements.process"

local STEP = 0.01

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

local function read(name)
  local file = io.open(name, "rb")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return text
end

local job = {}
job.__index = job

local function until_true(seconds, condition)
  while not condition() do
    seconds = seconds - STEP
    if seconds < 0 then
      return false
    end
    process.sleep(STEP)
  end
  return true
end

--- The process id of the script.
function job:pid()
  until_true(5, function() return read(self.dir .. "/pid"):find "\n" end)
  return tonumber((read(self.dir .. "/pid"):match "%d+"))
end

--- What it has printed until now.
function job:output()
  return read(self.dir .. "/out")
end

--- Waits until it has printed the text.
function job:printed(text, seconds)
  return until_true(seconds, function() return self:output():find(text, 1, true) end)
end

--- Waits for its end; kills it when that does not come in time.
---@param seconds number
---@return string out
---@return string err
---@return integer? status  nil when it was killed
function job:finish(seconds)
  if not until_true(seconds, function() return read(self.dir .. "/status"):find "\n" end) then
    process.kill(self:pid(), "KILL")
    until_true(5, function() return read(self.dir .. "/status"):find "\n" end)
    local out, err = read(self.dir .. "/out"), read(self.dir .. "/err")
    os.execute("rm -rf " .. quote(self.dir))
    return out, err .. "\n(killed: it did not end in time)"
  end
  local out, err, status = read(self.dir .. "/out"), read(self.dir .. "/err"), read(self.dir .. "/status")
  os.execute("rm -rf " .. quote(self.dir))
  return out, err, tonumber((status:match "%d+"))
end

local M = {}

--- The interpreter that runs the specs.
---@return string
function M.interpreter()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end

M.quote = quote
M.read = read

--- Starts it and returns at once.
---@param text string
---@param options? {prefix?: string, environment?: table<string, string>}  prefix: a command that runs a command
---@return table job
function M.start(text, options)
  options = options or {}
  local pipe = io.popen "mktemp -d"
  local dir = pipe:read "*l"
  pipe:close()
  local file = assert(io.open(dir .. "/script.lua", "w"))
  file:write(text)
  file:close()
  local set = {}
  for name, value in pairs(options.environment or {}) do
    set[#set + 1] = ("export %s=%s;"):format(name, quote(value))
  end
  local command = ("%s echo $$ >%s/pid; exec %s %s %s/script.lua"):format(table.concat(set), dir, options.prefix or "", quote(M.interpreter()), dir)
  os.execute(("(sh -c %s >%s/out 2>%s/err </dev/null; echo $? >%s/status) &"):format(quote(command), dir, dir, dir))
  return setmetatable({ dir = dir }, job)
end

return M
