local celements = require "celements"
local json = require "spec.support.plain_json"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

describe("create_instance", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:answer { { body = '{"id": 12345, "token": "t0ken+/="}' } }
  end)

  local function body_of(params)
    assert(client:create_instance(params))
    return server:request().body
  end

  local function sends(expected, params)
    local where = json.difference(json.decode(body_of(params)), json.decode(expected))
    assert.is_nil(where)
    server:answer { { body = '{"id": 12345}' } }
  end

  it("posts the page's body with both secrets", function()
    sends([[{
      "element": {"key": "hubspot"}, "name": "Test", "tags": ["my-tag"],
      "providerData": {"apikey": "1234", "access_token": "a", "refresh_token": "r", "expires_in": "28800"},
      "configuration": {"oauth.api.key": "1234", "oauth.api.secret": "123456",
        "oauth.callback.url": "http://demonstrab.ly", "oauth.scope": "contacts-rw+offline"}
    }]], {
      element = "hubspot", name = "Test", tags = { "my-tag" },
      provider_data = { apikey = "1234", access_token = "a", refresh_token = "r", expires_in = "28800" },
      configuration = {
        ["oauth.api.key"] = "1234", ["oauth.api.secret"] = "123456", ["oauth.callback.url"] = "http://demonstrab.ly",
        ["oauth.scope"] = "contacts-rw+offline",
      },
    })
    assert(client:create_instance { element = "hubspot", name = "Test" })
    local request = server:request()
    assert.equal("POST", request.method)
    assert.equal("/elements/api-v2/instances", request.target)
    assert.equal("User uSer, Organization oRg", request.headers.authorization)
    assert.equal("application/json", request.headers["content-type"])
  end)

  it("gives the instance as the platform gave it, with an id that prints as one", function()
    server:answer { { body = [[{
      "id": 12345, "token": "t", "tags": [], "configuration": {"a": null, "b": 1.5}, "element": {"id": 25}
    }]] } }
    local instance, info = client:create_instance { element = "hubspot", name = "Test" }
    assert.equal("12345", tostring(instance.id))
    assert.equal("25", tostring(instance.element.id))
    assert.equal(celements.null, instance.configuration.a)
    assert.equal(1.5, instance.configuration.b)
    assert.same({}, instance.tags)
    assert.equal("[]", celements.json.encode(instance.tags))
    if math.type then
      assert.equal("integer", math.type(instance.id))
      assert.equal("float", math.type(instance.configuration.b))
    end
    assert.equal("/instances/12345", celements.path("instances", instance.id))
    assert.equal(200, info.status)
  end)

  it("takes the element as a key, an id or a table", function()
    sends('{"element": {"key": "hubspot"}, "name": "n"}', { element = "hubspot", name = "n" })
    sends('{"element": {"id": 25}, "name": "n"}', { element = 25, name = "n" })
    sends('{"element": {"key": "hubspot"}, "name": "n"}', { element = { key = "hubspot" }, name = "n" })
    sends('{"element": {"id": 25, "x": true}, "name": "n"}', { element = { id = 25, x = true }, name = "n" })
  end)

  it("has a name of ours for each of the wire's, takes the wire's too, and sends others as they are", function()
    local expected = [[{
      "element": {"key": "x"}, "name": "n", "providerData": {"code": "c"}, "externalAuthentication": "initial",
      "oauthProxy": {"isOauthProxy": true}, "retrieveObjectsAfterInstantiation": true, "eventsEnabled": "true"
    }]]
    sends(expected, {
      element = "x", name = "n", provider_data = { code = "c" }, external_authentication = "initial",
      oauth_proxy = { isOauthProxy = true }, retrieve_objects = true, eventsEnabled = "true",
    })
    sends(expected, {
      element = "x", name = "n", providerData = { code = "c" }, externalAuthentication = "initial",
      oauthProxy = { isOauthProxy = true }, retrieveObjectsAfterInstantiation = true, eventsEnabled = "true",
    })
  end)

  it("raises at the caller's line when the same parameter has both its spellings", function()
    assert.equal("providerData and provider_data are the same parameter; give one of them", raises(function()
      local instance = client:create_instance { element = "x", provider_data = {}, providerData = {} }
      return instance, nil
    end))
    local message = raises(function()
      local instance = celements.create_instance({ external_authentication = "a", externalAuthentication = "a" }, {})
      return instance, nil
    end)
    assert.equal("externalAuthentication and external_authentication are the same parameter; give one of them", message)
  end)

  it("never renames in nested tables", function()
    sends('{"element": {"key": "x"}, "configuration": {"provider_data": "a", "retrieve_objects": {"scopes": 1}}}', {
      element = "x", configuration = { provider_data = "a", retrieve_objects = { scopes = 1 } },
    })
  end)

  it("always sends tags as an array", function()
    sends('{"element": {"key": "x"}, "tags": ["one"]}', { element = "x", tags = "one" })
    sends('{"element": {"key": "x"}, "tags": ["one", "two"]}', { element = "x", tags = { "one", "two" } })
    sends('{"element": {"key": "x"}, "tags": []}', { element = "x", tags = {} })
    sends('{"element": {"key": "x"}, "tags": []}', { element = "x", tags = celements.array {} })
    sends('{"element": {"key": "x"}, "tags": null}', { element = "x", tags = celements.null })
    assert.falsy(body_of({ element = "x" }):find("tags", 1, true))
  end)

  it("takes a decoded instance.json as it is", function()
    local text = [[{
      "element": {"key": "hubspot"},
      "providerData": {"code": "c", "n": 1},
      "configuration": {
        "event.poller.configuration": {"contacts": {"pageSize": 100, "fields": [], "none": null, "empty": {}}},
        "t": true
      },
      "tags": [], "name": "Müller"
    }]]
    sends(text, assert(celements.json.decode(text)))
  end)

  it("trims the line break at the end of the application's credentials, and nothing else", function()
    local configuration = { ["oauth.api.key"] = "k\n", ["oauth.api.secret"] = "s\r\n", ["private.key"] = "one\ntwo\n" }
    sends('{"element": {"key": "x"}, "configuration": {"oauth.api.key": "k", "oauth.api.secret": "s", "private.key": "one\\ntwo\\n"}}',
      { element = "x", configuration = configuration })
    assert.equal("k\n", configuration["oauth.api.key"])
  end)

  it("refuses any other control character and curly quotes in them, as oauth_url does", function()
    for value, words in pairs { ["a\27b"] = "a control character at position 2", ["a\nb"] = "a line break at position 2",
      ["\226\128\156q\226\128\157"] = "a curly quote at position 1" } do
      local instance, err = client:create_instance { element = "x", configuration = { ["oauth.api.secret"] = value } }
      assert.is_nil(instance)
      assert.same({ "config", "not_sent" }, { err.kind, err.outcome })
      assert.truthy(err.message:find('configuration["oauth.api.secret"] holds ' .. words, 1, true), err.message)
    end
    assert.equal(0, #server:requests())
  end)

  it("changes nothing in the caller's table", function()
    local params = { element = "hubspot", tags = "one", provider_data = { code = "c" } }
    assert(client:create_instance(params))
    assert.same({ element = "hubspot", tags = "one", provider_data = { code = "c" } }, params)
    assert.equal("string", type(params.tags))
  end)

  it("reports everything that is missing at once, sorted, and sends nothing", function()
    local poor = celements.new { base_url = server.url }
    local instance, err = poor:create_instance {
      name = "<INSERT_INSTANCE_NAME>", tags = { "<Add_Your_Tag>" },
      configuration = { ["oauth.api.key"] = "<Client_ID>" },
    }
    assert.is_nil(instance)
    assert.same({ "config", "not_sent" }, { err.kind, err.outcome })
    assert.same({ "element", "org_secret", "user_secret" }, err.missing)
    assert.equal(0, err.attempts)
    assert.same({ "configuration.oauth.api.key", "name", "tags[1]" }, err.placeholders)
    local text = tostring(err)
    for _, name in ipairs { "element", "org_secret", "user_secret", "tags[1]", "CELEMENTS_USER_SECRET",
      "CELEMENTS_ORG_SECRET" } do
      assert.truthy(text:find(name, 1, true), name)
    end
    assert.falsy(text:find("\n", 1, true))
    assert.equal(0, #server:requests())
  end)

  it("says which one secret is missing", function()
    local _, err = celements.create_instance({ element = "x" }, { base_url = server.url, user_secret = "u" })
    assert.same({ "org_secret" }, err.missing)
    _, err = celements.create_instance({ element = "x" }, { base_url = server.url, org_secret = "o" })
    assert.same({ "user_secret" }, err.missing)
  end)

  it("takes an empty element for a missing one, whatever its form", function()
    for _, element in ipairs { "", celements.null, {}, { key = "" }, { key = celements.null }, { name = "hubspot" } } do
      local _, err = client:create_instance { element = element }
      assert.same({ "element" }, err.missing)
    end
  end)

  it("takes the page's unfilled template for what it is", function()
    local _, err = client:create_instance(assert(celements.json.decode [[{
      "element": {"key": "hubspot"},
      "providerData": {
        "apikey": "<INSERT HUBSPOT_OAUTH_CLIENT_ID>",
        "access_token": "<ACCESS_TOKEN RETURNED IN OAUTH EXCHANGE>",
        "expires_in": "<TIME FRAME IN WHICH REFRESH TOKEN EXPIRES (seconds)>"
      },
      "configuration": {"oauth.callback.url": "www.samplecallbackurl.com", "oauth.scope": "contacts-rw+offline"},
      "tags": ["<Add_Your_Tag>"], "name": "<Insert_Instance_Name>"
    }]]))
    assert.same({ "name", "providerData.access_token", "providerData.apikey", "providerData.expires_in", "tags[1]" },
      err.placeholders)
    assert.same({}, err.missing)
  end)

  it("raises at the caller's line for a value of the wrong type, with its name", function()
    for _, case in ipairs {
      { { element = true }, "element has to be a string or table or number, not a boolean" },
      { { element = "x", name = 1 }, "name has to be a string, not a number" },
      { { element = "x", provider_data = "code" }, "provider_data has to be a table, not a string" },
      { { element = "x", configuration = "a=b" }, "configuration has to be a table, not a string" },
      { { element = "x", tags = 1 }, "tags has to be a string or table, not a number" },
      { { element = "x", tags = { 1 } }, "tags[1] has to be a string, not a number" },
      { { element = "x", tags = { a = "b" } }, "tags is a list and has no place for the key a" },
      { { element = "x", tags = { [2] = "b" } }, "tags has a hole: item 1 of 2 is nil" },
      { { element = "x", retrieve_objects = 1 }, "retrieve_objects has to be a boolean or string, not a number" },
      { { element = 1.5 }, "element has to be a whole number" },
    } do
      assert.equal(case[2], raises(function()
        local instance = client:create_instance(case[1])
        return instance, nil
      end))
      assert.equal(case[2], raises(function()
        local instance = celements.create_instance(case[1], { base_url = server.url })
        return instance, nil
      end))
    end
    assert.equal("unknown option 'headesr', did you mean 'headers'?", raises(function()
      local instance = client:create_instance({ element = "x" }, { headesr = {} })
      return instance, nil
    end))
  end)

  it("sends the same whether it is looked at in C or all of it in Lua", function()
    local core = require "celements.core"
    local names = {
      "name", "element", "tags", "provider_data", "providerData", "configuration", "once", "check", "retrieve_objects",
      "externalAuthentication", "oauth_proxy", "other", "tagz",
    }
    local null = celements.null
    local values = {
      "", "x", "hubspot", "<X>", "a\nb", 7, 1.5, true, null, {}, { "a" }, { "a", "b" }, { "a", 5 }, { key = "sfdc" },
      { key = "" }, { id = 5 }, { key = "sfdc", x = 1 }, { key = null }, { x = "y" }, celements.array {}, "********", "caf\195\169",
    }
    local in_c, random, usual = core.params.wire, math.random, 0
    math.randomseed(4711)
    local function counting(...)
      local copy, is_usual = in_c(...)
      usual = usual + (is_usual and select("#", ...) == 4 and 1 or 0)
      return copy, is_usual
    end
    local function outcome(params)
      server:answer { { body = '{"id": 1}' } }
      local fine, instance, err = pcall(client.create_instance, client, params)
      if not fine or not instance then
        return tostring(fine and err or instance)
      end
      local bodies = {}
      for i, request in ipairs(server:requests()) do
        bodies[i] = request.method == "POST" and json.decode(request.body) or request.target
      end
      return bodies
    end
    for _ = 1, 600 do
      local params = { element = ({ "hubspot", "hubspot", { key = "x" }, 25 })[random(4)], name = "n" }
      for _ = 1, random(0, 3) do
        params[names[random(#names)]] = values[random(#values)]
      end
      core.params.wire = counting
      local quick = outcome(params)
      core.params.wire = function() end
      local slow = outcome(params)
      core.params.wire = in_c
      assert.same(slow, quick)
    end
    assert.is_true(usual > 60, usual)
  end)

  it("raises for a slip in a name that is its own, and sends any other as it is", function()
    for name, meant in pairs { onse = "once", Once = "once", onec = "once", onces = "once", chek = "check", checked = false, one2 = false } do
      local params = { element = "x", name = "n", [name] = "customer-42" }
      if meant then
        assert.equal(("unknown parameter '%s', did you mean '%s'?"):format(name, meant), raises(function()
          local instance = client:create_instance(params)
          return instance, nil
        end))
        local outcomes = client:create_instances { params }
        assert.same({ "config", "not_sent" }, { outcomes[1].err.kind, outcomes[1].err.outcome })
      else
        server:answer { { body = '{"id": 1}' } }
        assert(client:create_instance(params))
        assert.equal("customer-42", celements.json.decode(server:request().body)[name])
      end
    end
  end)

  it("refuses what cannot be written as JSON, naming the place and not the value", function()
    local loop = {}
    loop.loop = loop
    for _, case in ipairs {
      { { element = "x", configuration = loop }, "loop" },
      { { element = "x", configuration = { a = print } }, "configuration.a" },
      { { element = "x", configuration = { a = "s3cret\255" } }, "configuration.a" },
      { { element = "x", configuration = { a = 0 / 0 } }, "configuration.a" },
    } do
      local instance, err = client:create_instance(case[1])
      assert.is_nil(instance)
      assert.same({ "config", "not_sent", 0 }, { err.kind, err.outcome, err.attempts })
      assert.truthy(tostring(err):find(case[2], 1, true), tostring(err))
      assert.falsy(tostring(err):find("s3cret", 1, true))
    end
    assert.equal(0, #server:requests())
  end)

  it("does not take a text or an empty answer for an instance", function()
    for _, body in ipairs { "", '"created"', "true" } do
      server:answer { { body = body } }
      local instance, err = client:create_instance { element = "x" }
      assert.is_nil(instance)
      assert.same({ "decode", "unknown" }, { err.kind, err.outcome })
      assert.truthy(err.hint:find("look whether it was", 1, true))
      assert.equal(1, #server:requests())
    end
  end)

  it("is sent once and no more when the platform fails or hangs up, and says what is known", function()
    for _, case in ipairs {
      { { status = 503, body = '{"message": "busy"}', headers = { ["Retry-After"] = "0" } }, "server", "refused" },
      { { status = 502 }, "server", "unknown" }, { { status = 504, body = '{"message": "late"}' }, "server",
        "unknown" },
      { { status = 429, headers = { ["Retry-After"] = "0" } }, "rate_limit", "refused" },
      { { hang_up = true }, "network", "unknown" }, { { hang_up = "reset" }, "network", "unknown" },
      { { body = '{"id": 1, "token": "' .. ("x"):rep(64) .. '"}', cut = 20 }, "network", "unknown" },
      { { body = '{"id": 1' }, "decode", "unknown" },
    } do
      server:answer { case[1], { body = '{"id": 2}' } }
      local instance, err = client:create_instance { element = "x" }
      assert.is_nil(instance)
      assert.same({ case[2], case[3], 1 }, { err.kind, err.outcome, err.attempts })
      if case[3] == "unknown" then
        assert.truthy(tostring(err):find("the platform may have acted on it", 1, true))
        assert.truthy(err.hint:find("look whether it was done before you send it again", 1, true))
      end
      assert.equal(1, #server:requests())
    end
  end)
end)
