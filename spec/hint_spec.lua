--- For every documented refusal a sentence that says what to do, against the sandbox where
-- it refuses so and against a recorder where it does not.

local celements = require "celements"
local connected = require "spec.support.connected"
local hint = require "celements.hint"
local recorder = require "spec.support.recorder"

local PLACE = { base_url = "https://api.example.com/elements/api-v2" }

describe("a refusal of the sandbox", function()
  local sandbox, client, instance, hub

  setup(function()
    sandbox, client = connected.start()
    instance = assert(client:create_instance(connected.typeform()))
    hub = client:instance(instance)
  end)

  teardown(function()
    sandbox.stop()
  end)

  local function says(words, result, err)
    assert.is_nil(result)
    assert.truthy(err.hint and err.hint:find(words, 1, true), tostring(err))
    assert.truthy(tostring(err):find(err.hint, 1, true))
    return err
  end

  it("tells a disabled instance from a provider that forbids", function()
    client:disable_instance(instance.id)
    local err = says("client:enable_instance()", hub:get "/contacts")
    assert.equal(403, err.status)
    client:enable_instance(instance.id)
  end)

  it("tells secrets that are wrong from a token that is, and from a grant that is", function()
    says("check user_secret and org_secret", connected.client(sandbox, { user_secret = "wrong" }):whoami())
    says("the instance may have been deleted", client:instance("wrong"):get "/contacts")
    connected.control(sandbox, "POST", "/instances/" .. instance.id, { broken = "token revoked" })
    local err = says("client:reauthenticate()", hub:get "/contacts")
    assert.equal("token revoked", err.provider_message)
    connected.control(sandbox, "POST", "/instances/" .. instance.id, { broken = false })
  end)

  it("tells what is missing from what the provider does not take", function()
    local err = says("client:required_configuration()", client:create_instance { element = "typeform", name = "x" })
    assert.equal(400, err.status)
    err = says("the provider refused, not the platform",
      client:create_instance(connected.typeform { configuration = { ["api.key"] = "wrong" } }))
    assert.truthy(err.provider_message)
  end)

  it("asks for a body where there was none, and for the other port where nobody speaks TLS", function()
    says("a body goes with this call", hub:post "/contacts")
    local plain = sandbox.url:gsub("^http:", "https:")
    local err = says("does not speak TLS", connected.client(sandbox, { base_url = plain }):whoami())
    assert.equal("tls", err.kind)
  end)

  it("says that an instance in use cannot be deleted, and why", function()
    connected.control(sandbox, "POST", "/instances/" .. instance.id, { in_use = "by formula 7" })
    says("remove it there first", client:delete_instance(instance.id))
    connected.control(sandbox, "POST", "/instances/" .. instance.id, { in_use = false })
  end)

  it("says that something is there already", function()
    local proxy = { json = { name = "twice" } }
    assert(client:request("POST", "/elements/oauthProxies", proxy))
    says("it is there already", client:request("POST", "/elements/oauthProxies", proxy))
  end)

  it("says how element keys are written, and when usage is there", function()
    says("case-sensitive", client:element "HubSpot")
    says("some seconds after", client:usage("0123456789abcdef01234567", 0))
  end)

  it("of bad credentials by 500 and 502 is the provider's as well", function()
    for _, status in ipairs { 500, 502 } do
      local other, its_client = connected.start { refusal_status = status }
      local result, err = its_client:create_instance(connected.typeform { configuration = { ["api.key"] = "wrong" } })
      says("the provider refused or failed", result, err)
      assert.same({ "server", "refused", status }, { err.kind, err.outcome, err.status })
      other.stop()
    end
  end)
end)

describe("a refusal on the wire", function()
  it("of who sent no secrets says that, and how to give them", function()
    local server = recorder.start()
    for _, case in ipairs { { nil, nil, "no org_secret and no user_secret:" }, { "u", nil, "no org_secret:" }, { nil, "o", "no user_secret:" } } do
      server:answer { { status = 401, body = '{"message": "Invalid Organization or User secret"}' } }
      local client = celements.new { base_url = server.url, user_secret = case[1], org_secret = case[2], retries = 0 }
      local _, err = client:request("GET", "/instances")
      assert.equal("auth", err.kind)
      assert.truthy(err.hint:find("no secrets were sent, since this client has " .. case[3], 1, true), err.hint)
      assert.is_nil(server:request().headers.authorization)
    end
    server:stop()
  end)

  it("that names missing keys has the hint to ask first where that helps and was not done", function()
    local server = recorder.start()
    local client = celements.new { base_url = server.url, user_secret = "u", org_secret = "o", retries = 0 }
    local refused = { status = 400, body = '{"message": "Missing required configuration entries: a"}' }
    local params = { element = "x", name = "n", configuration = { ["authentication.type"] = "basic" } }
    local list, ask = "client:required_configuration() lists what the element wants", ", and check = true asks before anything is sent"
    local function hint_of(result, err)
      assert.same({ nil, "invalid" }, { result, err.kind })
      return err.hint
    end
    server:answer { refused }
    assert.equal(list .. ask, hint_of(client:create_instance(params)))
    server:answer { refused }
    assert.equal(list, hint_of(client:replace_instance(5, params)))
    params.check = true
    server:answer { { body = '[{"key": "b"}]' }, refused }
    assert.equal(list, hint_of(client:create_instance(params)))
    params.once = "customer-42"
    server:answer { { body = '[{"key": "b"}]' }, { body = "[]" }, refused }
    assert.equal(list, hint_of(client:create_instance(params)))
    server:stop()
  end)

  it("has the hint that fits who refused, and what", function()
    local server = recorder.start()
    local client = celements.new { base_url = server.url, user_secret = "u", org_secret = "o", retries = 0 }
    local hub = client:instance "t0ken"
    local PROVIDER = '{"message": "no", "providerMessage": "says the provider"}'
    for _, case in ipairs {
      { { status = 400, body = PROVIDER }, "the provider refused, not the platform" },
      { { status = 401, body = PROVIDER }, "connect the account again" },
      { { status = 401, body = '{"message": "no"}' }, "the instance may have been deleted" },
      { { status = 403, body = PROVIDER }, "it forbids this to the connected user" },
      { { status = 403, body = '{"message": "The element instance is DISABLED."}' }, "client:enable_instance()" },
      { { status = 403, body = '{"message": "no"}' }, "may be disabled, or the provider forbids" },
      { { status = 405 }, "client:instance_docs()" },
      { { status = 409, body = PROVIDER }, "the provider refused, not the platform" },
      { { status = 413 }, "size limit" }, { { status = 417 }, "size limit" },
      { { status = 429, headers = { ["Retry-After"] = "7" } }, "try again after 7 seconds" },
      { { status = 429, headers = { ["Retry-After"] = "31536000" } }, "try again after 31536000 seconds" },
      { { status = 429, body = '{"message": "Payload size limit exceeded"}' }, "without Retry-After this is a size limit" },
      { { status = 429, body = PROVIDER }, "limits how often or how much" },
      { { status = 500, body = PROVIDER }, "the provider refused or failed" },
      { { status = 500, body = '{"message": "no"}' }, "its support can follow the request id" },
    } do
      server:answer { case[1] }
      local result, err = hub:get "/contacts"
      assert.is_nil(result)
      assert.truthy(err.hint and err.hint:find(case[2], 1, true), case[1].status .. ": " .. tostring(err.hint))
    end
    server:stop()
  end)
end)

describe("a hint", function()
  it("does not speak of formulas where no instance was to be deleted", function()
    local function of(method, path)
      return hint.of({ kind = "conflict", message = "x", method = method, path = path }, PLACE, {})
    end
    for _, path in ipairs { "/instances/5", "/instances", "/elements/hubspot/instances/5" } do
      assert.truthy(of("DELETE", path):find("formula", 1, true))
    end
    assert.truthy(of("DELETE", "/contacts/5"):find("in the way", 1, true))
    assert.truthy(of("PUT", "/contacts/5"):find("in the way", 1, true))
    assert.truthy(of("POST", "/contacts"):find("there already", 1, true))
  end)

  it("tells what a form, a missing parameter or an unknown id comes of", function()
    for words, err in pairs {
      ["Accept"] = { kind = "invalid", message = "x", status = 406 },
      ["Content-Type"] = { kind = "invalid", message = "x", status = 415 },
      ["api_key"] = { kind = "invalid", message = "x", status = 400, path = "/elements/x/oauth/url" },
      ["required_configuration"] = { kind = "invalid", message = "The following is missing: api.key", status = 400, path = "/instances" },
      ["client:instances()"] = { kind = "not_found", message = "No instance", status = 404, path = "/instances/5" },
      ["the provider refused"] = { kind = "not_found", message = "x", provider_message = "no such row", status = 404, path = "/contacts/5" },
    } do
      assert.truthy(hint.of(err, PLACE, {}):find(words, 1, true), words)
    end
  end)

  it("is silent where there is nothing to add", function()
    for _, err in ipairs {
      { kind = "invalid", message = "x", status = 400 }, { kind = "not_found", message = "No contact", path = "/contacts/5" },
      { kind = "config", message = "x" }, { kind = "network", method = "GET", outcome = "unknown" },
    } do
      assert.is_nil(hint.of(err, PLACE, {}))
    end
  end)
end)
