-- The page's two calls through celements, as floor.c does them without.
-- flow.lua HTTP_VERSION BASE_URL TRUST WARMUP FLOWS PAGE: prints the seconds of CPU and
-- of wall that the FLOWS took.  TRUST "system" means the system's store.

local http_version, base_url, trust, warmup, flows, page_file = ...

local celements = require "celements"
local core = require "celements.core"

local page = dofile(page_file)

local client = celements.new {
  base_url = base_url,
  user_secret = page.user_secret,
  org_secret = page.org_secret,
  ca_file = trust ~= "system" and trust or nil,
  http_version = http_version,
}

local function run(times)
  for _ = 1, times do
    assert(client:oauth_url(page.oauth))
    assert(client:create_instance(page.body))
  end
end

run(tonumber(warmup))
local cpu, wall = os.clock(), core.engine.clock()
run(tonumber(flows))
print(("loop %.6f %.6f"):format(os.clock() - cpu, core.engine.clock() - wall))
