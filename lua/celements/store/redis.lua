--- A backend in Redis: resty.redis or redis-lua, over a cosocket in nginx and LuaSocket elsewhere.
-- Owns the names PREFIX .. "v:KEY" (values), "c:KEY" (claims) and "i", a sorted set of the
-- values' keys, which gives a list its order.  What reads and then writes is one script,
-- so that no other client is in between; time is the server's.
--
-- In nginx a connection belongs to the request that opened it, so each call takes one
-- from the worker's pool and gives it back.  Elsewhere there is one connection.

local fault = require "celements.store.fault"
local process = require "celements.process"

local POOL_MS, POOL_SIZE = 60000, 100
local IDLE = 10   -- seconds after which a connection is tried before something is written to it

local M = {
  KEY_NEEDED = true,
  OPTIONS = {
    key = "string or table", host = "string", port = "number", path = "string", username = "string", password = "string",
    db = "number", prefix = "string", timeout = "number", client = "table or function or userdata",
  },
}

local PUT = [[
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.call('ZADD', KEYS[2], 0, ARGV[3])
return 1]]

local DELETE = [[
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])]]

-- What has expired is in the index until somebody comes by.
local PAGE = [[
local keys = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local answer = { '' }
if #keys == tonumber(ARGV[3]) then
  answer[1] = keys[#keys]
end
for _, key in ipairs(keys) do
  if redis.call('EXISTS', ARGV[4] .. key) == 1 then
    answer[#answer + 1] = key
  else
    redis.call('ZREM', KEYS[1], key)
  end
end
return answer]]

local CLAIM = [[
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1]]

local RELEASE = [[
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])]]

-- ---- two dialects ---------------------------------------------------------------

-- Calls a client in either dialect: one raises what failed, the other returns it.
-- -> true, reply (nil for Redis's nil) | false, problem
local function call(client, null, command, ...)
  local method = client[command]
  local fine, reply, problem = pcall(method, client, ...)
  if not fine then
    return false, tostring(reply)
  elseif (reply == nil or reply == false) and problem ~= nil then
    return false, tostring(problem)
  elseif reply == null or reply == false then
    reply = nil
  end
  return true, reply
end

-- An answer of Redis itself, such as "NOAUTH Authentication required.", or nil when the
-- connection is what failed.
local function refusal(problem)
  return problem:match("redis error: (.*)$") or problem:match("^(%u%u[%u_]+ .*)$") or problem:match("^(%u%u[%u_]+)$")
end

local KINDS = {
  NOAUTH = "auth", WRONGPASS = "auth", NOPERM = "forbidden",
}

local HINTS = {
  NOAUTH = "give `password`, and `username` where Redis has users",
  WRONGPASS = "look at `username` and `password`",
  NOPERM = "the user of Redis needs GET, SET, DEL, EXISTS, EVAL, ZADD, ZREM and ZRANGEBYLEX on these keys",
  READONLY = "this is a replica: name the primary as `host`",
  OOM = "Redis has no memory left: raise maxmemory",
  MISCONF = "Redis cannot write to its disk: look at its log",
  LOADING = "Redis is starting: try again in a moment",
  PHASE = "nginx has connections only in rewrite, access, content and timers",
  MOVED = "this is a Redis Cluster, which needs a client of its own: hand one in as `client`",
}

-- ---- connections ------------------------------------------------------------------

local function nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.socket and ngx or nil
end

local function address_of(options)
  if options.path then
    return "unix:" .. options.path
  end
  return ("%s:%d"):format(options.host or "127.0.0.1", options.port or 6379)
end

-- Same pool, same user and database.
local function pool_name(options)
  local who = ("%s\0%s"):format(options.username or "", options.password or "")
  return ("celements:%s:%d:%s"):format(address_of(options), options.db or 0, require("celements.seal").hash(who))
end

local function no_driver(where)
  return nil, ("%s; install it, or hand in a `client`"):format(where), "config"
end

-- Each of the openers -> client, done(client, fine), fresh | nil, problem, kind

local function open_resty(resty, options, timeout)
  local client = resty:new()
  client:set_timeout(timeout * 1000)
  local target = options.path and "unix:" .. options.path or (options.host or "127.0.0.1")
  local done, problem
  if options.path then
    done, problem = client:connect(target, { pool = pool_name(options) })
  else
    done, problem = client:connect(target, options.port or 6379, { pool = pool_name(options) })
  end
  if not done then
    return nil, problem
  end
  return client, function(_, fine)
    if fine then
      client:set_keepalive(POOL_MS, POOL_SIZE)
    else
      client:close()
    end
  end, client:get_reused_times() == 0
end

local function open_cosocket(redis, ngx, options, timeout)
  local socket = ngx.socket.tcp()
  socket:settimeout(timeout * 1000)
  local done, problem
  if options.path then
    done, problem = socket:connect("unix:" .. options.path, { pool = pool_name(options) })
  else
    done, problem = socket:connect(options.host or "127.0.0.1", options.port or 6379, { pool = pool_name(options) })
  end
  if not done then
    return nil, problem
  end
  return redis.connect { socket = socket }, function(_, fine)
    if fine then
      socket:setkeepalive(POOL_MS, POOL_SIZE)
    else
      socket:close()
    end
  end, socket:getreusedtimes() == 0
end

local function luasocket_to(options)
  if not options.path then
    return require("socket").tcp()
  end
  local unix = require "socket.unix"
  return type(unix) == "table" and (unix.stream or unix.tcp)() or unix()
end

local function open_luasocket(redis, options, timeout)
  local socket = luasocket_to(options)
  socket:settimeout(timeout)
  local done, problem
  if options.path then
    done, problem = socket:connect(options.path)
  else
    done, problem = socket:connect(options.host or "127.0.0.1", options.port or 6379)
    if done then
      socket:setoption("tcp-nodelay", true)
    end
  end
  if not done then
    socket:close()
    return nil, problem
  end
  return redis.connect { socket = socket }, function(_, fine)
    if not fine then
      socket:close()
    end
  end, true
end

-- Debian's package has it for no Lua after 5.3: installing that would change nothing there.
local NO_REDIS_LUA = _VERSION == "Lua 5.4" and "there is no redis-lua (Debian's lua-redis is for Lua 5.1 to 5.3)"
  or "there is no redis-lua (Debian: lua-redis)"

local function open(options, timeout)
  local ngx = nginx()
  if ngx then
    local has_resty, resty = pcall(require, "resty.redis")
    if has_resty then
      return open_resty(resty, options, timeout)
    end
  end
  local has_redis, redis = pcall(require, "redis")
  if not has_redis then
    return no_driver(ngx and "there is neither resty.redis nor redis-lua" or NO_REDIS_LUA)
  elseif ngx then
    return open_cosocket(redis, ngx, options, timeout)
  elseif not pcall(require, "socket") then
    return no_driver "there is no LuaSocket (Debian: lua-socket)"
  end
  return open_luasocket(redis, options, timeout)
end

-- ---- the backend ----------------------------------------------------------------------

local function check(options, level)
  local function whole(name, from, to)
    local value = options[name]
    if value and not (value >= from and value <= to and value % 1 == 0) then
      error(("%s has to be a whole number from %d to %d"):format(name, from, to), level + 2)
    end
  end
  whole("port", 1, 65535)
  whole("db", 0, 1e6)
  if options.timeout and not (options.timeout > 0 and options.timeout <= 3600) then
    error("timeout has to be a number of seconds above 0", level + 1)
  elseif options.client and (options.host or options.path) then
    error("client: it has a connection already, so there is no `host` or `path`", level + 1)
  elseif options.path and options.host then
    error("path: a unix socket has no `host`", level + 1)
  end
end

--- For celements.store alone.
---@param options table  types checked
---@param level integer  as for error()
---@return table backend
function M.new(options, level)
  check(options, level + 1)
  local settings = {}
  for name, value in pairs(options) do
    settings[name] = value
  end
  settings.key = nil
  for _, name in ipairs { "port", "db" } do -- 6379.0 is whole as well, and nobody else knows
    settings[name] = settings[name] and tonumber(("%d"):format(settings[name]))
  end
  local timeout = settings.timeout or 5
  local prefix = settings.prefix or "celements:"
  local null = (rawget(_G, "ngx") or {}).null -- what resty.redis says for nothing
  local secrets = { settings.password }
  local backend = { name = settings.client and "Redis" or "Redis at " .. address_of(settings) }
  local index = prefix .. "i"
  local kept   -- the one connection of a script: { client, done, pid, used }

  -- `what`: a kind of error that is known already, or "phase".
  local function failed(problem, outcome, what)
    local refused = refusal(problem)
    local code = refused and refused:match("^%u+") or what == "phase" and "PHASE" or nil
    local kind = what
    if what == "phase" then
      kind = "config"
    elseif not what and refused then
      kind = KINDS[code] or "server"
    elseif not what then
      kind = problem:find("timeout", 1, true) and "timeout" or "network"
    end
    return fault.failed(backend.name, secrets, {
      kind = kind,
      because = refused or problem:gsub("^.-:%d+: ", ""),
      outcome = refused and "refused" or outcome,
      hint = code and HINTS[code] or not refused and kind ~= "config" and "see that it runs; the next call connects again" or nil,
    })
  end

  -- Says who we are on a connection that is new.  -> true | nil, error
  local function introduce(client)
    local fine, problem = true, nil
    if settings.password and settings.username then
      fine, problem = call(client, null, "auth", settings.username, settings.password)
    elseif settings.password then
      fine, problem = call(client, null, "auth", settings.password)
    end
    if fine and settings.db then
      fine, problem = call(client, null, "select", settings.db)
    end
    if not fine then
      return failed(problem, "not_sent")
    end
    return true
  end

  local function drop()
    if kept then
      kept.done(kept.client, false)
      kept = nil
    end
  end

  local function given()
    local client = settings.client
    if type(client) == "function" then
      local fine
      fine, client = pcall(client)
      if not fine or client == nil then
        return failed("the function `client` gives no client", "not_sent", "config")
      end
    end
    return { client = client, done = function() end, fresh = true }
  end

  -- A connection to use, or nil and why there is none.  One that is kept and was idle is
  -- tried first: a server closes what is idle for long, and a write is not repeated.
  local function take()
    if settings.client then
      return given()
    elseif kept and kept.pid ~= process.getpid() then
      kept = nil -- the parent goes on with it
    elseif kept and os.time() - kept.used > IDLE and not call(kept.client, null, "ping") then
      drop()
    end
    if kept then
      kept.fresh = false
      return kept
    end
    local opened, client, done, fresh = pcall(open, settings, timeout)
    if not opened then -- cosockets raise in a phase that has none
      return failed(tostring(client), "not_sent", nginx() and "phase" or "config")
    elseif not client then
      local problem, kind = done, fresh
      return failed(("no connection: %s"):format(problem), "not_sent",
        kind or (problem:find("timeout", 1, true) and "timeout") or "connect")
    end
    local connection = { client = client, done = done, fresh = fresh, pid = process.getpid() }
    if fresh then
      local fine, err = introduce(client)
      if not fine then
        done(client, false)
        return nil, err
      end
    end
    if not nginx() then
      kept = connection
    end
    return connection
  end

  -- One command.  `again`: it may be sent a second time when the answer is lost;
  -- "read": and it changes nothing.
  -- -> true, reply | nil, error
  local function command(again, ...)
    local connection, err = take()
    if not connection then
      return nil, err
    end
    local fine, reply = call(connection.client, null, ...)
    local usable = fine or refusal(reply) ~= nil
    if kept == connection and usable then
      kept.used = os.time()
    elseif kept == connection then
      drop()
    else
      connection.done(connection.client, usable)
    end
    if fine then
      return true, reply
    elseif again and not usable and not connection.fresh then
      return command(again, ...)
    end
    return failed(reply, again ~= "read" and "unknown" or nil)
  end

  -- What a script says, as a boolean.
  local function yes_or_no(again, ...)
    local fine, reply = command(again, "eval", ...)
    if not fine then
      return nil, reply
    end
    return tonumber(reply) == 1
  end

  function backend.put(key, text, ms)
    local fine, err = command(false, "eval", PUT, 2, prefix .. "v:" .. key, index, text, ms and ("%d"):format(ms) or "", key)
    if not fine then
      return nil, err
    end
    return true
  end

  function backend.get(key)
    local fine, reply = command("read", "get", prefix .. "v:" .. key)
    if not fine then
      return nil, reply
    end
    return reply
  end

  function backend.delete(key)
    return yes_or_no(false, DELETE, 2, prefix .. "v:" .. key, index, key)
  end

  function backend.page(start, after, limit)
    local from = start == "" and "-" or "[" .. start
    if after ~= "" and after >= start then
      from = "(" .. after
    end
    local upto = start == "" and "+" or "(" .. start .. "\127" -- behind all that a key can be made of
    local fine, reply = command("read", "eval", PAGE, 1, index, from, upto, ("%d"):format(limit), prefix .. "v:")
    if not fine then
      return nil, reply
    end
    local last = table.remove(reply, 1)
    return reply, last ~= "" and last or nil
  end

  function backend.claim(key, owner, ms, again)
    return yes_or_no(again, CLAIM, 1, prefix .. "c:" .. key, owner, ("%d"):format(ms))
  end

  function backend.release(key, owner)
    return yes_or_no(false, RELEASE, 1, prefix .. "c:" .. key, owner)
  end

  backend.close = drop

  return backend
end

return M
