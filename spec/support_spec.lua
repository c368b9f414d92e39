local celements = require "celements"
local connected = require "spec.support.connected"
local json = celements.json
local raises = require "spec.support.raises"
local reader = require "spec.support.reader"
local recorder = require "spec.support.recorder"

local clock = require("celements.core").engine.clock

describe("usage", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local NONE = { status = 404, body = '{"message": "No usage found with id r1"}' }

  it("is the platform's record of a call", function()
    server:answer { { body = '{"traffic_id": "r1"}' } }
    assert.same({ traffic_id = "r1" }, client:usage "r1")
    local request = server:request()
    assert.same({ "GET", "/elements/api-v2/usage/r1", "User uSer, Organization oRg" },
      { request.method, request.target, request.headers.authorization })
  end)

  it("is asked for again until it is there", function()
    server:answer { NONE, { body = '{"traffic_id": "r1"}' } }
    local began = clock()
    assert.same({ traffic_id = "r1" }, client:usage "r1")
    local seconds = clock() - began
    assert.is_true(seconds >= 0.99 and seconds < 2, "it took " .. seconds)
    assert.equal(2, #server:requests())
  end)

  it("is asked for only as long as one is ready to wait", function()
    server:answer { NONE }
    for _, wait in ipairs { 0, 0.5 } do
      server:answer { NONE }
      local began = clock()
      local record, err = client:usage("r1", wait)
      assert.is_nil(record)
      assert.equal("not_found", err.kind)
      assert.truthy(err.hint:find("some seconds after", 1, true))
      assert.is_true(clock() - began < 0.5)
      assert.equal(1, #server:requests())
    end
  end)

  it("is not asked for again after another failure", function()
    server:answer { { status = 500 } }
    local record, err = client:usage "r1"
    assert.is_nil(record)
    assert.equal("server", err.kind)
    assert.equal(1, #server:requests())
  end)

  it("raises at the caller's line for what is no request id", function()
    for _, case in ipairs {
      { function() local r = client:usage() return r, nil end, "the request id has to be a string, not a nil" },
      { function() local r = client:usage "" return r, nil end, "the request id is empty" },
      { function() local r = client:usage("r", "5") return r, nil end, "wait has to be a number or nil, not a string" },
      { function() local r = client:usage("r", 5, { x = 1 }) return r, nil end, "unknown option 'x'; the options are headers, retries, timeout" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)
end)

describe("whoami", function()
  it("says whose secrets these are, and hides the one that comes along", function()
    local server = recorder.start()
    local client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
    server:answer { { body = '{"id": 11, "name": "Acme", "secret": "oRg"}' } }
    local me, info = client:whoami()
    assert.same({ id = 11, name = "Acme" }, me)
    assert.equal(200, info.status)
    local request = server:request()
    assert.same({ "GET", "/elements/api-v2/organizations/me", "User uSer, Organization oRg" },
      { request.method, request.target, request.headers.authorization })
    local err
    for _, body in ipairs { "", "5" } do
      server:answer { { body = body } }
      me, err = client:whoami()
      assert.same({ nil, "decode", "the answer is not an organization" }, { me, err.kind, err.message })
    end
    server:answer { { status = 401 } }
    me, err = client:whoami()
    assert.is_nil(me)
    assert.equal("auth", err.kind)
    me, err = celements.new({ base_url = server.url }):whoami()
    assert.is_nil(me)
    assert.same({ "org_secret", "user_secret" }, err.missing)
    assert.equal("unknown option 'x'; the options are headers, retries, timeout", raises(function()
      local r = client:whoami { x = 1 }
      return r, nil
    end))
    server:stop()
  end)
end)

describe("the curl command for a call", function()
  local USER, ORG, TOKEN = "uSer+Secret/1=", "0rgSecret9876543210", "t0ken+/='$(x)`\\\""
  local client = celements.new { base_url = "https://api.example.com", user_secret = USER, org_secret = ORG }
  local OPTIONS = {
    query = { apiSecret = "qS3cret", where = "name = 'O''Brien'", ["tags[]"] = { "a b", "c" } },
    headers = { ["X-Api-Key"] = "hS3cret", ["X-Plain"] = "it's" }, element_token = TOKEN,
    json = { name = "O'Brien $HOME", password = "bS3cret", providerData = { anything = "pS3cret" } },
  }

  it("shows no secret, and all else", function()
    local command = client:curl("post", "/instances", OPTIONS)
    for _, secret in ipairs { USER, ORG, TOKEN, "qS3cret", "hS3cret", "bS3cret", "pS3cret" } do
      assert.falsy(command:find(secret, 1, true), secret)
    end
    for _, text in ipairs {
      "curl -X POST", "https://api.example.com/elements/api-v2/instances?", "apiSecret=%5Bredacted%5D",
      "tags%5B%5D=a%20b&tags%5B%5D=c", "where=name%20%3D%20%27O%27%27Brien%27",
      "Authorization: User [redacted], Organization [redacted], Element [redacted]", "X-Plain: it'\\''s",
      "O'\\''Brien $HOME", "Content-Type: application/json",
    } do
      assert.truthy(command:find(text, 1, true), text .. "\n" .. command)
    end
  end)

  it("shows the secrets a call knows wherever they stand, the path included", function()
    local command = client:curl("GET", "/x/" .. ORG, { query = { q = USER } })
    assert.falsy(command:find(ORG, 1, true))
    assert.falsy(command:find("uSer", 1, true))
    assert.truthy(client:curl("GET", "/x", { query = { apiSecret = "1" } }):find("apiSecret=%5Bredacted%5D'", 1, true))
  end)

  it("has no more than the call has", function()
    assert.equal(table.concat({
      "curl -X GET", "'https://api.example.com/elements/api-v2/elements'",
      "-H 'Authorization: User [redacted], Organization [redacted]'", "-H 'Accept: application/json'",
    }, " \\\n  "), client:curl("GET", "/elements"))
    assert.equal("curl -X GET \\\n  'https://api.example.com/elements/api-v2/elements' \\\n  -H 'Accept: application/json'",
      celements.new({ base_url = "https://api.example.com" }):curl("GET", "/elements"))
    assert.truthy(client:curl("HEAD", "/elements"):find("^curl %-%-head "))
    assert.truthy(client:curl("GET", "/contacts", { element_token = "t" }):find("User [redacted], Element [redacted]", 1, true))
  end)

  it("changes nothing in what it is given", function()
    local options = { reveal = true, json = { password = "x" } }
    client:curl("POST", "/x", options)
    assert.same({ reveal = true, json = { password = "x" } }, options)
  end)

  it("raises at the caller's line for what request() would not take", function()
    local itself = {}
    itself[1], itself[2] = itself, itself
    for _, case in ipairs {
      { function() local r = client:curl("FETCH", "/x") return r, nil end,
        "the method has to be one of DELETE, GET, HEAD, PATCH, POST and PUT" },
      { function() local r = client:curl("POST", "/x", { json = { f = print } }) return r, nil end,
        "cannot be written as JSON: f: a function cannot be written as JSON" },
      { function() local r = client:curl("POST", "/x", { json = itself }) return r, nil end,
        "cannot be written as JSON: [1]: a table that contains itself" },
      { function() local r = client:curl("GET", "x") return r, nil end,
        "the path has to start with '/' and be percent-encoded, without the base URL; celements.path('instances', id) makes one" },
      { function() local r = client:curl(nil, "/x") return r, nil end, "the method has to be a string, not a nil" },
      { function() local r = client:curl("GET", "/x", { reveal = 1 }) return r, nil end,
        "reveal has to be a boolean or nil, not a number" },
      { function() local r = client:curl("GET", "/x", { revel = true }) return r, nil end, "unknown option 'revel', did you mean 'reveal'?" },
      { function() local r = client:curl("GET", "/x", { jsn = 1 }) return r, nil end, "unknown option 'jsn', did you mean 'json'?" },
      { function() local r = client:curl("GET", "/x", "y") return r, nil end, "options has to be a table, not a string" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)

  it("really does what the call does, when it is to be revealed", function()
    if select(2, reader.output_of "command -v curl >/dev/null") ~= 0 then
      pending "there is no curl here"
      return
    end
    local server = recorder.start()
    local mine = celements.new { base_url = server.url, user_secret = USER, org_secret = ORG, headers = { ["X-All"] = "a" } }
    for _, case in ipairs {
      { "GET", "/elements" }, { "POST", "/instances", OPTIONS }, { "DELETE", "/instances/5" }, { "HEAD", "/elements" },
      { "PATCH", "/contacts/5", { json = { a = "ü\n€'\"" }, element_token = TOKEN } },
      { "PUT", "/instances/5", { json = { n = 1 }, query = { reAuthenticate = true } } },
    } do
      server:answer { { body = "{}" } }
      mine:request(case[1], case[2], case[3])
      local ours = server:request()
      server:answer { { body = "{}" } }
      local options = { reveal = true }
      for name, value in pairs(case[3] or {}) do
        options[name] = value
      end
      local _, status = reader.output_of(mine:curl(case[1], case[2], options) .. " -s --noproxy '*'")
      assert.equal(0, status)
      local theirs = server:request()
      assert.same({ ours.method, ours.target, json.decode(ours.body) }, { theirs.method, theirs.target, json.decode(theirs.body) })
      for _, name in ipairs { "authorization", "accept", "content-type", "x-all", "x-api-key", "x-plain" } do
        assert.equal(ours.headers[name], theirs.headers[name], name)
      end
    end
    server:stop()
  end)

  it("works against the sandbox as it is pasted", function()
    if select(2, reader.output_of "command -v curl >/dev/null") ~= 0 then
      pending "there is no curl here"
      return
    end
    local sandbox, mine = connected.start()
    local output, status = reader.output_of(mine:curl("POST", "/instances", {
      reveal = true, json = { element = { key = "typeform" }, name = "It's by curl",
        configuration = celements.sandbox.credentials "typeform" },
    }) .. " -s --noproxy '*'")
    assert.equal(0, status)
    local instance = assert(json.decode(output))
    assert.equal("It's by curl", assert(mine:get_instance(instance.id)).name)
    output = reader.output_of(mine:curl("GET", "/contacts", {
      reveal = true, query = { pageSize = 2 }, element_token = instance.token,
    }) .. " -s --noproxy '*'")
    assert.equal(2, #assert(json.decode(output)))
    sandbox.stop()
  end)
end)

describe("the counts of a client", function()
  it("tell what it has done", function()
    local server = recorder.start()
    local client = celements.new { base_url = server.url, retries = 1 }
    assert.same({ calls = 0, attempts = 0, failed = 0, reused = 0, opened = 0, failures = {} }, client:stats())
    server:answer { {}, {}, { status = 503, headers = { ["Retry-After"] = "0" } }, {}, { status = 404 }, { hang_up = true } }
    for _ = 1, 4 do
      client:request("GET", "/x")
    end
    client:request("POST", "/x")
    local stats = client:stats()
    assert.same({ 5, 6, 2 }, { stats.calls, stats.attempts, stats.failed })
    assert.same({ not_found = 1, network = 1 }, stats.failures)
    assert.equal(1, stats.opened)
    assert.equal(4, stats.reused) -- the sixth got no answer
    stats.calls, stats.failures.network = 0, 0
    assert.same({ 5, 1 }, { client:stats().calls, client:stats().failures.network })
    assert.equal(0, celements.new({ base_url = server.url }):stats().calls)
    server:stop()
  end)
end)

describe("finding out in the sandbox", function()
  for _, names in ipairs { "snake", "camel" } do
    it("what became of a call, a while after it: " .. names, function()
      local sandbox, client = connected.start { usage_polls = names == "snake" and 1 or 0, usage_names = names }
      local _, info = client:create_instance(connected.typeform())
      local record = assert(client:usage(info.request_id))
      assert.equal("table", type(record))
      assert.equal("Sandbox", assert(client:whoami()).name)
      assert.is_nil(assert(client:whoami()).secret)
      local none, err = client:usage("0123456789abcdef01234567", 0)
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      sandbox.stop()
    end)
  end
end)
