local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

local CALLBACK = "https://app.example/back"

describe("in the life of an instance of the sandbox", function()
  local sandbox, instance

  local function create(element, more)
    local body = {
      element = { key = element }, name = "First", tags = { "old" }, configuration = catalogue.credentials(element),
    }
    for name, value in pairs(more or {}) do
      body[name] = value
    end
    local status, made = sandbox:call("POST", "/instances", { json = body })
    assert.equal(200, status, made.message)
    return made
  end

  local function start(options)
    sandbox = platform.new(options)
    instance = create("freshservice")
  end

  before_each(function()
    start()
  end)

  -- The three addresses of one instance; PATCH has no nested one.
  local function each_address(method, use)
    local id = ("%d"):format(instance.id)
    use("/instances/" .. id, {})
    use("/instances", { auth = sandbox:instance(instance.token) })
    if method ~= "PATCH" then
      use("/elements/freshservice/instances/" .. id, {})
      use("/elements/650/instances/" .. id, {})
    end
  end

  local function call(method, path, options, value)
    return sandbox:call(method, path, { auth = options.auth, json = value })
  end

  local function read()
    local _, shown = sandbox:call("GET", ("/instances/%d"):format(instance.id))
    return shown
  end

  for _, method in ipairs{ "PUT", "PATCH" } do
    it(method .. " changes what it names and nothing else, at every address", function()
      local n = 0
      each_address(method, function(path, options)
        n = n + 1
        local name, tag = "Name " .. n, "tag " .. n
        local status, changed = call(method, path, options, { name = name, tags = { tag, "<b>x</b>" } })
        assert.equal(200, status)
        assert.same({ name, tag, "x" }, { changed.name, changed.tags[1], changed.tags[2] })
        assert.equal(2, #changed.tags)   -- the old ones are gone
        assert.same({ instance.id, instance.token }, { changed.id, changed.token })
        assert.equal("sandbox", changed.configuration.subdomain)
        assert.same(changed, read())
        assert.equal(200, (call(method, path, options, { configuration = { ["pagination.max"] = 50 } })))
        assert.same({ name, "50", "sandbox" },
          { read().name, read().configuration["pagination.max"], read().configuration.subdomain })
      end)
    end)

    it(method .. " refuses what a create refuses", function()
      for _, body in ipairs{
        { name = "" }, { name = 3 }, { name = "<INSERT NAME>" }, { tags = "x" }, { configuration = { a = { b = "c" } } },
        { configuration = { username = "********" } }, { element = { key = "sfdc" } }, { element = "freshservice" },
        { externalAuthentication = "often" }, { configuration = { username = "<USER>" } },
      } do
        assert.equal(400, (sandbox:call(method, ("/instances/%d"):format(instance.id), { json = body })))
      end
      assert.equal(404, (sandbox:call(method, "/instances/1", { json = {} })))
      assert.equal(404, (sandbox:call(method, ("/instances/%d"):format(instance.id),
        { json = { element = { key = "nosuch" } } })))
      assert.same(instance, read())
    end)
  end

  it("a body that GET showed can be sent back, without what is masked", function()
    local body = read()
    body.configuration.password = nil
    body.name = "Sent back"
    local status, changed = sandbox:call("PUT", ("/instances/%d"):format(instance.id), { json = body })
    assert.equal(200, status)
    assert.equal("Sent back", changed.name)
    assert.is_true(changed.valid)
  end)

  it("nested addresses are there for the right element only, and never for PATCH", function()
    local id = ("%d"):format(instance.id)
    assert.equal(404, (sandbox:call("PUT", "/elements/abbyy/instances/" .. id, { json = {} })))
    assert.equal(405, (sandbox:call("PATCH", "/elements/freshservice/instances/" .. id, { json = {} })))
  end)

  it("calls by token want all three secrets", function()
    for _, auth in ipairs{ sandbox:element(instance.token), sandbox.account, sandbox:instance("nonsense") } do
      assert.equal(401, (sandbox:call("PATCH", "/instances", { auth = auth, json = { name = "x" } })))
      assert.equal(401, (sandbox:call("DELETE", "/instances", { auth = auth })))
      assert.equal(401, (sandbox:call("PUT", "/instances/enabled", { auth = auth })))
      assert.equal(401, (sandbox:call("GET", "/instances/configuration", { auth = auth })))
    end
    assert.equal("First", read().name)
  end)

  it("deletion ends it at every address: 404 by id, 401 by token", function()
    local addresses = {}
    each_address("DELETE", function(path) addresses[#addresses + 1] = path:gsub("%d%d%d%d+", "{id}") end)
    for _, address in ipairs(addresses) do
      local one = create("freshservice")
      local path = address:gsub("{id}", ("%d"):format(one.id))
      local options = address == "/instances" and { auth = sandbox:instance(one.token) } or {}
      local status, body = call("DELETE", path, options)
      assert.equal(200, status)
      assert.is_nil(body)
      assert.equal(404, (sandbox:call("DELETE", ("/instances/%d"):format(one.id))))
      assert.equal(401, (sandbox:call("DELETE", "/instances", { auth = sandbox:instance(one.token) })))
      assert.equal(401, (sandbox:call("GET", "/contacts", { auth = sandbox:element(one.token) })))
    end
    assert.equal("First", read().name)
  end)

  it("what is in use cannot be deleted: 409 says why", function()
    local path = ("/instances/%d"):format(instance.id)
    assert.equal(200, (sandbox:control("POST", path, { in_use = "Formula 7 uses it" })))
    local status, body = sandbox:call("DELETE", path)
    assert.equal(409, status)
    assert.equal("Formula 7 uses it", body.message)
    assert.equal(200, (sandbox:call("GET", path)))
    sandbox:control("POST", path, { in_use = false })
    assert.equal(200, (sandbox:call("DELETE", path)))
    assert.equal(404, (sandbox:control("POST", path, { in_use = "x" })))
  end)

  it("it is disabled and enabled by id and by token", function()
    for _, address in ipairs{ ("/instances/%d/enabled"):format(instance.id), "/instances/enabled" } do
      local auth = sandbox:instance(instance.token)
      assert.equal(200, (sandbox:call("DELETE", address, { auth = auth })))
      assert.is_true(read().disabled)
      local status, body = sandbox:call("GET", "/contacts", { auth = sandbox:element(instance.token) })
      assert.equal(403, status)
      assert.equal("The element instance is disabled.", body.message)
      assert.equal(200, (sandbox:call("GET", "/objects", { auth = sandbox:element(instance.token) })))
      assert.equal(200, (sandbox:call("PUT", address, { auth = auth })))
      assert.is_false(read().disabled)
    end
    assert.equal(404, (sandbox:call("PUT", "/instances/1/enabled")))
  end)

  it("its traffic is traced, with a duration or without", function()
    for _, address in ipairs{ ("/instances/%d/trace-logging"):format(instance.id), "/instances/trace-logging" } do
      local auth = sandbox:instance(instance.token)
      assert.equal(200, (sandbox:call("PUT", address, { auth = auth })))
      assert.is_true(read().traceLoggingEnabled)
      assert.equal(200, (sandbox:call("DELETE", address, { auth = auth })))
      assert.is_false(read().traceLoggingEnabled)
      assert.equal(200, (sandbox:call("PUT", address, { auth = auth, json = { duration = 30 } })))
      assert.equal(400, (sandbox:call("PUT", address, { auth = auth, json = { duration = "30" } })))
      assert.equal(415, (sandbox:call("PUT", address, { auth = auth, body = "duration=30" })))
    end
  end)

  describe("credentials", function()
    local path

    before_each(function()
      path = ("/instances/%d"):format(instance.id)
    end)

    it("that changed are tried, and wrong ones change nothing", function()
      local status, body = sandbox:call("PATCH", path, { json = { configuration = { password = "wrong" }, name = "N" } })
      assert.equal(400, status)
      assert.truthy(body.providerMessage:find("invalid_credentials", 1, true))
      assert.equal("First", read().name)
      assert.equal(200, (sandbox:call("GET", "/contacts", { auth = sandbox:element(instance.token) })))
    end)

    it("are not tried with reAuthenticate=false, and then the instance is no longer valid", function()
      local body = { configuration = { password = "wrong" } }
      assert.equal(400, (sandbox:call("PUT", path .. "?reAuthenticate=maybe", { json = body })))
      local status, changed = sandbox:call("PUT", path .. "?reAuthenticate=false", { json = body })
      assert.equal(200, status)
      assert.is_false(changed.valid)
      local refused, answer = sandbox:call("GET", "/contacts", { auth = sandbox:element(instance.token) })
      assert.equal(401, refused)
      assert.is_string(answer.providerMessage)
      local _, again = sandbox:call("PATCH", path, { json = { configuration = catalogue.credentials("freshservice") } })
      assert.is_true(again.valid)
    end)

    it("can be wrong and make an instance all the same, as with some elements", function()
      start{ refusal_status = 200 }
      local broken = create("abbyy", { configuration = { username = "a", password = "b" } })
      assert.is_false(broken.valid)
      assert.equal(401, (sandbox:call("GET", "/ping", { auth = sandbox:element(broken.token) })))
    end)
  end)

  describe("a new consent", function()
    local path

    local function consent()
      return (sandbox:consent(sandbox:consent_url("hubspotcrm",
        { apiKey = "key", apiSecret = "secret", callbackUrl = CALLBACK })))
    end

    local function connect()
      instance = create("hubspotcrm", {
        providerData = { code = consent().code },
        configuration = {
          ["oauth.api.key"] = "key", ["oauth.api.secret"] = "secret", ["oauth.callback.url"] = CALLBACK,
        },
      })
      path = ("/instances/%d"):format(instance.id)
    end

    before_each(connect)

    for _, way in ipairs{ "PUT ?reAuthenticate=true", "PUT ", "PATCH " } do
      it("by " .. way .. " connects a broken instance again: same id, same token, code spent", function()
        local method, query = way:match("^(%S+) (.*)$")
        sandbox:control("POST", path, { broken = "token revoked" })
        local before = read()
        assert.is_false(before.valid)
        local body = { providerData = { code = consent().code } }
        local status, changed = sandbox:call(method, path .. query, { json = body })
        assert.equal(200, status)
        assert.is_nil(changed.providerData)
        assert.is_true(changed.valid)
        assert.same({ before.id, before.token, before.name, before.tags },
          { changed.id, changed.token, changed.name, changed.tags })
        assert.equal(200, (sandbox:call("GET", "/contacts", { auth = sandbox:element(instance.token) })))
        local again, refused = sandbox:call(method, path .. query, { json = body })
        assert.equal(400, again)
        assert.truthy(refused.providerMessage:find("invalid_grant", 1, true))
        assert.is_true(read().valid)
      end)
    end

    it("by token connects again, too", function()
      sandbox:control("POST", path, { broken = "token revoked" })
      local status = sandbox:call("PUT", "/instances?reAuthenticate=true",
        { auth = sandbox:instance(instance.token), json = { providerData = { code = consent().code } } })
      assert.equal(200, status)
      assert.is_true(read().valid)
    end)

    it("has to be there with reAuthenticate=true, and is not looked at with false", function()
      local status, body = sandbox:call("PUT", path .. "?reAuthenticate=true", { json = { name = "N" } })
      assert.equal(400, status)
      assert.truthy(body.message:find("providerData.code", 1, true))
      local code = consent().code
      sandbox:control("POST", path, { broken = "token revoked" })
      local ignored = { name = "N", providerData = { code = code } }
      assert.equal(200, (sandbox:call("PUT", path .. "?reAuthenticate=false", { json = ignored })))
      assert.is_false(read().valid)
      assert.equal(200, (sandbox:call("PUT", path, { json = ignored })))   -- the code was not spent
    end)

    it("has to be of the application that the instance is connected with", function()
      local _, body = sandbox:call("PUT", path, { json = {
        providerData = { code = consent().code }, configuration = { ["oauth.api.secret"] = "other" },
      } })
      assert.truthy(body.providerMessage:find("invalid_client", 1, true))
    end)

    it("ends an external authentication", function()
      local external = create("hubspotcrm", {
        externalAuthentication = "initial",
        configuration = {
          ["oauth.api.key"] = "key", ["oauth.api.secret"] = "secret", ["oauth.callback.url"] = CALLBACK,
          ["oauth.user.refresh_token"] = "mine",
        },
      })
      assert.equal("initial", external.externalAuthentication)
      local _, changed = sandbox:call("PUT", ("/instances/%d"):format(external.id),
        { json = { externalAuthentication = "initial", providerData = { code = consent().code } } })
      assert.equal("none", changed.externalAuthentication)
    end)

    it("that breaks off half-way leaves the instance as it was", function()
      sandbox:control("POST", path, { broken = "token revoked" })
      sandbox:call("PUT", path, {
        json = { name = "N", providerData = { code = consent().code } },
        headers = { ["sandbox-fault"] = "hangup=middle" },
      })
      assert.same({ "First", false }, { read().name, read().valid })
    end)
  end)

  it("tokens of the app's own need no provider data, and allow none", function()
    local body = {
      element = { key = "etsy" }, name = "Ext", externalAuthentication = "initial",
      configuration = { ["oauth.user.token"] = "t", ["oauth.user.token.secret"] = "s" },
    }
    assert.equal(200, (sandbox:call("POST", "/instances", { json = body })))
    body.providerData = { oauth_token = "x" }
    local status, refused = sandbox:call("POST", "/instances", { json = body })
    assert.equal(400, status)
    assert.equal("With externalAuthentication there is no providerData.", refused.message)
    body.providerData, body.configuration = nil, {}
    status, refused = sandbox:call("POST", "/instances", { json = body })
    assert.equal(400, status)
    assert.equal("Missing required configuration entries: oauth.user.token, oauth.user.token.secret", refused.message)
  end)

  describe("a masked value sent back is", function()
    local function put()
      return sandbox:call("PUT", ("/instances/%d?reAuthenticate=false"):format(instance.id),
        { json = { configuration = { password = "********", subdomain = "sandbox" } } })
    end

    it("refused", function()
      local status, body = put()
      assert.equal(400, status)
      assert.equal("configuration.password is a masked value, not the value.", body.message)
    end)

    it("or passed over", function()
      start{ masked = "skip" }
      local _, changed = put()
      assert.is_true(changed.valid)
    end)

    it("or takes the place of the secret, which is lost", function()
      start{ masked = "store" }
      local _, changed = put()
      assert.is_false(changed.valid)
    end)
  end)

  it("its answers can have the other forms that are documented", function()
    sandbox = platform.new{
      secrets = "clear", tags = "objects", users = "id", name_as_tag = "shown", echo_provider_data = true,
    }
    local data = { made = "up" }
    local _, made = sandbox:call("POST", "/instances", { other_shape = true, json = {
      element = { key = "abbyy" }, name = "A", tags = { "t", "A" }, configuration = catalogue.credentials("abbyy"),
      providerData = data,
    } })
    assert.equal("sandbox pass+word/==", made.configuration.password)
    assert.same({ "A", "t" }, { made.tags[1].name, made.tags[2].name })
    assert.equal(2, #made.tags)
    assert.equal(0, made.tags[1].id % 1)
    assert.same({ id = made.user.id }, made.user)
    assert.same(data, made.providerData)
    local path = ("/instances/%d"):format(made.id)
    local _, shown = sandbox:call("GET", path, { other_shape = true })
    assert.is_nil(shown.providerData)
    local _, changed = sandbox:call("PATCH", path, { other_shape = true, json = { tags = shown.tags } })
    assert.same(shown.tags, changed.tags)   -- as they were shown, so they can come back
  end)

  it("its name is found as a tag, is one, or is none", function()
    for choice, expected in pairs{ search = { 1, 1 }, shown = { 1, 2 }, no = { 0 } } do
      start{ name_as_tag = choice }
      local _, found = sandbox:call("GET", "/instances?tags[]=First")
      assert.equal(expected[1], #found, choice)
      assert.equal(expected[2], found[1] and #found[1].tags)
    end
  end)
end)

describe("instances that were there from the start", function()
  local sandbox

  before_each(function()
    sandbox = platform.new{ premade_instances = 100000 }
  end)

  local function list(query)
    local status, rows, response = sandbox:call("GET", "/instances?" .. query)
    assert.equal(200, status)
    return rows, response
  end

  it("are paged to their end, each once", function()
    local seen, count, token = {}, 0, nil
    repeat
      local rows, response = list("pageSize=200&hydrate=false" .. (token and "&nextPage=" .. text.encode(token) or ""))
      assert.equal("100000", response.headers["Elements-Total-Count"])
      for _, row in ipairs(rows) do
        assert.is_nil(seen[row.id])
        seen[row.id], count = true, count + 1
      end
      token = count < 2000 and response.headers["Elements-Next-Page-Token"] or nil   -- ten pages will do
    until not token
    assert.equal(2000, count)
    local last = text.base64(json.encode{ of = "instances\n\n\n", page = 500, pageSize = 200 })
    local rows, response = list("nextPage=" .. text.encode(last))
    assert.equal("Premade 100000", rows[200].name)
    assert.is_nil(response.headers["Elements-Next-Page-Token"])
  end)

  it("cost nothing until they are touched", function()
    list("pageSize=200")
    assert.is_nil((next(sandbox.model.instances.order)))
  end)

  it("are instances like others: found, called, changed, deleted", function()
    local one = list("pageSize=3")[2]
    assert.equal("Premade 2", one.name)
    local path = ("/instances/%d"):format(one.id)
    local _, read = sandbox:call("GET", path)
    assert.same(one, read)
    assert.equal(200, (sandbox:call("GET", "/contacts?pageSize=1", { auth = sandbox:element(one.token) })))
    assert.equal(401, (sandbox:call("GET", "/contacts", { auth = sandbox:element(one.token:gsub("%u", "x", 1)) })))
    assert.equal(200, (sandbox:call("PATCH", path, { json = { name = "Mine", tags = { "x" } } })))
    local rows = list("pageSize=3")
    assert.same({ "Premade 1", "Mine", "Premade 3" }, { rows[1].name, rows[2].name, rows[3].name })
    assert.equal("premade", rows[1].tags[1])
    assert.equal("Mine", list("tags[]=x")[1].name)

    local _, made = sandbox:call("POST", "/instances", { json = {
      element = { key = "typeform" }, name = "New", configuration = catalogue.credentials("typeform"),
    } })
    local _, response = list("pageSize=1")
    assert.equal("100001", response.headers["Elements-Total-Count"])
    assert.equal(made.id, list("searchText=New")[1].id)

    assert.equal(200, (sandbox:call("DELETE", path)))
    assert.equal(401, (sandbox:call("GET", "/contacts", { auth = sandbox:element(one.token) })))
    rows, response = list("pageSize=3")
    assert.equal("100000", response.headers["Elements-Total-Count"])
    assert.same({ "Premade 1", "Premade 3" }, { rows[1].name, rows[2].name })
    assert.equal(404, (sandbox:call("GET", path)))
    assert.equal(200, (sandbox:call("GET", "/contacts?pageSize=1", { auth = sandbox:element(rows[2].token) })))
  end)
end)
