-- A name server that never answers holds nobody past the timeout.  Needs a network
-- namespace of its own, where such a server can stand at the address of the real one.

local script = require "spec.support.script"

-- A command that runs a command in new namespaces, or why there are none.
local function namespace()
  for _, flags in ipairs { "", " --map-root-user" } do
    -- Under a sanitizer the leaks of these small commands are not ours.
    local command = "env ASAN_OPTIONS=detect_leaks=0 unshare --net --mount" .. flags
    local status = os.execute(command .. " sh -c 'mount --bind /etc/hosts /etc/resolv.conf && ip link set lo up' >/dev/null 2>&1")
    if status == true or status == 0 then
      return command
    end
  end
  return nil, "network and mount namespaces are not allowed here"
end

-- What comes before the test in the new namespace: our own resolv.conf, loopback up.
local INSIDE = [[sh -c 'dir=$(mktemp -d)
echo "nameserver 127.0.0.1" >$dir/resolv.conf
echo "hosts: files dns" >$dir/nsswitch.conf
mount --bind $dir/resolv.conf /etc/resolv.conf || exit 90
[ ! -e /etc/nsswitch.conf ] || mount --bind $dir/nsswitch.conf /etc/nsswitch.conf || exit 90
rm -rf $dir
ip link set lo up || exit 90
exec "$@"' sh]]

local BEFORE = [[
local celements, core, socket = require "celements", require "celements.core", require "socket"
local deaf = assert(socket.udp())
local function name_server_hangs()
  assert(deaf:setsockname("127.0.0.1", 53))
end
local function call(options, method, call_options)
  local c = celements.new {
    base_url = options.base_url or "https://platform.example", timeout = options.timeout, connect_timeout = options.connect_timeout,
    retries = 0, user_secret = "u", org_secret = "o", proxy = "",
  }
  local started = core.engine.clock()
  local result, err = c:request(method or "GET", "/instances", call_options)
  print(("%.3f %s %s %s"):format(core.engine.clock() - started, err.kind, tostring(err.phase), err.outcome))
  io.stdout:flush()
  return result, err
end
]]

describe("when the name server does not answer", function()
  local prefix, why = namespace()

  local function run(text)
    local job = script.start(BEFORE .. text, { prefix = prefix and prefix .. " " .. INSIDE })
    local out, err, status = job:finish(10)
    assert.equal(0, status, out .. err)
    return out
  end

  it("a call with a timeout of half a second is over in time, and says what was slow", function()
    if not prefix then
      pending(why)
      return
    end
    local out = run [[
      name_server_hangs()
      local _, err = call({ timeout = 0.5 })
      print(err.hint)
    ]]
    local seconds, rest = out:match "^(%S+) ([^\n]*)"
    assert.equal("timeout resolve not_sent", rest)
    assert.is_true(tonumber(seconds) >= 0.45 and tonumber(seconds) < 0.7, out)
    assert.truthy(out:find("name server", 1, true))
  end)

  it("a POST ends likewise, and was certainly not sent", function()
    if not prefix then
      pending(why)
      return
    end
    local out = run [[
      name_server_hangs()
      call({ timeout = 0.3 }, "POST", { json = {} })
    ]]
    local seconds, rest = out:match "^(%S+) ([^\n]*)"
    assert.equal("timeout resolve not_sent", rest)
    assert.is_true(tonumber(seconds) < 0.5, out)
  end)

  it("connect_timeout covers the name too", function()
    if not prefix then
      pending(why)
      return
    end
    local out = run [[
      name_server_hangs()
      call({ timeout = 20, connect_timeout = 0.4 })
    ]]
    local seconds, rest = out:match "^(%S+) ([^\n]*)"
    assert.equal("timeout resolve not_sent", rest)
    assert.is_true(tonumber(seconds) < 0.6, out)
  end)

  it("no step of the engine takes longer than it was told to, and giving up takes no time", function()
    if not prefix then
      pending(why)
      return
    end
    local out = run [[
      name_server_hangs()
      local settings = core.engine.settings {
        id = 1, base_url = "https://platform.example", connect_timeout = 20, max_body = 1e6, proxy = "",
      }
      local engine = assert(core.engine.open())
      local transfer = assert(engine:start(settings, "GET", "/x", nil, nil, "", nil, 500))
      local clock, longest = core.engine.clock, 0
      local started = clock()
      while not transfer:done() do
        local before = clock()
        engine:step(0)
        longest = math.max(longest, clock() - before)
        core.engine.sleep(0.002)
      end
      local all = clock() - started
      local second = assert(engine:start(settings, "GET", "/x", nil, nil, "", nil, 5000))
      engine:drive(second, 50)
      local before = clock()
      second:close()
      local closing = clock() - before
      before = clock()
      engine:close()
      print(("%.3f %.3f %.3f %.3f"):format(longest, all, closing, clock() - before))
    ]]
    local longest, all, closing, ending = out:match "^(%S+) (%S+) (%S+) (%S+)"
    assert.is_true(tonumber(longest) < 0.05, out)
    assert.is_true(tonumber(all) < 0.7, out)
    assert.is_true(tonumber(closing) < 0.05, out)
    assert.is_true(tonumber(ending) < 0.05, out)
  end)

  it("the script that gave up ends at once", function()
    if not prefix then
      pending(why)
      return
    end
    local job = script.start(BEFORE .. [[
      name_server_hangs()
      call({ timeout = 0.3 })
    ]], { prefix = prefix .. " " .. INSIDE })
    assert.is_true(job:printed("timeout", 5))
    local _, err, status = job:finish(1)
    assert.equal(0, status, err)
  end)

  it("a name that does not exist is another thing: it is said at once", function()
    if not prefix then
      pending(why)
      return
    end
    local out = run [[
      local _, err = call({ timeout = 5 })
      print(err.hint)
    ]]
    local seconds, rest = out:match "^(%S+) ([^\n]*)"
    assert.equal("resolve resolve not_sent", rest)
    assert.is_true(tonumber(seconds) < 2, out)
    assert.truthy(out:find("check the host in base_url", 1, true))
  end)
end)
