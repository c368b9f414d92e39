-- core.engine by itself: many transfers at once, and hands that let go of things in
-- any order.

local celements = require "celements"
local core = require "celements.core"
local rawserver = require "spec.support.rawserver"

local MANY = 100

describe("core.engine", function()
  local server, engine, settings
  local last_id = 9200000

  setup(function()
    server = rawserver.start(function(conn)
      while true do
        local request = conn:request()
        if not request then
          return
        end
        local what, text = request.target:match "/(%a+)/?([^/]*)$"
        if what == "hang" then
          conn:wait_for_close(10)
          return
        elseif what == "later" then
          conn:wait(tonumber(text))
        elseif what == "target" then
          text = request.target
        end
        conn:answer(200, ("%s %s %s"):format(request.method, text or "", request.body), {
          "X-Twice: one", "X-Twice:two ", "X-Empty:", "X-MiXeD: Case", "X-Colons: a:b",
        })
      end
    end)
  end)

  teardown(function()
    server:remove()
    require("celements.wait").engine():close()
  end)

  before_each(function()
    engine = assert(core.engine.open())
    last_id = last_id + 1
    settings = core.engine.settings {
      id = last_id, base_url = server.origin, allow_http = true, connect_timeout = 5, max_body = 1e6, proxy = "",
    }
  end)

  after_each(function()
    engine:close()
  end)

  local function start(path, method, body, lines)
    return assert(engine:start(settings, method or "GET", path, nil, body, "", lines, 5000))
  end

  local function drive(transfer)
    assert.is_true(engine:drive(transfer, 5000))
  end

  local function finish(transfer)
    drive(transfer)
    return transfer:take()
  end

  local function body_of(transfer)
    local _, body = finish(transfer)
    return body
  end

  it("brings status, body, headers with lower-case names, seconds and whether the connection was kept", function()
    local answer, body = finish(start "/x/hello")
    assert.equal(200, answer.status)
    assert.equal("GET hello ", body)
    local headers = answer.headers
    assert.is_nil(rawget(answer, "headers"), "a loop over its fields may read them")
    assert.equal("one, two", headers["x-twice"])
    assert.equal("", headers["x-empty"])
    assert.equal("Case", headers["x-mixed"])
    assert.equal("a:b", headers["x-colons"])
    assert.is_true(rawequal(headers, answer.headers), "made once")
    assert.is_false((pcall(setmetatable, answer, nil)))
    assert.is_true(answer.seconds > 0 and answer.seconds < 5)
    assert.is_false(answer.reused)
    assert.is_true(finish(start "/x/again").reused)
  end)

  it("runs a hundred calls at once, and names each that is finished once", function()
    local transfers, left = {}, MANY
    for i = 1, MANY do
      local transfer = start("/x/" .. i, "POST", "body " .. i)
      assert.is_nil(transfers[transfer:id()])
      transfers[transfer:id()] = { transfer = transfer, want = ("POST %d body %d"):format(i, i) }
    end
    assert.equal(MANY, engine:running())
    local deadline = core.engine.clock() + 20
    while left > 0 and core.engine.clock() < deadline do
      assert(engine:step(100))
      local id = engine:finished()
      while id do
        local known = assert(transfers[id], "a transfer is named that is not there, or named twice")
        transfers[id] = nil
        assert.is_true(known.transfer:done())
        local answer, body = known.transfer:take()
        assert.equal(200, answer.status)
        assert.equal(known.want, body)
        left = left - 1
        id = engine:finished()
      end
    end
    assert.equal(0, left)
    assert.equal(0, engine:running())
    assert.is_nil(engine:finished())
  end)

  it("starts and ends a call in one step, where it is over soon enough", function()
    local function call(path, ms)
      return engine:start(settings, "GET", path, nil, nil, "", nil, 5000, nil, nil, ms)
    end
    local transfer, answer, body = call("/x/first", 5000)
    assert.same({ nil, 200, "GET first " }, { transfer, answer.status, body })
    assert.equal(0, engine:running())
    assert.is_nil(engine:finished())
    -- Not over: a Transfer as any other, that is nobody else's.
    local later, other = assert(call("/later/0.2", 20)), assert(call("/later/0.1", 20))
    assert.is_false(later == other)
    assert.equal(2, engine:running())
    transfer, answer, body = call("/x/between", 5000)
    assert.same({ nil, 200, "GET between " }, { transfer, answer.status, body })
    assert.equal("GET 0.2 ", body_of(later))
    assert.equal("GET 0.1 ", body_of(other))
    -- Nothing is sent where it may not wait; what is in flight is worked on where it may.
    local unsent = assert(call("/x/unsent", 0))
    assert.is_false(unsent:done())
    call("/later/0.5", 5000)
    assert.is_true(unsent:done())
    assert.equal("GET unsent ", body_of(unsent))
    -- What fails by then is told at once.
    local none, failure
    none, answer, failure = engine:start(settings, "GET", "/hang", nil, nil, "", nil, 30, nil, nil, 5000)
    assert.same({ nil, nil, "timeout", true }, { none, answer, failure.kind, failure.sent })
    assert.is_false((pcall(call, "/x/1", "soon")))
    assert.is_false((pcall(call)))
    transfer, answer = call("/x/last", 5000)
    assert.same({ nil, 200 }, { transfer, answer.status })
  end)

  it("gives what a finalizer calls, in the middle of another call, a transfer of its own", function()
    local seen = 0
    local function collected(f)
      if _VERSION == "Lua 5.1" then
        local proxy = rawget(_G, "newproxy")(true)
        getmetatable(proxy).__gc = f
      else
        setmetatable({}, { __gc = f })
      end
    end
    for _ = 1, 200 do
      collected(function()
        local _, answer, body = engine:start(settings, "GET", "/x/inner", nil, nil, "", nil, 5000, nil, nil, 5000)
        seen = seen + (answer.status == 200 and body == "GET inner " and 1 or 0)
      end)
    end
    for i = 1, 300 do
      local _, _, body = engine:start(settings, "GET", "/x/" .. i, nil, nil, "", { "X-A: " .. ("y"):rep(i) }, 5000, nil, nil, 5000)
      assert.equal(("GET %d "):format(i), body)
      if i % 50 == 0 then
        collectgarbage()
      end
    end
    assert.equal(200, seen)
  end)

  it("sends by flush what was started, and takes nothing that came", function()
    drive(start "/x/1") -- there is a connection
    local transfer = start "/later/0.05"
    engine:flush()
    core.engine.sleep(0.3)
    engine:flush()
    assert.is_false(transfer:done())
    local requests = server:requests()
    assert.equal("/later/0.05", requests[#requests].target)
    assert.equal(200, finish(transfer).status)
  end)

  it("gives hundreds their answers, and the next ones the connections of the first", function()
    for round = 1, 2 do
      local transfers = {}
      for i = 1, 300 do
        transfers[i] = start("/later/0.3")
      end
      local reused_count = 0
      for i = 1, 300 do
        local answer = assert(finish(transfers[i]))
        assert.equal(200, answer.status)
        reused_count = reused_count + (answer.reused and 1 or 0)
      end
      assert.equal(round == 1 and 0 or 300, reused_count)
    end
  end)

  it("finishes the quick ones while the slow ones wait", function()
    local slow = start "/later/0.4"
    local hung = start "/hang"
    for i = 1, 20 do
      local started = core.engine.clock()
      assert.equal(200, finish(start("/x/" .. i)).status)
      assert.is_true(core.engine.clock() - started < 0.2)
    end
    assert.is_false(slow:done())
    assert.equal(200, finish(slow).status)
    assert.is_false(hung:done())
  end)

  it("can be watched by an event loop: one descriptor, one time-out", function()
    local transfer = start "/later/0.2"
    local fd = engine:pollfd()
    if fd then
      local socket = require "socket"
      local watched = { getfd = function() return fd end, dirty = function() return false end }
      local steps = 0
      while not transfer:done() and steps < 100 do
        local timeout = engine:timeout()
        socket.select({ watched }, nil, math.min(timeout or 1, 1))
        engine:step(0)
        engine:pollfd()   -- what is wanted now goes to the kernel
        steps = steps + 1
      end
      assert.is_true(transfer:done())
      assert.is_true(steps < 50, tostring(steps))
      assert.equal("r", engine:events())
    else
      assert.equal("poll", os.getenv "VARIANT")
      drive(transfer)
    end
    assert.equal(0, engine:timeout())   -- somebody is finished and was not named yet
    assert.equal(transfer:id(), engine:finished())
    assert.is_true(engine:timeout() == nil or engine:timeout() > 0)
    assert.equal(200, transfer:take().status)
  end)

  it("cuts off what is dropped in mid-transfer, whoever the collector takes first", function()
    for _ = 1, 20 do
      local held = { engine = assert(core.engine.open()), transfers = {} }
      for i = 1, 4 do
        held.transfers[i] = assert(held.engine:start(settings, "GET", i % 2 == 0 and "/hang" or "/x/1", nil, nil, "", nil, 5000))
      end
      held.engine:step(5)
      held[math.random() < 0.5 and "engine" or "transfers"] = nil
      collectgarbage()
      held.engine, held.transfers = nil, nil
      collectgarbage()
    end
    assert.equal(200, finish(start "/x/fine").status)
  end)

  it("can be closed twice, and says so when it is used afterwards", function()
    local transfer = start "/hang"
    engine:step(5)
    engine:close()
    engine:close()
    assert.is_false(engine:alive())
    for _, call in ipairs {
      function() engine:step(0) end, function() engine:drive(transfer, 0) end, function() engine:finished() end,
      function() engine:running() end, function() engine:pollfd() end, function() engine:timeout() end,
      function() engine:trust() end, function() engine:events() end, function() start "/x" end,
    } do
      local fine, message = pcall(call)
      assert.is_false(fine)
      assert.truthy(tostring(message):find("the engine is closed", 1, true), message)
    end
  end)

  it("refuses what is none of its own, whatever that is", function()
    local transfer = start "/x/1"
    for _, wrong in pairs { 5, "engine", {}, io.stdout, settings, transfer, core.secret.new("x"), print } do
      local fine, message = pcall(engine.step, wrong, 0)
      assert.is_false(fine)
      assert.truthy(tostring(message):find("celements.Engine expected", 1, true), message)
    end
    for _, wrong in pairs { 5, io.stdout, settings, engine } do
      local fine, message = pcall(transfer.take, wrong)
      assert.is_false(fine)
      assert.truthy(tostring(message):find("celements.Transfer expected", 1, true), message)
    end
    assert.is_false((pcall(engine.step)))
    assert.equal(200, finish(transfer).status)
  end)

  it("names transfers by small numbers, and no two at once by the same", function()
    local taken, alive = {}, {}
    for round = 1, 60 do
      local transfer = start "/x/1"
      assert.is_nil(taken[transfer:id()])
      assert.is_true(transfer:id() >= 1 and transfer:id() <= 8)
      taken[transfer:id()], alive[#alive + 1] = true, transfer
      if #alive == 8 then
        for _ = 1, round % 8 + 1 do
          local gone = table.remove(alive, math.random(#alive))
          taken[gone:id()] = nil
          finish(gone)
        end
      end
    end
  end)

  it("leaves a transfer that outlives it done, and cut off", function()
    local hung, finished = start "/hang", start "/x/1"
    drive(finished)
    local id = hung:id()
    engine:close()
    assert.is_true(hung:done())
    assert.equal(id, hung:id())
    local answer, err = hung:take()
    assert.is_nil(answer)
    assert.equal("network", err.kind)
    assert.is_true(err.sent)
    answer, err = finished:take()
    assert.is_nil(answer)
    assert.equal("network", err.kind)
    for _, transfer in ipairs { hung, finished } do
      transfer:close()
      transfer:close()
      local fine, message = pcall(transfer.take, transfer)
      assert.is_false(fine)
      assert.truthy(tostring(message):find("the transfer is closed", 1, true))
    end
  end)

  it("does not name a finished transfer that was closed before it was asked", function()
    local a, b, c = start "/x/a", start "/x/b", start "/x/c"
    drive(a)
    drive(b)
    drive(c)
    local keep = { [a:id()] = true, [c:id()] = true }
    b:close()
    for _ = 1, 2 do
      local id = engine:finished()
      assert.is_true(keep[id])
      keep[id] = nil
    end
    assert.is_nil(engine:finished())
  end)

  it("gives the answer of a transfer once, and lets go of it", function()
    local transfer = start "/x/a"
    assert.equal("GET a ", body_of(transfer))
    assert.is_false((pcall(transfer.take, transfer)))
    assert.is_false((pcall(transfer.done, transfer)))
    transfer:close()
  end)

  it("says that a transfer has not ended when its answer is asked for too early", function()
    local transfer = start "/hang"
    engine:drive(transfer, 50)
    assert.is_false(transfer:done())
    local answer, err = transfer:take()
    assert.is_nil(answer)
    assert.equal("network", err.kind)
  end)

  it("can let go of a transfer in flight and use the engine on", function()
    for _ = 1, 30 do
      local transfer = start "/hang"
      engine:step(2)
      transfer:close()
    end
    assert.equal(0, engine:running())
    assert.equal(200, finish(start "/x/fine").status)
  end)

  it("survives errors raised half-way into a call", function()
    for _, bad in ipairs {
      { 12 }, { settings, "GET" }, { settings, "GET", "/x", nil, nil, "", { {} }, 1000 },
      { settings, "GET", "/x", nil, nil, "", { "X: a\r\nY: b" }, 1000 }, { settings, "GET", "/x", nil, nil, "", "no table", 1000 },
      { settings, "GET", "/x", nil, nil, "", nil, "no number" }, { settings, nil, "/x", nil, nil, "", nil, 1000 },
    } do
      assert.is_false((pcall(engine.start, engine, bad[1], bad[2], bad[3], bad[4], bad[5], bad[6], bad[7], bad[8])))
    end
    local lines = {}
    for i = 1, 48 do
      lines[i] = "X-" .. i .. ": " .. ("y"):rep(2000)
    end
    for _, bad in ipairs { { "/x", lines, "too long" }, { "/" .. ("x"):rep(70000), nil, "too long a URL" } } do
      local transfer, answer, failure = engine:start(settings, "GET", bad[1], nil, nil, "", bad[2], 1000)
      assert.same({ nil, nil, "config", false }, { transfer, answer, failure.kind, failure.sent })
      assert.truthy(failure.message:find(bad[3], 1, true))
    end
    lines[49] = "X-49: y"
    assert.is_false((pcall(engine.start, engine, settings, "GET", "/x", nil, nil, "", lines, 1000)))
    assert.equal(0, engine:running())
    assert.equal(200, finish(start "/x/fine").status)
  end)

  it("tells by poll and by epoll the same", function()
    -- The suite is run for both; this is the reminder that each was built.
    assert.equal(os.getenv "VARIANT" == "poll", engine:pollfd() == nil)
  end)

  it("sends each method as it is, with a body and without", function()
    for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
      assert.equal(method .. " m b", body_of(start("/x/m", method, "b")))
      assert.equal(method .. " m ", body_of(start("/x/m", method)))
    end
    local answer, body = finish(start("/x/m", "HEAD"))
    assert.equal(200, answer.status)
    assert.equal("", body)
    assert.equal("Case", answer.headers["x-mixed"])
    for _, request in ipairs(server:requests()) do
      local has_length = request.text:find("\r\nContent-Length:", 1, true) ~= nil
      if request.target == "/x/m" and (request.method == "POST" or request.method == "PUT" or request.method == "PATCH") then
        assert.is_true(has_length, request.method)
      elseif request.target == "/x/m" and request.text:find "\r\n\r\n$" then
        assert.is_false(has_length, request.method)
      end
    end
  end)

  it("sends a path and a query as they are", function()
    local target = "/a/./b/../c/%2e%2E/%7Ex//y"
    assert(engine:drive(assert(engine:start(settings, "GET", target, "q=%41+%20&&=", nil, "", nil, 5000)), 5000))
    local requests = server:requests()
    assert.equal(target .. "?q=%41+%20&&=", requests[#requests].target)
  end)

  it("asks a proxy for plain HTTP for the whole URL, and a server for the path under its base URL", function()
    local function target_by(base_url, proxy)
      last_id = last_id + 1
      settings = core.engine.settings {
        id = last_id, base_url = base_url, allow_http = true, connect_timeout = 5, max_body = 1e6, proxy = proxy,
      }
      local texts = {}
      for i = 1, 2 do -- the second by a handle that has been used
        local transfer = assert(engine:start(settings, "GET", "/target/" .. i, "a=%20b", nil, "", nil, 5000))
        texts[i] = body_of(transfer):match "^GET (%S+) $"
      end
      return texts
    end
    assert.same({ "/elements/api-v2/target/1?a=%20b", "/elements/api-v2/target/2?a=%20b" },
      target_by(server.origin .. "/elements/api-v2", ""))
    assert.same({ "http://api.example.com/v2/target/1?a=%20b", "http://api.example.com/v2/target/2?a=%20b" },
      target_by("http://api.example.com/v2", server.origin))
    assert.same({ "/target/1?a=%20b", "/target/2?a=%20b" }, target_by(server.origin, ""))
  end)

  it("leaves nothing of a call in the handle for the next", function()
    finish(start("/x/1", "POST", "secret body", { "X-Only-Once: 1" }))
    finish(start("/x/2", "HEAD"))
    assert.equal("GET 3 ", body_of(start("/x/3")))
    local requests = server:requests()
    local text = requests[#requests].text
    assert.is_nil(text:find("X-Only-Once", 1, true))
    assert.is_nil(text:find("Content-", 1, true))
    assert.truthy(text:find("Accept: application/json\r\n", 1, true))
  end)
end)

describe("a client's request", function()
  local server, c

  setup(function()
    server = rawserver.start(function(conn)
      while conn:request() do
        conn:answer(200, "{}")
      end
    end)
    c = celements.new { base_url = server.url, user_secret = "u", org_secret = "o" }
  end)

  teardown(function()
    server:remove()
    require("celements.wait").engine():close()
  end)

  local function refused(...)
    local before = #server:requests()
    local fine, message = pcall(c.request, c, ...)
    assert.is_false(fine)
    assert.equal(before, #server:requests())
    return message
  end

  for name, bad in pairs { ["CR LF"] = "a\r\nX-Injected: 1", LF = "a\nb", CR = "a\rb", NUL = "a\0b", ["DEL"] = "a\127b", ESC = "a\27b", TAB = "a\tb" } do
    it("cannot carry a " .. name .. " in a header, its name, the method or the path", function()
      refused("GET", "/x", { headers = { ["X-A"] = bad } })
      refused("GET", "/x", { headers = { [bad] = "a" } })
      refused(bad, "/x")
      refused("GET " .. bad, "/x")
      refused("GET", "/" .. bad)
    end)

    it("carries a " .. name .. " in a query or a path segment as %XX", function()
      assert(c:request("GET", celements.path("x", bad), { query = { q = bad, [bad] = "v" } }))
      local requests = server:requests()
      local last = requests[#requests]
      assert.is_nil(last.target:find "%c")
      assert.truthy(last.target:find("%%%x%x"))
      assert.is_nil(last.text:find("\nX-Injected", 1, true))
    end)
  end

  it("cannot climb out of the base URL", function()
    for _, path in ipairs { "/../x", "/a/../../x", "/a/..", "/.", "/./x", "/a/%2e%2e\\x", "//x y", "/x?y", "/x#y", "x", "", "/%zz", "/%4", "/\195\164" } do
      refused("GET", path)
    end
    for segment, coded in pairs { [".."] = "%2E%2E", ["."] = "%2E", ["../x"] = "..%2Fx", ["a/b"] = "a%2Fb", ["%2e%2e"] = "%252e%252e" } do
      assert(c:request("GET", celements.path("instances", segment)))
      local requests = server:requests()
      assert.equal("/elements/api-v2/instances/" .. coded, requests[#requests].target)
    end
  end)

  it("has no user name and password in its address", function()
    assert.is_false((pcall(celements.new, { base_url = "https://user:password@x.example" })))
    assert(c:request("GET", "/a@b:c"))
    local requests = server:requests()
    assert.truthy(requests[#requests].text:find("\r\nAuthorization: User u, Organization o\r\n", 1, true))
    assert.is_nil(requests[#requests].text:find("Basic", 1, true))
  end)
end)
