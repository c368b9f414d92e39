local catalogue = require "celements.sandbox.catalogue"
local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

describe("the sandbox's account", function()
  local sandbox, instance

  local function start(options)
    sandbox = platform.new(options)
    local _, made = sandbox:call("POST", "/instances", { json = {
      element = { key = "typeform" }, name = "Forms", tags = { "mine" },
      configuration = catalogue.credentials("typeform"),
    } })
    instance = made
  end

  before_each(function()
    start()
  end)

  it("says whose the secrets are", function()
    local status, organization = sandbox:call("GET", "/organizations/me")
    assert.equal(200, status)
    assert.equal("0123456789abcdef0123456789abcdef", organization.secret)
    assert.equal(401, (sandbox:call("GET", "/organizations/me", { auth = "User x, Organization y" })))
    assert.equal(401, (sandbox:call("GET", "/organizations/me", { auth = false })))
  end)

  local function ping()
    local _, _, response = sandbox:call("GET", "/ping", { auth = sandbox:element(instance.token) })
    return response.headers["Elements-Request-Id"]
  end

  it("knows what became of a call, by its request id", function()
    local id = ping()
    local status, record = sandbox:call("GET", "/usage/" .. id)
    assert.equal(200, status)
    assert.same({ id, "SUCCESS", "typeform", "/elements/api-v2/ping" },
      { record.traffic_id, record.request_status, record.element_key, record.request_uri })
    local _, _, failed = sandbox:call("GET", "/instances/1")
    local _, of_failed = sandbox:call("GET", "/usage/" .. failed.headers["Elements-Request-Id"])
    assert.same({ "FAILED", 404 }, { of_failed.request_status, of_failed.http_status })
    assert.is_nil(of_failed.element_key)
    status, record = sandbox:call("GET", "/usage/nosuch")
    assert.equal(404, status)
    assert.equal("No usage found with id nosuch", record.message)
  end)

  it("knows it only some time after, or when asked often enough", function()
    start{ usage_seconds = 10 }
    local id = ping()
    assert.equal(404, (sandbox:call("GET", "/usage/" .. id)))
    assert.equal(404, (sandbox:call("GET", "/usage")))
    sandbox.time = sandbox.time + 10
    assert.equal(200, (sandbox:call("GET", "/usage/" .. id)))
    start{ usage_polls = 2 }
    id = ping()
    assert.equal(404, (sandbox:call("GET", "/usage/" .. id)))
    assert.equal(404, (sandbox:call("GET", "/usage/" .. id)))
    assert.equal(200, (sandbox:call("GET", "/usage/" .. id)))
  end)

  it("finds calls by what they were about, the newest first", function()
    local id = ping()
    sandbox:call("GET", "/instances/1")
    local function first(query)
      local status, list = sandbox:call("GET", "/usage" .. query)
      return status == 200 and list[1].traffic_id or list.message
    end
    for _, query in ipairs{
      "?keys[]=typeform", "?keys[]=sfdc&keys[]=typeform", "?hub=documents", "?tags[]=mine", "?searchText=ping",
      ("?instanceIds[]=%d"):format(instance.id), "?accountIds[]=101&searchText=ping", "?status=success&hub=documents",
      "?from=2017-07-14T02:40:00Z&to=2017-07-14T02:40:00Z&hub=documents", "?from=2017-07-01&to=2017-08-01&hub=documents",
    } do
      assert.equal(id, first(query), query)
    end
    for _, query in ipairs{
      "?keys[]=sfdc", "?hub=crm", "?tags[]=other", "?searchText=nosuch", "?instanceIds[]=1", "?accountIds[]=1",
      "?status=failed&hub=documents", "?from=2017-07-15", "?to=2017-07-13",
    } do
      assert.equal("No usage found", first(query), query)
    end
    assert.not_equal(first("?status=FAILED"), id)
  end)

  it("pages its usage by token and by offset", function()
    ping()
    local _, one, response = sandbox:call("GET", "/usage?pageSize=1")
    assert.equal(1, #one)
    assert.is_string(response.headers["Elements-Next-Page-Token"])
    local _, before = sandbox:call("GET", "/usage?pageSize=1&pageOffset=1")
    assert.equal(one[1].traffic_id, before[1].traffic_id)   -- the first call of the two is the newest now
  end)

  it("can spell usage as the Swagger does", function()
    start{ usage_names = "camel" }
    local _, record = sandbox:call("GET", "/usage/" .. ping())
    assert.same({ "/elements/api-v2/ping", "SUCCESS", 5 },
      { record.requestURI, record.requestStatus, record.processTime })
    assert.is_nil(record.request_uri)
  end)

  it("remembers the last thousand calls", function()
    local id = ping()
    for _ = 1, 1000 do
      sandbox:call("GET", "/nothing")
    end
    assert.equal(404, (sandbox:call("GET", "/usage/" .. id)))
    assert.equal(1000, #sandbox.model.usage.records)
  end)

  describe("with OAuth proxies", function()
    local CALLBACK = "https://app.example/back"

    local function consent(extra)
      local status, step1 = sandbox:call("GET",
        "/elements/hubspotcrm/oauth/url?isOauthProxy=true&oauthProxyName=mine&state=" .. text.encode(CALLBACK) .. extra)
      assert.equal(200, status, step1.message)
      return (sandbox:consent(step1.oauthUrl))
    end

    local function create(code, configuration)
      return sandbox:call("POST", "/instances", { json = {
        element = { key = "hubspotcrm" }, name = "Test", providerData = { code = code }, configuration = configuration,
        oauthProxy = { isOauthProxy = true, oauthProxyName = "mine" },
      } })
    end

    it("makes, shows and forgets one", function()
      local _, none = sandbox:call("GET", "/elements/oauthProxies")
      assert.equal(0, #none)
      local status, made = sandbox:call("POST", "/elements/oauthProxies", { json = { name = "mine" } })
      assert.equal(200, status)
      assert.equal("mine", made.name)
      assert.equal(409, (sandbox:call("POST", "/elements/oauthProxies", { json = { name = "mine" } })))
      assert.equal(400, (sandbox:call("POST", "/elements/oauthProxies", { json = { name = "" } })))
      local path = ("/elements/oauthProxies/%d"):format(made.id)
      local url = path .. "/applicationUrl"
      assert.equal(400, (sandbox:call("POST", url)))
      local _, with_url = sandbox:call("POST", url .. "?applicationUrl=test.example")
      assert.equal("test.example", with_url.applicationUrls[1])
      local _, listed = sandbox:call("GET", "/elements/oauthProxies")
      assert.same(with_url, listed[1])
      local _, without = sandbox:call("DELETE", url .. "?applicationUrl=test.example")
      assert.equal(0, #without.applicationUrls)
      assert.equal(200, (sandbox:call("DELETE", path)))
      assert.equal(404, (sandbox:call("DELETE", path)))
    end)

    it("never shows the keys of one", function()
      sandbox:call("POST", "/elements/oauthProxies", { json = { name = "mine", apiKey = "pk-1", apiSecret = "ps-1" } })
      local _, _, response = sandbox:call("GET", "/elements/oauthProxies")
      assert.is_nil(response.body:find("p[ks]%-1"))
    end)

    it("connects through one with keys of its own", function()
      sandbox:call("POST", "/elements/oauthProxies", { json = { name = "mine", apiKey = "pk", apiSecret = "ps" } })
      local status, made = create(consent("").code)
      assert.equal(200, status)
      -- and again, with nothing but a new code
      local body = { providerData = { code = consent("").code } }
      assert.equal(200, (sandbox:call("PUT", ("/instances/%d"):format(made.id), { json = body })))
    end)

    it("connects through one without keys, when the app brings them", function()
      sandbox:call("POST", "/elements/oauthProxies", { json = { name = "mine" } })
      local refused, body = sandbox:call("GET",
        "/elements/hubspotcrm/oauth/url?isOauthProxy=true&oauthProxyName=mine&state=" .. text.encode(CALLBACK))
      assert.equal(400, refused)
      assert.equal("Missing required parameters: apiKey, apiSecret", body.message)
      local code = consent("&apiKey=ak&apiSecret=as&callbackProxy=true&callbackUrl=https%3A%2F%2Fproxy.example").code
      assert.equal(400, (create(code)))
      assert.equal(200, (create(code, {
        ["oauth.api.key"] = "ak", ["oauth.api.secret"] = "as", ["oauth.callback.url"] = "https://proxy.example",
      })))
    end)
  end)
end)

describe("an option of the sandbox", function()
  it("that is none, or has a value it cannot have, is refused by name", function()
    for option, case in pairs{
      masked = { "maybe", 'must be one of "refuse", "skip", "store"' },
      empty_lists = { true, 'must be one of "array", "not_found"' },
      usage_polls = { "2", "must be a number" }, premade_instances = { -1, "must not be negative" },
      echo_provider_data = { 1, "must be a boolean" }, mask = { "skip", "must be a known name" },
    } do
      assert.has_error(function() platform.new{ [option] = case[1] } end, ("sandbox: option %s %s"):format(option, case[2]))
    end
  end)
end)
