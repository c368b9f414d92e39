--- The waiters that run in this process; nginx's is in spec/nginx.

local celements = require "celements"
local contract = require "spec.support.waiter_contract"
local rawserver = require "spec.support.rawserver"
local socket = require "socket"

local PUC_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

local function optional(name)
  local found, module = pcall(require, name)
  return found and module or nil
end

local cqueues, luv = optional "cqueues", optional "luv"

-- How a function is run to its end where the waiter is at home; what it raises is raised.
local runners = {}

function runners.block()
  return {
    blocks = true,
    run = function(f) f() end,
    sleep = socket.sleep,
    parallel = function(jobs)
      for _, job in ipairs(jobs) do
        job()
      end
    end,
  }
end

function runners.cqueues()
  local condition = cqueues and require "cqueues.condition"
  return {
    run = function(f)
      local controller = cqueues.new()
      controller:wrap(f)
      assert(controller:loop(30))
      assert(controller:empty(), "something is left in the controller")
    end,
    sleep = cqueues and cqueues.sleep,
    parallel = function(jobs)
      local left, all_done = #jobs, condition.new()
      for _, job in ipairs(jobs) do
        cqueues.running():wrap(function()
          job()
          left = left - 1
          all_done:signal()
        end)
      end
      while left > 0 do
        all_done:wait()
      end
    end,
  }
end

function runners.luv()
  local function start(f, on_end)
    local routine = coroutine.create(function()
      f()
      on_end()
    end)
    local fine, raised = coroutine.resume(routine)
    if not fine then
      error(debug.traceback(routine, tostring(raised)), 0)
    end
  end
  return {
    run = function(f)
      local ended = false
      start(f, function() ended = true end)
      luv.run()
      assert(ended, "the loop ended before the coroutine")
    end,
    sleep = function(seconds)
      local routine, timer = coroutine.running(), luv.new_timer()
      timer:start(math.ceil(seconds * 1000), 0, function()
        timer:close()
        assert(coroutine.resume(routine))
      end)
      coroutine.yield()
    end,
    parallel = function(jobs)
      local routine = coroutine.running()
      local left, waits = #jobs, false
      for _, job in ipairs(jobs) do
        start(job, function()
          left = left - 1
          if left == 0 and waits then
            assert(coroutine.resume(routine))
          end
        end)
      end
      if left > 0 then
        waits = true
        coroutine.yield()
      end
    end,
  }
end

local LIBRARY = { cqueues = cqueues, luv = luv, block = true }

for _, name in ipairs { "block", "cqueues", "luv" } do
  describe("the waiter " .. name, function()
    local platform, runner

    setup(function()
      platform = assert(celements.sandbox.start { premade_instances = 10 })
      runner = runners[name]()
    end)

    teardown(function()
      platform.stop()
    end)

    local function new(options)
      local all = {
        base_url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret, waiter = name,
      }
      for key, value in pairs(options) do
        all[key] = value
      end
      return celements.new(all)
    end

    for _, case in ipairs(contract) do
      it(case.sentence, function()
        if not LIBRARY[name] then
          return pending(name .. " is not installed for this Lua")
        end
        local ran = false
        runner.run(function()
          case.run {
            client = new {}, new = new, parallel = runner.parallel, sleep = runner.sleep, now = socket.gettime,
            blocks = runner.blocks,
          }
          ran = true
        end)
        assert.is_true(ran)
      end)
    end
  end)
end

describe("the waiter for cqueues", function()
  if not cqueues then
    return pending "cqueues is not installed for this Lua"
  end
  local server

  setup(function()
    server = rawserver.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("is found by itself inside a controller, and not outside", function()
    local wait = require "celements.wait"
    assert.equal("block", wait.find().name)
    local inside
    local controller = cqueues.new()
    controller:wrap(function() inside = wait.find().name end)
    assert(controller:loop())
    assert.equal("cqueues", inside)
  end)

  it("says what to do where it cannot wait, and sends nothing", function()
    local client = celements.new { base_url = "http://127.0.0.1:1", waiter = "cqueues" }
    local answer, err = client:request("GET", "/x")
    assert.is_nil(answer)
    assert.same({ "config", "not_sent", 0 }, { err.kind, err.outcome, err.attempts })
    assert.truthy(err.message:find("cq:wrap", 1, true))
    answer, err = client:map({ 1 }, function() error "never" end)
    assert.is_nil(answer)
    assert.truthy(err.message:find("cq:wrap", 1, true))
    assert.is_nil((client:defer(function() end)))
  end)

  it("gives an answer, once, to a call whose controller rested for longer than it waits for anybody", function()
    local platform = assert(celements.sandbox.start())
    local events = {}
    local client = celements.new {
      base_url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret, waiter = "cqueues",
      on_response = function(event) events[#events + 1] = event.path .. " " .. event.status end,
    }
    local resting, other, keys, err = cqueues.new(), cqueues.new(), nil, nil
    resting:wrap(function()
      keys = assert(client:request("GET", "/elements/keys"))
      err = select(2, client:request("GET", "/no-such-thing"))
    end)
    other:wrap(function()
      client:request("GET", "/elements/hubspot", { headers = { ["Sandbox-Fault"] = "late=2" }, timeout = 5 })
    end)
    assert(resting:step(0))
    assert(other:loop(10))
    assert(resting:loop(10))
    platform.stop()
    assert.equal("hubspot", keys and keys[1])
    assert.equal("not_found", err.kind)
    table.sort(events)
    assert.same({ "/elements/hubspot 200", "/elements/keys 200", "/no-such-thing 404" }, events)
    local stats = client:stats()
    assert.same({ 3, 3, 1 }, { stats.calls, stats.attempts, stats.failed })
  end)

  it("takes over when the controller with the pump is dropped in the middle", function()
    local platform = assert(celements.sandbox.start())
    local client = celements.new {
      base_url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret, waiter = "cqueues",
    }
    local dropped = cqueues.new()
    dropped:wrap(function()
      client:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "late=0.1" } })
    end)
    assert(dropped:step(0.01))
    local keys
    local controller = cqueues.new()
    controller:wrap(function()
      keys = assert(client:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "late=0.3" }, timeout = 5 }))
    end)
    assert(controller:loop(10))
    platform.stop()
    assert.equal("hubspot", keys and keys[1])
  end)
end)

describe("the waiter for luv", function()
  if not luv then
    return pending "luv is not installed for this Lua"
  end

  it("says what to do where it cannot wait, and sends nothing", function()
    local client = celements.new { base_url = "http://127.0.0.1:1", waiter = "luv" }
    local answer, err = client:request("GET", "/x")   -- busted runs specs in the main coroutine
    assert.is_nil(answer)
    assert.same({ "config", "not_sent", 0 }, { err.kind, err.outcome, err.attempts })
    assert.truthy(err.message:find("coroutine.wrap", 1, true))
  end)

  it("reports what a deferred function raises, without a secret", function()
    local client = celements.new { user_secret = "canary-of-luv", org_secret = "o", waiter = "luv" }
    local said = {}
    local waiter = require "celements.wait.luv"
    local report = waiter.report
    waiter.report = function(text) said[#said + 1] = text end
    coroutine.wrap(function()
      assert(client:defer(function() error "with canary-of-luv in it" end))
    end)()
    luv.run()
    waiter.report = report
    assert.equal(1, #said)
    assert.truthy(said[1]:find("with [redacted] in it", 1, true), said[1])
  end)

  it("leaves no handle in the loop", function()
    local platform = assert(celements.sandbox.start())
    local client = celements.new { base_url = platform.url, waiter = "luv" }
    coroutine.wrap(function()
      client:request("GET", "/elements/keys")
    end)()
    luv.run()
    platform.stop()
    local left = 0
    luv.walk(function() left = left + 1 end)
    assert.equal(0, left)
  end)
end)

describe("a waiter by name", function()
  it("that is not known raises at the caller's line, with those that are", function()
    local fine, message = pcall(celements.new, { waiter = "asyncio" })
    assert.is_false(fine)
    assert.truthy(message:find('waiter has to be one of "block", "cqueues", "luv", "nginx"', 1, true), message)
  end)

  it("whose library is missing says which one", function()
    local fine, message = pcall(celements.new, { waiter = "nginx" })
    assert.is_false(fine)
    assert.truthy(message:find("needs nginx with its Lua module", 1, true), message)
  end)

  it("cannot be waited for in a loop on Lua 5.1, so that the page is fetched while the others wait", function()
    local wait = require "celements.wait"
    assert.equal(PUC_51 and "block" or "luv", luv and wait.find("luv", true).name or PUC_51 and "block" or "luv")
  end)
end)
