--- What every waiter has to do, whatever event loop it is for: sentences, and functions
-- that raise when it does not.  They run where the waiter is at home, nginx included, so
-- they use nothing of busted.  Each gets
--
--   client, url, user_secret, org_secret   for the sandbox; client has the waiter
--   new(options)      another client with the waiter
--   parallel(list)    runs functions side by side, returns when all have ended
--   sleep(seconds), now()
--   blocks            true where nothing runs beside a call

local celements = require "celements"

local FORMS = { element = "typeform", name = "Forms", configuration = { ["api.key"] = "sandbox-typeform-key" } }

local function equal(expected, got, what)
  if expected ~= got then
    error(("%s: expected %s, got %s"):format(what or "value", tostring(expected), tostring(got)), 2)
  end
end

local function late(seconds)
  return { headers = { ["Sandbox-Fault"] = "late=" .. seconds } }
end

local function create(client, name, fault)
  local params = {}
  for key, value in pairs(FORMS) do
    params[key] = value
  end
  params.name = name
  return client:create_instance(params, fault and { headers = { ["Sandbox-Fault"] = fault }, timeout = 3 })
end

local function count_named(client, name)
  local count = 0
  local pages = client:instances { search = name }
  for each in pages do
    count = count + (each.name == name and 1 or 0)
  end
  return count
end

local M = {}

local function it(sentence, f)
  M[#M + 1] = { sentence = sentence, run = f }
end

it("brings an answer and its info", function(ctx)
  local keys, info = assert(ctx.client:request("GET", "/elements/keys"))
  equal("hubspot", keys[1])
  equal(200, info.status)
  equal(1, info.attempts)
end)

it("brings one answer after the other over one connection", function(ctx)
  local client = ctx.new {}
  for _ = 1, 10 do
    assert(client:request("GET", "/elements/keys"))
  end
  local stats = client:stats()
  equal(10, stats.opened + stats.reused, "answers")
  equal(true, stats.opened <= 1, "one connection at most is opened")
end)

it("brings each of many its own answer", function(ctx)
  local jobs, seen = {}, {}
  for i = 1, 40 do
    jobs[i] = function()
      local answer, err = ctx.client:request("GET", celements.path("instances", 1000000 + i))
      equal(nil, answer)
      seen[i] = err.path
    end
  end
  ctx.parallel(jobs)
  for i = 1, 40 do
    equal("/instances/" .. (1000000 + i), seen[i])
  end
end)

it("lets others go on while it waits", function(ctx)
  local jobs, ticks, done = {}, 0, 0
  for i = 1, 10 do
    jobs[i] = function()
      assert(ctx.client:request("GET", "/elements/keys", late(0.3)))
      done = done + 1
    end
  end
  jobs[11] = function()
    while not ctx.blocks and done < 10 do
      ctx.sleep(0.01)
      ticks = ticks + 1
    end
  end
  local began = ctx.now()
  ctx.parallel(jobs)
  equal(10, done)
  if not ctx.blocks then
    equal(true, ctx.now() - began < 1.5, "ten calls of 0.3 s in less than 1.5 s")
    equal(true, ticks >= 10, "the others had their turn: " .. ticks)
  end
end)

it("holds the deadline, and says how far the call came", function(ctx)
  local began = ctx.now()
  local answer, err = ctx.client:request("GET", "/elements/keys", {
    headers = { ["Sandbox-Fault"] = "late=5" }, timeout = 0.3, retries = 0,
  })
  equal(nil, answer)
  equal("timeout", err.kind)
  equal("wait", err.phase)
  equal(true, ctx.now() - began < 2, "in time")
end)

it("tells a refused connection, certainly not sent", function(ctx)
  local answer, err = ctx.new({ base_url = "http://127.0.0.1:1", retries = 0 }):request("GET", "/elements/keys")
  equal(nil, answer)
  equal("connect", err.kind)
  equal("not_sent", err.outcome)
end)

it("sleeps between attempts without holding up the others", function(ctx)
  local ended, ticks, err = false, 0, nil
  ctx.parallel {
    function()
      local _, failed = ctx.client:request("GET", "/elements/keys", { headers = { ["Sandbox-Fault"] = "status=503" } })
      err, ended = failed, true
    end,
    function()
      while not ctx.blocks and not ended do
        ctx.sleep(0.01)
        ticks = ticks + 1
      end
    end,
  }
  equal("server", err.kind)
  equal(3, err.attempts)
  equal(true, ctx.blocks or ticks >= 3, "the other had its turn")
end)

it("creates an instance once, the others creating theirs", function(ctx)
  local jobs = {}
  for i = 1, 5 do
    jobs[i] = function()
      assert(create(ctx.client, "contract-" .. i))
    end
  end
  ctx.parallel(jobs)
  for i = 1, 5 do
    equal(1, count_named(ctx.client, "contract-" .. i))
  end
end)

it("tells that the outcome is unknown when the answer of a creation is lost", function(ctx)
  local made, err = create(ctx.client, "contract-lost", "hangup=after")
  equal(nil, made)
  equal("unknown", err.outcome)
  equal(1, count_named(ctx.client, "contract-lost"))
end)

it("walks through pages in a loop", function(ctx)
  local count = 0
  for each in ctx.client:instances { page_size = 2, limit = 7 } do
    equal("table", type(each))
    count = count + 1
  end
  equal(7, count)
end)

it("runs many at once by map(), beside other calls", function(ctx)
  local outcomes, summary
  local other = 0
  local began = ctx.now()
  ctx.parallel {
    function()
      outcomes, summary = ctx.client:map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function(i)
        local answer = assert(ctx.client:request("GET", "/elements/keys", late(0.2)))
        return { i = i, answer = answer }
      end, { concurrency = 4 })
    end,
    function()
      for _ = 1, 3 do
        assert(ctx.client:request("GET", "/elements/keys"))
        other = other + 1
      end
    end,
  }
  equal(8, summary.done)
  equal(0, summary.failed)
  for i = 1, 8 do
    equal(i, outcomes[i].result.i)
  end
  equal(3, other)
  equal(true, ctx.now() - began < 1.5, "side by side")
end)

it("runs a map() inside a map()", function(ctx)
  local outcomes = ctx.client:map({ 1, 2, 3 }, function()
    local _, summary = ctx.client:map({ 1, 2 }, function()
      return ctx.client:request("GET", "/elements/keys")
    end)
    return summary.done
  end)
  for i = 1, 3 do
    equal(2, outcomes[i].result)
  end
end)

it("loses no answer of a map() whose hook takes its time", function(ctx)
  if not ctx.blocks and _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
    return -- a hook cannot wait there
  end
  local heard = {}
  local outcomes, summary = ctx.client:map({ 1, 2, 3, 4 }, function()
    return ctx.client:request("GET", "/elements/keys", late(0.1))
  end, {
    concurrency = 4,
    on_result = function(index)
      heard[#heard + 1] = index
      if #heard == 1 then
        ctx.sleep(1.4)
      end
    end,
  })
  equal(0, summary.failed)
  equal(4, #heard)
  for i = 1, 4 do
    equal("hubspot", outcomes[i].result[1])
    equal(1, outcomes[i].info.attempts)
  end
end)

it("runs what is deferred, soon", function(ctx)
  local answer
  assert(ctx.client:defer(function()
    answer = ctx.client:request("GET", "/elements/keys")
  end))
  for _ = 1, 200 do
    if answer then
      break
    end
    ctx.sleep(0.01)
  end
  equal("table", type(answer))
end)

it("raises for a deferred thing that is no function", function(ctx)
  local fine, message = pcall(ctx.client.defer, ctx.client, "soon")
  equal(false, fine)
  equal(true, tostring(message):find("f has to be", 1, true) ~= nil, tostring(message))
end)

return M
