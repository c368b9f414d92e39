local celements = require "celements"
local connected = require "spec.support.connected"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local json = celements.json

local function encoded(value)
  return assert(json.encode(value))
end

describe("the catalogue", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local function targets()
    local found = {}
    for i, request in ipairs(server:requests()) do
      assert.equal("GET", request.method)
      found[i] = request.target:gsub("^/elements/api%-v2", "")
    end
    return found
  end

  it("is listed page by page, under a condition", function()
    server:answer { { body = '[{"key": "a"}]', headers = { ["Elements-Next-Page-Token"] = "p" } }, { body = '[{"key": "b"}]' } }
    local rows = client:elements({ where = "key in ('a','b')", page_size = 1 }):all()
    assert.same({ { key = "a" }, { key = "b" } }, rows)
    assert.same({
      "/elements?pageSize=1&where=key%20in%20%28%27a%27%2C%27b%27%29",
      "/elements?pageSize=1&nextPage=p&where=key%20in%20%28%27a%27%2C%27b%27%29",
    }, targets())
  end)

  it("can be read without secrets, and is asked with them where there are any", function()
    server:answer { { body = "[]" } }
    assert.same({}, celements.new({ base_url = server.url }):elements():all())
    assert.is_nil(server:request().headers.authorization)
    server:answer { { body = "[]" } }
    assert.same({}, client:elements():all())
    assert.equal("User uSer, Organization oRg", server:request().headers.authorization)
  end)

  it("has each element by its key or its id", function()
    for _, key in ipairs { "hubspot", 43, "43" } do
      server:answer { { body = '{"id": 43, "key": "hubspot"}' } }
      assert.equal("hubspot", assert(client:element(key)).key)
      assert.same({ "/elements/" .. key }, targets())
    end
  end)

  it("has docs and metadata by the numeric id alone, which is found from the key", function()
    for _, case in ipairs { { "element_docs", "/docs" }, { "element_metadata", "/metadata?expand=true" } } do
      server:answer { { body = '{"id": 43, "key": "hubspot"}' }, { body = '{"ok": true}' } }
      assert.same({ ok = true }, client[case[1]](client, "hubspot"))
      assert.same({ "/elements/hubspot", "/elements/43" .. case[2] }, targets())
      for _, id in ipairs { 43, "43" } do
        server:answer { { body = '{"ok": true}' } }
        assert.same({ ok = true }, client[case[1]](client, id))
        assert.same({ "/elements/43" .. case[2] }, targets())
      end
      server:answer { { status = 404, body = '{"message": "No element found with key x"}' } }
      local result, err = client[case[1]](client, "x")
      assert.is_nil(result)
      assert.equal("not_found", err.kind)
      assert.truthy(err.hint:find("case-sensitive", 1, true))
    end
  end)

  it("raises at the caller's line for what cannot be meant", function()
    for _, case in ipairs {
      { function() local r = client:element() return r, nil end, "the element's key or id has to be a string or number, not a nil" },
      { function() local r = client:element "" return r, nil end, "the element's key or id is empty" },
      { function() local r = client:element("x", { tiemout = 1 }) return r, nil end, "unknown option 'tiemout', did you mean 'timeout'?" },
      { function() local r = client:element("x", 5) return r, nil end, "options has to be a table, not a number" },
      { function() local r = client:required_configuration {} return r, nil end,
        "the element's key or id has to be a string or number, not a table" },
      { function() local r = client:required_configuration("x", 5) return r, nil end,
        "the authentication type has to be a string or nil, not a number" },
      { function() local r = client:required_configuration("x", "y", { z = 1 }) return r, nil end, "unknown option 'z'; the options are headers, retries, timeout" },
      { function() local r = client:skeleton(1.5) return r, nil end, "the element's key or id has to be a whole number" },
      { function() local r = client:skeleton("x", true) return r, nil end,
        "the authentication type has to be a string or nil, not a boolean" },
      { function() local r = client:element_docs() return r, nil end,
        "the element's key or id has to be a string or number, not a nil" },
      { function() local r = client:element_metadata("x", "y") return r, nil end, "options has to be a table, not a string" },
      { function() local r = client:elements { page_size = 0.5 } return r, nil end,
        "page_size has to be a whole number, 1 or more" },
      { function() local r = client:elements { were = "x" } return r, nil end, "unknown option 'were', did you mean 'where'?" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)

  it("does not take a text or nothing for an element", function()
    for _, body in ipairs { "", '"hubspot"' } do
      for _, call in ipairs { "element", "skeleton", "element_docs", "required_configuration" } do
        server:answer { { body = body } }
        local result, err = client[call](client, "x")
        assert.is_nil(result)
        assert.same({ "decode", 200 }, { err.kind, err.status })
        assert.truthy(err.message:find("^the answer is not"))
      end
    end
  end)
end)

describe("what a user has to be asked", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local TYPES = '{"defaultValue": "oauth2", "options": [{"value": "oauth2"}, {"value": "apiKey"}]}'

  local function targets()
    local found = {}
    for i, request in ipairs(server:requests()) do
      found[i] = request.target:gsub("^/elements/api%-v2/elements/", "")
    end
    return found
  end

  local function required(items, ...)
    server:answer { { body = TYPES }, { body = encoded(items) } }
    return assert(client:required_configuration("x", ...))
  end

  it("comes from the element's default authentication type, or the one that is named", function()
    assert.same({}, required { { key = "a", required = false } })
    assert.same({ "x/authentication-types", "x/authentication-types/oauth2/configurations" }, targets())
    server:answer { { body = encoded { { key = "a", required = true, name = "A" } } } }
    assert.equal("a", assert(client:required_configuration("x", "api key"))[1].key)
    assert.same({ "x/authentication-types/api%20key/configurations" }, targets())
  end)

  it("falls back to the configuration where the platform or the element has no types", function()
    local configuration = { body = encoded { configuration = { { key = "a", required = true, name = "A" } }, providerData = {} } }
    local missing = { status = 404, body = '{"message": "No authentication types found"}' }
    server:answer { missing, configuration }
    assert.equal("a", assert(client:required_configuration "x")[1].key)
    assert.same({ "x/authentication-types", "x/configuration" }, targets())
    for _, answer in ipairs { missing, { status = 405 }, { body = "[]" } } do
      server:answer { { body = TYPES }, answer, configuration }
      assert.equal("a", assert(client:required_configuration "x")[1].key)
      assert.same({ "x/authentication-types", "x/authentication-types/oauth2/configurations", "x/configuration" }, targets())
    end
    server:answer { { body = '{"defaultValue": null, "options": []}' }, configuration }
    assert.equal("a", assert(client:required_configuration "x")[1].key)
    server:answer { missing, { body = encoded { { key = "b", required = true } } } } -- the list itself
    assert.equal("b", assert(client:required_configuration "x")[1].key)
  end)

  it("is refused for an authentication type that the element does not have, with the one that was probably meant", function()
    local missing = { status = 404, body = '{"message": "No configuration found"}' }
    for _, ask in ipairs { client.required_configuration, client.skeleton } do
      server:answer { missing, { body = TYPES } }
      if ask == client.skeleton then
        server:answer { { body = '{"key": "x"}' }, missing, { body = TYPES } }
      end
      local list, err = ask(client, "x", "apikye")
      assert.is_nil(list)
      assert.same({ "config", "the element x has no authentication type 'apikye', did you mean 'apiKey'?" },
        { err.kind, err.message })
    end
    local configuration = { body = encoded { { key = "a", required = true } } }
    for _, types in ipairs { { body = TYPES }, { body = '{"options": []}' }, { status = 404 }, { status = 405 } } do
      server:answer { missing, types, configuration } -- the platform knows it, or cannot tell
      assert.equal("a", assert(client:required_configuration("x", "apiKey"))[1].key)
    end
    server:answer { missing, { status = 500 } }
    local _, err = client:required_configuration("x", "apiKey")
    assert.equal("server", err.kind)
  end)

  it("fails where the platform fails, whichever call it is", function()
    local broken = { status = 500, body = '{"message": "broke"}' }
    for _, answers in ipairs {
      { broken }, { { body = TYPES }, broken }, { { status = 404 }, broken }, { { status = 404 }, { status = 404 } },
    } do
      server:answer(answers)
      local list, err = client:required_configuration "x"
      assert.is_nil(list)
      assert.equal(answers[#answers].status, err.status)
      assert.equal(#answers, #server:requests())
    end
  end)

  it("is in the order to ask in, without what is not asked for", function()
    local list = required {
      { key = "third", required = true }, { key = "b", required = true, displayOrder = 2 },
      { key = "internal", required = true, internal = true }, { key = "optional", required = false, displayOrder = 1 },
      { key = "a", required = true, displayOrder = 2 }, { key = "first", required = true, displayOrder = 1 },
      { key = "said as text", required = "true" }, { required = true },
    }
    local keys = {}
    for i, each in ipairs(list) do
      keys[i] = each.key
    end
    assert.same({ "first", "a", "b", "third" }, keys)
    assert.same({ 1, 2, 2 }, { list[1].order, list[2].order, list[3].order })
    assert.is_nil(list[4].order)
  end)

  it("has one form, by whichever of its two names the platform calls a field", function()
    local list = required {
      { key = "user.name", name = "User", description = "Who", type = "TEXTFIELD_32", required = true, defaultValue = "me",
        options = { { name = "a" } }, displayOrder = 1 },
      { key = "pin", name = "PIN", configDataType = "PASSWORD", mandatory = true, defaultValue = "", displayOrder = 2 },
      { key = "d", name = celements.null, description = celements.null, type = celements.null, required = celements.null,
        mandatory = true, defaultValue = celements.null, options = {}, displayOrder = 3 },
      { key = "flag", required = true, type = "BOOLEAN", defaultValue = false, displayOrder = 4 },
    }
    assert.same({
      { key = "user.name", name = "User", description = "Who", type = "TEXTFIELD_32", secret = false, default = "me",
        options = { { name = "a" } }, order = 1 },
      { key = "pin", name = "PIN", type = "PASSWORD", secret = true, order = 2 },
      { key = "d", name = "d", secret = false, order = 3 },
      { key = "flag", name = "flag", type = "BOOLEAN", secret = false, default = false, order = 4 },
    }, list)
  end)

  it("is secret by its type, or by its name", function()
    for key, secret in pairs {
      ["oauth.api.secret"] = true, password = true, ["api.key"] = true, ["oauth.user.refresh_token"] = true,
      username = false, ["site.address"] = false, ["oauth.callback.url"] = false,
    } do
      assert.equal(secret, required({ { key = key, required = true, type = "TEXTFIELD_32" } })[1].secret, key)
    end
    assert.is_true(required({ { key = "x", required = true, type = "PASSWORD" } })[1].secret)
  end)
end)

describe("a skeleton", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local function skeleton(element, types, items, ...)
    local answers = { { body = encoded(element) } }
    if types then
      answers[2] = { body = encoded(types) }
    end
    answers[#answers + 1] = { body = encoded(items) }
    server:answer(answers)
    return assert(client:skeleton("x", ...))
  end

  it("has a place for all that has to be filled in", function()
    local made = skeleton({ key = "hubspot", authentication = { type = "oauth2" } }, { defaultValue = "oauth2" }, {
      { key = "oauth.api.key", required = true }, { key = "page-size", required = true, defaultValue = "100" },
      { key = "off", required = true, defaultValue = false },
    })
    assert.same({
      element = { key = "hubspot" }, name = "<INSERT_INSTANCE_NAME>", tags = { "<INSERT_TAG>" },
      configuration = { ["oauth.api.key"] = "<INSERT_OAUTH_API_KEY>", ["page-size"] = "100", off = false },
      providerData = { code = "<CODE_FROM_THE_CALLBACK>" },
    }, made)
  end)

  it("has what the callback of its authentication type brings", function()
    local types = { defaultValue = "OAuth1" }
    assert.same({
      oauth_token = "<OAUTH_TOKEN_FROM_THE_CALLBACK>", oauth_verifier = "<OAUTH_VERIFIER_FROM_THE_CALLBACK>",
      secret = "<SECRET_FROM_OAUTH_TOKEN>",
    }, skeleton({ key = "x", authentication = { type = "oauth2" } }, types, {}).providerData)
    assert.is_nil(skeleton({ key = "x" }, { defaultValue = "basic" }, {}).providerData)
    -- Without types: what the element says of itself.
    server:answer { { body = '{"key": "x", "authentication": {"type": "oauth2"}}' }, { status = 404 }, { body = "[]" } }
    assert.truthy(assert(client:skeleton "x").providerData.code)
    server:answer { { body = '{"key": "x"}' }, { status = 404 }, { body = "[]" } }
    assert.is_nil(assert(client:skeleton "x").providerData)
  end)

  it("has what the catalogue says that the callback brings", function()
    local types = { body = '{"defaultValue": "oauth2"}' }
    local function answer(...)
      server:answer { { body = '{"key": "x"}' }, ... }
      return assert(client:skeleton "x").providerData
    end
    local wanted = { body = encoded { configuration = {}, providerData = {
      { key = "access_token", required = true }, { key = "apikey", mandatory = true }, { key = "realmId", required = true },
      { key = "expires_in", required = true, defaultValue = "3600" }, { key = "extra", required = false },
    } } }
    local expected = {
      access_token = "<ACCESS_TOKEN_FROM_THE_CALLBACK>", apikey = "<INSERT_API_KEY>", realmId = "<REALMID_FROM_THE_CALLBACK>",
      expires_in = "3600",
    }
    assert.same(expected, answer(types, { body = "[]" }, wanted)) -- one answer for both lists
    assert.equal(4, #server:requests())
    assert.same(expected, answer(types, { body = encoded { { key = "a", required = true } } }, wanted))
    -- Older platforms may not have it, or say nothing there.
    for _, nothing in ipairs { { status = 404 }, { status = 405 }, { body = "[]" }, { body = '{"providerData": null}' } } do
      assert.same({ code = "<CODE_FROM_THE_CALLBACK>" }, answer(types, { body = encoded { { key = "a" } } }, nothing))
    end
    server:answer { { body = '{"key": "x"}' }, types, { body = encoded { { key = "a" } } }, { status = 500 } }
    local params, err = client:skeleton "x"
    assert.is_nil(params)
    assert.equal("server", err.kind)
    -- The list is the default type's; types without a callback have none.
    server:answer { { body = '{"key": "x"}' }, { body = encoded { { key = "a" } } }, types }
    assert.same({ oauth_token = "<OAUTH_TOKEN_FROM_THE_CALLBACK>", oauth_verifier = "<OAUTH_VERIFIER_FROM_THE_CALLBACK>",
      secret = "<SECRET_FROM_OAUTH_TOKEN>" }, assert(client:skeleton("x", "oauth1")).providerData)
    server:answer { { body = '{"key": "x"}' }, { body = encoded { { key = "a" } } } }
    assert.is_nil(assert(client:skeleton("x", "apiKey")).providerData)
    assert.equal(2, #server:requests())
  end)

  it("says which authentication type it is for, where one was chosen or is asked for", function()
    local made = skeleton({ key = "x" }, nil, { { key = "a", required = true } }, "apiKey")
    assert.equal("apiKey", made.configuration["authentication.type"])
    made = skeleton({ key = "x" }, { defaultValue = "oauth2" }, { { key = "authentication.type", required = true } })
    assert.equal("oauth2", made.configuration["authentication.type"])
    made = skeleton({ key = "x" }, { defaultValue = "oauth2" }, { { key = "a", required = true } })
    assert.is_nil(made.configuration["authentication.type"])
  end)

  it("is a new table each time", function()
    local types = { defaultValue = "oauth2" }
    local first = skeleton({ key = "x" }, types, {})
    first.providerData.code = "spent"
    assert.equal("<CODE_FROM_THE_CALLBACK>", skeleton({ key = "x" }, types, {}).providerData.code)
  end)
end)

describe("the catalogue of the sandbox", function()
  local sandbox, client

  setup(function()
    sandbox, client = connected.start()
  end)

  teardown(function()
    sandbox.stop()
  end)

  local KEYS = { "hubspot", "hubspotcrm", "sfdc", "quickbooks", "etsy", "abbyy", "freshservice", "typeform", "homemade" }

  it("is read whole, by conditions and one by one", function()
    local all = client:elements({ page_size = 2 }):all()
    assert.is_true(#all >= #KEYS)
    local some = client:elements({ where = celements.where("key", "in", { "sfdc", "etsy" }) }):all()
    assert.equal(2, #some)
    for _, element in ipairs(all) do
      assert.equal(element.id, assert(client:element(element.key)).id)
      assert.equal(element.key, assert(client:element(element.id)).key)
      assert.equal("2.0", assert(client:element_docs(element.key)).swagger)
      assert(client:element_metadata(element.key))
    end
  end)

  it("gives skeletons that create_instance refuses until they are filled in, and takes then", function()
    local before = #client:instances():all()
    for _, key in ipairs(KEYS) do
      local params = assert(client:skeleton(key))
      local instance, err = client:create_instance(params)
      assert.is_nil(instance)
      assert.same({ "config", "not_sent", {} }, { err.kind, err.outcome, err.missing })
      assert.is_true(#err.placeholders >= 3)
      for _, each in ipairs(assert(client:required_configuration(key))) do
        if not each.default and each.key ~= "authentication.type" then
          assert.truthy((" " .. table.concat(err.placeholders, " ") .. " "):find(" configuration." .. each.key .. " ", 1, true))
        end
      end
    end
    assert.equal(before, #client:instances():all())
    -- Hubspot's callback brings tokens.
    local app = { api_key = "k", api_secret = "portal", callback_url = "https://app.example.com/cb" }
    app.scope = "contacts-rw"
    local granted = connected.consent(client, "hubspot", app)
    local filled = assert(client:skeleton "hubspot")
    filled.name, filled.tags, filled.check = "Filled in", {}, true
    for name in pairs(filled.providerData) do
      filled.providerData[name] = name == "apikey" and app.api_key or granted[name]
    end
    for name, value in pairs { key = "api_key", secret = "api_secret" } do
      filled.configuration["oauth.api." .. name] = app[value]
    end
    filled.configuration["oauth.callback.url"], filled.configuration["oauth.scope"] = app.callback_url, app.scope
    assert.is_true(assert(client:create_instance(filled)).valid)
    for _, case in ipairs { { "abbyy" }, { "typeform" }, { "freshservice" }, { "homemade" }, { "hubspotcrm", "apiKey" } } do
      local params = assert(client:skeleton(case[1], case[2]))
      params.name, params.tags = "Filled in", {}
      for name, value in pairs(celements.sandbox.credentials(case[1], case[2])) do
        assert.truthy(params.configuration[name], name)
        params.configuration[name] = value
      end
      local instance = assert(client:create_instance(params))
      assert.equal(case[1], instance.element.key)
      assert.is_true(instance.valid)
    end
  end)

  it("tells with check = true all that is missing, before a code is spent or anything is sent", function()
    local before = #client:instances():all()
    local function check(params)
      params.check, params.name = true, "n"
      return client:create_instance(params)
    end
    local granted = { apikey = "k", access_token = "a", refresh_token = "r", expires_in = "28800" }
    local instance, err = check { element = "hubspot", provider_data = granted, configuration = { ["oauth.api.key"] = "k" } }
    assert.is_nil(instance)
    assert.same({ "config", "not_sent", { "oauth.api.secret", "oauth.callback.url", "oauth.scope" } },
      { err.kind, err.outcome, err.missing })
    for name in ("oauth.api.secret oauth.callback.url oauth.scope"):gmatch("%S+") do
      assert.truthy(tostring(err):find(name, 1, true))
    end
    -- By the type that the configuration chooses, and by the element's id.
    instance, err = check { element = 168, configuration = { ["authentication.type"] = "apiKey" } }
    assert.is_nil(instance)
    assert.same({ "hubspot.authorization.apikey" }, err.missing)
    -- An element without types, and what is there but empty.
    instance, err = check { element = "homemade", configuration = { ["base.url"] = "", ["custom.secret"] = celements.null } }
    assert.is_nil(instance)
    assert.same({ "base.url", "custom.secret" }, err.missing)
    -- An element by its id beside a key that is none.
    for _, key in ipairs { "", celements.null } do
      instance, err = check { element = { key = key, id = 9001 }, configuration = { ["base.url"] = "x" } }
      assert.is_nil(instance)
      assert.same({ "custom.secret" }, err.missing)
    end
    instance, err = check { element = "nothing-of-the-kind" }
    assert.is_nil(instance)
    assert.equal("not_found", err.kind)
    assert.equal(before, #client:instances():all())
    assert.truthy((check { element = "typeform", configuration = celements.sandbox.credentials "typeform" }))
  end)

  it("tells with check = true also what the callback has to bring, in the caller's own words", function()
    local configuration = {
      ["oauth.api.key"] = "k", ["oauth.api.secret"] = "s", ["oauth.callback.url"] = "https://app.example.com/cb",
      ["oauth.scope"] = "contacts-rw",
    }
    local function missing(params)
      params.check, params.name = true, "n"
      local instance, err = client:create_instance(params)
      assert.is_nil(instance)
      assert.same({ "config", "not_sent" }, { err.kind, err.outcome })
      return err.missing
    end
    local all = { "provider_data.access_token", "provider_data.apikey", "provider_data.expires_in", "provider_data.refresh_token" }
    assert.same(all, missing { element = "hubspot", configuration = configuration })
    assert.same(all, missing { element = "hubspot", configuration = configuration, provider_data = celements.null })
    assert.same({ "providerData.access_token", "providerData.refresh_token" }, missing {
      element = { key = "hubspot" }, configuration = configuration,
      providerData = { apikey = "k", access_token = "", refresh_token = celements.null, expires_in = "1" },
    })
    -- The list is that of the default type, whichever way this one is chosen.
    configuration["authentication.type"] = "OAUTH2"
    assert.same({ "provider_data.code" }, missing { element = "hubspotcrm", configuration = configuration, provider_data = { x = 1 } })
    assert(client:create_instance {
      element = "hubspotcrm", name = "By key", check = true,
      configuration = {
        ["authentication.type"] = "apiKey",
        ["hubspot.authorization.apikey"] = celements.sandbox.credentials("hubspotcrm", "apiKey")["hubspot.authorization.apikey"],
      },
    })
  end)

  it("tells with check = true what is missing and what is still a template's text at once", function()
    local instance, err = client:create_instance {
      element = "freshservice", name = "<INSERT_INSTANCE_NAME>", check = true, configuration = { password = "<password>" },
    }
    assert.is_nil(instance)
    assert.same({ "subdomain", "username" }, err.missing)
    assert.same({ "configuration.password", "name" }, err.placeholders)
    -- What has to be known to ask is not there: no call, and one error all the same.
    local calls = client:stats().calls
    for _, params in ipairs {
      { name = "n", check = true }, { element = "<ELEMENT>", name = "n", check = true },
      { element = { key = "<ELEMENT>" }, name = "n", check = true },
      { element = "freshservice", name = "n", check = true, configuration = { ["authentication.type"] = "<TYPE>" } },
    } do
      instance, err = client:create_instance(params)
      assert.is_nil(instance)
      assert.same({ "config", 1 }, { err.kind, #err.missing + #err.placeholders })
    end
    assert.equal(calls, client:stats().calls)
    local bare = celements.new { base_url = sandbox.url }
    instance, err = bare:create_instance { element = "freshservice", name = "<NAME>", check = true }
    assert.is_nil(instance)
    assert.same({ { "org_secret", "user_secret" }, { "name" }, 0 }, { err.missing, err.placeholders, bare:stats().calls })
  end)

  it("does not ask for the usual way's keys where another way is gone", function()
    local external = assert(client:create_instance {
      element = "sfdc", name = "External", check = true, external_authentication = "initial",
      configuration = { ["oauth.user.refresh_token"] = "r", ["oauth.api.key"] = "k", ["oauth.api.secret"] = "s" },
    })
    assert.equal("initial", external.externalAuthentication)
    local proxy = assert(client:request("POST", "/elements/oauthProxies", { json = {
      name = "ours", apiKey = "proxy-key", apiSecret = "proxy-secret" } }))
    assert.equal("ours", proxy.name)
    local step = assert(client:oauth_url {
      element = "hubspotcrm", is_oauth_proxy = true, oauth_proxy_name = "ours", state = "https://app.example.com/cb",
      callback_url = "https://app.example.com/cb",
    })
    local granted = assert(celements.parse_callback(assert(celements.sandbox.consent(step.oauthUrl, "approve"))))
    local instance = assert(client:create_instance {
      element = "hubspotcrm", name = "By proxy", check = true, provider_data = { code = granted.code },
      oauth_proxy = { isOauthProxy = true, oauthProxyName = "ours" },
    })
    assert.is_true(instance.valid)
  end)
end)

describe("what a user has to be asked, as older platforms word it", function()
  it("is the same", function()
    local sandbox, client = connected.start { item_names = "swagger" }
    for _, key in ipairs { "freshservice", "homemade" } do
      local keys = {}
      for i, each in ipairs(assert(client:required_configuration(key))) do
        keys[i] = ("%s %s %s"):format(each.key, each.type, tostring(each.secret))
      end
      assert.same(key == "homemade" and { "base.url TEXTFIELD_1000 false", "custom.secret PASSWORD true" }
        or { "username TEXTFIELD_128 false", "password PASSWORD true", "subdomain TEXTFIELD_128 false" }, keys)
    end
    sandbox.stop()
  end)
end)
