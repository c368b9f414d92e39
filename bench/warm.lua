-- One connection, kept alive: CPU, wall and memory a call, celements beside the bare
-- program on the same Lua, in turn, ratios round by round.

local lib = require "bench.lib"

local CPU_GOAL = 1.10
local MEMORY_GOAL = 1536 -- KiB

local LUAS = { "lua5.4", "luajit" }

local function measure(transport)
  local clients, results = {}, {}
  for _, lua in ipairs(LUAS) do
    clients[lua .. " easy"] = lib.bare(lua, "easy", "plain")
    clients[lua .. " ours"] = lib.ours(lua)
  end
  clients["lua5.4 multi"] = lib.bare("lua5.4", "multi", "plain")
  for round = 1, lib.rounds do
    lib.progress(("warm, %s, round %d of %d"):format(transport.name, round, lib.rounds))
    for name, client in pairs(clients) do
      results[name] = results[name] or {}
      results[name][round] = lib.loop(client, transport, lib.flows)
    end
  end
  return results
end

local function us(seconds)
  return ("%.1f"):format(seconds * 1e6)
end

local function row(rows, label, list, base, is_ours)
  local ratio = lib.ratio(list, base, "cpu")
  local more = lib.median(list, "rss") - lib.median(base, "rss")
  rows[#rows + 1] = {
    label,
    us(lib.median(list, "cpu")), ("%.2f"):format(ratio), is_ours and lib.goal(ratio <= CPU_GOAL) or "",
    us(lib.median(list, "wall")), ("%.2f"):format(lib.ratio(list, base, "wall")),
    ("%.1f"):format(lib.median(list, "rss") / 1024), ("%+.1f"):format(more / 1024),
    is_ours and lib.goal(more <= MEMORY_GOAL) or "",
  }
end

local rows = { { "", "CPU us", "ratio", "<=1.10", "wall us", "ratio", "peak MiB", "more", "<=1.5" } }
for _, transport in ipairs(lib.transports) do
  local results = measure(transport)
  row(rows, transport.name .. ", bare, own multi", results["lua5.4 multi"], results["lua5.4 easy"])
  for _, lua in ipairs(LUAS) do
    local base = results[lua .. " easy"]
    row(rows, ("%s, bare, %s"):format(transport.name, lua), base, base)
    row(rows, ("%s, celements, %s"):format(transport.name, lua), results[lua .. " ours"], base, true)
  end
end
lib.progress ""
lib.print(("Warm: one call, on a kept connection (median of %d rounds of %d calls; ratios within a round)"):format(
  lib.rounds, 2 * lib.flows), rows)
