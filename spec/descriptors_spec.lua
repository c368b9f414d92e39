-- Descriptors: none is handed to a child by accident, none is left behind.

local celements = require "celements"
local core = require "celements.core"
local lfs = require "lfs"
local rawserver = require "spec.support.rawserver"

local function count()
  local n = 0
  for _ in lfs.dir "/proc/self/fd" do
    n = n + 1
  end
  return n
end

-- The sockets that are connections, of all that this process has open.
local function connections()
  local is_tcp, found = {}, {}
  for line in io.lines "/proc/self/net/tcp" do
    local inode = line:match("^" .. ("%s*%S+"):rep(9) .. "%s+(%d+)")
    if inode then
      is_tcp["socket:[" .. inode .. "]"] = true
    end
  end
  for name in lfs.dir "/proc/self/fd" do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    if target and is_tcp[target] then
      found[#found + 1] = target
    end
  end
  return found
end

describe("descriptors", function()
  local server

  setup(function()
    server = rawserver.start(function(conn)
      while conn:request() do
        conn:answer(200, "{}")
      end
    end)
  end)

  teardown(function()
    server:remove()
    require("celements.wait").engine():close()
  end)

  it("of connections are not inherited by programs that a script starts", function()
    local c = celements.new { base_url = server.url, user_secret = "u", org_secret = "o" }
    assert(c:request("GET", "/x"))
    local ours = connections()
    assert.equal(1, #ours)
    local pipe = io.popen "ls -l /proc/self/fd"
    local listing = pipe:read "*a"
    pipe:close()
    assert.truthy(listing:find("->", 1, true))
    assert.is_nil(listing:find(ours[1], 1, true), listing)
    assert.is_nil(listing:find("eventpoll", 1, true), listing)
  end)

  it("are all given back when an engine is closed, idle or with calls in flight", function()
    local settings = core.engine.settings { id = 9100001, base_url = server.url, allow_http = true, connect_timeout = 5, max_body = 1e6, proxy = "" }
    local before = count()
    for round = 1, 10 do
      local engine = assert(core.engine.open())
      local transfers = {}
      for i = 1, 5 do
        transfers[i] = assert(engine:start(settings, "GET", "/x", nil, nil, "", nil, 5000))
      end
      if round % 2 == 0 then
        engine:drive(transfers[1], 2000)
      end
      assert.is_true(count() > before)
      engine:close()
      assert.equal(before, count())
    end
  end)

  it("do not grow with the number of calls, whether they succeed or not", function()
    local c = celements.new { base_url = server.url, user_secret = "u", org_secret = "o", retries = 0 }
    local refused = celements.new { base_url = "http://127.0.0.1:1", retries = 0 }
    local no_tls = celements.new { base_url = (server.url:gsub("^http", "https")), retries = 0 }
    local function round()
      assert(c:request("GET", "/x"))
      assert.is_nil((refused:request("GET", "/x")))
      assert.is_nil((no_tls:request("GET", "/x", { timeout = 0.05 })))
    end
    round()
    local before = count()
    for _ = 1, 20 do
      round()
    end
    assert.equal(before, count())
  end)
end)
