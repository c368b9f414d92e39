--- The nginx configurations that people copy: the guide's and the example's, run as they
-- are but for paths, ports and secrets.

local celements = require "celements"
local connected = require "spec.support.connected"
local application = require "spec.support.nginx.application"
local nginx = require "spec.support.nginx.server"
local process = require "celements.process"
local reader = require "spec.support.reader"

local output_of, quote, read = reader.output_of, reader.quote, reader.read

local NGINX = "PATH=$PATH:/usr/sbin env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH timeout 300 "

-- Starts nginx by a configuration that says nothing of processes.  -> what a browser needs
local function start(text, files, sandbox, port)
  local here = output_of("pwd"):gsub("\n$", "")
  local directory = reader.directory()
  os.execute("chmod 755 " .. directory)
  text = text:gsub("/usr/local/share/lua/5.1/", here .. "/lua/"):gsub("/usr/local/lib/lua/5.1/", here .. "/build/luajit/")
    :gsub("http {", "http { client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4;"
      .. " scgi_temp_path t5; lua_package_path \"" .. directory .. "/?.lua;" .. here .. "/lua/?.lua;" .. here .. "/?.lua;;\";"
      .. (" init_worker_by_lua_block { require('spec.support.nginx.parent').watch('%d') }"):format(process.getpid()), 1)
    :gsub('\n  lua_package_path "[^"]*";', "", 1)
  reader.write(directory .. "/nginx.conf", (output_of("id -u") == "0\n" and "user root;\n" or "") .. text)
  for name, content in pairs(files) do
    reader.write(directory .. "/" .. name, content)
  end
  local environment = ("CELEMENTS_BASE_URL=%s CELEMENTS_USER_SECRET=%s CELEMENTS_ORG_SECRET=%s HUBSPOT_API_KEY=canary-api-key "
    .. "HUBSPOT_API_SECRET=canary-api-secret CONNECT_KEY=%s HUBSPOT_CALLBACK_URL=http://127.0.0.1:%d/connect/hubspot/callback ")
    :format(quote(sandbox.url), quote(sandbox.user_secret), quote(sandbox.org_secret), ("k"):rep(44), port)
  local output, status = output_of(environment .. NGINX .. "nginx -p " .. quote(directory .. "/") .. " -c nginx.conf -e error.log 2>&1")
  assert(status == 0, output)
  local pid = tonumber(read(directory .. "/nginx.pid"):match("%d+"))
  return {
    port = port, directory = directory,
    stop = function()
      process.kill(pid, "TERM")
      application.wait_for(function() return not nginx.is_running(pid) end)
      reader.remove(directory)
    end,
  }
end

describe("a configuration to copy", function()
  local sandbox, client

  setup(function()
    sandbox, client = connected.start()
  end)

  teardown(function()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
  end)

  -- Connects and returns where the user ends, and the URL that the provider called.
  local function connect(browser, decision, args)
    local url = browser:get("/connect/hubspot" .. (args or "")).headers.location
    local back = assert(celements.sandbox.consent(url, decision))
    return browser:get(back), back
  end

  local function has_no_grant(text, back)
    for _, name in ipairs { "code", "state" } do
      local value = back:match(name .. "=([^&]+)")
      assert(not value or not text:find(value, 1, true), name .. " is in a log")
    end
  end

  describe("of docs/nginx.md", function()
    local app, browser

    setup(function()
      local port = application.free_port()
      local modules = output_of(NGINX .. "nginx -V 2>&1"):match("%-%-modules%-path=(%S+)")
      local text = read("docs/nginx.md"):match("\n```nginx\n(.-)\n```\n")
      text = ("load_module %s/ndk_http_module.so;\nload_module %s/ngx_http_lua_module.so;\npid nginx.pid;\nevents {}\n"):format(modules, modules)
        .. text:gsub("https://app.example.com", "http://127.0.0.1:" .. port)
          :gsub("server {", ("access_log access.log; server { listen 127.0.0.1:%d;"):format(port), 1)
      app = start(text, {}, sandbox, port)
      browser = application.browser(app, "user=42")
    end)

    teardown(function()
      app.stop()
    end)

    it("connects an account, and asks who is nobody to sign in", function()
      local answer, back = connect(browser, "approve", "?return_to=/page")
      assert.equal("/page", answer.headers.location)
      assert.equal("/settings", (connect(browser)).headers.location)
      assert.equal(2, #assert(client:instances():all()))
      assert.equal(401, application.browser(app):get("/connect/hubspot").status)
      has_no_grant(read(app.directory .. "/access.log") .. read(app.directory .. "/error.log"), back)
    end)

    it("logs why there is no grant", function()
      local answer, back = connect(browser, "deny")
      assert.equal(403, answer.status)
      local log = application.wait_for(function()
        local text = read(app.directory .. "/error.log")
        return text:find("access_denied", 1, true) and text
      end)
      assert.matches("celements: callback of hubspotcrm: oauth: the provider answers: access_denied", log, 1, true)
      has_no_grant(log, back)
    end)

    it("tells all options and all reasons", function()
      local text = read "docs/nginx.md"
      local class = read("lua/celements/types.lua"):match("@class celements%.OpenrestyOptions\n(.-)\n\n")
      for name in class:gmatch("@field ([%l_%d]+)") do
        assert.matches("`" .. name .. "[`(]", text)
        assert.is_nil(select(2, pcall(require("celements.openresty").new, { [name] = 1 / 0 })):find("unknown option", 1, true))
      end
      local page = require "celements.connect.page"
      local count = 0
      for reason, status in text:gmatch("\n| `([%l_]+)` | (%d+) |") do
        assert.equal(tonumber(status), (page.build(reason, "x", { home = "/" })), reason)
        count = count + 1
      end
      assert.equal(15, count)
    end)
  end)

  it("of docs/nginx.md for calls of one's own shows what came, and makes another call when the answer is out", function()
    local instance = assert(client:create_instance(connected.typeform()))
    local port = application.free_port()
    local text = select(3, read("docs/nginx.md"):find("\n## Calls of your own\n.-\n```nginx\n(.-)\n```\n"))
    local modules = output_of(NGINX .. "nginx -V 2>&1"):match("%-%-modules%-path=(%S+)")
    text = ("load_module %s/ndk_http_module.so;\nload_module %s/ngx_http_lua_module.so;\npid nginx.pid;\nevents {}\nhttp {\n"
      .. "  lua_package_cpath \"/usr/local/lib/lua/5.1/?.so;;\";\n%s\n}\n")
      :format(modules, modules, (text:gsub('{ ca_file = "[^"]*" }', "()", 1)
        :gsub("init_by_lua_block {", ("%%0\n  token_of_this_user = function() return %q end\n"):format(instance.token), 1)
        :gsub("server {", ("access_log access.log; server { listen 127.0.0.1:%d;"):format(port), 1)))
    local app = start(text, {}, sandbox, port)
    local answer = application.browser(app):get("/contacts")
    assert.equal(200, answer.status)
    assert.equal(20, #assert(celements.json.decode(answer.body)))
    assert.truthy(application.wait_for(function()
      for _, request in ipairs(connected.control(sandbox, "GET", "/requests").requests) do
        if request.method == "POST" and request.path:find("/contacts$") then
          return true
        end
      end
    end))
    assert.is_nil(read(app.directory .. "/error.log"):find("[error]", 1, true))
    app.stop()
  end)

  describe("of examples/openresty", function()
    local app, browser

    setup(function()
      local port = application.free_port()
      local files = {}
      for _, name in ipairs { "app.lua", "page.lua", "celements.conf" } do
        files[name] = read("examples/openresty/" .. name)
      end
      local text = read("examples/openresty/nginx.conf"):gsub("127.0.0.1:8080;", ("127.0.0.1:%d;"):format(port))
      app = start(text, files, sandbox, port)
      browser = application.browser(app)
    end)

    teardown(function()
      app.stop()
    end)

    it("lists what was connected, and logs nothing of how", function()
      local page = browser:get "/"
      assert.equal(200, page.status)
      assert.matches("You have not connected an account yet", page.body, 1, true)
      local answer, back = connect(browser)
      assert.equal("/", answer.headers.location)
      local shown = browser:get("/").body
      local id = shown:match('<h2 id="account%-%d+">HubSpot <small>instance (%d+)</small></h2>')
      assert.matches(('<section aria-labelledby="account-%s">'):format(id), shown, 1, true)
      assert.equal(5, select(2, shown:gsub("<li>", "")))
      assert.matches("contact1@instance%d+%.example%.com", shown)
      local access = read(app.directory .. "/access.log")
      assert.matches('"GET /connect/hubspot" 303', access, 1, true)
      has_no_grant(access .. read(app.directory .. "/error.log"), back)
      assert.equal(414, browser:get("/connect/hubspot/callback?code=canary-code&x=" .. ("x"):rep(10240)).status)
      assert.is_nil((read(app.directory .. "/access.log") .. read(app.directory .. "/error.log")):find("canary-code", 1, true))
    end)

    it("says why contacts cannot be shown, and escapes what comes from elsewhere", function()
      connect(browser)
      assert(client:delete_instance(assert(client:instances():all())[1].id))
      assert.matches('<p role="alert">Its contacts cannot be shown now: ', browser:get("/").body, 1, true)
      local page = dofile "examples/openresty/page.lua"
      local text = page.build { { name = "<script>", id = 1, contacts = { { firstName = "<b>", email = '"&' } } } }
      assert.is_nil(text:find("<script>", 1, true) or text:find("<b>", 1, true))
      assert.matches("&lt;script&gt;", text, 1, true)
      assert.matches("<span>&quot;&amp;</span>", text, 1, true)
    end)

    it("says what is missing when nginx starts without its settings", function()
      local output, status = output_of("env -u HUBSPOT_API_KEY CELEMENTS_USER_SECRET=u CELEMENTS_ORG_SECRET=o " .. NGINX .. "nginx -p "
        .. quote(app.directory .. "/") .. " -c nginx.conf -e error.log 2>&1")
      assert.are_not.equal(0, status)
      assert.matches("set HUBSPOT_API_KEY in the environment of nginx", output, 1, true)
    end)
  end)
end)
