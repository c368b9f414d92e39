local celements = require "celements"
local child = require "spec.support.child"
local json = require "spec.support.plain_json"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local USER, ORG = "uSer+Secret/1=", "0rgSecret9876543210"

describe("a client", function()
  it("prints as where it goes, and shows no secret", function()
    local client = celements.new { base_url = "https://api.example.com", user_secret = USER, org_secret = ORG }
    assert.equal("celements.Client (https://api.example.com/elements/api-v2)", tostring(client))
    assert.equal("celements.Client (https://api.example.com/elements/api-v2, without secrets)",
      tostring(celements.new { base_url = "https://api.example.com", user_secret = USER }))
  end)

  it("gives nothing to those who look inside", function()
    local client = celements.new { base_url = "127.0.0.1:1", user_secret = USER, org_secret = ORG }
    assert.is_nil(next(client))
    for name in pairs(client) do
      error("it has a field " .. tostring(name))
    end
    for _, name in ipairs { "user_secret", "org_secret", "secrets", "options", "settings" } do
      assert.is_nil(client[name])
    end
    assert.equal("celements.Client", getmetatable(client))
    assert.falsy(pcall(setmetatable, client, nil))
  end)

  it("opens no connection by being made", function()
    assert.truthy(celements.new { base_url = "127.0.0.1:1" })
    assert.truthy(celements.new { base_url = "no-such-host.invalid" })
  end)

  it("is one of many: each has its own secrets and place", function()
    local one, two = recorder.start(), recorder.start()
    local first = celements.new { base_url = one.url, user_secret = "u1", org_secret = "o1" }
    local second = celements.new { base_url = two.url, user_secret = "u2", org_secret = "o2" }
    for _ = 1, 2 do
      assert(first:request("GET", "/a"))
      assert(second:request("GET", "/b"))
    end
    for _, request in ipairs(one:requests()) do
      assert.same({ "/elements/api-v2/a", "User u1, Organization o1" },
        { request.target, request.headers.authorization })
    end
    for _, request in ipairs(two:requests()) do
      assert.same({ "/elements/api-v2/b", "User u2, Organization o2" },
        { request.target, request.headers.authorization })
    end
    one:stop()
    two:stop()
  end)

  it("goes away when nobody holds it", function()
    local weak = setmetatable({ celements.new { base_url = "127.0.0.1:1", user_secret = USER } }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)

  it("can be used by a script that ends without tidying up", function()
    local server = recorder.start()
    local fine, out, err = child(([[
      local client = require("celements").new { base_url = %q }
      print(client:request("GET", "/a"))
      os.exit(0)
    ]]):format(server.url))
    assert.equal("", err)
    assert.is_true(fine)
    assert.truthy(out:find("^true\t"))
    server:stop()
  end)
end)

describe("client:request", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = USER, org_secret = ORG }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:answer { {} }
  end)

  it("sends any method to any path below the base URL", function()
    for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" } do
      server:answer { {} }
      assert.is_true((client:request(method, "/hubs/crm/contacts")))
      local request = server:request()
      assert.equal(method, request.method)
      assert.equal("/elements/api-v2/hubs/crm/contacts", request.target)
      assert.equal("User " .. USER .. ", Organization " .. ORG, request.headers.authorization)
    end
  end)

  it("takes the method in small letters too", function()
    assert(client:request("delete", "/instances/1"))
    assert.equal("DELETE", server:request().method)
  end)

  it("puts a query table in the order of the alphabet, a list value once per item", function()
    assert(client:request("GET", "/x", { query = { where = "a = 'b c'", pageSize = 200, active = true, ids = { 1, 2 },
      Z = "", none = {} } }))
    assert.equal("/elements/api-v2/x?Z=&active=true&ids=1&ids=2&pageSize=200&where=a%20%3D%20%27b%20c%27",
      server:request().target)
  end)

  it("puts a query of texts alone in the same order, each as it is", function()
    for query, wanted in pairs {
      [{ where = "a = 'b c'", pageSize = "200", Z = "" }] = "Z=&pageSize=200&where=a%20%3D%20%27b%20c%27",
      [{ b = "1+1", a = "50%" }] = "a=50%25&b=1%2B1",
      [{ b = "<INSERT>", a = "\195\188\n" }] = "a=%C3%BC%0A&b=%3CINSERT%3E",
    } do
      assert(client:request("GET", "/x", { query = query }))
      assert.equal("/elements/api-v2/x?" .. wanted, server:request().target)
      server:answer { { body = "{}" } }
    end
  end)

  it("keeps the order of a list of pairs", function()
    assert(client:request("GET", "/x", { query = { { "b", 1 }, { "a", "ü" }, { "b", false }, { "c", { "x", "y" } } } }))
    assert.equal("/elements/api-v2/x?b=1&a=%C3%BC&b=false&c=x&c=y", server:request().target)
  end)

  it("sends no question mark without a query", function()
    assert(client:request("GET", "/x", { query = {} }))
    assert.equal("/elements/api-v2/x", server:request().target)
  end)

  it("sends JSON with its type, also the empty and the false", function()
    for _, case in ipairs {
      { { a = { 1, "x" } }, '{"a": [1, "x"]}' }, { celements.array {}, "[]" }, { {}, "{}" }, { false, "false" },
      { celements.null, "null" },
      { "text", '"text"' }, { { id = 12345 }, '{"id": 12345}' },
    } do
      server:answer { {} }
      assert(client:request("PATCH", "/x", { json = case[1] }))
      local request = server:request()
      assert.equal("application/json", request.headers["content-type"])
      assert.is_nil(json.difference(json.decode(request.body), json.decode(case[2])))
      assert.equal(tostring(#request.body), request.headers["content-length"])
    end
  end)

  it("sends no content type without a body", function()
    for _, method in ipairs { "GET", "DELETE" } do
      server:answer { {} }
      assert(client:request(method, "/x"))
      assert.is_nil(server:request().headers["content-type"])
    end
  end)

  it("sends headers of the call, which win over those of the client", function()
    local own = celements.new { base_url = server.url, headers = { ["X-One"] = "client", ["X-Two"] = "client" },
      user_agent = "agent/1" }
    assert(own:request("GET", "/x", { headers = { ["x-two"] = "call", ["X-Three"] = 3 } }))
    local headers = server:request().headers
    assert.same({ "client", "call", "3", "agent/1" },
      { headers["x-one"], headers["x-two"], headers["x-three"], headers["user-agent"] })
  end)

  it("says who it is", function()
    assert(client:request("GET", "/x"))
    assert.truthy(server:request().headers["user-agent"]:find("^celements/%d+%.%d+%.%d+$"))
  end)

  it("refuses headers that are ours to make, or that would start another one", function()
    for _, case in ipairs {
      { { Authorization = "User x" }, "the Authorization header is made from user_secret and org_secret" },
      { { authorization = "User x" }, "the Authorization header is made from user_secret and org_secret" },
      { { ["Content-Length"] = "5" }, "the header Content-Length is libcurl's to write: it says where a request ends and where it goes" },
      { { HOST = "x" }, "the header HOST is libcurl's to write: it says where a request ends and where it goes" },
      { { ["X-A"] = "b\r\nX-C: d" }, "the header X-A holds a control character" },
      { { ["X-A\r\nX-C"] = "d" }, "a header's name has characters that do not belong there" },
      { { ["X A"] = "b" }, "a header's name has characters that do not belong there" },
      { { [""] = "b" }, "a header's name has characters that do not belong there" },
      { { "X-A: b" }, "a header's name has to be a string, not a number" },
      { { ["X-A"] = true }, "the header X-A has to be a string or number, not a boolean" },
      { "X-A: b", "headers has to be a table, not a string" },
    } do
      assert.equal(case[2], raises(function()
        local result = client:request("GET", "/x", { headers = case[1] })
        return result, nil
      end))
      if type(case[1]) == "table" then
        assert.equal(case[2], raises(function()
          local other = celements.new { base_url = server.url, headers = case[1] }
          return other, nil
        end))
        assert.equal(case[2], raises(function()
          local result = client:create_instance({ element = "x" }, { headers = case[1] })
          return result, nil
        end))
        assert.equal(case[2], raises(function()
          local result = client:oauth_url({ element = "x" }, { headers = case[1] })
          return result, nil
        end))
      end
    end
    assert.equal(0, #server:requests())
  end)

  it("raises at the caller's line for a call that cannot be meant", function()
    for _, case in ipairs {
      { { nil, "/x" }, "the method has to be a string, not a nil" },
      { { "FETCH", "/x" }, "the method has to be one of DELETE, GET, HEAD, PATCH, POST and PUT" },
      { { "GET" }, "the path has to be a string, not a nil" },
      { { "GET", "x" }, "the path has to start with '/'" },
      { { "GET", "" }, "the path has to start with '/'" },
      { { "GET", "/a b" }, "the path has to start with '/'" },
      { { "GET", "/a?b=c" }, "the path has to start with '/'" },
      { { "GET", "/a#b" }, "the path has to start with '/'" },
      { { "GET", "/a/../b" }, "the path has to start with '/'" },
      { { "GET", "/a%2" }, "the path has to start with '/'" },
      { { "GET", "/a\r\n" }, "the path has to start with '/'" },
      { { "GET", "/x", "y" }, "options has to be a table, not a string" },
      { { "GET", "/x", { querry = {} } }, "unknown option 'querry', did you mean 'query'?" },
      { { "GET", "/x", { body = "{}" } }, "unknown option 'body'" },
      { { "GET", "/x", { timeout = "5" } }, "timeout has to be a number, not a string" },
      { { "GET", "/x", { timeout = 0 } }, "timeout has to be a number of seconds above 0" },
      { { "GET", "/x", { query = "a=b" } }, "query has to be a table, not a string" },
      { { "GET", "/x", { query = { a = {{}} } } },
        "the query parameter a has to be a string or number or boolean, not a table" },
      { { "GET", "/x", { query = { a = print } } },
        "the query parameter a has to be a string or number or boolean, not a function" },
      { { "GET", "/x", { query = { "a" } } }, "each pair of a query list has to be a table, not a string" },
      { { "GET", "/x", { query = { { 1, "b" } } } }, "a query parameter's name has to be a string, not a number" },
      { { "GET", "/x", { query = { { "a" } } } },
        "the query parameter a has to be a string or number or boolean, not a nil" },
      { { "GET", "/x", { query = { [true] = 1 } } }, "a query parameter's name has to be a string, not a boolean" },
      { { "GET", "/x", { element_token = "a\nb" } }, "element_token holds a line break" },
      { { "GET", "/x", { retries = -1 } }, "retries has to be a whole number, 0 or more" },
      { { "GET", "/x", { retries = 0 / 0 } }, "retries has to be a whole number, 0 or more" },
      { { "GET", "/x", { query = false } }, "query has to be a table, not a boolean" },
      { { "GET", "/x", { query = { a = 0 / 0 } } }, "the query parameter a has to be a finite number" },
      { { "GET", "/x", { query = { a = 2 ^ 60 } } }, "the query parameter a is beyond 2^53" },
      { { "GET", "/x", { query = { a = { "b", nil, "c" } } } }, "the query parameter a has a hole: item 2 of 3 is nil" },
      { { "GET", "/x", { query = { { "a", "b" }, nil, { "c", "d" } } } }, "the query has a hole: item 2 of 3 is nil" },
    } do
      local message = raises(function()
        local result = client:request(case[1][1], case[1][2], case[1][3])
        return result, nil
      end)
      assert.truthy(message:find(case[2], 1, true), message)
    end
    assert.equal(0, #server:requests())
  end)

  it("takes any 2xx for success, and gives true for an empty body", function()
    for _, status in ipairs { 200, 201, 202, 204, 206, 299 } do
      server:answer { { status = status } }
      local result, info = client:request("GET", "/x")
      assert.same({ true, status }, { result, info.status })
    end
    server:answer { { status = 201, body = '{"a": 1}' } }
    assert.same({ a = 1 }, (client:request("POST", "/x")))
    server:answer { { body = "[]" } }
    assert.same({}, (client:request("GET", "/x")))
    server:answer { { body = "false" } }
    assert.is_false((client:request("GET", "/x")))
    server:answer { { body = "null" } }
    assert.equal(celements.null, (client:request("GET", "/x")))
  end)

  it("reads the platform's answers leniently", function()
    server:answer { { body = '{"message": "two\nlines"}', headers = { ["Content-Type"] = "text/plain" } } }
    assert.same({ message = "two\nlines" }, (client:request("GET", "/x")))
  end)

  it("tells what is known of the call beside the result", function()
    server:answer { {
      status = 201, body = "{}",
      headers = { ["Elements-Request-Id"] = "5b0f9e", ["Elements-Error"] = "deprecated", ["X-Mixed-Case"] = "Value" },
    } }
    local _, info = client:request("GET", "/x")
    assert.same({ 201, "5b0f9e", 1, "deprecated" }, { info.status, info.request_id, info.attempts, info.warning })
    assert.equal("Value", info.headers["x-mixed-case"])
    assert.is_nil(info.headers["X-Mixed-Case"])
    assert.is_true(info.seconds > 0 and info.seconds < 5)
    assert.is_boolean(info.reused)
    _, info = client:request("GET", "/x")
    assert.is_true(info.reused) -- the connection was kept
  end)

  it("has no warning and no request id when the platform sends none", function()
    local _, info = client:request("GET", "/x")
    assert.is_nil(info.warning)
    assert.is_nil(info.request_id)
  end)

  it("goes with the instance's token where it is given", function()
    assert(client:request("GET", "/hubs/crm/contacts", { element_token = "t0ken+/=" }))
    assert.equal("User " .. USER .. ", Element t0ken+/=", server:request().headers.authorization)
    server:answer { {} }
    assert(client:request("GET", "/instances/1", { element_token = "t0ken+/=" }))
    assert.equal("User " .. USER .. ", Organization " .. ORG .. ", Element t0ken+/=",
      server:request().headers.authorization)
  end)
end)

describe("the deadline", function()
  local server

  setup(function()
    server = recorder.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("is that of the call, else that of the client", function()
    for _, case in ipairs { { {}, { timeout = 0.2 } }, { { timeout = 0.2 } },
      { { timeout = 30 }, { timeout = 0.2 } } } do
      server:answer { { delay = 5 } }
      case[1].base_url = server.url
      local client = celements.new(case[1])
      local started = require("socket").gettime()
      local result, err = client:request("GET", "/x", case[2])
      local seconds = require("socket").gettime() - started
      assert.is_nil(result)
      assert.same({ "timeout", "wait", "unknown", 1 }, { err.kind, err.phase, err.outcome, err.attempts })
      assert.truthy(err.hint:find("larger timeout", 1, true))
      assert.is_true(seconds >= 0.19 and seconds < 2, "it took " .. seconds)
    end
  end)

  it("covers the retries: none is begun that it leaves no time for", function()
    server:answer { { status = 503, headers = { ["Retry-After"] = "5" } } }
    local started = require("socket").gettime()
    local _, err = celements.new({ base_url = server.url, timeout = 2 }):request("GET", "/x")
    assert.same({ "server", 503, 5, 1 }, { err.kind, err.status, err.retry_after, err.attempts })
    assert.is_true(require("socket").gettime() - started < 1)
    assert.equal(1, #server:requests())
  end)

  it("leaves later attempts what the earlier ones have not used", function()
    server:answer { { status = 503, delay = 0.5, headers = { ["Retry-After"] = "0" } }, { delay = 5 } }
    local started = require("socket").gettime()
    local _, err = celements.new({ base_url = server.url, timeout = 0.7 }):request("GET", "/x")
    local seconds = require("socket").gettime() - started
    assert.same({ "timeout", 2 }, { err.kind, err.attempts })
    assert.is_true(seconds > 0.65 and seconds < 1.15, "it took " .. seconds)
  end)

  it("is one for a function that makes several calls", function()
    local client = celements.new { base_url = server.url, user_secret = USER, org_secret = ORG, timeout = 0.5 }
    local instance = '{"id": 1, "key": "k", "name": "n", "element": {"key": "x"}, "defaultValue": "oauth2"}'
    for name, call in pairs {
      reauthenticate = function() return client:reauthenticate(1, { code = "c" }) end,
      create_instance = function() return client:create_instance { element = "x", check = true } end,
      skeleton = function() return client:skeleton "x" end,
      required_configuration = function() return client:required_configuration "x" end,
      element_docs = function() return client:element_docs "x" end,
      set_instance_configuration = function() return client:set_instance_configuration(1, "key", "v") end,
    } do
      local body = name == "set_instance_configuration" and '[{"id": 5, "key": "key"}]' or instance
      server:answer { { delay = 0.35, body = body } }
      local started = require("socket").gettime()
      local result, err = call()
      local seconds = require("socket").gettime() - started
      assert.is_nil(result, name)
      assert.equal("timeout", err.kind, name)
      assert.is_true(seconds < 0.65, ("%s took %g"):format(name, seconds))
    end
  end)

  it("leaves nothing for a call that is to begin after it", function()
    server:answer { {} }
    local of_module = require "celements.client"
    local client = celements.new { base_url = server.url }
    local options = of_module.within(client, { timeout = 0.001 })
    require("socket").sleep(0.005)
    local result, err = of_module.send(client, { method = "POST", path = "/x" }, options, 1)
    assert.is_nil(result)
    assert.same({ "timeout", "not_sent", 0, "/x" }, { err.kind, err.outcome, err.attempts, err.path })
    assert.equal(0, #server:requests())
  end)
end)

describe("a method of a client that is called with a dot", function()
  local client = celements.new { base_url = "http://127.0.0.1:1", user_secret = USER, org_secret = ORG }
  local NAMES = {
    "oauth_url", "oauth_token", "create_instance", "create_instances", "map", "request", "curl", "defer", "stats", "whoami",
    "usage", "element", "skeleton", "required_configuration", "instance", "instances", "get_instance", "update_instance",
    "replace_instance", "delete_instance", "enable_instance", "disable_instance", "instance_configuration",
    "set_instance_configuration", "reauthenticate",
  }

  it("says what a colon is for, at the line of the call", function()
    for _, name in ipairs(NAMES) do
      local method = client[name]
      for _, arguments in ipairs { { { element = "hubspot" } }, { "12345", { element = "hubspot", name = "n" } }, { 5 } } do
        local told = raises(function()
          local result = method(arguments[1], arguments[2])
          return result
        end)
        assert.truthy(told:find("call a method with a colon", 1, true), name .. ": " .. told)
      end
    end
  end)

  it("is not what is wrong where the object is right", function()
    for _, name in ipairs { "get_instance", "create_instance", "oauth_url", "request", "map" } do
      local told = raises(function()
        local result = client[name](client)
        return result
      end)
      assert.is_nil(told:find("colon", 1, true), told)
    end
  end)
end)
