local retry = require "celements.retry"

describe("after a failed attempt", function()
  local function again(method, failure, try, random)
    return retry.delay(try or 1, method, failure, random or 0.5)
  end

  local REPEATABLE, ONCE = { "GET", "HEAD", "DELETE" }, { "POST", "PUT", "PATCH" }

  it("GET, HEAD and DELETE are tried again after 502, 503 and 504; POST, PUT and PATCH are not", function()
    for _, status in ipairs { 502, 503, 504 } do
      for _, method in ipairs(REPEATABLE) do
        assert.is_number(again(method, { kind = "server", status = status }))
      end
      for _, method in ipairs(ONCE) do
        assert.is_nil(again(method, { kind = "server", status = status }))
        assert.is_nil(again(method, { kind = "server", status = status, retry_after = 1 }))
      end
    end
  end)

  it("no other status is tried again", function()
    for _, status in ipairs { 200, 301, 400, 401, 403, 404, 408, 409, 500, 501, 505 } do
      for _, methods in ipairs { REPEATABLE, ONCE } do
        for _, method in ipairs(methods) do
          assert.is_nil(again(method, { status = status, retry_after = 1 }), status .. method)
        end
      end
    end
  end)

  it("429 is waited for as long as it says, and means a size limit when it does not", function()
    for _, method in ipairs(REPEATABLE) do
      assert.equal(7, again(method, { status = 429, retry_after = 7 }))
      assert.is_nil(again(method, { status = 429 }))
    end
    for _, method in ipairs(ONCE) do
      assert.is_nil(again(method, { status = 429, retry_after = 7 }))
    end
  end)

  it("what the server asks goes before any formula of ours", function()
    assert.equal(0, again("GET", { status = 503, retry_after = 0 }))
    assert.equal(60, again("GET", { status = 503, retry_after = 60 }, 2))
  end)

  it("a failed connection is tried again; for POST, PUT and PATCH only when certainly nothing was sent", function()
    for _, kind in ipairs { "resolve", "connect", "network" } do
      for _, method in ipairs(REPEATABLE) do
        assert.is_number(again(method, { kind = kind, sent = false }))
        assert.is_number(again(method, { kind = kind, sent = true }))
      end
      for _, method in ipairs(ONCE) do
        assert.is_number(again(method, { kind = kind, sent = false }))
        assert.is_nil(again(method, { kind = kind, sent = true }))
        assert.is_nil(again(method, { kind = kind })) -- not known is not certain
      end
    end
  end)

  it("a timeout is tried again only while the connection was being made", function()
    for _, phase in ipairs { "resolve", "connect", "tls" } do
      assert.is_number(again("GET", { kind = "timeout", phase = phase, sent = false }))
    end
    for _, phase in ipairs { "send", "wait", "receive" } do
      assert.is_nil(again("GET", { kind = "timeout", phase = phase, sent = true }))
    end
  end)

  it("what would fail again is not tried again", function()
    for _, kind in ipairs { "config", "tls", "too_large", "decode" } do
      assert.is_nil(again("GET", { kind = kind, sent = false }))
    end
  end)

  it("the wait is anything from nothing to a ceiling that doubles, and ends at eight seconds", function()
    local failure = { kind = "connect", sent = false }
    for try, ceiling in ipairs { 0.5, 1, 2, 4, 8, 8, 8 } do
      assert.equal(0, again("GET", failure, try, 0))
      assert.equal(ceiling / 2, again("GET", failure, try, 0.5))
      local almost = again("GET", failure, try, 0.999999)
      assert.is_true(almost < ceiling and almost > ceiling * 0.99)
    end
    assert.equal(8 * 0.5, again("GET", failure, 1000))
  end)
end)

describe("Retry-After", function()
  local NOW = 784111777 -- Sun, 06 Nov 1994 08:49:37 GMT

  it("is a number of seconds", function()
    assert.equal(0, retry.retry_after("0", NOW))
    assert.equal(120, retry.retry_after(" 120 ", NOW))
  end)

  it("is a date in any of HTTP's forms that name the year in full, whatever the time zone here", function()
    assert.equal(30, retry.retry_after("Sun, 06 Nov 1994 08:50:07 GMT", NOW))
    assert.equal(86400, retry.retry_after("Mon, 07 Nov 1994 08:49:37 GMT", NOW))
    assert.equal(951782400 - NOW, retry.retry_after("Tue, 29 Feb 2000 00:00:00 GMT", NOW))
    assert.equal(951868800 - NOW, retry.retry_after("Wed, 01 Mar 2000 00:00:00 GMT", NOW))
    assert.equal(1709164800 - NOW, retry.retry_after("Thu, 29 Feb 2024 00:00:00 GMT", NOW))
    assert.equal(1735689599 - NOW, retry.retry_after("Tue, 31 Dec 2024 23:59:59 GMT", NOW))
  end)

  it("that has passed means now", function()
    assert.equal(0, retry.retry_after("Sun, 06 Nov 1994 08:49:36 GMT", NOW))
    assert.equal(0, retry.retry_after("Fri, 31 Dec 1993 23:59:59 GMT", NOW))
  end)

  it("that cannot be read is as if it were not there", function()
    for _, value in ipairs { "", "soon", "-1", "1.5", "1e3", "Sun, 06 Foo 1994 08:49:37 GMT", "tomorrow 08:49:37" } do
      assert.is_nil(retry.retry_after(value, NOW), value)
    end
    assert.is_nil(retry.retry_after(nil, NOW))
  end)
end)
