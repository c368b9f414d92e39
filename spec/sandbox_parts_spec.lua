local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local platform = require "spec.support.platform"

describe("of an instance of the sandbox", function()
  local sandbox, instance

  local function start(options)
    sandbox = platform.new(options)
    local _, made = sandbox:call("POST", "/instances", { json = {
      element = { key = "abbyy" }, name = "Scans",
      configuration = {
        username = catalogue.credentials("abbyy").username, password = catalogue.credentials("abbyy").password,
        ["own.key"] = "own value",
      },
    } })
    instance = made
  end

  before_each(function()
    start()
  end)

  -- The same call by id and by token.
  local function both(method, resource, use, value)
    local addresses = { ("/instances/%d"):format(instance.id), "/instances" }
    for i, address in ipairs(addresses) do
      local auth = i == 2 and sandbox:instance(instance.token) or nil
      use(sandbox:call(method, address .. resource, { auth = auth, json = value }))
    end
  end

  local function item_of(key)
    local _, items = sandbox:call("GET", ("/instances/%d/configuration"):format(instance.id))
    for _, item in ipairs(items) do
      if item.key == key then
        return item
      end
    end
  end

  it("the configuration is a list with the values in it, secrets masked", function()
    both("GET", "/configuration", function(status, items)
      assert.equal(200, status)
      local values, ids = {}, {}
      for _, item in ipairs(items) do
        assert.is_nil(ids[item.id])
        ids[item.id], values[item.key] = true, item.propertyValue
        for _, name in ipairs{ "name", "description", "type", "required", "active", "hideFromConsole" } do
          assert.is_not_nil(item[name])
        end
      end
      assert.equal("sandbox-application", values.username)
      assert.equal("********", values.password)
      assert.equal("own value", values["own.key"])
      assert.equal("true", values["filter.response.nulls"])
      assert.equal(json.null, values["event.notification.callback.url"])
    end)
    assert.is_true(item_of("password").required)
    assert.equal("PASSWORD", item_of("password").type)
  end)

  it("one value is read and changed by its number, which it keeps", function()
    local item = item_of("event.notification.enabled")
    local resource = ("/configuration/%d"):format(item.id)
    local value = "true"
    both("PATCH", resource, function(status, changed)
      assert.equal(200, status)
      assert.same({ item.id, item.key, "true" }, { changed.id, changed.key, changed.propertyValue })
    end, { propertyValue = value })
    both("GET", resource, function(_, read)
      assert.equal("true", read.propertyValue)
    end)
    local _, shown = sandbox:call("GET", ("/instances/%d"):format(instance.id))
    assert.is_true(shown.eventsEnabled)
    assert.equal("true", shown.configuration[item.key])
    sandbox:call("PATCH", ("/instances/%d"):format(instance.id), { json = { configuration = { ["a.new.key"] = "x" } } })
    assert.equal(item.id, item_of("event.notification.enabled").id)
    assert.equal("x", item_of("a.new.key").propertyValue)
    assert.not_equal(item_of("own.key").id, item_of("a.new.key").id)
  end)

  it("the whole item can be sent back", function()
    local item = item_of("pagination.max")
    item.propertyValue = 25
    local path = ("/instances/%d/configuration/%d"):format(instance.id, item.id)
    local status, changed = sandbox:call("PATCH", path, { json = item })
    assert.equal(200, status)
    assert.equal("25", changed.propertyValue)
    item.propertyValue = json.null
    local _, unset = sandbox:call("PATCH", path, { json = item })
    assert.equal("100", unset.propertyValue)   -- the default again
  end)

  it("a value that cannot be set is refused", function()
    local path = ("/instances/%d/configuration/"):format(instance.id)
    local password = path .. ("%d"):format(item_of("password").id)
    assert.equal(404, (sandbox:call("PATCH", path .. "1", { json = { propertyValue = "x" } })))
    assert.equal(404, (sandbox:call("GET", path .. "password")))
    for _, body in ipairs{
      {}, { propertyValue = { "x" } }, { propertyValue = "********" }, { propertyValue = "<PASSWORD>" },
      { propertyValue = "x", key = "username" },
    } do
      assert.equal(400, (sandbox:call("PATCH", password, { json = body })))
    end
    assert.equal(200, (sandbox:call("GET", "/ping", { auth = sandbox:element(instance.token) })))
    local _, changed = sandbox:call("PATCH", password, { json = { propertyValue = "new" } })
    assert.equal("********", changed.propertyValue)
    assert.equal(401, (sandbox:call("GET", "/ping", { auth = sandbox:element(instance.token) })))
  end)

  it("a masked value can be passed over or stored, too", function()
    for choice, expected in pairs{ skip = 200, store = 401 } do
      start{ masked = choice }
      local path = ("/instances/%d/configuration/%d"):format(instance.id, item_of("password").id)
      assert.equal(200, (sandbox:call("PATCH", path, { json = { propertyValue = "********" } })))
      assert.equal(expected, (sandbox:call("GET", "/ping", { auth = sandbox:element(instance.token) })), choice)
    end
  end)

  it("the items can be named as the Swagger does, and show secrets as older answers do", function()
    start{ item_names = "swagger", secrets = "clear" }
    assert.same({ "PASSWORD", true, "sandbox pass+word/==" },
      { item_of("password").configDataType, item_of("password").mandatory, item_of("password").propertyValue })
  end)

  it("the docs are Swagger, whole or of one operation", function()
    both("GET", "/docs", function(status, docs)
      assert.equal(200, status)
      assert.equal("getContacts", docs.paths["/contacts"].get.operationId)
    end)
    for _, resource in ipairs{ "/docs/getPing", "/docs?operationId=getPing" } do
      both("GET", resource, function(status, docs)
        assert.equal(200, status)
        assert.is_nil(docs.paths["/contacts"])
        assert.is_table(docs.paths["/ping"].get)
      end)
    end
    both("GET", "/docs/nosuch", function(status) assert.equal(404, status) end)
  end)

  it("there are no object definitions: 404 says so, until one is made", function()
    both("GET", "/objects/definitions", function(status, body)
      assert.equal(404, status)
      assert.equal("No object definitions found", body.message)
    end)
    local path = ("/instances/%d/objects/myaccounts/definitions"):format(instance.id)
    local body = { fields = { { path = "companyName", type = "string" }, { path = "number", type = "number" } } }
    assert.equal(404, (sandbox:call("GET", path)))
    assert.equal(404, (sandbox:call("PUT", path, { json = body })))
    assert.equal(200, (sandbox:call("POST", path, { json = body })))
    assert.equal(409, (sandbox:call("POST", path, { json = body })))
    both("GET", "/objects/definitions", function(_, all)
      assert.same(body, all.myaccounts)
    end)
    local _, docs = sandbox:call("GET", ("/instances/%d/docs"):format(instance.id))
    assert.equal("number", docs.definitions.myaccounts.properties.number.type)
    both("GET", "/docs/getContacts/definitions", function(_, definitions)
      assert.same(docs.definitions, definitions)
    end)
    local auth = sandbox:element(instance.token)
    local _, objects = sandbox:call("GET", "/objects", { auth = auth })
    assert.equal("myaccounts", objects[2])
    local _, helium = sandbox:call("GET", "/objects", { auth = auth, headers = { ["elements-version"] = "Helium" } })
    assert.equal("vdr", helium[2].type)
    local _, metadata = sandbox:call("GET", "/objects/myaccounts/metadata", { auth = auth })
    assert.equal("companyName", metadata.fields[1].vendorPath)

    local _, changed = sandbox:call("PUT", path, { json = { fields = { { path = "id" } } } })
    assert.equal("id", changed.fields[1].path)
    for _, wrong in ipairs{ {}, { fields = "x" }, { fields = { a = "b" } }, { fields = { {} } } } do
      assert.equal(400, (sandbox:call("PUT", path, { json = wrong })))
    end
    assert.equal(200, (sandbox:call("DELETE", path)))
    both("GET", "/objects/definitions", function(status) assert.equal(404, status) end)
  end)

  it("events are those that a test made come", function()
    both("GET", "/events", function(status, events)
      assert.equal(200, status)
      assert.equal(0, #events)
    end)
    local path = ("/instances/%d/events"):format(instance.id)
    sandbox:control("POST", path, { providerData = '{"id":7}', status = "NEW" })
    sandbox:control("POST", path, {})
    both("GET", "/events", function(_, events)
      assert.equal(2, #events)
      assert.same({ "NEW", '{"id":7}' }, { events[1].status, events[1].providerData })
      assert.equal("NOTIFIED", events[2].status)
      both("GET", "/events/" .. events[2].id, function(_, event)
        assert.same(events[2], event)
      end)
    end)
    both("GET", "/events/nosuch", function(status) assert.equal(404, status) end)
    both("GET", "/events?pageSize=1", function(_, events, response)
      assert.equal(1, #events)
      assert.is_string(response.headers["Elements-Next-Page-Token"])
    end)
  end)

  it("no events can be 404, too", function()
    start{ empty_lists = "not_found" }
    both("GET", "/events", function(status, body)
      assert.equal(404, status)
      assert.equal("No events found", body.message)
    end)
  end)
end)
