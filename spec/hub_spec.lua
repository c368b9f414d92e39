local celements = require "celements"
local connected = require "spec.support.connected"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local TOKEN = "eLement+t0ken/1="
local RESOURCE = "User uSer, Element " .. TOKEN
local PLATFORM = "User uSer, Organization oRg, Element " .. TOKEN

describe("a client of one instance", function()
  local server, client, hub

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
    hub = client:instance(TOKEN)
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:answer { { body = '{"ok": true}' } }
  end)

  -- The one request, without what all have.
  local function wire()
    local request = server:request()
    return { request.method, (request.target:gsub("^/elements/api%-v2", "")), request.headers.authorization, request.body }
  end

  it("is made of what create_instance brought, or of the token alone", function()
    assert.equal("celements.InstanceClient (12345)", tostring(client:instance { id = 12345, token = TOKEN, name = "x" }))
    assert.equal("celements.InstanceClient", tostring(hub))
    assert(client:instance({ id = 12345, token = TOKEN }):get "/contacts")
    assert.equal(RESOURCE, server:request().headers.authorization)
  end)

  it("shows its token to nobody", function()
    assert.is_nil(next(hub))
    assert.equal("celements.InstanceClient", getmetatable(hub))
    for _, name in ipairs { "token", "target", "client", "id" } do
      assert.is_nil(hub[name])
    end
    server:answer { { status = 500, body = ('{"message": "no %s here"}'):format(TOKEN) } }
    local _, err = hub:get "/contacts"
    assert.equal("no [redacted] here", err.message)
    assert.falsy(tostring(err):find(TOKEN, 1, true))
  end)

  it("raises at the caller's line for what is no instance or no token", function()
    for _, case in ipairs {
      { nil, "the instance has to be a table or string, not a nil" },
      { 5, "the instance has to be a table or string, not a number" },
      { {}, "the instance's token has to be a string, not a nil" },
      { { id = 5, token = celements.null }, "the instance's token has to be a string" },
      { "", "the instance's token is empty" },
      { "a\nb", "the instance's token holds a line break at position 2 of 3; copy it again without" },
      { " a", "the instance's token has a space at its start or end; copy it again without" },
    } do
      local message = raises(function()
        local made = client:instance(case[1])
        return made, nil
      end)
      assert.equal(1, (message:find(case[2], 1, true)), message)
    end
  end)

  it("sends the user's secret and the token, and not the organization's, to the instance's resources", function()
    for _, case in ipairs {
      { hub.get, { "/contacts" }, { "GET", "/contacts", RESOURCE, "" } },
      { hub.get, { "/contacts", { pageSize = 5, where = "a = 'b'" } },
        { "GET", "/contacts?pageSize=5&where=a%20%3D%20%27b%27", RESOURCE, "" } },
      { hub.post, { "/contacts", { name = "x" } }, { "POST", "/contacts", RESOURCE, '{"name":"x"}' } },
      { hub.put, { "/contacts/5", { name = "x" } }, { "PUT", "/contacts/5", RESOURCE, '{"name":"x"}' } },
      { hub.patch, { "/contacts/5", celements.array {} }, { "PATCH", "/contacts/5", RESOURCE, "[]" } },
      { hub.delete, { "/contacts/5" }, { "DELETE", "/contacts/5", RESOURCE, "" } },
      { hub.delete, { "/contacts/5", { force = true } }, { "DELETE", "/contacts/5?force=true", RESOURCE, "" } },
      { hub.objects, {}, { "GET", "/objects", RESOURCE, "" } },
      { hub.ping, {}, { "GET", "/ping", RESOURCE, "" } },
    } do
      server:answer { { body = '{"ok": true}' } }
      assert.same({ ok = true }, (case[1](hub, case[2][1], case[2][2])))
      assert.same(case[3], wire())
    end
  end)

  it("sends all three to the platform's own paths", function()
    for _, case in ipairs {
      { hub.update_instance, { { name = "n" } }, "PATCH", "/instances", '{"name":"n"}' },
      { hub.replace_instance, { { name = "n" } }, "PUT", "/instances", '{"name":"n"}' },
      { hub.delete_instance, {}, "DELETE", "/instances", "", true },
      { hub.enable_instance, {}, "PUT", "/instances/enabled", "", true },
      { hub.disable_instance, {}, "DELETE", "/instances/enabled", "", true },
      { hub.instance_configuration, {}, "GET", "/instances/configuration", "" },
      { hub.instance_docs, {}, "GET", "/instances/docs", "" },
      { hub.instance_docs, { "getContacts" }, "GET", "/instances/docs/getContacts", "" },
      { hub.instance_events, {}, "GET", "/instances/events", "" },
      { hub.instance_event, { "7-1" }, "GET", "/instances/events/7-1", "" },
      { hub.enable_trace_logging, {}, "PUT", "/instances/trace-logging", "", true },
      { hub.enable_trace_logging, { 10 }, "PUT", "/instances/trace-logging", '{"duration":10}', true },
      { hub.disable_trace_logging, {}, "DELETE", "/instances/trace-logging", "", true },
    } do
      server:answer { { body = '{"ok": true}' } }
      local result = case[1](hub, case[2][1], case[2][2])
      assert.same(case[6] or { ok = true }, result)
      assert.same({ case[3], case[4], PLATFORM, case[5] }, wire())
    end
  end)

  it("changes a configuration value by its key", function()
    server:answer { { body = '[{"id": 1, "key": "a"}, {"id": 22, "key": "b.c"}]' }, { body = '{"id": 22}' } }
    assert(hub:set_instance_configuration("b.c", true))
    local seen = server:requests()
    assert.same({ "GET", "/elements/api-v2/instances/configuration", PLATFORM },
      { seen[1].method, seen[1].target, seen[1].headers.authorization })
    assert.same({ "PATCH", "/elements/api-v2/instances/configuration/22", PLATFORM, '{"propertyValue":"true"}' },
      { seen[2].method, seen[2].target, seen[2].headers.authorization, seen[2].body })
  end)

  it("takes the options of a call, and refuses others at the caller's line", function()
    assert(hub:get("/objects", nil, { headers = { ["Elements-Version"] = "Helium" }, timeout = 5, retries = 1 }))
    assert.equal("Helium", server:request().headers["elements-version"])
    for _, call in ipairs {
      function() local r = hub:get("/a", nil, { tiemout = 3 }) return r, nil end,
      function() local r = hub:post("/a", {}, { tiemout = 3 }) return r, nil end,
      function() local r = hub:objects { tiemout = 3 } return r, nil end,
      function() local r = hub:pages("/a", nil, { tiemout = 3 }) return r, nil end,
      function() local r = hub:enable_instance { tiemout = 3 } return r, nil end,
      function() local r = hub:update_instance({}, { tiemout = 3 }) return r, nil end,
      function() local r = hub:instance_event(1, { tiemout = 3 }) return r, nil end,
    } do
      assert.equal("unknown option 'tiemout', did you mean 'timeout'?", raises(call))
    end
  end)

  it("refuses a path that is none, at the caller's line", function()
    for _, path in ipairs { "contacts", "", "/a b", "/a?b=c", "/a\n" } do
      for _, name in ipairs { "get", "post", "put", "patch", "delete", "pages" } do
        assert.equal("the path has to start with '/' and be percent-encoded, without the base URL; celements.path('contacts', id) makes one",
          raises(function()
            local result = hub[name](hub, path)
            return result, nil
          end))
      end
    end
    assert.equal("the path has to be a string, not a nil", raises(function()
      local result = hub:get()
      return result, nil
    end))
  end)

  it("wants the secrets that a call needs, and no more", function()
    local user_only = celements.new { base_url = server.url, user_secret = "uSer" }
    local poor = user_only:instance(TOKEN)
    assert(poor:get "/contacts")
    assert.equal(RESOURCE, server:request().headers.authorization)
    server:answer { {} }
    local result, err = poor:enable_instance()
    assert.is_nil(result)
    assert.same({ "config", { "org_secret" } }, { err.kind, err.missing })
    poor = celements.new({ base_url = server.url, org_secret = "oRg" }):instance(TOKEN)
    for _, call in ipairs {
      function() return poor:get "/contacts" end, function() return poor:objects() end,
      function() return poor:pages("/contacts"):all() end,
    } do
      result, err = call()
      assert.is_nil(result)
      assert.same({ "config", { "user_secret" } }, { err.kind, err.missing })
    end
    assert.equal(0, #server:requests())
  end)

  it("takes 404 'No ... found' for an empty list, where a list was asked for", function()
    for _, message in ipairs { "No contacts found", "No object definitions found", "No contacts found." } do
      server:answer { { status = 404, body = ('{"message": "%s", "requestId": "r1"}'):format(message) } }
      local rows, info = hub:objects()
      assert.same({}, rows)
      assert.same({ 404, "r1", 1, true }, { info.status, info.request_id, info.attempts, info.seconds < 5 })
      assert.is_boolean(info.reused)
      assert.equal("[]", celements.json.encode(rows))
      assert.same({}, hub:pages("/contacts"):all())
      assert.same({}, hub:instance_events())
    end
  end)

  it("counts and tells of an empty list as of any other, whatever its status", function()
    local events = {}
    local other = celements.new { base_url = server.url, user_secret = "u", org_secret = "o",
      on_response = function(event) events[#events + 1] = event end }
    server:answer { { status = 404, body = '{"message": "No contacts found"}',
      headers = { ["Elements-Error"] = "cut", ["Elements-Total-Count"] = "0" } } }
    local pages = other:instance("t0ken"):pages "/contacts"
    assert.same({}, pages:all())
    assert.same({ 0, { "cut" } }, { pages.total, pages.warnings })
    assert.same({ 1, 404 }, { #events, events[1].status })
    assert.is_nil(events[1].kind)
    assert.same({ 1, 0, {} }, { other:stats().calls, other:stats().failed, other:stats().failures })
  end)

  it("takes no 404 for the end of a list that is to go on", function()
    local page = { body = "[1, 2]", headers = { ["Elements-Next-Page-Token"] = "t" } }
    local none = { status = 404, body = '{"message": "No contacts found"}' }
    for _, list in ipairs {
      function() return hub:pages "/contacts" end, function() return client:instances() end, function() return client:elements() end,
    } do
      server:answer { page, none }
      local rows, err = list():all()
      assert.is_nil(rows)
      assert.same({ "not_found", 404 }, { err.kind, err.status })
    end
    server:answer { none }
    local rows, err = hub:pages("/contacts", nil, { page = "t" }):all()
    assert.is_nil(rows)
    assert.equal("not_found", err.kind)
    -- What `once` does not find on a page that it cannot read may be there all the same.
    server:answer { page, none, { body = '{"id": 1, "token": "t"}' } }
    rows, err = client:create_instance { element = "x", name = "n", once = "customer-42" }
    assert.is_nil(rows)
    assert.equal("not_found", err.kind)
    for _, request in ipairs(server:requests()) do
      assert.equal("GET", request.method)
    end
  end)

  it("takes an object for no list, though it be empty", function()
    server:answer { { body = "{}" } }
    local rows, err = hub:pages("/contacts"):all()
    assert.is_nil(rows)
    assert.same({ "decode", "the answer is not a list" }, { err.kind, err.message })
    server:answer { { body = "[]" } }
    assert.same({}, hub:pages("/contacts"):all())
  end)

  it("takes no other 404 for one", function()
    for _, message in ipairs { "No contact found with id 5", "Not found", "There are No contacts found here", "No route" } do
      server:answer { { status = 404, body = ('{"message": "%s"}'):format(message) } }
      for _, call in ipairs {
        function() return hub:get "/contacts/5" end, function() return hub:pages("/contacts"):all() end,
      } do
        local result, err = call()
        assert.is_nil(result)
        assert.equal("not_found", err.kind)
      end
    end
    server:answer { { status = 404, body = '{"message": "No contacts found"}' } }
    for _, call in ipairs {
      function() return hub:get "/contacts" end, -- which may be one thing
      function() return hub:post("/contacts", {}) end, function() return hub:delete "/contacts" end,
      function() return hub:ping() end, function() return hub:instance_event(5) end,
    } do
      assert.is_nil((call()))
    end
    server:answer { { status = 404, body = '{"message": "No account found", "providerMessage": "closed"}' } }
    local rows, err = hub:pages("/contacts"):all()
    assert.is_nil(rows)
    assert.equal("closed", err.provider_message)
  end)

  it("asks for page after page with the same query, in the same order", function()
    server:answer {
      { body = "[1, 2]", headers = { ["Elements-Next-Page-Token"] = "t/2+=" } },
      { body = "[3]", headers = { ["Elements-Error"] = "the page was cut" } },
    }
    local it = hub:pages("/contacts", { where = "name LIKE '50%'", pageSize = 2, orderBy = "name" })
    local rows = {}
    for row in it do
      rows[#rows + 1] = row
    end
    assert.same({ 1, 2, 3 }, rows)
    assert.same({ "the page was cut" }, it.warnings)
    local seen = server:requests()
    assert.equal(2, #seen)
    local first = "/elements/api-v2/contacts?orderBy=name&pageSize=2&where=name%20LIKE%20%2750%25%27"
    assert.same({ first, RESOURCE }, { seen[1].target, seen[1].headers.authorization })
    assert.same({ first .. "&nextPage=t%2F2%2B%3D", RESOURCE }, { seen[2].target, seen[2].headers.authorization })
  end)

  it("goes on from a page token, up to a limit", function()
    server:answer { { body = "[1, 2, 3]", headers = { ["Elements-Next-Page-Token"] = "c" } } }
    assert.same({ 1, 2 }, hub:pages("/contacts", { pageSize = 3 }, { page = "b", limit = 2, timeout = 5 }):all())
    assert.equal("/elements/api-v2/contacts?pageSize=3&nextPage=b", server:request().target)
  end)

  it("asks for no page before it is wanted", function()
    hub:pages "/contacts"
    assert.equal(0, #server:requests())
  end)

  it("raises for a page that fails, with the request id to ask about", function()
    server:answer {
      { body = "[1]", headers = { ["Elements-Next-Page-Token"] = "b" } },
      { status = 500, body = '{"message": "broke", "requestId": "r5"}' },
    }
    local rows = {}
    local fine, err = pcall(function()
      for row in hub:pages "/contacts" do
        rows[#rows + 1] = row
      end
    end)
    assert.same({ false, { 1 } }, { fine, rows })
    assert.same({ "server", "r5", "/contacts" }, { err.kind, err.request_id, err.path })
  end)

  it("is told at the caller's line what cannot be a list's options", function()
    for _, case in ipairs {
      { { nextPage = "b" }, nil, "the page token to go on from belongs in the options, as page" },
      { nil, { limit = -1 }, "limit has to be a whole number, 0 or more" },
      { nil, { limit = 1.5 }, "limit has to be a whole number, 0 or more" },
      { nil, { limit = "5" }, "limit has to be a number or nil, not a string" },
      { nil, { page = 2 }, "page has to be a string or nil, not a number" },
      { nil, "x", "options has to be a table, not a string" },
      { "x", nil, "query has to be a table, not a string" },
    } do
      assert.equal(case[3], raises(function()
        local it = hub:pages("/contacts", case[1], case[2])
        return it, nil
      end))
    end
  end)
end)

describe("the data of an instance in the sandbox", function()
  local sandbox, client, instance, hub

  setup(function()
    sandbox, client = connected.start { empty_lists = "not_found" }
    instance = assert(client:create_instance(connected.typeform()))
    hub = client:instance(instance)
  end)

  teardown(function()
    sandbox.stop()
  end)

  it("is made, read, changed, replaced and deleted", function()
    local contact = assert(hub:post("/contacts", { firstName = "Ada", lastName = "O'Brien", email = "a@example.com" }))
    local path = celements.path("contacts", contact.id)
    assert.equal("O'Brien", assert(hub:get(path)).lastName)
    assert.equal("Bo", assert(hub:patch(path, { firstName = "Bo" })).firstName)
    assert.equal("O'Brien", assert(hub:get(path)).lastName)
    assert.is_nil(assert(hub:put(path, { firstName = "Cy" })).lastName)
    assert.is_true(hub:delete(path))
    local gone, err = hub:get(path)
    assert.is_nil(gone)
    assert.same({ "not_found", "contact does not exist" }, { err.kind, err.provider_message })
  end)

  it("comes page by page, each row once, and counts itself", function()
    local ids, it = {}, hub:pages("/contacts", { pageSize = 100 })
    for contact in it do
      assert.is_nil(ids[contact.id])
      ids[contact.id] = true
    end
    assert.is_true(it.count >= 450)
    assert.equal(it.count, it.total)
    assert.same({}, it.warnings)
  end)

  it("says when the provider cut the pages", function()
    local it = hub:pages("/contacts", { pageSize = 1000 })
    local rows = it:all()
    assert.equal(it.total, #rows)
    assert.is_true(#it.warnings >= 1)
  end)

  it("can be asked for by conditions, whatever is in the values", function()
    local name = "50% 'off' & co.\\"
    assert(hub:post("/contacts", { firstName = name, lastName = "x", address = { city = "Großröhrsdorf" } }))
    local function find(condition)
      return hub:pages("/contacts", { where = condition }):all()
    end
    assert.equal(1, #find(celements.where("firstName", "=", name)))
    assert.equal(1, #find(celements.where("firstName", "LIKE", "50% 'off'%")))
    assert.equal(1, #find(celements.where("address.city", "=", "Großröhrsdorf")))
    assert.equal(2, #find(celements.any(celements.where("firstName", "=", name), celements.where("id", "IN", { "7" }))))
    assert.same({}, find(celements.all(celements.where("firstName", "=", name), celements.where("id", "=", "7"))))
    assert.same({}, find(celements.where("firstName", "=", "' OR '1'='1")))
    local _, err = find "not a condition"
    assert.equal("invalid", err.kind)
  end)

  it("goes on from a token in another client, as after a restart", function()
    local first = hub:pages("/contacts", { pageSize = 50 }, { limit = 100 })
    local seen = {}
    for contact in first do
      seen[contact.id] = true
    end
    assert.equal(0, first.left)
    local again = connected.client(sandbox):instance(instance.token)
    local rest = again:pages("/contacts", { pageSize = 50 }, { page = first.next_page })
    for contact in rest do
      assert.is_nil(seen[contact.id])
      seen[contact.id] = true
    end
    assert.equal(rest.total, first.count + rest.count)
  end)

  it("never ends in silence: a token that repeats, and a second page that fails", function()
    local function with(fault, query)
      connected.control(sandbox, "POST", "/faults", {
        faults = { { fault = fault, method = "GET", path = "/contacts", skip = 1 } },
      })
      local it = connected.client(sandbox, { retries = 0 }):instance(instance.token):pages("/contacts", query)
      local rows = {}
      local fine, err = pcall(function()
        for row in it do
          rows[#rows + 1] = row
        end
      end)
      connected.control(sandbox, "POST", "/faults", { faults = celements.array {} })
      return fine, err, #rows
    end
    local fine, err, count = with("same-page", { pageSize = 100 })
    assert.same({ false, "decode", 100 }, { fine, err.kind, count })
    for _, fault in ipairs { "status=500", "hangup=before", "cut", "garbage", "html" } do
      fine, err, count = with(fault, { pageSize = 100 })
      assert.same({ false, 100 }, { fine, count }, fault)
      assert.truthy(err.kind)
    end
  end)

  it("has objects, also while it is disabled, and tells whether the provider answers", function()
    assert.same({ "contacts" }, hub:objects())
    assert.is_true(assert(hub:ping()).valid)
    assert.is_true(hub:disable_instance())
    assert.same({ "contacts" }, hub:objects())
    local result, err = hub:ping()
    assert.is_nil(result)
    assert.equal("forbidden", err.kind)
    assert.truthy(err.hint:find("enable_instance", 1, true))
    assert.is_true(hub:enable_instance())
    assert(hub:ping())
  end)
end)
