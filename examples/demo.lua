--- What `make demo` runs: the whole flow of the vendor's HubSpot page, in front of you.
-- Nothing leaves this machine: the sandbox plays the platform, the provider and the user.

local celements = require "celements"

local API_KEY, API_SECRET = "123456789d-1234-12e4-bda9-12345b8bf20", "123456"
local CALLBACK_URL = "http://demonstrab.ly"

local number = 0
local function step(title)
  number = number + 1
  print(("\n%d. %s"):format(number, title))
end

local function show(name, value)
  print(("   %-14s %s"):format(name, tostring(value)))
end

-- Enough of a secret to recognise it by.
local function masked(secret)
  return ("%s... (%d characters)"):format(secret:sub(1, 4), #secret)
end

print(("celements %s on %s"):format(celements._VERSION, jit and jit.version or _VERSION))

step "A sandbox on this machine stands in for the platform"
local sandbox = assert(celements.sandbox.start())
local client = celements.new {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
}
show("base URL", sandbox.url)
show("user secret", masked(sandbox.user_secret))
show("org. secret", masked(sandbox.org_secret))

step "Ask where to send the user: GET /elements/hubspot/oauth/url"
local step1, info = assert(client:oauth_url {
  element = "hubspot",
  api_key = API_KEY,
  api_secret = API_SECRET,
  scope = "contacts-rw offline",
  callback_url = CALLBACK_URL,
})
show("status", info.status)
show("oauthUrl", step1.oauthUrl)

step "The user agrees, and the provider calls back"
local callback = assert(celements.sandbox.consent(step1.oauthUrl, "approve"))
local granted = assert(celements.parse_callback(callback))
show("callback", CALLBACK_URL)
show("access_token", masked(granted.access_token))
show("refresh_token", masked(granted.refresh_token))
show("expires_in", granted.expires_in .. " seconds")

step "Create the instance: POST /instances"
local params = {
  element = "hubspot",
  name = "Test",
  provider_data = {
    apikey = API_KEY,
    access_token = granted.access_token,
    refresh_token = granted.refresh_token,
    expires_in = granted.expires_in,
  },
  configuration = {
    ["oauth.api.key"] = API_KEY,
    ["oauth.api.secret"] = API_SECRET,
    ["oauth.callback.url"] = CALLBACK_URL,
  },
  tags = { "my-tag" },
}
local refused, err = client:create_instance(params)
assert(not refused, "an instance without its required configuration was not refused")
assert(err.kind == "invalid", err)
print "   oauth.scope was left out, and the platform says so:"
show("err.kind", err.kind)
show("err.message", err.message)
show("err.outcome", err.outcome)
params.configuration["oauth.scope"] = "contacts-rw+offline"
local instance
instance, info = assert(client:create_instance(params))
print "   With it:"
show("status", info.status)
show("id", instance.id)
show("token", masked(instance.token))

step "Use the token: GET /contacts of the connected account"
local contacts
contacts, info = assert(client:request("GET", "/contacts", {
  query = { pageSize = 5 },
  element_token = instance.token,
}))
assert(#contacts == 5, "the first page does not hold five contacts")
for i, contact in ipairs(contacts) do
  show("contact " .. i, ("%s %s <%s>"):format(contact.firstName, contact.lastName, contact.email))
end
show("of", info.headers["elements-total-count"])

sandbox.stop()
print [[

That was the whole way. Where to go from here:
   examples/provision_hubspot.lua   the same as a program of yours, for the platform
   examples/provision_api_key.lua   an element that takes a key
   examples/provision_oauth1.lua    an element with OAuth 1.0
   README.md                        options, errors, what is sent twice and what never is]]
