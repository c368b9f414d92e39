--- The waiter inside a real nginx: the contract of every waiter, the phases, and what can
-- happen to who waits.

local application = require "spec.support.nginx.application"
local celements = require "celements"
local contract = require "spec.support.waiter_contract"
local process = require "celements.process"
local socket = require "socket"

-- What every application here has: a client for the sandbox, in APP.
local APP = [==[
local celements = require "celements"
local options = require "options"

local M = { celements = celements, answers = {}, events = {} }

options.on_response = function(event)
  M.events[#M.events + 1] = event.method .. " " .. event.path .. " " .. tostring(event.status)
end

function M.new(more)
  local all = {}
  for _, each in ipairs { options, more or {} } do
    for name, value in pairs(each) do
      all[name] = value
    end
  end
  return celements.new(all)
end

M.client = M.new()

function M.late(seconds)
  return { headers = { ["Sandbox-Fault"] = "late=" .. seconds } }
end

-- What a call said in some place, under its name.
function M.try(place)
  local answer, err = M.client:request("GET", "/elements/keys")
  M.answers[place] = answer and "answered" or tostring(err) .. " outcome " .. tostring(err.outcome)
  M.client:defer(function()
    local later = M.client:request("GET", "/elements/keys")
    M.answers[place .. " deferred"] = later and "answered" or "failed"
  end)
end

function M.create(name, options)
  return M.client:create_instance(
    { element = "typeform", name = name, configuration = { ["api.key"] = "sandbox-typeform-key" } }, options)
end

return M
]==]

local function start(platform, options)
  local fields = { "return {" }
  for _, name in ipairs { "user_secret", "org_secret" } do
    fields[#fields + 1] = ("  %s = %q,"):format(name, platform[name])
  end
  fields[#fields + 1] = ("  base_url = %q,\n}\n"):format(platform.url)
  options.files = { ["app.lua"] = APP, ["options.lua"] = table.concat(fields, "\n") }
  options.port = application.free_port()
  return application.start(options)
end

local function created(platform, name)
  local client = celements.new {
    base_url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret,
  }
  local count = 0
  for each in client:instances { search = name } do
    count = count + (each.name == name and 1 or 0)
  end
  return count
end

local function location(name, code, more)
  return ("location = /%s { %s content_by_lua_block { local app = require 'app' %s } }\n"):format(name, more or "", code)
end

describe("the waiter nginx", function()
  local platform, app

  setup(function()
    platform = assert(celements.sandbox.start { premade_instances = 10 })
    local contract_location = [[
      local case = require("spec.support.waiter_contract")[tonumber(ngx.var.arg_n)]
      local fine, raised = pcall(case.run, {
        client = app.client, new = app.new, sleep = ngx.sleep,
        now = function() ngx.update_time() return ngx.now() end,
        parallel = function(jobs)
          local threads = {}
          for i, job in ipairs(jobs) do
            threads[i] = assert(ngx.thread.spawn(job))
          end
          for _, thread in ipairs(threads) do
            local ended, problem = ngx.thread.wait(thread)
            if not ended then
              error(problem, 0)
            end
          end
        end,
      })
      ngx.print(fine and "fine" or tostring(raised))
    ]]
    app = start(platform, { server = location("contract", contract_location) })
  end)

  teardown(function()
    app:remove()
    platform.stop()
  end)

  for n, case in ipairs(contract) do
    it(case.sentence, function()
      assert.equal("fine", app:browser():get("/contract?n=" .. n).body)
    end)
  end

  it("wrote nothing into the error log", function()
    local log = app:read "error.log"
    assert.is_nil(log:find("[error]", 1, true), log)
    assert.is_nil(log:find("[alert]", 1, true), log)
    assert.is_nil(log:find("[warn]", 1, true), log)
  end)
end)

describe("in nginx's phases", function()
  local platform, app, answers

  setup(function()
    platform = assert(celements.sandbox.start())
    app = start(platform, {
      http = [[
        init_by_lua_block { require("app").try "init" }
        lua_shared_dict dictionary 1m;
        upstream balanced {
          server 0.0.0.1;
          balancer_by_lua_block {
            require("app").try "balancer"
            require("ngx.balancer").set_current_peer("127.0.0.1", ]] .. platform.url:match(":(%d+)") .. [[)
          }
        }
      ]],
      init_worker = [[ require("app").try "init_worker" ]],
      server = [[
        location = /all {
          set_by_lua_block $ignored { require("app").try "set" return "" }
          rewrite_by_lua_block { require("app").try "rewrite" }
          access_by_lua_block { require("app").try "access" }
          content_by_lua_block {
            local app = require "app"
            app.try "content"
            assert(ngx.thread.wait(ngx.thread.spawn(app.try, "thread")))
            coroutine.wrap(app.try)("coroutine")
            assert(pcall(app.try, "pcall"))
            local done = false
            ngx.timer.at(0, function() app.try "timer" done = true end)
            while not done do ngx.sleep(0.01) end
            ngx.print "x"
          }
          header_filter_by_lua_block { require("app").try "header_filter" }
          body_filter_by_lua_block { if ngx.arg[2] then require("app").try "body_filter" end }
          log_by_lua_block { require("app").try "log" }
        }
        location = /balanced { proxy_pass http://balanced; }
        location = /answers {
          content_by_lua_block {
            ngx.sleep(0.3)
            ngx.print(require("celements").json.encode(require("app").answers))
          }
        }
      ]],
    })
    app:browser():get "/all"
    app:browser():get "/balanced"
    answers = celements.json.decode(app:browser():get("/answers").body)
  end)

  teardown(function()
    app:remove()
    platform.stop()
  end)

  for _, phase in ipairs { "rewrite", "access", "content", "thread", "coroutine", "pcall", "timer" } do
    it(phase .. " gets its answer", function()
      assert.equal("answered", answers[phase])
      assert.equal("answered", answers[phase .. " deferred"])
    end)
  end

  for _, phase in ipairs { "init_worker", "set", "header_filter", "body_filter", "log", "balancer" } do
    it(phase .. " is refused before anything is sent, with what to do, and can defer", function()
      assert.equal(("config: nginx cannot wait in the phase '%s': use client:defer(function() ... end) there "
        .. "[GET /elements/keys] outcome not_sent"):format(phase), answers[phase])
      assert.equal("answered", answers[phase .. " deferred"])
    end)
  end

  it("init is refused: there a client is made, and nothing is sent", function()
    assert.truthy(answers.init:find("nginx cannot wait in the phase 'init'", 1, true))
    assert.truthy(answers.init:find("outcome not_sent", 1, true))
    assert.is_nil(answers["init deferred"])
  end)
end)

describe("in a phase of TLS", function()
  it("the certificate may be waited for, and the hello is refused", function()
    local certificates = require "spec.support.nginx.certificates"
    local platform = assert(celements.sandbox.start())
    local port = application.free_port()
    local app = start(platform, {
      http = ([[
        server {
          listen 127.0.0.1:%d ssl;
          ssl_certificate tls/good.pem;
          ssl_certificate_key tls/good.key;
          ssl_client_hello_by_lua_block { require("app").try "ssl_client_hello" }
          ssl_certificate_by_lua_block { require("app").try "ssl_cert" }
          location / { return 200 "over TLS"; }
        }
      ]]):format(port),
      server = [[ location = /answers { content_by_lua_block {
        ngx.print(require("celements").json.encode(require("app").answers)) } } ]],
      before = function(dir)
        os.execute("mkdir -p " .. dir .. "/tls")
        certificates.make(dir .. "/tls")
      end,
    })
    local pipe = io.popen(("env -u LD_PRELOAD curl -s --max-time 10 --cacert '%s/tls/ca.pem' https://localhost:%d/"):format(app.dir, port))
    local text = pipe:read "*a"
    pipe:close()
    local answers = celements.json.decode(app:browser():get("/answers").body)
    app:remove()
    platform.stop()
    assert.equal("over TLS", text)
    assert.truthy(answers.ssl_client_hello:find("nginx cannot wait in the phase 'ssl_client_hello'", 1, true))
    assert.equal("answered", answers["ssl_client_hello deferred"])
    assert.equal("answered", answers.ssl_cert)
  end)
end)

describe("in nginx, when who waits is gone,", function()
  local platform, app

  setup(function()
    platform = assert(celements.sandbox.start())
    app = start(platform, {
      server = location("create", [[ app.create(ngx.var.arg_name, app.late(0.5)) ngx.print "created" ]],
          "lua_check_client_abort on;")
        .. location("killed", [[
          local thread = ngx.thread.spawn(app.create, ngx.var.arg_name, app.late(0.5))
          ngx.sleep(0.1)
          assert(ngx.thread.kill(thread))
          ngx.print "killed" ]])
        .. location("killed_many", [[
          local thread = ngx.thread.spawn(function()
            app.client:map({ 1, 2, 3 }, function(n)
              local made = app.create(ngx.var.arg_name .. n, app.late(0.3 * n))
              return made
            end)
          end)
          ngx.sleep(0.1)
          assert(ngx.thread.kill(thread))
          ngx.print "killed" ]])
        .. location("busy_many", [[
          local outcomes = app.client:map({ 1, 2, 3 }, function(n)
            local keys, info = app.client:request("GET", "/elements/keys", app.late(0.1 * n))
            if n == 1 then
              ngx.sleep(2.5) -- which holds the others up
            end
            return keys, info
          end, { concurrency = 3 })
          for n = 1, 3 do
            ngx.say(outcomes[n].result and outcomes[n].result[1] or tostring(outcomes[n].err))
          end
          ngx.say(#app.events)
          app.events = {} ]])
        .. location("events", [[ ngx.sleep(0.2) ngx.print(table.concat(app.events, "\n")) app.events = {} ]])
        .. location("call", [[ ngx.print(app.client:request("GET", "/elements/keys")[1]) ]]),
    })
  end)

  teardown(function()
    app:remove()
    platform.stop()
  end)

  local function event_comes(name)
    return application.wait_for(function()
      return app:browser():get("/events").body:find(name, 1, true) ~= nil
    end, 10)
  end

  it("its client having left, a creation goes on to its end, and the hook is told", function()
    local pending_one = app:browser():send "/create?name=left"
    process.sleep(0.2)
    pending_one.leave()
    assert.is_true(event_comes "POST /instances 200")
    assert.equal(1, created(platform, "left"))
  end)

  it("its thread being killed, too", function()
    assert.equal("killed", app:browser():get("/killed?name=killed").body)
    assert.is_true(event_comes "POST /instances 200")
    assert.equal(1, created(platform, "killed"))
  end)

  it("the thread of many calls being killed, each of them goes on and is told", function()
    app:browser():get "/events"
    assert.equal("killed", app:browser():get("/killed_many?name=many").body)
    local told = 0
    assert.is_true(application.wait_for(function()
      told = told + select(2, app:browser():get("/events").body:gsub("POST /instances 200", ""))
      return told == 3
    end, 10))
    for n = 1, 3 do
      assert.equal(1, created(platform, "many" .. n))
    end
  end)

  it("calls of which one is busy with something else are not taken for gone, and each is told once", function()
    app:browser():get "/events"
    assert.equal("hubspot\nhubspot\nhubspot\n3\n", app:browser():get("/busy_many").body)
  end)

  it("the others get their answers", function()
    assert.equal("hubspot", app:browser():get("/call").body)
  end)
end)

describe("in nginx without timers to spare", function()
  local platform, app

  setup(function()
    platform = assert(celements.sandbox.start())
    app = start(platform, {
      http = "lua_max_running_timers 1; lua_max_pending_timers 1;",
      server = location("hold", [[
          ngx.timer.at(0, function()
            while not ngx.worker.exiting() do
              ngx.sleep(0.1)
            end
          end)
          ngx.sleep(0.05)
          ngx.timer.at(3600, function() end)
          ngx.print(tostring(ngx.timer.at(3600, function() end))) ]])
        .. location("call", [[
          local answer, err = app.client:request("GET", "/elements/keys", app.late(0.3))
          ngx.print(answer and answer[1] or tostring(err)) ]])
        .. location("killed", [[
          local first = ngx.thread.spawn(function() app.client:request("GET", "/elements/keys", app.late(3)) end)
          local answer, err
          local second = ngx.thread.spawn(function()
            answer, err = app.client:request("GET", "/elements/keys", app.late(0.6))
          end)
          ngx.sleep(0.1)
          assert(ngx.thread.kill(first))
          assert(ngx.thread.wait(second))
          ngx.print(answer and answer[1] or tostring(err)) ]])
        .. location("killed_two", [[
          local answer, err
          local function call() app.client:request("GET", "/elements/keys", app.late(9)) end
          local leads, looks_often = ngx.thread.spawn(call), ngx.thread.spawn(call)
          local third = ngx.thread.spawn(function()
            answer, err = app.client:request("GET", "/elements/keys", app.late(0.3))
          end)
          ngx.sleep(0.1)
          assert(ngx.thread.kill(leads))
          assert(ngx.thread.kill(looks_often))
          assert(ngx.thread.wait(third))
          ngx.print(answer and answer[1] or tostring(err)) ]]),
    })
    assert.equal("nil", app:browser():get("/hold").body)   -- one runs, one is pending
  end)

  teardown(function()
    app:remove()
    platform.stop()
  end)

  it("who waits turns the engine for all", function()
    local pendings = {}
    local began = socket.gettime()
    for i = 1, 10 do
      pendings[i] = app:browser():send "/call"
    end
    for i = 1, 10 do
      assert.equal("hubspot", pendings[i].answer().body)
    end
    local took = socket.gettime() - began
    assert.is_true(took < 2, tostring(took))
  end)

  it("and when that one is killed, the next takes over", function()
    local began = socket.gettime()
    assert.equal("hubspot", app:browser():get("/killed").body)
    local took = socket.gettime() - began
    assert.is_true(took < 2, tostring(took))
  end)

  it("and when the next is killed too, one more does", function()
    local began = socket.gettime()
    assert.equal("hubspot", app:browser():get("/killed_two").body)
    local took = socket.gettime() - began
    assert.is_true(took < 3, tostring(took))
  end)
end)

describe("assert, in nginx", function()
  local platform, app

  setup(function()
    platform = assert(celements.sandbox.start())
    app = start(platform, {
      server = location("fails", "assert(app.client:element 'no-such-element')")
        .. location("fine", "ngx.print(assert(app.client:element 'hubspot').key, select('#', assert(1, nil, 3)))")
        .. location("others", "local _, raised = pcall(assert, nil, app) ngx.print(raised == app and 'as it was' or 'changed')"),
    })
  end)

  teardown(function()
    app:remove()
    platform.stop()
  end)

  it("puts what went wrong into the error log", function()
    assert.equal(500, app:browser():get("/fails").status)
    local log = app:read "error.log"
    assert.matches("runtime error: not_found: No element found with key no-such-element", log, 1, true)
    assert.is_nil(log:find("unknown reason", 1, true))
  end)

  it("gives back all that it was given", function()
    assert.equal("hubspot3", app:browser():get("/fine").body)
  end)

  it("leaves the error values of others as they are", function()
    assert.equal("as it was", app:browser():get("/others").body)
  end)
end)
