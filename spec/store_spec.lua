--- Stores: one contract for all that can keep a token, on servers that are killed meanwhile.

local canary = require "spec.support.canary"
local contract = require "spec.support.store_contract"
local errors = require "celements.error"
local lfs = require "lfs"
local process = require "celements.process"
local raises = require "spec.support.raises"
local reader = require "spec.support.reader"
local stores = require "celements.store"

local KEY = "a key of the test, with more than 32 bytes"
local NEW_KEY = "a newer key of the test, with more than 32 bytes"
local CANARY = "CANARY-token-0123456789-abcdefghijklmnop"

-- Debian has no redis-lua for Lua 5.4; the copy for 5.3 is plain Lua and runs there.
if not pcall(require, "redis") and _VERSION == "Lua 5.4" then
  package.path = package.path .. ";/usr/share/lua/5.3/?.lua"
end

-- Each kind: start() -> server, or nil and why not; open(server, changes) -> store.
-- A server has kill(), start_again(), remove() and at_rest(), all bytes that it has written.

local function with(options, changes)
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return options
end

local function available(...)
  for _, name in ipairs { ... } do
    local fine, problem = pcall(require, name)
    if not fine then
      return nil, name .. ": " .. tostring(problem):match("^[^\n]*")
    end
  end
  return true
end

local function files_of(dir, condition)
  return (reader.output_of(("find %s -type f %s -exec cat {} +"):format(reader.quote(dir), condition or "")))
end

-- DBI.Do leaves its statement open, and SQLite the file with it.
local function change(connection, sql)
  local statement = assert(connection:prepare(sql))
  assert(statement:execute())
  statement:close()
end

-- LuaDBI loses the socket of each connection that cannot be made; these are not to be
-- taken for ours.
local function sockets()
  local found = {}
  for name in lfs.dir "/proc/self/fd" do
    local target = tonumber(name) and lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
    found[name] = target and target:find("^socket:") and target or nil
  end
  return found
end

local function close_leaked(before)
  for name, target in pairs(sockets()) do
    if before[name] ~= target then
      process.close(tonumber(name))
    end
  end
end

local KINDS = {}

function KINDS.SQLite()
  local fine, why = available("DBI", "dbd.sqlite3")
  if not fine then
    return nil, why
  end
  local dir = reader.directory()
  return {
    dir = dir,
    path = dir .. "/tokens.db",
    remove = function() reader.remove(dir) end,
    open = function(changes) return stores.sql(with({ path = dir .. "/tokens.db", key = KEY }, changes)) end,
    at_rest = function() return files_of(dir) end,
  }
end

function KINDS.PostgreSQL()
  local fine, why = available("DBI", "dbd.postgresql")
  if not fine then
    return nil, why
  end
  local server
  server, why = require("spec.support.postgres").start()
  if not server then
    return nil, why
  end
  server.open = function(changes) return stores.sql(with({ url = server.url, key = KEY }, changes)) end
  reader.write(server.dir .. "/started", "")
  server.at_rest = function()
    local connection = require("DBI").Connect("PostgreSQL", server.url)
    connection:autocommit(true)
    change(connection, "CHECKPOINT")   -- from its memory to its files
    connection:close()
    return files_of(server.dir .. "/data", "-newer " .. server.dir .. "/started")
  end
  return server
end

function KINDS.Redis()
  local fine, why = available("redis", "socket")
  if not fine then
    return nil, why
  end
  local server
  server, why = require("spec.support.redis").start()
  if not server then
    return nil, why
  end
  server.open = function(changes)
    return stores.redis(with({ port = server.port, password = server.password, key = KEY }, changes))
  end
  server.at_rest = function() return files_of(server.dir) end
  return server
end

-- Two processes at once; work(store, i) -> boolean.  -> how often each was true, by i
local function race(open, rounds, work)
  local file = os.tmpname()
  local pids = {}
  for child = 1, 2 do
    local pid = assert(process.fork())
    if pid == 0 then
      local fine, problem = pcall(function()
        local store = open()
        local out = assert(io.open(file .. child, "w"))
        store:get "connected"
        for i = 1, rounds do
          local won, err = work(store, i, child)
          assert(won ~= nil, err)
          out:write(won and "1" or "0")
        end
        out:close()
      end)
      if not fine then
        io.stderr:write(tostring(problem), "\n")
      end
      process.exit(fine and 0 or 1)
    end
    pids[child] = pid
  end
  local wins = {}
  for child, pid in ipairs(pids) do
    local ended, status = process.wait(pid, 60)
    assert.same({ true, 0 }, { ended, status })
    local line = reader.read(file .. child)
    os.remove(file .. child)
    for i = 1, rounds do
      wins[i] = (wins[i] or 0) + tonumber(line:sub(i, i))
    end
  end
  os.remove(file)
  return wins
end

describe("a store in memory", function()
  local plain, sealed = stores.memory(), stores.memory { key = KEY }
  for what, store in pairs { ["as it is"] = plain, sealed = sealed } do
    for _, each in ipairs(contract) do
      it(("(%s) %s"):format(what, each[1]), function()
        each[2](function() return store end, function(text) return text end)
      end)
    end
  end

  it("lets go of what has expired, also when nobody asks for it", function()
    local store = stores.memory()
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    for i = 1, 20000 do
      store:put("k" .. i, ("x"):rep(100) .. i, 0.001)
    end
    process.sleep(0.01)
    for i = 1, 1000 do
      store:put("k" .. i, 1, 0.001)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 3000)   -- 20,000 of them take 6,000
    assert.is_nil(store:get "k1")
  end)

  it("of nginx is not to be had elsewhere", function()
    assert.matches("no lua_shared_dict tokens; only nginx has such, elsewhere leave dict out", raises(function()
      local _ = stores.memory { dict = "tokens" }
    end), 1, true)
  end)
end)

for _, kind in ipairs { "SQLite", "PostgreSQL", "Redis" } do
  describe("a store in " .. kind, function()
    local server, why
    local opened, before = {}, nil

    local function open(changes)
      local store = server.open(changes)
      opened[#opened + 1] = store
      return store
    end

    setup(function()
      server, why = KINDS[kind]()
    end)

    before_each(function()
      before = sockets()
    end)

    after_each(function()
      for i = #opened, 1, -1 do
        opened[i]:close()
        opened[i] = nil
      end
      if kind == "PostgreSQL" then
        close_leaked(before)
      end
    end)

    teardown(function()
      if server then
        server.remove()
      end
      server = nil
    end)

    local function test(sentence, f)
      it(sentence, function()
        if not server then
          pending(why)
          return
        end
        f()
      end)
    end

    for i, each in ipairs(contract) do
      test(each[1], function()
        each[2](open, function(text) return i .. ":" .. text end)
      end)
    end

    test("shows nothing of a value or an owner to who reads what is kept", function()
      local store = open()
      store:put("at rest", { token = CANARY })
      store:claim("at rest", 100, CANARY)
      local bytes = server.at_rest()
      assert.truthy(bytes:find("at rest", 1, true))
      assert.same({}, canary.leaks(bytes, { token = CANARY, key = KEY }))
    end)

    test("opens values of the old key after a change of keys, and not without it", function()
      open():put("rotated", 1)
      local during = open { key = { NEW_KEY, KEY } }
      assert.equal(1, during:get "rotated")
      during:put("rotated", during:get "rotated")
      assert.equal(1, open { key = NEW_KEY }:get "rotated")
      local value, err = open():get "rotated"
      assert.is_nil(value)
      assert.same({ "decode", "unknown key" }, { err.kind, err.reason })
      assert.matches("key = { new, old }", tostring(err), 1, true)
    end)

    test("gives a claim of two processes that ask at once to one of them", function()
      local wins = race(server.open, 200, function(store, i)
        return store:claim("race" .. i, 100)
      end)
      for i = 1, 200 do
        assert.message("round " .. i).equal(1, wins[i])
      end
    end)

    test("gives an expired claim, too, to one of two who ask at once", function()
      local store = open()
      for i = 1, 50 do
        store:claim("stale" .. i, 0.001, "gone")
      end
      process.sleep(0.01)
      local wins = race(server.open, 50, function(each, i, child)
        return each:claim("stale" .. i, 100, "child " .. child)
      end)
      for i = 1, 50 do
        assert.message("round " .. i).equal(1, wins[i])
      end
    end)

    test("is used on both sides of a fork, each with a connection of its own", function()
      local store = open()
      store:put("fork", 0)
      local wins = race(function() return store end, 100, function(_, i, child)
        assert(store:put(("fork%d"):format(child), i))
        return store:get(("fork%d"):format(child)) == i
      end)
      for i = 1, 100 do
        assert.message("round " .. i).equal(2, wins[i])
      end
      assert.equal(0, store:get "fork")
      assert.equal(100, store:get "fork2")
    end)

    test("raises for who uses it after it was closed", function()
      local store = server.open()
      store:put("closed", 1)
      store:close()
      store:close()
      assert.matches("closed", raises(function()
        local _ = store:get "closed"
      end))
    end)

    test("does not end a list when it is closed, as if there were no more", function()
      local store = server.open()
      for i = 1, 3 do
        store:put("unfinished/" .. i, i)
      end
      local list = store:list("unfinished/", { page_size = 1 })
      assert.equal("unfinished/1", list:step())
      store:close()
      local key, err = list:step()
      assert.is_nil(key)
      assert.matches("closed", tostring(err))
    end)

    if kind ~= "SQLite" then
      -- LuaDBI loses memory with each connection that fails, and the sanitizers would say so.
      local tag = kind == "PostgreSQL" and " #slow" or ""

      test("that is killed is an error, and nothing is lost that it had acknowledged" .. tag, function()
        local store, other = open(), open()
        local kept = {}
        for i = 1, 50 do
          assert(store:put("survives/" .. i, { token = CANARY, n = i }))
          kept[#kept + 1] = "survives/" .. i
        end
        assert(store:claim("survives", 100, "me"))
        assert(other:get "survives/1")
        local listing = store:list("survives/", { page_size = 10 })
        listing:step()
        server.kill()

        local done, err = store:put("survives/x", 1)
        assert.is_nil(done)
        assert.is_true(errors.is(err))
        assert.same({ "network", "unknown" }, { err.kind, err.outcome })
        assert.matches(kind .. " at 127.0.0.1", tostring(err), 1, true)
        assert.matches("it may have been done", tostring(err), 1, true)
        for name, value in pairs {
          get = { store:get "survives/1" }, delete = { store:delete "survives/1" }, claim = { store:claim("survives", 1, "me") },
          release = { store:release("survives", "me") }, all = { store:list():all() },
        } do
          assert.message(name).is_nil(value[1])
          assert.message(name).equal("connect", value[2].kind)
          assert.message(name).equal("not_sent", value[2].outcome)
          assert.same({}, canary.leaks(canary.all_text(value[2]), { password = server.password, key = KEY, token = CANARY }))
        end
        local fine, raised = pcall(function()
          for _ in listing do
            process.getpid()
          end
        end)
        assert.is_false(fine)
        assert.is_true(errors.is(raised))
        assert.is_nil((listing:step()))

        server.start_again()
        assert.same({ token = CANARY, n = 1 }, other:get "survives/1")   -- it has not noticed, and repeats
        process.sleep(kind == "PostgreSQL" and 0.6 or 0)   -- not tried again at once where LuaDBI is in between
        table.sort(kept)
        assert.same(kept, store:list("survives/", { page_size = 7 }):all())
        for i = 1, 50 do
          assert.equal(i, store:get("survives/" .. i).n)
        end
        assert.is_false(store:claim("survives", 100, "you"))
        assert.is_true(store:release("survives", "me"))
        assert.is_true(store:put("survives/x", 1))
      end)

      test("repeats by itself what a restart interrupts and what does no harm twice", function()
        local store = open()
        store:put("restart", 1)
        store:claim("restart", 100, "me")
        server.kill()
        server.start_again()
        assert.equal(1, store:get "restart")
        server.kill()
        server.start_again()
        assert.is_true(store:claim("restart", 100, "me"))
        server.kill()
        server.start_again()
        assert.same({ "restart" }, store:list("restart"):all())
      end)

      test("looks whether a connection that was idle is still there before it writes", function()
        local store = open()
        store:put("idle", 1)
        server.kill()
        server.start_again()
        local time = os.time
        rawset(os, "time", function(...) return time(...) + 60 end)
        local fine, done = pcall(store.put, store, "idle", 2)
        rawset(os, "time", time)
        assert.is_true(fine and done)
        assert.equal(2, store:get "idle")
      end)

      test("that refuses the password says so, without it" .. tag, function()
        local changes = { password = kind == "Redis" and "wrong-" .. CANARY or nil }
        if kind == "PostgreSQL" then
          changes.url = server.url:gsub(":[^:@]*@", ":wrong-" .. CANARY .. "@")
        end
        local value, err = open(changes):get "a"
        assert.is_nil(value)
        assert.equal(kind == "Redis" and "auth" or "connect", err.kind)
        assert.matches("password", err.hint, 1, true)
        assert.same({}, canary.leaks(canary.all_text(err), { password = CANARY }))
        assert.same({}, canary.leaks(tostring(open(changes)), { password = CANARY }))
      end)
    end

    if kind == "SQLite" then
      test("makes a file that nobody else can read, and refuses one that others can", function()
        local path = server.dir .. "/own.db"
        local store = open { path = path }
        assert(store:put("a", 1))
        assert.equal("600\n", (reader.output_of("stat -c %a " .. path)))
        os.execute("chmod 644 " .. path)
        local value, err = open { path = path }:get "a"
        assert.is_nil(value)
        assert.equal("config", err.kind)
        assert.matches("mode 644", err.message, 1, true)
        assert.matches("chmod 600", err.hint, 1, true)
        value, err = open { path = server.dir .. "/no/such.db" }:get "a"
        assert.is_nil(value)
        assert.equal("connect", err.kind)
      end)

      test("is killed in the middle of writing, and has what it had acknowledged", function()
        local pid = assert(process.fork())
        local acknowledged = server.dir .. "/acknowledged"
        if pid == 0 then
          pcall(function()
            local store, out = server.open(), assert(io.open(acknowledged, "w"))
            out:setvbuf "no"
            for i = 1, 1e6 do
              assert(store:put("killed/" .. i, i))
              out:write(i, "\n")
            end
          end)
          process.exit(1)
        end
        process.sleep(0.3)
        process.kill(pid, "KILL")
        process.wait(pid, 5)
        local store, n = open(), 0
        for line in io.lines(acknowledged) do
          n = n + 1
          assert.equal(tonumber(line), store:get("killed/" .. line))
        end
        assert.is_true(n > 0)
      end)

      test("takes a timeout of any fraction", function()
        local store = open { timeout = 1.001 }
        assert.is_true(store:put("fraction", 1))
      end)

      test("that somebody else holds for long is an error, and then it is not", function()
        local connection = require("DBI").Connect("SQLite3", server.path)
        connection:autocommit(true)
        local store = open { timeout = 0.05 }
        store:put("held", 1)
        change(connection, "BEGIN EXCLUSIVE")
        local done, err = store:put("held", 2)
        assert.is_nil(done)
        assert.equal("timeout", err.kind)
        change(connection, "COMMIT")
        assert.equal(1, store:get "held")
        assert.is_true(store:put("held", 2))
        connection:close()
      end)

      test("whose rows were swapped gives neither of them", function()
        local store = open()
        store:put("swapped/a", "of a")
        store:put("swapped/b", "of b")
        local connection = require("DBI").Connect("SQLite3", server.path)
        connection:autocommit(true)
        change(connection, "UPDATE celements_values SET v = (SELECT v FROM celements_values WHERE k = 'swapped/b') "
          .. "WHERE k = 'swapped/a'")
        connection:close()
        local value, err = store:get "swapped/a"
        assert.is_nil(value)
        assert.same({ "decode", "forged" }, { err.kind, err.reason })
        assert.equal("of b", store:get "swapped/b")
      end)
    end

    if kind == "Redis" then
      test("is reached over its unix socket, in another database, under another prefix", function()
        local store = stores.redis { path = server.socket, password = server.password, db = 2, prefix = "{x}", key = KEY }
        assert.is_true(store:put("elsewhere", 1))
        assert.same({ "elsewhere" }, store:list():all())
        assert.is_nil(open():get "elsewhere")
        store:close()
      end)

      test("takes a port and a database as a settings file gives them", function()
        local store = open { port = server.port * 1.0, db = 6 / 2 }
        assert.is_true(store:put("reckoned", 1))
        store:close()
      end)

      -- As resty.redis speaks: nil and ngx.null apart, and nothing raises.
      local function resty_client()
        local redis = require "redis"
        local client = redis.connect { host = "127.0.0.1", port = server.port }
        client:auth(server.password)
        local null = {}
        local other = { null = null, closed = function() client.network.socket:close() end }
        for _, name in ipairs { "get", "eval" } do
          other[name] = function(_, ...)
            local fine, reply = pcall(client[name], client, ...)
            if not fine then
              local refusal = reply:match("redis error: (.*)")
              if refusal then
                return false, refusal
              end
              return nil, "closed"
            end
            return reply == nil and null or reply
          end
        end
        return other, null
      end

      test("takes a client of either kind, or what gives one", function()
        local redis = require "redis"
        local own = redis.connect { host = "127.0.0.1", port = server.port }
        own:auth(server.password)
        local resty, null = resty_client()
        rawset(_G, "ngx", { null = null })   -- where resty.redis is, there is ngx
        for _, client in ipairs { own, resty, function() return own end } do
          local store = stores.redis { client = client, key = KEY }
          for i, each in ipairs(contract) do
            if not each[1]:find("time is up", 1, true) and not each[1]:find("extends", 1, true) then
              each[2](function() return store end, function(text) return ("client %s %d:%s"):format(tostring(client), i, text) end)
            end
          end
          store:close()
        end
        rawset(_G, "ngx", nil)
        own.network.socket:close()
        local _, err = open { client = own }:get "a"
        assert.equal("network", err.kind)
        resty.closed()
        _, err = open { client = resty }:put("a", 1)
        assert.same({ "network", "unknown" }, { err.kind, err.outcome })
      end)
    end
  end)
end

describe("a store", function()
  local store = stores.memory()

  it("does not end a list when it is closed, as if there were no more", function()
    local closed = stores.memory()
    closed:put("a", 1)
    closed:put("b", 2)
    local list = closed:list("", { page_size = 1 })
    assert.equal("a", list:step())
    closed:close()
    local fine, problem = pcall(list)
    assert.is_false(fine)
    assert.matches("closed", tostring(problem))
  end)

  it("blames who calls it with what it cannot take", function()
    for _, key in ipairs { "", ("x"):rep(256), "a\0b", "a\n", "\195\164", 12, {}, false } do
      raises(function() local _ = store:get(key) end)
      raises(function() local _ = store:put(key, 1) end)
      raises(function() local _ = store:delete(key) end)
      raises(function() local _ = store:claim(key, 1) end)
      raises(function() local _ = store:release(key, "me") end)
      if key ~= "" then
        raises(function() local _ = store:list(key) end)
      end
    end
    for _, ttl in ipairs { 0, -1, 0 / 0, 1 / 0, "1", {}, false } do
      raises(function() local _ = store:put("a", 1, ttl) end)
      raises(function() local _ = store:claim("a", ttl) end)
    end
    raises(function() local _ = store:claim "a" end)
    raises(function() local _ = store:put "a" end)
    raises(function() local _ = store:release "a" end)
    raises(function() local _ = store:claim("a", 1, "") end)
    raises(function() local _ = store:claim("a", 1, 12) end)
    raises(function() local _ = store.get("a") end)
    for _, options in ipairs { { page_size = 0 }, { page_size = 1001 }, { page_size = "1" }, { limit = 0 }, { limit = 1.5 },
      { page = "" }, { pagesize = 1 }, 12 } do
      raises(function() local _ = store:list("a", options) end)
    end
  end)

  it("says how a key of enough bytes is made", function()
    assert.matches("at least 32 bytes, such as `openssl rand -base64 32` prints", raises(function()
      local _ = stores.sql { key = "short", path = "x" }
    end), 1, true)
  end)

  it("does not send to a package that this Lua finds nothing in", function()
    local unreachable = stores.redis { key = KEY, port = 1 }
    local path, loaded = package.path, package.loaded.redis
    package.path, package.loaded.redis = "", nil
    local _, err = unreachable:get "a"
    package.path, package.loaded.redis = path, loaded
    local which = _VERSION == "Lua 5.4" and "(Debian's lua-redis is for Lua 5.1 to 5.3)" or "(Debian: lua-redis)"
    assert.matches("there is no redis-lua " .. which, err.message, 1, true)
  end)

  it("blames who makes it out of what it cannot be made of, and quotes no secret", function()
    local url = "postgresql://u:" .. CANARY .. "@host/db"
    for _, make in ipairs {
      function() local _ = stores.sql { path = "x" } end,
      function() local _ = stores.sql { key = KEY } end,
      function() local _ = stores.sql { key = KEY, path = "x", url = url } end,
      function() local _ = stores.sql { key = "short-" .. CANARY:sub(1, 20), path = "x" } end,
      function() local _ = stores.sql { key = KEY, path = ":memory:" } end,
      function() local _ = stores.sql { key = KEY, path = "" } end,
      function() local _ = stores.sql { key = KEY, url = "mysql" .. url } end,
      function() local _ = stores.sql { key = KEY, path = "x", table = "x; DROP" } end,
      function() local _ = stores.sql { key = KEY, path = "x", tabel = "x" } end,
      function() local _ = stores.sql { key = KEY, path = 12 } end,
      function() local _ = stores.sql() end,
      function() local _ = stores.redis() end,
      function() local _ = stores.redis {} end,
      function() local _ = stores.redis { key = KEY, port = 0 } end,
      function() local _ = stores.redis { key = KEY, db = -1 } end,
      function() local _ = stores.redis { key = KEY, timeout = 0 } end,
      function() local _ = stores.redis { key = KEY, host = "h", path = "p" } end,
      function() local _ = stores.redis { key = KEY, passwd = CANARY } end,
      function() local _ = stores.memory { key = KEY, ttl = 1 } end,
      function() local _ = stores.memory(12) end,
    } do
      local message = raises(make)
      assert.is_nil(message:find("CANARY", 1, true), message)
    end
  end)

  it("takes the password out of what a driver says", function()
    for _, client in ipairs {
      { get = function() return nil, "cannot use " .. CANARY end },
      { get = function() error("cannot use " .. CANARY) end },
    } do
      local _, err = stores.redis { key = KEY, client = client, password = CANARY }:get "a"
      assert.matches("cannot use", err.message, 1, true)
      assert.same({}, canary.leaks(canary.all_text(err), { password = CANARY }))
    end
  end)

  it("shows where values are and nothing else", function()
    local sql = stores.sql { key = KEY, url = "postgresql://u:" .. CANARY .. "@db.example:5433/app?password=" .. CANARY }
    assert.equal("celements.Store (PostgreSQL at db.example:5433)", tostring(sql))
    assert.is_nil(next(sql))
    assert.is_string(getmetatable(sql))
    assert.equal("celements.Store (the memory of this process)", tostring(stores.memory()))
    sql:close()
  end)
end)
