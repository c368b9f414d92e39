--- Many instances at once, each exactly once, with the progress as it goes.
--
--     lua5.4 examples/bulk_create.lua [FILE]
--
-- With CELEMENTS_USER_SECRET and CELEMENTS_ORG_SECRET set it talks to the platform; each
-- line of FILE is a customer's name, a blank and their Typeform key.  Without them a
-- sandbox on this machine plays the platform, and loses some of its answers.

local celements = require "celements"

local sandbox = not os.getenv "CELEMENTS_USER_SECRET" and assert(celements.sandbox.start {
  faults = { { fault = "hangup=after", method = "POST", path = "/instances", skip = 30, times = 3 } },
}) or nil
local client = celements.new(sandbox and {
  base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret,
})
print(sandbox and "No secrets in the environment: a sandbox on this machine plays the platform." or client)

local customers = {}
if sandbox then
  local key = celements.sandbox.credentials("typeform")["api.key"]
  for i = 1, 40 do
    customers[i] = { name = "customer-" .. i, key = i == 3 and "a wrong key" or key }
  end
else
  local file = assert(io.open(arg[1] or error("FILE is not given", 0)))
  for line in file:lines() do
    local name, key = line:match "^(%S+)%s+(%S+)"
    customers[#customers + 1] = name and { name = name, key = key }
  end
  file:close()
end

local list = {}
for i, customer in ipairs(customers) do
  list[i] = {
    element = "typeform", name = customer.name, tags = { "bulk" }, configuration = { ["api.key"] = customer.key },
    -- An instance under this name is found, not made again: also when an answer was
    -- lost, and when this script runs a second time.
    once = "typeform/" .. customer.name,
  }
end

local outcomes, summary = client:create_instances(list, {
  concurrency = 8,
  on_progress = function(p)
    if p.done % 10 == 0 or p.done == p.total then
      print(("%d of %d, %d failed"):format(p.done, p.total, p.failed))
    end
  end,
})

-- In the order of the list: a result and its info, or an error.
local found = 0
for i, outcome in ipairs(outcomes) do
  if outcome.err then
    print(("%s: %s"):format(customers[i].name, tostring(outcome.err)))
  elseif outcome.info.found then
    found = found + 1
  end
end
print(("%d instances are there, %d of them were there already or their answer was lost.")
  :format(summary.done - summary.failed, found))

if sandbox then
  sandbox.stop()
end
