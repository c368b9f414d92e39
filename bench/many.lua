-- Many calls at once, each answered after 50 ms: wall, CPU, memory and connections of
-- client:map() beside the bare program on the same Lua, in turn, ratios round by round;
-- and whether a call costs more when more are in flight.

local lib = require "bench.lib"

local WALL_GOAL, CPU_GOAL = 1.02, 1.25
local GROWTH_GOAL = 1.15 -- of what libcurl itself needs more when more are in flight
local CALLS, FEW, MANY = 2000, 64, 1024
local ROUNDS = (lib.rounds + 1) // 2
local LUAS = { "lua5.4", "luajit" }

-- A list, whose answers are kept, and an iterator, whose answers are dropped.
local FORMS = { "keep", "drop" }

-- environment and command
local function bare(lua, form, transport, at_once, calls)
  return "", ("build/bench/floor_many-%s %s %s %s %s %d %d bench/page.lua"):format(
    lua, form, transport.http_version, transport.url, lib.ca_file, at_once, calls)
end

local function ours(lua, form, transport, at_once, calls)
  return lib.checkout(lua), ("%s bench/flow_many.lua %s %s %s %s %d %d bench/page.lua"):format(
    lua, form, transport.http_version, transport.url, lib.ca_file, at_once, calls)
end

local function measure(client, lua, form, transport)
  lib.connections()
  local took = lib.run(client(lua, form, transport, FEW, CALLS))
  took.connections = lib.connections()
  return took
end

local rows = {
  { "", "wall s", "ratio", "<=1.02", "CPU us", "ratio", "<=1.25", "peak MiB", "connections" },
}

local function row(label, list, base, is_ours)
  local wall, cpu = lib.ratio(list, base, "wall"), lib.ratio(list, base, "cpu")
  rows[#rows + 1] = {
    label,
    ("%.3f"):format(lib.median(list, "wall")), ("%.3f"):format(wall), is_ours and lib.goal(wall <= WALL_GOAL) or "",
    ("%.1f"):format(lib.median(list, "cpu") / CALLS * 1e6), ("%.2f"):format(cpu),
    is_ours and lib.goal(cpu <= CPU_GOAL) or "",
    ("%.1f"):format(lib.median(list, "rss") / 1024), ("%d"):format(lib.median(list, "connections")),
  }
end

for t = 2, 3 do
  local transport = lib.transports[t]
  for _, lua in ipairs(LUAS) do
    for _, form in ipairs(FORMS) do
      local theirs, mine = {}, {}
      for round = 1, ROUNDS do
        lib.progress(("many, %s, %s, %s, round %d of %d"):format(transport.name, lua, form, round, ROUNDS))
        theirs[round], mine[round] = measure(bare, lua, form, transport), measure(ours, lua, form, transport)
      end
      row(("%s, bare, %s, %s"):format(transport.name, lua, form), theirs, theirs)
      row(("%s, celements, %s, %s"):format(transport.name, lua, form), mine, theirs, true)
    end
  end
end
lib.print(("Many: %d calls, %d in flight, each answered after 50 ms (median of %d rounds)"):format(
  CALLS, FEW, ROUNDS), rows)

-- Instructions of one call with so many in flight; connecting cancels out.
local function instructions(client, lua, at_once)
  local environment = client(lua, "keep", lib.transports[1], at_once, 0)
  return lib.more_instructions(environment, function(i)
    local _, command = client(lua, "keep", lib.transports[1], at_once, i * 2 * MANY)
    return command
  end) / (2 * MANY)
end

rows = { { "", ("%d in flight"):format(FEW), MANY .. " in flight", "more", "ratio", "<=1.15" } }
for _, lua in ipairs(LUAS) do
  local base
  for _, each in ipairs { { "bare", bare }, { "celements", ours } } do
    lib.progress(("many, %s, %s, instructions"):format(each[1], lua))
    local few, many = instructions(each[2], lua, FEW), instructions(each[2], lua, MANY)
    base = base or many - few
    local ratio = (many - few) / base
    rows[#rows + 1] = {
      ("%s, %s"):format(each[1], lua), lib.thousands(few), lib.thousands(many), lib.thousands(many - few),
      ("%.2f"):format(ratio), each[2] == ours and lib.goal(ratio <= GROWTH_GOAL) or "",
    }
  end
end
lib.progress ""
print()
lib.print("Instructions of one call over HTTP: what more in flight costs, libcurl's own share being bare's", rows)
