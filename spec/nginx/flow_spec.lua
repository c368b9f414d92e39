--- Connecting an account in a real nginx: what celements.openresty adds to
-- celements.connect, which has its own specs.  nginx runs its own Lua, so this file is
-- the same whatever Lua runs it.

local application = require "spec.support.nginx.application"
local canary = require "spec.support.canary"
local celements = require "celements"
local connected = require "spec.support.connected"
local json = require "celements.json"
local process = require "celements.process"
local socket = require "socket"

local KEY = "canary-key-of-the-specs, which has 32 bytes and more"
local API_SECRET = "canary-api-secret-2a7f"

-- The application: several flows, whose hooks write files.
local APP = [[
local celements = require "celements"
local json = require "celements.json"
local openresty = require "celements.openresty"

local M = {}

local settings = json.load "${dir}/settings.json"

local function append(name, value)
  local file = io.open("${dir}/" .. name, "a")
  file:write(json.encode(value), "\n")
  file:close()
end

local client = celements.new {
  base_url = settings.base_url, user_secret = settings.user_secret, org_secret = settings.org_secret, timeout = 20,
}

local function new(name, more)
  local options = {
    client = client, element = "hubspotcrm", api_key = "canary-api-key", api_secret = "]] .. API_SECRET .. [[",
    scope = { "contacts", "oauth" }, key = { "]] .. KEY .. [[" }, lease = 2,
    callback_url = ("http://127.0.0.1:%d/%s/callback"):format(settings.port, name),
    user_id = function() return ngx.var.cookie_user end,
    success_path = "/connected",
    on_connected = function(instance, context)
      append("connected.log", { id = instance.id, token = instance.token, user_id = context.user_id, phase = ngx.get_phase() })
      ngx.log(ngx.NOTICE, "the application logs from its hook")
    end,
    on_error = function(err, context)
      append("errors.log", { text = tostring(err), kind = err.kind, reason = context.reason, hint = err.hint, stage = context.stage })
      ngx.log(ngx.ERR, "the application logs ", tostring(err))
    end,
  }
  for option, value in pairs(more or {}) do
    options[option] = value
  end
  for _, option in ipairs(options.without or {}) do
    options[option] = nil
  end
  options.without = nil
  M[name] = openresty.new(options)
end

new("crm", { failure_path = "/failed" })
new("pages")
new("hubspot", { element = "hubspot" })
new("etsy", { element = "etsy", oauth1 = true, configuration = { ["shop.id"] = "my-shop" } })
new("logging", { without = { "on_error", "on_connected" } })
new("raising", { on_connected = function(instance) error("no " .. instance.token) end })
new("slow", {
  lease = 1,
  on_connected = function(instance)
    ngx.sleep(1.8)
    append("connected.log", { id = instance.id })
  end,
})
-- Its store takes its time to renew a claim.
local kept = require("celements.store").memory { dict = "celements", key = "]] .. KEY .. [[" }
local slow_store, renewed = {}, {}
for _, method in ipairs { "put", "get", "delete", "list", "claim", "release" } do
  slow_store[method] = function(_, key, ttl, owner)
    if method == "claim" then
      if renewed[owner] then
        ngx.sleep(0.5)
      end
      renewed[owner] = true
    end
    return kept[method](kept, key, ttl, owner)
  end
end
new("renewing", {
  lease = 3, store = slow_store,
  on_connected = function()
    if not io.open "${dir}/raised" then
      append("raised", true)
      ngx.sleep(1.2)
      error "not now"
    end
  end,
})
new("envless", { client = celements.new { base_url = settings.base_url } })
new("broken", { name = function() error "broken" end })

-- What the snippet of the examples calls it.
new("connect/hubspot")
M.hubspot_example = M["connect/hubspot"]

function M.flow()
  return M[ngx.var[1] ]
end

function M.accounts(name, user)
  return M[name]:connected(user)
end

return M
]]

local SERVER = [[
location ~ ^/(\w+)/start$ { content_by_lua_block { require("app").flow():connect() } }
location ~ ^/(\w+)/callback$ {
  access_log off;
  lua_socket_log_errors off;
  content_by_lua_block { require("app").flow():callback() }
}
location = /accounts {
  content_by_lua_block {
    local accounts, err = require("app").accounts("crm", ngx.var.arg_user)
    ngx.print(assert(require("celements.json").encode(celements_array(accounts or { tostring(err) }))))
  }
}
location = /early { access_by_lua_block { require("app").crm:connect() } }
location = /late { lua_http10_buffering off; content_by_lua_block { ngx.print("x") ngx.flush(true) require("app").crm:connect() } }
location = /dot {
  content_by_lua_block {
    local fine, problem = pcall(require("app").crm.connect, {})
    ngx.print(problem)
  }
}
location = /cookie { content_by_lua_block { ngx.header["Set-Cookie"] = "own=1" require("app").crm:connect() } }
location = /abort/callback {
  access_log off;
  lua_check_client_abort on;
  content_by_lua_block { require("app").crm:callback() }
}
location = /killed/callback {
  access_log off;
  lua_check_client_abort on;
  content_by_lua_block {
    ngx.on_abort(function() ngx.exit(499) end)
    require("app").crm:callback()
  }
}
location = /wait {
  content_by_lua_block {
    local function wait(a, b, c, d, e, f, g, h)
      local i, j, k, l, m, n, o, p = 9, 10, 11, 12, 13, 14, 15, 16
      ngx.sleep(0.6)
      return a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p
    end
    ngx.print(table.concat({ wait(1, 2, 3, 4, 5, 6, 7, 8) }, " "))
  }
}
location / { return 200 "a page"; }
]]

local HTTP = [[
lua_shared_dict celements 1m;
init_by_lua_block {
  function celements_array(list) return require("celements.json").array(list) end
  require "app"
}
]]

describe("a flow in nginx", function()
  local sandbox, client, app
  local seen = {}   -- what may be in no log

  local function snippet()
    local file = assert(io.open("examples/openresty/celements.conf"))
    local text = file:read("*a")
    file:close()
    -- The example's flow is app.hubspot; here that is another.
    return (text:gsub('%("app"%)%.hubspot', '("app").hubspot_example'))
  end

  setup(function()
    sandbox, client = connected.start()
    local port = application.free_port()
    seen = { key = KEY, api_secret = API_SECRET, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret }
    app = application.start {
      port = port, workers = 2, http = HTTP, server = SERVER .. snippet(),
      environment = "env -u CELEMENTS_USER_SECRET -u CELEMENTS_ORG_SECRET -u CELEMENTS_BASE_URL",
      files = {
        ["app.lua"] = APP,
        ["settings.json"] = json.encode {
          base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret, port = port,
        },
      },
    }
  end)

  teardown(function()
    app:remove()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
    for _, name in ipairs { "connected.log", "errors.log" } do
      os.remove(app.dir .. "/" .. name)
    end
  end)

  -- Whatever of a URL or a cookie is a secret, to be looked for in the logs at the end.
  local function remember(text)
    for name, value in text:gmatch("([%w_]+)=([^&;%s]+)") do
      if #value >= 12 and name ~= "error" and name ~= "error_description" then
        seen[name .. " " .. value:sub(1, 40)] = value
      end
    end
    return text
  end

  local function consent(url, decision)
    return remember(assert(celements.sandbox.consent(url, decision)))
  end

  local function connect(browser, name, args)
    local answer = browser:get(("/%s/start?%s"):format(name, args or ""))
    assert(answer.status == 303, answer.body)
    for _, line in ipairs(answer.cookies) do
      remember(line)
    end
    return answer.headers.location
  end

  local function records(name)
    local found = {}
    for line in app:read(name):gmatch("[^\n]+") do
      found[#found + 1] = assert(json.decode(line))
    end
    return found
  end

  local function wait_for_records(name, count)
    assert(application.wait_for(function() return #records(name) >= count end), name .. ": " .. app:read(name))
    return records(name)
  end

  local function creations()
    local count = 0
    for _, request in ipairs(connected.control(sandbox, "GET", "/requests").requests) do
      if request.method == "POST" and request.path == "/elements/api-v2/instances" then
        count = count + 1
      end
    end
    return count
  end

  local function instances()
    local all = assert(client:instances():all())
    for _, instance in ipairs(all) do
      seen["token " .. instance.id] = instance.token
    end
    return #all
  end

  it("connects: a redirect, a consent, a redirect, and the account is there", function()
    local browser = app:browser "user=connects"
    local back = consent(connect(browser, "crm", "return_to=%2Fsettings%3Fa%3D1"))
    local answer = browser:get(back)
    assert.equal(303, answer.status)
    assert.equal("/settings?a=1", answer.headers.location)
    assert.equal("no-store", answer.headers["cache-control"])
    assert.equal("no-referrer", answer.headers["referrer-policy"])
    assert.equal("0", answer.headers["content-length"])
    assert.same({}, browser.jar:names())
    assert.equal(1, instances())
    local told = records "connected.log"
    assert.equal(1, #told)
    assert.equal("connects", told[1].user_id)
    assert.equal("timer", told[1].phase)
    local accounts = assert(json.decode(browser:get("/accounts?user=connects").body))
    assert.equal(1, #accounts)
    assert.equal(told[1].id, accounts[1].id)
    assert.equal(told[1].token, accounts[1].token)
    assert.same(json.array {}, json.decode(browser:get("/accounts?user=nobody").body))
  end)

  it("works by the snippet of the examples as it is", function()
    local browser = app:browser "user=snippet"
    local url = browser:get("/connect/hubspot").headers.location
    assert.equal("/connected", browser:get(consent(url)).headers.location)
    assert.equal(1, instances())
  end)

  it("works with tokens in the callback, and with OAuth 1", function()
    local browser = app:browser "user=variants"
    assert.equal("/connected", browser:get(consent(connect(browser, "hubspot"))).headers.location)
    assert.equal("/connected", browser:get(consent(connect(browser, "etsy"))).headers.location)
    local url = connect(browser, "etsy")
    local without_state = consent(url):gsub("([?&])state=[%w_-]+&?", "%1")
    assert.equal("/connected", browser:get(without_state).headers.location)
    assert.equal(3, instances())
    local answer = browser:get("/hubspot/callback")   -- the fragment stays in the browser
    assert.equal(400, answer.status)
    assert.matches("behind a # sign", answer.body, 1, true)
    assert.equal("no_answer", wait_for_records("errors.log", 1)[1].reason) -- or the next flow finds it
  end)

  it("takes a no, and what providers say, in plain words", function()
    local browser = app:browser "user=denies"
    local answer = browser:get(consent(connect(browser, "crm"), "deny"))
    assert.equal("/failed?reason=denied", answer.headers.location)
    answer = browser:get(consent(connect(browser, "pages"), "deny"))
    assert.equal(403, answer.status)
    assert.matches("Nothing was connected", answer.body, 1, true)
    assert.equal("text/html; charset=utf-8", answer.headers["content-type"])
    assert.matches("^default%-src 'none'", answer.headers["content-security-policy"])
    answer = browser:get(consent(connect(browser, "etsy"), "deny"))
    assert.equal(403, answer.status)
    local state = connect(browser, "pages"):match("state=([%w_-]+)")
    answer = browser:get("/pages/callback?error=temporarily_unavailable&error_description=%3Cb%3Elater%3C/b%3E&state=" .. state)
    assert.equal(502, answer.status)
    assert.matches("The provider says: &lt;b&gt;later&lt;/b&gt;", answer.body, 1, true)
    local errors = wait_for_records("errors.log", 4)
    assert.equal("denied", errors[1].reason)
    assert.equal(0, creations())
  end)

  it("answers a platform's no with a page, and tells the application why", function()
    local browser = app:browser "user=refused"
    local back = consent(connect(browser, "pages")):gsub("code=[^&]+", "code=canary-not-a-code")
    local answer = browser:get(remember(back))
    assert.equal(502, answer.status)
    assert.matches("Start again", answer.body, 1, true)
    local errors = wait_for_records("errors.log", 1)
    assert.equal("provider", errors[1].reason)
    assert.equal(502, browser:get(back).status)
    assert.equal(1, creations())
  end)

  it("works in two tabs, in whatever order", function()
    local browser = app:browser "user=tabs"
    local a, b = connect(browser, "crm", "return_to=/a"), connect(browser, "crm", "return_to=/b")
    a, b = consent(a), consent(b)
    assert.equal("/a", browser:get(a).headers.location)
    assert.equal("/b", browser:get(b).headers.location)
    assert.equal("/a", browser:get(a).headers.location)
    assert.equal(2, creations())
  end)

  it("is asked for by whom it belongs to", function()
    local browser = app:browser "user=mine"
    local back = consent(connect(browser, "crm"))
    assert.equal("/failed?reason=other_browser", app:browser("user=mine"):get(back).headers.location)
    local other = app:browser "user=other"
    other.jar = browser.jar
    assert.equal("/failed?reason=other_user", other:get(back).headers.location)
    assert.equal("/failed?reason=sign_in", app:browser(""):get("/crm/start").headers.location)
    assert.equal(401, app:browser(""):get("/pages/start").status)
    assert.equal("/failed?reason=forged", browser:get("/crm/callback?code=c&state=forged").headers.location)
    assert.equal(0, creations())
    assert.equal("/connected", browser:get(back).headers.location)
  end)

  it("sends nobody where a forged Host points", function()
    local browser = app:browser "user=host"
    local forged = { headers = { "Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https" } }
    local answer = browser:get("/crm/start?return_to=/a", forged)
    assert.equal(303, answer.status)
    local url = answer.headers.location
    assert.matches(("redirect_uri=http%%3A%%2F%%2F127.0.0.1%%3A%d%%2Fcrm%%2Fcallback"):format(app.port), url, 1, true)
    assert.is_nil(answer.head:find("evil", 1, true))
    answer = browser:get(consent(url), forged)
    assert.equal("/a", answer.headers.location)
    assert.is_nil(answer.head:find("evil", 1, true))
  end)

  it("goes nowhere else in the end, whatever return_to says", function()
    local browser = app:browser "user=return"
    for _, hostile in ipairs { "//evil.example", "%2F%2Fevil.example", "/%09/evil.example", "https:evil.example", "/%5Cevil.example", "%5C%5Cevil" } do
      local url = connect(browser, "crm", "return_to=" .. hostile)
      assert.equal("/connected", browser:get(consent(url)).headers.location, hostile)
    end
  end)

  it("is read safely, however it comes in", function()
    local browser = app:browser "user=safely"
    local state = connect(browser, "pages"):match("state=([%w_-]+)")
    local EXPECTED = {
      ["code=a&code=b&state=" .. state] = 400, ["code&state=" .. state] = 400, ["state=" .. state] = 400, ["state"] = 400,
      ["code=c&state=" .. ("x"):rep(5000)] = 403, [("a=1&"):rep(150)] = 400, ["%00=%ff&state=%zz"] = 403,
    }
    for args, status in pairs(EXPECTED) do
      local answer = browser:get("/pages/callback?" .. args)
      assert.equal(status, answer.status, args:sub(1, 60))
      assert.matches("<h1>", answer.body, 1, true)
    end
    assert.equal(405, browser:get("/pages/callback?code=c", { method = "HEAD" }).status)
    assert.equal(405, browser:get("/pages/callback?code=c", { method = "POST", headers = { "Content-Length: 0" } }).status)
    -- More than nginx itself takes never gets here, and is no failure of ours.
    assert.equal(414, browser:get("/pages/callback?state=" .. ("x"):rep(10240)).status)
    assert.equal(0, creations())
  end)

  it("goes on after a reload and after a restart in between", function()
    local browser = app:browser "user=reload"
    local back = consent(connect(browser, "crm", "return_to=/a"))
    app:reload()
    assert.equal("/a", browser:get(back).headers.location)
    back = consent(connect(browser, "crm", "return_to=/b"))
    app:restart()
    assert.equal("/b", browser:get(back).headers.location)
    assert.equal(2, creations())
  end)

  it("finishes what is going on when nginx is reloaded meanwhile", function()
    local browser = app:browser "user=meanwhile"
    local back = consent(connect(browser, "crm", "return_to=/a"))
    connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.5", method = "POST", path = "/instances" } } })
    local pending = browser:send(back)
    assert(application.wait_for(function() return creations() == 1 end))
    app:reload()
    local again = browser:send(back)   -- for a new worker
    assert.equal("/a", pending.answer().headers.location)
    assert.equal("/a", again.answer().headers.location)
    assert.equal(1, instances())
    assert.equal(1, #records "connected.log")
  end)

  it("makes one instance of a callback that comes eight times at once, and gives all the same answer", function()
    local browser = app:browser "user=double"
    local back = consent(connect(browser, "crm", "return_to=/a"))
    connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.3", method = "POST", path = "/instances" } } })
    local pending = {}
    for i = 1, 8 do
      pending[i] = browser:send(back)
    end
    for i = 1, 8 do
      local answer = assert(pending[i].answer())
      assert.equal(303, answer.status)
      assert.equal("/a", answer.headers.location)
    end
    assert.equal(1, creations())
    assert.equal(1, instances())
    assert.equal(1, #records "connected.log")
  end)

  it("keeps its claim for longer than the lease while its host lives", function()
    local browser = app:browser "user=slow"
    local back = consent(connect(browser, "slow"))
    local pending = {}
    for i = 1, 4 do
      pending[i] = browser:send(back)
    end
    for i = 1, 4 do
      assert.equal("/connected", assert(pending[i].answer()).headers.location)
    end
    assert.equal(1, #records "connected.log")
    assert.equal(1, creations())
  end)

  it("gives its claim back for good, also when that was just being renewed", function()
    local browser = app:browser "user=renewing"
    local back = consent(connect(browser, "renewing"))
    assert.equal(500, browser:get(back).status)
    process.sleep(0.6)
    local began = socket.gettime()
    assert.equal("/connected", browser:get(back).headers.location)
    assert.is_true(socket.gettime() - began < 1)
    assert.equal(1, creations())
  end)

  it("finishes when the browser has left, with and without nginx looking for that", function()
    for n, place in ipairs { "/crm/callback", "/abort/callback" } do
      local browser = app:browser "user=leaves"
      local back = consent(connect(browser, "crm", "return_to=/a")):gsub("/crm/callback", place)
      connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.5", method = "POST", path = "/instances" } } })
      local pending = browser:send(back)
      process.sleep(0.1)
      pending.leave()
      wait_for_records("connected.log", n)
      assert.equal(n, instances())
      assert.equal("/a", browser:get(back).headers.location)   -- it is known when the user comes back
      assert.equal(n, creations())
    end
  end)

  it("finishes when the application ends the request of a browser that has left, and touches no other", function()
    local browser = app:browser "user=ended"
    local back = consent(connect(browser, "crm", "return_to=/a")):gsub("/crm/callback", "/killed/callback")
    connected.control(sandbox, "POST", "/faults", { faults = { { fault = "delay=0.5", method = "POST", path = "/instances" } } })
    local pending = browser:send(back)
    process.sleep(0.15)
    pending.leave()
    process.sleep(0.1)
    local others = {}
    for i = 1, 8 do
      others[i] = app:browser():send "/wait"
    end
    for i = 1, 8 do
      assert.equal("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", others[i].answer().body)
    end
    assert.equal(1, #wait_for_records("connected.log", 1))
    assert.equal("/a", browser:get(back).headers.location)
    assert.equal(1, instances())
    assert.is_nil(app:read("error.log"):find("lua entry thread aborted", 1, true))
  end)

  it("makes one instance when the worker that makes it is killed", function()
    local browser = app:browser "user=killed"
    local back = consent(connect(browser, "crm", "return_to=/a"))
    connected.control(sandbox, "POST", "/faults", { faults = { { fault = "late=0.6", method = "POST", path = "/instances", times = 1 } } })
    local before = creations()
    local pending = browser:send(back)
    assert(application.wait_for(function() return creations() > before end))
    for _, pid in ipairs(app:workers()) do
      process.kill(pid, "KILL")
    end
    assert.is_nil((pending.answer()))
    assert(application.wait_for(function() return #app:workers() == 2 end))
    assert.equal("/a", browser:get(back).headers.location)
    assert.equal(1, instances())
    assert.equal(1, #records "connected.log")
  end)

  it("keeps the instance when on_connected raises, and says who has to act", function()
    local browser = app:browser "user=raising"
    local answer = browser:get(consent(connect(browser, "raising")))
    assert.equal(500, answer.status)
    assert.matches("Connected, but not finished", answer.body, 1, true)
    assert.equal(1, instances())
    local accounts = assert(json.decode(browser:get("/accounts?user=raising").body))
    assert.equal(1, #accounts)
    local errors = wait_for_records("errors.log", 1)
    assert.matches("on_connected raised: .*no %[redacted%]", errors[1].text)
  end)

  it("answers with a page when a function of the application raises", function()
    local browser = app:browser "user=broken"
    assert.equal(500, browser:get(consent(connect(browser, "broken"))).status)
    assert.matches("name raised: .*broken", wait_for_records("errors.log", 1)[1].text)
    assert.equal(0, creations())
  end)

  it("names the lines that nginx.conf lacks when the secrets are in the environment only", function()
    assert.equal(500, app:browser("user=env"):get("/envless/start").status)
    local errors = wait_for_records("errors.log", 1)
    assert.equal("config", errors[1].kind)
    assert.matches("`env CELEMENTS_ORG_SECRET;` and `env CELEMENTS_USER_SECRET;`", errors[1].hint, 1, true)
  end)

  it("warns of missing secrets when nginx starts, before a user comes", function()
    local line = app:read("error.log"):match("[^\n]*%[warn%][^\n]*nobody can connect an account[^\n]*")
    assert.matches("missing: org_secret, user_secret; set CELEMENTS_ORG_SECRET and CELEMENTS_USER_SECRET", line, 1, true)
  end)

  it("keeps a cookie that the application sets", function()
    local answer = app:browser("user=cookie"):get("/cookie")
    assert.equal(2, #answer.cookies)
    assert.equal("own=1", answer.cookies[1])
    assert.matches("^ce_", answer.cookies[2])
  end)

  it("tells a programmer where the calls belong", function()
    local browser = app:browser "user=phase"
    assert.equal(500, browser:get("/early").status)
    local function logged(text)
      return application.wait_for(function() return app:read("error.log"):find(text, 1, true) end)
    end
    assert(logged "flow:connect() answers a request: it belongs into content_by_lua_block, not into phase 'access'")
    browser:get("/late")
    assert(logged "flow:connect() came after the answer had begun")
    assert.matches("call flow:connect() with a colon", browser:get("/dot").body, 1, true)
  end)

  it("writes a line without the request when the application has no on_error", function()
    local browser = app:browser "user=logs"
    assert.equal(403, browser:get(consent(connect(browser, "logging"), "deny")).status)
    local line = assert(application.wait_for(function()
      return app:read("error.log"):match("[^\n]*celements: callback of hubspotcrm: oauth: [^\n]*")
    end))
    assert.matches("access_denied", line, 1, true)
    assert.is_nil(line:find("request:", 1, true))
  end)

  it("leaves no word of any callback in any log", function()   -- the last: of all flows above
    local count = 0
    for _ in pairs(seen) do
      count = count + 1
    end
    assert.is_true(count > 60, tostring(count))
    local access, errors = app:read "access.log", app:read "error.log"
    assert.matches("/crm/start", access, 1, true)
    assert.matches("the application logs from its hook", errors, 1, true)
    assert.is_nil((access .. errors):find("/callback?code", 1, true))
    for name, secret in pairs(seen) do
      assert.same({}, canary.leaks(access, { [name] = secret }), name)
      assert.same({}, canary.leaks(errors, { [name] = secret }), name)
    end
  end)
end)
