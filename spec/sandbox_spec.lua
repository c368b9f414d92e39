local json = require "celements.json"
local raises = require "spec.support.raises"
local process = require "celements.process"
local sandbox = require "celements.sandbox"
local socket = require "socket"

describe("sandbox.start", function()
  local platform

  after_each(function()
    if platform then
      platform.stop()
    end
    platform = nil
  end)

  local function listens(port)
    local connection = socket.connect("127.0.0.1", port)
    if connection then
      connection:close()
    end
    return connection ~= nil
  end

  local function port_of(url)
    return tonumber(url:match(":(%d+)/"))
  end

  local function gone(port, seconds)
    local deadline = socket.gettime() + seconds
    while listens(port) do
      if socket.gettime() > deadline then
        return false
      end
      process.sleep(0.01)
    end
    return true
  end

  local function call(method, url, value, headers)
    local http, ltn12 = require "socket.http", require "ltn12"
    local answer, body = {}, value and assert(json.encode(value)) or ""
    local sent = { ["content-type"] = value and "application/json" or nil, ["content-length"] = #body }
    for name, header in pairs(headers or {}) do
      sent[name] = header
    end
    local _, status = http.request{
      method = method, url = url, headers = sent, source = ltn12.source.string(body), sink = ltn12.sink.table(answer),
    }
    local text = table.concat(answer)
    return status, text ~= "" and json.decode(text) or nil
  end

  it("serves the platform, and stops once and twice", function()
    platform = assert(sandbox.start())
    assert.truthy(platform.url:find("^http://127%.0%.0%.1:%d+/elements/api%-v2$"))
    local status, keys = call("GET", platform.url .. "/elements/keys")
    assert.equal(200, status)
    assert.equal("hubspot", keys[1])
    local before = socket.gettime()
    platform.stop()
    assert.is_true(socket.gettime() - before < 1)   -- it went by itself, nobody lost patience
    assert.is_false(listens(port_of(platform.url)))
    assert.is_nil((process.kill(platform.pid, 0)))   -- waited for, too
    platform.stop()
  end)

  it("makes new secrets every time, unless they are given", function()
    platform = assert(sandbox.start())
    local other = assert(sandbox.start{ user_secret = "u", org_secret = "o" })
    assert.equal("u", other.user_secret)
    local auth = { authorization = ("User %s, Organization %s"):format(platform.user_secret, platform.org_secret) }
    assert.equal(200, (call("GET", platform.url .. "/instances", nil, auth)))
    assert.equal(401, (call("GET", other.url .. "/instances", nil, auth)))
    assert.equal(200, (call("GET", other.url .. "/instances", nil, { authorization = "Organization o, User u" })))
    other.stop()
    assert.equal(200, (call("GET", platform.url .. "/instances", nil, auth)))   -- one ends, the other stays
    local third = assert(sandbox.start())
    assert.not_equal(platform.user_secret, third.user_secret)
    third.stop()
  end)

  it("plays user: consent.approve and deny lead to the callback", function()
    platform = assert(sandbox.start())
    local _, step1 = call("GET", platform.url
      .. "/elements/hubspot/oauth/url?apiKey=k&apiSecret=1&callbackUrl=http%3A%2F%2Fdemonstrab.ly&scope=a")
    assert.equal(platform.provider_url, step1.oauthUrl:sub(1, #platform.provider_url))
    local approved = assert(sandbox.consent(step1.oauthUrl))
    assert.truthy(approved:find("^http://demonstrab%.ly%?access_token="))
    assert.truthy(sandbox.consent(step1.oauthUrl, "approve"))
    local denied = assert(sandbox.consent(step1.oauthUrl, "deny"))
    assert.truthy(denied:find("error=access_denied", 1, true))
  end)

  it("tells a script why there is no consent", function()
    platform = assert(sandbox.start())
    local url, err = sandbox.consent(platform.provider_url
      .. "/hubspot/authorize?client_id=x&redirect_uri=http://a.example")
    assert.is_nil(url)
    assert.equal("oauth", err.kind)
    assert.equal("No application with this client id is registered here.", err.message)
    platform.stop()
    url, err = sandbox.consent(platform.provider_url .. "/hubspot/authorize")
    assert.is_nil(url)
    assert.equal("connect", err.kind)
    assert.has_error(function() sandbox.consent("http://127.0.0.1:1/", "maybe") end)
  end)

  it("does wrong on request: hangs up after creating, and then the instance is there", function()
    local rule = { fault = "hangup=after", method = "POST", path = "/instances", times = 1 }
    platform = assert(sandbox.start{ faults = { rule } })
    local auth = { authorization = ("User %s, Organization %s"):format(platform.user_secret, platform.org_secret) }
    local body = { element = { key = "abbyy" }, name = "Scans", configuration = sandbox.credentials("abbyy") }
    assert.equal("closed", (call("POST", platform.url .. "/instances", body, auth)))
    local _, list = call("GET", platform.url .. "/instances", nil, auth)
    assert.equal("Scans", list[1].name)

    local _, log = call("GET", platform.control_url .. "/requests")
    assert.equal(2, log.count)
    assert.equal("/elements/api-v2/instances", log.requests[1].path)
    assert.equal(200, (call("POST", platform.control_url .. "/reset")))
    _, list = call("GET", platform.url .. "/instances", nil, auth)
    assert.equal(0, #list)
  end)

  it("does wrong on request: acts late, and answers then, or when nobody waits any more", function()
    platform = assert(sandbox.start{ empty_lists = "not_found" })   -- options of the model arrive there
    local auth = { authorization = ("User %s, Organization %s"):format(platform.user_secret, platform.org_secret) }
    local body = { element = { key = "abbyy" }, name = "Scans", configuration = sandbox.credentials("abbyy") }
    local function create(fault)
      return call("POST", platform.url .. "/instances", body, {
        authorization = auth.authorization, ["sandbox-fault"] = fault,
      })
    end
    local before = socket.gettime()
    assert.equal("closed", (create("late=0.4,hangup=after")))
    assert.equal(404, (call("GET", platform.url .. "/instances", nil, auth)))
    assert.is_true(socket.gettime() - before < 0.4)
    process.sleep(0.5)
    local _, list = call("GET", platform.url .. "/instances", nil, auth)
    assert.equal("Scans", list[1].name)

    before = socket.gettime()
    local status, made = create("late=0.2")
    assert.same({ 200, "Scans" }, { status, made.name })
    assert.is_true(socket.gettime() - before >= 0.2)
  end)

  it("can be asked for a port, and says when it is taken", function()
    platform = assert(sandbox.start())
    local port = port_of(platform.url)
    local other, err = sandbox.start{ port = port }
    assert.is_nil(other)
    assert.equal("network", err.kind)
    assert.truthy(err.message:find(("%d: address already in use"):format(port), 1, true))
    platform.stop()
    platform = assert(sandbox.start{ port = port })
    assert.equal(port, port_of(platform.url))
  end)

  it("refuses options it does not know, at the caller's line, and starts nothing", function()
    local ok, message = pcall(sandbox.start, { prot = 8080 })
    assert.is_false(ok)
    assert.truthy(message:find("unknown option 'prot', did you mean 'port'?", 1, true), message)
    assert.has_error(function() sandbox.start{ faults = { { fault = "x" } } } end)
    assert.has_error(function() sandbox.start{ now = os.time } end)
  end)

  it("raises at the caller's line for what it cannot be told", function()
    for _, case in ipairs {
      { function() local r = sandbox.start(1) return r, nil end, "options has to be a table or nil, not a number" },
      { function() local r = sandbox.start { port = "80" } return r, nil end, "port has to be a number, not a string" },
      { function() local r = sandbox.start { port = 0.5 } return r, nil end, "port has to be a whole number, 0 or more" },
      { function() local r = sandbox.start { port = 65536 } return r, nil end, "port has to be 65535 at most" },
      { function() local r = sandbox.consent(nil) return r, nil end,
        "the URL to agree at has to be a string, not a nil" },
      { function() local r = sandbox.credentials "hubspto" return r, nil end,
        "the sandbox has no element with key hubspto" },
      { function() local r = sandbox.credentials {} return r, nil end, "the element has to be a string, not a table" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)

  it("stops when nobody holds it any more", function()
    local port = port_of(assert(sandbox.start()).url)
    collectgarbage()
    collectgarbage()
    assert.is_true(gone(port, 5))
  end)

  if _VERSION == "Lua 5.4" then
    it("stops at the end of its block", function()
      local block = assert(load([[local start = ...; local platform <close> = start(); return platform.url]]))
      local url = block(function() return assert(sandbox.start()) end)
      assert.is_false(listens(port_of(url)))
    end)
  end

  -- Starts a sandbox in a process of its own -> that process's id, the sandbox's port.
  local function started_elsewhere(finish)
    local name = os.tmpname()
    local pid = assert(process.fork())
    if pid == 0 then
      pcall(function()
        local theirs = assert(sandbox.start())
        local file = assert(io.open(name, "w"))
        file:write(theirs.url, "\n")
        file:close()
        finish(theirs)
      end)
      process.exit(0)
    end
    local deadline, url = socket.gettime() + 5
    repeat
      process.sleep(0.01)
      local file = assert(io.open(name))
      url = file:read("*l")
      file:close()
    until url or socket.gettime() > deadline
    os.remove(name)
    return pid, port_of(url)
  end

  it("ends when its parent ends without a word", function()
    local pid, port = started_elsewhere(function() end)
    process.wait(pid, 5)
    assert.is_true(gone(port, 5))
  end)

  it("ends when its parent is killed, even if another child still holds the parent's descriptors", function()
    local pid, port = started_elsewhere(function()
      if process.fork() == 0 then
        process.sleep(2.5)
        process.exit(0)
      end
      process.sleep(20)
    end)
    assert.is_true(listens(port))
    process.kill(pid, "KILL")
    process.wait(pid, 5)
    assert.is_true(gone(port, 2))
  end)

  it("leaves Ctrl-C to its parent", function()
    platform = assert(sandbox.start())
    call("GET", platform.url .. "/elements/keys")   -- it is serving by now
    process.kill(platform.pid, "INT")
    assert.is_false(process.wait(platform.pid, 0.05))
    assert.equal(200, (call("GET", platform.url .. "/elements/keys")))
  end)

  it("is not stopped by a forked child that lets go of its copy", function()
    platform = assert(sandbox.start())
    local pid = assert(process.fork())
    if pid == 0 then
      platform.stop()
      process.exit(0)
    end
    process.wait(pid, 5)
    assert.equal(200, (call("GET", platform.url .. "/elements/keys")))
  end)

  it("does not keep its parent's connections open", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local client = assert(socket.connect("127.0.0.1", port))
    local accepted = assert(listener:accept())
    platform = assert(sandbox.start())
    call("GET", platform.url .. "/elements/keys")
    accepted:close()
    client:settimeout(2)
    local _, err = client:receive(1)
    assert.equal("closed", err)
    client:close()
    listener:close()
  end)
end)

describe("sandbox.credentials", function()
  it("are what the make-believe provider accepts, a copy each time", function()
    local mine = sandbox.credentials("abbyy")
    assert.is_string(mine.username)
    mine.username = "changed"
    assert.not_equal("changed", sandbox.credentials("abbyy").username)
    assert.is_string(sandbox.credentials("hubspotcrm", "apiKey")["hubspot.authorization.apikey"])
    assert.has_error(function() sandbox.credentials("nosuch") end)
  end)
end)
