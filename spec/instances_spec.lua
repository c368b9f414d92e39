local celements = require "celements"
local connected = require "spec.support.connected"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local ACCOUNT = "User uSer, Organization oRg"

describe("a call about an instance", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local function wire()
    local request = server:request()
    return { request.method, (request.target:gsub("^/elements/api%-v2", "")), request.headers.authorization, request.body }
  end

  it("is one request with both secrets, by the instance's id, and brings what the platform answers", function()
    for _, case in ipairs {
      { "get_instance", {}, "GET", "" },
      { "update_instance", { { name = "n", tags = celements.array {} } }, "PATCH", "", '{"name":"n","tags":[]}' },
      { "replace_instance", { { name = "n" } }, "PUT", "", '{"name":"n"}' },
      -- By the names of create_instance, or by the wire's.
      { "update_instance", { { provider_data = { code = "c" }, element = 7, tags = "t" } }, "PATCH", "",
        '{"providerData":{"code":"c"},"element":{"id":7},"tags":["t"]}' },
      { "replace_instance", { { element = "sfdc", retrieve_objects = true, oauth_proxy = { a = 1 }, providerData = { b = 2 } } },
        "PUT", "", '{"element":{"key":"sfdc"},"retrieveObjectsAfterInstantiation":true,"oauthProxy":{"a":1},"providerData":{"b":2}}' },
      { "update_instance", { { element = celements.null, tags = celements.null, disabled = true } }, "PATCH", "",
        '{"element":null,"tags":null,"disabled":true}' },
      { "delete_instance", {}, "DELETE", "", "", true },
      { "enable_instance", {}, "PUT", "/enabled", "", true },
      { "disable_instance", {}, "DELETE", "/enabled", "", true },
      { "instance_configuration", {}, "GET", "/configuration" },
      { "instance_docs", {}, "GET", "/docs" },
      { "instance_docs", { "get contacts" }, "GET", "/docs/get%20contacts" },
      { "enable_trace_logging", {}, "PUT", "/trace-logging", "", true },
      { "enable_trace_logging", { 2.5 }, "PUT", "/trace-logging", '{"duration":2.5}', true },
      { "disable_trace_logging", {}, "DELETE", "/trace-logging", "", true },
      { "instance_events", {}, "GET", "/events" },
      { "instance_event", { 77 }, "GET", "/events/77" },
    } do
      for _, id in ipairs { 12345, "12345" } do
        server:answer { { body = '{"ok": true}', headers = { ["Elements-Request-Id"] = "r1" } } }
        local result, info = client[case[1]](client, id, case[2][1])
        assert.same(case[6] or { ok = true }, result, case[1])
        assert.equal("r1", info.request_id)
        local seen = wire()
        if seen[4] ~= "" then -- the order of the names is cjson's
          seen[4] = celements.json.decode(seen[4])
          case[5] = type(case[5]) == "string" and celements.json.decode(case[5]) or case[5]
        end
        assert.same({ case[3], "/instances/12345" .. case[4], ACCOUNT, case[5] or "" }, seen)
      end
    end
  end)

  it("takes any id that a number holds exactly", function()
    for _, text in ipairs { "9007199254740992", "9007199254740991" } do
      server:answer { { body = "{}" } }
      assert(client:get_instance(tonumber(text)))
      assert.equal("/elements/api-v2/instances/" .. text, server:request().target)
    end
  end)

  it("encodes an id that is no number as one segment of the path", function()
    server:answer { { body = "{}" } }
    client:get_instance "../elements?x=1/#"
    assert.equal("/elements/api-v2/instances/..%2Felements%3Fx%3D1%2F%23", server:request().target)
  end)

  it("takes the options of a call behind its own arguments", function()
    local slow = { timeout = 0.05 }
    for _, case in ipairs {
      { "get_instance", slow }, { "update_instance", {}, slow }, { "replace_instance", {}, slow },
      { "delete_instance", slow }, { "enable_instance", slow }, { "disable_instance", slow },
      { "instance_configuration", slow }, { "set_instance_configuration", "a", "b", slow },
      { "instance_docs", nil, slow }, { "enable_trace_logging", nil, slow }, { "disable_trace_logging", slow },
      { "instance_events", slow }, { "instance_event", 1, slow }, { "reauthenticate", {}, {}, slow },
    } do
      server:answer { { delay = 5 } }
      local result, err = client[case[1]](client, 5, case[2], case[3], case[4])
      assert.is_nil(result)
      assert.equal("timeout", err.kind, case[1])
    end
  end)

  it("raises at the caller's line for what cannot be meant", function()
    for _, case in ipairs {
      { function() local r = client:get_instance() return r, nil end, "the instance's id has to be a string or number, not a nil" },
      { function() local r = client:delete_instance "" return r, nil end, "the instance's id is empty" },
      { function() local r = client:delete_instance(1.5) return r, nil end, "the instance's id has to be a whole number" },
      { function() local r = client:delete_instance(0 / 0) return r, nil end, "the instance's id has to be a whole number" },
      { function() local r = client:get_instance(2 ^ 53 + 2) return r, nil end,
        "the instance's id is beyond 2^53 and may have been rounded already: give it as text" },
      { function() local r = client:get_instance(-math.huge) return r, nil end, "the instance's id has to be a whole number" },
      { function() local r = client:get_instance { id = 5 } return r, nil end,
        "the instance's id has to be a string or number, not a table" },
      { function() local r = client:update_instance(5) return r, nil end, "the patch has to be a table, not a nil" },
      { function() local r = client:replace_instance(5, "x") return r, nil end,
        "the instance has to be a table, not a string" },
      { function() local r = client:update_instance(5, { name = 6 }) return r, nil end, "name has to be a string, not a number" },
      { function() local r = client:replace_instance(5, { provider_data = "c" }) return r, nil end,
        "provider_data has to be a table, not a string" },
      { function() local r = client:update_instance(5, { provider_data = {}, providerData = {} }) return r, nil end,
        "providerData and provider_data are the same parameter; give one of them" },
      { function() local r = client:set_instance_configuration(5, 6, 7) return r, nil end,
        "the configuration key has to be a string, not a number" },
      { function() local r = client:set_instance_configuration(5, "a") return r, nil end,
        "the value has to be a string or number or boolean, not a nil" },
      { function() local r = client:enable_trace_logging(5, "1") return r, nil end,
        "the duration has to be a number or nil, not a string" },
      { function() local r = client:instance_docs(5, 6) return r, nil end,
        "the operation's id has to be a string, not a number" },
      { function() local r = client:instance_docs(5, "") return r, nil end, "the operation's id is empty" },
      { function() local r = client:instance_event(5) return r, nil end,
        "the event's id has to be a string or number, not a nil" },
      { function() local r = client:get_instance(5, { retires = 1 }) return r, nil end,
        "unknown option 'retires', did you mean 'retries'?" },
      { function() local r = client:instance_event(5, 6, { timeout = 0 }) return r, nil end,
        "timeout has to be a number of seconds above 0" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)

  it("is not sent without the secrets", function()
    server:answer { {} }
    local poor = celements.new { base_url = server.url }
    for _, name in ipairs { "get_instance", "delete_instance", "enable_instance", "instance_configuration" } do
      local result, err = poor[name](poor, 5)
      assert.is_nil(result)
      assert.same({ "config", { "org_secret", "user_secret" } }, { err.kind, err.missing })
    end
    local rows, err = poor:instances():all()
    assert.is_nil(rows)
    assert.same({ "org_secret", "user_secret" }, err.missing)
    assert.equal(0, #server:requests())
  end)

  it("is not sent with a mask in its body, and names the place", function()
    server:answer { { body = '[{"id": 1, "key": "a"}]' } }
    for _, case in ipairs {
      { "update_instance", { configuration = { ["oauth.api.key"] = "********" } }, "configuration.oauth.api.key" },
      { "replace_instance", { tags = { "a", "********" } }, "tags[2]" },
      { "replace_instance", { a = { { b = "********" } } }, "a[1].b" },
    } do
      local result, err = client[case[1]](client, 5, case[2])
      assert.is_nil(result)
      assert.same({ "config", "not_sent", 0 }, { err.kind, err.outcome, err.attempts })
      assert.equal(case[3] .. " is the mask ******** that the platform shows for a secret", err.message)
      assert.truthy(err.hint)
    end
    assert.equal(0, #server:requests())
    local result, err = client:set_instance_configuration(5, "a", "********")
    assert.is_nil(result)
    assert.truthy(err.message:find("^propertyValue is the mask"))
    result, err = client:create_instance { element = "x", configuration = { password = "********" } }
    assert.is_nil(result)
    assert.truthy(err.message:find("^configuration.password is the mask"))
    assert.equal(1, #server:requests()) -- the look for the key's id
  end)

  it("takes other text with stars for what it is", function()
    for _, text in ipairs { "*******", "*********", "a********", "******** ", "** **" } do
      server:answer { { body = "{}" } }
      assert(client:update_instance(5, { name = text, ["********"] = "x" }))
      assert.equal(text, celements.json.decode(server:request().body).name)
    end
  end)

  it("does not take an empty answer or a text for an instance that was asked for", function()
    for _, body in ipairs { "", '"text"', "5" } do
      server:answer { { body = body } }
      local result, err = client:get_instance(5)
      assert.is_nil(result)
      assert.same({ "decode", "the answer is not an instance", 200, "/instances/5", 1 },
        { err.kind, err.message, err.status, err.path, err.attempts })
      result, err = client:instance_configuration(5)
      assert.is_nil(result)
      assert.equal("the answer is not a list", err.message)
      assert.is_nil((client:set_instance_configuration(5, "a", "b")))
    end
  end)

  it("deletes once: a 404 to a second attempt is what was asked for, to a first it is an error", function()
    local patient = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
    server:answer { { hang_up = true }, { status = 404, body = '{"message": "No instance"}' } }
    local result, info = patient:delete_instance(5)
    assert.is_true(result)
    assert.equal(2, info.attempts)
    server:answer { { status = 404, body = '{"message": "No instance"}' } }
    local err
    result, err = patient:delete_instance(5)
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
  end)
end)

describe("changing a configuration value by its key", function()
  local server, client
  local ITEMS = '[{"id": 11, "key": "event.notification.enabled"}, {"id": 12, "key": "pagination.max"}]'

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  it("finds the id that the platform wants, and sends text whatever the value", function()
    for _, case in ipairs {
      { "b", "b" }, { true, "true" }, { false, "false" }, { 5, "5" }, { 5.0, "5" }, { 0.5, "0.5" }, { 1e15, "1000000000000000" },
      { "", "" },
    } do
      server:answer { { body = ITEMS }, { body = '{"id": 12, "propertyValue": "x"}' } }
      local item = assert(client:set_instance_configuration(5, "pagination.max", case[1]))
      assert.equal("x", item.propertyValue)
      local seen = server:requests()
      assert.same({ 2, "GET", "/elements/api-v2/instances/5/configuration" }, { #seen, seen[1].method, seen[1].target })
      assert.same({ "PATCH", "/elements/api-v2/instances/5/configuration/12" }, { seen[2].method, seen[2].target })
      assert.same({ propertyValue = case[2] }, celements.json.decode(seen[2].body))
    end
  end)

  it("says which key was probably meant, and changes nothing", function()
    for key, nearest in pairs {
      ["pagination.maxx"] = "pagination.max", ["event.notification.enable"] = "event.notification.enabled", xyz = false,
    } do
      server:answer { { body = ITEMS, headers = { ["Elements-Request-Id"] = "r1" } } }
      local item, err = client:set_instance_configuration(5, key, "x")
      assert.is_nil(item)
      assert.same({ "config", "not_sent", "r1" }, { err.kind, err.outcome, err.request_id })
      assert.equal(("the instance has no configuration key '%s'"):format(key)
        .. (nearest and (", did you mean '%s'?"):format(nearest) or ""), err.message)
      assert.equal(1, #server:requests())
    end
  end)

  it("fails as its look fails", function()
    server:answer { { status = 404, body = '{"message": "No instance found with id 5"}' } }
    local item, err = client:set_instance_configuration(5, "a", "x")
    assert.is_nil(item)
    assert.equal("not_found", err.kind)
  end)
end)

describe("the list of instances", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  it("is asked for with what it is to be limited to", function()
    for _, case in ipairs {
      { nil, "pageSize=200" }, { {}, "pageSize=200" }, { { page_size = 50 }, "pageSize=50" },
      { { page_size = 100 / 2 }, "pageSize=50" },
      { { tags = "a" }, "pageSize=200&tags%5B%5D=a" }, { { tags = { "b", "a c" } }, "pageSize=200&tags%5B%5D=b&tags%5B%5D=a%20c" },
      { { tags = {} }, "pageSize=200" },
      { { search = "x&y" }, "pageSize=200&searchText=x%26y" }, { { hydrate = false }, "pageSize=200&hydrate=false" },
      { { hydrate = true, tags = "a", search = "s", page_size = 1 }, "pageSize=1&tags%5B%5D=a&searchText=s&hydrate=true" },
      { { page = "p" }, "pageSize=200&nextPage=p" },
    } do
      server:answer { { body = "[]" } }
      assert.same({}, client:instances(case[1]):all())
      local request = server:request()
      assert.same({ "GET", "/elements/api-v2/instances?" .. case[2], ACCOUNT },
        { request.method, request.target, request.headers.authorization })
    end
  end)

  it("goes on with the same words and the token", function()
    server:answer { { body = '[{"id": 1}]', headers = { ["Elements-Next-Page-Token"] = "p2", ["Elements-Total-Count"] = "2" } },
      { body = '[{"id": 2}]' } }
    local it = client:instances { tags = "a", page_size = 1 }
    assert.same({ 1, 2 }, { it().id, it().id })
    assert.equal(2, it.total)
    assert.is_nil(it())
    assert.equal("/elements/api-v2/instances?pageSize=1&nextPage=p2&tags%5B%5D=a", server:requests()[2].target)
  end)

  it("raises at the caller's line for what it does not know", function()
    for _, case in ipairs {
      { { tag = "a" }, "unknown option 'tag', did you mean 'tags'?" },
      { { tags = { 5 } }, "each tag has to be a string, not a number" },
      { { search = 5 }, "search has to be a string, not a number" },
      { { hydrate = "false" }, "hydrate has to be a boolean, not a string" },
      { { page_size = 0 }, "page_size has to be a whole number, 1 or more" },
      { { page_size = 2.5 }, "page_size has to be a whole number, 1 or more" },
      { { page_size = 0 / 0 }, "page_size has to be a whole number, 1 or more" },
      { { limit = -1 }, "limit has to be a whole number, 0 or more" },
      { "a", "options has to be a table, not a string" },
    } do
      assert.equal(case[2], raises(function()
        local it = client:instances(case[1])
        return it, nil
      end))
    end
  end)
end)

describe("the life of an instance in the sandbox", function()
  local sandbox, client

  setup(function()
    sandbox, client = connected.start { usage_polls = 0 }
  end)

  teardown(function()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
  end)

  local function create(more)
    return assert(client:create_instance(connected.typeform(more)))
  end

  it("goes from its creation to its deletion, and its token with it", function()
    local instance = create { tags = { "a", "b" } }
    local hub = client:instance(instance)
    assert.equal("Forms", assert(client:get_instance(instance.id)).name)
    local patched = assert(client:update_instance(instance.id, { name = "Other", tags = { "c" } }))
    assert.same({ "Other", { "c" } }, { patched.name, patched.tags })
    patched = assert(hub:update_instance { name = "Again" })
    assert.same({ instance.id, instance.token, "Again", { "c" } }, { patched.id, patched.token, patched.name, patched.tags })
    assert.same({ "c" }, assert(client:replace_instance(instance.id, { name = "Whole", tags = { "c" } })).tags)
    assert(hub:get "/contacts")
    assert.is_true(client:delete_instance(instance.id))
    local rows, err = hub:get "/contacts"
    assert.is_nil(rows)
    assert.equal("auth", err.kind)
    assert.truthy(err.hint:find("may have been deleted", 1, true))
    local again
    again, err = client:delete_instance(instance.id)
    assert.is_nil(again)
    assert.equal("not_found", err.kind)
    assert.is_nil((client:get_instance(instance.id)))
  end)

  it("is deleted by its token, too", function()
    local instance = create()
    assert.is_true(client:instance(instance):delete_instance())
    assert.is_nil((client:get_instance(instance.id)))
  end)

  it("cannot end while a formula uses it, and the hint says so", function()
    local instance = create()
    connected.control(sandbox, "POST", "/instances/" .. instance.id, { in_use = "In use by formula 7" })
    local gone, err = client:delete_instance(instance.id)
    assert.is_nil(gone)
    assert.same({ "conflict", "In use by formula 7" }, { err.kind, err.message })
    assert.truthy(err.hint:find("formula", 1, true))
    assert(client:get_instance(instance.id))
  end)

  it("stops and goes on, by id and by token", function()
    local instance = create()
    local hub = client:instance(instance)
    for _, by in ipairs { "id", "token" } do
      assert.is_true(by == "id" and client:disable_instance(instance.id) or hub:disable_instance())
      assert.is_true(assert(client:get_instance(instance.id)).disabled)
      assert.equal("forbidden", select(2, hub:get "/contacts").kind)
      assert.is_true(by == "id" and client:enable_instance(instance.id) or hub:enable_instance())
      assert(hub:get "/contacts")
    end
  end)

  it("shows its configuration, its secrets masked, and takes new values by key", function()
    local instance = create()
    local hub = client:instance(instance)
    local function value(key)
      for _, item in ipairs(assert(client:instance_configuration(instance.id))) do
        if item.key == key then
          return item.propertyValue
        end
      end
    end
    assert.equal("********", value "api.key")
    assert.equal("false", value "event.notification.enabled")
    assert.equal("true", assert(client:set_instance_configuration(instance.id, "event.notification.enabled", true)).propertyValue)
    assert.equal("true", value "event.notification.enabled")
    assert(hub:set_instance_configuration("pagination.max", 25))
    assert.equal("25", value "pagination.max")
    assert.same(#assert(client:instance_configuration(instance.id)), #assert(hub:instance_configuration()))
    local item, err = client:set_instance_configuration(instance.id, "pagination.mx", 5)
    assert.is_nil(item)
    assert.truthy(err.message:find("did you mean 'pagination.max'?", 1, true))
  end)

  it("has docs, traces and events", function()
    local instance = create()
    local hub = client:instance(instance)
    assert.equal("2.0", assert(client:instance_docs(instance.id)).swagger)
    assert.equal("2.0", assert(hub:instance_docs("getContacts")).swagger)
    assert.is_true(client:enable_trace_logging(instance.id, 5))
    assert.is_true(assert(client:get_instance(instance.id)).traceLoggingEnabled)
    assert.is_true(hub:disable_trace_logging())
    assert.is_false(assert(client:get_instance(instance.id)).traceLoggingEnabled)
    assert.same({}, client:instance_events(instance.id))
    connected.control(sandbox, "POST", "/instances/" .. instance.id .. "/events", {})
    local events = assert(hub:instance_events())
    assert.equal(1, #events)
    assert.same(events[1], assert(client:instance_event(instance.id, events[1].id)))
    assert.same(events[1], assert(hub:instance_event(events[1].id)))
  end)

  it("is found by tags, which it must have all, by its name, and in pages", function()
    for i = 1, 7 do
      create { name = "N" .. i, tags = i % 2 == 0 and { "even", "all" } or { "all" } }
    end
    local function names(options)
      local found = {}
      for instance in client:instances(options) do
        found[#found + 1] = instance.name
      end
      return table.concat(found, " ")
    end
    assert.equal("N1 N2 N3 N4 N5 N6 N7", names { page_size = 2 })
    assert.equal("N2 N4 N6", names { tags = { "even", "all" }, page_size = 2 })
    assert.equal("N2", names { tags = "even", limit = 1 })
    assert.equal("N5", names { search = "n5" })
    assert.equal("", names { tags = "none" })
    local it = client:instances { hydrate = false, page_size = 3 }
    assert.is_nil(it().configuration)
    assert.equal(7, it.total)
  end)
end)
