--- Several machines, each with the same application in an nginx of its own, behind one
-- that balances; a Redis and a sandbox that all of them reach through the network.
-- Owns all of these, see spec.support.network.
--
--     local hosts, why = hosts.start { count = 2, app = APP, server = SERVER }
--     hosts.front:browser("user=1"):get("/start")   -- by way of the balancer
--     hosts.platform:get("/sandbox/requests")       -- the sandbox itself
--     hosts.kill(1)  hosts.start_again()  hosts.networks[1]:cut()  hosts.remove()

local application = require "spec.support.nginx.application"
local daemon = require "spec.support.daemon"
local json = require "celements.json"
local network_of = require "spec.support.network"
local reader = require "spec.support.reader"
local redis = require "spec.support.redis"
local script = require "spec.support.script"

local PORT = 8080            -- of each application, on a machine of its own
local PLATFORM_PORT = 8090

-- The sandbox listens on loopback only, so it is started in the middle and relayed there.
-- What has reached the platform is done, also when the machine that asked is dead.
local HTTP = [[
upstream app {
  ${hosts}
}
server {
  listen %s:%d;
  listen unix:${dir}/platform;
  access_log off;
  location / {
    proxy_pass http://127.0.0.1:%d;
    proxy_set_header Host $http_host;
    proxy_ignore_client_abort on;
    proxy_next_upstream off;
    proxy_read_timeout 120s;
  }
}
]]

local SANDBOX = [[
local platform = assert(require("celements.sandbox").start())
print(require("celements.json").encode {
  url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret,
})
io.stdout:flush()
require("celements.process").sleep(3600)
]]

local M = {}

local function start_sandbox(prefix, dir)
  reader.write(dir .. "/sandbox.lua", SANDBOX)
  local command = ("%s %s %s/sandbox.lua"):format(prefix, script.interpreter(), dir)
  local running, output = daemon.start { command = command, dir = dir, ready = "}\n", signal = "TERM" }
  assert(running, output)
  return running, assert(json.decode(reader.read(running.log):match("{.-}")))
end

--- Start them all, or nil and why that cannot be.
---@param options {count: integer, app: string, server: string, balance: string}  app: the Lua of module "app", which finds its ${dir}/settings.json; server: the locations; balance: the balancer's location
function M.start(options)
  local network, why = network_of.start(options.count)
  if not network then
    return nil, why
  end
  local self = { networks = network.hosts, apps = {} }
  local dir = reader.directory()
  local sandbox

  --- Take everything away.
  function self.remove()
    for i = 1, options.count do
      if self.apps[i] then
        self.apps[i]:remove()
      end
    end
    if self.front then
      self.front:remove()
    end
    if self.redis then
      self.redis.remove()
    end
    if sandbox then
      sandbox.stop()
    end
    network.remove()
    reader.remove(dir)
  end

  --- kill -9 of what serves on one machine.
  function self.kill(i)
    self.apps[i]:kill()
  end

  --- What was killed serves again.
  function self.start_again()
    for _, app in ipairs(self.apps) do
      if not app.pid then
        app:launch()
      end
    end
  end

  local middle = network.middle
  local fine, problem = pcall(function()
    local settings
    sandbox, settings = start_sandbox(middle.prefix, dir)
    self.redis = assert(redis.start { prefix = middle.prefix, bind = middle.address })
    local servers = {}
    for i, host in ipairs(network.hosts) do
      servers[i] = ("server %s:%d max_fails=1 fail_timeout=1s;"):format(host.address, PORT)
      self.apps[i] = application.start {
        port = PORT, listen = host.address .. ":" .. PORT, prefix = host.prefix, connections = 4096,
        main = "worker_rlimit_nofile 8192;", http = "init_by_lua_block { require 'app' }",
        server = ("add_header X-Host %d always;\n"):format(i) .. options.server,
        files = {
          ["app.lua"] = options.app,
          ["settings.json"] = json.encode {
            base_url = ("http://%s:%d/elements/api-v2"):format(middle.address, PLATFORM_PORT),
            user_secret = settings.user_secret, org_secret = settings.org_secret,
            redis_host = middle.address, redis_port = self.redis.port, redis_password = self.redis.password,
          },
        },
      }
    end
    local relay = HTTP:format(middle.address, PLATFORM_PORT, settings.url:match(":(%d+)/"))
    self.front = application.start {
      port = PORT, listen = "unix:${dir}/browsers", prefix = middle.prefix, connections = 4096, files = {},
      main = "worker_rlimit_nofile 8192;",
      http = relay:gsub("%${hosts}", table.concat(servers, "\n  ")), server = options.balance,
    }
    self.front.path = self.front.dir .. "/browsers"
    self.platform = application.browser { port = PLATFORM_PORT, path = self.front.dir .. "/platform" }
  end)
  if not fine then
    self.remove()
    error(problem, 2)
  end
  return self
end

return M
