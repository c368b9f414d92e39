--- The examples and the demo, run as a reader would run them, against the sandbox.

local celements = require "celements"
local reader = require "spec.support.reader"

local output_of, quote, read, run, write = reader.output_of, reader.quote, reader.read, reader.run, reader.write

local function has(output, ...)
  for i = 1, select("#", ...) do
    local wanted = select(i, ...)
    assert(output:find(wanted, 1, true), ("%q is not in the output:\n%s"):format(wanted, output))
  end
end

local function has_not(output, ...)
  for i = 1, select("#", ...) do
    local unwanted = select(i, ...)
    assert(#unwanted > 0 and not output:find(unwanted, 1, true), "a secret is in the output:\n" .. output)
  end
end

describe("an example without secrets in the environment", function()
  it("provision_hubspot goes the page's whole way", function()
    local output, status = run("examples/provision_hubspot.lua")
    assert.equal(0, status, output)
    has(output, "a sandbox on this machine plays the platform", "client_id=123456789d-1234-12e4-bda9-12345b8bf20",
      "Instance 12345 is there.", "contact1@instance12345.example.com", "contact5@instance12345.example.com")
    assert.is_nil(output:find("contact6@", 1, true))
  end)

  it("provision_api_key needs one call", function()
    local output, status = run("examples/provision_api_key.lua")
    assert.equal(0, status, output)
    has(output, "Instance 12345 is there, connected to HubSpot CRM.", "The provider answers.")
    has_not(output, celements.sandbox.credentials("hubspotcrm", "apiKey")["hubspot.authorization.apikey"])
  end)

  it("provision_oauth1 brings the request token's secret to the end", function()
    local output, status = run("examples/provision_oauth1.lua")
    assert.equal(0, status, output)
    has(output, "oauth_token=rt-", "Instance 12345 is there, connected to Etsy.")
    has_not(output, "rts/", "my-secret")
  end)

  it("from_instance_json names what is not filled in, then creates the instance", function()
    local output, status = run("examples/from_instance_json.lua")
    assert.equal(0, status, output)
    has(output, "Nothing was sent", "  configuration.oauth.api.secret\n", "  name\n", "  providerData.access_token\n",
      "  tags[1]\n", "Instance 12345 is there: Test.")
  end)

  it("list_contacts streams the rows that a condition picks", function()
    local output, status = run("examples/list_contacts.lua")
    assert.equal(0, status, output)
    local _, rows = output:gsub("\n  %S+ O'Brien <contact%d+@instance12345%.example%.com>", "")
    assert.is_true(rows > 5, output) -- more than a page
    has(output, ("%d contacts."):format(rows))
    output, status = run("examples/list_contacts.lua 2026-01-01T00:00:00Z")
    assert.equal(0, status, output)
    has(output, "0 contacts.")
  end)

  it("reauthenticate makes a lost connection work, with the same token", function()
    local output, status = run("examples/reauthenticate.lua")
    assert.equal(0, status, output)
    has(output, "Instance 12345, CRM of customer 42: not connected.", "Instance 12345, CRM of customer 42: connected.",
      "Its token is the same as before.")
    has_not(output, "our-client-secret")
  end)

  it("bulk_create makes each once, loses no answer, and names what failed", function()
    local output, status = run("examples/bulk_create.lua")
    assert.equal(0, status, output)
    has(output, "10 of 40, ", "40 of 40, 1 failed", "customer-3: invalid: The provider refused",
      "39 instances are there, 3 of them were there already")
    has_not(output, "a wrong key")
  end)

  it("find_broken reports what is disabled or not connected, and nothing else", function()
    local output, status = run("examples/find_broken.lua")
    assert.equal(0, status, output)
    has(output, "  12347 customer-3: disabled\n", "  12349 customer-5: ", "7 instances, 2 of them broken.")
  end)

  it("from_instance_json finds its file from anywhere", function()
    local here = output_of("pwd"):gsub("\n$", "")
    local output, status = output_of("cd / && " .. reader.command(quote(here .. "/examples/from_instance_json.lua")))
    assert.equal(0, status, output)
    has(output, "Instance 12345 is there: Test.")
  end)
end)

describe("an example with secrets in the environment", function()
  local sandbox, control, directory

  setup(function()
    sandbox = assert(celements.sandbox.start())
    control = celements.new {
      base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
    }
    directory = reader.directory()
  end)

  teardown(function()
    sandbox.stop()
    reader.remove(directory)
  end)

  -- The instance made last, token and all.
  local function newest()
    local instances = assert(control:request("GET", "/instances"))
    return instances[#instances]
  end

  -- Runs an example and is its user: reads the URL, agrees, and types in the callback.
  local function run_with_user(script, more)
    local keyboard = directory .. "/keyboard"
    os.execute("rm -f " .. quote(keyboard) .. " && mkfifo " .. quote(keyboard))
    -- "<>" because opening a pipe for reading alone waits for its writer.
    local command = reader.command("-e 'io.stdout:setvbuf(\"line\")' " .. script, sandbox, more)
    local pipe = assert(io.popen(command .. " <>" .. quote(keyboard) .. "; echo \"status $?\""))
    local lines, callback = {}, nil
    for line in pipe:lines() do
      lines[#lines + 1] = line
      local url = line:match("^Send the user to: (.*)$")
      if url then
        callback = assert(celements.sandbox.consent(url, "approve"))
        write(keyboard, callback .. "\n")
      end
    end
    pipe:close()
    local output, status = (table.concat(lines, "\n") .. "\n"):match("^(.*)status (%d+)\n$")
    return output, tonumber(status), callback
  end

  local function shows_no_secret(output)
    has_not(output, sandbox.user_secret, sandbox.org_secret, newest().token)
  end

  it("provision_hubspot asks for the callback, and shows no secret", function()
    local output, status, callback = run_with_user("examples/provision_hubspot.lua")
    assert.equal(0, status, output)
    local granted = celements.parse_callback(callback)
    local instance = newest()
    has(output, "celements.Client (" .. sandbox.url, "paste the whole URL",
      ("Instance %s is there."):format(instance.id), ("contact5@instance%s.example.com"):format(instance.id))
    shows_no_secret(output)
    has_not(output, granted.access_token, granted.refresh_token)
  end)

  it("provision_oauth1 asks for the callback, and shows no secret", function()
    local application = { ETSY_SECRET = "canary-application-secret" }
    local output, status, callback = run_with_user("examples/provision_oauth1.lua", application)
    assert.equal(0, status, output)
    has(output, ("Instance %s is there, connected to Etsy."):format(newest().id))
    shows_no_secret(output)
    has_not(output, "canary-application-secret", celements.parse_callback(callback).oauth_verifier)
  end)

  it("provision_api_key takes the key from the environment, and shows no secret", function()
    local key = celements.sandbox.credentials("hubspotcrm", "apiKey")["hubspot.authorization.apikey"]
    local output, status = run("examples/provision_api_key.lua", sandbox, { HUBSPOT_API_KEY = key })
    assert.equal(0, status, output)
    has(output, ("Instance %s is there"):format(newest().id))
    shows_no_secret(output)
    has_not(output, key)
  end)

  it("provision_api_key fails with the provider's words for a wrong key", function()
    local output, status = run("examples/provision_api_key.lua", sandbox, { HUBSPOT_API_KEY = "canary-of-a-key" })
    assert.equal(1, status, output)
    has(output, "invalid_credentials")
    has_not(output, "canary-of-a-key", sandbox.user_secret, sandbox.org_secret)
  end)

  it("bulk_create takes its customers from a file, and makes none twice when it runs again", function()
    local file, key = directory .. "/customers", celements.sandbox.credentials("typeform")["api.key"]
    write(file, ("acme %s\nzeta %s\nbad canary-of-a-key\n\n"):format(key, key))
    for _, there in ipairs { 0, 2 } do
      local output, status = run("examples/bulk_create.lua " .. quote(file), sandbox)
      assert.equal(0, status, output)
      has(output, "3 of 3, 1 failed", "bad: invalid: ", ("2 instances are there, %d of them"):format(there))
      shows_no_secret(output)
      has_not(output, key, "canary-of-a-key")
    end
    assert.equal(2, #control:instances({ tags = "bulk" }):all())
  end)

  it("list_contacts takes the token from the environment, and shows no secret", function()
    local instance = newest()
    local output, status = run("examples/list_contacts.lua", sandbox, { ELEMENT_TOKEN = instance.token })
    assert.equal(0, status, output)
    has(output, ("@instance%s.example.com"):format(instance.id))
    shows_no_secret(output)
    output, status = run("examples/list_contacts.lua", sandbox)
    assert.equal(1, status, output)
    has(output, "ELEMENT_TOKEN is not set")
  end)

  it("reauthenticate asks for the callback, and shows no secret", function()
    local app = { CLIENT_ID = "canary-client", CLIENT_SECRET = "canary-secret", CALLBACK_URL = "https://a.example.com/cb" }
    local step = assert(control:oauth_url {
      element = "hubspotcrm", api_key = app.CLIENT_ID, api_secret = app.CLIENT_SECRET, callback_url = app.CALLBACK_URL,
    })
    local granted = assert(celements.parse_callback(assert(celements.sandbox.consent(step.oauthUrl, "approve"))))
    local instance = assert(control:create_instance {
      element = "hubspotcrm", name = "CRM", provider_data = granted,
      configuration = { ["oauth.api.key"] = app.CLIENT_ID, ["oauth.api.secret"] = app.CLIENT_SECRET,
        ["oauth.callback.url"] = app.CALLBACK_URL },
    })
    app.INSTANCE_ID = ("%d"):format(instance.id)
    local output, status, callback = run_with_user("examples/reauthenticate.lua", app)
    assert.equal(0, status, output)
    has(output, ("Instance %d, CRM: connected."):format(instance.id), "Its token is the same as before.")
    shows_no_secret(output)
    has_not(output, "canary-secret", celements.parse_callback(callback).code)
  end)

  it("find_broken looks at the account that the environment names, and changes nothing there", function()
    local before = control:instances():all()
    local output, status = run("examples/find_broken.lua", sandbox)
    assert.equal(0, status, output)
    has(output, ("%d instances, 0 of them broken."):format(#before))
    shows_no_secret(output)
    assert.equal(#before, #control:instances():all())
  end)

  it("from_instance_json sends a file that is filled in", function()
    local file = directory .. "/typeform.json"
    write(file, assert(celements.json.encode {
      element = { key = "typeform" }, name = "Out of a file",
      configuration = celements.sandbox.credentials("typeform"),
    }))
    local output, status = run("examples/from_instance_json.lua " .. quote(file), sandbox)
    assert.equal(0, status, output)
    has(output, ("Instance %s is there: Out of a file."):format(newest().id))
    shows_no_secret(output)
  end)

  it("from_instance_json sends nothing while the template is not filled in", function()
    local before = newest().id
    local output, status = run("examples/from_instance_json.lua", sandbox)
    assert.equal(1, status, output)
    has(output, "Nothing was sent", "config: still the template's text: ")
    assert.equal(before, newest().id)
  end)
end)

describe("the demo", function()
  it("shows the whole flow, with masked secrets", function()
    local output, status = run("examples/demo.lua")
    assert.equal(0, status, output)
    has(output, "celements " .. celements._VERSION, "GET /elements/hubspot/oauth/url", "oauthUrl", "POST /instances",
      "Missing required configuration entries: oauth.scope", "12345", "contact5@instance12345.example.com")
    assert.matches("\n   token +%S%S%S%S%.%.%. %(44 characters%)\n", output)
    for word in output:gmatch("[%w+=]+") do   -- base64 and hex digits; what is meant to be read has other characters
      assert(#word <= 16, "this looks like a secret: " .. word)
    end
  end)

  it("does not leave this machine when secrets are in the environment", function()
    local output, status = run("examples/demo.lua", {
      url = "https://elsewhere.invalid", user_secret = "canary-user", org_secret = "canary-organization",
    })
    assert.equal(0, status, output)
    has_not(output, "elsewhere.invalid", "canary")
  end)

  it("names files that are there", function()
    for path in read("examples/demo.lua"):gmatch("\n   ([%w_/]+%.%w+)  ") do
      read(path)
    end
  end)

  it("exits with a status other than 0 when something goes wrong", function()
    local broken = reader.directory()
    local script, changed = read("examples/demo.lua"):gsub('"oauth%.scope"', '"oauth.scpoe"')
    assert.equal(1, changed)
    write(broken .. "/demo.lua", script)
    local output, status = run(quote(broken .. "/demo.lua"))
    reader.remove(broken)
    assert.equal(1, status, output)
    has(output, "Missing required configuration entries: oauth.scope")
  end)
end)

describe("the examples", function()
  it("are never named after a module that they require", function()
    for file in output_of("ls examples"):gmatch("(%S+)%.lua\n") do
      local source = read("examples/" .. file .. ".lua")
      for module in source:gmatch("require%s*%(?%s*[\"']([^\"']+)") do
        assert.not_equal(file, module:match("^[^.]+"))
      end
    end
  end)

  it("each have a place in the README or are the demo", function()
    local readme = read("README.md")
    for file in output_of("ls examples"):gmatch("(%S+%.lua)\n") do
      if file ~= "demo.lua" then
        has(readme, "(examples/" .. file .. ")")
      end
    end
  end)
end)
