local celements = require "celements"
local hint = require "celements.hint"
local recorder = require "spec.support.recorder"

describe("a refusal", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer+Secret/1=",
      org_secret = "0rgSecret9876543210", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local function refused(answer, method)
    server:answer { answer }
    local result, err = client:request(method or "POST", "/instances")
    assert.is_nil(result)
    assert.falsy(tostring(err):find("[\r\n]"), "one line")
    return err
  end

  local PLATFORM = '{"requestId": "5b0f9e", "message": "It cannot be done", "providerMessage": "says the provider"}'

  it("has a kind for every status", function()
    for status, kind in pairs {
      [300] = "redirect", [301] = "redirect", [302] = "redirect", [303] = "redirect", [307] = "redirect",
      [308] = "redirect",
      [400] = "invalid", [401] = "auth", [402] = "invalid", [403] = "forbidden", [404] = "not_found", [405] = "invalid",
      [406] = "invalid", [408] = "invalid", [409] = "conflict", [410] = "invalid", [413] = "invalid", [415] = "invalid",
      [422] = "invalid", [429] = "rate_limit", [499] = "invalid", [500] = "server", [501] = "server", [502] = "server",
      [503] = "server", [504] = "server", [599] = "server",
    } do
      for _, body in ipairs { "", PLATFORM, "<html>" } do
        local err = refused { status = status, body = body }
        assert.same({ kind, status }, { err.kind, err.status })
      end
    end
  end)

  it("tells what it means for what was asked", function()
    for _, case in ipairs {
      { { status = 400, body = PLATFORM }, "refused" }, { { status = 401 }, "refused" },
      { { status = 404 }, "refused" },
      { { status = 429 }, "refused" }, { { status = 500, body = PLATFORM }, "refused" },
      { { status = 503 }, "refused" },
      { { status = 502, body = PLATFORM }, "refused" }, -- the platform's own words: it is the provider that failed
      { { status = 502, body = "<html>" }, "unknown" }, { { status = 504, body = PLATFORM }, "unknown" },
      { { status = 302, headers = { Location = "/" } }, "refused" }, { { status = 200, body = "<html>" }, "unknown" },
    } do
      assert.equal(case[2], refused(case[1]).outcome, case[1].status .. (case[1].body or ""))
    end
  end)

  it("brings the platform's words, the provider's, and the request id", function()
    local err = refused { status = 400, body = PLATFORM }
    assert.same({ "It cannot be done", "says the provider", "5b0f9e" },
      { err.message, err.provider_message, err.request_id })
    assert.same({ "POST", "/instances", 1 }, { err.method, err.path, err.attempts })
    assert.same({ requestId = "5b0f9e", message = "It cannot be done", providerMessage = "says the provider" },
      err.body)
    assert.equal("invalid: It cannot be done; the provider says: says the provider [POST /instances] (request 5b0f9e); "
      .. "the provider refused, not the platform",
      tostring(err))
    err = refused { status = 400, body = PLATFORM, headers = { ["Elements-Request-Id"] = "fromheader" } }
    assert.equal("fromheader", err.request_id)
  end)

  it("has a message of its own when the platform says nothing", function()
    assert.equal("the server answered 500", refused({ status = 500 }).message)
    assert.equal("the server answered 500", refused({ status = 500, body = '{"message": ""}' }).message)
    assert.equal("the server answered 500", refused({ status = 500, body = '{"message": null}' }).message)
    assert.equal("the server answered 500", refused({ status = 500, body = "[1, 2]" }).message)
    assert.equal("the server answered 502 with text/html, not with the platform's JSON",
      refused({ status = 502, body = "<html>", headers = { ["Content-Type"] = "text/html; charset=utf-8" } }).message)
  end)

  it("shows the first 200 bytes of a body that is not JSON", function()
    assert.equal("Bad gateway", refused({ status = 502, body = "Bad gateway" }).body)
    assert.equal(("x"):rep(200), refused({ status = 502, body = ("x"):rep(5000) }).body)
    assert.is_nil(refused({ status = 502 }).body)
  end)

  it("in place of JSON says so, and where", function()
    local err = refused { body = '{"id": 1,\n "token" "t"}' }
    assert.same({ "decode", 200 }, { err.kind, err.status })
    assert.truthy(err.message:find("not JSON", 1, true))
    assert.truthy(err.hint:find("base_url", 1, true))
  end)

  it("that points elsewhere is an error that names the host, and is never followed", function()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      for _, method in ipairs { "GET", "POST" } do
        local err = refused({ status = status, headers = { Location = server.url .. "/elsewhere?token=s3cret" } },
          method)
        assert.equal("redirect", err.kind)
        assert.truthy(err.message:find(server.url, 1, true), err.message)
        assert.falsy(tostring(err):find("s3cret", 1, true))
        assert.falsy(tostring(err):find("elsewhere", 1, true))
        assert.truthy(err.hint:find("not followed", 1, true))
        assert.equal(1, #server:requests())
      end
    end
    local err = refused { status = 302, headers = { Location = "https://user:s3cret@example.com/" } }
    assert.falsy(tostring(err):find("s3cret", 1, true))
    err = refused { status = 302, headers = { Location = "/login" } }
    assert.truthy(err.message:find("another place", 1, true))
    assert.equal("redirect", refused({ status = 302 }).kind)
  end)

  it("shows what the server asks to wait", function()
    local err = refused { status = 429, headers = { ["Retry-After"] = "30" } }
    assert.equal(30, err.retry_after)
    assert.truthy(err.hint:find("30 seconds", 1, true))
    assert.truthy(refused({ status = 429 }).hint:find("size limit", 1, true))
  end)

  it("shows not even the beginning of a secret where a long message is cut", function()
    for before = 8192 - 18, 8192 do
      local long = ("x"):rep(before) .. "0rgSecret9876543210"
      local err = refused { status = 400, body = ('{"message": "%s", "providerMessage": "%s"}'):format(long, long) }
      assert.falsy(err.message:find("0r", 1, true), before)
      assert.falsy(err.provider_message:find("0r", 1, true), before)
    end
  end)

  it("repeats no secret of the client or the call, however the server wrote it", function()
    local body = [[{
      "message": "User uSer+Secret/1= and uSer%2BSecret%2F1%3D and uSer+Secret\/1= and dVNlcitTZWNyZXQvMT0=",
      "providerMessage": "s3cretCode s3cretPassword", "echo": {"password": "other", "note": "0rgSecret9876543210"}}]]
    server:answer { { status = 400, body = body } }
    local _, err = client:create_instance {
      element = "x", provider_data = { code = "s3cretCode" }, configuration = { password = "s3cretPassword" },
    }
    local function look(value)
      if type(value) == "table" then
        for name, inner in pairs(value) do
          look(name)
          look(inner)
        end
      else
        for _, secret in ipairs { "uSer+Secret", "uSer%2BSecret", "dVNlcitTZWNyZXQ", "0rgSecret", "s3cretCode",
          "s3cretPassword", "other" } do
          assert.falsy(tostring(value):find(secret, 1, true), tostring(value))
        end
      end
    end
    look(err)
    look(tostring(err))
    assert.truthy(err.message:find("[redacted]", 1, true))
  end)
end)

describe("a hint", function()
  local PLACE = { base_url = "https://api.example.com/elements/api-v2" }

  local function says(words, err, place)
    local text = hint.of(err, place or PLACE, {})
    assert.truthy(text and text:find(words, 1, true), tostring(text))
  end

  it("after 401 names both likely causes, or the likelier one", function()
    says("swapped, or belong to another region than https://api.example.com", { kind = "auth" })
    says("probably swapped", { kind = "auth" }, { base_url = "x", swapped = true })
    says("connect the account again", { kind = "auth", provider_message = "expired" })
  end)

  it("knows secrets that look swapped by their form", function()
    local server = recorder.start()
    server:answer { { status = 401 } }
    local hex, base64 = ("0123456789abcdef"):rep(2), "r8UHbEJFvZ3cmQnNuIcP0Xjv+ek="
    local function hint_for(user, org)
      local client = celements.new { base_url = server.url, user_secret = user, org_secret = org }
      local _, err = client:request("GET", "/elements")
      return err.hint
    end
    assert.truthy(hint_for(hex, base64):find("probably swapped", 1, true))
    assert.truthy(hint_for(base64, hex):find("another region", 1, true))
    server:stop()
  end)

  it("after a failed handshake names the trust store that was asked and how to set another", function()
    says("ca_file /x/ca.pem", { kind = "tls" }, { ca_file = "/x/ca.pem" })
    local function trust()
      return { path = "/etc/ssl/certs", why = "the system's" }
    end
    says("/etc/ssl/certs (the system's)", { kind = "tls" }, { trust = trust })
    says("set ca_file", { kind = "tls" }, { trust = trust })
    says("ca-certificates", { kind = "tls" }, {})
  end)

  it("warns of sending again what may have been done, and only then", function()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      says("before you send it again", { kind = "network", outcome = "unknown", method = method })
      says("before you send it again", { kind = "timeout", outcome = "unknown", method = method })
    end
    assert.is_nil(hint.of({ kind = "network", outcome = "unknown", method = "GET" }, PLACE, {}))
    assert.is_nil(hint.of({ kind = "network", outcome = "not_sent", method = "POST" }, PLACE, {}))
  end)

  it("exists for what a person can do something about", function()
    for kind, words in pairs {
      connect = "check base_url", resolve = "check the host", too_large = "max_body", forbidden = "disabled",
      decode = "base_url",
    } do
      says(words, { kind = kind })
    end
    says("formula", { kind = "conflict", method = "DELETE" })
    says("case-sensitive", { kind = "not_found", message = "No element found with key Hubspot" })
    assert.is_nil(hint.of({ kind = "not_found", message = "No instance" }, PLACE, {}))
    assert.is_nil(hint.of({ kind = "invalid", message = "x" }, PLACE, {}))
  end)

  it("after a timeout fits how far it came", function()
    says("name server", { kind = "timeout", phase = "resolve" })
    says("firewall", { kind = "timeout", phase = "connect" })
    says("larger timeout", { kind = "timeout", phase = "wait", method = "GET" })
  end)
end)
