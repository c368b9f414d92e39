--- A server program for a test: started in the foreground of a shell that ends it when the
--- test does, also when the test is killed.

local process = require "celements.process"
local nginx = require "spec.support.nginx.server"
local reader = require "spec.support.reader"
local socket = require "socket"

local PATIENCE = 20   -- seconds
local quote, read = reader.quote, reader.read

local M = {}

-- The shell's input is a pipe from here, which closes by itself when this process is gone.
local SHELL = [[
exec 3<&0
env -u LD_PRELOAD %s </dev/null >%s 2>&1 3<&- &
echo $! >%s
cat <&3 >/dev/null
kill -%s $! 2>/dev/null
for i in $(seq 50); do
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
kill -KILL $! 2>/dev/null
wait
]]

local function wait_until(holds, what)
  local deadline = socket.gettime() + PATIENCE
  while not holds() do
    assert(socket.gettime() < deadline, what)
    process.sleep(0.02)
  end
end

local function exists(path)
  local file = io.open(path)
  return file and file:close() and true or false
end

--- A port of 127.0.0.1 that is free just now.
---@return integer
function M.free_port()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return tonumber(port)
end

--- Start it and wait until its output says that it is ready.
---@param options {command: string, dir: string, ready: string, signal: string}  ready: a text of its output; signal: what ends it in good order
---@return table? daemon  pid, log, kill(), stop(); nil when it has ended by itself
---@return string? output
function M.start(options)
  local log, pid_file = options.dir .. "/output.log", options.dir .. "/pid"
  os.remove(log)
  os.remove(pid_file)
  local script = SHELL:format(options.command, quote(log), quote(pid_file), options.signal)
  local pipe = assert(io.popen("exec sh -c " .. quote(script), "w"))
  wait_until(function() return exists(pid_file) and tonumber((read(pid_file))) ~= nil end, "the shell does not start it")
  local daemon = { pid = tonumber((read(pid_file))), log = log }

  --- End it in good order.
  function daemon.stop()
    if pipe then
      pipe:close()
      pipe = nil
    end
  end

  --- kill -9.
  function daemon.kill()
    process.kill(daemon.pid, "KILL")
    wait_until(function() return not nginx.is_running(daemon.pid) end, "it survives")
    daemon.stop()
  end

  local running = true
  wait_until(function()
    running = nginx.is_running(daemon.pid)
    return not running or exists(log) and read(log):find(options.ready, 1, true)
  end, "it does not say that it is ready")
  if running then
    return daemon
  end
  daemon.stop()
  return nil, read(log)
end

return M
