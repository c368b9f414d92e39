--- The vendor's HubSpot page, step by step: from the OAuth URL to a first call.
--
--     lua5.4 examples/provision_hubspot.lua
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, for
-- the HubSpot application in HUBSPOT_CLIENT_ID, HUBSPOT_PORTAL_ID and HUBSPOT_CALLBACK_URL.
-- Without them a sandbox on this machine plays the platform, the provider and the user.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start()) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

-- The values that are not set do for the sandbox.
local app = {
  client_id = os.getenv "HUBSPOT_CLIENT_ID" or "123456789d-1234-12e4-bda9-12345b8bf20",
  portal_id = os.getenv "HUBSPOT_PORTAL_ID" or "123456",
  callback_url = os.getenv "HUBSPOT_CALLBACK_URL" or "http://demonstrab.ly",
}

-- Step 1: where to send the user.
local step1 = assert(client:oauth_url {
  element = "hubspot",
  api_key = app.client_id,
  api_secret = app.portal_id,
  scope = "contacts-rw offline",
  callback_url = app.callback_url,
})
print("Send the user to: " .. step1.oauthUrl)

-- The user agrees there, and HubSpot sends their browser to the callback URL.
local callback
if sandbox then
  callback = assert(celements.sandbox.consent(step1.oauthUrl, "approve"))
  print "The sandbox agrees in place of the user."
else
  print "Open it, agree, and paste the whole URL that the browser ends up at:"
  callback = io.read "*l" or ""
end
local granted = assert(celements.parse_callback(callback))

-- Step 2: the instance, and its token.
local instance = assert(client:create_instance {
  element = "hubspot",
  name = "Test",
  provider_data = {
    apikey = app.client_id,
    access_token = granted.access_token,
    refresh_token = granted.refresh_token,
    expires_in = granted.expires_in,
  },
  configuration = {
    ["oauth.api.key"] = app.client_id,
    ["oauth.api.secret"] = app.portal_id,
    ["oauth.callback.url"] = app.callback_url,
    ["oauth.scope"] = "contacts-rw+offline",
  },
  tags = { "my-tag" },
})
print(("Instance %s is there. Its token has %d characters; keep it as you keep a password.")
  :format(instance.id, #instance.token))

-- A first call with the token.
local contacts = assert(client:request("GET", "/contacts", {
  query = { pageSize = 5 },
  element_token = instance.token,
}))
for _, contact in ipairs(contacts) do
  print("  " .. contact.email)
end

if sandbox then
  sandbox.stop()
end
