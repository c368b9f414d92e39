local celements = require "celements"
local connected = require "spec.support.connected"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"
local script = require "spec.support.script"
local process = require "celements.process"
local wait = require "celements.wait"

local engine = require("celements.core").engine

local clock = engine.clock

local unpack = table.unpack or unpack

local function numbers(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

local function counter(n)
  local i = 0
  return function()
    if i < n then
      i = i + 1
      return i
    end
  end
end

describe("map", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:answer { { body = "{}" } }
  end)

  local function get(i, options)
    return client:request("GET", "/" .. i, options)
  end

  it("brings the outcomes in the order of the list, whichever answer comes first", function()
    local answers = {}
    for i = 1, 12 do
      answers[i] = { body = ('{"n": %d}'):format(i), delay = (12 - i) * 0.02 }
    end
    server:answer(answers)
    local finished = {}
    local outcomes, summary = client:map(numbers(12), function(i)
      local result, info = get(i)
      finished[#finished + 1] = i
      return result, info
    end, { concurrency = 12 })
    local asked = {}
    for i, request in ipairs(server:requests()) do
      asked[tonumber(request.target:match("%d+$"))] = i
    end
    for i, outcome in ipairs(outcomes) do
      assert.equal(asked[i], outcome.result.n)
      assert.equal(200, outcome.info.status)
    end
    assert.equal(12, #outcomes)
    assert.same({ done = 12, failed = 0, total = 12 }, summary)
    local as_asked = {}
    for place, i in ipairs(finished) do
      as_asked[place] = asked[i]
    end
    assert.not_same(numbers(12), as_asked)
  end)

  it("hands f the item and its place", function()
    local seen = {}
    client:map({ "a", "b", "c" }, function(item, index)
      seen[index] = item
      return true
    end)
    assert.same({ "a", "b", "c" }, seen)
  end)

  it("goes on when one fails, and has the error in its place", function()
    server:answer { { body = "{}" }, { status = 500, body = '{"message": "broke"}' }, { body = "{}" } }
    local outcomes, summary = client:map(numbers(3), function(i) return get(i) end, { concurrency = 1 })
    assert.same({ true, true }, { outcomes[1].result ~= nil, outcomes[3].result ~= nil })
    assert.same({ "server", "broke" }, { outcomes[2].err.kind, outcomes[2].err.message })
    assert.is_nil(outcomes[2].result)
    assert.same({ done = 3, failed = 1, total = 3 }, summary)
  end)

  it("takes what f raises for the outcome of that item", function()
    local thrown = {}
    local outcomes, summary = client:map(numbers(4), function(i)
      if i == 1 then
        error("odd", 0)
      elseif i == 2 then
        error(thrown)
      elseif i == 3 then
        assert(get(i))
        error()
      end
      return assert(get(i))
    end)
    assert.equal("odd", outcomes[1].err)
    assert.equal(thrown, outcomes[2].err)
    assert.truthy(outcomes[3].err ~= nil)
    assert.is_nil(outcomes[4].err)
    assert.same({ done = 4, failed = 3, total = 4 }, summary)
  end)

  it("takes a function that returns nothing for done, and false for a result", function()
    local outcomes, summary = client:map(numbers(2), function(i)
      if i == 2 then
        return false
      end
    end)
    assert.same({ {}, { result = false } }, outcomes)
    assert.same({ done = 2, failed = 0, total = 2 }, summary)
  end)

  it("of nothing is nothing", function()
    local outcomes, summary = client:map({}, get)
    assert.same({}, outcomes)
    assert.same({ done = 0, failed = 0, total = 0 }, summary)
    outcomes, summary = client:map(counter(0), get)
    assert.is_true(outcomes)
    assert.same({ done = 0, failed = 0, total = 0 }, summary)
  end)

  it("tells the progress after each, with the total where it is known", function()
    server:answer { { body = "{}" }, { status = 404 }, { body = "{}" } }
    local seen = {}
    local function note(p)
      seen[#seen + 1] = ("%d %d %s"):format(p.done, p.failed, tostring(p.total))
    end
    client:map(numbers(3), function(i) return get(i) end, { concurrency = 1, on_progress = note })
    assert.same({ "1 0 3", "2 1 3", "3 1 3" }, seen)
    seen = {}
    client:map(counter(2), function() return true end, { on_progress = note })
    assert.same({ "1 0 nil", "2 0 nil" }, seen)
    seen = {}
    client:map(counter(2), function() return true end, { on_progress = note, total = 2 })
    assert.same({ "1 0 2", "2 0 2" }, seen)
  end)

  it("hands each outcome to on_result, with the place of its item", function()
    local seen = {}
    client:map(numbers(3), function(i) return i * 10 end, {
      on_result = function(index, outcome) seen[index] = outcome.result end,
    })
    assert.same({ 10, 20, 30 }, seen)
  end)

  it("really runs side by side: 32 answers of 0.2 s at 16 take twice 0.2 s", function()
    server:answer { { body = "{}", delay = 0.2 } }
    local began = clock()
    local _, summary = client:map(numbers(32), function(i) return get(i) end, { concurrency = 16 })
    local seconds = clock() - began
    assert.equal(0, summary.failed)
    assert.is_true(seconds >= 0.39 and seconds < 1.2, "it took " .. seconds)
  end)

  it("starts the next before it has dealt with the last of many answers that come at once", function()
    server:answer { { body = "{}", delay = 0.2 } }
    local at, ended = nil, 0
    client:map(numbers(64), function(i)
      at = i == 34 and ended or at
      local result, info = get(i)
      ended = ended + 1
      if ended == 1 then
        engine.sleep(0.5) -- the others come meanwhile
      end
      return result, info
    end, { concurrency = 32 })
    assert.is_true(at <= 9, ("%d answers were dealt with before"):format(at))
  end)

  it("lets a child that was forked inside it make calls of its own", function()
    local job = script.start(([[
      local celements, process = require "celements", require "celements.process"
      local client = celements.new { base_url = %q, user_secret = "u", org_secret = "o" }
      client:map({ 1, 2, 3 }, function(i)
        local result = client:request("GET", "/" .. i)
        local pid = i == 2 and process.fork()
        if pid == 0 then
          io.stdout:write(tostring(client:request("GET", "/child")), "\n")
          io.stdout:flush()
          process.exit(0)
        elseif pid then
          process.wait(pid, 10)
        end
        return result
      end, { concurrency = 3 })
    ]]):format(server.url))
    local out, err, status = job:finish(20)
    assert.equal("", err)
    assert.equal(0, status)
    assert.truthy(out:find "^table: ", out)
  end)

  it("goes on in the parent alone when it was forked inside", function()
    server:answer { { body = "{}" } }
    server:requests()
    local job = script.start(([[
      local celements, process = require "celements", require "celements.process"
      local client = celements.new { base_url = %q, user_secret = "u", org_secret = "o" }
      local list, child = {}, nil
      for i = 1, 12 do
        list[i] = i
      end
      local fine, problem = pcall(client.map, client, list, function(i)
        local result = client:request("GET", "/" .. i)
        if i == 2 then
          child = process.fork()
        end
        return result
      end, { concurrency = 3 })
      if child == 0 then
        io.stdout:write(tostring(fine), " ", tostring(problem))
        io.stdout:flush()
        process.exit(0)
      end
      assert(fine, problem)
      process.wait(child, 10)
    ]]):format(server.url))
    local out, err, status = job:finish(20)
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("false this process was forked inside map(): what was in flight is the other's", out)
    assert.equal(12, #server:requests())
  end)

  it("never has more in flight than it may", function()
    server:answer { { body = "{}", delay = 0.02 } }
    for _, concurrency in ipairs { 1, 3, 8 } do
      local running, most = 0, 0
      client:map(numbers(20), function(i)
        running = running + 1
        most = math.max(most, running)
        local result, info = get(i)
        running = running - 1
        return result, info
      end, { concurrency = concurrency })
      assert.equal(concurrency, most)
    end
    local running, most = 0, 0
    client:map(numbers(40), function(i)
      running = running + 1
      most = math.max(most, running)
      local result = get(i)
      running = running - 1
      return result
    end)
    assert.equal(16, most) -- unless it is told
  end)

  it("gives each call a deadline of its own", function()
    server:answer { { body = "{}", delay = 0.15 } }
    local _, summary = client:map(numbers(6), function(i)
      return get(i, { timeout = 0.6 })
    end, { concurrency = 1 }) -- 0.9 s in all
    assert.equal(0, summary.failed)
    local answers = {}
    for i = 1, 6 do
      answers[i] = { body = "{}", delay = i % 2 == 0 and 5 or 0 }
    end
    server:answer(answers)
    local outcomes
    local began = clock()
    outcomes, summary = client:map(numbers(6), function(i) return get(i, { timeout = 0.3 }) end, { concurrency = 6 })
    assert.is_true(clock() - began < 2)
    assert.equal(3, summary.failed)
    for _, outcome in ipairs(outcomes) do
      assert.is_true(outcome.err == nil or outcome.err.kind == "timeout")
    end
  end)

  it("lets a call that sleeps before its next attempt hold up nobody", function()
    local patient = celements.new { base_url = server.url, user_secret = "u", org_secret = "o", retries = 1 }
    server:answer { { status = 503, headers = { ["Retry-After"] = "1" } }, { body = "{}" } }
    local finished = {}
    local began = clock()
    local _, summary = client:map(numbers(10), function(i)
      local result, info = patient:request("GET", "/" .. i)
      finished[#finished + 1] = { info.attempts, clock() - began }
      return result, info
    end, { concurrency = 2 })
    assert.equal(0, summary.failed)
    assert.equal(2, finished[10][1]) -- the one that slept comes last
    assert.is_true(finished[10][2] >= 0.99)
    assert.is_true(finished[9][2] < 0.7, "the others waited for it: " .. finished[9][2])
  end)

  it("works on one thing after the other inside itself, waiting side by side with the outer ones", function()
    server:answer { { body = "{}", delay = 0.1 } }
    local began = clock()
    local outcomes, summary = client:map(numbers(4), function(i)
      assert(get(i))
      local inner, inner_summary = client:map({ "a", "b", "c" }, function(name)
        if name == "b" and i == 2 then
          error("inner", 0)
        end
        return get(i .. name)
      end)
      return { inner = inner, summary = inner_summary }
    end)
    local seconds = clock() - began
    assert.is_true(seconds >= 0.39 and seconds < 1.1, "it took " .. seconds)
    assert.equal(0, summary.failed)
    for i, outcome in ipairs(outcomes) do
      assert.equal(3, #outcome.result.inner)
      assert.equal(i == 2 and 1 or 0, outcome.result.summary.failed)
    end
    assert.equal("inner", outcomes[2].result.inner[2].err)
  end)

  it("takes an iterator to its end, holding few of its items at a time", function()
    local running, most, at = 0, 0, 0
    server:answer { { body = "{}" } }
    local outcomes, summary = client:map(function()
      at = at + 1
      running = running + 1
      most = math.max(most, running)
      return at <= 50 and at or nil
    end, function(i)
      local result, info = get(i)
      running = running - 1
      return result, info
    end, { concurrency = 4 })
    assert.is_true(outcomes)
    assert.same({ done = 50, failed = 0, total = 50 }, summary)
    assert.is_true(most <= 5, most)
  end)

  it("takes no failure of its iterator for the end, whatever is raised", function()
    server:answer { { body = "{}" } }
    for _, raised in ipairs { "broken", false, {} } do
      local fine, problem = pcall(client.map, client, function() error(raised, 0) end, get)
      assert.is_false(fine)
      assert.equal(raised, problem)
    end
    local fine, problem = pcall(client.map, client, function() error() end, get)
    assert.is_false(fine)
    assert.equal("the iterator raised nil", problem)
    -- Inside another map, too; and the next call waits as it did.
    local outcomes = client:map({ 1 }, function()
      local at = 0
      return client:map(function()
        at = at + 1
        return at < 3 and at or error("broken", 0)
      end, get)
    end)
    assert.equal("broken", outcomes[1].err)
    local find = wait.find
    assert.equal("block", find().name)
    assert.is_nil(wait.inside())
    assert(get(1))
  end)

  it("does not grow with the length of its input", function()
    local function used()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before, most, began = nil, 0, clock()
    client:map(counter(20000), function(i)
      if i % 5000 == 0 then
        before = before or used()
        most = math.max(most, used())
      end
      return i
    end, { on_result = function() end, on_progress = function() end })
    assert.is_true(most - before < 40, ("%.0f KiB more"):format(most - before))
    assert.is_true(clock() - began < 20) -- where nobody waits for an answer, nothing is waited for
  end)

  it("lets nobody starve behind items that need no answer", function()
    local items, answered_at = 0, nil
    server:answer { { body = "{}", delay = 0.02 } }
    client:map(function()
      items = items + 1
      if not answered_at and items < 500000 then
        return items
      end
    end, function(i)
      if i == 1 then
        local result = get(i)
        answered_at = items
        return result
      end
      return i
    end)
    assert.is_true(answered_at < 500000)
  end)

  it("raises what the input raises, when what runs is done", function()
    server:answer { { body = "{}", delay = 0.1 } }
    local finished, n = 0, 0
    local broken = {}
    local fine, err = pcall(client.map, client, function()
      n = n + 1
      if n == 4 then
        error(broken)
      end
      return n
    end, function(i)
      local result, info = get(i)
      finished = finished + 1
      return result, info
    end)
    assert.same({ false, 3 }, { fine, finished })
    assert.equal(broken, err)
  end)

  it("loses nothing to a hook that raises, and tells of the first time at the end", function()
    for _, hook in ipairs { "on_progress", "on_result" } do
      server:answer { { body = "{}" } }
      local times = 0
      local outcomes, summary = client:map(numbers(20), function(i) return get(i) end, {
        concurrency = 4,
        [hook] = function()
          times = times + 1
          error("hook " .. times, 0)
        end,
      })
      assert.same({ done = 20, failed = 0, total = 20, hook_error = "hook 1" }, summary)
      assert.equal(20, #outcomes)
      assert.equal(20, times)
    end
  end)

  it("takes whatever a hook raises", function()
    local odd = setmetatable({}, { __tostring = function() error "no text" end })
    local _, summary = client:map(numbers(2), function() return true end, { on_result = function() error(odd) end })
    assert.same({ done = 2, failed = 0, total = 2, hook_error = "the hook raised what cannot be told" }, summary)
  end)

  it("tells each item that there can be no engine", function()
    local current = wait.engine
    wait.engine = function() return nil, "no more descriptors" end
    local fine, outcomes, summary = pcall(client.map, client, numbers(20), function() return wait.engine() end, { concurrency = 2 })
    wait.engine = current
    assert.is_true(fine, outcomes)
    assert.same({ done = 20, failed = 20, total = 20 }, summary)
    assert.equal("no more descriptors", outcomes[20].err)
  end)

  it("tells on_progress when on_result raises", function()
    server:answer { { body = "{}" } }
    local last
    local _, summary = client:map(numbers(3), function(i) return get(i) end, {
      on_result = function() error "no" end,
      on_progress = function(p) last = p end,
    })
    assert.truthy(summary.hook_error:find("no", 1, true))
    assert.same({ done = 3, failed = 0, total = 3 }, last)
  end)

  it("takes calls and runs in its hooks and in its input, beside its own", function()
    server:answer { { body = "{}", delay = 0.02 } }
    local inner, asked = 0, 0
    local _, summary = client:map(function()
      asked = asked + 1
      return asked <= 8 and assert(get("input" .. asked)) and asked or nil
    end, function(i) return get(i) end, {
      concurrency = 4,
      on_result = function(index)
        assert(get("hook" .. index))
        local _, its_summary = client:map(numbers(2), function(i) return get("inner" .. i) end)
        inner = inner + its_summary.done - its_summary.failed
      end,
    })
    assert.same({ done = 8, failed = 0, total = 8 }, summary)
    assert.equal(16, inner)
    assert.equal(8 * 5, #server:requests())
  end)

  it("says so when f waits for something else", function()
    local outcomes = client:map({ 1 }, function()
      return coroutine.yield "mine"
    end)
    assert.equal("the function yielded; only calls of celements may wait inside map()", outcomes[1].err)
    assert.is_nil(wait.inside())
  end)

  it("works in a coroutine of the caller's", function()
    local outcomes
    coroutine.wrap(function()
      outcomes = client:map(numbers(3), function(i) return get(i) end)
    end)()
    assert.equal(3, #outcomes)
    assert.is_nil(outcomes[3].err)
  end)

  it("takes loops over pages inside f, on every Lua", function()
    local answers = {}
    for i = 1, 8 do
      answers[i] = { body = "[1, 2]", headers = { ["Elements-Next-Page-Token"] = i <= 4 and "p" .. i or nil } }
    end
    server:answer(answers)
    local hub = client:instance "t0ken"
    local outcomes = client:map(numbers(4), function(i)
      local sum = 0
      for n in hub:pages("/contacts/" .. i) do
        sum = sum + n
      end
      return sum
    end)
    local sum = 0
    for _, outcome in ipairs(outcomes) do
      assert.is_nil(outcome.err)
      sum = sum + outcome.result
    end
    assert.equal(8 * 3, sum)
  end)

  it("takes a list of the platform's as its input", function()
    server:answer {
      { body = "[1, 2, 3]", headers = { ["Elements-Next-Page-Token"] = "p" } }, { body = "[4, 5]" }, { body = "{}" },
    }
    local seen = {}
    local _, summary = client:map(client:elements(), function(i)
      seen[#seen + 1] = i
      return true
    end, { concurrency = 2 })
    table.sort(seen)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
    assert.same({ done = 5, failed = 0, total = 5 }, summary)
    server:answer { { body = "[1]", headers = { ["Elements-Next-Page-Token"] = "p" } }, { status = 500 } }
    local fine, err = pcall(client.map, client, client:elements(), function() return true end)
    assert.same({ false, "server" }, { fine, err.kind })
  end)

  it("starts nothing after 429 for as long as the platform asks", function()
    local answers = {}
    for i = 1, 40 do
      answers[i] = { body = "{}", delay = 0.01 }
    end
    answers[9] = { status = 429, headers = { ["Retry-After"] = "1" }, body = '{"message": "slow down"}' }
    server:answer(answers)
    local began, started = clock(), {}
    local outcomes, summary = client:map(numbers(40), function(i)
      started[i] = clock() - began
      return get(i)
    end, { concurrency = 8 })
    assert.equal(1, summary.failed)
    assert.equal(40, #outcomes)
    local early, late = 0, 0
    for i = 1, 40 do
      early = early + (started[i] < 0.5 and 1 or 0)
      late = late + (started[i] >= 0.99 and 1 or 0)
    end
    assert.equal(40, early + late) -- nothing starts in between
    assert.is_true(early <= 25, early)
    assert.is_true(late >= 15, late)
  end)

  it("starts nothing either while a call waits to try again after 429", function()
    local patient = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg" }
    server:answer { { status = 429, headers = { ["Retry-After"] = "1" } }, { body = "{}" } }
    local began, started = clock(), {}
    local _, summary = patient:map(numbers(6), function(i)
      started[i] = clock() - began
      return patient:request("GET", "/" .. i)
    end, { concurrency = 2 })
    assert.same({ done = 6, failed = 0, total = 6 }, summary)
    assert.is_true(started[2] < 0.5, started[2])
    for i = 3, 6 do
      assert.is_true(started[i] >= 0.99, started[i])
    end
  end)

  it("halves what runs at once after 429, and comes back one by one", function()
    local answers = {}
    for i = 1, 30 do
      answers[i] = { body = "{}", delay = 0.05 }
    end
    for i = 1, 4 do
      answers[i] = { status = 429, headers = { ["Retry-After"] = "0" } }
    end
    server:answer(answers)
    local running, failed, side_by_side = 0, 0, {}
    client:map(numbers(12), function(i)
      running = running + 1
      if failed == 4 then
        side_by_side[#side_by_side + 1] = running
      end
      local result, info = get(i)
      running = running - 1
      failed = failed + (result and 0 or 1)
      return result, info
    end, { concurrency = 4 })
    assert.equal(4, failed)
    assert.same({ 1, 1, 2 }, { side_by_side[1], side_by_side[2], side_by_side[3] })
    assert.equal(4, math.max(unpack(side_by_side)))
  end)

  it("does not wait behind the last of a list", function()
    server:answer { { body = "{}" }, { body = "{}" }, { status = 429, headers = { ["Retry-After"] = "5" } } }
    local began = clock()
    local outcomes = client:map(numbers(3), function(i) return get(i) end, { concurrency = 1 })
    assert.equal("rate_limit", outcomes[3].err.kind)
    assert.is_true(clock() - began < 2)
  end)

  it("raises at the caller's line for what cannot be meant", function()
    for _, case in ipairs {
      { "a", print, nil, "the items has to be a table or function, not a string" },
      { {}, "f", nil, "f has to be a function, not a string" },
      { { 1, nil, 3 }, print, nil, "the input has a hole: item 2 of 3 is nil" },
      { { [1.5] = 1 }, print, nil, "the input is a list from 1 on; 1.5 is no place in it" },
      { { a = 1 }, print, nil, "the input is a list and has no place for the key a" },
      { {}, print, "x", "options has to be a table, not a string" },
      { {}, print, { concurency = 3 }, "unknown option 'concurency', did you mean 'concurrency'?" },
      { {}, print, { concurrency = "3" }, "concurrency has to be a number, not a string" },
      { {}, print, { concurrency = 0 }, "concurrency has to be a whole number above 0" },
      { {}, print, { concurrency = 1.5 }, "concurrency has to be a whole number above 0" },
      { {}, print, { concurrency = 0 / 0 }, "concurrency has to be a whole number above 0" },
      { {}, print, { on_progress = true }, "on_progress has to be a function, not a boolean" },
    } do
      assert.equal(case[4], raises(function()
        local outcomes = client:map(case[1], case[2], case[3])
        return outcomes, nil
      end))
    end
    assert.equal("unknown option 'tiemout', did you mean 'timeout'?", raises(function()
      local outcomes = client:create_instances({}, { tiemout = 3 })
      return outcomes, nil
    end))
  end)

  it("is left by Ctrl-C", function()
    local job = script.start(([[
      local celements = require "celements"
      local client = celements.new { base_url = %q, user_secret = "u", org_secret = "o" }
      io.stdout:setvbuf "no"
      print "begun"
      client:map({ 1, 2, 3 }, function(i) return client:request("GET", "/" .. i) end)
      print "not reached"
    ]]):format(server.url))
    server:answer { { delay = 20 } }
    assert.is_true(job:printed("begun", 5))
    process.sleep(0.3)
    process.kill(job:pid(), "INT")
    local out, err = job:finish(5)
    assert.equal("begun\n", out)
    assert.truthy(err:find("interrupted!", 1, true), err)
  end)
end)

describe("create_instances", function()
  local sandbox, client

  setup(function()
    sandbox, client = connected.start()
  end)

  teardown(function()
    sandbox.stop()
  end)

  before_each(function()
    connected.control(sandbox, "POST", "/reset")
  end)

  it("makes one of each, in the order of the list, with a failure in its place", function()
    local list = {}
    for i = 1, 24 do
      list[i] = connected.typeform { name = "Number " .. i }
    end
    list[7].configuration = { ["api.key"] = "wrong" }
    list[9].element = nil
    list[11] = "no parameters"
    local last
    local outcomes, summary = client:create_instances(list, { concurrency = 8, on_progress = function(p) last = p end })
    assert.same({ done = 24, failed = 3, total = 24 }, summary)
    assert.same({ done = 24, failed = 3, total = 24 }, last)
    for i, outcome in ipairs(outcomes) do
      if i == 7 then
        assert.truthy(outcome.err.provider_message)
      elseif i == 9 then
        assert.same({ "element" }, outcome.err.missing)
      elseif i == 11 then
        assert.same({ "params has to be a table, not a string", "config", "not_sent" }, -- blames no line of ours
          { outcome.err.message, outcome.err.kind, outcome.err.outcome })
      else
        assert.equal("Number " .. i, outcome.result.name)
      end
    end
    assert.equal(21, #client:instances():all())
  end)

  it("takes an iterator, and gives the outcomes to on_result alone", function()
    local ids, at = {}, 0
    local outcomes, summary = client:create_instances(function()
      at = at + 1
      return at <= 10 and connected.typeform { name = "N" .. at } or nil
    end, { on_result = function(index, outcome) ids[index] = outcome.result.id end })
    assert.is_true(outcomes)
    assert.same({ done = 10, failed = 0, total = 10 }, summary)
    assert.equal(10, #ids)
  end)

  it("keeps the connections of a burst for the next", function()
    local own = connected.client(sandbox)
    local list = {}
    for i = 1, 40 do
      list[i] = i
    end
    local opened
    for round = 1, 3 do
      local _, summary = own:map(list, function()
        return own:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "delay=0.1" } })
      end, { concurrency = 40 })
      assert.equal(0, summary.failed)
      opened = opened or own:stats().opened
      assert.equal(opened, own:stats().opened, "in round " .. round)
    end
  end)

  it("gives the options of a call to each", function()
    connected.control(sandbox, "POST", "/faults", {
      faults = { { fault = "delay=3", method = "POST", path = "/instances", times = 1, skip = 1 } },
    })
    local outcomes, summary = client:create_instances({ connected.typeform(), connected.typeform(), connected.typeform() },
      { timeout = 0.5, concurrency = 1 })
    assert.equal(1, summary.failed)
    assert.same({ "timeout", "unknown" }, { outcomes[2].err.kind, outcomes[2].err.outcome })
  end)

  it("makes one for each name, where the list has it twice, too", function()
    local list = {}
    for i = 1, 8 do
      list[i] = connected.typeform { once = "customer-" .. (i % 4) }
    end
    local outcomes, summary = client:create_instances(list)
    assert.equal(0, summary.failed)
    for i = 1, 4 do
      assert.equal(outcomes[i].result.id, outcomes[i + 4].result.id)
    end
    assert.equal(4, #client:instances():all())
  end)
end)
