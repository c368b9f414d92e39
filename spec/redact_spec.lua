-- What is hidden by name, and what a call knows to be secret.

local core = require "celements.core"
local redact = require "celements.redact"

local function by_name(text)
  return redact.text(text, {})
end

describe("a text", function()
  for given, expected in pairs {
    ['{"access_token":"abc123","id":5}'] = '{"access_token":"[redacted]","id":5}',
    ['{"accessToken" : "a\\"b", "x":1}'] = '{"accessToken" : "[redacted]", "x":1}',
    ["apiSecret=abc&scope=x"] = "apiSecret=[redacted]&scope=x",
    ["GET /x?apiKey=1&code=Zx81Q-9 HTTP/1.1"] = "GET /x?apiKey=[redacted]&code=[redacted] HTTP/1.1",
    ["Authorization: User abc, Organization def\r\nHost: x"] = "Authorization: [redacted]\r\nHost: x",
    ["Set-Cookie: a=b; c=d\nX: y"] = "Set-Cookie: [redacted]\nX: y",
    ["sent User cuED0/Dezal12345678= along"] = "sent User [redacted] along",
    ["Bearer eyJhbGciOiJIUzI1NiJ9 expired"] = "Bearer [redacted] expired",
    ['{\\"password\\":\\"hunter2\\"}'] = '{\\"password\\":\\"[redacted]\\"}',
    ["oauth.api.secret: 9f8e7d6c"] = "oauth.api.secret: [redacted]",
    ["client_secret='x y z'"] = "client_secret='[redacted]'",
  } do
    it("loses what stands behind a secret's name: " .. given:gsub("%c", " "):sub(1, 40), function()
      assert.equal(expected, by_name(given))
    end)
  end

  for _, given in ipairs {
    "No element found with key hubspo", "the token has expired", "Invalid Organization or User secret, or invalid Element token provided.",
    '{"code":404,"message":"no"}', "error_code=invalid_grant", '{"token":null,"secret":true}', "nextPageToken=eyJwYWdlIjoyfQ",
    "secret: the user did not agree", "User agreed",
  } do
    it("stays readable: " .. given, function()
      assert.equal(given, by_name(given))
    end)
  end

  it("loses a secret beyond ASCII, however JSON writes it", function()
    local secret = "p\195\164ss\240\159\148\145word99"
    for _, given in ipairs { secret, "p\\u00e4ss\\ud83d\\udd11word99", "p%C3%A4ss%F0%9F%94%91word99" } do
      assert.equal("<[redacted]>", redact.text("<" .. given .. ">", { secret }))
    end
  end)

  it("loses the token of a page that is no page of a list", function()
    assert.equal("facebook.page.token=[redacted]", by_name "facebook.page.token=EAAB1234567")
    assert.equal("elements-next-page-token: eyJwYWdlIjoyfQ1", by_name "elements-next-page-token: eyJwYWdlIjoyfQ1")
  end)

  it("is read in a moment, also when it is all dashes", function()
    local began = os.clock()
    by_name(("-"):rep(200000) .. ("._"):rep(100000))
    assert.is_true(os.clock() - began < 5)
  end)

  it("that is empty, or has no secrets, is as it was", function()
    assert.equal("", by_name "")
    assert.equal("plain", redact.text("plain", { "other" }))
  end)

  it("keeps words that only look like a part of a secret", function()
    assert.equal("the secr and cret of it", redact.text("the secr and cret of it", { "secret-of-mine" }))
  end)

  it("does not lose words to a secret of three letters", function()
    assert.equal("abc abc", redact.text("abc abc", { "abc" }))
  end)
end)

describe("a decoded answer", function()
  it("is copied without them, at any depth, and the original stays", function()
    local original = { message = "got s3cr3t-value", list = { "s3cr3t-value", 1, true }, token = "abc123", configuration = { password = "x1y2z3" }, count = 7 }
    local copy = redact.value(original, { "s3cr3t-value" })
    assert.same({
      message = "got [redacted]", list = { "[redacted]", 1, true }, token = "[redacted]",
      configuration = { password = "[redacted]" }, count = 7,
    }, copy)
    assert.equal("got s3cr3t-value", original.message)
  end)

  it("is searched in its names too", function()
    assert.same({ ["got [redacted]"] = 1 }, redact.value({ ["got s3cr3t-value"] = 1 }, { "s3cr3t-value" }))
  end)

  it("loses a secret of digits alone that came back as a number", function()
    assert.same({ portalId = "[redacted]", id = 987655, list = { "[redacted]", 1 } },
      redact.value({ portalId = 987654, id = 987655, list = { 987654, 1 } }, { "987654" }))
  end)

  it("loses all that is in a table under a secret's name", function()
    assert.same({ clientSecret = { v = "[redacted]", n = "[redacted]", is = true }, password = { "[redacted]", { "[redacted]" } } },
      redact.value({ clientSecret = { v = "canary9", n = 12345, is = true }, password = { "canary8", { "canary7" } } }, {}))
  end)

  it("keeps codes that say what went wrong", function()
    local answer = { code = 404, error_code = "invalid_grant", code2 = "x" }
    assert.same(answer, redact.value(answer, {}))
    assert.equal("[redacted]", redact.value({ code = "Zx81Q-9abc" }, {}).code)
  end)
end)

describe("what a call knows to be secret", function()
  local function known(call)
    local found = {}
    for _, value in ipairs(redact.values({}, call)) do
      found[value] = true
    end
    return found
  end

  it("is in its query, its headers and its body, by name", function()
    local found = known {
      query_text = "api%53ecret=query%2Dsecret&scope=contacts",
      lines = { "X-Vendor-Token: header-secret", "Accept: application/json" },
      json = { name = "Test", configuration = { ["oauth.api.secret"] = "body-secret", ["base.url"] = "https://x.example" } },
    }
    assert.same({ ["query-secret"] = true, ["header-secret"] = true, ["body-secret"] = true }, found)
  end)

  it("is a configuration value that stands beside its key", function()
    local values = redact.values({}, { json = { key = "api.key", propertyValue = "hunter22" } })
    assert.same({ key = "api.key", propertyValue = "[redacted]" }, redact.value({ key = "api.key", propertyValue = "hunter22" }, values))
  end)

  it("is all that a provider gave", function()
    local found = known { json = { providerData = { code = "c-o-d-e", anything = { deep = "inside" } } } }
    assert.is_true(found["c-o-d-e"] and found.inside)
  end)

  it("is also its form in a JSON body", function()
    assert.is_true(known({ json = { password = 'a/b"c' } })['a\\/b\\"c'])
  end)

  it("comes with the client's own Secrets", function()
    local own = core.secret.new "own-secret-text"
    assert.equal(own, redact.values({ own }, {})[1])
  end)
end)
