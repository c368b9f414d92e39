local celements = require "celements"
local child = require "spec.support.child"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

describe("celements", function()
  it("has a version of three numbers", function()
    assert.truthy(celements._VERSION:find("^%d+%.%d+%.%d+$"))
  end)

  it("has the names that the interface promises", function()
    for _, name in ipairs { "new", "oauth_url", "oauth_token", "parse_callback", "create_instance", "path", "array" } do
      assert.is_function(celements[name], name)
    end
    for _, name in ipairs { "decode", "encode", "load" } do
      assert.is_function(celements.json[name], name)
    end
    assert.equal(celements.json.null, celements.null)
    assert.is_function(celements.sandbox.start)
    assert.is_nil(celements.no_such_name)
  end)

  it("says what to do when the C core found is another Lua's", function()
    local fine, _, err = child [[
      package.preload["celements.core"] = function()
        error("error loading module 'celements.core' from file 'core.so': undefined symbol: luaL_setfuncs", 0)
      end
      require "celements"
    ]]
    assert.is_false(fine)
    assert.truthy(err:find("is built for another Lua than this " .. _VERSION .. ": install it for this one", 1, true), err)
    assert.truthy(err:find("undefined symbol: luaL_setfuncs", 1, true), err)
  end)

  it("says what to do when there is no C core", function()
    local fine, _, err = child [[
      package.cpath = "/nowhere/?.so"
      package.loaded["celements.core"] = nil
      require "celements"
    ]]
    assert.is_false(fine)
    assert.truthy(err:find("the C core of celements is not there for this " .. _VERSION .. ": in a checkout `make LUA=...`", 1, true), err)
    assert.truthy(err:find("/nowhere/celements/core.so", 1, true), err)
  end)

  it("writes no global but assert, and that only where it shows no error of ours", function()
    local fine, out, err = child [[
      local before, stock = {}, assert
      for name in pairs(_G) do before[name] = true end
      require "celements"
      for name in pairs(_G) do
        if not before[name] then print(name) end
      end
      local carries = select(2, pcall(stock, nil, {}))
      print(type(carries) == "table" and assert ~= stock and "replaced for nothing" or "fine")
    ]]
    assert.equal("", err)
    assert.is_true(fine)
    assert.equal("fine\n", out)
  end)
end)

describe("celements.path", function()
  it("encodes each segment by itself", function()
    assert.equal("/instances/12345", celements.path("instances", 12345))
    assert.equal("/elements/FreshBooks%20Classic/oauth/url",
      celements.path("elements", "FreshBooks Classic", "oauth", "url"))
    assert.equal("/hubs/a%2Fb%3Fc%23d%25", celements.path("hubs", "a/b?c#d%"))
    assert.equal("/a-._~/%C3%A9%2B", celements.path("a-._~", "é+"))
    assert.equal("/%2E%2E/%2E/...", celements.path("..", ".", "..."))
  end)

  it("writes ids whole", function()
    assert.equal("/instances/1000000000000000", celements.path("instances", 1e15))
    assert.equal("/instances/12345", celements.path("instances", 12345.0))
  end)

  it("raises at the caller's line for a segment that is none", function()
    for _, segment in ipairs { "", {}, true, 1.5 } do
      raises(function()
        local path = celements.path("instances", segment)
        return path, nil
      end)
    end
    raises(function()
      local path = celements.path("instances", nil)
      return path, nil
    end)
  end)
end)

describe("the module's functions", function()
  local server

  setup(function()
    server = recorder.start()
  end)

  teardown(function()
    server:stop()
  end)

  local SCRIPT = [[
    local celements = require "celements"
    local url = assert(celements.oauth_url { element = "hubspot" })
    local instance = assert(celements.create_instance { element = "hubspot", name = "Test" })
    print(url.oauthUrl, instance.id)
  ]]

  it("make their client from the environment", function()
    server:answer { { body = '{"oauthUrl": "https://x"}' }, { body = '{"id": 5}' } }
    local fine, out, err = child(SCRIPT, {
      CELEMENTS_BASE_URL = server.url, CELEMENTS_USER_SECRET = "env-user", CELEMENTS_ORG_SECRET = "env-org",
    })
    assert.equal("", err)
    assert.is_true(fine)
    assert.equal("https://x\t5\n", out)
    for _, request in ipairs(server:requests()) do
      assert.equal("User env-user, Organization env-org", request.headers.authorization)
    end
  end)

  it("tell what is wrong with the environment as an error, not by raising", function()
    local fine, out, err = child([[
      local celements = require "celements"
      local result, problem = celements.oauth_url { element = "hubspot" }
      print(result, problem.kind, problem.outcome, problem.message)
    ]], { CELEMENTS_TIMEOUT = "soon" })
    assert.equal("", err)
    assert.is_true(fine)
    assert.equal("nil\tconfig\tnot_sent\tCELEMENTS_TIMEOUT is not a number\n", out)
  end)

  it("take options that beat the environment", function()
    server:answer { { body = '{"oauthUrl": "https://x"}' } }
    local fine, _, err = child(([[
      local celements = require "celements"
      assert(celements.oauth_url({ element = "hubspot" }, { base_url = %q, user_secret = "mine" }))
    ]]):format(server.url), { CELEMENTS_BASE_URL = "http://127.0.0.1:1", CELEMENTS_USER_SECRET = "env",
      CELEMENTS_ORG_SECRET = "env-org" })
    assert.equal("", err)
    assert.is_true(fine)
    assert.equal("User mine, Organization env-org", server:request().headers.authorization)
  end)

  it("raise at the caller's line, whatever the mistake", function()
    for _, name in ipairs { "oauth_url", "oauth_token", "create_instance" } do
      assert.equal("params has to be a table, not a string", raises(function()
        local result = celements[name]("hubspot", { base_url = server.url })
        return result, nil
      end))
      assert.equal("params has to be a table, not a nil", raises(function()
        local result = celements[name]()
        return result, nil
      end))
      assert.equal("unknown option 'user_secrets', did you mean 'user_secret'?", raises(function()
        local result = celements[name]({ element = "hubspot" }, { user_secrets = "x" })
        return result, nil
      end))
      assert.equal("timeout has to be a number of seconds above 0", raises(function()
        local result = celements[name]({ element = "hubspot" }, { timeout = 0 })
        return result, nil
      end))
      assert.equal("a parameter's name has to be a string, not a number", raises(function()
        local result = celements[name]({ "hubspot" }, { base_url = server.url })
        return result, nil
      end))
    end
  end)
end)
