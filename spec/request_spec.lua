local celements = require "celements"
local core = require "celements.core"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"
local socket = require "socket"

local AT_ONCE = { ["Retry-After"] = "0" } -- so that the specs do not wait for the jitter

describe("a call that fails", function()
  local server, client, seen
  local random = core.secret.random

  setup(function()
    core.secret.random = function(n) -- the jitter's least
      return ("\0"):rep(n)
    end
    server = recorder.start()
    client = celements.new { base_url = server.url }
  end)

  teardown(function()
    core.secret.random = random
    server:stop()
  end)

  local function call(method, answers, options)
    server:answer(answers)
    local result, info = client:request(method, "/x", options)
    seen = server:requests()
    return result, info
  end

  -- The same to a server that no connection was kept to: a GET that goes out over a kept
  -- one that has just died is sent again by libcurl, as a part of the same attempt.
  local function call_anew(method, answers)
    local other = recorder.start()
    other:answer(answers)
    local result, info = celements.new({ base_url = other.url }):request(method, "/x")
    seen = other:requests()
    other:stop()
    return result, info
  end

  it("with 502, 503 or 504 is tried again when it is a GET, HEAD or DELETE", function()
    for _, status in ipairs { 502, 503, 504 } do
      for _, method in ipairs { "GET", "HEAD", "DELETE" } do
        local result, info = call(method, { { status = status, headers = AT_ONCE }, { status = 200 } })
        assert.is_true(result)
        assert.same({ 200, 2, 2 }, { info.status, info.attempts, #seen })
      end
    end
  end)

  it("with 502, 503 or 504 is sent once when it is a POST, PUT or PATCH", function()
    for _, status in ipairs { 502, 503, 504 } do
      for _, method in ipairs { "POST", "PUT", "PATCH" } do
        local result, err = call(method, { { status = status, headers = AT_ONCE }, { status = 200 } }, { json = {} })
        assert.is_nil(result)
        assert.same({ "server", 1, 1 }, { err.kind, err.attempts, #seen })
      end
    end
  end)

  it("is tried again twice and no more", function()
    local result, err = call("GET", { { status = 503, headers = AT_ONCE } })
    assert.is_nil(result)
    assert.same({ "server", 503, 3, 3 }, { err.kind, err.status, err.attempts, #seen })
  end)

  it("is tried again as often as `retries` says, of the client or of the call", function()
    local answers = { { status = 503, headers = AT_ONCE } }
    for _, retries in ipairs { 0, 1, 3 } do
      local _, err = call("GET", answers, { retries = retries })
      assert.same({ retries + 1, retries + 1 }, { err.attempts, #seen })
    end
    server:answer(answers)
    local _, err = celements.new({ base_url = server.url, retries = 0 }):request("GET", "/x")
    assert.same({ 1, 1 }, { err.attempts, #server:requests() })
    server:answer(answers)
    _, err = celements.new({ base_url = server.url, retries = 0 }):request("GET", "/x", { retries = 1 })
    assert.same({ 2, 2 }, { err.attempts, #server:requests() })
  end)

  it("with 429 waits as long as the server asks", function()
    local started = socket.gettime()
    local result = call("GET", { { status = 429, headers = { ["Retry-After"] = "1" } }, {} })
    assert.is_true(result)
    assert.equal(2, #seen)
    assert.is_true(seen[2].at - seen[1].at >= 0.99)
    assert.is_true(socket.gettime() - started < 3)
  end)

  it("with 429 and no Retry-After is not tried again, nor is a POST with it", function()
    local _, err = call("GET", { { status = 429 }, {} })
    assert.same({ "rate_limit", 1, 1 }, { err.kind, err.attempts, #seen })
    _, err = call("POST", { { status = 429, headers = AT_ONCE }, {} })
    assert.same({ "rate_limit", 1, 1 }, { err.kind, err.attempts, #seen })
  end)

  it("takes a date in Retry-After as well", function()
    local past, future = "Sun, 06 Nov 1994 08:49:37 GMT", os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 3600)
    local result = call("GET", { { status = 503, headers = { ["Retry-After"] = past } }, {} })
    assert.is_true(result)
    assert.equal(2, #seen)
    local _, err = call("GET", { { status = 503, headers = { ["Retry-After"] = future } } })
    assert.is_true(err.retry_after > 3590 and err.retry_after <= 3600)
    assert.equal(1, #seen)
  end)

  it("without an answer is tried again when it is a GET", function()
    local result, info = call_anew("GET", { { hang_up = true }, { body = '{"a": 1}' } })
    assert.same({ a = 1 }, result)
    assert.same({ 2, 2 }, { info.attempts, #seen })
  end)

  it("without an answer is sent once when it is a POST, PUT or PATCH, and nobody knows what happened", function()
    for _, method in ipairs { "POST", "PUT", "PATCH" } do
      for _, hang_up in ipairs { true, "reset" } do
        local result, err = call(method, { { hang_up = hang_up }, {} }, { json = { a = 1 } })
        assert.is_nil(result)
        assert.same({ "network", "unknown", 1, 1 }, { err.kind, err.outcome, err.attempts, #seen })
      end
    end
  end)

  it("before anything was sent is tried again whatever the method, and certainly nothing happened", function()
    local free = assert(socket.bind("127.0.0.1", 0))
    local _, port = free:getsockname()
    free:close()
    for _, method in ipairs { "GET", "POST" } do
      local attempts = 0
      local nobody = celements.new {
        base_url = "127.0.0.1:" .. port, retries = 1,
        on_response = function()
          attempts = attempts + 1
        end,
      }
      local result, err = nobody:request(method, "/x")
      assert.is_nil(result)
      assert.same({ "connect", "not_sent", "connect", 2, 2 },
        { err.kind, err.outcome, err.phase, err.attempts, attempts })
      assert.truthy(err.hint:find("127.0.0.1:" .. port, 1, true))
    end
  end)

  it("as a DELETE whose first answer was lost is done when the thing is gone", function()
    local result, info = call("DELETE", { { hang_up = true }, { status = 404, body = '{"message": "No instance"}' } })
    assert.is_true(result)
    assert.same({ 404, 2, 2 }, { info.status, info.attempts, #seen })
    result, info = call("DELETE", { { status = 504, headers = AT_ONCE }, { status = 404 } })
    assert.is_true(result)
    assert.equal(2, info.attempts)
  end)

  it("as a DELETE of what was never there is an error", function()
    local result, err = call("DELETE", { { status = 404 } })
    assert.is_nil(result)
    assert.same({ "not_found", 1 }, { err.kind, err.attempts })
  end)

  it("as a GET is not done when the second try finds nothing", function()
    local result, err = call_anew("GET", { { hang_up = true }, { status = 404 } })
    assert.is_nil(result)
    assert.same({ "not_found", 2 }, { err.kind, err.attempts })
  end)

  it("with garbage is not tried again", function()
    local _, err = call("GET", { { body = "<html>" }, {} })
    assert.same({ "decode", 1, 1 }, { err.kind, err.attempts, #seen })
  end)
end)

describe("on_response", function()
  local SECRET = "uSer+Secret/1="
  local server, events, client

  setup(function()
    server = recorder.start()
    client = celements.new {
      base_url = server.url, user_secret = SECRET, org_secret = "0rgSecret9876543210",
      on_response = function(event)
        events[#events + 1] = event
      end,
    }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    events = {}
  end)

  it("hears of every attempt once, with what is known of it", function()
    server:answer {
      { status = 503, headers = { ["Retry-After"] = "0", ["Elements-Request-Id"] = "one", Connection = "close" } },
      { hang_up = true },
      { body = '{"a": 1}', headers = { ["Elements-Request-Id"] = "three" } },
    }
    assert(client:request("GET", "/instances/1", { query = { where = "a" } }))
    assert.equal(3, #events)
    for i, expected in ipairs {
      { status = 503, request_id = "one", kind = "server" }, { kind = "network" },
      { status = 200, request_id = "three" },
    } do
      local event = events[i]
      assert.same({ "GET", "/instances/1", i }, { event.method, event.path, event.attempt })
      assert.same(expected, { status = event.status, request_id = event.request_id, kind = event.kind })
    end
    assert.is_number(events[1].seconds)
    assert.is_boolean(events[3].reused)
  end)

  it("hears nothing of a call that was refused before sending", function()
    client:create_instance {}
    client:oauth_url {}
    client:create_instance { element = "x", configuration = { a = print } }
    assert.same({}, events)
  end)

  it("sees no query, no body and no secret", function()
    server:answer { { body = '{"token": "s3cretToken"}' } }
    assert(client:request("POST", celements.path("x", SECRET),
      { query = { apiSecret = "s3cretQuery" }, json = { password = "s3cretBody" } }))
    assert.equal(1, #events)
    for name, value in pairs(events[1]) do
      assert.falsy(tostring(value):find("s3cret", 1, true), name)
      assert.falsy(tostring(value):find(SECRET, 1, true), name)
      assert.falsy(tostring(value):find("uSer%2BSecret", 1, true), name)
    end
  end)

  it("may raise: the result is not lost, and the fault is told", function()
    local clumsy = celements.new {
      base_url = server.url, user_secret = "u", org_secret = "o",
      on_response = function()
        error("disk full")
      end,
    }
    server:answer { { body = '{"id": 7, "token": "t"}' } }
    local instance, info = clumsy:create_instance { element = "hubspot", name = "Test" }
    assert.equal(7, instance.id)
    assert.truthy(info.hook_error:find("disk full", 1, true))
    server:answer { { status = 400 } }
    local _, err = clumsy:create_instance { element = "hubspot", name = "Test" }
    assert.equal("invalid", err.kind)
    assert.truthy(err.hook_error:find("disk full", 1, true))
  end)

  it("has to be a function", function()
    assert.equal("on_response has to be a function, not a table", raises(function()
      local other = celements.new { on_response = {} }
      return other, nil
    end))
  end)
end)
