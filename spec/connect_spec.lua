--- The parts of a flow that need no server: queries, pages to return to, cookies, the
-- sealed state, the pages that people read, and what an application says about its flow.

local celements = require "celements"
local cookie = require "celements.connect.cookie"
local options = require "celements.connect.options"
local page = require "celements.connect.page"
local query = require "celements.connect.query"
local raises = require "spec.support.raises"
local return_to = require "celements.connect.return_to"
local seal = require "celements.seal"
local state = require "celements.connect.state"

local KEY = "a key of the specs, which is of 32 bytes and more"
local OLD_KEY = "an old key of the specs, of 32 bytes and more"

describe("the query of a request", function()
  it("is read whole, encodings and all", function()
    assert.same({ code = "c/1 2", state = "s=", empty = "" }, query.read "code=c%2F1+2&state=s=&empty=")
    assert.same({}, query.read(nil))
    assert.same({}, query.read "&&")
  end)

  it("tells what is repeated and what has no value", function()
    assert.same({ code = { "a", "b", true }, state = true }, query.read "code=a&code=b&state&code")
    assert.is_nil(query.text(query.read "code=a&code=b", "code"))
    assert.is_nil(query.text(query.read "code", "code"))
    assert.is_nil(query.text(query.read "code=", "code"))
    assert.equal("a", query.text(query.read "code=a", "code"))
  end)

  it("is refused when it is too long or has too many arguments, not cut", function()
    local found, problem = query.read("code=a&state=" .. ("x"):rep(17 * 1024))
    assert.is_nil(found)
    assert.matches("longer than", problem)
    found, problem = query.read(("a=1&"):rep(101) .. "code=c")
    assert.is_nil(found)
    assert.matches("more than 100", problem)
    assert.same(100, #query.read(("a=1&"):rep(100)).a)
  end)
end)

describe("the page to return to", function()
  for _, good in ipairs {
    "/", "/settings", "/a/b/c", "/a/", "/search?q=a%20b&n=1", "/page#part", "/p?x=1#y", "/user@here", "/a:b", "/.well-known/x",
    "/caf%C3%A9", "/q?next=%2F%2Fexample.com", "/a?b=//c", "/...", "/%7Euser",
  } do
    it("can be " .. good, function()
      assert.equal(good, return_to.clean(good))
    end)
  end

  local HOSTILE = {
    "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example", "/\t/evil.example",
    "/%09/evil.example", "/%0a/evil.example", "/%0D%0ASet-Cookie:x=1", "/a\r\nSet-Cookie: x=1", "\t//evil.example", " //evil.example",
    " /settings", "https://evil.example", "https:evil.example", "https:/evil.example", "HTTPS://evil.example", "javascript:alert(1)",
    "data:text/html,x", "//user:pw@evil.example", "user@evil.example", "evil.example", "", "?next=//evil.example", "#", ".//evil.example",
    "../evil", "/%2Fevil.example", "/%2f%2fevil.example", "/%5Cevil.example", "/%5c%5cevil.example", "/a//evil.example",
    "/.//evil.example", "/..//evil.example", "/a/../..//evil.example", "/%2e%2e/%2e/x", "/a/%2E%2E/b", "/a%00b", "/a\0b", "/a%", "/a%2",
    "/a%zz", "/a b", "/a\"b", "/<script>", "/a?b=%0d%0a", "/a?b\\c", "/a#b#c", "/caf\195\169", "/\226\128\168x", "/a\127", "/a%7F",
    "/" .. ("x"):rep(1024), "/;@evil.example//x", "/^evil", "/`evil`", "/{evil}", "/a|b",
  }
  it("is asked for in more than 30 hostile ways here", function()
    assert.is_true(#HOSTILE > 30)
  end)
  for _, hostile in ipairs(HOSTILE) do
    it(("is never %q"):format(hostile:sub(1, 40)), function()
      assert.is_nil(return_to.clean(hostile))
    end)
  end

  it("is a text", function()
    for _, wrong in ipairs { {}, true, 42, { "/a", "/b" } } do
      assert.is_nil(return_to.clean(wrong))
    end
    assert.is_nil(return_to.clean(nil))
  end)

  it("takes a reason along, before its fragment", function()
    assert.equal("/no?reason=denied", return_to.with("/no", "reason", "denied"))
    assert.equal("/no?a=1&reason=denied#x", return_to.with("/no?a=1#x", "reason", "denied"))
  end)
end)

describe("the cookies of flows", function()
  it("have the form that browsers guard", function()
    local name = cookie.name("abcdefghijkl", true)
    assert.equal("__Host-ce_abcdefgh", name)
    assert.equal("__Host-ce_abcdefgh=v; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure", cookie.set(name, "v", 600, true))
    assert.equal("__Host-ce_abcdefgh=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure", cookie.clear(name, true))
    assert.equal("ce_abcdefgh=v; Max-Age=5; Path=/; HttpOnly; SameSite=Lax", cookie.set(cookie.name("abcdefgh", false), "v", 5, false))
  end)

  it("are found among those of the application, also when a name is there twice", function()
    local header = 'session=abc; ce_abcdefgh=one;ce_abcdefgh="two" ; xce_abcdefgh=no; last=1'
    assert.same({ "one", "two" }, cookie.values(header, "ce_abcdefgh"))
    assert.same({}, cookie.values(header, "ce_other000"))
    assert.same({}, cookie.values(nil, "ce_abcdefgh"))
  end)

  it("give way, the oldest first, before they are more than a server takes", function()
    local parts = { "session=mine" }
    for i = 1, 8 do
      parts[#parts + 1] = ("__Host-ce_%08d=v"):format(i)
    end
    local header = table.concat(parts, "; ")
    assert.same({ "__Host-ce_00000001" }, cookie.surplus(header, 10, true))
    assert.same({}, cookie.surplus(header:gsub("; [^;]*$", ""), 10, true))
    local large = ("__Host-ce_0000000a=%s; __Host-ce_0000000b=x; ce_0000000c=x"):format(("x"):rep(2900))
    assert.same({ "__Host-ce_0000000a" }, cookie.surplus(large, 300, true))
    assert.same({}, cookie.surplus(nil, 300, true))
  end)
end)

describe("the sealed state", function()
  local clock

  local function make(keys, purpose)
    return state.new {
      box = seal.new(keys), hash = seal.hash, token = seal.token, now = function() return clock end, seconds = 600,
      purpose = purpose or "hubspot https://app.example.com/callback",
    }
  end

  before_each(function()
    clock = 1000
  end)

  it("comes back as what it was, for a while", function()
    local own = make(KEY)
    local id = own:new_id()
    local text, record = own:issue(id, "42", "/connect")
    assert.same(record, own:read(text))
    assert.same({ id = id, expires = 1600, user = own:hash_of "42", path = "/connect" }, record)
    assert.is_false(own:expired(record))
    clock = 1599.9
    assert.is_false(own:expired(record))
    clock = 1600
    assert.is_true(own:expired(record))
  end)

  it("is short, fit for a URL, and tells nothing", function()
    local own = make(KEY)
    local text = own:issue(own:new_id(), "somebody@example.com", "/connect/hubspot")
    assert.matches("^[%w_-]+$", text)
    assert.is_true(#text < 255, tostring(#text))
    text = own:issue(own:new_id(), "42", "/" .. ("x"):rep(500))
    assert.is_true(#text < 255)
    assert.equal("", own:read(text).path)
  end)

  it("is another one each time", function()
    local own, seen = make(KEY), {}
    for _ = 1, 500 do
      local id = own:new_id()
      assert.is_nil(seen[id])
      assert.matches("^[%w_-]+$", id)
      seen[id] = true
    end
  end)

  it("is not believed when anything of it was changed, or when somebody else made it", function()
    local own = make(KEY)
    local text = own:issue(own:new_id(), "42", "/connect")
    for i = 1, #text do
      local other = text:sub(i, i) == "A" and "B" or "A"
      local read = own:read(text:sub(1, i - 1) .. other .. text:sub(i + 1))
      assert.is_nil(read)
    end
    for _, wrong in ipairs { "", "x", text .. "A", text:sub(2), ("x"):rep(10240), "\0", "../../etc" } do
      assert.is_nil(own:read(wrong))
    end
    assert.is_nil(own:read((make(OLD_KEY):issue("id", "42", "/"))))
  end)

  it("is good for its own element and callback URL, and a cookie is no state", function()
    local own, other = make(KEY), make(KEY, "sfdc https://app.example.com/callback")
    assert.is_nil(other:read((own:issue("abcdefghij", "42", "/"))))
    assert.is_nil(own:read(own:seal_cookie("abcdefghij", {})))
  end)

  it("is read after the key was changed, as long as the old one is in the list", function()
    local before, between, after = make(OLD_KEY), make { KEY, OLD_KEY }, make(KEY)
    local text = before:issue("abcdefghij", "42", "/")
    assert.equal("abcdefghij", between:read(text).id)
    assert.is_nil(after:read(text))
    text = between:issue("abcdefghij", "42", "/")
    assert.equal("abcdefghij", after:read(text).id)
    assert.is_nil(before:read(text))
  end)

  it("tells users apart", function()
    local own = make(KEY)
    assert.equal(own:hash_of "42", own:hash_of "42")
    assert.are_not.equal(own:hash_of "42", own:hash_of "43")
  end)

  it("has a cookie that opens for its own flow", function()
    local own = make(KEY)
    local value = own:seal_cookie("one", { return_to = "/a", secret = "s" })
    assert.same({ return_to = "/a", secret = "s" }, own:open_cookie("one", { "junk", value }))
    assert.is_nil(own:open_cookie("two", { value }))
    assert.is_nil(own:open_cookie("one", {}))
    assert.is_nil(own:open_cookie("one", { "a", "b", "c", "d", value })) -- nobody has that many
  end)

  it("finds a flow of OAuth 1 by its request token", function()
    local own = make(KEY)
    assert.equal(22, #own:id_of "rt-1")
    assert.equal(own:id_of "rt-1", own:id_of "rt-1")
    assert.are_not.equal(own:id_of "rt-1", own:id_of "rt-2")
  end)
end)

describe("the page that tells what went wrong", function()
  local places = { start = "/connect?a=1&b=2", home = "/" }

  it("has a status that fits, and a way on", function()
    local STATUS = {
      sign_in = 401, denied = 403, expired = 410, forged = 403, other_browser = 403, other_user = 403, invalid = 400, no_answer = 400,
      provider = 502, platform = 502, busy = 503, storage = 503, application = 500, setup = 500, internal = 500, method = 405,
    }
    for reason, expected in pairs(STATUS) do
      assert.is_true(page.is_reason(reason))
      local status, headers, body = page.build(reason, "HubSpot", places)
      assert.equal(expected, status, reason)
      assert.matches('<a href="[^"]*">%u%l+', body)
      assert.matches("^<!DOCTYPE html>\n<html lang=\"en\">", body)
      assert.matches("<h1>[^<]+</h1>", body)
      assert.matches("<title>[^<]+</title>", body)
      assert.is_nil(body:find("%%s"))
      assert.equal("no-store", headers["Cache-Control"])
      assert.equal("no-referrer", headers["Referrer-Policy"])
    end
    assert.is_false(page.is_reason "nothing")
    local _, headers = page.build("method", "HubSpot", places)
    assert.equal("GET", headers.Allow)
  end)

  it("escapes whatever is put into it", function()
    local evil = [[<script>alert("1")</script>&'%s%d]]
    local _, _, body = page.build("provider", evil, { start = '/"><script>', home = "/" }, { said = evil, request_id = evil })
    assert.is_nil(body:find("<script", 1, true))
    assert.is_nil(body:find('"1"', 1, true))
    local escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;%s%d"
    assert.equal(3, select(2, body:gsub(escaped:gsub("%p", "%%%0"), "")))
    assert.matches('href="/&quot;&gt;&lt;script&gt;"', body, 1, true)
  end)

  it("loads nothing and runs nothing: only its own style is let in", function()
    local _, headers, body = page.build("denied", "HubSpot", places)
    assert.matches("^default%-src 'none'; style%-src 'sha256%-", headers["Content-Security-Policy"])
    assert.equal("nosniff", headers["X-Content-Type-Options"])
    assert.is_nil(body:find("src=", 1, true))
    assert.is_nil(body:find("style=", 1, true))
    assert.equal(page.STYLE, body:match("<style>(.-)</style>"))
    local command = ("printf '%%s' '%s' | env -u LD_PRELOAD openssl dgst -sha256 -binary | env -u LD_PRELOAD openssl base64"):format(page.STYLE)
    local pipe = io.popen(command)
    local digest = pipe:read("*l")
    pipe:close()
    assert.equal(digest, page.POLICY:match("'sha256%-([^']+)'"))
  end)
end)

describe("what an application says about its flow", function()
  local client = celements.new { base_url = "http://127.0.0.1:1", user_secret = "u", org_secret = "o" }

  local function given(more)
    local all = {
      client = client, element = "hubspot", api_key = "k", api_secret = "s", callback_url = "https://app.example.com/callback", key = KEY,
      user_id = function() return "42" end,
    }
    for name, value in pairs(more or {}) do
      all[name] = value
    end
    return all
  end

  local function refused(more)
    return raises(function()
      local read = options.read(given(more), 1)
      return read
    end)
  end

  it("is completed", function()
    local read = options.read(given(), 1)
    assert.equal("/", read.success_path)
    assert.equal(600, read.state_ttl)
    assert.is_true(read.post)
    assert.is_nil(read.failure_path)
  end)

  it("is refused at the caller's line when a name is wrong, and the right one is told", function()
    assert.equal("unknown option 'calback_url', did you mean 'callback_url'?", refused { calback_url = "x" })
    assert.matches("on_connected has to be a function", refused { on_connected = "x" })
  end)

  it("names all that is missing at once", function()
    local message = raises(function()
      local read = options.read({ element = "hubspot" }, 1)
      return read
    end)
    assert.equal("missing: api_key, api_secret, callback_url, client, key, user_id", message)
  end)

  it("has a callback URL that providers can reach and that others cannot read", function()
    for _, wrong in ipairs {
      "/callback", "app.example.com/callback", "http://app.example.com/callback", "https://u:p@app.example.com/callback",
      "https://app.example.com/callback#x", "https://app.example.com", "https:///callback", "https://app.example.com/a b",
      "ftp://app.example.com/callback", "https://app.example.com\\@evil.example/callback", "https://app.example.com?x=1",
    } do
      assert.matches("^callback_url ", refused { callback_url = wrong })
    end
    for _, right in ipairs {
      "https://app.example.com/callback", "https://app.example.com:8443/callback?x=1", "http://127.0.0.1:8080/callback",
      "http://localhost/callback", "http://[::1]:80/callback", "HTTPS://APP.example.com/callback",
    } do
      assert.equal(right, options.read(given { callback_url = right }, 1).callback_url)
    end
    assert.is_table(options.read(given { callback_url = "http://10.0.0.1/callback", allow_http = true }, 1))
  end)

  it("has a key that nobody guesses, which no message quotes", function()
    for _, wrong in ipairs { "short-canary", {}, { KEY, "short-canary" } } do
      local message = refused { key = wrong }
      assert.matches("^key ", message)
      assert.is_nil(message:find("canary", 1, true))
    end
    assert.is_table(options.read(given { key = { KEY, OLD_KEY } }, 1))
  end)

  it("has pages of this site, a client of ours, and a store that can do what stores do", function()
    assert.matches("^success_path has to be a page of this site", refused { success_path = "//evil.example" })
    assert.matches("^failure_path has to be a page of this site", refused { failure_path = "https://app.example.com/" })
    assert.matches("^client has to be a client", refused { client = {} })
    assert.matches("^store has no method put", refused { store = {} })
    assert.matches("^element has to be the key", refused { element = {} })
    assert.matches("^state_ttl has to be between 1 and 86400", refused { state_ttl = 0 })
    assert.matches("^api_secret holds a line break", refused { api_secret = "s\n" })
    assert.is_table(options.read(given { element = { id = 43 } }, 1))
  end)
end)
