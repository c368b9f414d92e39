-- A process that forks after a call: both go on, each with connections of its own.

local celements = require "celements"
local core = require "celements.core"
local lfs = require "lfs"
local nginx = require "spec.support.nginx.server"
local process = require "celements.process"
local rawserver = require "spec.support.rawserver"
local wait = require "celements.wait"

local CALLS = 50

teardown(function()
  wait.engine():close()
end)

-- Runs fn in a forked child; what it returns, or the error, as text.
local function start_child(fn)
  local file = os.tmpname()
  local pid = assert(process.fork())
  if pid == 0 then
    local _, answer = pcall(fn)
    local out = io.open(file, "w")
    out:write(tostring(answer))
    out:close()
    process.exit(0)
  end
  return function()
    assert.is_true(process.wait(pid, 10))
    local input = assert(io.open(file))
    local answer = input:read("*a")
    input:close()
    os.remove(file)
    return answer
  end
end

-- The inodes of the TCP sockets that this process has open.  libcurl's pair for waking
-- itself up stays in a child: nothing but its own clean-up closes it.
local function open_connections()
  local is_tcp, found = {}, {}
  for line in io.lines "/proc/self/net/tcp" do
    local field = 0
    for word in line:gmatch "%S+" do
      field = field + 1
      if field == 10 then
        is_tcp["socket:[" .. word .. "]"] = true
      end
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

describe("after a fork", function()
  local server

  before_each(function()
    server = rawserver.start(function(conn)
      while true do
        local request = conn:request()
        if not request then
          return
        end
        local delay = tonumber(request.target:match "delay=([%d.]+)")
        if delay then
          conn:wait(delay)
        end
        conn:answer(200, ('{"id":"%s"}'):format(request.target:match "/instances/([^?]+)"))
      end
    end)
  end)

  after_each(function()
    server:remove()
  end)

  local function client()
    return celements.new { base_url = server.url, user_secret = "user-secret", org_secret = "org-secret", retries = 0 }
  end

  -- How many of the calls bring the answer to another one's question, or none.
  local function wrong_answers(c, who)
    local wrong = 0
    for i = 1, CALLS do
      local id = who .. i
      local answer = c:request("GET", celements.path("instances", id))
      if not answer or answer.id ~= id then
        wrong = wrong + 1
      end
    end
    return wrong
  end

  it("each process gets the answers to its own questions", function()
    local c = client()
    assert(c:request("GET", "/instances/first"))
    local first = start_child(function() return wrong_answers(c, "first-child-") end)
    local second = start_child(function() return wrong_answers(c, "second-child-") end)
    local ours = wrong_answers(c, "parent-")
    assert.equal("0", first())
    assert.equal("0", second())
    assert.equal(0, ours)
    assert.equal(3, server:happened "connection")
    assert.equal(1 + 3 * CALLS, server:count "GET")
  end)

  it("the parent goes on with the connection it had, before and after the child ends", function()
    local c = client()
    assert(c:request("GET", "/instances/a"))
    local join = start_child(function() return c:request("GET", "/instances/b").id end)
    local _, during = assert(c:request("GET", "/instances/c"))
    assert.equal("b", join())
    local _, after = assert(c:request("GET", "/instances/d"))
    assert.is_true(during.reused)
    assert.is_true(after.reused)
    assert.equal(2, server:happened "connection")
  end)

  it("the child keeps no connection of the parent open once it has called and collected", function()
    local c = client()
    assert(c:request("GET", "/instances/a"))
    local before = open_connections()
    assert.is_true(#before > 0)
    local inherited = wait.engine()
    local join = start_child(function()
      assert(c:request("GET", "/instances/b"))
      if inherited:alive() then
        return "the child has the parent's engine"
      end
      inherited:close()   -- what the collector does
      local ours, both = {}, 0
      for _, name in ipairs(open_connections()) do
        ours[name] = true
      end
      for _, name in ipairs(before) do
        both = both + (ours[name] and 1 or 0)
      end
      return both
    end)
    assert.equal("0", join())
  end)

  it("a call in flight ends in the parent, and the child is told that it is not its own", function()
    local settings = core.engine.settings { id = 9000001, base_url = server.url, allow_http = true, connect_timeout = 5, max_body = 1e6, proxy = "" }
    local engine = assert(core.engine.open())
    local transfer = assert(engine:start(settings, "GET", "/instances/a", "delay=0.3", nil, "", nil, 5000))
    engine:drive(transfer, 100)
    assert.is_false(transfer:done())
    local join = start_child(function()
      local answers = { tostring(engine:alive()), tostring((pcall(engine.drive, engine, transfer, 100))) }
      local answer, err = transfer:take()
      answers[#answers + 1] = tostring(answer)
      answers[#answers + 1] = err.kind
      transfer:close()
      engine:close()
      answers[#answers + 1] = client():request("GET", "/instances/child").id
      return table.concat(answers, " ")
    end)
    assert.equal("false false nil network child", join())
    assert.is_true(engine:drive(transfer, 3000))
    local answer, body = transfer:take()
    assert.equal(200, answer.status)
    assert.equal('{"id":"a"}', body)
    engine:close()
  end)

  it("a grandchild is no different", function()
    local c = client()
    assert(c:request("GET", "/instances/a"))
    local join = start_child(function()
      assert(c:request("GET", "/instances/b"))
      return start_child(function() return wrong_answers(c, "grandchild-") end)()
    end)
    assert.equal("0", join())
    assert.equal(3, server:happened "connection")
  end)
end)

describe("after a fork, over TLS,", function()
  local platform

  setup(function()
    platform = nginx.start { http2 = true }
  end)

  teardown(function()
    platform.remove()
  end)

  for _, version in ipairs { "1.1", "2" } do
    it("a child that calls, collects and ends does not disturb the parent's session (HTTP/" .. version .. ")", function()
      local c = celements.new {
        base_url = platform.url, ca_file = platform.ca_file, http_version = version, retries = 0,
        user_secret = platform.user_secret, org_secret = platform.org_secret,
      }
      assert(c:request("GET", "/elements/keys"))
      for _ = 1, 3 do
        local join = start_child(function()
          local keys = assert(c:request("GET", "/elements/keys"))
          collectgarbage()
          collectgarbage()
          return #keys > 0
        end)
        assert.equal("true", join())
        local keys, info = c:request("GET", "/elements/keys")
        assert.truthy(keys, tostring(info))
        assert.is_true(info.reused)
      end
    end)
  end
end)
