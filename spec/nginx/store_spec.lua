--- Stores inside nginx: the same contract, workers that share, and nobody who is held up.

local daemon = require "spec.support.daemon"
local process = require "celements.process"
local reader = require "spec.support.reader"
local socket = require "socket"

local KEY = "a key of the test, with more than 32 bytes"

local CONFIG = [[
load_module ${modules}/ndk_http_module.so;
load_module ${modules}/ngx_http_lua_module.so;
${user}
worker_processes 2;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  lua_package_path "${root}/lua/?.lua;${root}/?.lua;;";
  lua_package_cpath "${root}/build/luajit/?.so;;";
  lua_shared_dict tokens 4m;
  lua_shared_dict small 16k;
  lua_socket_log_errors off;
  lua_http10_buffering off;
  init_by_lua_block {
    local stores, key = require "celements.store", "${key}"
    kinds = {
      dict = stores.memory { dict = "tokens", key = key },
      small = stores.memory { dict = "small" },
      SQLite = stores.sql { path = "${dir}/tokens.db", key = key },
      PostgreSQL = "${postgres}" ~= "" and stores.sql { url = "${postgres}", key = key } or nil,
      Redis = "${redis}" ~= "" and stores.redis { port = tonumber("${redis}"), password = "${password}", key = key } or nil,
    }
    in_init = ""
    for _, name in ipairs { "dict", "PostgreSQL", "SQLite", "Redis" } do
      local done, err = kinds[name]:put("init", 1)
      in_init = ("%s%s %s\n"):format(in_init, name, tostring(done or err))
    end
  }
  server {
    listen 127.0.0.1:${port} reuseport;
    location = /contract { content_by_lua_block {
      local count, kind = 0, ngx.var.arg_kind
      for i, each in ipairs(require "spec.support.store_contract") do
        local fine, problem = pcall(each[2], function() return kinds[kind] end, function(text) return i .. ":" .. text end)
        if not fine then
          ngx.say(each[1], ": ", tostring(problem))
        end
        count = count + 1
      end
      ngx.say("all ", count)
    } }
    location = /race { content_by_lua_block {
      local wins = {}
      for i = 1, 200 do
        local won, err = kinds[ngx.var.arg_kind]:claim("race" .. i, 100)
        wins[i] = won and "1" or won == false and "0" or tostring(err)
        ngx.sleep(0)
      end
      ngx.print(wins)
    } }
    location = /get { content_by_lua_block {
      local value, err = kinds[ngx.var.arg_kind]:get("shared")
      ngx.print(tostring(value), " ", tostring(err))
    } }
    location = /put { content_by_lua_block {
      local done, err = kinds[ngx.var.arg_kind]:put("shared", ngx.var.arg_value)
      ngx.print(tostring(done), " ", tostring(err))
    } }
    location = /fill { content_by_lua_block {
      for i = 1, 1000 do
        local done, err = kinds.small:put("key" .. i, ("x"):rep(500))
        if not done then
          ngx.print(kinds.small:get "key1" == ("x"):rep(500) and "kept " or "lost ", tostring(err))
          return
        end
      end
    } }
    location = /missing { content_by_lua_block {
      ngx.print(tostring(select(2, pcall(require("celements.store").memory, { dict = "nowhere" }))))
    } }
    location = /init { content_by_lua_block { ngx.print(in_init) } }
    location = /filter {
      header_filter_by_lua_block {
        local value, err = kinds.Redis:get "a"
        ngx.ctx.err = tostring(err)
      }
      content_by_lua_block { ngx.say "" ngx.flush(true) ngx.print(ngx.ctx.err) }
    }
    location = /ping { return 200 "pong"; }
  }
}
]]

describe("a store in nginx", function()
  local dir, nginx, redis, postgres, port

  -- Sends a request, to be answered when it likes.
  local function send(target)
    local connection = assert(socket.connect("127.0.0.1", port))
    connection:settimeout(30)
    connection:send(("GET %s HTTP/1.0\r\n\r\n"):format(target))
    return connection
  end

  local function answer(connection)
    local text = connection:receive "*a" or ""
    connection:close()
    return (text:gsub("^.-\r\n\r\n", ""))
  end

  local function ask(target)
    return answer(send(target))
  end

  setup(function()
    dir, port = reader.directory(), daemon.free_port()
    redis = assert(require("spec.support.redis").start())
    postgres = assert(require("spec.support.postgres").start())
    local program = "env PATH=$PATH:/usr/sbin nginx"
    local values = {
      dir = dir, port = port, key = KEY, redis = tostring(redis.port), password = redis.password, postgres = postgres.url,
      root = reader.output_of("pwd"):gsub("\n", ""),
      modules = reader.output_of(program .. " -V 2>&1"):match("%-%-modules%-path=(%S+)"),
      user = reader.output_of("id -u") == "0\n" and "user root;" or "",
    }
    reader.write(dir .. "/nginx.conf", (CONFIG:gsub("%${(%w+)}", values)))
    local command = ("-u LUA_PATH -u LUA_CPATH PATH=$PATH:/usr/sbin nginx -p %s/ -c nginx.conf -e stderr -g 'daemon off;'"):format(dir)
    local problem
    nginx, problem = daemon.start { command = command, dir = dir, ready = "start worker process", signal = "TERM" }
    assert(nginx, problem)
  end)

  teardown(function()
    nginx.stop()
    postgres.remove()
    redis.remove()
    reader.remove(dir)
  end)

  for _, kind in ipairs { "dict", "SQLite", "PostgreSQL", "Redis" } do
    it("does all that a store does: " .. kind, function()
      local count = #require "spec.support.store_contract"
      assert.equal(("all %d\n"):format(count), ask("/contract?kind=" .. kind))
    end)

    it("gives a claim to one of eight requests to two workers: " .. kind, function()
      local connections, wins = {}, {}
      for i = 1, 8 do
        connections[i] = send("/race?kind=" .. kind)
      end
      for _, connection in ipairs(connections) do
        local text = answer(connection)
        assert.matches("^[01]+$", text)
        for i = 1, 200 do
          wins[i] = (wins[i] or 0) + tonumber(text:sub(i, i))
        end
      end
      for i = 1, 200 do
        assert.message("round " .. i).equal(1, wins[i])
      end
    end)

    it("shows each worker what the other has put: " .. kind, function()
      for value = 1, 10 do
        assert.equal("true nil", ask(("/put?kind=%s&value=%d"):format(kind, value)))
        assert.equal(value .. " nil", ask("/get?kind=" .. kind))
      end
    end)
  end

  it("that waits for Redis holds up nobody else", function()
    ask "/put?kind=Redis&value=late"
    process.kill(redis.pid, "STOP")
    local waiting = {}
    for i = 1, 20 do
      waiting[i] = send "/get?kind=Redis"
    end
    process.sleep(0.1)
    local began = socket.gettime()
    for _ = 1, 20 do
      assert.equal("pong", ask "/ping")
    end
    local took = socket.gettime() - began
    process.kill(redis.pid, "CONT")
    for i = 1, 20 do
      assert.equal("late nil", answer(waiting[i]))
    end
    assert.is_true(took < 2, took)
  end)

  it("gets over a Redis that was killed and started again", function()
    ask "/put?kind=Redis&value=kept"
    redis.kill()
    assert.matches("^nil connect: Redis at 127.0.0.1", ask "/get?kind=Redis")
    redis.start_again()
    for _ = 1, 5 do
      assert.equal("kept nil", ask "/get?kind=Redis")
    end
  end)

  it("throws nothing out of a full dict, and says that it is full", function()
    local text = ask "/fill"
    assert.matches("^kept server: ", text)
    assert.matches("make it larger", text, 1, true)
  end)

  it("can be used before there are workers, but for Redis, which says so", function()
    local text = ask "/init"
    assert.matches("^dict true\nPostgreSQL true\nSQLite true\nRedis config: ", text)
    assert.matches("only in rewrite, access, content and timers", text, 1, true)
  end)

  it("says which dict is not there, and where nginx has no connections", function()
    assert.matches("no lua_shared_dict nowhere", ask "/missing", 1, true)
    assert.matches("config: Redis at 127.0.0.1.*header_filter.*only in rewrite, access, content and timers", ask "/filter")
  end)
end)
