--- Runs inside nginx: it must not outlive the test that started it, even when that is killed.

-- luacheck: globals ngx

local M = {}

local function read_file(path)
  local file = io.open(path, "rb")
  local content = file and file:read("*a")
  if file then
    file:close()
  end
  return content
end

--- Ends nginx when its parent is gone.
function M.look(premature, prefix, parent)
  if not premature and not read_file("/proc/" .. parent .. "/stat") then
    os.execute("kill -TERM " .. read_file(prefix .. "nginx.pid"))
  end
end

--- init_worker_by_lua
---@param parent string  the process that started nginx
function M.watch(parent)
  if ngx.worker.id() == 0 then
    assert(ngx.timer.every(1, M.look, ngx.config.prefix(), parent))
  end
end

return M
