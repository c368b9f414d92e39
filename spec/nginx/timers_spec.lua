--- A flow in an nginx that makes it hard: no timers left, no shared memory, or a new Lua for
-- each request.

local application = require "spec.support.nginx.application"
local celements = require "celements"
local connected = require "spec.support.connected"
local json = require "celements.json"
local process = require "celements.process"

local APP = [[
local celements = require "celements"
local settings = assert(require("celements.json").load "${dir}/settings.json")
return require("celements.openresty").new {
  client = celements.new {
    base_url = settings.base_url, user_secret = settings.user_secret, org_secret = settings.org_secret, timeout = 20,
  },
  element = "hubspotcrm", api_key = "key", api_secret = "secret", key = ("k"):rep(32),
  callback_url = settings.callback_url, user_id = function() return "42" end, success_path = "/connected",
  on_connected = function(instance)
    local file = io.open("${dir}/connected.log", "a")
    file:write(("%d\n"):format(instance.id))
    file:close()
  end,
}
]]

local SERVER = [[
location = /start { content_by_lua_block { require("app"):connect() } }
location = /callback {
  access_log off;
  lua_check_client_abort on;
  content_by_lua_block { require("app"):callback() }
}
location = /hog {
  content_by_lua_block {
    ngx.timer.at(0, function()
      while not ngx.worker.exiting() do
        ngx.sleep(0.2)
        require("spec.support.nginx.parent").look(false, ngx.config.prefix(), "${parent}")
      end
    end)
  }
}
]]

for what, http in pairs {
  ["that has no timers left"] = "lua_shared_dict celements 1m; lua_max_running_timers 1; init_by_lua_block { require 'app' }",
  ["that shares no memory"] = "init_by_lua_block { require 'app' }",
  ["that makes a new Lua for each request"] = "lua_shared_dict celements 1m; lua_code_cache off;",
} do
  describe("a flow in an nginx " .. what, function()
    local sandbox, client, app

    setup(function()
      sandbox, client = connected.start()
      local port = application.free_port()
      app = application.start {
        port = port, http = http, server = SERVER,
        files = {
          ["app.lua"] = APP,
          ["settings.json"] = json.encode {
            base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
            callback_url = ("http://127.0.0.1:%d/callback"):format(port),
          },
        },
      }
      if http:find("max_running", 1, true) then
        app:browser():get("/hog")
      end
    end)

    teardown(function()
      app:remove()
      sandbox.stop()
    end)

    local function consent(browser)
      return assert(celements.sandbox.consent(browser:get("/start?return_to=/a").headers.location))
    end

    it("connects all the same, and gives the same answer again", function()
      local browser = app:browser()
      local back = consent(browser)
      assert.equal("/a", browser:get(back).headers.location)
      assert.equal("/a", browser:get(back).headers.location)
      assert.equal(1, #assert(client:instances():all()))
    end)

    it("says at the start when what it keeps will not last", function()
      local warned = app:read("error.log"):find("there is no lua_shared_dict celements", 1, true) ~= nil
      assert.equal(not http:find("lua_shared_dict", 1, true), warned)
    end)

    it("finishes when the browser has left", function()
      local browser = app:browser()
      local back = consent(browser)
      connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.5", method = "POST", path = "/instances", times = 1 } } })
      local before = #app:read "connected.log"
      local pending = browser:send(back)
      process.sleep(0.2)
      pending.leave()
      assert(application.wait_for(function() return #app:read "connected.log" > before end))
      assert.equal("/a", browser:get(back).headers.location)
      assert.equal(2, #assert(client:instances():all()))
    end)
  end)
end
