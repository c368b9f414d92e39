local loopback = require "celements.loopback"
local socket = require "socket"

describe("a loopback server", function()
  local server, seen, complaints, respond

  before_each(function()
    seen, complaints = {}, {}
    respond = function() return { status = 200, headers = { ["Content-Type"] = "text/plain" }, body = "hello" } end
    server = assert(loopback.new{
      idle = 0.3, on_error = function(message) complaints[#complaints + 1] = message end,
      handler = function(request)
        seen[#seen + 1] = request
        return respond(request)
      end,
    })
  end)

  after_each(function()
    server:close()
  end)

  local function connect()
    local client = assert(socket.connect("127.0.0.1", server.port))
    client:settimeout(0)
    return client
  end

  -- What the client has got when `enough` says so, the server closed, or time is up.
  local function receive(client, enough, seconds)
    local got, deadline = "", socket.gettime() + (seconds or 5)
    while socket.gettime() < deadline do
      server:step(0.005)
      local data, err, partial = client:receive(65536)
      got = got .. (data or partial)
      if err == "closed" then
        return got, "closed"
      elseif enough and got:find(enough) then
        return got, "open"
      end
    end
    return got, "timeout"
  end

  local function send(client, bytes)
    local from = 1
    while from <= #bytes do
      local last, _, partial = client:send(bytes, from)
      from = (last or partial) + 1
      server:step(0)
    end
  end

  local function talk(bytes, enough)
    local client = connect()
    send(client, bytes)
    local got, state = receive(client, enough)
    client:close()
    return got, state
  end

  it("answers, and says how long the answer is", function()
    local got, state = talk("GET /a/b%20c?d=e HTTP/1.1\r\nHost: x\r\nX-Two:  a \r\nx-two: b\r\n\r\n", "hello$")
    assert.equal("open", state)
    assert.truthy(got:find("^HTTP/1%.1 200 OK\r\n"))
    assert.truthy(got:find("\r\nContent-Length: 5\r\n", 1, true))
    assert.truthy(got:find("\r\nContent-Type: text/plain\r\n", 1, true))
    assert.same({
      method = "GET", path = "/a/b%20c", query = "d=e", version = "1.1", body = "",
      headers = { host = "x", ["x-two"] = "a, b" },
    }, seen[1])
  end)

  it("repeats a header that has a list of values", function()
    respond = function() return { status = 200, headers = { ["Set-Cookie"] = { "a=1", "b=2" } } } end
    local got = talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n$")
    assert.truthy(got:find("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", 1, true))
  end)

  it("serves each connection in its turn, however fast one of them asks", function()
    local busy, other = connect(), connect()
    busy:send(("GET /busy HTTP/1.1\r\nHost: x\r\n\r\n"):rep(50))
    other:send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
    receive(other, "hello$")
    busy:close()
    other:close()
    assert.is_true(#seen < 10, #seen)
  end)

  it("keeps a connection, and answers requests that came together one after the other", function()
    respond = function(request) return { status = 200, body = request.path } end
    local got, state = talk("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
      .. "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
      .. "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert.equal("closed", state)
    assert.truthy(got:find("/1HTTP/1.1 200 OK", 1, true))
    assert.truthy(got:find("/2HTTP/1.1 200 OK", 1, true))
    assert.truthy(got:find("Connection: close\r\n\r\n/3", 1, true))
    assert.equal("abc", seen[2].body)
  end)

  it("reads a request that comes byte by byte", function()
    local client = connect()
    for byte in ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"):gmatch(".") do
      send(client, byte)
    end
    assert.truthy(receive(client, "hello$"):find("200 OK", 1, true))
    assert.equal("ok", seen[1].body)
    assert.is_nil(seen[1].query)
    client:close()
  end)

  it("reads chunked bodies, extensions and trailers aside", function()
    talk("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "4;a=b\r\nwiki\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", "hello$")
    assert.equal("wiki0123456789", seen[1].body)
  end)

  it("takes a large body, with Expect: 100-continue as well", function()
    local body = ("0123456789abcdef"):rep(100000)
    local client = connect()
    send(client, ("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"):format(#body))
    assert.truthy(receive(client, "\r\n\r\n"):find("^HTTP/1.1 100 Continue\r\n\r\n$"))
    send(client, body)
    receive(client, "hello$")
    assert.equal(#body, #seen[1].body)
    assert.is_true(body == seen[1].body)
    client:close()
  end)

  it("sends a large answer to a slow reader, and serves others meanwhile", function()
    local large = ("x"):rep(8 * 1024 * 1024)
    respond = function(request) return { status = 200, body = request.path == "/large" and large or "small" } end
    local slow = connect()
    send(slow, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ = 1, 5 do
      server:step(0.005)
    end
    assert.truthy(talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "small$"):find("small$"))
    local total, deadline = 0, socket.gettime() + 10
    while total <= #large and socket.gettime() < deadline do
      server:step(0)
      local data, _, partial = slow:receive(65536)
      total = total + #(data or partial)
    end
    assert.is_true(total > #large)
    slow:close()
  end)

  it("sends HEAD the length and no body", function()
    local got = talk("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert.truthy(got:find("Content-Length: 5\r\n\r\nHTTP/1.1 200 OK", 1, true)
      or got:find("Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nHTTP/1.1 200 OK", 1, true))
  end)

  it("closes after HTTP/1.0, unless asked to stay", function()
    local _, state = talk("GET / HTTP/1.0\r\n\r\n")
    assert.equal("closed", state)
    _, state = talk("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "hello$")
    assert.equal("open", state)
  end)

  it("takes the form of target that clients send to proxies", function()
    talk("GET http://x.example:80/a?b HTTP/1.1\r\nHost: x\r\n\r\n", "hello$")
    assert.equal("/a", seen[1].path)
    assert.equal("b", seen[1].query)
    talk("GET https://x.example?c HTTP/1.1\r\nHost: x\r\n\r\n", "hello$")
    assert.equal("/", seen[2].path)
    assert.equal("c", seen[2].query)
  end)

  local refusals = {
    { 400, "no request", "nonsense\r\n\r\n" },
    { 400, "a target that is no path", "GET nonsense HTTP/1.1\r\nHost: x\r\n\r\n" },
    { 400, "a bad method", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n" },
    { 505, "HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n" },
    { 400, "no Host", "GET / HTTP/1.1\r\n\r\n" },
    { 400, "two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" },
    { 400, "two lengths", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" },
    { 400, "a header without colon", "GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n" },
    { 400, "a space before the colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n" },
    { 400, "a folded header", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n" },
    { 400, "a NUL in a header", "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n" },
    { 400, "a length that is none", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" },
    { 400, "a length and chunks",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
    { 501, "another coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n" },
    { 400, "a chunk size that is none", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" },
    { 400, "a chunk size that wraps around",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" },
    { 400, "a chunk longer than it says",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n" },
    { 413, "a body that is too large", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16777217\r\n\r\n" },
    { 413, "chunks that are too large",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000001\r\n" },
    { 431, "a head that is too large", "GET / HTTP/1.1\r\nHost: x\r\nA: " .. ("x"):rep(70000) .. "\r\n\r\n" },
    { 431, "too many headers",
      "GET / HTTP/1.1\r\nHost: x\r\n" .. ("A: " .. ("x"):rep(97) .. "\r\n"):rep(700) .. "\r\n" },
  }
  for _, refusal in ipairs(refusals) do
    it(("answers %d to %s, and closes"):format(refusal[1], refusal[2]), function()
      local got, state = talk(refusal[3])
      assert.truthy(got:find(("^HTTP/1%%.1 %d "):format(refusal[1])), got)
      assert.equal("closed", state)
      assert.equal(0, #seen)
    end)
  end

  it("closes a connection on which nothing comes any more", function()
    local before = socket.gettime()
    local got, state = talk("GET / HTTP/1.1\r\nHost:")
    assert.equal("", got)
    assert.equal("closed", state)
    assert.is_true(socket.gettime() - before >= 0.29)
  end)

  it("survives a client that goes in the middle", function()
    for _, bytes in ipairs{ "", "GET", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab" } do
      local client = connect()
      send(client, bytes)
      client:close()
      server:step(0.01)
    end
    assert.truthy(talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "hello$"))
    assert.equal(1, #seen)
    server:step(0.05)
    assert.equal(0, server.count)
    assert.same({}, complaints)
  end)

  it("answers 500 when the handler raises, and goes on", function()
    respond = function() error("oops") end
    assert.truthy(talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):find("^HTTP/1.1 500 "))
    assert.truthy(complaints[1]:find("oops", 1, true))
    respond = function() return { status = 200, headers = { Location = "a\r\nSet-Cookie: b" } } end
    local got, state = talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal("", got)   -- no header of its own making leaves
    assert.equal("closed", state)
    assert.truthy(complaints[2]:find("Location", 1, true))
    respond = function() return { status = 204 } end
    assert.truthy(talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n$"):find("^HTTP/1.1 204 No Content\r\n\r\n$"))
  end)

  it("delays one answer and no other", function()
    respond = function(request)
      return { status = 200, body = request.path, delay = request.path == "/late" and 0.2 or nil }
    end
    local late = connect()
    local before = socket.gettime()
    send(late, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.truthy(talk("GET /now HTTP/1.1\r\nHost: x\r\n\r\n", "/now$"))
    assert.is_true(socket.gettime() - before < 0.2)
    assert.truthy(receive(late, "/late$"):find("/late$"))
    assert.is_true(socket.gettime() - before >= 0.2)
    late:close()
  end)

  it("hangs up without a byte after the handler ran", function()
    respond = function() return { status = 200, body = "hello", hang_up = true } end
    local got, state = talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal("", got)
    assert.equal("closed", state)
    assert.equal(1, #seen)
    respond = function() return { status = 200, body = "hello", hang_up = "reset" } end
    assert.equal("", (talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n")))
  end)

  it("cuts an answer short of the length it announced", function()
    respond = function() return { status = 200, body = "hello", cut = 2 } end
    local got, state = talk("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal("closed", state)
    assert.truthy(got:find("Content-Length: 5\r\n", 1, true))
    assert.truthy(got:find("\r\n\r\nhe$"))
  end)

  it("serves no more than 256 connections at a time, and the next when one is done", function()
    server:close()
    server = assert(loopback.new{ handler = function() return { status = 200, body = "hello" } end })
    local clients = {}
    for i = 1, 258 do
      clients[i] = connect()
      server:step(0)
    end
    assert.equal(256, server.count)
    clients[1]:close()
    clients[2]:close()
    server:step(0.05)
    server:step(0.05)
    assert.equal(256, server.count)
    clients[258]:send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.truthy(receive(clients[258], "hello$"):find("hello$"))
    for i = 3, 258 do
      clients[i]:close()
    end
  end)

  it("keeps its sockets from programs that are started meanwhile", function()
    local function inherited()
      local pipe = io.popen("ls -l /dev/fd/ 2>/dev/null | grep -c socket:")
      local count = pipe:read("*n")
      pipe:close()
      return count
    end
    local before = inherited()
    local client = connect()
    server:step(0.01)
    assert.equal(before + 1, inherited())   -- our own end of the connection; the server's is not there
    client:close()
    server:close()
    assert.equal(before, inherited())   -- and the listening socket was not there either
  end)

  it("tells when a descriptor it was asked to watch is readable", function()
    local process = require "celements.process"
    local r, w = process.pipe()
    assert.is_false(server:step(0, r))
    process.close(w)
    assert.is_true(server:step(1, r))
    process.close(r)
  end)

  it("lets go of its port and its connections when closed, once and twice", function()
    local client = connect()
    server:step(0.01)
    server:close()
    server:close()
    client:settimeout(2)
    local _, err = client:receive(1)
    assert.equal("closed", err)
    client:close()
    assert.is_nil((socket.connect("127.0.0.1", server.port)))
  end)
end)

describe("loopback.new", function()
  it("says why it cannot listen", function()
    local handler = function() end
    local first = assert(loopback.new{ handler = handler })
    local second, message = loopback.new{ handler = handler, port = first.port }
    assert.is_nil(second)
    assert.equal("address already in use", message)
    first:close()
  end)

  it("listens on this machine only", function()
    local server = assert(loopback.new{ handler = function() end })
    assert.equal(("http://127.0.0.1:%d"):format(server.port), server.url)
    assert.equal("127.0.0.1", (server.listener:getsockname()))
    server:close()
  end)

  it("wants a handler", function()
    assert.has_error(function() loopback.new{} end, "loopback.new: handler must be a function")
  end)

  it("says how to get LuaSocket where it is missing", function()
    local loaded, searchers = package.loaded.socket, package.preload.socket
    package.loaded.socket = nil
    package.preload.socket = function() error("not here") end
    local ok, message = pcall(loopback.new, { handler = function() end })
    package.loaded.socket, package.preload.socket = loaded, searchers
    assert.is_false(ok)
    assert.truthy(message:find("apt-get install lua-socket", 1, true))
  end)
end)
