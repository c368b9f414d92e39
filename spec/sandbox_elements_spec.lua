local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

describe("the sandbox's catalogue", function()
  local sandbox

  setup(function()
    sandbox = platform.new()
  end)

  it("lists elements and keys, every one of them by the vendor's schema", function()
    local status, elements, response = sandbox:call("GET", "/elements")
    assert.equal(200, status)
    local _, keys = sandbox:call("GET", "/elements/keys")
    assert.equal(#keys, #elements)
    assert.equal(("%d"):format(#keys), response.headers["Elements-Total-Count"])
    assert.equal(("%d"):format(#keys), response.headers["Elements-Returned-Count"])
    assert.is_nil(response.headers["Elements-Next-Page-Token"])
    for i, element in ipairs(elements) do
      assert.equal(keys[i], element.key)
    end
  end)

  it("pages by an opaque token that ends with the last page", function()
    local seen, token, pages = {}, nil, 0
    repeat
      local status, keys, response = sandbox:call("GET",
        "/elements/keys?pageSize=3" .. (token and "&nextPage=" .. text.encode(token) or ""))
      assert.equal(200, status)
      for _, key in ipairs(keys) do
        assert.is_nil(seen[key])
        seen[key] = true
      end
      token, pages = response.headers["Elements-Next-Page-Token"], pages + 1
    until not token
    assert.equal(3, pages)
    assert.is_true(seen.hubspot and seen.typeform)
  end)

  it("knows pages by token only: a page number is nothing here", function()
    local _, one = sandbox:call("GET", "/elements/keys?pageSize=1")
    local _, still_one = sandbox:call("GET", "/elements/keys?pageSize=1&page=2")
    assert.same({ "hubspot" }, { one[1], one[2] })
    assert.same({ "hubspot" }, { still_one[1], still_one[2] })
  end)

  it("refuses page sizes that are none, and tokens of another list or size", function()
    for _, query in ipairs{ "pageSize=0", "pageSize=-1", "pageSize=x", "pageSize=201", "pageSize=", "nextPage=x" } do
      assert.equal(400, (sandbox:call("GET", "/elements/keys?" .. query)), query)
    end
    local _, _, response = sandbox:call("GET", "/elements/keys?pageSize=3")
    local token = text.encode(response.headers["Elements-Next-Page-Token"])
    assert.equal(200, (sandbox:call("GET", "/elements/keys?nextPage=" .. token)))
    assert.equal(400, (sandbox:call("GET", "/elements/keys?pageSize=2&nextPage=" .. token)))
    assert.equal(400, (sandbox:call("GET", "/elements?pageSize=3&nextPage=" .. token)))
  end)

  it("knows an element by key and by id", function()
    local _, by_key = sandbox:call("GET", "/elements/hubspot")
    local _, by_id = sandbox:call("GET", "/elements/43")
    assert.same(by_key, by_id)
    assert.equal("oauth2", by_key.authentication.type)
    assert.is_true(by_key.typeOauth)
  end)

  it("says which element it does not know: 404", function()
    for _, path in ipairs{ "", "/configuration", "/authentication-types", "/oauth/url", "/instances" } do
      local status, body = sandbox:call("GET", "/elements/no%20such" .. path)
      assert.equal(404, status)
      assert.equal("No element found with key no such", body.message)
    end
  end)

  it("tells what to ask the user, per authentication type", function()
    local _, types = sandbox:call("GET", "/elements/hubspotcrm/authentication-types")
    assert.equal("oauth2", types.defaultValue)
    assert.same({ "apiKey", "oauth2" }, { types.options[1].value, types.options[2].value })

    local _, entries = sandbox:call("GET", "/elements/hubspotcrm/authentication-types/apikey/configurations")
    assert.equal("hubspot.authorization.apikey", entries[1].key)
    assert.equal("PASSWORD", entries[1].type)
    assert.is_true(entries[1].required)
    for _, entry in ipairs(entries) do
      assert.not_equal("oauth.api.key", entry.key)
    end
    assert.equal(404, (sandbox:call("GET", "/elements/hubspotcrm/authentication-types/custom/configurations")))

    local _, all = sandbox:call("GET", "/elements/hubspot/configuration")
    local required, defaults = {}, {}
    for _, entry in ipairs(all.configuration) do
      defaults[entry.key] = entry.defaultValue
      if entry.required then
        required[#required + 1] = entry.key
      end
    end
    assert.same({ "oauth.api.key", "oauth.api.secret", "oauth.callback.url", "oauth.scope" }, required)
    assert.equal("access_token", all.providerData[2].key)
    assert.is_true(all.providerData[2].required)
    assert.equal("true", defaults["filter.response.nulls"])
  end)
end)
