-- No secret comes out of any error path, in whatever coding a server sends it back.

local canary = require "spec.support.canary"
local celements = require "celements"
local rawserver = require "spec.support.rawserver"
local script = require "spec.support.script"
local socket = require "socket"

-- Every character of base64 is in them; no stretch of one is in another.
local SECRETS = {
  user_secret = "qU+er/S3cret0AbCdEfGhIjKlMnOpQrStUvWxYz12/45+789=",
  org_secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
  api_secret = "aPi/sEc+9ZyXwVuTsRqPoNmLkJiHgFe==",
  code = "c0de/4+0AX4P7q-RTyhnvB_w",
  access_token = "eyJhbGciOiJSUzI1NiJ9." .. ("tOkEn4cc3ss_PaYl0ad-"):rep(120) .. ".sIgNaTuRe+/end",
  refresh_token = "rEfReSh+tOkEn/77zzQQ==",
  configured_secret = "cOnFiGuReD/sEcReT+55==",
  password = [[pAss"w\ord/<&>'with all+that is hard]],
  header_token = "hEaDeR/tOkEn+33==qq",
}

teardown(function()
  require("celements.wait").engine():close()
end)

-- What the server makes of the request that it sends back.
local function as_json(text)
  return '{"message":"' .. canary.json(text) .. '"}'
end

local function answer_with(status, make, content_type)
  return function(conn, request)
    local echo = request.head .. request.body
    local plain = echo:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    conn:send(("HTTP/1.1 %d X\r\nContent-Type: %s\r\nElements-Request-Id: r1\r\nElements-Error: none\r\nContent-Length: "):format(status, content_type or "application/json"))
    local body = make(echo, plain, request)
    conn:send(#body .. "\r\n\r\n" .. body)
  end
end

-- Those of the secrets that the request holds: only they are the call's.
local function known(plain)
  local found = {}
  for _, secret in pairs(SECRETS) do
    if plain:find(secret, 1, true) or plain:find(canary.json(secret), 1, true) then
      found[#found + 1] = secret
    end
  end
  assert(#found > 0)
  return found
end

local function html(text)
  return "<html><body><p>" .. text .. "</p></body></html>"
end

local SERVED = {
  ["echoes raw"] = function(echo) return echo end,
  ["echoes raw, decoded"] = function(_, plain) return plain end,
  ["echoes as JSON text"] = function(echo) return as_json(echo) end,
  ["echoes as JSON text, decoded"] = function(_, plain) return as_json(plain) end,
  ["echoes JSON within JSON"] = function(_, plain) return as_json(as_json(plain)) end,
  ["echoes the body within an object"] = function(_, _, r) return '{"request":' .. (#r.body > 0 and r.body or "null") .. ',"message":"no"}' end,
  ["echoes percent-encoded"] = function(_, plain) return as_json(canary.percent(plain)) end,
  ["echoes percent-encoded in lower case"] = function(_, plain) return as_json(canary.percent(plain, "%%%02x")) end,
  ["echoes percent-encoded twice"] = function(_, plain) return as_json(canary.percent(canary.percent(plain))) end,
  ["echoes as base64"] = function(_, plain) return as_json(canary.base64(plain)) end,
  ["echoes as base64, moved by one"] = function(_, plain) return as_json(canary.base64("x" .. plain)) end,
  ["echoes as base64, moved by two"] = function(_, plain) return as_json(canary.base64("xy" .. plain)) end,
  ["echoes as bare base64"] = function(_, plain) return canary.base64(plain) end,
  ["echoes each secret by itself, as base64 for URLs"] = function(_, plain)
    local out = {}
    for _, secret in ipairs(known(plain)) do
      out[#out + 1] = canary.base64(secret):gsub("+", "-"):gsub("/", "_")
    end
    return as_json(table.concat(out, " "))
  end,
  ["echoes as basic authentication"] = function(_, plain)
    local out = {}
    for _, secret in ipairs(known(plain)) do
      out[#out + 1] = "Basic " .. canary.base64("user:" .. secret) .. " " .. canary.base64(secret .. ":")
    end
    return as_json(table.concat(out, "\n"))
  end,
  ["echoes as a page"] = function(_, plain) return html(canary.html(plain)) end,
  ["begins a page with the longest secret"] = function(_, plain)
    local longest = ""
    for _, secret in ipairs(known(plain)) do
      longest = #secret > #longest and secret or longest
    end
    return html(longest)
  end,
  ["echoes as a raw page"] = function(echo) return html(echo) end,
  ["echoes a name of its own making"] = function(_, plain) return '{"' .. canary.json(plain) .. '":1}' end,
  ["echoes in a provider's message"] = function(_, plain) return '{"message":"m","providerMessage":"' .. canary.json(plain) .. '"}' end,
}

local CASES = {}
for name, make in pairs(SERVED) do
  local page = name:find "page" and "text/html" or nil
  for _, status in ipairs { 401, 500 } do
    CASES[("%s with %d"):format(name, status)] = answer_with(status, make, page)
  end
end
for _, status in ipairs { 200, 400, 403, 404, 409, 418, 429, 503 } do
  CASES["echoes raw with " .. status] = answer_with(status, SERVED["echoes raw"])
  CASES["echoes as JSON text with " .. status] = answer_with(status, function(echo) return as_json(echo) .. (status == 200 and "]" or "") end)
end
CASES["redirects with the request in the target"] = function(conn, request)
  conn:send(("HTTP/1.1 302 Found\r\nLocation: https://x.example%s\r\nContent-Length: 0\r\n\r\n"):format(request.target))
end
CASES["redirects to a host of the secret's name"] = function(conn)
  conn:send(("HTTP/1.1 302 Found\r\nLocation: https://%s.example/\r\nContent-Length: 0\r\n\r\n"):format(SECRETS.org_secret))
end
CASES["redirects with a secret for the user name"] = function(conn)
  conn:send(("HTTP/1.1 302 Found\r\nLocation: https://me:%s@x.example/\r\nContent-Length: 0\r\n\r\n"):format(SECRETS.user_secret))
end
CASES["redirects with the user name in another coding"] = function(conn)
  conn:send(("HTTP/1.1 302 Found\r\nLocation: https://%s@x.example/\r\nContent-Length: 0\r\n\r\n"):format(SECRETS.user_secret:gsub("[+/=]", "-")))
end
CASES["redirects to the bare secret"] = function(conn)
  conn:send(("HTTP/1.1 307 Found\r\nLocation: https://x.example/?a=%s\r\nContent-Length: 0\r\n\r\n"):format(SECRETS.user_secret))
end
CASES["sends the request back in its headers"] = function(conn, request)
  local line = (request.head .. request.body):gsub("%c+", " "):sub(1, 6000)
  conn:send(("HTTP/1.1 500 X\r\nElements-Request-Id: %s\r\nElements-Error: %s\r\nContent-Type: %s\r\nRetry-After: %s\r\nContent-Length: 2\r\n\r\n{}"):format(line, line, line, line))
end
CASES["sends a status line that holds it"] = function(conn, request)
  conn:send("HTTP/1.1 500 " .. request.head:match "Authorization: ([^\r]*)" .. "\r\nContent-Length: 2\r\n\r\n{}")
end
CASES["answers what is no HTTP"] = function(conn, request)
  conn:send((request.head .. request.body):gsub("^%S+ ", "") .. "\r\n\r\n")
end
CASES["cuts its echo off"] = function(conn, request)
  conn:send("HTTP/1.1 401 X\r\nContent-Length: 100000\r\n\r\n" .. request.head .. request.body)
end
CASES["breaks off in a compressed echo"] = function(conn, request)
  conn:send("HTTP/1.1 401 X\r\nContent-Encoding: gzip\r\nContent-Length: 4000\r\n\r\n" .. request.head .. request.body)
end
CASES["hangs up"] = function() end
CASES["does not answer"] = function(conn) conn:wait_for_close(2) end

local function calls(c)
  local timeout = { timeout = 0.4 }
  return {
    oauth_url = function()
      return c:oauth_url({ element = "hubspot", api_key = "k", api_secret = SECRETS.api_secret, callback_url = "http://x.example" }, timeout)
    end,
    ["oauth_url by POST"] = function()
      return c:oauth_url({ element = "hubspot", api_key = "k", api_secret = SECRETS.api_secret, post = true }, timeout)
    end,
    oauth_token = function()
      return c:oauth_token({ element = "etsy", api_key = "k", api_secret = SECRETS.api_secret }, timeout)
    end,
    create_instance = function()
      return c:create_instance({
        element = "hubspot", name = "Test",
        provider_data = { code = SECRETS.code, access_token = SECRETS.access_token, refresh_token = SECRETS.refresh_token },
        configuration = { ["oauth.api.secret"] = SECRETS.configured_secret, password = SECRETS.password },
      }, timeout)
    end,
    request = function()
      return c:request("GET", "/instances", {
        timeout = 0.4, query = { api_secret = SECRETS.api_secret }, headers = { ["X-Vendor-Token"] = SECRETS.header_token },
      })
    end,
  }
end

local function expect_none(text, what)
  local leaks = canary.leaks(text, SECRETS)
  assert(#leaks == 0, ("%s gives away %s"):format(what, table.concat(leaks, ", ")))
end

describe("the search for secrets", function()
  it("finds each in every form, in the middle of anything", function()
    for name, secret in pairs(SECRETS) do
      for form, coded in pairs(canary.forms(secret)) do
        local found = table.concat(canary.leaks("some " .. coded .. " text", SECRETS), ";")
        assert.truthy(found:find(("%s (%s)"):format(name, form), 1, true), name .. " as " .. form)
      end
      for before = 0, 3 do
        local found = canary.leaks(canary.base64(("b"):rep(before) .. secret .. "after"), SECRETS)
        assert.truthy(found[1], name)
      end
    end
    assert.same({}, canary.leaks("a text without any of them", SECRETS))
  end)
end)

describe("no secret comes out", function()
  local server, events, c

  setup(function()
    server = rawserver.start(function(conn)
      local request = conn:request()
      if request then
        CASES[request.head:match "\r\nX%-Case: ([^\r]*)"](conn, request)
      end
    end)
  end)

  teardown(function()
    server:remove()
  end)

  before_each(function()
    events = {}
  end)

  local function client(options)
    options.user_secret, options.org_secret = SECRETS.user_secret, SECRETS.org_secret
    options.retries = 0
    options.on_response = function(event)
      events[#events + 1] = event
    end
    c = celements.new(options)
    return c
  end

  -- Every call fails, and nothing that it left behind shows a secret.
  local function try_all(what, options)
    for name, call in pairs(calls(client(options))) do
      local result, err = call()
      assert(result == nil, what .. ": " .. name .. " did not fail")
      expect_none(canary.all_text(err) .. tostring(err) .. ("x" .. err) .. canary.all_text(events), what .. ": " .. name)
    end
  end

  for case in pairs(CASES) do
    it("when the server " .. case, function()
      try_all(case, { base_url = server.url, headers = { ["X-Case"] = case } })
    end)
  end

  it("when nobody listens", function()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    listener:close()
    try_all("refused", { base_url = "http://127.0.0.1:" .. port })
  end)

  it("when the host does not exist", function()
    try_all("resolve", { base_url = "https://no-such-host.invalid", proxy = "" })
  end)

  it("when the other side speaks no TLS", function()
    try_all("tls", { base_url = (server.url:gsub("^http:", "https:")), headers = { ["X-Case"] = "hangs up" } })
  end)

  it("when the proxy, whose password is a secret too, is not there", function()
    local password = SECRETS.header_token
    try_all("proxy", { base_url = "https://x.example", proxy = ("http://me:%s@127.0.0.1:1"):format(canary.percent(password)) })
    try_all("proxy of the secret's name", { base_url = "https://x.example", proxy = ("http://%s.invalid:1"):format(SECRETS.org_secret) })
    try_all("proxy name", { base_url = "https://x.example", proxy = ("http://me:%s@no-such-host.invalid:1"):format(canary.percent(password)) })
  end)

  it("from the client itself, printed or taken apart", function()
    client { base_url = server.url }
    expect_none(canary.all_text(c) .. canary.all_text(getmetatable(c)) .. tostring(celements.diagnostics()), "the client")
  end)
end)

describe("what is refused before anything is sent shows no secret:", function()
  local function failing(what, f)
    it(what, function()
      local results = { pcall(f) }
      local fine, text = results[1], canary.all_text(results)
      assert(not fine or results[2] == nil, "it was accepted")
      assert(#text > 10)
      expect_none(text, what)
    end)
  end

  local S = SECRETS

  local function new(options)
    options.base_url = options.base_url or "http://127.0.0.1:1"
    return celements.new(options)
  end

  local function good()
    return new { user_secret = S.user_secret, org_secret = S.org_secret, retries = 0 }
  end

  failing("a line break in a secret", function() return new { user_secret = S.user_secret .. "\nX: y", org_secret = S.org_secret } end)
  failing("a NUL in a secret", function() return new { user_secret = S.user_secret .. "\0", org_secret = S.org_secret } end)
  failing("a curly quote around a secret", function() return new { user_secret = "\226\128\156" .. S.user_secret .. "\226\128\157" } end)
  failing("a space behind a secret", function() return new { org_secret = S.org_secret .. " " } end)
  failing("a secret of the wrong type", function() return new { user_secret = { S.user_secret } } end)
  failing("a secret in the base URL", function() return new { base_url = "https://me:" .. S.user_secret .. "@x.example" } end)
  failing("a secret in the base URL's query", function() return new { base_url = "https://x.example/?key=" .. S.user_secret } end)
  failing("a secret in place of the base URL", function() return new { base_url = S.user_secret } end)
  failing("a secret in place of the waiter", function() return new { waiter = S.user_secret } end)
  failing("a secret in place of the HTTP version", function() return new { http_version = S.user_secret } end)
  failing("a line break in a header", function()
    return good():request("GET", "/x", { headers = { ["X-Token"] = S.header_token .. "\r\nX: y" } })
  end)
  failing("an Authorization header", function()
    return good():request("GET", "/x", { headers = { Authorization = "User " .. S.user_secret } })
  end)
  failing("a secret in a path that is not one", function() return good():request("GET", S.user_secret) end)
  failing("a secret as the method", function() return good():request(S.user_secret, "/x") end)
  failing("a list in a list of the query", function() return good():request("GET", "/x", { query = { api_secret = { { S.api_secret } } } }) end)
  failing("a text where a table is due", function() return good():create_instance { element = "x", configuration = S.configured_secret } end)
  failing("a table for a tag", function() return good():create_instance { element = "x", tags = { { S.password } } } end)
  failing("a placeholder beside secrets", function()
    return good():create_instance { element = "x", name = "<INSERT_NAME>", configuration = { password = S.password, s = S.configured_secret } }
  end)
  failing("secrets, and the element missing", function()
    return good():create_instance { configuration = { password = S.password }, provider_data = { code = S.code } }
  end)
  failing("a line break in api_secret", function() return good():oauth_url { element = "x", api_key = "k", api_secret = S.api_secret .. "\nx" } end)
  failing("both spellings of api_secret", function() return good():oauth_url { element = "x", api_secret = S.api_secret, apiSecret = S.api_secret } end)
  failing("a body that is not UTF-8", function()
    return good():create_instance { element = "x", configuration = { password = S.password .. "\255" } }
  end)
  failing("a body that is too deep", function()
    local deep = S.password
    for _ = 1, 200 do
      deep = { password = deep }
    end
    return good():create_instance { element = "x", configuration = deep }
  end)
  failing("a function in a body", function()
    return good():create_instance { element = "x", configuration = { password = S.password, f = print } }
  end)
  failing("a callback with an error", function()
    return celements.parse_callback("http://x.example/?error=access_denied&code=" .. S.code .. "&access_token=" .. S.access_token)
  end)
  failing("a callback with its code twice", function()
    return celements.parse_callback("http://x.example/?code=" .. S.code .. "&code=" .. S.code)
  end)
  failing("a callback of another attempt", function()
    return celements.parse_callback("http://x.example/?code=" .. S.code .. "&state=" .. S.refresh_token, { state = S.header_token })
  end)
  failing("a callback without state", function()
    return celements.parse_callback("http://x.example/?code=" .. S.code, { state = S.header_token })
  end)
  failing("a callback that names its secret only", function() return celements.parse_callback("http://x.example/?access_token=&refresh_token=" .. S.refresh_token) end)
  failing("a callback table with its code as a list", function() return celements.parse_callback { code = { S.code, S.code } } end)
  failing("a callback expected in the wrong form", function() return celements.parse_callback("http://x.example/?code=" .. S.code, { state = { S.code } }) end)
  for name, text in pairs {
    ["a missing comma"] = '{\n  "password": "%s"\n  "name": "x"}',
    ["a comment"] = '{\n  "password": "%s", // mine\n  "name": "x"}',
    ["a raw line break"] = '{\n  "password": "%s\n", "name": "x"}',
    ["a curly quote"] = '{\n  "password": \226\128\156%s\226\128\157, "name": "x"}',
    ["a missing quote"] = '{\n  "password": "%s, "name": "x"}',
    ["text behind it"] = '{"password": "%s"} x',
  } do
    failing("a file with " .. name .. " on a secret's line", function()
      return celements.json.decode(text:format(S.refresh_token))
    end)
  end
end)

describe("a program that lets the error escape shows no secret:", function()
  local server

  setup(function()
    server = rawserver.start(function(conn)
      local request = conn:request()
      if request then
        CASES["echoes as JSON text with 401"](conn, request)
      end
    end)
  end)

  teardown(function()
    server:remove()
  end)

  local BEFORE = [[
    local celements = require "celements"
    local s = function(name) return assert(os.getenv("CANARY_" .. name)) end
    local c = celements.new { retries = 0, timeout = 2 }
    local function create() return c:create_instance { element = "hubspot", name = "x",
      provider_data = { code = s "code", access_token = s "access_token" }, configuration = { password = s "password" } } end
    local file = io.open "/proc/self/cmdline"
    print(file:read "*a")
    file:close()
  ]]

  local function environment()
    local set = {
      CELEMENTS_BASE_URL = server.url, CELEMENTS_USER_SECRET = SECRETS.user_secret, CELEMENTS_ORG_SECRET = SECRETS.org_secret,
    }
    for name, secret in pairs(SECRETS) do
      set["CANARY_" .. name] = secret
    end
    return set
  end

  for what, text in pairs {
    ["by assert"] = "assert(create())",
    ["by error"] = "local _, err = create() error(err)",
    ["by error in a coroutine"] = "coroutine.wrap(function() local _, err = create() error(tostring(err)) end)()",
    ["with a traceback"] = "xpcall(function() assert(create()) end, function(e) io.stderr:write(debug.traceback(tostring(e))) os.exit(1) end)",
    ["by a refused parameter"] = "c:create_instance { element = 'x', configuration = s 'password' }",
    ["by a refused path"] = "c:request('GET', s 'password')",
    ["by a refused secret"] = "celements.new { user_secret = s 'user_secret' .. '\\n\\n' }",
    ["by a refused secret of the environment"] = "celements.new { org_secret = s 'org_secret' .. '\\1' }",
  } do
    it(what, function()
      local job = script.start(BEFORE .. text, { environment = environment() })
      local out, err, status = job:finish(10)
      assert.equal(1, status, out .. err)
      assert.is_true(#err > 20, err)
      expect_none(out .. err, what)
    end)
  end
end)
