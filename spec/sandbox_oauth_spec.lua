local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

local CALLBACK = "https://app.example/back?from=sandbox"

local function parameters(url)
  local all = text.parse_query(url:match("%?(.*)$"))
  local first = {}
  for name, values in pairs(all) do
    first[name] = values[1]
  end
  return first
end

describe("the sandbox's oauth/url", function()
  local sandbox
  local app = { apiKey = "key", apiSecret = "se+cret/=&", callbackUrl = CALLBACK }

  before_each(function()
    sandbox = platform.new()
  end)

  it("answers the page's HubSpot URL: client id, portal id, redirect URI and scope", function()
    local status, body = sandbox:call("GET",
      "/elements/hubspot/oauth/url?apiKey=123456789d-1234&apiSecret=123456&scope=contacts-rw%20offline"
        .. "&callbackUrl=http://demonstrab.ly")
    assert.equal(200, status)
    assert.same({
      element = "hubspot",
      oauthUrl = "http://127.0.0.1:1/provider/hubspot/authorize?client_id=123456789d-1234&portalId=123456"
        .. "&redirect_uri=http%3A%2F%2Fdemonstrab.ly&scope=contacts-rw%20offline",
    }, body)
  end)

  it("puts the element's key where the application sent no state, for elements that do so", function()
    assert.equal("sfdc", parameters(sandbox:consent_url("sfdc", app)).state)
    assert.is_nil(parameters(sandbox:consent_url("hubspot", app)).state)
    local mine = { apiKey = "k", apiSecret = "s", callbackUrl = CALLBACK, state = "a b&c" }
    assert.equal("a b&c", parameters(sandbox:consent_url("sfdc", mine)).state)
  end)

  it("keeps an empty scope apart from none", function()
    assert.is_nil(parameters(sandbox:consent_url("hubspotcrm", app)).scope)
    local with_empty = { apiKey = "k", apiSecret = "s", callbackUrl = CALLBACK, scope = "" }
    assert.equal("", parameters(sandbox:consent_url("hubspotcrm", with_empty)).scope)
  end)

  it("shows the application's secret in the URL of some elements, as the vendor does", function()
    assert.equal("se+cret/=&", parameters(sandbox:consent_url("sfdc", app)).client_secret)
    assert.is_nil(parameters(sandbox:consent_url("hubspotcrm", app)).client_secret)
  end)

  it("names every missing parameter at once", function()
    local status, body = sandbox:call("GET", "/elements/hubspot/oauth/url?apiSecret=&scope=x")
    assert.equal(400, status)
    assert.equal("Missing required parameters: apiKey, apiSecret, callbackUrl", body.message)
  end)

  it("takes names it does not know, even twice, but known ones once", function()
    local query = "apiKey=a&apiSecret=b&callbackUrl=http%3A%2F%2Fx.example"
    assert.equal(200, (sandbox:call("GET", "/elements/sfdc/oauth/url?" .. query .. "&siteAddress=x&my.own=1&my.own=2")))
    local status, body = sandbox:call("GET", "/elements/sfdc/oauth/url?" .. query .. "&apiKey=c")
    assert.equal(400, status)
    assert.truthy(body.message:find("apiKey", 1, true))
  end)

  it("answers the same to POST, with the secret in no URL", function()
    local status, body = sandbox:call("POST", "/elements/hubspotcrm/oauth/url",
      { json = { apiKey = "key", apiSecret = "s", callbackUrl = CALLBACK } })
    assert.equal(200, status)
    assert.equal(sandbox:consent_url("hubspotcrm", { apiKey = "key", apiSecret = "s", callbackUrl = CALLBACK }),
      body.oauthUrl)
    local _, refusal = sandbox:call("POST", "/elements/hubspotcrm/oauth/url", { json = { apiKey = "key" } })
    assert.equal("Missing required parameters: apiSecret, callbackUrl", refusal.message)
  end)

  it("refuses elements and authentication types without consent", function()
    assert.equal(400, (sandbox:call("GET", "/elements/abbyy/oauth/url?apiKey=a&apiSecret=b&callbackUrl=c")))
    assert.equal(400, (sandbox:call("GET",
      "/elements/hubspotcrm/oauth/url?apiKey=a&apiSecret=b&callbackUrl=c&authentication.type=apiKey")))
    assert.equal(400, (sandbox:call("GET", "/elements/hubspot/oauth/token?apiKey=a&apiSecret=b&callbackUrl=c")))
  end)

  it("lets a stored OAuth proxy stand in for key, secret and callback", function()
    sandbox = platform.new{ oauth_proxies = { mine = { api_key = "proxy-key", api_secret = "proxy-secret" } } }
    local back = text.encode(CALLBACK)
    local status, body = sandbox:call("GET",
      "/elements/hubspotcrm/oauth/url?isOauthProxy=true&oauthProxyName=mine&state=" .. back)
    assert.equal(200, status)
    assert.equal("proxy-key", parameters(body.oauthUrl).client_id)
    assert.equal(CALLBACK, parameters(body.oauthUrl).redirect_uri)
    assert.equal("hubspotcrm", parameters(body.oauthUrl).state)
    status = sandbox:call("POST", "/elements/hubspotcrm/oauth/url",
      { json = { isOAuthProxy = true, oauthProxyName = "mine", state = CALLBACK } })
    assert.equal(200, status)
    assert.equal(400, (sandbox:call("POST", "/elements/hubspotcrm/oauth/url",   -- the query's spelling in a body
      { json = { isOauthProxy = true, oauthProxyName = "mine", state = CALLBACK } })))
    assert.equal(404, (sandbox:call("GET", "/elements/hubspotcrm/oauth/url?isOauthProxy=true&oauthProxyName=other")))
  end)
end)

describe("the make-believe provider", function()
  local sandbox

  before_each(function()
    sandbox = platform.new()
  end)

  local function consent_url(element, more)
    local ask = { apiKey = "key", apiSecret = "secret", callbackUrl = CALLBACK, state = "s<1>" }
    for name, value in pairs(more or {}) do
      ask[name] = value
    end
    return sandbox:consent_url(element, ask)
  end

  it("shows a page that says who asks for what, and escapes it", function()
    local response = sandbox:provider("GET", consent_url("hubspot",
      { scope = "<script>alert(1)</script>", callbackUrl = 'https://app.example/?"><b>' }))
    assert.equal(200, response.status)
    assert.truthy(response.headers["Content-Type"]:find("^text/html"))
    assert.truthy(response.headers["Content-Security-Policy"])
    assert.equal("no-store", response.headers["Cache-Control"])
    assert.is_nil(response.body:find("<script", 1, true))
    assert.is_nil(response.body:find("<b>", 1, true))
    assert.truthy(response.body:find("&lt;script&gt;alert(1)&lt;/script&gt;", 1, true))
    assert.truthy(response.body:find('<html lang="en">', 1, true))
    assert.truthy(response.body:find('name="decision" value="approve"', 1, true))
    assert.truthy(response.body:find('name="decision" value="deny"', 1, true))
  end)

  it("sends a code and the state back, into a callback that has a query already", function()
    local granted, where = sandbox:consent(consent_url("hubspotcrm"))
    assert.truthy(where:find("https://app.example/back?from=sandbox&code=", 1, true))
    assert.truthy(granted.code)
    assert.equal("s<1>", granted.state)
  end)

  it("sends tokens instead of a code for the page's HubSpot", function()
    local granted = sandbox:consent(consent_url("hubspot"))
    assert.truthy(granted.access_token)
    assert.truthy(granted.refresh_token)
    assert.equal("28800", granted.expires_in)
    assert.is_nil(granted.code)
  end)

  it("sends what a provider has of its own along", function()
    assert.truthy(sandbox:consent(consent_url("quickbooks")).realmId)
  end)

  it("sends access_denied when the user says no", function()
    local denied = sandbox:consent(consent_url("hubspot"), "deny")
    assert.equal("access_denied", denied.error)
    assert.equal("s<1>", denied.state)
    assert.is_nil(denied.access_token)
  end)

  it("never redirects to what is no web address, and never for an unknown application", function()
    for _, callback in ipairs{ "www.samplecallbackurl.com", "javascript:alert(1)", "http://", "https://x y", "/back",
      "https://app.example/#part" } do
      local url = consent_url("hubspot", { callbackUrl = callback })
      assert.equal(400, sandbox:provider("GET", url).status, callback)
      assert.equal(400, sandbox:provider("POST", url, "decision=approve").status, callback)
    end
    local url = consent_url("hubspot"):gsub("client_id=key", "client_id=other")
    assert.equal(400, sandbox:provider("POST", url, "decision=approve").status)
    assert.equal(400, sandbox:provider("GET", "http://x/provider/abbyy/authorize").status)
    assert.equal(400, sandbox:provider("GET", "http://x/provider/nobody/authorize").status)
  end)

  it("wants a decision", function()
    local url = consent_url("hubspot")
    assert.equal(400, sandbox:provider("POST", url, "").status)
    assert.equal(400, sandbox:provider("POST", url, "decision=perhaps").status)
  end)

  describe("of OAuth 1", function()
    local function request_token(key)
      local status, body = sandbox:call("GET", ("/elements/etsy/oauth/token?apiKey=%s&apiSecret=secret&callbackUrl=%s")
        :format(key or "key", text.encode(CALLBACK)))
      assert.equal(200, status)
      return body.token, body.secret
    end

    it("gives a request token, a verifier for it, and the state inside the callback", function()
      local token, secret = request_token()
      assert.is_string(secret)
      local granted, where = sandbox:consent(consent_url("etsy", { requestToken = token }))
      assert.equal(token, granted.oauth_token)
      assert.truthy(granted.oauth_verifier)
      assert.equal("s<1>", granted.state)
      assert.truthy(where:find("?from=sandbox&state=", 1, true))
    end)

    it("says denied= when the user says no, and the token is gone", function()
      local token = request_token()
      local url = consent_url("etsy", { requestToken = token })
      assert.equal(token, sandbox:consent(url, "deny").denied)
      assert.equal(400, sandbox:provider("GET", url).status)
    end)

    it("wants the request token of the same application", function()
      local query = "apiKey=key&apiSecret=secret&callbackUrl=" .. text.encode(CALLBACK)
      local status, body = sandbox:call("GET", "/elements/etsy/oauth/url?" .. query)
      assert.equal(400, status)
      assert.equal("Missing required parameters: requestToken", body.message)
      assert.equal(400, (sandbox:call("GET", "/elements/etsy/oauth/url?requestToken=x&" .. query)))
      local token = request_token("another-key")
      assert.equal(400, (sandbox:call("GET", "/elements/etsy/oauth/url?requestToken=" .. token .. "&" .. query)))
    end)

    it("lets a request token live ten minutes and be approved once", function()
      local url = consent_url("etsy", { requestToken = request_token() })
      sandbox:consent(url)
      assert.equal(400, sandbox:provider("POST", url, "decision=approve").status)
      local late = consent_url("etsy", { requestToken = request_token() })
      sandbox.time = sandbox.time + 601
      assert.equal(400, sandbox:provider("POST", late, "decision=approve").status)
    end)
  end)
end)
