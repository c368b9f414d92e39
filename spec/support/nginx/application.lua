--- An application in a real nginx, by a configuration of its own, and browsers that visit it.
-- Owns a temporary directory with the configuration, logs and files of the application,
-- and the nginx started there, which also ends when the process that started it is gone.
--
--     local app = application.start { port = application.free_port(), files = { ["app.lua"] = ... }, http = ..., server = ... }
--     local browser = app:browser("user=42")
--     local answer = browser:get("/connect/hubspot")
--     app:reload() app:restart() app:stop() app:remove()

local jar = require "spec.support.jar"
local process = require "celements.process"
local server = require "spec.support.nginx.server"
local socket = require "socket"

local NGINX = "PATH=$PATH:/usr/sbin env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH "
local PATIENCE = 10     -- seconds
local ANSWER = 60

local CONFIG = [[
load_module ${modules}/ndk_http_module.so;
load_module ${modules}/ngx_http_lua_module.so;
${user}
worker_processes ${workers};
pid nginx.pid;
error_log error.log ${level};
${main}
events { worker_connections ${connections}; }
http {
  access_log access.log combined;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  lua_package_path "${dir}/?.lua;${root}/lua/?.lua;${root}/?.lua;;";
  lua_package_cpath "${root}/build/luajit/?.so;;";
  init_worker_by_lua_block {
    require("spec.support.nginx.parent").watch("${parent}")
    ${init_worker}
  }
  ${http}
  server {
    listen ${listen};
    ${server}
  }
}
]]

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

local function quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

local function read_file(path)
  local file = io.open(path, "rb")
  local content = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return content
end

local function write_file(path, content)
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
end

local M = {}

--- The checkout.
function M.root()
  return (output_of("pwd"):gsub("\n$", ""))
end

--- Look again and again until there is something, for some seconds at most.
function M.wait_for(look, seconds)
  local ends = socket.gettime() + (seconds or PATIENCE)
  repeat
    local found = look()
    if found then
      return found
    end
    process.sleep(0.02)
  until socket.gettime() > ends
end

function M.free_port()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return tonumber(port)
end

-- Browsers -------------------------------------------------------------------------

local browser = {}
browser.__index = browser

-- To where it listens: a port of this machine, or a socket that also other network
-- namespaces can reach.
local function connect(app)
  if not app.path then
    return assert(socket.connect("127.0.0.1", app.port))
  end
  local unix = require "socket.unix"
  local connection = type(unix) == "table" and (unix.stream or unix.tcp)() or unix()
  assert(connection:connect(app.path))
  return connection
end

-- Reads an answer to its end.
local function read_answer(connection)
  local text, _, partial = connection:receive("*a")
  connection:close()
  text = text or partial
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  if not head then
    return nil, text
  end
  local answer = { status = tonumber(head:match("^HTTP/1%.%d (%d+)")), headers = {}, cookies = {}, body = body, head = head }
  for name, value in head:gmatch("\r\n([^:\r\n]+): ([^\r\n]*)") do
    if name:lower() == "set-cookie" then
      table.insert(answer.cookies, value)
    end
    answer.headers[name:lower()] = value
  end
  return answer
end

--- Send a request and do not wait for its answer.
---@param target string  a path, or a URL of this application
---@param more? {method?: string, headers?: string[], body?: string}
---@return table pending  answer() reads it, leave() closes the connection
function browser:send(target, more)
  more = more or {}
  target = target:gsub("^http://[^/]*", "")
  local connection = connect(self.app)
  connection:settimeout(ANSWER)
  local cookies = {}
  for _, each in ipairs { self.own, self.jar:header() or "" } do
    if each ~= "" then
      cookies[#cookies + 1] = each
    end
  end
  local lines = { ("%s %s HTTP/1.0"):format(more.method or "GET", target) }   -- whose answers come in one piece
  local host = ("Host: 127.0.0.1:%d"):format(self.app.port)
  local body = more.body or ""
  for _, line in ipairs(more.headers or {}) do
    if line:find("^Host:") then
      host = line
    else
      lines[#lines + 1] = line
    end
  end
  lines[#lines + 1] = host
  lines[#lines + 1] = cookies[1] and "Cookie: " .. table.concat(cookies, "; ") or nil
  lines[#lines + 1] = body ~= "" and "Content-Length: " .. #body or nil
  assert(connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body))
  return {
    answer = function()
      local answer, text = read_answer(connection)
      if answer then
        self.jar:take(answer.cookies)
      end
      return answer, text
    end,
    leave = function()
      connection:close()
    end,
  }
end

--- Send a request and read its answer.
function browser:get(target, more)
  local answer, text = self:send(target, more).answer()
  return assert(answer, text)
end

-- The application --------------------------------------------------------------------

--- A browser with cookies of its own besides those that the application sets.
---@param app {port: integer, path?: string}  path: of a unix socket where it listens as well
---@param own? string  "user=42"
function M.browser(app, own)
  return setmetatable({ app = app, own = own or "", jar = jar.new() }, browser)
end

local application = {}
application.__index = application

application.browser = M.browser

function application:launch()
  local command = NGINX .. (self.environment or "") .. " " .. (self.prefix or "") .. " nginx -p %s -c nginx.conf -e error.log 2>&1; echo \"status $?\""
  local message = output_of(command:format(quote(self.dir .. "/")))
  if not message:find("status 0\n$") then
    error("nginx does not start: " .. message .. read_file(self.dir .. "/error.log"), 3)
  end
  self.pid = assert(tonumber((read_file(self.dir .. "/nginx.pid"))))
end

--- The pids of its workers.
function application:workers()
  local found = {}
  for pid in output_of("ps -o pid= --ppid " .. self.pid):gmatch("%d+") do
    found[#found + 1] = tonumber(pid)
  end
  return found
end

--- HUP, and wait until the workers are others.
function application:reload()
  local before = {}
  for _, pid in ipairs(self:workers()) do
    before[pid] = true
  end
  process.kill(self.pid, "HUP")
  assert(M.wait_for(function()
    local now = self:workers()
    for _, pid in ipairs(now) do
      if before[pid] then
        return false
      end
    end
    return #now > 0
  end), "nginx does not reload")
end

function application:stop()
  if self.pid then
    process.kill(self.pid, "TERM")
    assert(M.wait_for(function() return not server.is_running(self.pid) end), "nginx does not stop")
    self.pid = nil
  end
end

function application:restart()
  self:stop()
  self:launch()
end

--- kill -9, master and workers: what happens to it when its machine dies.
function application:kill()
  local pids = self:workers()
  table.insert(pids, 1, self.pid)   -- the master first, which would start new ones
  for _, pid in ipairs(pids) do
    process.kill(pid, "KILL")
  end
  for _, pid in ipairs(pids) do
    assert(M.wait_for(function() return not server.is_running(pid) end), "nginx survives")
  end
  self.pid = nil
  os.remove(self.dir .. "/nginx.pid")
end

function application:remove()
  self:stop()
  os.execute("rm -rf " .. quote(self.dir))
end

function application:read(name)
  return read_file(self.dir .. "/" .. name)
end

--- Start it.
---@param options {port: integer, files: table<string, string>, http?: string, init_worker?: string, before?: fun(dir: string), server: string, main?: string, workers?: integer, level?: string, environment?: string, prefix?: string, listen?: string, connections?: integer}  ${root} and ${dir} in the texts are the checkout and the directory; prefix: a command that runs nginx; listen: default 127.0.0.1 and the port
function M.start(options)
  local self = setmetatable({ port = options.port, environment = options.environment, prefix = options.prefix }, application)
  self.url = ("http://127.0.0.1:%d"):format(self.port)
  self.dir = output_of("mktemp -d"):gsub("\n$", "")
  os.execute("chmod 755 " .. self.dir)
  for name, text in pairs(options.files) do
    write_file(self.dir .. "/" .. name, (text:gsub("%${dir}", self.dir)))
  end
  if options.before then
    options.before(self.dir)
  end
  local values = {
    modules = output_of(NGINX .. "nginx -V 2>&1"):match("%-%-modules%-path=(%S+)"),
    user = output_of("id -u") == "0\n" and "user root;" or "",
    workers = tostring(options.workers or 1), level = options.level or "notice", main = options.main or "",
    listen = options.listen or "127.0.0.1:${port}", connections = tostring(options.connections or 1024),
    http = options.http or "", init_worker = options.init_worker or "", server = options.server, port = tostring(self.port), parent = ("%d"):format(process.getpid()),
    root = M.root(), dir = self.dir,
  }
  local text = CONFIG:gsub("%${([%w_]+)}", values):gsub("%${([%w_]+)}", values)
  write_file(self.dir .. "/nginx.conf", text)
  local fine, problem = pcall(self.launch, self)
  if not fine then
    os.execute("rm -rf " .. quote(self.dir))
    error(problem, 2)
  end
  return self
end

return M
