--- The sandbox's model behind a real nginx: TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2.
-- Owns a temporary directory with configuration, certificates and logs, and the nginx
-- started there.  nginx also ends when the process that started it is gone.
--
--     local nginx = require "spec.support.nginx.server"
--     local platform = nginx.start()
--     … platform.url, platform.ca_file …
--     platform.stop()      -- the directory stays, for its logs
--     platform.remove()    -- stops, and removes the directory

local certificates = require "spec.support.nginx.certificates"
local json = require "celements.json"
local process = require "celements.process"
local sandbox = require "celements.sandbox"
local socket = require "socket"

-- A sanitizer that is preloaded into the test has no business in there.
local NGINX = "PATH=$PATH:/usr/sbin env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH nginx"
local ATTEMPTS = 5          -- a port found free can be taken by another before nginx has it
local STOP_PATIENCE = 5     -- seconds

local M = {}

local CONFIG = [[
load_module ${modules}/ndk_http_module.so;
load_module ${modules}/ngx_http_lua_module.so;
${user}
worker_processes 1;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 2048; }
http {
  access_log access.log combined;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 16m;
  client_body_buffer_size 256k;
  large_client_header_buffers 8 64k;
  keepalive_timeout 30s;
  keepalive_requests 1000000;
  lua_package_path "${root}/lua/?.lua;${root}/?.lua;;";
  lua_package_cpath "${root}/build/luajit/?.so;;";
  init_worker_by_lua_block { require("spec.support.nginx.host").init() }
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:tls:1m;
${servers}}
]]

local SERVER = [[
  server {
    listen 127.0.0.1:%d%s;
%s    location / { content_by_lua_block { require("spec.support.nginx.host").content() } }
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

-- The checkout this file lies in.
local function root()
  local here = debug.getinfo(1, "S").source:match("^@(.*)[^/]*$"):match("^(.*/)") or "./"
  return (output_of("cd " .. quote(here .. "../../..") .. " && pwd"):gsub("\n$", ""))
end

local function free_ports(n)
  local listeners, ports = {}, {}
  for i = 1, n do
    listeners[i] = assert(socket.bind("127.0.0.1", 0))
    local _, port = listeners[i]:getsockname()
    ports[i] = tonumber(port)
  end
  for i = 1, n do
    listeners[i]:close()
  end
  return ports
end

local function write_file(path, content)
  local file = assert(io.open(path, "w"))
  file:write(content)
  file:close()
end

local function read_file(path)
  local file = io.open(path)
  local content = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return content
end

local function tls_server(port, certificate, http2)
  return SERVER:format(port, " ssl" .. (http2 and " http2" or ""),
    ("    ssl_certificate %s.pem;\n    ssl_certificate_key %s.key;\n"):format(certificate, certificate))
end

local function configuration(ports, http2)
  local values = {
    root = root(),
    modules = output_of(NGINX .. " -V 2>&1"):match("%-%-modules%-path=(%S+)"),
    user = output_of("id -u") == "0\n" and "user root;" or "",
    servers = tls_server(ports[1], "good", http2) .. tls_server(ports[2], "elsewhere", http2)
      .. tls_server(ports[3], "selfsigned", http2) .. SERVER:format(ports[4], "", ""),
  }
  return (CONFIG:gsub("%${(%w+)}", values))
end

-- nginx goes into the background when it listens: its exit tells whether it does.
local function launch(dir)
  return output_of(NGINX .. " -p " .. quote(dir .. "/") .. " -c nginx.conf -e error.log 2>&1; echo \"status $?\"")
end

--- Is this nginx still at work?  One that has ended and that init has not buried yet is not.
---@param pid integer
---@return boolean
function M.is_running(pid)
  local state = read_file(("/proc/%d/stat"):format(pid)):match("^%d+ %(.*%) (%a)")
  return state ~= nil and state ~= "Z"
end

local function wait_until_gone(pid)
  local deadline = socket.gettime() + STOP_PATIENCE
  while M.is_running(pid) do
    if socket.gettime() > deadline then
      process.kill(pid, "KILL")
    end
    process.sleep(0.005)
  end
end

--- Start nginx with a model of its own.
---@param options? table  `http2` (default true: both, the client chooses); any other: as for celements.sandbox.model
---@return table platform  url (https), wrong_host_url, self_signed_url, plain_url, provider_url, control_url (http), ca_file, user_secret, org_secret, pid, dir, error_log, access_log, stop(), remove()
function M.start(options)
  local model_options, http2 = {}, true
  for name, value in pairs(options or {}) do
    if name == "http2" then
      http2 = value
    else
      model_options[name] = value
    end
  end
  local dir = output_of("mktemp -d"):gsub("\n$", "")
  certificates.make(dir)

  local ports, message
  for _ = 1, ATTEMPTS do
    ports = free_ports(4)
    model_options.provider_url = ("http://127.0.0.1:%d/provider"):format(ports[4])
    local model = sandbox.model(model_options)   -- checks the options and makes the secrets
    model_options.user_secret, model_options.org_secret = model.user_secret, model.org_secret
    model_options.parent = process.getpid()
    write_file(dir .. "/options.json", assert(json.encode(model_options)))
    model_options.parent = nil
    write_file(dir .. "/nginx.conf", configuration(ports, http2))
    message = launch(dir)
    if message:find("status 0\n$") then
      message = nil
      break
    end
  end
  if message then
    message = message .. read_file(dir .. "/error.log")
    os.execute("rm -rf " .. quote(dir))
    error("nginx does not start: " .. message, 2)
  end

  local api = "/elements/api-v2"
  local platform = {
    url = ("https://localhost:%d%s"):format(ports[1], api),
    wrong_host_url = ("https://localhost:%d%s"):format(ports[2], api),
    self_signed_url = ("https://localhost:%d%s"):format(ports[3], api),
    plain_url = ("http://127.0.0.1:%d%s"):format(ports[4], api),
    provider_url = model_options.provider_url,
    control_url = ("http://127.0.0.1:%d/sandbox"):format(ports[4]),
    ca_file = dir .. "/ca.pem", dir = dir, error_log = dir .. "/error.log", access_log = dir .. "/access.log",
    user_secret = model_options.user_secret, org_secret = model_options.org_secret,
    pid = tonumber((read_file(dir .. "/nginx.pid"))),
  }
  local running = true

  function platform.stop()
    if running then
      running = false
      process.kill(platform.pid, "TERM")
      wait_until_gone(platform.pid)
    end
  end

  function platform.remove()
    platform.stop()
    os.execute("rm -rf " .. quote(dir))
  end

  return platform
end

return M
