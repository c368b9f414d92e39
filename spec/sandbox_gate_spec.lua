local platform = require "spec.support.platform"

local UNAUTHORIZED = "Invalid Organization or User secret, or invalid Element token provided."

describe("the sandbox lets in", function()
  local sandbox

  before_each(function()
    sandbox = platform.new()
  end)

  it("User and Organization in any order", function()
    assert.equal(200, (sandbox:call("GET", "/instances")))
    assert.equal(200, (sandbox:call("GET", "/instances",
      { auth = "Organization 0123456789abcdef0123456789abcdef, User user+secret/1=" })))
  end)

  for what, header in pairs{
    ["no header"] = false,
    ["only the user"] = "User user+secret/1=",
    ["only the organization"] = "Organization 0123456789abcdef0123456789abcdef",
    ["swapped secrets"] = "User 0123456789abcdef0123456789abcdef, Organization user+secret/1=",
    ["a percent-encoded secret"] = "User user%2Bsecret%2F1%3D, Organization 0123456789abcdef0123456789abcdef",
    ["a wrong user secret"] = "User wrong, Organization 0123456789abcdef0123456789abcdef",
    ["a wrong organization secret"] = "User user+secret/1=, Organization wrong",
    ["another scheme"] = "Bearer user+secret/1=",
    ["a scheme twice"] = "User user+secret/1=, User user+secret/1=, Organization 0123456789abcdef0123456789abcdef",
    ["a made-up Element token beside right secrets"] =
      "User user+secret/1=, Organization 0123456789abcdef0123456789abcdef, Element nonsense",
  } do
    it("nobody with " .. what .. ": 401 and the platform's text", function()
      local status, body = sandbox:call("GET", "/instances", { auth = header })
      assert.equal(401, status)
      assert.equal(UNAUTHORIZED, body.message)
    end)
  end

  it("anybody to the catalogue and oauth/url, but nobody with wrong secrets", function()
    local path = "/elements/hubspot/oauth/url?apiKey=a&apiSecret=b&callbackUrl=http%3A%2F%2Fx.example"
    for _, there in ipairs{ "/elements", "/elements/keys", "/elements/hubspot", path } do
      assert.equal(200, (sandbox:call("GET", there, { auth = false })))
      assert.equal(200, (sandbox:call("GET", there)))
      assert.equal(401, (sandbox:call("GET", there, { auth = "User x, Organization y" })))
    end
  end)

  it("no wrong method: 405, and says which ones are right", function()
    local status, body, response = sandbox:call("PATCH", "/elements/typeform/instances")
    assert.equal(405, status)
    assert.truthy(body.message:find("PATCH", 1, true))
    assert.equal("GET, POST", response.headers.Allow)
    assert.equal(405, (sandbox:call("PATCH", "/elements/typeform/instances/1")))
  end)

  it("HEAD where there is GET", function()
    assert.equal(200, (sandbox:call("HEAD", "/elements/keys")))
  end)

  it("no unknown path: 404", function()
    assert.equal(404, (sandbox:call("GET", "/nothing")))
    assert.equal(404, (sandbox:call("GET", "/instances/")))
    assert.equal(404, (sandbox:call("GET", "//instances")))
    assert.equal(404, (sandbox:call("GET", "/instances/%zz")))
  end)

  it("only bodies that say they are JSON: 415", function()
    for _, content_type in ipairs{ "", "text/plain", "application/x-www-form-urlencoded", "application/jsonish" } do
      local status = sandbox:call("POST", "/instances", { body = "{}", headers = { ["content-type"] = content_type } })
      assert.equal(415, status)
    end
    local status = sandbox:call("POST", "/instances",
      { body = "{}", headers = { ["content-type"] = "Application/JSON; charset=utf-8" } })
    assert.equal(400, status)   -- past the gate: now the empty body is the trouble
  end)

  it("only bodies that are a JSON object: 400", function()
    for _, body in ipairs{ "", "{", "nonsense", "[1]", "3", '"x"', '{"a":1}}', "{'a':1}" } do
      local status = sandbox:call("POST", "/instances",
        { body = body, headers = { ["content-type"] = "application/json" } })
      assert.equal(400, status, body)
    end
  end)

  it("no array where there has to be an object, nor the other way round: 400", function()
    local function status(method, path, body)
      return (sandbox:call(method, path, { body = body, headers = { ["content-type"] = "application/json" } }))
    end
    local fine = '{"element":{"key":"typeform"},"name":"n","configuration":{"api.key":"sandbox-typeform-key"}%s}'
    for more, expected in pairs {
      [""] = 200, [',"tags":[]'] = 200, [',"tags":{}'] = 400, [',"tags":["a"],"providerData":[]'] = 400, [',"providerData":{}'] = 200,
      [',"retrieveObjectsAfterInstantiation":true'] = 200, [',"retrieveObjectsAfterInstantiation":"maybe"'] = 400,
    } do
      assert.equal(expected, status("POST", "/instances", fine:format(more)), more)
    end
    assert.equal(400, status("POST", "/instances", "[]"))
    assert.equal(400, status("PATCH", "/instances/12345", "[]"))
    assert.equal(400, status("PATCH", "/instances/12345", '{"tags":{}}'))
    assert.equal(200, status("PATCH", "/instances/12345", '{"tags":[]}'))
  end)

  it("no query that a call about instances does not have: 400", function()
    local function status(method, path)
      return (sandbox:call(method, path))
    end
    for query, expected in pairs {
      ["tags%5B%5D=a&tags%5B%5D=b&searchText=x&hydrate=false&pageSize=1"] = 200, ["hydrate=true"] = 200, ["hydrate=banana"] = 400,
      ["pageSize=1&pageSize=2"] = 400, ["foo=bar"] = 400, ["page_size=5"] = 400,
    } do
      assert.equal(expected, status("GET", "/instances?" .. query), query)
    end
    assert.equal(400, status("GET", "/instances/12345?hydrate=true"))
    assert.equal(400, status("POST", "/instances?foo=bar"))
    assert.equal(400, status("PUT", "/instances/12345?reAuthenticate=maybe"))
  end)

  it("only who takes JSON: 406", function()
    for accept, expected in pairs{
      ["application/json"] = 200, ["*/*"] = 200, ["application/*;q=0.5"] = 200, ["text/html, */*;q=0.1"] = 200,
      ["text/html"] = 406, ["application/xml"] = 406, ["application/json;q=0"] = 406,
    } do
      assert.equal(expected, (sandbox:call("GET", "/elements/keys", { headers = { accept = accept } })), accept)
    end
  end)

  it("no query that is not percent-encoded: 400", function()
    assert.equal(400, (sandbox:call("GET", "/instances?searchText=%zz")))
  end)

  it("gives every answer an id of its own", function()
    local _, _, first = sandbox:call("GET", "/elements/keys")
    local _, _, second = sandbox:call("GET", "/elements/keys")
    assert.not_equal(first.headers["Elements-Request-Id"], second.headers["Elements-Request-Id"])
  end)

  it("nobody else's state: two models know nothing of each other", function()
    local other = platform.new()
    local body = {
      element = { key = "typeform" }, name = "A", configuration = { ["api.key"] = "sandbox-typeform-key" },
    }
    assert.equal(200, (sandbox:call("POST", "/instances", { json = body })))
    local _, here = sandbox:call("GET", "/instances")
    local _, there = other:call("GET", "/instances")
    assert.equal(1, #here)
    assert.equal(0, #there)
  end)
end)

describe("a sandbox model", function()
  it("wants its clock, its random source and its secrets", function()
    local model = require "celements.sandbox.model"
    assert.has_error(function() model.new{ now = os.time } end, "sandbox: option random is required")
    assert.has_error(function() platform.new{ usersecret = "x" } end, "sandbox: option usersecret must be a known name")
    assert.has_error(function() platform.new{ faults = "x" } end, "sandbox: option faults must be a table")
  end)

  it("never raises: what fails inside it is a 500 that says so", function()
    local stopped = platform.new{ now = function() error("no clock") end }
    local status, body = stopped:call("POST", "/instances", { json = {
      element = { key = "typeform" }, name = "T", configuration = { ["api.key"] = "sandbox-typeform-key" },
    } })
    assert.equal(500, status)
    assert.truthy(body.message:find("The sandbox itself failed: .*no clock"))
  end)

  it("keeps the last thousand requests, and counts them all", function()
    local sandbox = platform.new()
    for n = 1, 1002 do
      sandbox:call("GET", "/n" .. n)
    end
    local requests, count = sandbox.model:requests()
    assert.equal(1002, count)
    assert.equal(1000, #requests)
    assert.equal("/elements/api-v2/n3", requests[1].path)
  end)

  it("remembers what it received, oldest first", function()
    local sandbox = platform.new()
    sandbox:call("GET", "/elements/keys?pageSize=3")
    sandbox:call("POST", "/instances", { body = "\255", headers = { ["content-type"] = "application/json" } })
    local requests, count = sandbox.model:requests()
    assert.equal(2, count)
    assert.equal("/elements/api-v2/elements/keys", requests[1].path)
    assert.equal("pageSize=3", requests[1].query)
    assert.equal("POST", requests[2].method)
    assert.equal("\\xff", requests[2].body)
    assert.equal(sandbox.account, requests[2].headers.authorization)
  end)
end)
