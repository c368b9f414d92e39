--- A Redis of its own for a test, which loses nothing that it has acknowledged.
--
--     local redis = require("spec.support.redis").start()
--     … redis.port, redis.password, redis.dir …
--     redis.kill()  redis.start_again()  redis.remove()

local daemon = require "spec.support.daemon"
local reader = require "spec.support.reader"

local M = {}

--- Start one, or nil and why that cannot be.
---@param options? {prefix?: string, bind?: string}  prefix: a command that runs it; bind: its address, default 127.0.0.1
---@return table? redis
---@return string? why
function M.start(options)
  options = options or {}
  if reader.output_of("command -v redis-server"):find("redis-server", 1, true) == nil then
    return nil, "there is no redis-server"
  end
  local dir = reader.directory()
  local redis = { dir = dir, password = "CANARY-redis-password-0123456789", socket = dir .. "/socket" }
  local running

  function redis.start_again()
    for _ = 1, 20 do
      redis.port = redis.port or daemon.free_port()
      local command = ("%s redis-server --bind %s --port %d --dir %s --unixsocket %s --requirepass %s "
        .. "--appendonly yes --appendfsync always --save '' --databases 4"):format(options.prefix or "",
          options.bind or "127.0.0.1", redis.port, dir, redis.socket, redis.password)
      local problem
      running, problem = daemon.start { command = command, dir = dir, ready = "Ready to accept connections", signal = "TERM" }
      if running then
        redis.pid = running.pid
        return
      end
      assert(problem:find("in use", 1, true), problem)
      redis.port = redis.pid and redis.port or nil   -- another had it first
    end
    error "Redis finds no port"
  end

  function redis.kill()
    running.kill()
  end

  function redis.stop()
    running.stop()
  end

  function redis.remove()
    redis.stop()
    reader.remove(dir)
  end

  redis.start_again()
  return redis
end

return M
