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

  local function keys_of(where)
    local status, list = sandbox:call("GET", "/elements?where=" .. text.encode(where))
    if status ~= 200 then
      return status, list.message
    end
    local keys = {}
    for i, element in ipairs(list) do
      keys[i] = element.key
    end
    return table.concat(keys, ",")
  end

  it("finds elements by a condition", function()
    assert.equal("hubspot,sfdc", keys_of("key in ('sfdc','hubspot')"))
    assert.equal("etsy", keys_of("key='etsy'"))
    assert.equal("homemade", keys_of("private='true'"))
    assert.equal("sfdc", keys_of("extended='true'"))
    assert.equal("hubspotcrm", keys_of("hub = 'crm' AND extended = 'false'"))
    assert.equal("", keys_of("key='nosuch'"))
  end)

  it("refuses a condition it does not understand", function()
    for _, where in ipairs{ "WHERE key='x'", "colour='red'", "key=", "key in ()", "key='x", "resources='x'" } do
      assert.equal(400, (keys_of(where)), where)
    end
  end)

  it("keeps the pages of one condition apart from another's", function()
    local _, _, response = sandbox:call("GET", "/elements?pageSize=1&where=" .. text.encode("hub='crm'"))
    assert.equal("2", response.headers["Elements-Total-Count"])
    local next_page = "/elements?pageSize=1&nextPage=" .. text.encode(response.headers["Elements-Next-Page-Token"])
    assert.equal(200, (sandbox:call("GET", next_page .. "&where=" .. text.encode("hub='crm'"))))
    assert.equal(400, (sandbox:call("GET", next_page)))
  end)

  it("shows private elements to their account alone", function()
    assert.equal(200, (sandbox:call("GET", "/elements/homemade")))
    assert.equal(404, (sandbox:call("GET", "/elements/homemade", { auth = false })))
    local _, mine = sandbox:call("GET", "/elements")
    local _, public = sandbox:call("GET", "/elements", { auth = false })
    assert.equal(#mine - 1, #public)
  end)

  it("has an element without authentication types, whose configuration has to do", function()
    local status, body = sandbox:call("GET", "/elements/homemade/authentication-types")
    assert.equal(404, status)
    assert.equal("No authentication types found for element homemade", body.message)
    assert.equal(404, (sandbox:call("GET", "/elements/homemade/authentication-types/custom/configurations")))
    local _, all = sandbox:call("GET", "/elements/homemade/configuration")
    assert.equal("base.url", all.configuration[1].key)
    assert.is_true(all.configuration[1].required)
  end)

  it("can name type and required as the Swagger does", function()
    sandbox = platform.new{ item_names = "swagger" }
    local _, all = sandbox:call("GET", "/elements/abbyy/configuration")
    assert.same({ "TEXTFIELD_128", true },
      { all.configuration[1].configDataType, all.configuration[1].mandatory })
    assert.is_nil(all.configuration[1].type)
    assert.is_nil(all.configuration[1].required)
    local _, items = sandbox:call("GET", "/elements/abbyy/authentication-types/basic/configurations")
    assert.equal("PASSWORD", items[2].configDataType)
  end)

  it("knows docs and metadata of an element by its number only", function()
    for _, resource in ipairs{ "docs", "metadata" } do
      assert.equal(200, (sandbox:call("GET", "/elements/43/" .. resource)))
      local status, body = sandbox:call("GET", "/elements/hubspot/" .. resource)
      assert.equal(404, status)
      assert.equal("No element found with id hubspot", body.message)
      assert.equal(404, (sandbox:call("GET", "/elements/1/" .. resource)))
    end
  end)

  it("documents an element as Swagger, or one operation of it", function()
    local _, docs = sandbox:call("GET", "/elements/43/docs", { headers = { host = "localhost:1234" } })
    assert.equal("2.0", docs.swagger)
    assert.equal("localhost:1234", docs.host)
    assert.equal("getContacts", docs.paths["/contacts"].get.operationId)
    assert.equal("id", docs.paths["/contacts/{id}"].patch.parameters[1].name)
    local _, one = sandbox:call("GET", "/elements/43/docs?operationId=getPing")
    assert.is_nil(one.paths["/contacts"])
    assert.equal("getPing", one.paths["/ping"].get.operationId)
    assert.equal(404, (sandbox:call("GET", "/elements/43/docs?operationId=nosuch")))
  end)

  it("tells what elements can do, more of it expanded", function()
    local _, all = sandbox:call("GET", "/elements/metadata")
    assert.equal("hubspot", all[1].key)
    assert.is_true(all[1].events.supported)
    local _, plain = sandbox:call("GET", "/elements/845/metadata")
    assert.is_nil(plain.resources)
    local _, expanded = sandbox:call("GET", "/elements/845/metadata?expand=true")
    assert.equal("contacts", expanded.resources[1].canonicalName)
    assert.equal("apiKey", expanded.authenticationType)
    assert.equal(0, expanded.usage.instanceCount)
    sandbox = platform.new{ metadata_events = "list", premade_instances = 3 }
    local _, other = sandbox:call("GET", "/elements/845/metadata?expand=true", { other_shape = true })
    assert.equal("polling", other.events[1])
    assert.equal(3, other.usage.instanceCount)
  end)

  it("exports an element, or what an extension added", function()
    local _, whole = sandbox:call("GET", "/elements/hubspot/export")
    local _, read = sandbox:call("GET", "/elements/hubspot")
    assert.same(read, whole)
    local _, added = sandbox:call("GET", "/elements/43/export?extendedOnly=true")
    assert.equal(0, #added.resources)
    local _, extended = sandbox:call("GET", "/elements/sfdc/export?extendedOnly=true")
    assert.is_true(#extended.resources > 0)
    assert.equal(404, (sandbox:call("GET", "/elements/nosuch/export")))
  end)
end)
