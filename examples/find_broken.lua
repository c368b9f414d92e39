--- Which instances do not work, and why: a report over the whole account.
--
--     lua5.4 examples/find_broken.lua
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform, and
-- changes nothing there.  Without them a sandbox on this machine plays the platform.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET"
  and assert(celements.sandbox.start { refusal_status = 200 }) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

if sandbox then -- five that work, one that is switched off, and one with a wrong key
  local key = celements.sandbox.credentials("typeform")["api.key"]
  for i = 1, 7 do
    local instance = assert(client:create_instance {
      element = "typeform", name = "customer-" .. i, configuration = { ["api.key"] = i == 5 and "a wrong key" or key },
    })
    if i == 3 then
      assert(client:disable_instance(instance.id))
    end
  end
end

-- Why an instance does not work; nothing where it does.
local function trouble(instance)
  if instance.disabled then
    return "disabled"
  end
  local answer, err = client:instance(instance):ping { timeout = 20 }
  if not answer and err.kind ~= "not_found" then -- not every element has a ping
    return err.provider_message or err.message
  elseif instance.valid == false then
    return "not connected: the user has to connect the account again"
  end
end

-- The list streams in page by page, and 16 instances at a time are asked.
local broken = {}
local _, summary = client:map(client:instances { hydrate = false }, function(instance)
  local why = trouble(instance)
  if why then
    broken[#broken + 1] = { id = instance.id, name = instance.name, why = why }
  end
end)

table.sort(broken, function(a, b)
  return a.id < b.id
end)
for _, each in ipairs(broken) do
  print(("  %s %s: %s"):format(each.id, each.name, each.why))
end
print(("%d instances, %d of them broken."):format(summary.done, #broken))

if sandbox then
  sandbox.stop()
end
