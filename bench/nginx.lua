-- Inside nginx: what a request adds to the time of the call it makes, and what that costs
-- the worker, beside a cosocket client of a few lines, in turn in the same worker.

local lib = require "bench.lib"

local SECONDS = 4
local CASES = {
  { in_flight = 200, about = 0.3 },
  { in_flight = 500, about = 0.05 },
}
local ROUNDS = (lib.rounds + 1) // 2
local APP = lib.app_url

-- Seconds of CPU of the application's worker so far.
local function worker_cpu()
  local pid = lib.sh(("pgrep -P \"$(cat %s/app.pid)\""):format(lib.dir)):match "%d+"
  local stat = assert(io.open("/proc/" .. pid .. "/stat"))
  local user, system = stat:read("a"):match "%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+) (%d+)"
  stat:close()
  return (tonumber(user) + tonumber(system)) / 100
end

local UNITS = { us = 1e-3, ms = 1, s = 1e3 }

local function milliseconds(text)
  local number, unit = text:match "^([%d.]+)(%a+)$"
  return tonumber(number) * UNITS[unit]
end

-- wrk's figures for so many at once, in milliseconds, and the worker's CPU a call.
local function load_of(client, case)
  local began = worker_cpu()
  local output = lib.sh(("%s wrk -t1 -c%d -d%d --timeout 20s --latency '%s/%s?about=%s'"):format(
    lib.pin_load, case.in_flight, SECONDS, APP, client, case.about))
  local cpu = worker_cpu() - began
  if output:find "Non%-2xx" or output:find "Socket errors" then
    error(output)
  end
  local rate = tonumber(output:match "Requests/sec: +([%d.]+)")
  return {
    p50 = milliseconds(output:match "50%% +(%S+)"), p99 = milliseconds(output:match "99%% +(%S+)"),
    rate = rate, cpu = cpu / (rate * SECONDS) * 1e6,
  }
end

local function row(label, list, base)
  return {
    label,
    ("%.1f"):format(lib.median(list, "p50")), ("%.1f"):format(lib.median(list, "p99")),
    ("%.0f"):format(lib.median(list, "rate")), ("%.2f"):format(lib.ratio(list, base, "rate")),
    ("%.1f"):format(lib.median(list, "cpu")), ("%.2f"):format(lib.ratio(list, base, "cpu")),
  }
end

local rows = { { "", "p50 ms", "p99 ms", "calls/s", "ratio", "CPU us", "ratio", "goals" } }
for _, case in ipairs(CASES) do
  local theirs, mine = {}, {}
  for _, client in ipairs { "cosocket", "celements" } do
    load_of(client, case) -- connections are opened, on a busy machine for seconds
  end
  for round = 1, ROUNDS do
    lib.progress(("nginx, %d in flight, round %d of %d"):format(case.in_flight, round, ROUNDS))
    theirs[round], mine[round] = load_of("cosocket", case), load_of("celements", case)
  end
  local name = ("%d in flight, %g ms"):format(case.in_flight, case.about * 1000)
  rows[#rows + 1] = row(name .. ", cosocket", theirs, theirs)
  local ours = row(name .. ", celements", mine, theirs)
  if case.in_flight == 200 then
    ours[#ours + 1] = ("p50 +4: %s, p99 +15: %s, CPU 1.6: %s"):format(
      lib.goal(lib.median(mine, "p50") <= case.about * 1000 + 4),
      lib.goal(lib.median(mine, "p99") <= lib.median(theirs, "p99") + 15),
      lib.goal(lib.ratio(mine, theirs, "cpu") <= 1.6))
  else
    ours[#ours + 1] = ("9,000/s or 0.9: %s"):format(
      lib.goal(lib.median(mine, "rate") >= 9000 or lib.ratio(mine, theirs, "rate") >= 0.9))
  end
  rows[#rows + 1] = ours
end
lib.print(("nginx: one worker, over TLS (median of %d rounds of %d s)"):format(ROUNDS, SECONDS), rows)

rows = { { "", "ms a call" } }
for _, client in ipairs { "cosocket", "celements" } do
  local seconds = tonumber(lib.sh(("curl -s --noproxy '*' '%s/sequence?by=%s&calls=1000'"):format(APP, client)))
  rows[#rows + 1] = { client, ("%.2f"):format(seconds * 1000) }
end
lib.progress ""
print()
lib.print("nginx: one call after the other, answered at once", rows)
