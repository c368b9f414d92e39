-- Many calls at once by client:map(), as floor_many.c makes them.
-- flow_many.lua keep|drop HTTP_VERSION BASE_URL TRUST AT_ONCE CALLS PAGE: prints the seconds of
-- CPU and of wall, new connections included.

local form, http_version, base_url, trust, at_once, calls, page_file = ...

local celements = require "celements"
local core = require "celements.core"

local page = dofile(page_file)

local client = celements.new {
  base_url = base_url,
  user_secret = page.user_secret,
  org_secret = page.org_secret,
  ca_file = trust,
  http_version = http_version,
}

local ids = {}
for i = 1, tonumber(calls) do
  ids[i] = i
end

local cpu, wall = os.clock(), core.engine.clock()
local items, options = ids, { concurrency = tonumber(at_once) }
if form == "drop" then
  local at = 0
  function items()
    at = at + 1
    return ids[at]
  end
  function options.on_result(_, outcome)
    assert(outcome.result, outcome.err)
  end
end
local outcomes, summary = client:map(items, function(id)
  return client:get_instance(id)
end, options)
assert(summary.done == tonumber(calls) and summary.failed == 0 and (form == "drop" or #outcomes == summary.done))
print(("loop %.6f %.6f"):format(os.clock() - cpu, core.engine.clock() - wall))
