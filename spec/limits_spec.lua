-- How much, how long: large requests, answers without end, servers that stall.

local celements = require "celements"
local core = require "celements.core"
local rawserver = require "spec.support.rawserver"
local script = require "spec.support.script"
local socket = require "socket"

local MiB = 1024 * 1024

teardown(function()
  require("celements.wait").engine():close()
end)

local function client(url, options)
  options = options or {}
  options.base_url = url
  options.user_secret, options.org_secret = "user-secret", "org-secret"
  options.retries = options.retries or 0
  return celements.new(options)
end

describe("a large request", function()
  local server

  setup(function()
    server = rawserver.start(function(conn)
      local head = conn:head()
      while head do
        conn:note("head", head)
        local body = conn:bytes(tonumber(head:match "Content%-Length: (%d+)"))
        conn:answer(200, ('{"received":%d}'):format(#body))
        head = conn:head()
      end
    end)
  end)

  teardown(function()
    server:remove()
  end)

  it("of 1.1 MB goes without a pause of a second, and without asking the server first #slow", function()
    local c = client(server.url)
    local body = { name = ("x"):rep(1100000) }
    for _ = 1, 2 do
      local started = core.engine.clock()
      local answer = assert(c:request("POST", "/instances", { json = body }))
      assert.is_true(core.engine.clock() - started < 0.2)
      assert.equal(1100000 + #'{"name":""}', answer.received)
    end
    for _, event in ipairs(server:events()) do
      assert.is_nil(event.text:lower():find "\nexpect:")
    end
  end)

  it("of 20 MiB arrives whole #slow", function()
    local answer = assert(client(server.url):request("PUT", "/x", { json = ("x"):rep(20 * MiB) }))
    assert.equal(20 * MiB + 2, answer.received)
  end)
end)

describe("an answer", function()
  local server
  local bomb

  setup(function()
    bomb = os.tmpname()
    os.execute("head -c 200000000 /dev/zero | tr '\\0' ' ' | gzip -1 >" .. bomb)
    server = rawserver.start(function(conn)
      while true do
        local request = conn:request()
        if not request then
          return
        end
        local what, size = request.target:match "/elements/api%-v2/(%a+)/?(%d*)$"
        if what == "exact" then
          conn:answer(200, '"' .. ("x"):rep(tonumber(size) - 2) .. '"')
        elseif what == "chunked" or what == "failing" then
          conn:send(("HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n"):format(what == "chunked" and 200 or 500))
          local piece = ("%x\r\n%s\r\n"):format(65536, ("x"):rep(65536))
          for _ = 1, 2000 do
            if not conn:send(piece) then
              return
            end
          end
          return
        elseif what == "bomb" then
          local body = script.read(bomb)
          conn:send(("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"):format(#body))
          conn:send(body)
          return
        elseif what == "line" then
          conn:send "HTTP/1.1 200 OK\r\nX-Long: "
          local piece = ("x"):rep(65536)
          for _ = 1, 1600 do
            if not conn:send(piece) then
              return
            end
          end
          return
        elseif what == "lines" then
          conn:send "HTTP/1.1 200 OK\r\n"
          local piece = ("X-Long: " .. ("x"):rep(1000) .. "\r\n"):rep(60)
          for _ = 1, 1600 do
            if not conn:send(piece) then
              return
            end
          end
          return
        elseif what == "interim" then
          for _ = 1, 2000 do
            if not conn:send("HTTP/1.1 103 Early Hints\r\nLink: " .. ("x"):rep(50000) .. "\r\n\r\n") then
              return
            end
          end
          return
        end
      end
    end)
  end)

  teardown(function()
    server:remove()
    os.remove(bomb)
  end)

  it("may be as large as max_body says, and not a byte larger", function()
    local c = client(server.url, { max_body = 100000 })
    assert.equal(100000 - 2, #assert(c:request("GET", "/exact/100000")))
    local result, err = c:request("GET", "/exact/100001")
    assert.is_nil(result)
    assert.equal("too_large", err.kind)
    assert.truthy(err.hint:find("max_body", 1, true))
    assert(c:request("GET", "/exact/50000"))
  end)

  it("that is too large is not asked for again", function()
    local _, err = client(server.url, { max_body = 1000, retries = 2 }):request("GET", "/exact/2000")
    assert.equal(1, err.attempts)
  end)

  it("that is too large leaves the outcome of a POST open", function()
    local _, err = client(server.url, { max_body = 1000 }):request("POST", "/exact/2000", { json = {} })
    assert.equal("too_large", err.kind)
    assert.equal("unknown", err.outcome)
    assert.equal("receive", err.phase)
  end)

  -- What ends with too_large, and how much memory the process took for it.
  for what, path in pairs {
    ["a stream without end"] = "/chunked",
    ["a failure's stream without end"] = "/failing",
    ["200 MB of blanks in a small compressed body"] = "/bomb",
    ["a header of 100 MB in one line"] = "/line",
    ["headers of 100 MB in many lines"] = "/lines",
  } do
    it("is refused, and takes little memory, when it is " .. what .. " #slow", function()
      local job = script.start(([[
        local celements = require "celements"
        local c = celements.new { base_url = %q, user_secret = "u", org_secret = "o", retries = 0, timeout = 60 }
        local function peak()
          for line in io.lines "/proc/self/status" do
            local kb = line:match "^VmHWM:%%s*(%%d+)"
            if kb then return tonumber(kb) end
          end
        end
        c:request("GET", "/exact/100")
        local before = peak()
        local result, err = c:request("GET", %q)
        print(tostring(result), err.kind, err.outcome, peak() - before)
      ]]):format(server.url, path))
      local out, err, status = job:finish(60)
      assert.equal(0, status, out .. err)
      local kind, kilobytes = out:match "^nil\t(%S+)\tunknown\t(%d+)"
      assert.equal("too_large", kind, out)
      assert.is_true(tonumber(kilobytes) < 2 * 16 * 1024 + 1024, out)
    end)
  end

  it("may be announced by as many hints as the server likes: they take no memory and end in time", function()
    local _, err = client(server.url):request("GET", "/interim", { timeout = 1 })
    assert.equal("network", err.kind)
    assert.truthy(collectgarbage "count" < 200 * 1024)
  end)
end)

describe("the deadline", function()
  local TIMEOUT = 0.5
  local server

  after_each(function()
    if server then
      server:remove()
      server = nil
    end
  end)

  -- Nothing that stalls holds a call for more than a tenth longer (and two cores that
  -- are busy with other things for some hundredths of a second).
  local function expect_timeout(url, phase, method, options, slack)
    options = options or {}
    options.timeout = TIMEOUT
    local started = core.engine.clock()
    local result, err = client(url, { connect_timeout = 5, proxy = "" }):request(method or "GET", "/x", options)
    local seconds = core.engine.clock() - started
    assert.is_nil(result)
    assert.equal("timeout", err.kind)
    assert.equal(phase, err.phase)
    assert.is_true(seconds >= TIMEOUT - 0.02 and seconds < TIMEOUT * 1.1 + (slack or 0.05), ("%.3f s"):format(seconds))
    return err
  end

  it("holds while connecting", function()
    -- Connections that nobody accepts, until the kernel takes no more.
    local listener = assert(socket.bind("127.0.0.1", 0, 0))
    local _, port = listener:getsockname()
    local clients = {}
    for i = 1, 4 do
      clients[i] = socket.tcp()
      clients[i]:settimeout(0)
      clients[i]:connect("127.0.0.1", port)
    end
    local err = expect_timeout(("http://127.0.0.1:%d"):format(port), "connect", "POST", { json = {} })
    assert.equal("not_sent", err.outcome)
    assert.truthy(err.hint:find("firewall", 1, true))
    for _, each in ipairs(clients) do
      each:close()
    end
    listener:close()
  end)

  it("holds while the server keeps silent about TLS", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local err = expect_timeout(("https://127.0.0.1:%d"):format(port), "tls", "POST", { json = {} })
    assert.equal("not_sent", err.outcome)
    listener:close()
  end)

  it("holds while the server does not read #slow", function()
    server = rawserver.start(function(conn)
      conn:wait(3)
    end)
    local err = expect_timeout(server.url, "send", "POST", { json = ("x"):rep(12 * MiB) }, 0.3)   -- writing the JSON takes time too
    assert.equal("unknown", err.outcome)
  end)

  it("holds while the server thinks", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:wait_for_close(3)
    end)
    local err = expect_timeout(server.url, "wait", "POST", { json = {} })
    assert.equal("unknown", err.outcome)
    assert.equal("unknown", expect_timeout(server.url, "wait").outcome)
  end)

  it("holds while the answer comes drop by drop", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:send "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
      for _ = 1, 100 do
        if not conn:send "[" then
          return
        end
        conn:wait(0.05)
      end
    end)
    local err = expect_timeout(server.url, "receive")
    assert.equal("unknown", err.outcome)
  end)

  it("is one for all attempts and the waiting between them", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:wait(0.1)
    end)
    local started = core.engine.clock()
    local _, err = client(server.url, { retries = 100 }):request("GET", "/x", { timeout = 0.8 })
    local seconds = core.engine.clock() - started
    assert.is_true(err.attempts > 1)
    assert.is_true(seconds < 0.8 * 1.1 + 0.05, ("%.3f s"):format(seconds))
  end)

  it("does not let a connection that never comes use it up: connect_timeout is shorter", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local started = core.engine.clock()
    local _, err = client(("https://127.0.0.1:%d"):format(port), { connect_timeout = 0.3 }):request("GET", "/x", { timeout = 20 })
    assert.equal("timeout", err.kind)
    assert.equal("tls", err.phase)
    assert.is_true(core.engine.clock() - started < 0.5)
    listener:close()
  end)
end)
