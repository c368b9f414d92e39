--- A PostgreSQL of its own for a test, with a password, and fsync as it should be.
--
--     local postgres = require("spec.support.postgres").start()
--     … postgres.url, postgres.port, postgres.password, postgres.dir …
--     postgres.kill()  postgres.start_again()  postgres.remove()
--
-- It refuses to run as root, so root lets the user postgres run it.

local daemon = require "spec.support.daemon"
local process = require "celements.process"
local reader = require "spec.support.reader"

local output_of, quote = reader.output_of, reader.quote

local M = {}

local function as_postgres()
  if output_of("id -u") ~= "0\n" then
    return ""
  end
  return "setpriv --reuid=postgres --regid=postgres --clear-groups "
end

--- Start one, or nil and why that cannot be.
---@return table? postgres
---@return string? why
function M.start()
  local bin = output_of("ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1"):gsub("\n", "")
  if bin == "" then
    return nil, "there is no PostgreSQL"
  end
  local dir = reader.directory()
  local postgres = { dir = dir, password = "CANARY-postgres-password-0123456789" }
  local running
  reader.write(dir .. "/password", postgres.password)
  if as_postgres() ~= "" then
    output_of("chown -R postgres:postgres " .. quote(dir))
  end
  local made = output_of(("cd / && env -u LD_PRELOAD LC_ALL=C.UTF-8 %s%s/initdb -D %s/data -U celements --pwfile=%s/password -A scram-sha-256 "
    .. "-E UTF8 --no-sync --wal-segsize=1 2>&1"):format(as_postgres(), bin, dir, dir))
  assert(made:find("Success", 1, true), made)

  function postgres.start_again()
    for _ = 1, 50 do
      postgres.port = postgres.port or daemon.free_port()
      local command = ("%s%s/postgres -D %s/data -p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
        .. "-c max_connections=20 -c shared_buffers=1MB"):format(as_postgres(), bin, dir, postgres.port)
      local problem
      running, problem = daemon.start { command = command, dir = dir, ready = "ready to accept connections", signal = "INT" }
      if running then
        postgres.pid = running.pid
        postgres.url = ("postgresql://celements:%s@127.0.0.1:%d/postgres"):format(postgres.password, postgres.port)
        return
      elseif problem:find("in use", 1, true) and not problem:find("pre-existing", 1, true) and not postgres.pid then
        postgres.port = nil   -- another had it first
      else
        process.sleep(0.1)    -- what the killed one has left is still ending
      end
      postgres.problem = problem
    end
    error("PostgreSQL does not start: " .. postgres.problem)
  end

  function postgres.kill()
    running.kill()
  end

  function postgres.stop()
    running.stop()
  end

  function postgres.remove()
    postgres.stop()
    reader.remove(dir)
  end

  postgres.start_again()
  return postgres
end

return M
