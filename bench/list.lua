-- A long list, row by row: CPU, wall and memory of `for instance in client:instances{}`
-- beside the bare program on the same Lua, in turn, ratios round by round.

local lib = require "bench.lib"

local CPU_GOAL = 1.15
local MEMORY_GOAL = 1024 -- KiB more for four times the pages
local ROWS, FEW = 100000, 25000
local ROUNDS = (lib.rounds + 1) // 2

local function bare(lua, rows)
  return lib.run("", ("build/bench/floor_list-%s %s %s %d bench/page.lua"):format(
    lua, lib.sandbox_url, lib.ca_file, rows))
end

local function ours(lua, rows)
  return lib.run(lib.checkout(lua), ("%s bench/flow_list.lua %s %s %d bench/page.lua"):format(
    lua, lib.sandbox_url, lib.ca_file, rows))
end

local function mib(kib)
  return ("%.1f"):format(kib / 1024)
end

local rows = { { "", "CPU us/row", "ratio", "<=1.15", "wall s", "peak MiB", "a quarter", "more", "<=1.0" } }

local function row(label, list, base, few, is_ours)
  local ratio = lib.ratio(list, base, "cpu")
  local peak, small = lib.median(list, "rss"), lib.median(few, "rss")
  rows[#rows + 1] = {
    label,
    ("%.1f"):format(lib.median(list, "cpu") / ROWS * 1e6), ("%.2f"):format(ratio),
    is_ours and lib.goal(ratio <= CPU_GOAL) or "",
    ("%.2f"):format(lib.median(list, "wall")),
    mib(peak), mib(small), ("%+.1f"):format((peak - small) / 1024),
    is_ours and lib.goal(peak - small <= MEMORY_GOAL) or "",
  }
end

lib.progress "list, the sandbox making its pages"
bare("luajit", ROWS)
for _, lua in ipairs { "lua5.4", "luajit" } do
  local theirs, mine, theirs_few, mine_few = {}, {}, {}, {}
  for round = 1, ROUNDS do
    lib.progress(("list, %s, round %d of %d"):format(lua, round, ROUNDS))
    theirs[round], mine[round] = bare(lua, ROWS), ours(lua, ROWS)
    theirs_few[round], mine_few[round] = bare(lua, FEW), ours(lua, FEW)
  end
  row("bare, " .. lua, theirs, theirs, theirs_few)
  row("celements, " .. lua, mine, theirs, mine_few, true)
end
lib.progress ""
lib.print(("List: %s instances over HTTPS in pages of 200 (median of %d rounds), and a quarter of them"):format(
  lib.thousands(ROWS), ROUNDS), rows)
