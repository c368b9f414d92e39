-- All instances of an account, row by row, as floor_list.c reads them.
-- flow_list.lua BASE_URL TRUST ROWS PAGE: prints the seconds of CPU and of wall.

local base_url, trust, rows, page_file = ...

local celements = require "celements"
local core = require "celements.core"

local page = dofile(page_file)

local client = celements.new {
  base_url = base_url,
  user_secret = page.user_secret,
  org_secret = page.org_secret,
  ca_file = trust,
}

local cpu, wall = os.clock(), core.engine.clock()
local count = 0
for _ in client:instances { page_size = 200, limit = tonumber(rows) } do
  count = count + 1
end
assert(count == tonumber(rows))
print(("loop %.6f %.6f"):format(os.clock() - cpu, core.engine.clock() - wall))
