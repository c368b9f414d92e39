-- What the tables share: where the server is, who the clients are, how a command
-- is measured, how a table is printed.  Runs on Lua 5.4, from the checkout's root.

local M = {
  dir = assert(os.getenv "BENCH_DIR", "start it by bench/run"),
  pin = os.getenv "BENCH_PIN",
  pin_load = os.getenv "BENCH_PIN_LOAD",
  rounds = tonumber(os.getenv "BENCH_ROUNDS"),
  flows = tonumber(os.getenv "BENCH_FLOWS"),
}

local port = tonumber(os.getenv "BENCH_PORT")
local PATH = "/elements/api-v2"

M.ca_file = M.dir .. "/ca.pem"

M.transports = {
  { name = "HTTP", http_version = "1.1", url = ("http://127.0.0.1:%d%s"):format(port, PATH) },
  { name = "HTTPS h1", http_version = "1.1", url = ("https://127.0.0.1:%d%s"):format(port + 1, PATH) },
  { name = "HTTPS h2", http_version = "2", url = ("https://127.0.0.1:%d%s"):format(port + 2, PATH) },
}
M.sandbox_url = ("https://127.0.0.1:%d/sandbox%s"):format(port + 1, PATH)
M.app_url = ("http://127.0.0.1:%d"):format(port + 3)
M.by_name_url = ("https://localhost:%d%s"):format(port + 1, PATH)

--- The output of a shell command; raises when it fails.
function M.sh(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "a"
  if not pipe:close() then
    error("this failed: " .. command .. "\n" .. output)
  end
  return output
end

--- What finds this checkout's build for a Lua.
function M.checkout(lua)
  return ("LUA_PATH='./lua/?.lua;;' LUA_CPATH='./build/%s/?.so;;'"):format(lua)
end

-- A client: environment, and command(transport, warmup, flows).
local function bare(lua, form, posts)
  return {
    lua = lua,
    environment = "",
    command = function(transport, warmup, flows)
      return ("build/bench/floor-%s %s %s %s %s %s %d %d bench/page.lua"):format(
        lua, form, posts, transport.http_version, transport.url, M.ca_file, warmup, flows)
    end,
  }
end

local function ours(lua)
  return {
    lua = lua,
    environment = M.checkout(lua),
    command = function(transport, warmup, flows)
      return ("%s bench/flow.lua %s %s %s %d %d bench/page.lua"):format(
        lua, transport.http_version, transport.url, M.ca_file, warmup, flows)
    end,
  }
end

M.bare, M.ours = bare, ours

--- Runs a command that says what its loop took: seconds of CPU and of wall, and KiB at
-- the peak of the whole process.
function M.run(environment, command)
  local output = M.sh(("%s %s build/bench/measure 1 %s"):format(environment, M.pin, command))
  local cpu, wall = output:match "loop (%S+) (%S+)"
  local rss = output:match "run %S+ %S+ (%d+)"
  return { cpu = tonumber(cpu), wall = tonumber(wall), rss = tonumber(rss) }
end

--- Runs a client and measures it: the same, the seconds being those of one call.
function M.loop(client, transport, flows)
  local took = M.run(client.environment, client.command(transport, math.max(50, flows // 10), flows))
  return { cpu = took.cpu / (2 * flows), wall = took.wall / (2 * flows), rss = took.rss }
end

--- Runs a whole command so often: a list of { cpu =, wall =, rss = }, seconds and KiB.
function M.whole(environment, command, times)
  local list = {}
  local output = M.sh(("%s %s build/bench/measure -q %d %s"):format(environment, M.pin, times, command))
  for cpu, wall, rss in output:gmatch "run (%S+) (%S+) (%d+)" do
    list[#list + 1] = { cpu = tonumber(cpu), wall = tonumber(wall), rss = tonumber(rss) }
  end
  return list
end

local CACHEGRIND = "valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null"

local function start_counting(environment, command)
  return assert(io.popen(("%s %s %s 2>&1"):format(environment, CACHEGRIND, command)))
end

local function end_counting(pipe)
  local output = pipe:read "a"
  pipe:close()
  return tonumber((assert(output:match "I +refs: +([%d,]+)", output):gsub(",", "")))
end

--- Instructions of a whole command, the kernel's not among them, by valgrind.
function M.whole_instructions(environment, command)
  return end_counting(start_counting(environment, command))
end

--- The same of what commands(2) needs more than commands(1).
function M.more_instructions(environment, commands)
  local one, two = start_counting(environment, commands(1)), start_counting(environment, commands(2)) -- at the same time
  local less = end_counting(one)
  return end_counting(two) - less
end

--- Instructions of one call.
function M.instructions(client, transport, flows)
  return M.more_instructions(client.environment, function(i)
    return client.command(transport, 0, i * flows)
  end) / (2 * flows)
end

--- What `counter(client, transport, flows)` counts for one call, start-up taken off.
function M.per_call(counter, client, transport, flows)
  return (counter(client, transport, 2 * flows) - counter(client, transport, flows)) / (2 * flows)
end

-- One count of the system calls of a run, by strace.
local function system_calls(client, transport, flows)
  local file = M.dir .. "/strace"
  M.sh(("%s %s strace -c -o %s %s"):format(client.environment, M.pin, file, client.command(transport, 0, flows)))
  local last
  for line in io.lines(file) do
    last = line -- "100.00  0.014  3  4711  17 total", the 17 being errors and not always there
  end
  return tonumber(last:match "^100%.00%s+%S+%s+%S+%s+(%d+)%s")
end

--- System calls of one call.  A client that is slower than the server need not wait for
-- it, and another program in the server's way makes it wait: the fewest of three.
function M.system_calls(client, transport, flows)
  local counts = {}
  for i = 1, 3 do
    counts[i] = M.per_call(system_calls, client, transport, flows)
  end
  return math.min(table.unpack(counts))
end

function M.median(list, field)
  local values = {}
  for i, each in ipairs(list) do
    values[i] = field and each[field] or each
  end
  table.sort(values)
  local middle = #values // 2
  return #values % 2 == 1 and values[middle + 1] or (values[middle] + values[middle + 1]) / 2
end

--- The median of ours / theirs, round by round.
function M.ratio(ours_list, theirs_list, field)
  local ratios = {}
  for i, each in ipairs(ours_list) do
    ratios[i] = each[field] / theirs_list[i][field]
  end
  return M.median(ratios)
end

--- 1234567 as "1,234,567".
function M.thousands(n)
  local text = ("%.0f"):format(n)
  return (text:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", ""))
end

--- "met" or "MISSED".
function M.goal(met)
  return met and "met" or "MISSED"
end

--- Prints a table: the first column to the left, the others to the right.
function M.print(title, rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, #cell)
    end
  end
  print(title)
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local pad = (" "):rep(widths[i] - #cell)
      cells[i] = i == 1 and cell .. pad or pad .. cell
    end
    print("  " .. table.concat(cells, "  "))
  end
end

--- How many connections asked for single instances since this was called last.
function M.connections()
  return tonumber(M.sh(("curl -s --noproxy '*' http://127.0.0.1:%d/connections"):format(port)))
end

--- Tells on the terminal, and only there, what is going on.
function M.progress(text)
  if os.getenv "BENCH_TERMINAL" == "" then
    return
  end
  io.stderr:write("\r\27[K", text, text == "" and "" or " ...")
end

return M
