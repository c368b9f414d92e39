local celements = require "celements"
local core = require "celements.core"
local json = require "spec.support.plain_json"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

describe("oauth_url", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:answer { { body = '{"oauthUrl": "https://provider.example.com/?a=b", "element": "hubspot"}' } }
  end)

  local function query_of(params)
    params.element = params.element or "hubspot"
    assert(client:oauth_url(params))
    return server:request().target:match("%?(.*)$")
  end

  it("asks for the URL and gives the answer decoded, and what is known of the call beside it", function()
    local answer, info = client:oauth_url { element = "hubspot", api_key = "k" }
    assert.same({ oauthUrl = "https://provider.example.com/?a=b", element = "hubspot" }, answer)
    assert.equal(200, info.status)
    local request = server:request()
    assert.equal("GET", request.method)
    assert.equal("/elements/api-v2/elements/hubspot/oauth/url?apiKey=k", request.target)
    assert.equal("", request.body)
    assert.is_nil(request.headers["content-type"])
    assert.equal("application/json", request.headers.accept)
  end)

  it("does not take an empty answer or a text for the object that was asked for", function()
    for _, body in ipairs { "", "null", "false", "12", '"text"' } do
      server:answer { { body = body } }
      for _, name in ipairs { "oauth_url", "oauth_token" } do
        local result, err = client[name](client, { element = "hubspot", api_key = "k" })
        assert.is_nil(result)
        assert.same({ "decode", "the answer is not an object" }, { err.kind, err.message })
      end
    end
  end)

  it("sends the page's own parameters in the page's own order", function()
    assert.equal("apiKey=123456789d-1234-12e4-bda9-12345b8bf20&apiSecret=123456&scope=contacts-rw%20offline"
      .. "&callbackUrl=http%3A%2F%2Fdemonstrab.ly", query_of {
      api_key = "123456789d-1234-12e4-bda9-12345b8bf20", api_secret = "123456", scope = "contacts-rw offline",
      callback_url = "http://demonstrab.ly",
    })
  end)

  it("has a name of ours for each of the wire's, and takes the wire's too", function()
    for ours, wire in pairs {
      api_key = "apiKey", api_secret = "apiSecret", callback_url = "callbackUrl", site_address = "siteAddress",
      request_token = "requestToken", callback_proxy = "callbackProxy", is_oauth_proxy = "isOauthProxy",
      oauth_proxy_name = "oauthProxyName", scopes = "scope", state = "state",
    } do
      assert.equal(wire .. "=x", query_of { [ours] = "x" })
      server:answer { { body = "{}" } }
      assert.equal(wire .. "=x", query_of { [wire] = "x" })
      server:answer { { body = "{}" } }
    end
  end)

  it("raises at the caller's line when the same parameter has both its spellings", function()
    assert.equal("apiKey and api_key are the same parameter; give one of them", raises(function()
      local answer = client:oauth_url { element = "hubspot", api_key = "a", apiKey = "a" }
      return answer, nil
    end))
    assert.equal("callbackUrl and callback_url are the same parameter; give one of them", raises(function()
      local answer = celements.oauth_url({ element = "hubspot", callback_url = "a", callbackUrl = "b" },
        { base_url = server.url })
      return answer, nil
    end))
    assert.equal("scope and scopes are the same parameter; give one of them", raises(function()
      local answer = client:oauth_token { element = "hubspot", scopes = {}, scope = "" }
      return answer, nil
    end))
    assert.equal(0, #server:requests())
  end)

  it("sends any other name as it is written", function()
    assert.equal("Some%20Name=1&oauth.scope=a&servicenow.subdomain=dev1&site_id=2", query_of {
      ["servicenow.subdomain"] = "dev1", ["oauth.scope"] = "a", site_id = "2", ["Some Name"] = "1",
    })
  end)

  it("sends equal calls as equal bytes: the first five in their order, the others by name", function()
    for _ = 1, 3 do
      assert.equal("apiKey=1&apiSecret=2&scope=3&callbackUrl=4&state=5&Zebra=6&alpha=7&siteAddress=8&zoo=9", query_of {
        zoo = "9", state = "5", alpha = "7", api_key = "1", site_address = "8", scope = "3", callback_url = "4",
        Zebra = "6",
        api_secret = "2",
      })
      server:answer { { body = "{}" } }
    end
  end)

  it("comes out the same whether it is read at one look or with all that could be odd about it", function()
    local names = {
      "api_key", "apiSecret", "api_secret", "scope", "scopes", "callback_url", "callbackUrl", "state", "zoo", "Zebra",
      "a name", "site_address", "post",
    }
    local values = { "", "x", "y.z", "1", "a b", "http://demonstrab.ly/?a=b&c", "a+b", "~!'()*", "50%", "a\tb\n", "\195\169", 7, true, "<X>" }
    local at_one_look, random = core.params.query, math.random
    math.randomseed(4711)
    local usual = 0
    local function counting(...)
      local text, element = at_one_look(...)
      usual = usual + (text and 1 or 0)
      return text, element
    end
    local function outcome(params)
      server:answer { { body = "{}" } }
      local fine, answer, err = pcall(client.oauth_url, client, params)
      return fine and answer and server:request().target or tostring(fine and err or answer)
    end
    for _ = 1, 400 do
      local params = { element = ({ "hubspot", "hubspot", "my element", 25 })[random(4)] }
      for _ = 1, random(4) do
        params[names[random(#names)]] = values[random(#values)]
      end
      core.params.query = counting
      local quick = outcome(params)
      core.params.query = function() end
      local slow = outcome(params)
      core.params.query = at_one_look
      assert.equal(slow, quick)
    end
    assert.is_true(usual > 20)
  end)

  it("encodes all but the unreserved characters, a space as %20", function()
    assert.equal("state=AZaz09-._~%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D%C3%A9%E2%82%AC",
      query_of { state = "AZaz09-._~ !\"#$%&'()*+,/:;=?@[]é€" })
  end)

  it("writes true, false and numbers as text", function()
    assert.equal("a=true&b=false&c=42&d=0.5&e=1000000000000&f=-1",
      query_of { a = true, b = false, c = 42.0, d = 0.5, e = 1e12, f = -1 })
  end)

  it("writes integers whole, however large", function()
    local largest, text = 2 ^ 53, "9007199254740992" -- of Lua 5.1 and 5.2, whose numbers are doubles
    if math.type then
      largest, text = math.maxinteger, "9223372036854775807"
    end
    assert.equal("a=" .. text .. "&b=" .. text, query_of { a = largest, b = { largest } })
  end)

  it("sends the name once per item of a list", function()
    assert.equal("a=1&a=x%20y&a=true&b=only", query_of { a = { 1, "x y", true }, b = { "only" }, c = {} })
  end)

  describe("scope", function()
    it("may be a list, joined with one space, each item sent exactly", function()
      assert.equal("scope=contacts-rw%20offline", query_of { scope = { "contacts-rw", "offline" } })
      server:answer { { body = "{}" } }
      assert.equal("scope=a%2Bb%20c%2520d", query_of { scope = { "a+b", "c%20d" } })
      server:answer { { body = "{}" } }
      assert.equal("scope=one", query_of { scopes = { "one" } })
    end)

    it("may be text, in which + and %20 stand for the space", function()
      for _, scope in ipairs { "contacts-rw offline", "contacts-rw+offline", "contacts-rw%20offline" } do
        assert.equal("scope=contacts-rw%20offline", query_of { scope = scope })
        server:answer { { body = "{}" } }
      end
      assert.equal("scope=https%3A%2F%2Fwww.example.com%2Fauth%2Fdrive%20a%3Ab%2Cc",
        query_of { scope = "https://www.example.com/auth/drive+a:b,c" })
    end)

    it("given empty is sent empty, and not given is not sent", function()
      assert.equal("scope=", query_of { scope = "" })
      server:answer { { body = "{}" } }
      assert.equal("scope=", query_of { scope = {} })
      server:answer { { body = "{}" } }
      assert.is_nil(query_of {})
    end)
  end)

  it("shows the secrets only when it has both", function()
    local both = "User uSer, Organization oRg"
    for _, case in ipairs {
      { { user_secret = "uSer", org_secret = "oRg" }, both }, { { user_secret = "uSer" } },
      { { org_secret = "oRg" } }, { {} },
    } do
      server:answer { { body = "{}" } }
      case[1].base_url = server.url
      assert(celements.oauth_url({ element = "hubspot" }, case[1]))
      assert.equal(case[2], server:request().headers.authorization)
    end
  end)

  it("sends a JSON body by POST when told so, and then nothing in the URL", function()
    assert(client:oauth_url {
      element = "hubspot", api_key = "k", api_secret = "s+/=", scope = "a+b", callback_url = "http://x", post = true,
      is_oauth_proxy = true, ["servicenow.subdomain"] = { "a", "b" },
    })
    local request = server:request()
    assert.equal("POST", request.method)
    assert.equal("/elements/api-v2/elements/hubspot/oauth/url", request.target)
    assert.equal("application/json", request.headers["content-type"])
    assert.is_nil(json.difference(json.decode(request.body), {
      apiKey = "k", apiSecret = "s+/=", scope = "a b", callbackUrl = "http://x", isOAuthProxy = "true",
      ["servicenow.subdomain"] = json.array { "a", "b" },
    }))
  end)

  it("sends an empty object by POST when there is nothing to say", function()
    assert(client:oauth_url { element = "hubspot", post = true })
    assert.equal("{}", server:request().body)
  end)

  it("is the same GET when post is false", function()
    assert.equal("apiKey=k", query_of { api_key = "k", post = false })
  end)

  it("takes the element as a key, an id, or a table with one of them, and encodes it", function()
    for _, case in ipairs {
      { "hubspot", "hubspot" }, { 25, "25" }, { { key = "sfdc" }, "sfdc" }, { { id = 23 }, "23" },
      { { key = "", id = 23 }, "23" }, { { key = celements.null, id = 23 }, "23" },
      { "FreshBooks Classic", "FreshBooks%20Classic" }, { "a/../b", "a%2F..%2Fb" }, { "..", "%2E%2E" },
    } do
      server:answer { { body = "{}" } }
      assert(client:oauth_url { element = case[1] })
      assert.equal(("/elements/api-v2/elements/%s/oauth/url"):format(case[2]), server:request().target)
    end
  end)

  it("takes null for not given", function()
    local null = celements.null
    assert.equal("apiKey=k&scope=", query_of { api_key = "k", api_secret = null, scope = "", state = null, siteAddress = null, post = null })
    server:answer { { body = "{}" } }
    assert.equal("apiKey=k", query_of { api_key = "k", scope = null })
  end)

  it("is refused before sending when the element is missing or a value is still a template's", function()
    for _, element in ipairs { "", celements.null, {} } do
      local answer, err = client:oauth_url { element = element, api_key = "<INSERT_KEY>",
        callback_url = "https://<HOST>/" }
      assert.is_nil(answer)
      assert.same({ "config", "not_sent" }, { err.kind, err.outcome })
      assert.same({ "element" }, err.missing)
      assert.same({ "api_key", "callback_url" }, err.placeholders)
      assert.truthy(err.hint:find("fill in", 1, true))
    end
    local _, err = client:oauth_url {}
    assert.same({ "element" }, err.missing)
    assert.same({}, err.placeholders)
    assert.equal(0, #server:requests())
  end)

  it("trims the line break of a key read from a file, and refuses what was pasted wrongly", function()
    assert.equal("apiKey=k&apiSecret=s", query_of { api_key = "k\n", api_secret = "s\r\n" })
    server:answer { { body = "{}" } }
    for name, value in pairs { api_key = "“k”", api_secret = "s3\nVeil", callback_url = "http://x\0" } do
      local answer, err = client:oauth_url { element = "hubspot", [name] = value }
      assert.is_nil(answer)
      assert.equal("config", err.kind)
      assert.falsy(tostring(err):find("Veil", 1, true))
    end
    assert.equal(0, #server:requests())
  end)

  it("is refused when it makes too long a URL, and goes by POST all the same", function()
    local state = ("s"):rep(70000)
    server:answer { { body = "{}" } }
    local answer, err = client:oauth_url { element = "hubspot", state = state }
    assert.is_nil(answer)
    assert.same({ "config", "not_sent", "the query makes a URL of more than 65536 bytes" },
      { err.kind, err.outcome, err.message })
    assert.equal(0, #server:requests())
    assert(client:oauth_url { element = "hubspot", state = state, api_key = "k\n", post = true })
    local body = celements.json.decode(server:requests()[1].body)
    assert.same({ state = state, apiKey = "k" }, body)
  end)

  it("raises at the caller's line for a value of the wrong type", function()
    for _, case in ipairs {
      { { element = "hubspot", api_key = {{}} }, "api_key has to be a string or number or boolean, not a table" },
      { { element = "hubspot", apiKey = print }, "apiKey has to be a string or number or boolean, not a function" },
      { { element = "hubspot", api_key = 0 / 0 }, "api_key has to be a finite number" },
      { { element = "hubspot", n = 2 ^ 60 }, "n is beyond 2^53 and may have been rounded already: give it as text" },
      { { element = "hubspot", x = { "a", nil, "c" } }, "x has a hole: item 2 of 3 is nil" },
      { { element = "hubspot", x = { a = "b" } }, "x is a list and has no place for the key a" },
      { { element = "hubspot", x = { [0] = "b" } }, "x is a list from 1 on; 0 is no place in it" },
      { { element = "hubspot", scope = { a = "b" } }, "scope is a list and has no place for the key a" },
      { { element = "hubspot", scopes = { [2] = "b" } }, "scopes has a hole: item 1 of 2 is nil" },
      { { element = "hubspot", post = "yes" }, "post has to be a boolean, not a string" },
      { { element = 1.5 }, "element has to be a whole number" },
      { { element = ("x"):rep(2000) }, "element has 2000 characters; none is that long" },
      { { element = { id = 0 / 0 } }, "element has to be a whole number" },
      { { element = "hubspot", state = print }, "state has to be a string or number or boolean, not a function" },
      { { element = "hubspot", scope = 1 }, "scope has to be a string or table, not a number" },
      { { element = "hubspot", scope = { 1 } }, "scope[1] has to be a string, not a number" },
      { { element = true }, "element has to be a string or number, not a boolean" },
    } do
      assert.equal(case[2], raises(function()
        local answer = client:oauth_url(case[1])
        return answer, nil
      end))
      assert.equal(case[2], raises(function()
        local answer = celements.oauth_url(case[1], { base_url = server.url })
        return answer, nil
      end))
    end
    assert.equal("unknown option 'timeuot', did you mean 'timeout'?", raises(function()
      local answer = client:oauth_url({ element = "hubspot" }, { timeuot = 1 })
      return answer, nil
    end))
  end)

  it("changes nothing in the caller's table", function()
    local params = { element = "hubspot", api_key = "k\n", scope = { "a", "b" }, post = true }
    assert(client:oauth_url(params))
    assert.same({ element = "hubspot", api_key = "k\n", scope = { "a", "b" }, post = true }, params)
  end)
end)

describe("oauth_token", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url }
  end)

  teardown(function()
    server:stop()
  end)

  it("asks for OAuth 1's request token with the same parameters", function()
    server:answer { { body = '{"token": "t", "secret": "s"}' } }
    local answer = assert(client:oauth_token { element = "twitter", api_secret = "b", api_key = "a",
      callback_url = "http://x/?a b" })
    assert.same({ token = "t", secret = "s" }, answer)
    local request = server:request()
    assert.equal("GET", request.method)
    assert.equal("/elements/api-v2/elements/twitter/oauth/token"
      .. "?apiKey=a&apiSecret=b&callbackUrl=http%3A%2F%2Fx%2F%3Fa%20b", request.target)
  end)

  it("has no POST form", function()
    assert.truthy(raises(function()
      local answer = client:oauth_token { element = "twitter", post = true }
      return answer, nil
    end):find("no POST form", 1, true))
  end)
end)

describe("any parameters of oauth_url", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url }
  end)

  teardown(function()
    server:stop()
  end)

  -- Reads a query by hand: %XX and nothing else, so that a '+' for a space shows.
  local function decode(query)
    local found = {}
    for pair in query:gmatch("[^&]+") do
      local name, value = pair:match("^([^=]*)=([^=]*)$")
      assert(name, "not a pair: " .. pair)
      for i, text in ipairs { name, value } do
        assert(not text:gsub("%%[0-9A-F][0-9A-F]", ""):find("[^A-Za-z0-9%-._~]"), "not encoded: " .. text)
        text = text:gsub("%%(%x%x)", function(hex)
          return string.char(tonumber(hex, 16))
        end)
        if i == 1 then
          name = text
        else
          value = text
        end
      end
      found[#found + 1] = { name, value }
    end
    return found
  end

  local function random_text(max)
    local bytes = {}
    for i = 1, math.random(max) do
      bytes[i] = string.char(math.random(32, 126))
    end
    if math.random(4) == 1 then
      bytes[#bytes + 1] = "ü€😀"
    end
    return table.concat(bytes)
  end

  it("come out of the query as they went in, whatever their characters", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 400 do
      local params, expected = { element = "hubspot" }, {}
      for _ = 1, math.random(8) do
        local name = random_text(12)
        if name ~= "element" and name ~= "post" and name:sub(1, 5) ~= "scope" and not params[name] then
          local values = {}
          for i = 1, math.random(3) do
            values[i] = random_text(30):gsub("<", "_")   -- or it may be a template
          end
          params[name] = #values == 1 and values[1] or values
          expected[name] = values
        end
      end
      server:answer { { body = "{}" } }
      assert(client:oauth_url(params))
      local target = server:request().target
      local got, last = {}, ""
      for _, pair in ipairs(decode(target:match("%?(.*)$") or "")) do
        got[pair[1]] = got[pair[1]] or {}
        table.insert(got[pair[1]], pair[2])
        assert.is_true(last <= pair[1], "in order, seed " .. seed)
        last = pair[1]
      end
      assert.same(expected, got, "seed " .. seed)
    end
  end)
end)
