--- An account whose grant has run out, connected again: id, token, name and tags stay.
--
--     lua5.4 examples/reauthenticate.lua
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, for
-- the instance in INSTANCE_ID and the application in CLIENT_ID, CLIENT_SECRET and
-- CALLBACK_URL.  Without them a sandbox on this machine plays the platform, the provider
-- and the user.

local celements = require "celements"

-- This sandbox makes instances that the provider does not let in, as some elements do.
local sandbox = not os.getenv "CELEMENTS_USER_SECRET"
  and assert(celements.sandbox.start { refusal_status = 200 }) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

local app = {
  api_key = os.getenv "CLIENT_ID" or "our-client-id",
  api_secret = os.getenv "CLIENT_SECRET" or "our-client-secret",
  callback_url = os.getenv "CALLBACK_URL" or "https://app.example.com/callback",
}
local configuration = {
  ["oauth.api.key"] = app.api_key,
  ["oauth.api.secret"] = app.api_secret,
  ["oauth.callback.url"] = app.callback_url,
}

local id
if sandbox then
  id = assert(client:create_instance {
    element = "hubspotcrm", name = "CRM of customer 42", tags = { "customer-42" },
    provider_data = { code = "a code that is too old" }, configuration = configuration,
  }).id
else
  id = assert(os.getenv "INSTANCE_ID", "INSTANCE_ID is not set")
end

local before = assert(client:get_instance(id))
print(("Instance %s, %s: %s."):format(before.id, before.name, before.valid and "connected" or "not connected"))

-- The user agrees once more.
local step1 = assert(client:oauth_url {
  element = before.element.key, api_key = app.api_key, api_secret = app.api_secret, callback_url = app.callback_url,
})
local callback
if sandbox then
  callback = assert(celements.sandbox.consent(step1.oauthUrl, "approve"))
  print "The sandbox agrees in place of the user."
else
  print("Send the user to: " .. step1.oauthUrl)
  print "Open it, agree, and paste the whole URL that the browser ends up at:"
  callback = io.read "*l" or ""
end
local granted = assert(celements.parse_callback(callback))

-- What the platform shows masked is not sent back, so the application's secrets go along.
local after = assert(client:reauthenticate(before.id, granted, configuration))
print(("Instance %s, %s: %s."):format(after.id, after.name, after.valid and "connected" or "not connected"))
print(after.token == before.token and "Its token is the same as before." or "Its token has changed!")

if sandbox then
  sandbox.stop()
end
