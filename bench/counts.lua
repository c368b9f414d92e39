-- What does not depend on the machine's mood: instructions, system calls and
-- allocations a call.  N calls and 2N calls, and the difference: start-up cancels out.

local lib = require "bench.lib"

local INSTRUCTIONS_GOAL = 7500            -- above the bare program
local SYSTEM_CALLS_GOAL = { 4.0, 5.0, 7.7 } -- by transport
local ALLOCATIONS_GOAL = 4                -- above the bare program

local function allocations(client, transport, flows)
  return tonumber(lib.sh(("%s LD_PRELOAD=./build/bench/mallocs.so %s 2>&1"):format(
    client.environment, client.command(transport, 0, flows))):match "mallocs (%d+)")
end

local rows = {
  { "", "instructions", "ratio", "<=+7,500", "system calls", "<=4.0/5.0/7.7", "allocations", "<=+4" },
}
for t, transport in ipairs(lib.transports) do
  local base = {}
  for _, each in ipairs {
    { "bare, own multi", lib.bare("lua5.4", "multi", "plain") },
    { "bare, lua5.4", lib.bare("lua5.4", "easy", "plain") },
    { "celements, lua5.4", lib.ours "lua5.4", "lua5.4" },
    { "bare, luajit", lib.bare("luajit", "easy", "plain") },
    { "celements, luajit", lib.ours "luajit", "luajit" },
  } do
    local label, client, is_ours = each[1], each[2], each[3]
    lib.progress(("counts, %s, %s"):format(transport.name, label))
    local i = lib.instructions(client, transport, client.lua == "luajit" and 250 or 80)
    local s = lib.system_calls(client, transport, 50)
    local a = lib.per_call(allocations, client, transport, 150)
    if not is_ours then
      base[client.lua] = { i = i, a = a }
    end
    local floor = base[client.lua]
    rows[#rows + 1] = {
      transport.name .. ", " .. label,
      lib.thousands(i), ("%.3f"):format(i / floor.i), is_ours and lib.goal(i <= floor.i + INSTRUCTIONS_GOAL) or "",
      ("%.1f"):format(s), is_ours and lib.goal(s <= SYSTEM_CALLS_GOAL[t] + 0.05) or "",
      ("%.0f"):format(a), is_ours and lib.goal(a <= floor.a + ALLOCATIONS_GOAL) or "",
    }
  end
end
lib.progress ""
lib.print("Counts: one call, on a kept connection", rows)
