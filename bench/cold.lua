-- A script that runs once: from the start of the process to its end, the whole flow,
-- against the system's trust store.

local lib = require "bench.lib"

local CPU_GOAL = 12e-3
local RUNS = 3 -- in a round: one takes a hundredth of a second

local page = dofile "bench/page.lua"

-- The system's store with the server's CA in it.  The system's own stays as it is: the
-- copy is mounted over it, in a mount namespace that only the measured command is in.
local store = lib.dir .. "/store"
lib.sh(([[
cp -a /etc/ssl/certs %s
cat %s >>%s/ca-certificates.crt
cp %s %s/$(openssl x509 -hash -noout -in %s).0]]):format(store, lib.ca_file, store, lib.ca_file, store, lib.ca_file))
local in_namespace
for _, unshare in ipairs { "unshare -m", "unshare -r -m" } do -- as root, and as anybody
  local command = ("%s sh -c 'mount --bind %s /etc/ssl/certs && exec \"$@\"' sh"):format(unshare, store)
  if not in_namespace and pcall(lib.sh, command .. " true 2>/dev/null") then
    in_namespace = command
  end
end

local function script(lua)
  return ("%s bench/flow.lua 1.1 %s system 0 1 bench/page.lua"):format(lua, lib.by_name_url)
end

local function bare(trust)
  return ("build/bench/floor-lua5.4 easy plain 1.1 %s %s 0 1 bench/page.lua"):format(lib.by_name_url, trust)
end

-- The page's two commands.
local body_file = lib.dir .. "/instance.json"
local file = assert(io.open(body_file, "w"))
file:write((assert(require "cjson").encode(page.body)))
file:close()
local curl_file = lib.dir .. "/curl.sh"
file = assert(io.open(curl_file, "w"))
file:write(([[
set -e
curl -s -X GET -H 'Content-Type: application/json' '%s%s'
curl -s -X POST -H '%s' -H 'Content-Type: application/json' -d @%s '%s%s'
]]):format(lib.by_name_url, page.get, page.authorization, body_file, lib.by_name_url, page.post))
file:close()

-- Who is measured: environment and command.
local directory, bundle = "SSL_CERT_DIR=" .. store, "SSL_CERT_FILE=" .. store .. "/ca-certificates.crt"
local floor = { "bare, hashed directory", "", bare(store), count = true }
local clients = {
  floor,
  { "celements, lua5.4, SSL_CERT_DIR (hashed)", lib.checkout "lua5.4" .. " " .. directory, script "lua5.4",
    goal = true, count = true },
  { "celements, lua5.4, SSL_CERT_FILE (bundle)", lib.checkout "lua5.4" .. " " .. bundle, script "lua5.4" },
  { "bare, bundle", "", bare(store .. "/ca-certificates.crt") },
  { "bare, a bundle of one", "", bare(lib.ca_file) },
}
if in_namespace then
  for i, each in ipairs {
    { "celements, lua5.4, system's store", lib.checkout "lua5.4", script "lua5.4", goal = true, count = true },
    { "celements, luajit, system's store", lib.checkout "luajit", script "luajit", goal = true, count = true },
    { "the page's two curl commands", "", "sh " .. curl_file },
    { "bare, libcurl's own choice of store", "", bare "none" },
  } do
    each[2] = each[2] .. " " .. in_namespace
    table.insert(clients, i, each)
  end
end

-- In turn, round by round: a machine that is busy is busy for all.
for _, client in ipairs(clients) do
  client.runs = {}
end
for round = 1, lib.rounds do
  for _, client in ipairs(clients) do
    lib.progress(("cold, round %d, %s"):format(round, client[1]))
    for _, run in ipairs(lib.whole(client[2], client[3], RUNS)) do
      table.insert(client.runs, run)
    end
  end
end

local rows = { { "", "CPU ms", "<=12", "ratio", "wall ms", "peak MiB", "instructions" } }
for _, client in ipairs(clients) do
  lib.progress("cold, instructions, " .. client[1])
  local cpu = lib.median(client.runs, "cpu")
  rows[#rows + 1] = {
    client[1], ("%.1f"):format(cpu * 1e3), client.goal and lib.goal(cpu <= CPU_GOAL) or "",
    ("%.2f"):format(lib.ratio(client.runs, floor.runs, "cpu")),
    ("%.1f"):format(lib.median(client.runs, "wall") * 1e3), ("%.1f"):format(lib.median(client.runs, "rss") / 1024),
    client.count and lib.thousands(lib.whole_instructions(client[2], client[3])) or "",
  }
end
if not in_namespace then
  rows[#rows + 1] = { "no mount namespaces here: the system's store itself is not measured" }
end
lib.progress ""
lib.print(("Cold: a process from start to end, GET and POST over HTTPS (median of %d)"):format(RUNS * lib.rounds), rows)

rows = { { "", "CPU ms", "wall ms", "peak MiB" } }

local function add(label, environment, command)
  lib.progress("cold, " .. label)
  local list = lib.whole(environment, command, RUNS * lib.rounds)
  rows[#rows + 1] = {
    label, ("%.1f"):format(lib.median(list, "cpu") * 1e3), ("%.1f"):format(lib.median(list, "wall") * 1e3),
    ("%.1f"):format(lib.median(list, "rss") / 1024),
  }
end

local lua = lib.checkout "lua5.4"
add("lua5.4, nothing", lua, "lua5.4 -e ''")
add("and require 'celements.core' (libcurl and what it links)", lua,
  [[lua5.4 -e 'require "celements.core"']])
add("and require 'celements'", lua, [[lua5.4 -e 'require "celements"']])
add("and celements.new", lua, [[lua5.4 -e 'require "celements".new()']])
add("the flow over plain HTTP", lua,
  ("lua5.4 bench/flow.lua 1.1 %s system 0 1 bench/page.lua"):format(lib.transports[1].url))
add("the flow over HTTPS, a bundle of one", lua,
  ("lua5.4 bench/flow.lua 1.1 %s %s 0 1 bench/page.lua"):format(lib.transports[2].url, lib.ca_file))
lib.progress ""
print()
lib.print("Where it goes: each line has what the line above has, and more", rows)
print(("  Choosing the store, files in the page cache: %.1f ms CPU"):format(
  lib.sh "build/bench/trust 100":match "trust (%S+)" * 1e3))
