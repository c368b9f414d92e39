local celements = require "celements"
local connected = require "spec.support.connected"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local null = celements.null

describe("re-authenticating an instance", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  local OLD = {
    id = 7, name = "Old name", token = "kept", element = { id = 39, key = "sfdc", name = "Salesforce" }, valid = false,
    tags = celements.array { "a", "b" }, user = { id = 1 }, disabled = false, createdDate = "2020-01-01",
    configuration = {
      ["oauth.user.token"] = "old-token", ["oauth.user.refresh_token"] = "old-refresh",
      ["oauth.user.token.secret"] = "old-secret", ["oauth.user.refresh_time"] = "1",
      ["oauth.api.key"] = "********", ["oauth.api.secret"] = "********", ["password"] = "*****",
      ["oauth.callback.url"] = "https://app.example.com", ["event.notification.callback.url"] = null,
      ["pagination.max"] = "100",
    },
  }

  local function reauthenticated(old, ...)
    server:answer { { body = assert(celements.json.encode(old)) }, { body = '{"id": 7, "token": "kept"}' } }
    local instance, info = client:reauthenticate(...)
    local seen = server:requests()
    return instance, info, seen[2] and assert(celements.json.decode(seen[2].body)), seen
  end

  it("reads it, and sends a body built anew: no masks, no old grant, the old name and tags", function()
    local instance, info, body, seen = reauthenticated(OLD, 7, { code = "c1" },
      { ["oauth.api.key"] = "k", ["oauth.api.secret"] = "s", ["pagination.max"] = "50" })
    assert.same({ 7, "kept", 200 }, { instance.id, instance.token, info.status })
    assert.same({ "GET", "/elements/api-v2/instances/7" }, { seen[1].method, seen[1].target })
    assert.same({ "PUT", "/elements/api-v2/instances/7?reAuthenticate=true", "User uSer, Organization oRg" },
      { seen[2].method, seen[2].target, seen[2].headers.authorization })
    assert.same({
      element = { key = "sfdc" }, name = "Old name", tags = { "a", "b" }, providerData = { code = "c1" },
      configuration = {
        ["oauth.api.key"] = "k", ["oauth.api.secret"] = "s", ["oauth.callback.url"] = "https://app.example.com",
        ["pagination.max"] = "50",
      },
    }, body)
    assert.falsy(seen[2].body:find("old-", 1, true))
    assert.falsy(seen[2].body:find("**", 1, true))
  end)

  it("has no tags to lose, and takes tags that come as objects", function()
    for _, case in ipairs { { nil, "[]" }, { null, "[]" }, { celements.array {}, "[]" },
      { { { id = 1, name = "a" }, { id = 2, name = "b" } }, '["a","b"]' } } do
      local old = { id = 7, name = "n", element = { key = "x" }, tags = case[1] }
      local _, _, body, seen = reauthenticated(old, 7, { code = "c" })
      assert.equal(case[2], celements.json.encode(body.tags))
      assert.same({}, body.configuration)
      assert.truthy(seen[2].body:find('"configuration":{}', 1, true))
    end
  end)

  it("sends no providerData where there is none", function()
    for _, provider_data in ipairs { {}, false } do
      local _, _, body = reauthenticated(OLD, 7, provider_data or nil, { ["api.key"] = "new" })
      assert.is_nil(body.providerData)
      assert.equal("new", body.configuration["api.key"])
    end
  end)

  it("sends nothing when a mask or a template's text is given", function()
    server:answer { { body = assert(celements.json.encode(OLD)) } }
    local instance, err = client:reauthenticate(7, { code = "c" }, { ["oauth.api.key"] = "********" })
    assert.is_nil(instance)
    assert.same({ "config", "not_sent" }, { err.kind, err.outcome })
    assert.truthy(err.message:find("^configuration.oauth.api.key is the mask"))
    assert.equal(1, #server:requests())
    server:answer { {} }
    instance, err = client:reauthenticate(7, { code = "<CODE>" }, { ["oauth.api.key"] = "<YOUR_KEY>" })
    assert.is_nil(instance)
    assert.same({ "configuration.oauth.api.key", "provider_data.code" }, err.placeholders)
    assert.equal(0, #server:requests())
  end)

  it("tidies the application's credentials as create_instance does", function()
    local _, _, body = reauthenticated(OLD, 7, { code = "c1" }, { ["oauth.api.secret"] = "s\n" })
    assert.equal("s", body.configuration["oauth.api.secret"])
    local instance, err, _, seen = reauthenticated(OLD, 7, { code = "c1" }, { ["oauth.api.secret"] = "s\27" })
    assert.is_nil(instance)
    assert.equal("config", err.kind)
    assert.equal(0, #seen)
  end)

  it("spends no code when the instance cannot be read", function()
    server:answer { { status = 404, body = '{"message": "No instance found with id 7"}' } }
    local instance, err = client:reauthenticate(7, { code = "c" })
    assert.is_nil(instance)
    assert.equal("not_found", err.kind)
    assert.equal(1, #server:requests())
  end)

  it("is sent once and no more when its answer is lost", function()
    local patient = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
    server:answer { { body = assert(celements.json.encode(OLD)) }, { hang_up = true }, { body = '{"id": 7}' } }
    local instance, err = patient:reauthenticate(7, { code = "c" })
    assert.is_nil(instance)
    assert.same({ "network", "unknown" }, { err.kind, err.outcome })
    assert.equal(2, #server:requests())
  end)

  it("raises at the caller's line for what cannot be meant", function()
    for _, case in ipairs {
      { function() local r = client:reauthenticate() return r, nil end,
        "the instance's id has to be a string or number, not a nil" },
      { function() local r = client:reauthenticate(7, "code") return r, nil end,
        "provider_data has to be a table or nil, not a string" },
      { function() local r = client:reauthenticate(7, {}, "x") return r, nil end,
        "configuration has to be a table or nil, not a string" },
      { function() local r = client:reauthenticate(7, {}, {}, { x = 1 }) return r, nil end, "unknown option 'x'; the options are headers, retries, timeout" },
    } do
      assert.equal(case[2], raises(case[1]))
    end
  end)
end)

describe("re-authenticating in the sandbox", function()
  local APP = { api_key = "app-key", api_secret = "app-secret", callback_url = "https://app.example.com/callback" }
  local CONFIGURATION = {
    ["oauth.api.key"] = APP.api_key, ["oauth.api.secret"] = APP.api_secret, ["oauth.callback.url"] = APP.callback_url,
  }

  for _, options in ipairs {
    {}, { tags = "objects", secrets = "clear", name_as_tag = "shown" }, { masked = "store" }, { masked = "skip" },
  } do
    local words = {}
    for name, value in pairs(options) do
      words[#words + 1] = name .. " " .. value
    end
    table.sort(words)

    it("keeps id, token, name and tags, and makes a locked-out instance work: " .. table.concat(words, ", "), function()
      local sandbox, client = connected.start(options)
      local instance = assert(client:create_instance {
        element = "sfdc", name = "Sales", tags = { "a", "customer 7" }, configuration = CONFIGURATION,
        provider_data = { code = connected.consent(client, "sfdc", APP).code },
      })
      local hub = client:instance(instance)
      assert(hub:get "/contacts")
      connected.control(sandbox, "POST", "/instances/" .. instance.id, { broken = "token revoked" })
      local _, err = hub:get "/contacts"
      assert.same({ "auth", "token revoked" }, { err.kind, err.provider_message })
      assert.truthy(err.hint:find("client:reauthenticate()", 1, true))
      local before = assert(client:get_instance(instance.id))
      assert.is_false(before.valid)

      local code = connected.consent(client, "sfdc", APP).code
      local again = assert(client:reauthenticate(instance.id, { code = code },
        { ["oauth.api.key"] = APP.api_key, ["oauth.api.secret"] = APP.api_secret }))
      assert.same({ instance.id, instance.token, "Sales" }, { again.id, again.token, again.name })
      assert.same(before.tags, again.tags)
      assert(hub:get "/contacts")
      -- A code works once.
      local spent
      spent, err = client:reauthenticate(instance.id, { code = code }, CONFIGURATION)
      assert.is_nil(spent)
      assert.truthy(err.provider_message)
      sandbox.stop()
    end)
  end

  it("gives an element without consent new credentials", function()
    local sandbox, client = connected.start { refusal_status = 200 }
    local instance = assert(client:create_instance(connected.typeform { configuration = { ["api.key"] = "wrong" } }))
    assert.is_false(instance.valid)
    local again = assert(client:reauthenticate(instance.id, nil, celements.sandbox.credentials "typeform"))
    assert.same({ instance.id, true }, { again.id, again.valid })
    sandbox.stop()
  end)
end)
