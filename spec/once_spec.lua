local celements = require "celements"
local connected = require "spec.support.connected"
local errors = require "celements.error"
local once = require "celements.once"
local process = require "celements.process"
local raises = require "spec.support.raises"
local recorder = require "spec.support.recorder"

local TAG = assert(once.tag "customer-42")
local NAME = { tag = TAG, element = { key = "typeform" } }
local TRIES = 3

-- A made-up platform ----------------------------------------------------------------
-- While it is driven, every operation waits for its turn before it acts, and a create once
-- more before its answer is there; whoever drives the coroutines decides whose turn it is.

local function new_platform(options)
  options = options or {}
  local self = { rows = {}, next_id = 100, time = 0, pending = {}, creates = 0, deletes = 0, driven = false }

  local function turn()
    if self.driven then
      coroutine.yield()
    end
  end

  -- The date is that of the request; all on one date, unless the clock is a fine one.
  local function new_row()
    self.next_id = self.next_id + 1
    return {
      id = self.next_id, tags = { "x", TAG }, element = { key = "typeform", id = 845 },
      createdDate = options.dates ~= false and ("2026-01-01T00:00:%06dZ"):format(options.fine and self.next_id or 0) or nil,
    }
  end

  local function unknown()
    return nil, errors.new { kind = "network", message = "the answer was lost", outcome = "unknown", attempts = 1 }
  end

  function self.arrive()
    for i = #self.pending, 1, -1 do
      table.insert(self.rows, table.remove(self.pending, i))
    end
  end

  -- What a racer is given: `creates` and `finds` say what becomes of its calls in turn,
  -- "ok" when they say nothing.
  function self.ops(creates, finds)
    local created, found = 0, 0
    local ops = {}
    function ops.find()
      turn()
      found = found + 1
      if finds and finds[found] == "fail" then
        return nil, errors.new { kind = "server", message = "the list is broken", outcome = "refused", status = 500 }
      end
      local rows = {}
      for _, row in ipairs(self.rows) do
        rows[#rows + 1] = row
      end
      return rows, { status = 200, headers = {}, attempts = 1 }
    end
    function ops.create()
      turn()
      created, self.creates = created + 1, self.creates + 1
      local what = creates and creates[created] or "ok"
      if what == "spent" then   -- by another call, of which the instance is there only now
        if options.spent_by_another then
          table.insert(self.rows, new_row())
        end
        return nil, errors.new {
          kind = "invalid", message = "no", provider_message = "invalid_grant", outcome = "refused", status = 400, attempts = 1,
        }
      elseif what == "refused" then
        return nil, errors.new { kind = "invalid", message = "no", outcome = "refused", status = 400, attempts = 1 }
      elseif what == "not_sent" then
        return nil, errors.new { kind = "connect", message = "nobody there", outcome = "not_sent", attempts = 1 }
      elseif what == "lost_before" then
        return unknown()
      end
      local row = new_row()
      table.insert(what == "slow" and self.pending or self.rows, row)
      turn()
      if what == "lost_after" or what == "slow" then
        return unknown()
      end
      local answer = { id = row.id, createdDate = row.createdDate, token = "t" .. row.id }
      return answer, { status = 200, headers = {}, attempts = 1 }
    end
    function ops.delete(id)
      turn()
      self.deletes = self.deletes + 1
      for i, row in ipairs(self.rows) do
        if row.id == id then
          table.remove(self.rows, i)
          return true
        end
      end
      return nil, errors.new { kind = "not_found", message = "gone", status = 404, outcome = "refused" }
    end
    function ops.sleep(seconds)
      self.time = self.time + seconds
    end
    function ops.time_for(seconds)
      return self.time + seconds < (options.time or 1000)
    end
    return ops
  end
  return self
end

local function run(platform, creates, finds)
  return once.run(platform.ops(creates, finds), NAME, TRIES)
end

-- Runs `make()`, which gives a platform and functions to run side by side, once for every
-- order in which their steps can follow each other; `check(platform, results)` after each.
local function every_interleaving(make, check)
  local choices, count = {}, 0
  repeat
    local platform, bodies = make()
    platform.driven = true
    local routines, results = {}, {}
    for i, body in ipairs(bodies) do
      routines[i] = coroutine.create(body)
      assert(coroutine.resume(routines[i])) -- up to its first turn
    end
    local step, widths = 0, {}
    while true do
      local alive = {}
      for i, routine in ipairs(routines) do
        if coroutine.status(routine) ~= "dead" then
          alive[#alive + 1] = i
        end
      end
      if #alive == 0 then
        break
      end
      step = step + 1
      choices[step] = choices[step] or 1
      widths[step] = #alive
      local who = alive[choices[step]]
      local fine, result, info = coroutine.resume(routines[who])
      assert(fine, result)
      if coroutine.status(routines[who]) == "dead" then
        results[who] = { instance = result, info = info }
      end
    end
    count, platform.driven = count + 1, false
    check(platform, results)
    -- The next order: the last choice that has another.
    for i = #choices, step + 1, -1 do
      choices[i] = nil
    end
    while #choices > 0 and choices[#choices] == widths[#choices] do
      choices[#choices] = nil
    end
    if #choices > 0 then
      choices[#choices] = choices[#choices] + 1
    end
  until #choices == 0
  return count
end

describe("one call with a name", function()
  it("finds what is there, creates what is not, and says which", function()
    local platform = new_platform()
    local first, info = run(platform)
    assert.equal("t101", first.token) -- the answer of the create
    assert.is_nil(info.found)
    local second
    second, info = run(platform)
    assert.same({ 101, true }, { second.id, info.found })
    assert.same({ 1, 1 }, { platform.creates, #platform.rows })
  end)

  it("makes exactly one, whatever becomes of each answer", function()
    local fates = { "ok", "lost_before", "lost_after" }
    for _, first in ipairs(fates) do
      for _, second in ipairs(fates) do
        for _, third in ipairs(fates) do
          local platform = new_platform()
          local instance, info = run(platform, { first, second, third })
          local story = table.concat({ first, second, third }, ", ")
          if instance then
            assert.same({ 1, platform.rows[1].id }, { #platform.rows, instance.id }, story)
          else
            assert.same({ "unknown", 0 }, { info.outcome, #platform.rows }, story)
            assert.truthy(info.hint:find("call again", 1, true))
          end
          assert.equal(first == "lost_before" and second == "lost_before" and third == "lost_before", instance == nil, story)
          assert.equal(first == "lost_after" or nil, info.found and first ~= "lost_before" or nil, story)
        end
      end
    end
  end)

  it("does not create again when it cannot see whether the lost one is there", function()
    for _, fate in ipairs { "lost_after", "lost_before", "slow" } do
      local platform = new_platform()
      local finds = { "ok" }
      for i = 2, 20 do
        finds[i] = "fail"
      end
      local instance, err = run(platform, { fate }, finds)
      assert.is_nil(instance)
      assert.same({ "network", "unknown", 1 }, { err.kind, err.outcome, platform.creates })
      platform.arrive()
      assert.truthy((run(platform)))
      assert.equal(1, #platform.rows)
    end
  end)

  it("goes on looking when one look fails and a later one does not", function()
    local platform = new_platform()
    local instance, info = run(platform, { "lost_after" }, { "ok", "fail", "fail" })
    assert.same({ 101, true, 1 }, { instance.id, info.found, platform.creates })
  end)

  it("creates nothing when it cannot look at all", function()
    local platform = new_platform()
    local instance, err = run(platform, {}, { "fail" })
    assert.is_nil(instance)
    assert.same({ "server", 0 }, { err.kind, platform.creates })
  end)

  it("keeps what it made when the look afterwards fails", function()
    local platform = new_platform()
    local instance = run(platform, {}, { "ok", "fail" })
    assert.same({ 101, 1 }, { instance.id, #platform.rows })
  end)

  it("gives up at once when the platform or the network refuses, as there is nothing to look for", function()
    for _, fate in ipairs { "refused", "not_sent" } do
      local platform = new_platform()
      local instance, err = run(platform, { fate })
      assert.is_nil(instance)
      assert.same({ fate, 1, 0 }, { err.outcome, platform.creates, platform.time })
    end
  end)

  it("finds what another call has made of the grant that the provider takes once only", function()
    local platform = new_platform { spent_by_another = true }
    local instance, info = run(platform, { "spent" })
    assert.same({ 101, true, 1, 1 }, { instance.id, info.found, platform.creates, #platform.rows })
  end)

  it("says what the provider refused when nobody has made anything of it, or nobody knows", function()
    for _, finds in ipairs { { "ok", "ok" }, { "ok", "fail" } } do
      local platform = new_platform()
      local instance, err = run(platform, { "spent" }, finds)
      assert.is_nil(instance)
      assert.same({ "refused", "invalid_grant", 1, 0 }, { err.outcome, err.provider_message, platform.creates, platform.time })
    end
  end)

  it("does not call certain what a later refusal has not made so", function()
    for _, fate in ipairs { "refused", "not_sent" } do
      local platform = new_platform()
      local instance, err = run(platform, { "slow", fate })
      assert.is_nil(instance)
      assert.same({ "unknown", 2 }, { err.outcome, platform.creates })
      assert.equal("the answer was lost; sent again, it failed: " .. (fate == "refused" and "no" or "nobody there"), err.message)
      platform.arrive()
      local found, info = run(platform)
      assert.same({ 101, true, 1 }, { found.id, info.found, #platform.rows })
    end
  end)

  it("finds a slow one that arrives while it looks", function()
    local platform = new_platform()
    local ops = platform.ops { "slow" }
    local sleep, slept = ops.sleep, 0
    function ops.sleep(seconds)
      slept = slept + 1
      sleep(seconds)
      if slept == 2 then
        platform.arrive()
      end
    end
    local instance, info = once.run(ops, NAME, TRIES)
    assert.same({ 101, true, 1, 1 }, { instance.id, info.found, platform.creates, #platform.rows })
  end)

  it("stops when its time is over", function()
    local platform = new_platform { time = 0.5 }
    local instance, err = run(platform, { "lost_before", "lost_before", "lost_before" })
    assert.is_nil(instance)
    assert.equal("unknown", err.outcome)
    assert.is_true(platform.time < 0.5)
    assert.is_true(platform.creates < 10)
  end)

  it("deletes the younger of two, and can say so when that fails", function()
    local platform = new_platform()
    platform.rows = {
      { id = 7, tags = { TAG }, createdDate = "2026-01-02" }, { id = 9, tags = { TAG }, createdDate = "2026-01-01" },
    }
    local ops = platform.ops()
    local delete = ops.delete
    function ops.delete()
      return nil, errors.new { kind = "conflict", message = "in use", status = 409, outcome = "refused", hint = "stop it" }
    end
    local instance, err = once.run(ops, NAME, TRIES)
    assert.is_nil(instance)
    assert.same({ "conflict", "unknown" }, { err.kind, err.outcome })
    assert.truthy(err.hint:find("^stop it; then call again"))
    ops.delete = delete
    local info
    instance, info = once.run(ops, NAME, TRIES)
    assert.same({ 9, true, 1 }, { instance.id, info.found, #platform.rows })
  end)

  it("goes by the ids where not all have a date, and then by the numbers they are", function()
    local platform = new_platform()
    platform.rows = { { id = 10, tags = { TAG } }, { id = 9, tags = { TAG }, createdDate = "2026-01-02" } }
    assert.equal(9, run(platform).id)
  end)

  it("never touches what does not carry the name, whatever the list brings", function()
    local platform = new_platform()
    local others = {
      { id = 1 }, { id = 2, tags = {} }, { id = 3, tags = celements.null }, { id = 4, tags = { "customer-42" } },
      { id = 5, tags = { TAG .. "0" } }, { id = 6, tags = { { id = 1, name = "x" } } }, { id = 7, tags = TAG },
    }
    for i, other in ipairs(others) do
      platform.rows[i] = other
    end
    local instance = run(platform, { "lost_after" })
    assert.equal(#others + 1, #platform.rows)
    assert.equal(instance.id, run(platform).id)
    assert.equal(0, platform.deletes)
    platform.rows[#platform.rows + 1] = { id = 8, tags = { { id = 5, name = TAG } } } -- tags as objects
    run(platform)
    assert.same({ 1, #others + 1 }, { platform.deletes, #platform.rows })
  end)

  it("is refused when the name is that of an instance of another element", function()
    local platform = new_platform()
    run(platform)
    for _, element in ipairs { { key = "hubspot" }, { id = 25 } } do
      local instance, err = once.run(platform.ops(), { tag = TAG, element = element }, TRIES)
      assert.is_nil(instance)
      assert.same({ "config", "not_sent", 1, 0 }, { err.kind, err.outcome, #platform.rows, platform.deletes })
      assert.equal("once = 'customer-42' is the name of instance 101, which is of the element typeform", err.message)
      assert.truthy(err.hint)
    end
    for _, element in ipairs { { key = "typeform" }, { id = 845 }, { id = "845" }, { key = "845" } } do
      assert.truthy((once.run(platform.ops(), { tag = TAG, element = element }, TRIES)))
    end
  end)
end)

describe("two racers, in every order of their steps #slow", function()
  -- What must hold when all is over: exactly one, and it is what a further call finds.
  local function settled(platform, story)
    platform.arrive()
    local instance, info = run(platform)
    assert(#platform.rows == 1 and info.found and platform.rows[1].id == instance.id, story)
  end

  local function race(options, a_creates, b_creates, a_finds, check)
    return every_interleaving(function()
      local platform = new_platform(options)
      return platform, {
        function() return once.run(platform.ops(a_creates, a_finds), NAME, 2) end,
        function() return once.run(platform.ops(b_creates), NAME, 2) end,
      }
    end, check)
  end

  it("both get the same one, the oldest, and there is no other", function()
    for _, options in ipairs { {}, { fine = true }, { dates = false } } do
      local raced = 0
      local orders = race(options, nil, nil, nil, function(platform, results)
        local a, b = results[1].instance, results[2].instance
        assert(#platform.rows == 1 and platform.rows[1].id == 101, "not the first that was made")
        assert(a.id == 101 and b.id == 101)
        raced = raced + (platform.creates == 2 and 1 or 0)
      end)
      assert.is_true(orders > 20, orders)
      assert.is_true(raced > 5, raced)
    end
  end)

  it("never two in the end, never none after a success, when answers are lost", function()
    local orders = 0
    for _, a in ipairs { { "lost_after" }, { "lost_before" }, { "lost_before", "lost_after" }, { "refused" } } do
      for _, b in ipairs { {}, { "lost_after" }, { "lost_before" } } do
        local story = table.concat(a, "+") .. " against " .. (b[1] or "ok")
        orders = orders + race({ time = 0.2 }, a, b, nil, function(platform, results)
          assert(#platform.rows <= 1, story)
          for _, result in ipairs(results) do
            local instance = result.instance
            assert(not instance or #platform.rows == 1 and platform.rows[1].id == instance.id, story)
            assert(instance or result.info.outcome, story)
          end
          if #platform.rows == 1 then
            settled(platform, story)
          end
        end)
      end
    end
    assert.is_true(orders > 1000, orders)
  end)

  it("never two in the end when the list fails for one of them", function()
    for _, finds in ipairs { { "ok", "fail" }, { "ok", "fail", "fail", "fail" } } do
      for _, a in ipairs { {}, { "lost_after" } } do
        race({ time = 0.3 }, a, nil, finds, function(platform, results)
          assert(#platform.rows >= 1 and results[2].instance)
          settled(platform)
        end)
      end
    end
  end)

  it("one in the end when a creation appears after everybody has gone: the next call sees to that", function()
    race({ time = 0.3 }, { "slow" }, nil, nil, function(platform, results)
      assert(#platform.rows >= 1 and results[2].instance)
      settled(platform)
    end)
  end)
end)

describe("a name for once", function()
  it("becomes a tag that nothing strips or mistakes", function()
    assert.equal("celements-once:customer-42", once.tag "customer-42")
    assert.equal("celements-once:a.b_c:d/e@f+g-H9", once.tag "a.b_c:d/e@f+g-H9")
    for _, name in ipairs { "", "a b", "<b>", "ü", "a,b", "a\n", ("x"):rep(101), "a&b", "'" } do
      local tag, problem = once.tag(name)
      assert.is_nil(tag)
      assert.truthy(problem:find("1 to 100 of the characters", 1, true))
    end
  end)

  it("that cannot be one raises at the caller's line", function()
    local client = celements.new { base_url = "127.0.0.1:1", user_secret = "u", org_secret = "o" }
    assert.truthy(raises(function()
      local instance = client:create_instance { element = "x", once = "a b" }
      return instance, nil
    end):find("once has to be 1 to 100 of the characters", 1, true))
    assert.equal("once has to be a string, not a number", raises(function()
      local instance = client:create_instance { element = "x", once = 42 }
      return instance, nil
    end))
  end)
end)

describe("on the wire, once", function()
  local server, client

  setup(function()
    server = recorder.start()
    client = celements.new { base_url = server.url, user_secret = "uSer", org_secret = "oRg", retries = 0 }
  end)

  teardown(function()
    server:stop()
  end)

  it("looks by the tag, creates with it behind the other tags, and looks again", function()
    server:answer { { body = "[]" }, { body = '{"id": 5, "token": "t"}' }, { body = '[{"id": 5, "tags": ["mine", "'
      .. TAG .. '"]}]' } }
    local instance, info = assert(client:create_instance { element = "x", tags = "mine", once = "customer-42" })
    assert.same({ 5, "t" }, { instance.id, instance.token })
    assert.is_nil(info.found)
    assert.is_true(info.seconds >= 0)
    local seen = server:requests()
    assert.equal(3, #seen)
    for _, i in ipairs { 1, 3 } do
      assert.same({ "GET", "/elements/api-v2/instances?pageSize=200&tags%5B%5D=celements-once%3Acustomer-42" },
        { seen[i].method, seen[i].target })
    end
    assert.same({ "POST", "/elements/api-v2/instances" }, { seen[2].method, seen[2].target })
    local body = celements.json.decode(seen[2].body)
    assert.same({ "mine", TAG }, body.tags)
    assert.is_nil(body.once)
  end)

  it("looks over all pages", function()
    server:answer {
      { body = "[]", headers = { ["Elements-Next-Page-Token"] = "p2" } },
      { body = ('[{"id": 9, "tags": ["%s"], "element": {"key": "x"}}]'):format(TAG),
        headers = { ["Elements-Request-Id"] = "r2" } },
    }
    local instance, info = assert(client:create_instance { element = "x", once = "customer-42" })
    -- what is told is told of the page that it stood on
    assert.same({ 9, true, 200, "r2" }, { instance.id, info.found, info.status, info.request_id })
    assert.equal(2, #server:requests())
  end)

  it("takes 404 'No instances found' for none", function()
    server:answer { { status = 404, body = '{"message": "No instances found"}' }, { body = '{"id": 5}' } }
    assert.equal(5, assert(client:create_instance { element = "x", once = "customer-42" }).id)
    assert.equal(3, #server:requests())
  end)

  it("null in a decoded file is nothing", function()
    server:answer { { body = '{"id": 5}' } }
    assert(client:create_instance(assert(celements.json.decode '{"element": {"key": "x"}, "once": null, "check": null}')))
    assert.equal('{"element":{"key":"x"}}', server:request().body)
  end)
end)

describe("against the sandbox, once", function()
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

  local function create(name, options)
    return client:create_instance(connected.typeform { once = name }, options)
  end

  -- Instances by the name that they were created with, from the sandbox's own list.
  local function by_name()
    local all = {}
    for instance in client:instances() do
      local name = instance.tags[#instance.tags]
      all[name] = all[name] or {}
      table.insert(all[name], instance)
    end
    return all
  end

  it("there is exactly one for each of 200 names, wherever the connection breaks #slow", function()
    math.randomseed(os.time())
    local rules = {}
    local kinds = {
      function() return "hangup=before" end, function() return "hangup=before,reset" end,
      function() return "hangup=after" end, function() return "hangup=after,reset" end,
      function() return "hangup=middle" end, function() return "cut=" .. math.random(0, 400) end,
      function() return "garbage" end, function() return "html,status=504" end,
      function() return ("hangup=after,late=%.3f"):format(math.random() * 0.9) end,
      function() return ("delay=%.3f"):format(math.random() * 0.2) end,
    }
    for i = 1, 200 do
      rules[i] = { fault = kinds[math.random(#kinds)](), method = "POST", path = "/instances", times = 1 }
    end
    connected.control(sandbox, "POST", "/faults", { faults = rules })
    local names = {}
    for i = 1, 200 do
      names[i] = ("customer-%d"):format(i)
    end
    local outcomes, summary = client:map(names, function(name) return create(name) end, { concurrency = 100 })
    -- All three answers of one may be lost: then it says so, and the next call has it.
    local all, found = by_name(), 0
    for i, outcome in ipairs(outcomes) do
      local there = all[once.tag(names[i])] or {}
      if outcome.result then
        assert.same({ 1, there[1].id }, { #there, outcome.result.id })
        assert.equal(there[1].token, outcome.result.token)
        found = found + (outcome.info.found and 1 or 0)
      else
        assert.same({ "unknown", true }, { outcome.err.outcome, #there <= 1 })
      end
    end
    assert.is_true(summary.failed < 20, summary.failed)
    assert.is_true(found > 20, found) -- answers were lost on their way back
    connected.control(sandbox, "POST", "/faults", { faults = celements.array {} })
    for i, outcome in ipairs((client:map(names, function(name) return create(name) end))) do
      assert.is_nil(outcome.err)
      assert.equal(not outcomes[i].err or nil, outcome.info.found or nil)
    end
    for _, there in pairs(by_name()) do
      assert.equal(1, #there)
    end
  end)

  it("two processes that race end with the same one each time", function()
    -- Both have looked before either creates.
    connected.control(sandbox, "POST", "/faults", {
      faults = { { fault = "delay=0.04", method = "GET", path = "/instances" } },
    })
    local names, path = {}, os.tmpname()
    for i = 1, 20 do
      names[i] = "race-" .. i
    end
    local function all_ids()
      local ids = {}
      for i, outcome in ipairs((client:map(names, function(name) return create(name) end, { concurrency = 20 }))) do
        ids[i] = outcome.result and ("%d"):format(outcome.result.id) or tostring(outcome.err)
      end
      return ids
    end
    local pid = assert(process.fork())
    if pid == 0 then
      local fine, ids = pcall(all_ids)
      local file = io.open(path, "w")
      file:write(fine and table.concat(ids, "\n") or tostring(ids))
      file:close()
      process.exit(0)
    end
    local mine = all_ids()
    assert.is_true((process.wait(pid, 20)))
    local file = assert(io.open(path))
    local theirs = file:read("*a")
    file:close()
    os.remove(path)
    assert.equal(theirs, table.concat(mine, "\n"))
    local all, count = by_name(), 0
    for i, name in ipairs(names) do
      local there = all[once.tag(name)]
      assert.same({ 1, mine[i] }, { #there, ("%d"):format(there[1].id) })
      count = count + 1
    end
    assert.equal(20, count)
    local posts, deletes = 0, 0
    for _, request in ipairs(connected.control(sandbox, "GET", "/requests").requests) do
      posts = posts + (request.method == "POST" and 1 or 0)
      deletes = deletes + (request.method == "DELETE" and 1 or 0)
    end
    assert.is_true(posts > 20 and deletes > 0, ("there was no race: %d creates, %d deletes"):format(posts, deletes))
  end)

  it("a second name is a second instance, and no name always a new one", function()
    local a, b = assert(create "a"), assert(create "b")
    assert.not_equal(a.id, b.id)
    local c, d = assert(client:create_instance(connected.typeform())), assert(client:create_instance(connected.typeform()))
    assert.not_equal(c.id, d.id)
    assert.equal(a.id, assert(create "a").id)
  end)

  it("the same name for another element is refused, and nothing is deleted", function()
    assert(create "a")
    local instance, err = client:create_instance {
      element = "abbyy", name = "A", once = "a", configuration = celements.sandbox.credentials "abbyy",
    }
    assert.is_nil(instance)
    assert.equal("config", err.kind)
    assert.equal(1, #client:instances():all())
  end)
end)
