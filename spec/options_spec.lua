local celements = require "celements"
local options = require "celements.options"
local raises = require "spec.support.raises"

local function nothing()
  return nil
end

local function environment(values)
  return function(name)
    return values[name]
  end
end

describe("the options of a client", function()
  it("have defaults", function()
    local read = assert(options.read(nil, 1, nothing))
    assert.equal("https://api.cloud-elements.com/elements/api-v2", read.base_url)
    assert.equal(10, read.connect_timeout)
    assert.equal(2, read.retries)
    assert.equal(16 * 1024 * 1024, read.max_body)
    assert.equal("1.1", read.http_version)
    assert.is_nil(read.timeout) -- 60, or 120 where an instance is made
    assert.is_nil(read.user_secret)
    assert.is_nil(read.org_secret)
  end)

  local ENVIRONMENT = environment {
    CELEMENTS_BASE_URL = "env.example.com", CELEMENTS_USER_SECRET = "env-user", CELEMENTS_ORG_SECRET = "env-org",
    CELEMENTS_TIMEOUT = "7.5",
  }

  it("come from the environment when the program does not name them", function()
    local read = assert(options.read({}, 1, ENVIRONMENT))
    assert.equal("https://env.example.com/elements/api-v2", read.base_url)
    assert.equal("env-user", read.user_secret)
    assert.equal("env-org", read.org_secret)
    assert.equal(7.5, read.timeout)
  end)

  it("beat the environment one by one when they are named", function()
    local read = assert(options.read({ user_secret = "mine", timeout = 3 }, 1, ENVIRONMENT))
    assert.equal("mine", read.user_secret)
    assert.equal(3, read.timeout)
    assert.equal("env-org", read.org_secret)
    assert.equal("https://env.example.com/elements/api-v2", read.base_url)
  end)

  it("take an empty variable for one that is not set", function()
    local read = assert(options.read({}, 1, environment { CELEMENTS_USER_SECRET = "", CELEMENTS_TIMEOUT = "",
      CELEMENTS_BASE_URL = "" }))
    assert.is_nil(read.user_secret)
    assert.is_nil(read.timeout)
    assert.equal("https://api.cloud-elements.com/elements/api-v2", read.base_url)
  end)

  it("are copied: changing the table afterwards changes nothing", function()
    local given = { user_secret = "a" }
    local read = assert(options.read(given, 1, nothing))
    given.user_secret = "b"
    assert.equal("a", read.user_secret)
    assert.is_nil(given.retries)
  end)

  it("lose the line break that a base URL read from a file has at its end", function()
    local read = assert(options.read({}, 1, environment { CELEMENTS_BASE_URL = "https://example.com\r\n" }))
    assert.equal("https://example.com/elements/api-v2", read.base_url)
    assert.equal("/ca.pem", assert(options.read({ ca_file = "/ca.pem\n" }, 1, nothing)).ca_file)
  end)

  it("lose the line break that a secret read from a file has at its end, and only that", function()
    for given, kept in pairs { ["abc\n"] = "abc", ["abc\r\n"] = "abc" } do
      assert.equal(kept, assert(options.read({ user_secret = given }, 1, nothing)).user_secret)
      assert.equal(kept, assert(options.read({}, 1, environment { CELEMENTS_ORG_SECRET = given })).org_secret)
    end
    local read, problem = options.read({ user_secret = "abc\n\n" }, 1, nothing)
    assert.is_nil(read)
    assert.truthy(problem:find("user_secret holds a line break", 1, true))
  end)

  it("name the variable, not the option, when the environment's value is of no use", function()
    for name, value in pairs {
      CELEMENTS_USER_SECRET = "ab\1cd", CELEMENTS_ORG_SECRET = "“abcd”", CELEMENTS_TIMEOUT = "soon",
      CELEMENTS_BASE_URL = "ftp://x",
    } do
      local read, problem = options.read({}, 1, environment { [name] = value })
      assert.is_nil(read)
      assert.truthy(problem:find(name, 1, true), problem)
      assert.falsy(problem:find("abcd", 1, true))
    end
    local _, problem = options.read({}, 1, environment { CELEMENTS_TIMEOUT = "-1" })
    assert.truthy(problem:find("CELEMENTS_TIMEOUT has to be a number of seconds above 0", 1, true))
  end)
end)

describe("celements.new", function()
  it("raises at the caller's line for an option it does not know, with the nearest name", function()
    assert.equal("unknown option 'user_secrets', did you mean 'user_secret'?", raises(function()
      local client = celements.new { user_secrets = "x" }
      return client, nil
    end))
    assert.equal("unknown option 'baseUrl', did you mean 'base_url'?", raises(function()
      local client = celements.new { baseUrl = "x" }
      return client, nil
    end))
    local all = "; the options are allow_http, base_url, ca_file, connect_timeout, headers, http_version, max_body, "
      .. "on_response, org_secret, proxy, retries, timeout, user_agent, user_secret, waiter"
    assert.equal("unknown option 'flavour'" .. all, raises(function()
      local client = celements.new { flavour = "x" }
      return client, nil
    end))
    assert.equal("unknown option '1'" .. all, raises(function()
      local client = celements.new { "https://api.cloud-elements.com" }
      return client, nil
    end))
  end)

  it("raises at the caller's line for an option of the wrong type, with its name and both types", function()
    for name, case in pairs {
      base_url = { 1, "base_url has to be a string, not a number" },
      user_secret = { {}, "user_secret has to be a string, not a table" },
      timeout = { "60", "timeout has to be a number, not a string" },
      on_response = { "print", "on_response has to be a function, not a string" },
      allow_http = { "yes", "allow_http has to be a boolean, not a string" },
      headers = { "X: y", "headers has to be a table, not a string" },
    } do
      assert.equal(case[2], raises(function()
        local client = celements.new { [name] = case[1] }
        return client, nil
      end))
    end
    assert.equal("options has to be a table, not a string", raises(function()
      local client = celements.new "https://api.cloud-elements.com"
      return client, nil
    end))
  end)

  it("raises at the caller's line for a value that cannot be used, with the option's name", function()
    for _, case in ipairs {
      { { timeout = 0 }, "timeout has to be a number of seconds above 0" },
      { { timeout = -1 }, "timeout has to be a number of seconds above 0" },
      { { timeout = math.huge }, "timeout has to be a number of seconds above 0" },
      { { timeout = 0 / 0 }, "timeout has to be a number of seconds above 0" },
      { { connect_timeout = 0 }, "connect_timeout has to be a number of seconds above 0" },
      { { retries = -1 }, "retries has to be a whole number, 0 or more" },
      { { retries = 1.5 }, "retries has to be a whole number, 0 or more" },
      { { max_body = -1 }, "max_body has to be a whole number, 0 or more" },
      { { http_version = "3" }, 'http_version has to be "1.1" or "2"' },
      { { user_secret = "" }, "user_secret is empty" },
      { { user_secret = "secret\nsecret" }, "user_secret holds a line break at position 7 of 13" },
      { { org_secret = "‘secret’" }, "org_secret holds a curly quote" },
      { { user_secret = "<USER_SECRET>" }, "user_secret is still a template's text" },
      { { user_secret = "User abc=" }, "user_secret begins with 'User', which belongs to the Authorization header" },
      { { base_url = "http://example.com" }, "base_url is plain http to another machine" },
      { { base_url = "" }, "base_url is not a host or URL" },
      { { user_agent = "a\r\nX: y" }, "user_agent holds a control character" },
      { { ca_file = "a\nb" }, "ca_file holds a control character" },
      { { waiter = "uv" }, "waiter has to be one of" },
    } do
      local message = raises(function()
        local client = celements.new(case[1])
        return client, nil
      end)
      assert.truthy(message:find(case[2], 1, true), message)
      assert.falsy(message:find("secret\n", 1, true))
    end
  end)

  it("takes http to another machine when allow_http says so", function()
    assert.truthy(tostring(celements.new { base_url = "http://example.com",
      allow_http = true }):find("http://example.com", 1, true))
  end)
end)
