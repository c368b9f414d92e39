--- What `curl -d @instance.json` does: an instance out of a file in the vendor's form.
--
--     lua5.4 examples/from_instance_json.lua [FILE]
--
-- FILE is examples/instance.json by default, a template with nothing filled in yet.
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set, a file that is filled in goes
-- to the platform.  Without them a sandbox on this machine plays the platform, and this
-- script fills the template in.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start()) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

-- A broken file is refused with the line, a caret under the place, and the reason.
local body = assert(celements.json.load(arg[1] or (arg[0]:match("^.*/") or "") .. "instance.json"))

-- The decoded file is what create_instance takes, wire names and all.  What nobody
-- filled in yet is found before anything is sent.
local instance, err = client:create_instance(body)
if not instance and err.placeholders and #err.placeholders > 0 then
  print "Nothing was sent; these are still the template's text:"
  for _, path in ipairs(err.placeholders) do
    print("  " .. path)
  end
end

-- The rest is the sandbox's: be the user, and fill in what came of it.
if not instance and sandbox and not arg[1] then
  local configuration, provider_data = body.configuration, body.providerData
  configuration["oauth.api.key"] = "123456789d-1234-12e4-bda9-12345b8bf20"
  configuration["oauth.api.secret"] = "123456"
  configuration["oauth.callback.url"] = "http://demonstrab.ly"
  local step1 = assert(client:oauth_url {
    element = body.element,
    api_key = configuration["oauth.api.key"],
    api_secret = configuration["oauth.api.secret"],
    callback_url = configuration["oauth.callback.url"],
    scope = configuration["oauth.scope"],
  })
  local granted = assert(celements.parse_callback(assert(celements.sandbox.consent(step1.oauthUrl, "approve"))))
  provider_data.apikey = configuration["oauth.api.key"]
  provider_data.access_token = granted.access_token
  provider_data.refresh_token = granted.refresh_token
  provider_data.expires_in = granted.expires_in
  body.name, body.tags = "Test", { "my-tag" }
  print "Filled in, and sent again."
  instance, err = client:create_instance(body)
end

assert(instance, err)
print(("Instance %s is there: %s."):format(instance.id, instance.name))

if sandbox then
  sandbox.stop()
end
