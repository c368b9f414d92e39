--- Connecting an account, from the first click to the instance, without a web server.
-- The sandbox is the platform and the provider; what nginx adds is in
-- spec/nginx/flow_spec.lua.

local canary = require "spec.support.canary"
local celements = require "celements"
local connected = require "spec.support.connected"
local connecting = require "spec.support.connecting"

describe("connecting an account", function()
  local sandbox, client

  setup(function()
    sandbox, client = connected.start()
  end)

  teardown(function()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
  end)

  local function consent(url, decision)
    return assert(celements.sandbox.consent(url, decision))
  end

  -- How many instances were made, as the platform was asked.
  local function creations()
    local count = 0
    for _, request in ipairs(connected.control(sandbox, "GET", "/requests").requests) do
      if request.method == "POST" and request.path == "/elements/api-v2/instances" then
        count = count + 1
      end
    end
    return count
  end

  local function instances()
    return #assert(client:instances():all())
  end

  local function reason_of(response)
    return response.headers.Location and response.headers.Location:match("reason=([%l_]+)")
  end

  describe("with a code, as OAuth 2 has it,", function()
    local rig, browser

    before_each(function()
      rig = connecting.new(client, { failure_path = "/failed" })
      browser = rig:browser "42"
    end)

    it("sends the user to the provider, with a state that nobody can read and one cookie", function()
      local response = browser:start "return_to=%2Fsettings%3Ftab%3D2"
      assert.equal(303, response.status)
      assert.equal("", response.body)
      assert.equal("no-store", response.headers["Cache-Control"])
      assert.equal("no-referrer", response.headers["Referrer-Policy"])
      local url = response.headers.Location
      assert.equal(sandbox.provider_url, url:sub(1, #sandbox.provider_url))
      local sent = url:match("[?&]state=([%w_-]+)")
      assert.is_true(#sent < 255)
      assert.equal(1, #response.cookies)
      assert.matches("^__Host%-ce_[%w_-]+=[%w_-]+; Max%-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure$", response.cookies[1])
      assert.same({}, canary.leaks(url .. response.cookies[1], { secret = "canary-api-secret" }))
    end)

    it("asks the platform with the secret in no URL", function()
      browser:connect()
      local log = connected.control(sandbox, "GET", "/requests").requests
      assert.equal("POST", log[1].method)
      assert.equal("/elements/api-v2/elements/hubspotcrm/oauth/url", log[1].path)
      assert.same({}, canary.leaks(celements.json.encode(log[1].query or ""), { secret = "canary-api-secret" }))
    end)

    it("creates the instance, keeps it with its token, tells the application, and sends the user on", function()
      local response = browser:run "return_to=%2Fsettings%3Ftab%3D2"
      assert.equal(303, response.status)
      assert.equal("/settings?tab=2", response.headers.Location)
      assert.equal("no-store", response.headers["Cache-Control"])
      assert.equal("no-referrer", response.headers["Referrer-Policy"])
      assert.same({}, browser.jar:names())
      assert.equal(1, creations())
      assert.equal(1, #rig.connected)
      local instance, context = rig.connected[1].instance, rig.connected[1].context
      assert.same({ user_id = "42", return_to = "/settings?tab=2", element = "hubspotcrm", stage = "callback" }, context)
      local kept = assert(rig.flow:connected "42")
      assert.equal(1, #kept)
      assert.equal(instance.id, kept[1].id)
      assert.equal(instance.token, kept[1].token)
      assert.equal("hubspotcrm", kept[1].element.key)
      assert.is_nil(kept[1].configuration)
      assert.same({}, rig.flow:connected "43")
      assert.truthy(client:instance(kept[1]):get("/contacts"))
      assert.same({}, rig.reports)
    end)

    it("goes to the page for success when nobody wants to go elsewhere, or to a place that is not ours", function()
      rig = rig:another { success_path = "/connected" }
      for _, args in ipairs {
        "", "return_to=", "return_to", "return_to=%2F%2Fevil.example", "return_to=https:evil.example", "return_to=/a&return_to=/b",
        "return_to=/connect", "return_to=/connect?x=1", "return_to=/connect/callback",
      } do
        assert.equal("/connected", rig:browser("42"):run(args).headers.Location, args)
      end
    end)

    it("tells the platform what the application says about the instance", function()
      rig = rig:another {
        name = function(context) return "HubSpot of " .. context.user_id end,
        tags = { "one", "two" },
        configuration = function() return { ["filter.response.nulls"] = "false" } end,
        oauth_params = { siteAddress = "acme" },
        provider_data = { extra = "1" },
      }
      rig:browser("42"):run()
      local log = connected.control(sandbox, "GET", "/requests").requests
      local body
      for _, request in ipairs(log) do
        if request.method == "POST" and request.path:find("/oauth/url", 1, true) then
          assert.equal("acme", celements.json.decode(request.body).siteAddress)
        elseif request.method == "POST" and request.path:find("/instances", 1, true) then
          body = celements.json.decode(request.body)
        end
      end
      assert.equal("HubSpot of 42", body.name)
      assert.same({ "one", "two" }, { body.tags[1], body.tags[2] })
      assert.matches("^celements%-once:flow/[%w_-]+$", body.tags[3])
      assert.equal("false", body.configuration["filter.response.nulls"])
      assert.equal("contacts-rw offline", body.configuration["oauth.scope"])
      assert.equal(connecting.CALLBACK, body.configuration["oauth.callback.url"])
      assert.equal("1", body.providerData.extra)
      assert.is_nil(body.providerData.state)
    end)

    it("works in several tabs at once, in whatever order they end", function()
      local a, b = browser:connect "return_to=/a", browser:connect "return_to=/b"
      assert.equal(2, #browser.jar:names())
      local back_a, back_b = consent(a), consent(b)
      assert.equal("/a", browser:callback(back_a).headers.Location)
      assert.equal(1, #browser.jar:names())
      assert.equal("/b", browser:callback(back_b).headers.Location)
      assert.equal(2, creations())
      assert.equal(2, #rig.flow:connected "42")
    end)

    it("leaves no more cookies than a server takes when it is begun again and again", function()
      for _ = 1, 30 do
        browser:connect("return_to=/" .. ("x"):rep(900))
      end
      assert.is_true(#browser.jar:header() < 4096, tostring(#browser.jar:header()))
      assert.equal(303, browser:run().status)
    end)

    it("needs no memory of the server: another one, or the same started again, takes the callback", function()
      local back = consent(browser:connect "return_to=/a")
      browser.rig = rig:another()
      assert.equal("/a", browser:callback(back).headers.Location)
    end)

    it("survives a change of keys, as long as the old one is still in the list", function()
      local back = consent(browser:connect "return_to=/a")
      browser.rig = rig:another { key = { "a new key of the specs, which is 32 bytes and more", connecting.KEY } }
      assert.equal("/a", browser:callback(back).headers.Location)
      back = consent(rig:browser("42"):connect())
      browser.rig = rig:another { key = "a new key of the specs, which is 32 bytes and more" }
      assert.equal("forged", reason_of(browser:callback(back)))
    end)

    it("gives the same answer to the same callback, and makes one instance", function()
      local back = consent(browser:connect "return_to=/a")
      local cookies = browser.jar:header()
      assert.equal("/a", browser:callback(back).headers.Location)
      for _, each in ipairs { cookies, "" } do -- a double click, and a back button after the cookie is gone
        assert.equal("/a", browser:callback(back, { cookies = each }).headers.Location)
      end
      assert.equal("other_user", reason_of(rig:browser("43"):callback(back)))
      assert.equal(1, creations())
      assert.equal(1, #rig.connected)
      assert.equal(1, instances())
    end)

    it("refuses a callback in another browser, of another user, or that was made up", function()
      local back = consent(browser:connect())
      assert.equal("other_browser", reason_of(rig:browser("42"):callback(back)))
      local other = rig:browser "43"
      other.jar = browser.jar
      assert.equal("other_user", reason_of(other:callback(back)))
      local state = back:match("state=([%w_-]+)")
      local changed = (state:sub(-1) == "A" and "B" or "A")
      assert.equal("forged", reason_of(browser:callback((back:gsub("(state=[%w_-]*)[%w_-]", "%1" .. changed)))))
      assert.equal("forged", reason_of(browser:callback((back:gsub("&?state=[%w_-]+", "")))))
      assert.equal("forged", reason_of(browser:callback "?code=c&state=hubspotcrm"))
      assert.equal(0, creations())
      assert.equal(303, browser:callback(back).status) -- none of it has spoiled the true one
      assert.equal("/", browser:callback(back).headers.Location)
    end)

    it("does not take another flow's cookie", function()
      local back = consent(browser:connect())
      local other = rig:browser "42"
      other:connect()
      local name, value = browser.jar:names()[1], other.jar.cookies[1].value
      assert.equal("other_browser", reason_of(other:callback(back, { cookies = name .. "=" .. value })))
    end)

    it("is over after some minutes", function()
      local back = consent(browser:connect())
      rig.clock.time = rig.clock.time + 601
      local response = browser:callback(back)
      assert.equal("expired", reason_of(response))
      assert.same({}, browser.jar:names())
      assert.equal(0, creations())
    end)

    it("says that it is over also when the browser has dropped the cookie, which expires with it", function()
      local back = consent(browser:connect())
      rig.clock.time = rig.clock.time + 601
      assert.equal("expired", reason_of(rig:browser("42"):callback(back)))
    end)

    it("changes nothing when the user says no, who can go back and say yes", function()
      local url = browser:connect "return_to=/a"
      assert.equal("/failed?reason=denied", browser:callback(consent(url, "deny")).headers.Location)
      assert.equal(1, #rig.reports)
      assert.equal("access_denied", rig.reports[1].err.reason)
      assert.equal("denied", rig.reports[1].context.reason)
      assert.equal("42", rig.reports[1].context.user_id)
      assert.equal(0, creations())
      assert.equal("/a", browser:callback(consent(url)).headers.Location)
    end)

    it("asks people to sign in first", function()
      for _, nobody in ipairs { false, "" } do
        assert.equal("/failed?reason=sign_in", rig:browser(nobody):start().headers.Location)
        assert.equal("/failed?reason=sign_in", rig:browser(nobody):callback("?code=c").headers.Location)
      end
      assert.equal("/failed?reason=sign_in", rig:browser(nil):start().headers.Location)
      assert.same({}, rig.reports)
      assert.equal(303, rig:browser(42):run().status)
      assert.equal(1, #rig.flow:connected(42))
      assert.equal(1, #rig.flow:connected "42")
    end)

    it("says so when user_id is wrong, to whom it concerns only", function()
      rig = rig:another { failure_path = "/failed" }
      rig.user_id = nil
      local response = rig:browser({}):start()
      assert.equal("internal", reason_of(response))
      assert.matches("user_id has to return a text", tostring(rig.reports[1].err))
    end)

    it("takes only what browsers send when they follow a link", function()
      for _, method in ipairs { "POST", "HEAD", "PUT" } do
        local response = browser:callback("?code=c", { method = method })
        assert.equal(405, response.status)
        assert.equal("GET", response.headers.Allow)
      end
      assert.equal(405, browser:start(nil, { method = "HEAD" }).status)
      assert.equal(303, browser:start(nil, { method = "POST" }).status)
    end)

    it("answers with a page to whatever comes in, and never raises", function()
      local back = consent(browser:connect())
      local state = back:match("state=([%w_-]+)")
      local EXPECTED = {
        ["?"] = "no_answer", ["?code=c"] = "forged", ["?code"] = "forged", ["?code=a&code=b"] = "forged", ["?state"] = "invalid",
        ["?state="] = "invalid", ["?state=a&state=b"] = "invalid", ["?state=" .. ("x"):rep(10240)] = "forged",
        ["?state=" .. ("x"):rep(20480)] = "invalid", ["?" .. ("a=1&"):rep(200)] = "invalid", ["?code=c&state=%00%ff"] = "forged",
        ["?state=" .. state] = "no_answer", ["?code=a&code=b&state=" .. state] = "invalid", ["?code&state=" .. state] = "invalid",
        ["?code=&state=" .. state] = "invalid", ["?error=server_error&state=" .. state] = "provider",
        ["?error=access_denied&state=" .. state] = "denied", ["?error&state=" .. state] = "invalid",
        ["?error=access_denied"] = "denied", ["?error=server_error"] = "provider", ["?code=c&error=e&state=" .. state] = "provider",
        ["?%"] = "forged", ["?=&=&;"] = "forged", ["?denied=x"] = "forged", ["?oauth_token=x&oauth_verifier=y"] = "forged",
      }
      for args, reason in pairs(EXPECTED) do
        local response = browser:callback(args)
        assert.equal(reason, reason_of(response), args:sub(1, 60))
      end
      assert.equal(0, creations())
      assert.equal("/", browser:callback(back).headers.Location)
    end)

    it("links to where it was begun only when that is a plain page", function()
      rig = connecting.new(client)
      for _, path in ipairs { "//connect", "/a b", "/con\nnect", "/%2Fconnect" } do
        local other = rig:browser "42"
        local response = other:start(nil, { path = path })
        assert.equal(303, response.status)
        local back = consent(response.headers.Location)
        response = rig:browser("42"):callback(back)
        assert.matches('<a href="/">Go back</a>', response.body, 1, true)
        assert.equal(303, other:callback(back).status)
      end
    end)

    it("warns once when browsers come by another name than they will come back by", function()
      browser:start(nil, { host = "www.example.com:8080" })
      browser:start(nil, { host = "evil\"<x>.example.com" })
      assert.equal(1, #rig.warnings)
      assert.matches("%(www%.example%.com%)", rig.warnings[1])
      rig = rig:another()
      rig.warnings = {}
      rig:browser("42"):start(nil, { host = "APP.example.com:443" })
      assert.same({}, rig.warnings)
    end)

    it("does not even send the user away when it could not be finished", function()
      local without = celements.new { base_url = sandbox.url, user_secret = "u" }
      rig = rig:another { client = without }
      rig.reports = {}
      assert.equal("setup", reason_of(rig:browser("42"):start()))
      assert.same({ "org_secret" }, rig.reports[1].err.missing)
    end)

    it("says so when the platform does not answer", function()
      rig = rig:another { client = connected.client(sandbox, { base_url = "http://127.0.0.1:1", retries = 0 }) }
      local response = rig:browser("42"):start()
      assert.equal("platform", reason_of(response))
      assert.equal("connect", rig.reports[1].err.kind)
    end)
  end)

  describe("when creating it goes wrong,", function()
    local rig, browser, back

    local function begin(more)
      rig = connecting.new(client, more)
      browser = rig:browser "42"
      back = consent(browser:connect "return_to=/a")
    end

    local function faults(...)
      connected.control(sandbox, "POST", "/faults", { faults = { ... } })
    end

    it("tells for good what the provider refuses, and does not ask again", function()
      begin()
      back = back:gsub("code=[^&]+", "code=not-a-code")
      local cookies = browser.jar:header()
      local response = browser:callback(back)
      assert.equal(502, response.status)
      assert.matches("The provider reports a problem", response.body, 1, true)
      assert.matches('<a href="/connect?return_to=/a">Start again</a>', response.body, 1, true)
      assert.matches("Reference: %x+", response.body)
      assert.same({}, canary.leaks(response.body, { code = "not-a-code", secret = "canary-api-secret" }))
      assert.equal(1, #rig.reports)
      assert.same({}, canary.leaks(tostring(rig.reports[1].err), { code = "not-a-code", secret = "canary-api-secret" }))
      assert.equal(502, browser:callback(back, { cookies = cookies }).status)
      assert.equal(1, creations())
      assert.equal(1, #rig.reports)
      assert.same({}, rig.connected)
    end)

    it("tells the application's people, not the user, what is wrong with its settings", function()
      rig = connecting.new(client, { element = "etsy", oauth1 = true })
      browser = rig:browser "42"
      local response = browser:run()
      assert.equal(500, response.status)
      assert.matches("a mistake in our settings", response.body, 1, true)
      assert.is_nil(response.body:find("shop.id", 1, true))
      assert.matches("shop.id", tostring(rig.reports[1].err), 1, true)
    end)

    it("can be tried again when the platform was away: the grant is not lost", function()
      begin { failure_path = "/failed" } -- from where nobody comes back to this callback
      faults { fault = "status=503", method = "POST", path = "/instances", times = 9 }
      local response = browser:callback(back)
      assert.equal(502, response.status)
      assert.matches('<a href="">Try again</a>', response.body, 1, true)
      assert.equal(1, #browser.jar:names())
      faults()
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal(1, instances())
    end)

    it("finds the instance of an answer that was lost", function()
      begin()
      faults { fault = "hangup=after", method = "POST", path = "/instances", times = 1 }
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal(1, instances())
      assert.equal(1, #rig.connected)
    end)

    it("tries to store it several times, and finds it when the user tries again", function()
      begin()
      rig.store.spared.put, rig.store.broken.put = 1, 2   -- the first notes that it begins
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal(1, #rig.flow:connected "42")

      begin()
      rig.store.spared.put, rig.store.broken.put = 1, 4
      local response = browser:callback(back)
      assert.equal(503, response.status)
      assert.matches('<a href="">Try again</a>', response.body, 1, true)
      assert.equal("connect", rig.reports[1].err.kind)
      assert.same({}, rig.connected)
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal(2, instances()) -- one of each time
      assert.equal(1, #rig.connected)
    end)

    it("keeps the grant when the store does not answer before anything was done", function()
      for _, method in ipairs { "get", "claim", "put" } do
        begin()
        rig.store.broken[method] = 1
        assert.equal(503, browser:callback(back).status)
        assert.equal("/a", browser:callback(back).headers.Location)
      end
      assert.equal(3, instances())
      assert.equal(3, creations())
    end)

    it("shows what the user did wrong even when the store does not answer", function()
      begin()
      rig.store.broken.get = 1
      rig.clock.time = rig.clock.time + 601
      assert.equal(410, browser:callback(back).status)
    end)

    it("keeps the instance when the application's hook raises, and calls it again when the user tries again", function()
      local raise = true
      begin {
        on_connected = function(instance)
          if raise then
            error("the database is away; token " .. instance.token)
          end
          table.insert(rig.connected, instance)
        end,
      }
      local response = browser:callback(back)
      assert.equal(500, response.status)
      assert.matches("Connected, but not finished", response.body, 1, true)
      local kept = rig.flow:connected "42"
      assert.equal(1, #kept)
      assert.matches("the database is away; token %[redacted%]", tostring(rig.reports[1].err))
      assert.same({}, canary.leaks(tostring(rig.reports[1].err), { token = kept[1].token }))
      raise = false
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal(1, #rig.connected)
      assert.equal(1, instances())
    end)

    it("says so when an option's function raises or returns something else", function()
      begin { name = function() error "canary" end }
      assert.equal(500, browser:callback(back).status)
      assert.matches("name raised: .*canary", tostring(rig.reports[1].err))
      begin { tags = function() return 42 end }
      assert.equal(500, browser:callback(back).status)
      assert.matches("tags has to return a string or table, not a number", tostring(rig.reports[1].err))
      assert.equal(0, creations())
    end)

    it("waits for another request that is creating it, and gives its answer", function()
      begin()
      local claims = rig.store.claims
      local id
      rig.clock.on_sleep = function()
        rig.clock.on_sleep = nil
        for name in pairs(claims) do
          id = name:match("^celements/flow/(.*)$")
          claims[name] = nil
        end
        rig.store.values["celements/done/" .. id] = {
          value = celements.json.encode { to = "/elsewhere", user = rig.hash_of_42 }, ends = math.huge,
        }
      end
      -- Who the user is, in the store's words: what a first flow has left there.
      local other = rig:browser "42"
      assert.equal(303, other:run().status)
      for name, row in pairs(rig.store.values) do
        if name:find("^celements/done/") then
          rig.hash_of_42 = celements.json.decode(row.value).user
        end
      end
      local before = creations()
      local claim = rig.store.claim
      rig.store.claim = function(self, key, ttl, owner)
        rig.store.claim = claim
        self.claims[key] = { owner = "another", ends = math.huge }
        return claim(self, key, ttl, owner)
      end
      assert.equal("/elsewhere", browser:callback(back).headers.Location)
      assert.equal(before, creations())
      assert.same({}, claims)
    end)

    it("takes over from a host that died, when its lease has run out, and finds what that had made", function()
      begin()
      -- The other host claims, creates, and is never heard of again.
      local release, put = rig.store.release, rig.store.put
      rig.store.release = function() return true end
      rig.store.put = function(self, key, ...)
        return key:find("^celements/instance") and error "killed" or put(self, key, ...)
      end
      assert.is_false((pcall(browser.callback, browser, back)))
      rig.store.release, rig.store.put = release, put
      assert.equal(1, instances())
      local began = rig.clock.time
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.is_true(rig.clock.time - began >= 29)
      assert.equal(1, instances())
      assert.equal(1, #rig.flow:connected "42")
      assert.equal(1, #rig.connected)
    end)

    -- The other host has noted that it begins, and is never heard of again; what it sent may
    -- still be under way.
    local function die_at_work()
      begin()
      local release, put = rig.store.release, rig.store.put
      rig.store.release = function() return true end
      rig.store.put = function(...)
        put(...)
        error "killed"
      end
      assert.is_false((pcall(browser.callback, browser, back)))
      rig.store.release, rig.store.put = release, put
    end

    local function with_spent_code()
      return (back:gsub("code=[^&]+", "code=spent-by-the-other"))
    end

    it("does not take a refusal for the last word while what a dead host began may go on", function()
      die_at_work()
      local response = browser:callback(with_spent_code())
      assert.equal(503, response.status)
      assert.matches("This is still going on", response.body, 1, true)
      assert.matches('<a href="">Try again</a>', response.body, 1, true)
      assert.equal("busy", rig.reports[1].context.reason)
      assert.matches("the provider says", tostring(rig.reports[1].err), 1, true)
      assert.equal("/a", browser:callback(back).headers.Location) -- now the platform has it
      assert.equal(1, instances())
      assert.equal(1, #rig.flow:connected "42")
    end)

    it("takes it for the last word when that cannot be any more", function()
      die_at_work()
      assert.equal(503, browser:callback(with_spent_code()).status)
      rig.clock.time = rig.clock.time + 99   -- the lease of the dead one was 30
      assert.equal(503, browser:callback(with_spent_code()).status)
      rig.clock.time = rig.clock.time + 2
      assert.equal(502, browser:callback(with_spent_code()).status)
      assert.equal(3, creations())
      assert.equal(502, browser:callback(with_spent_code()).status)
      assert.equal(3, creations())
    end)

    -- What the dead host had sent arrives after all: another with the same tag.
    local function arrive_late()
      local tags = assert(client:instances():all())[1].tags
      assert(client:create_instance(connected.typeform { tags = tags }))
      assert.equal(2, instances())
    end

    it("deletes what a dead host's creation leaves behind, however late", function()
      die_at_work()
      assert.equal("/a", browser:callback(back).headers.Location)
      local kept = rig.flow:connected("42")[1].id
      arrive_late()
      local other = assert(client:create_instance(connected.typeform()))
      assert.equal(1, #rig.later)
      assert.is_true(rig.later[1].seconds > 90 and rig.later[1].seconds < 130, rig.later[1].seconds)
      rig.later[1].call()
      assert.equal(2, instances())
      assert(client:get_instance(kept))
      assert(client:get_instance(other.id))
      assert.same({}, rig.reports)
    end)

    it("deletes nothing when it is not sure which one is in the store", function()
      die_at_work()
      assert.equal("/a", browser:callback(back).headers.Location)
      arrive_late()
      rig.store.spared.get, rig.store.broken.get = 1, 1
      rig.later[1].call()
      assert.equal(2, instances())
      assert.equal("connect", rig.reports[1].err.kind)
      rig.store:delete(("celements/instance/42/%s"):format(rig.flow:connected("42")[1].id))
      rig.later[1].call()
      assert.equal(2, instances())
    end)

    it("looks for nothing later when no host has died", function()
      begin()
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.same({}, rig.later)
    end)

    it("gives up after a while when another request holds on to it", function()
      begin()
      rig.store.claim = function() return false end
      local response = browser:callback(back)
      assert.equal(503, response.status)
      assert.matches("This is still going on", response.body, 1, true)
      assert.equal("5", response.headers["Retry-After"])
      assert.equal(0, creations())
    end)

    it("renews its claim every third of the lease while it creates", function()
      begin { lease = 12 }
      browser:callback(back)
      assert.equal(1, #rig.renewals)
      assert.equal(4, rig.renewals[1].seconds)
      assert.equal(1, rig.stopped)
      local before = rig.store.calls.claim
      rig.renewals[1].call()
      assert.equal(before + 1, rig.store.calls.claim)
    end)
  end)

  describe("with tokens in the callback, as the HubSpot page has it,", function()
    it("hands them to the platform, the application's key beside them", function()
      local rig = connecting.new(client, { element = "hubspot", scope = "contacts-rw+offline" })
      local response = rig:browser("42"):run "return_to=/a"
      assert.equal("/a", response.headers.Location)
      local instance = rig.connected[1].instance
      assert.equal("hubspot", instance.element.key)
      local body
      for _, request in ipairs(connected.control(sandbox, "GET", "/requests").requests) do
        if request.method == "POST" and request.path == "/elements/api-v2/instances" then
          body = celements.json.decode(request.body)
        end
      end
      assert.equal("canary-api-key", body.providerData.apikey)
      assert.matches("^at%-", body.providerData.access_token)
      assert.equal("28800", body.providerData.expires_in)
    end)

    it("says what is the matter when they are behind a # sign, which only the browser sees", function()
      local rig = connecting.new(client, { element = "hubspot" })
      local browser = rig:browser "42"
      browser:connect()
      local response = browser:callback(connecting.CALLBACK .. "#access_token=a&expires_in=1")
      assert.equal(400, response.status)
      assert.matches("behind a # sign", response.body, 1, true)
    end)
  end)

  describe("with OAuth 1", function()
    local rig, browser

    before_each(function()
      rig = connecting.new(client, { element = "etsy", oauth1 = true, configuration = { ["shop.id"] = "my-shop" } })
      browser = rig:browser "42"
    end)

    it("brings the request token's secret to the end, in the sealed cookie", function()
      local url = browser:connect "return_to=/a"
      assert.matches("oauth_token=rt%-", url)
      assert.is_nil(browser.jar:header():find("rts", 1, true))
      assert.equal("/a", browser:callback(consent(url)).headers.Location)
      assert.equal("etsy", rig.connected[1].instance.element.key)
    end)

    it("does so when the provider does not send the state back", function()
      local back = consent(browser:connect "return_to=/a"):gsub("[?&]state=[%w_-]+", ""):gsub("callback&", "callback?")
      assert.is_nil(back:find("state=", 1, true))
      local cookies = browser.jar:header()
      assert.equal("/a", browser:callback(back).headers.Location)
      assert.equal("/a", browser:callback(back, { cookies = cookies }).headers.Location)
      assert.equal("/a", browser:callback(back, { cookies = "" }).headers.Location)
      assert.equal(403, rig:browser("43"):callback(back).status)
      assert.equal(1, creations())
    end)

    it("works in two tabs, and tells them apart by their tokens", function()
      local a, b = consent(browser:connect "return_to=/a"), consent(browser:connect "return_to=/b")
      local mixed = a:gsub("state=[%w_-]+", "state=" .. b:match("state=([%w_-]+)"))
      assert.equal(403, browser:callback(mixed).status)
      assert.equal("/a", browser:callback(a).headers.Location)
      assert.equal("/b", browser:callback(b).headers.Location)
    end)

    it("hears a no, and refuses another browser, another user and a late answer", function()
      local denied = consent(browser:connect(), "deny")
      assert.matches("denied=rt%-", denied)
      local response = browser:callback(denied)
      assert.equal(403, response.status)
      assert.matches("Nothing was connected", response.body, 1, true)
      assert.equal("access_denied", rig.reports[1].err.reason)
      local back = consent(browser:connect())
      assert.equal(403, rig:browser("42"):callback(back).status)
      local other = rig:browser "43"
      other.jar = browser.jar
      assert.equal(403, other:callback(back).status)
      rig.clock.time = rig.clock.time + 601
      assert.equal(410, browser:callback(back).status)
      assert.equal(0, creations())
    end)
  end)

  describe("with pages of our own,", function()
    it("shows the provider's words, escaped, to whom the callback belongs", function()
      local rig = connecting.new(client, { title = "HubSpot <CRM>" })
      local browser = rig:browser "42"
      local state = browser:connect():match("state=([%w_-]+)")
      local words = "&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E"
      local response = browser:callback("?error=server_error&state=" .. state .. words)
      assert.equal(502, response.status)
      assert.matches("The provider says: &lt;script&gt;alert(1)&lt;/script&gt;", response.body, 1, true)
      assert.matches("HubSpot &lt;CRM&gt; could not be connected", response.body, 1, true)
      assert.is_nil(response.body:find("<script", 1, true))
      response = browser:callback("?error=server_error" .. words)
      assert.is_nil(response.body:find("alert", 1, true))
    end)

    it("offers to start again where it was started, or at the page that the application names", function()
      local rig = connecting.new(client, { connect_path = "/begin" })
      local browser = rig:browser "42"
      local back = consent(browser:connect "return_to=/a%3Fb%3D1%26c%3D2")
      rig.clock.time = rig.clock.time + 601
      assert.matches('<a href="/connect?return_to=/a%3Fb%3D1%26c%3D2">Start again</a>', browser:callback(back).body, 1, true)
      assert.matches('<a href="/begin">Start again</a>', browser:callback("?state=forged").body, 1, true)
      rig = connecting.new(client, { success_path = "/home" })
      assert.matches('<a href="/home">Go back</a>', rig:browser("42"):callback("?state=forged").body, 1, true)
    end)
  end)

  it("needs no https where the callback URL is this machine's", function()
    local rig = connecting.new(client, { callback_url = "http://127.0.0.1:8080/connect/callback" })
    local browser = rig:browser "42"
    local response = browser:start("return_to=/a", { host = "127.0.0.1:8080" })
    assert.matches("^ce_[%w_-]+=[%w_-]+; Max%-Age=600; Path=/; HttpOnly; SameSite=Lax$", response.cookies[1])
    assert.equal("/a", browser:callback(consent(response.headers.Location)).headers.Location)
    assert.same({}, rig.warnings)
  end)

  it("shows no secret of its own", function()
    local rig = connecting.new(client)
    local shown = { tostring(rig.flow) }
    for name, value in pairs(rig.flow) do
      shown[#shown + 1] = tostring(name) .. tostring(value)
    end
    assert.same({}, canary.leaks(table.concat(shown), { secret = "canary-api-secret", key = connecting.KEY }))
  end)
end)
