--- An element that needs no consent: one call, with the provider's key.
--
--     lua5.4 examples/provision_api_key.lua
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, with
-- the key in HUBSPOT_API_KEY.  Without them a sandbox on this machine plays the platform.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start()) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

-- What the sandbox's make-believe provider accepts, in place of a key of yours.
local KEY = "hubspot.authorization.apikey"
local api_key = sandbox and celements.sandbox.credentials("hubspotcrm", "apiKey")[KEY] or os.getenv "HUBSPOT_API_KEY"

-- There is no callback, so no provider_data: all is in the configuration.  Its names
-- are the element's own.
local instance = assert(client:create_instance {
  element = "hubspotcrm",
  name = "CRM by key",
  configuration = {
    ["authentication.type"] = "apiKey",
    [KEY] = api_key,
  },
})
print(("Instance %s is there, connected to %s."):format(instance.id, instance.element.name))

-- Some elements take any key when the instance is made; a call tells whether it is good.
assert(client:request("GET", "/ping", { element_token = instance.token }))
print "The provider answers."

if sandbox then
  sandbox.stop()
end
