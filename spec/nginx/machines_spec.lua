--- One flow on two hosts that share a Redis and nothing else.

local application = require "spec.support.nginx.application"
local celements = require "celements"
local connected = require "spec.support.connected"
local json = require "celements.json"
local redis = require "spec.support.redis"

local APP = [[
local celements = require "celements"
local settings = assert(require("celements.json").load "${dir}/settings.json")
local key = ("k"):rep(32)
return require("celements.openresty").new {
  client = celements.new {
    base_url = settings.base_url, user_secret = settings.user_secret, org_secret = settings.org_secret, timeout = 20,
  },
  element = "hubspotcrm", api_key = "key", api_secret = "secret", key = key, lease = 2,
  store = require("celements.store").redis { key = key, host = "127.0.0.1", port = settings.redis_port, password = settings.redis_password, timeout = 5 },
  callback_url = "http://127.0.0.1:8080/callback", user_id = function() return ngx.var.cookie_user end,
  failure_path = "/failed",
  on_error = function(err, context)
    local file = io.open("${dir}/errors.log", "a")
    file:write(context.reason, " ", tostring(err), "\n")
    file:close()
  end,
}
]]

local SERVER = [[
location = /start { content_by_lua_block { require("app"):connect() } }
location = /callback { access_log off; content_by_lua_block { require("app"):callback() } }
location = /count {
  content_by_lua_block {
    local accounts, err = require("app"):connected(ngx.var.cookie_user)
    ngx.print(accounts and #accounts or tostring(err))
  }
}
]]

describe("a flow on two hosts that share a Redis", function()
  local sandbox, client, store, hosts

  setup(function()
    sandbox, client = connected.start()
    store = assert(redis.start())
    hosts = {}
    for i = 1, 2 do
      hosts[i] = application.start {
        port = application.free_port(), server = SERVER, http = "init_by_lua_block { require 'app' }",
        files = {
          ["app.lua"] = APP,
          ["settings.json"] = json.encode {
            base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret, redis_port = store.port,
            redis_password = store.password,
          },
        },
      }
    end
  end)

  teardown(function()
    for _, host in ipairs(hosts) do
      host:remove()
    end
    store.remove()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
  end)

  local function consent(browser)
    return assert(celements.sandbox.consent(browser:get("/start?return_to=/a").headers.location))
  end

  it("begins on one and ends on the other, with one instance that both know", function()
    local browser = hosts[1]:browser "user=both"
    local back = consent(browser)
    browser.app = hosts[2]
    assert.equal("/a", browser:get(back).headers.location)
    browser.app = hosts[1]
    assert.equal("/a", browser:get(back).headers.location)
    for _, host in ipairs(hosts) do
      browser.app = host
      assert.equal("1", browser:get("/count").body)
    end
    assert.equal(1, #assert(client:instances():all()))
  end)

  it("makes one instance of each of twenty callbacks that both get at once", function()
    connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.2", method = "POST", path = "/instances" } } })
    local pending = {}
    for i = 1, 20 do
      local browser = hosts[i % 2 + 1]:browser("user=many" .. i)
      local back = consent(browser)
      for _, host in ipairs(hosts) do
        browser.app = host
        pending[#pending + 1] = browser:send(back)
      end
    end
    for _, each in ipairs(pending) do
      assert.equal("/a", assert(each.answer()).headers.location, hosts[1]:read "errors.log" .. hosts[2]:read "errors.log")
    end
    assert.equal(20, #assert(client:instances():all()))
    for i = 1, 20 do
      assert.equal("1", hosts[1]:browser("user=many" .. i):get("/count").body)
    end
  end)

  it("says that the store is away, keeps the grant, and finishes when it is back", function()
    local browser = hosts[1]:browser "user=away"
    local back = consent(browser)
    store.kill()
    local answer = browser:get(back)
    assert.equal(503, answer.status)
    assert.matches('<a href="">Try again</a>', answer.body, 1, true)
    store.start_again()
    assert.equal("/a", browser:get(back).headers.location)
    assert.equal(1, #assert(client:instances():all()))
  end)
end)
