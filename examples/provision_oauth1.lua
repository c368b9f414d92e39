--- OAuth 1.0: a request token first, and its secret at the end.
--
--     lua5.4 examples/provision_oauth1.lua
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, for
-- the Etsy application in ETSY_KEY, ETSY_SECRET, ETSY_CALLBACK_URL and ETSY_SHOP.
-- Without them a sandbox on this machine plays the platform, the provider and the user.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start()) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

-- The values that are not set do for the sandbox.
local app = {
  element = "etsy",
  api_key = os.getenv "ETSY_KEY" or "my-key",
  api_secret = os.getenv "ETSY_SECRET" or "my-secret",
  callback_url = os.getenv "ETSY_CALLBACK_URL" or "https://example.com/callback",
}
local shop = os.getenv "ETSY_SHOP" or "my-shop"

-- Step 1: a request token.  Its secret stays here until step 3.
local request_token = assert(client:oauth_token(app))

-- Step 2: where to send the user, with that token.
app.request_token = request_token.token
local step2 = assert(client:oauth_url(app))
print("Send the user to: " .. step2.oauthUrl)

local callback
if sandbox then
  callback = assert(celements.sandbox.consent(step2.oauthUrl, "approve"))
  print "The sandbox agrees in place of the user."
else
  print "Open it, agree, and paste the whole URL that the browser ends up at:"
  callback = io.read "*l" or ""
end
local granted = assert(celements.parse_callback(callback, { request_token = request_token.token }))

-- Step 3: the instance.
local instance = assert(client:create_instance {
  element = "etsy",
  name = "My shop",
  provider_data = {
    oauth_token = granted.oauth_token,
    oauth_verifier = granted.oauth_verifier,
    secret = request_token.secret,
  },
  configuration = {
    ["oauth.api.key"] = app.api_key,
    ["oauth.api.secret"] = app.api_secret,
    ["oauth.callback.url"] = app.callback_url,
    ["shop.id"] = shop,
  },
})
print(("Instance %s is there, connected to %s."):format(instance.id, instance.element.name))

if sandbox then
  sandbox.stop()
end
