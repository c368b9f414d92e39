local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

local CALLBACK = "https://app.example/back"

describe("the sandbox's instances", function()
  local sandbox

  before_each(function()
    sandbox = platform.new()
  end)

  local function app_configuration(more)
    local configuration = {
      ["oauth.api.key"] = "key", ["oauth.api.secret"] = "secret", ["oauth.callback.url"] = CALLBACK,
    }
    for name, value in pairs(more or {}) do
      configuration[name] = value ~= "" and value or nil
    end
    return configuration
  end

  local function consent(element, more)
    local ask = { apiKey = "key", apiSecret = "secret", callbackUrl = CALLBACK }
    for name, value in pairs(more or {}) do
      ask[name] = value
    end
    return (sandbox:consent(sandbox:consent_url(element, ask)))
  end

  local function create(body, path)
    return sandbox:call("POST", path or "/instances", { json = body })
  end

  local function code_body(granted, more)
    return {
      element = { key = "hubspotcrm" }, name = "Test", providerData = { code = granted.code },
      configuration = app_configuration(more),
    }
  end

  local function typeform(name, tags)
    return {
      element = { key = "typeform" }, name = name or "Forms", tags = tags,
      configuration = catalogue.credentials("typeform"),
    }
  end

  describe("by consent", function()
    it("come from the page's three tokens", function()
      local granted = consent("hubspot")
      local status, instance = create{
        element = { key = "hubspot" }, name = "Test", tags = { "my-tag" },
        providerData = {
          apikey = "key", access_token = granted.access_token, refresh_token = granted.refresh_token,
          expires_in = granted.expires_in,
        },
        configuration = app_configuration{ ["oauth.scope"] = "contacts-rw+offline" },
      }
      assert.equal(200, status)
      assert.equal("Test", instance.name)
      assert.equal("hubspot", instance.element.key)
      assert.same("my-tag", instance.tags[1])
      assert.is_true(instance.valid)
      assert.is_false(instance.disabled)
      assert.equal(0, instance.id % 1)
      assert.truthy(instance.token:find("+", 1, true) and instance.token:find("/", 1, true)
        and instance.token:find("=", 1, true))
      assert.equal("2017-07-14T02:40:00Z", instance.createdDate)
      assert.equal("none", instance.externalAuthentication)
    end)

    local function hubspot_with(change)
      local granted = consent("hubspot")
      local data = {
        apikey = "key", access_token = granted.access_token, refresh_token = granted.refresh_token,
        expires_in = granted.expires_in,
      }
      local configuration = app_configuration{ ["oauth.scope"] = "x" }
      change(data, configuration)
      return create{ element = { key = "hubspot" }, name = "T", providerData = data, configuration = configuration }
    end

    it("take only tokens that the provider gave to this application", function()
      assert.equal(200, (hubspot_with(function() end)))
      for what, change in pairs{
        ["access token"] = function(data) data.access_token = "at-forged" end,
        ["refresh token"] = function(data) data.refresh_token = "rt-forged" end,
        ["client id"] = function(data) data.apikey = "other" end,
        ["lifetime"] = function(data) data.expires_in = "soon" end,
        ["application"] = function(_, configuration) configuration["oauth.api.key"] = "other" end,
        ["portal"] = function(_, configuration) configuration["oauth.api.secret"] = "other" end,
      } do
        local status, body = hubspot_with(change)
        assert.equal(400, status, what)
        assert.is_string(body.providerMessage, what)
      end
    end)

    it("take a code once", function()
      local granted = consent("hubspotcrm")
      assert.equal(200, (create(code_body(granted))))
      local status, body = create(code_body(granted))
      assert.equal(400, status)
      assert.truthy(body.providerMessage:find("invalid_grant", 1, true))
    end)

    it("take a code for ten minutes", function()
      local granted = consent("hubspotcrm")
      sandbox.time = sandbox.time + 601
      local status, body = create(code_body(granted))
      assert.equal(400, status)
      assert.truthy(body.providerMessage:find("invalid_grant", 1, true))
    end)

    it("want the callback URL of the first step, to the letter", function()
      local granted = consent("hubspotcrm")
      local status, body = create(code_body(granted, { ["oauth.callback.url"] = CALLBACK .. "/" }))
      assert.equal(400, status)
      assert.truthy(body.providerMessage:find("redirect_uri mismatch", 1, true))
    end)

    it("want the application of the first step, and its element", function()
      local granted = consent("hubspotcrm")
      for _, change in ipairs{ { ["oauth.api.key"] = "other" }, { ["oauth.api.secret"] = "other" } } do
        local status, body = create(code_body(granted, change))
        assert.equal(400, status)
        assert.truthy(body.providerMessage:find("invalid_client", 1, true))
      end
      local body = code_body(granted)
      body.element.key = "sfdc"
      local status, answer = create(body)
      assert.equal(400, status)
      assert.truthy(answer.providerMessage:find("invalid_grant", 1, true))
      assert.equal(200, (create(code_body(granted))))   -- the code was not spent by any of these
    end)

    it("want what else the callback brought", function()
      local granted = consent("quickbooks")
      local body = code_body(granted, { ["authentication.type"] = "oauth2" })
      body.element.key = "quickbooks"
      local status, answer = create(body)
      assert.equal(400, status)
      assert.truthy(answer.message:find("providerData.realmId", 1, true))
      body.providerData.realmId = "1"
      status, answer = create(body)
      assert.equal(400, status)
      assert.truthy(answer.providerMessage:find("realmId", 1, true))
      body.providerData.realmId = granted.realmId
      assert.equal(200, (create(body)))
    end)

    it("of OAuth 1 want token, verifier and the secret of the first step", function()
      local query = "apiKey=key&apiSecret=secret&callbackUrl=" .. text.encode(CALLBACK)
      local _, first = sandbox:call("GET", "/elements/etsy/oauth/token?" .. query)
      local function body(change)
        local data = { oauth_token = first.token, oauth_verifier = "v", secret = first.secret }
        for name, value in pairs(change or {}) do
          data[name] = value
        end
        return {
          element = { key = "etsy" }, name = "Shop", providerData = data,
          configuration = app_configuration{ ["shop.id"] = "my shop" },
        }
      end
      local _, unapproved = create(body())
      assert.truthy(unapproved.providerMessage:find("verifier_invalid", 1, true))

      local granted = consent("etsy", { requestToken = first.token })
      for reason, change in pairs{
        token_rejected = { oauth_token = "x", oauth_verifier = granted.oauth_verifier },
        verifier_invalid = { oauth_verifier = "x" },
        signature_invalid = { oauth_verifier = granted.oauth_verifier, secret = "x" },
      } do
        local status, refused = create(body(change))
        assert.equal(400, status)
        assert.truthy(refused.providerMessage:find(reason, 1, true), reason)
      end
      local good = body{ oauth_verifier = granted.oauth_verifier }
      assert.equal(200, (create(good)))
      assert.equal(400, (create(good)))
    end)

    it("through an OAuth proxy need no keys of the application", function()
      sandbox = platform.new{ oauth_proxies = { mine = { api_key = "pk", api_secret = "ps" } } }
      local _, step1 = sandbox:call("GET", "/elements/hubspotcrm/oauth/url?isOauthProxy=true&oauthProxyName=mine&state="
        .. text.encode(CALLBACK))
      local granted = sandbox:consent(step1.oauthUrl)
      local body = {
        element = { key = "hubspotcrm" }, name = "Test", providerData = { code = granted.code },
        oauthProxy = { isOauthProxy = true, oauthProxyName = "other" },
      }
      assert.equal(400, (create(body)))
      body.oauthProxy.oauthProxyName = "mine"
      assert.equal(200, (create(body)))
    end)

    it("of an app that holds tokens already need no consent", function()
      local body = {
        element = { key = "sfdc" }, name = "Ext", externalAuthentication = "initial",
        configuration = { ["oauth.api.key"] = "k", ["oauth.api.secret"] = "s" },
      }
      local status, refused = create(body)
      assert.equal(400, status)
      assert.equal("Missing required configuration entries: oauth.user.refresh_token", refused.message)
      body.configuration["oauth.user.refresh_token"] = "r"
      local _, instance = create(body)
      assert.equal("initial", instance.externalAuthentication)
      body.externalAuthentication = "often"
      assert.equal(400, (create(body)))
    end)
  end)

  describe("by credentials", function()
    local types = { abbyy = "basic", freshservice = "basic", typeform = "apiKey", hubspotcrm = "apiKey" }
    for element, type_name in pairs(types) do
      it("of " .. element .. " take the right ones and refuse wrong ones in the provider's words", function()
        local configuration = catalogue.credentials(element, type_name)
        if element == "hubspotcrm" then
          configuration["authentication.type"] = "apiKey"
        end
        local body = { element = { key = element }, name = "C", configuration = configuration }
        assert.equal(200, (create(body)))
        for name in pairs(catalogue.credentials(element, type_name)) do
          local right = configuration[name]
          configuration[name] = "wrong"
          local status, refused = create(body)
          assert.equal(400, status)
          assert.truthy(refused.providerMessage:find("invalid_credentials", 1, true))
          configuration[name] = right
        end
      end)
    end

    it("can be refused with a server error, as some elements do", function()
      sandbox = platform.new{ refusal_status = 502 }
      local body = typeform()
      body.configuration["api.key"] = "wrong"
      local status, refused = create(body)
      assert.equal(502, status)
      assert.is_string(refused.providerMessage)
    end)
  end)

  describe("are refused with 400", function()
    it("naming every missing entry at once", function()
      local status, body = create{ element = { key = "freshservice" }, name = "x",
        configuration = { password = "", username = json.null } }
      assert.equal(400, status)
      assert.equal("Missing required configuration entries: password, subdomain, username", body.message)
      assert.is_nil(body.providerMessage)
      local _, of_consent = create{ element = { key = "hubspotcrm" }, name = "x" }
      assert.equal("Missing required configuration entries: oauth.api.key, oauth.api.secret, oauth.callback.url, "
        .. "providerData.code", of_consent.message)
    end)

    it("naming just what the catalogue calls required", function()
      for _, element in ipairs(catalogue.elements) do
        local _, all = sandbox:call("GET", ("/elements/%s/configuration"):format(element.key))
        local status, asked = sandbox:call("GET", ("/elements/%s/authentication-types/%s/configurations")
          :format(element.key, element.default_type))
        asked = status == 200 and asked or all.configuration   -- an element without types
        local required = {}
        for _, item in ipairs(asked) do
          required[#required + 1] = item.required and item.key or nil
        end
        for _, item in ipairs(all.providerData) do
          required[#required + 1] = "providerData." .. item.key
        end
        table.sort(required)
        local _, body = create{ element = { key = element.key }, name = "x" }
        assert.equal("Missing required configuration entries: " .. table.concat(required, ", "), body.message)
      end
    end)

    local function with(change)
      local body = typeform()
      change(body)
      return body
    end
    for what, case in pairs{
      ["a placeholder in the configuration"] =
        { "configuration.api.key still holds", function(b) b.configuration["api.key"] = "<INSERT KEY>" end },
      ["a placeholder in the provider's data"] =
        { "providerData.code still holds", function(b) b.providerData = { code = "<CODE>" } end },
      ["a placeholder as name"] = { "name still holds", function(b) b.name = "<Insert_Instance_Name>" end },
      ["a placeholder as tag"] = { "tags[2] still holds", function(b) b.tags = { "ok", "<Add_Your_Tag>" } end },
      ["a masked value sent back"] =
        { "api.key is a masked value", function(b) b.configuration["api.key"] = "********" end },
      ["no name"] = { "name is required", function(b) b.name = nil end },
      ["an empty name"] = { "name is required", function(b) b.name = "" end },
      ["a name that is no text"] = { "name must be text", function(b) b.name = 3 end },
      ["tags that are text"] = { "tags must be an array", function(b) b.tags = "my-tag" end },
      ["tags that are an object"] = { "tags must be an array", function(b) b.tags = { a = "b" } end },
      ["a tag that is no text"] = { "tags must be an array of text", function(b) b.tags = { 3 } end },
      ["a nested configuration"] =
        { "configuration.oauth must be text", function(b) b.configuration.oauth = { api = { key = "x" } } end },
      ["a configuration that is a list"] =
        { "configuration must be an object", function(b) b.configuration = { "x" } end },
      ["provider data that is text"] = { "providerData must be an object", function(b) b.providerData = "x" end },
      ["an unknown authentication type"] =
        { "authentication.type oauth9", function(b) b.configuration["authentication.type"] = "oauth9" end },
      ["no element"] = { "element.key is required", function(b) b.element = nil end },
      ["an element that is only a key"] = { "element must be an object", function(b) b.element = "typeform" end },
    } do
      it("for " .. what, function()
        local status, body = create(with(case[2]))
        assert.equal(400, status)
        assert.truthy(body.message:find(case[1], 1, true), body.message)
        assert.is_nil(body.providerMessage)
        local _, list = sandbox:call("GET", "/instances")
        assert.equal(0, #list)
      end)
    end
  end)

  it("want an element that exists: 404", function()
    local body = typeform()
    body.element.key = "nosuch"
    local status, answer = create(body)
    assert.equal(404, status)
    assert.equal("No element found with key nosuch", answer.message)
  end)

  it("can be created below their element, by key or id, naming it again or not", function()
    for _, path in ipairs{ "/elements/typeform/instances", "/elements/845/instances" } do
      local body = typeform()
      assert.equal(200, (create(body, path)))
      body.element = nil
      assert.equal(200, (create(body, path)))
    end
    local status, body = create(typeform(), "/elements/abbyy/instances")
    assert.equal(400, status)
    assert.truthy(body.message:find("not the element of the path", 1, true))
    assert.equal(404, (create(typeform(), "/elements/nosuch/instances")))
    local by_id = typeform()
    by_id.element = { id = 845 }
    assert.equal(200, (create(by_id)))
  end)

  it("show no secret they were given, and text for every other value", function()
    local granted = consent("hubspotcrm")
    local body = code_body(granted, { ["oauth.scope"] = "a b" })
    body.configuration["filter.response.nulls"] = false
    body.configuration["pagination.max"] = 50
    local _, created, response = create(body)
    local _, read = sandbox:call("GET", ("/instances/%d"):format(created.id))
    assert.same(created, read)
    local shown = read.configuration
    for _, name in ipairs{ "oauth.api.key", "oauth.api.secret", "oauth.user.token", "oauth.user.refresh_token" } do
      assert.equal("********", shown[name])
    end
    assert.equal("a b", shown["oauth.scope"])
    assert.equal(CALLBACK, shown["oauth.callback.url"])
    assert.equal("false", shown["filter.response.nulls"])
    assert.equal("50", shown["pagination.max"])
    assert.equal(json.null, shown["event.notification.callback.url"])
    assert.is_nil(read.providerData)
    assert.is_nil(response.body:find(granted.code, 1, true))
  end)

  it("lose the markup of names and tags, and keep the text", function()
    local _, instance = create(typeform('<a href="http://x.example">bar</a> & co', { "<b>one</b>", "two" }))
    assert.equal("bar & co", instance.name)
    assert.equal("one", instance.tags[1])
    assert.equal("two", instance.tags[2])
  end)

  it("say which objects they have when asked to", function()
    local body = typeform()
    body.retrieveObjectsAfterInstantiation = true
    local _, instance = create(body)
    assert.equal("contacts", instance.objects[1].name)
  end)

  it("are listed by tag, name, text and element, page by page", function()
    for n = 1, 5 do
      create(typeform("Forms " .. n, { "all", n % 2 == 0 and "even" or "odd" }))
    end
    local body = { element = { key = "abbyy" }, name = "Scans", configuration = catalogue.credentials("abbyy") }
    create(body)
    local function names(query, path)
      local status, list = sandbox:call("GET", (path or "/instances") .. query)
      assert.equal(200, status)
      local found = {}
      for i, instance in ipairs(list) do
        found[i] = instance.name
      end
      return table.concat(found, ",")
    end
    assert.equal("Forms 1,Forms 2,Forms 3,Forms 4,Forms 5,Scans", names(""))
    assert.equal("Forms 2,Forms 4", names("?tags[]=even"))
    assert.equal("Forms 2,Forms 4", names("?tags%5B%5D=even&tags%5B%5D=all"))
    assert.equal("Forms 3", names("?tags[]=Forms%203"))   -- a name counts as a tag
    assert.equal("", names("?tags[]=even&tags[]=odd"))
    assert.equal("Forms 3", names("?searchText=s%203"))
    assert.equal("Scans", names("?searchText=abbyy"))
    assert.equal("Scans", names("", "/elements/abbyy/instances"))
    assert.equal("Forms 1,Forms 2", names("?pageSize=2"))

    local _, _, response = sandbox:call("GET", "/instances?pageSize=4")
    assert.equal("4", response.headers["Elements-Returned-Count"])
    assert.equal("6", response.headers["Elements-Total-Count"])
    local token = text.encode(response.headers["Elements-Next-Page-Token"])
    assert.equal("Forms 5,Scans", names("?pageSize=4&nextPage=" .. token))
    assert.equal(400, (sandbox:call("GET", "/instances?pageSize=4&tags[]=even&nextPage=" .. token)))
  end)

  it("come lighter with hydrate=false", function()
    create(typeform())
    local _, full = sandbox:call("GET", "/instances")
    local _, light = sandbox:call("GET", "/instances?hydrate=false")
    assert.truthy(full[1].configuration)
    assert.is_nil(light[1].configuration)
    assert.equal("typeform", light[1].element.key)
    assert.is_nil(light[1].element.description)
  end)

  it("that do not exist are an empty list, or 404 where a test wants that", function()
    local status, list, response = sandbox:call("GET", "/instances")
    assert.equal(200, status)
    assert.equal(0, #list)
    assert.equal("[]", response.body)
    sandbox = platform.new{ empty_lists = "not_found" }
    local body
    status, body = sandbox:call("GET", "/elements/typeform/instances")
    assert.equal(404, status)
    assert.equal("No instances found", body.message)
  end)

  it("are found by id, below their own element too, and gone after deletion", function()
    local _, instance = create(typeform())
    local id = ("%d"):format(instance.id)
    assert.equal(200, (sandbox:call("GET", "/elements/typeform/instances/" .. id)))
    assert.equal(404, (sandbox:call("GET", "/elements/abbyy/instances/" .. id)))
    assert.equal(404, (sandbox:call("GET", "/instances/1")))
    assert.equal(404, (sandbox:call("GET", "/instances/x")))
    assert.equal(200, (sandbox:call("DELETE", "/instances/" .. id)))
    assert.equal(404, (sandbox:call("GET", "/instances/" .. id)))
    assert.equal(404, (sandbox:call("DELETE", "/instances/" .. id)))
    assert.equal(401, (sandbox:call("GET", "/ping", { auth = sandbox:element(instance.token) })))
  end)
end)
