--- The contacts of a connected account that changed since a day, page by page.
--
--     lua5.4 examples/list_contacts.lua [SINCE]
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, with
-- the token of an instance in ELEMENT_TOKEN.  Without them a sandbox on this machine plays
-- the platform.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start()) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

-- A client for one instance takes what create_instance returned, or its token.
local account = client:instance(sandbox and assert(client:create_instance {
  element = "typeform", name = "Forms", configuration = celements.sandbox.credentials "typeform",
}) or assert(os.getenv "ELEMENT_TOKEN", "ELEMENT_TOKEN is not set"))

-- Values are quoted for the query language, whatever is in them.
local contacts = account:pages("/contacts", {
  where = celements.all(
    celements.where("lastModifiedDate", ">=", arg[1] or "2016-11-01T00:00:00Z"),
    celements.where("lastName", "LIKE", "O'%")
  ),
  pageSize = 5,
})

-- The next page is asked for when it is needed.  A page that cannot be had raises: the
-- loop never takes a failure for the end.
for contact in contacts do
  print(("  %s %s <%s>"):format(contact.firstName, contact.lastName, contact.email))
end
print(("%d contacts."):format(contacts.count))

-- What the platform remarked on the way, such as a page that it cut.
for _, warning in ipairs(contacts.warnings) do
  print("The platform says: " .. warning)
end

if sandbox then
  sandbox.stop()
end
