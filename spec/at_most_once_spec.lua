-- POST, PUT and PATCH reach the server once, whatever happens to the connection.
-- libcurl by itself sends a POST again when a kept-alive connection dies before an
-- answer came, although the server may have acted on it.

local celements = require "celements"
local nginx = require "spec.support.nginx.server"
local process = require "celements.process"
local rawserver = require "spec.support.rawserver"
local socket = require "socket"

local INSTANCE = '{"id":1,"token":"t"}'

teardown(function()
  require("celements.wait").engine():close()
end)

describe("a request that must not be repeated", function()
  local server

  after_each(function()
    if server then
      server:remove()
      server = nil
    end
  end)

  local function client(options)
    options = options or {}
    options.base_url = options.base_url or server.url
    options.user_secret, options.org_secret = "user-secret", "org-secret"
    return celements.new(options)
  end

  -- The first connection answers `good` requests and then does as it is told with the
  -- next one; every other connection answers all that it is asked.
  local function start(good, bad)
    server = rawserver.start(function(conn)
      local n = 0
      while true do
        if conn.number == 1 and n == good then
          return bad(conn)
        end
        if not conn:request() then
          return
        end
        n = n + 1
        conn:answer(200, INSTANCE)
      end
    end)
  end

  local function hang_up(conn)
    conn:request()
  end

  local function reset(conn)
    conn:request()
    conn:reset()
  end

  local BODY = { name = "Test" }

  for _, case in ipairs {
    { "POST", "a POST", BODY },
    { "POST", "a POST without a body" },
    { "PUT", "a PUT", BODY },
    { "PUT", "a PUT without a body" },
    { "PATCH", "a PATCH", BODY },
  } do
    local method, what, body = case[1], case[2], case[3]
    for how, bad in pairs { ["hangs up"] = hang_up, ["resets"] = reset } do
      it(("is sent once when it is %s, read whole by a server that then %s a kept-alive connection"):format(what, how), function()
        start(1, bad)
        local c = client()
        assert(c:request("GET", "/instances"))
        local result, err = c:request(method, "/instances", { json = body })
        assert.is_nil(result)
        assert.equal("network", err.kind)
        assert.equal("unknown", err.outcome)
        assert.equal(1, err.attempts)
        assert.truthy(tostring(err):find("may have acted", 1, true))
        assert.truthy(err.hint:find("look whether it was done", 1, true))
        -- A repetition would have arrived before the answer to this one.
        assert(c:request("GET", "/instances"))
        assert.equal(1, server:count(method))
      end)

      it(("is sent once when it is %s on a new connection and the server %s"):format(what, how), function()
        start(0, bad)
        local c = client()
        local result, err = c:request(method, "/instances", { json = body })
        assert.is_nil(result)
        assert.equal("network", err.kind)
        assert.equal("unknown", err.outcome)
        assert(c:request("GET", "/instances"))
        assert.equal(1, server:count(method))
      end)
    end
  end

  it("is sent once also as the tenth on its connection", function()
    start(9, hang_up)
    local c = client()
    for _ = 1, 9 do
      assert(c:request("POST", "/instances", { json = BODY }))
    end
    local _, err = c:request("POST", "/instances", { json = BODY })
    assert.equal("unknown", err.outcome)
    assert(c:request("GET", "/instances"))
    assert.equal(10, server:count "POST")
  end)

  it("keeps the connection from call to call, and says so", function()
    start(100, hang_up)
    local c = client()
    local _, first = c:request("POST", "/instances", { json = BODY })
    local _, second = c:request("POST", "/instances", { json = BODY })
    assert.is_false(first.reused)
    assert.is_true(second.reused)
    assert.equal(1, server:happened "connection")
  end)

  it("goes over a new connection, without an error, when the server closed the old one meanwhile", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:answer(200, INSTANCE)
      if conn.number > 1 then
        conn:wait_for_close(5)
      end
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    process.sleep(0.1)
    local result, info = c:request("POST", "/instances", { json = BODY })
    assert.truthy(result, tostring(info))
    assert.equal(1, info.attempts)
    assert.is_false(info.reused)
    assert.equal(1, server:count "POST")
  end)

  -- A libcurl before 8 may take the goodbye for the answer; it must not send again then.
  it("is sent once at most when the server said goodbye on the idle connection", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:answer(200, INSTANCE)
      if conn.number == 1 then
        conn:answer(408, "{}")
      else
        conn:wait_for_close(5)
      end
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    process.sleep(0.1)
    local result, info = c:request("POST", "/instances", { json = BODY })
    assert.equal(result and 200 or 408, info.status)
    assert.equal(result and 1 or 0, server:count "POST")
  end)

  it("is tried again when nobody listened, since certainly nothing was sent", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    listener:close()
    local attempts = 0
    local c = client { base_url = "http://127.0.0.1:" .. port, on_response = function() attempts = attempts + 1 end }
    local _, err = c:request("POST", "/instances", { json = BODY })
    assert.equal("connect", err.kind)
    assert.equal("not_sent", err.outcome)
    assert.equal(3, err.attempts)
    assert.equal(3, attempts)
  end)

  it("arrives once when the server starts listening only after the first try", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    listener:close()
    local c = client {
      base_url = "http://127.0.0.1:" .. port,
      on_response = function(event)
        if event.attempt == 1 then
          server = rawserver.start(function(conn)
            while conn:request() do
              conn:answer(200, INSTANCE)
            end
          end, { port = tonumber(port) })
        end
      end,
    }
    local result, info = c:request("POST", "/instances", { json = BODY })
    assert.truthy(result, tostring(info))
    assert.equal(2, info.attempts)
    assert.equal(1, server:count "POST")
  end)

  it("is not tried again after an answer, a 503 included", function()
    server = rawserver.start(function(conn)
      while conn:request() do
        conn:answer(503, "{}", { "Retry-After: 0" })
      end
    end)
    local _, err = client():request("POST", "/instances", { json = BODY })
    assert.equal("server", err.kind)
    assert.equal(1, err.attempts)
    assert.equal(1, server:count "POST")
  end)

  it("is not tried again when the answer does not come in time", function()
    start(1, function(conn)
      conn:request()
      conn:wait_for_close(5)
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    local _, err = c:request("POST", "/instances", { json = BODY, timeout = 0.3 })
    assert.equal("timeout", err.kind)
    assert.equal("wait", err.phase)
    assert.equal("unknown", err.outcome)
    assert(c:request("GET", "/instances"))
    assert.equal(1, server:count "POST")
  end)

  -- How far the server comes before it closes, on a kept-alive connection.
  local LARGE = { name = ("x"):rep(4 * 1024 * 1024) }
  for what, step in pairs {
    ["half of the body came"] = { LARGE, function(conn)
      conn:head()
      conn:note("half", "")
      conn:bytes(1024 * 1024)
    end },
    ["half of the body came, by a reset,"] = { LARGE, function(conn)
      conn:head()
      conn:note("half", "")
      conn:bytes(1024 * 1024)
      conn:reset()
    end },
    ["it said that it is working on it"] = { BODY, function(conn)
      conn:request()
      conn:send "HTTP/1.1 102 Processing\r\n\r\n"
    end },
    ["half of the answer's head was sent"] = { BODY, function(conn)
      conn:request()
      conn:send "HTTP/1.1 200 OK\r\nContent-Le"
    end },
    ["the answer's head was sent"] = { BODY, function(conn)
      conn:request()
      conn:send "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    end },
    ["half of the answer's body was sent"] = { BODY, function(conn)
      conn:request()
      conn:send('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"id":1,')
    end },
    ["a chunk of the answer's body was sent"] = { BODY, function(conn)
      conn:request()
      conn:send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"id":1,\r\n')
    end },
  } do
    for good = 0, 1 do
      it(("is sent once when the server closes after %s (on %s connection)"):format(what, good == 0 and "a new" or "a kept"), function()
        start(good, step[2])
        local c = client()
        if good == 1 then
          assert(c:request("GET", "/instances"))
        end
        local result, err = c:request("POST", "/instances", { json = step[1] })
        assert.is_nil(result)
        assert.equal("network", err.kind)
        assert.equal("unknown", err.outcome)
        assert.equal(1, err.attempts)
        assert(c:request("GET", "/instances"))
        assert.equal(1, server:count "POST" + server:happened "half")
      end)
    end
  end

  it("says receive when the answer broke off, wait when none came", function()
    start(1, function(conn)
      conn:request()
      conn:send('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"id":1,')
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    local _, err = c:request("POST", "/instances", { json = BODY })
    assert.equal("receive", err.phase)
    server:remove()
    start(1, hang_up)
    c = client()
    assert(c:request("GET", "/instances"))
    _, err = c:request("POST", "/instances", { json = BODY })
    assert.equal("wait", err.phase)
  end)
end)

describe("a request that may be repeated", function()
  local server

  after_each(function()
    server:remove()
  end)

  local function client(options)
    options = options or {}
    options.base_url, options.user_secret, options.org_secret = server.url, "user-secret", "org-secret"
    return celements.new(options)
  end

  it("survives a connection that died, when it is a GET", function()
    server = rawserver.start(function(conn)
      conn:request()
      conn:answer(200, "[1]")
      if conn.number == 1 then
        conn:request()
      else
        conn:wait_for_close(5)
      end
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    local result = assert(c:request("GET", "/instances"))
    assert.equal(1, result[1])
    assert.equal(3, server:count "GET")
  end)

  it("stops after retries + 1 attempts when every connection dies", function()
    server = rawserver.start(function(conn)
      conn:request()
    end)
    local _, err = client { retries = 1 }:request("GET", "/instances")
    assert.equal("network", err.kind)
    assert.equal(2, err.attempts)
    assert.equal(2, server:count "GET")
    _, err = client { retries = 0 }:request("GET", "/instances")
    assert.equal(1, err.attempts)
    assert.equal(3, server:count "GET")
  end)

  it("counts as done when it is a DELETE whose first answer was lost on a kept-alive connection", function()
    server = rawserver.start(function(conn)
      if conn.number == 1 then
        conn:request()
        conn:answer(200, "[]")
        conn:request()
        return
      end
      while conn:request() do
        conn:answer(404, '{"message":"No instance found"}')
      end
    end)
    local c = client()
    assert(c:request("GET", "/instances"))
    local result, info = c:request("DELETE", "/instances/1")
    assert.is_true(result, tostring(info))
    assert.equal(2, info.attempts)
    assert.equal(2, server:count "DELETE")
  end)
end)

describe("over HTTP/2, a POST", function()
  local platform

  setup(function()
    platform = nginx.start()
  end)

  teardown(function()
    platform.remove()
  end)

  local function client(options)
    options = options or {}
    options.base_url, options.ca_file, options.http_version = platform.url, platform.ca_file, "2"
    options.user_secret, options.org_secret = platform.user_secret, platform.org_secret
    return celements.new(options)
  end

  local control = function()
    return celements.new { base_url = platform.plain_url, user_secret = platform.user_secret, org_secret = platform.org_secret }
  end

  local INSTANCE_PARAMS = { element = "typeform", name = "T", configuration = { ["api.key"] = "sandbox-typeform-key" } }

  -- The instances that the platform made since it was started.
  local function made()
    return #assert(control():request("GET", "/instances"))
  end

  it("is acted on once when the server ends its stream of a kept connection without an answer", function()
    local c = client { headers = { ["Sandbox-Fault"] = "hangup=after" } }
    local before = made()
    assert(c:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "delay=0" } }))
    local result, err = c:create_instance(INSTANCE_PARAMS)
    assert.is_nil(result)
    assert.equal("network", err.kind)
    assert.equal("unknown", err.outcome)
    assert.equal(1, err.attempts)
    local _, info = assert(c:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "delay=0" } }))
    assert.equal(200, info.status)
    assert.equal(before + 1, made())
  end)

  it("is not sent to the new server process when the old one died with it in hand", function()
    local c = client()
    assert(c:request("GET", "/elements/keys"))
    -- The worker has the request whole and is killed while it thinks; its successor
    -- starts without any instance.
    local pid = assert(process.fork())
    if pid == 0 then
      process.sleep(0.4)
      for worker in io.open(("/proc/%d/task/%d/children"):format(platform.pid, platform.pid)):read("*a"):gmatch "%d+" do
        process.kill(tonumber(worker), "KILL")
      end
      process.exit(0)
    end
    local result, err = c:create_instance(INSTANCE_PARAMS, { headers = { ["Sandbox-Fault"] = "delay=3" } })
    process.wait(pid, 5)
    assert.is_nil(result)
    assert.equal("network", err.kind)
    assert.equal("unknown", err.outcome)
    assert.equal(1, err.attempts)
    local again, info = c:request("GET", "/elements/keys")
    assert.truthy(again, tostring(info))
    assert.equal(0, made())
  end)
end)
