-- What it costs to send a POST at most once, three ways, in the bare program.

local lib = require "bench.lib"

local WAYS = {
  { "plain", "not at all: libcurl may send it again" },
  { "fresh", "a fresh connection for each POST" },
  { "seek", "a body that cannot be rewound" },
  { "prereq", "no, when libcurl is about to send again" },
}

local ROUNDS = (lib.rounds + 1) // 2
local FLOWS = { fresh = 150 } -- its connections take a thousand times longer

local rows = { { "", "CPU us", "ratio", "wall us", "ratio", "system calls" } }
for t = 2, 3 do
  local transport = lib.transports[t]
  local results = {}
  for round = 1, ROUNDS do
    lib.progress(("posts, %s, round %d of %d"):format(transport.name, round, ROUNDS))
    for _, way in ipairs(WAYS) do
      results[way[1]] = results[way[1]] or {}
      results[way[1]][round] = lib.loop(lib.bare("lua5.4", "easy", way[1]), transport, FLOWS[way[1]] or lib.flows // 2)
    end
  end
  for _, way in ipairs(WAYS) do
    local list, base = results[way[1]], results.plain
    rows[#rows + 1] = {
      transport.name .. ", " .. way[2],
      ("%.1f"):format(lib.median(list, "cpu") * 1e6), ("%.2f"):format(lib.ratio(list, base, "cpu")),
      ("%.1f"):format(lib.median(list, "wall") * 1e6), ("%.2f"):format(lib.ratio(list, base, "wall")),
      ("%.1f"):format(lib.system_calls(lib.bare("lua5.4", "easy", way[1]), transport, 50)),
    }
  end
end
lib.progress ""
lib.print("At most once: one call of the bare program, half of them POSTs", rows)
