local catalogue = require "celements.sandbox.catalogue"
local faults = require "celements.sandbox.faults"
local json = require "celements.json"
local platform = require "spec.support.platform"

describe("a fault asked for", function()
  local sandbox

  before_each(function()
    sandbox = platform.new()
  end)

  local function create(fault)
    return sandbox:call("POST", "/instances", {
      json = { element = { key = "typeform" }, name = "T", configuration = catalogue.credentials("typeform") },
      headers = { ["sandbox-fault"] = fault },
    })
  end

  local function instances()
    local _, list = sandbox:call("GET", "/instances")
    return #list
  end

  it("as a status comes instead of the platform, with its error body", function()
    local status, body, response = create("status=503,retry-after=7")
    assert.equal(503, status)
    assert.is_string(body.message)
    assert.equal(body.requestId, response.headers["Elements-Request-Id"])
    assert.equal("7", response.headers["Retry-After"])
    assert.equal(0, instances())
  end)

  it("as a gateway's page is HTML without a request id", function()
    local status, _, response = create("html")
    assert.equal(502, status)
    assert.equal("text/html", response.headers["Content-Type"])
    assert.is_nil(response.headers["Elements-Request-Id"])
    assert.equal(504, (create("html,status=504")))
    assert.equal(0, instances())
  end)

  it("as a redirect says where to", function()
    local status, _, response = create("status=302,location=https://elsewhere.example/x?y=1")
    assert.equal(302, status)
    assert.equal("https://elsewhere.example/x?y=1", response.headers.Location)
  end)

  it("hangs up before the platform acts, or after", function()
    local _, _, response = create("hangup=before")
    assert.is_true(response.hang_up)
    assert.equal(0, instances())
    _, _, response = create("hangup=after,reset")
    assert.equal("reset", response.hang_up)
    assert.equal(1, instances())
  end)

  it("delays a good answer", function()
    local status, _, response = create("delay=0.25")
    assert.equal(200, status)
    assert.equal(0.25, response.delay)
    assert.equal(1, instances())
  end)

  it("makes garbage of an answer after the platform acted", function()
    local status, value, response = create("garbage")
    assert.equal(200, status)
    assert.is_nil(value)
    assert.is_nil((json.decode(response.body)))
    assert.equal(1, instances())
  end)

  it("cuts an answer where it says, never behind its end", function()
    local _, _, half = create("cut")
    assert.equal(math.floor(#half.body / 2), half.cut)
    local _, _, ten = create("cut=10")
    assert.equal(10, ten.cut)
    local _, _, far = create("cut=99999")
    assert.equal(#far.body - 1, far.cut)
    assert.equal(3, instances())
  end)

  it("breaks off half-way: the code is spent, and no instance is there", function()
    local ask = { apiKey = "key", apiSecret = "secret", callbackUrl = "https://app.example/back" }
    local code = sandbox:consent(sandbox:consent_url("hubspotcrm", ask)).code
    local function with_code(fault)
      return sandbox:call("POST", "/instances", {
        json = {
          element = { key = "hubspotcrm" }, name = "T", providerData = { code = code },
          configuration = {
            ["oauth.api.key"] = "key", ["oauth.api.secret"] = "secret", ["oauth.callback.url"] = ask.callbackUrl,
          },
        },
        headers = { ["sandbox-fault"] = fault },
      })
    end
    local _, _, response = with_code("hangup=middle")
    assert.is_true(response.hang_up)
    assert.equal(0, instances())
    local status, body = with_code()
    assert.equal(400, status)
    assert.truthy(body.providerMessage:find("invalid_grant", 1, true))
    assert.equal(200, (create()))   -- later calls are whole again
  end)

  it("lets the platform act late, and answer then", function()
    local _, _, response = create("late=5,delay=1")
    assert.equal(6, response.delay)
    assert.is_nil(response.hang_up)
    assert.equal(0, instances())
    local answer = response.later()
    assert.equal(200, answer.status)
    assert.equal("T", json.decode(answer.body).name)
    assert.equal(1, instances())
    sandbox.time = sandbox.time + 10
    assert.equal(1, instances())   -- once, whoever comes first
    assert.equal(answer, response.later())
  end)

  it("lets the platform act late, when nobody waits any more", function()
    local _, _, response = create("late=5,hangup=after,reset")
    assert.equal("reset", response.hang_up)
    assert.is_nil(response.later)
    assert.equal(0, instances())
    sandbox.time = sandbox.time + 4
    assert.equal(0, instances())
    sandbox.time = sandbox.time + 1
    assert.equal(1, instances())
  end)

  it("gives a page token again that was there before", function()
    sandbox = platform.new{ premade_instances = 5 }
    local function page(token)
      local path = "/instances?pageSize=2" .. (token and "&nextPage=" .. token or "")
      local _, _, response = sandbox:call("GET", path, { headers = { ["sandbox-fault"] = "same-page" } })
      return response.headers["Elements-Next-Page-Token"]
    end
    local second = page()
    assert.is_string(second)
    local encoded = second:gsub("%W", function(c) return ("%%%02X"):format(c:byte()) end)
    assert.equal(second, page(encoded))
  end)

  it("by a rule makes the second page fail", function()
    sandbox = platform.new{
      premade_instances = 5, faults = { { fault = "status=500", path = "/instances", skip = 1, times = 1 } },
    }
    local _, _, first = sandbox:call("GET", "/instances?pageSize=2")
    local path = "/instances?pageSize=2&nextPage="
      .. first.headers["Elements-Next-Page-Token"]:gsub("%W", function(c) return ("%%%02X"):format(c:byte()) end)
    assert.equal(500, (sandbox:call("GET", path)))
    assert.equal(200, (sandbox:call("GET", path)))
  end)

  it("that nobody understands is a 400 that says which part", function()
    for _, spec in ipairs{
      "stauts=503", "status", "status=x", "status=5.5", "hangup", "hangup=later", "delay=-1", "late=x", "same-page=1", "garbage=1", "=",
    } do
      local status, body = create(spec)
      assert.equal(400, status, spec)
      assert.truthy(body.message:find(spec, 1, true), spec)
    end
    assert.equal(0, instances())
  end)

  it("by a rule hits the method and path it names, as often as it says", function()
    sandbox = platform.new{ faults = {
      { fault = "status=502", method = "GET", path = "/instances", times = 2 },
      { fault = "status=504", path = "/elements/*/configuration", skip = 1 },
    } }
    assert.equal(200, (sandbox:call("GET", "/elements/keys")))
    assert.equal(200, (create()))
    assert.equal(502, (sandbox:call("GET", "/instances")))
    assert.equal(502, (sandbox:call("GET", "/instances")))
    assert.equal(200, (sandbox:call("GET", "/instances")))
    assert.equal(200, (sandbox:call("GET", "/elements/sfdc/configuration")))
    assert.equal(504, (sandbox:call("GET", "/elements/sfdc/configuration")))
    assert.equal(504, (sandbox:call("GET", "/elements/etsy/configuration")))
  end)

  it("by a rule of other tests' processes comes and goes through the control paths", function()
    local function control(method, path, value)
      local body = value and assert(json.encode(value)) or ""
      local response = sandbox.model:handle{
        method = method, path = "/sandbox" .. path, body = body,
        headers = { ["content-type"] = value and "application/json" },
      }
      return response.status, response.body ~= "" and json.decode(response.body) or nil
    end
    assert.equal(200, (control("POST", "/faults", { faults = { { fault = "status=500" } } })))
    assert.equal(500, (sandbox:call("GET", "/instances")))
    assert.equal(400, (control("POST", "/faults", { faults = { { fault = "nonsense" } } })))
    assert.equal(500, (sandbox:call("GET", "/instances")))   -- a refused list changes nothing
    assert.equal(200, (control("POST", "/faults", { faults = json.array{} })))
    assert.equal(200, (create()))

    local _, log = control("GET", "/requests")
    assert.equal(3, log.count)
    assert.equal("POST", log.requests[3].method)
    assert.truthy(log.requests[3].body:find("typeform", 1, true))
    assert.equal(sandbox.account, log.requests[3].headers.authorization)

    assert.equal(200, (control("POST", "/reset")))
    _, log = control("GET", "/requests")
    assert.equal(0, log.count)
    assert.same({}, log.requests)
    assert.equal(0, instances())
  end)

  it("in the option is checked when the model is made", function()
    assert.has_error(function() platform.new{ faults = { { fault = "nonsense" } } } end,
      "sandbox: option faults: Sandbox-Fault: not understood: nonsense")
    assert.is_nil((faults.parse("nonsense")))
  end)
end)
