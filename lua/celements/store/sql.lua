--- A backend in an SQL database through LuaDBI: an SQLite file, or PostgreSQL.
-- Owns two tables, NAME_values and NAME_claims.  Prepared statements only; what reads and
-- then writes is one statement, and time is the database's.  LuaDBI waits in C: nothing
-- else runs in this thread meanwhile, in an nginx worker either.

local core = require "celements.core"
local fault = require "celements.store.fault"
local process = require "celements.process"

local SWEEP_EVERY = 100   -- writes after which what has expired is taken away
local IDLE = 10           -- seconds after which a connection is tried before something is written to it

-- Seconds before connecting is tried again after it failed, twice as long each time.  A
-- try holds everybody up, and LuaDBI 0.7 leaks the socket of each that fails.
local PAUSE, PAUSE_MAX = 0.25, 30

local M = {
  KEY_NEEDED = true,
  OPTIONS = { key = "string or table", path = "string", url = "string", table = "string", timeout = "number" },
}

-- LuaDBI cuts a text at a NUL byte; what we give it is sealed text, keys and numbers, all
-- of them printable.
local SQL = {
  put = [[INSERT INTO $values (k, v, ends) VALUES (?, ?, $now + CAST(? AS BIGINT))
    ON CONFLICT (k) DO UPDATE SET v = excluded.v, ends = excluded.ends]],
  put_for_good = [[INSERT INTO $values (k, v, ends) VALUES (?, ?, NULL)
    ON CONFLICT (k) DO UPDATE SET v = excluded.v, ends = NULL]],
  get = "SELECT v FROM $values WHERE k = ? AND (ends IS NULL OR ends > $now)",
  delete = "DELETE FROM $values WHERE k = ? AND (ends IS NULL OR ends > $now)",
  page = [[SELECT k FROM $values WHERE k > ? AND k >= ? AND k < ? AND (ends IS NULL OR ends > $now)
    ORDER BY k LIMIT CAST(? AS BIGINT)]],
  claim = [[INSERT INTO $claims (k, owner, ends) VALUES (?, ?, $now + CAST(? AS BIGINT))
    ON CONFLICT (k) DO UPDATE SET owner = excluded.owner, ends = excluded.ends
    WHERE $claims.ends <= $now OR $claims.owner = excluded.owner]],
  release = "DELETE FROM $claims WHERE k = ? AND owner = ? AND ends > $now",
  sweep_values = "DELETE FROM $values WHERE ends <= $now",
  sweep_claims = "DELETE FROM $claims WHERE ends <= $now",
}

local READS = { get = true, page = true }

local SCHEMA = {
  "CREATE TABLE IF NOT EXISTS $values (k $text NOT NULL PRIMARY KEY, v TEXT NOT NULL, ends BIGINT)",
  "CREATE INDEX IF NOT EXISTS $values_ends ON $values (ends)",
  "CREATE TABLE IF NOT EXISTS $claims (k $text NOT NULL PRIMARY KEY, owner TEXT NOT NULL, ends BIGINT NOT NULL)",
  "CREATE INDEX IF NOT EXISTS $claims_ends ON $claims (ends)",
}

-- Milliseconds since 1970, and text that is compared byte by byte.
local DIALECTS = {
  sqlite = { now = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)", text = "TEXT" },
  postgresql = { now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)", text = 'TEXT COLLATE "C"' },
}

-- A connection of a process that forked is for that process to close.
local inherited = {}

local function statement_for(sql, name, dialect)
  return (sql:gsub("%$(%l+)", {
    values = name .. "_values", claims = name .. "_claims", now = dialect.now, text = dialect.text,
  }))
end

-- ---- connecting -------------------------------------------------------------------------

-- Where PostgreSQL is, for people, and what of the URL is nobody's business.
local function parts_of(url)
  local rest = url:match("^postgres://(.+)$") or url:match("^postgresql://(.+)$")
  if not rest or url:find("[%c ]") then
    return nil
  end
  local authority = rest:match("^[^/?]*")
  local user, place = authority:match("^(.*)@(.*)$")
  local password = (user or ""):match(":(.*)$") or rest:match("[?&]password=([^&]*)")
  place = place or authority
  local secrets = { url }
  if password and password ~= "" then
    secrets[2] = password
    secrets[3] = password:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  return { place = place ~= "" and place or rest:match("[?&]host=([^&]*)") or "its socket", secrets = secrets }
end

-- The URL with limits for a server that does not answer, where it has none of its own.
local function with_limits(url, seconds)
  local limits = {
    connect_timeout = math.max(2, math.ceil(seconds)), -- libpq takes less than two for two
    tcp_user_timeout = math.ceil(seconds * 1000),
    application_name = "celements",
  }
  for _, name in ipairs { "connect_timeout", "tcp_user_timeout", "application_name" } do
    if not url:find("[?&]" .. name .. "=") then
      url = ("%s%s%s=%s"):format(url, url:find("?", 1, true) and "&" or "?", name, limits[name])
    end
  end
  return url
end

local function run(connection, sql, ...)
  local statement, problem = connection:prepare(sql)
  if not statement then
    return nil, problem
  end
  local done
  done, problem = statement:execute(...)
  local fine, row = done, done
  while fine and row do -- what a PRAGMA answers; PostgreSQL raises where there are no rows
    fine, row = pcall(statement.fetch, statement, false)
  end
  statement:close()
  return done or nil, problem
end

-- ---- the backend ------------------------------------------------------------------------

local function check(options, level)
  if (options.path == nil) == (options.url == nil) then
    error("give `path`, an SQLite file, or `url`, postgresql://user:password@host:port/database, and one of them only",
      level + 1)
  elseif options.path and (options.path == "" or options.path:find("%z") or options.path == ":memory:") then
    error("path has to be the name of a file; celements.store.memory keeps values in memory", level + 1)
  elseif options.url and not parts_of(options.url) then
    error("url has to look like postgresql://user:password@host:port/database", level + 1)
  elseif options.table and not options.table:find("^[%l_][%l%d_]*$") or #(options.table or "") > 40 then
    error("table has to be 1 to 40 of a-z 0-9 _, and begin with a letter", level + 1)
  elseif options.timeout and not (options.timeout > 0 and options.timeout <= 3600) then
    error("timeout has to be a number of seconds above 0", level + 1)
  end
end

-- Opens the file, private, and gives the connection | nil, error.
local function open_sqlite(dbi, settings, failed)
  local private, permissions = process.private_file(settings.path)
  if private == nil then
    return failed { kind = "connect", because = permissions, outcome = "not_sent", hint = "see that its directory can be written" }
  elseif not private then
    return failed {
      kind = "config",
      because = ("others than its owner can read or write it (mode %03o)"):format(permissions),
      outcome = "not_sent",
      hint = "chmod 600 it, or name another file",
    }
  end
  -- Neither a URI nor one of SQLite's own names.
  local path = settings.path:find("^/") and settings.path or "./" .. settings.path
  local connection, problem = dbi.Connect("SQLite3", path)
  if not connection then
    return failed { kind = "connect", because = problem, outcome = "not_sent" }
  end
  connection:autocommit(true)
  run(connection, ("PRAGMA busy_timeout = %d"):format(math.ceil(settings.timeout * 1000)))
  run(connection, "PRAGMA synchronous = FULL")
  return connection
end

local function open_postgresql(dbi, settings, failed)
  local connection, problem = dbi.Connect("PostgreSQL", with_limits(settings.url, settings.timeout))
  if not connection then
    return failed {
      kind = "connect",
      because = problem:gsub("^Failed to connect to database: ", ""),
      outcome = "not_sent",
      hint = "see that it runs, and that user, password and database of `url` are right",
    }
  end
  connection:autocommit(true)
  run(connection, "SET client_min_messages = warning") -- libpq writes notices to stderr
  run(connection, ("SET statement_timeout = %d"):format(math.ceil(settings.timeout * 1000)))
  return connection
end

local function load_driver(name, package, failed)
  local fine, dbi = pcall(require, "DBI")
  local driver = fine and pcall(require, name)
  if not driver then
    return failed { kind = "config", because = "there is no LuaDBI for it", outcome = "not_sent", hint = "Debian: " .. package }
  end
  return dbi
end

--- For celements.store alone.
---@param options table  types checked
---@param level integer  as for error()
---@return table backend
function M.new(options, level)
  check(options, level + 1)
  local settings = { path = options.path, url = options.url, timeout = options.timeout or 5 }
  local is_sqlite = settings.path ~= nil
  local dialect = is_sqlite and DIALECTS.sqlite or DIALECTS.postgresql
  local parts = is_sqlite and { place = settings.path, secrets = {} } or parts_of(settings.url)
  local backend = { name = (is_sqlite and "SQLite file " or "PostgreSQL at ") .. parts.place }
  local prefix = options.table or "celements"
  local texts = {}
  for name, sql in pairs(SQL) do
    texts[name] = statement_for(sql, prefix, dialect)
  end
  local writes = 0
  local session   -- { connection, statements by name, pid, used }
  local pause, try_at = PAUSE, nil

  local function failed(fields)
    return fault.failed(backend.name, parts.secrets, fields)
  end

  local function drop()
    local old = session
    session = nil
    if old then
      for _, statement in pairs(old.statements) do
        pcall(statement.close, statement)
      end
      pcall(old.connection.close, old.connection)
    end
  end

  local function make_tables(connection)
    for _, sql in ipairs(SCHEMA) do
      sql = statement_for(sql, prefix, dialect)
      local done, problem = run(connection, sql)
      if not done then -- two that make a table at once can get in each other's way in PostgreSQL
        done, problem = run(connection, sql)
      end
      if not done then
        return nil, problem
      end
    end
    return true
  end

  -- LuaDBI's own ping() takes a connection for alive until something was sent over it.
  local function answers(connection)
    local fine, done = pcall(run, connection, "SELECT 1")
    return fine and done
  end

  -- A session to use, and whether it is new | nil, error.
  local function take()
    if session and session.pid ~= process.getpid() then
      inherited[#inherited + 1] = session
      session = nil
    elseif session and os.time() - session.used > IDLE and not is_sqlite and not answers(session.connection) then
      drop()
    end
    if session then
      return session, false
    end
    if try_at and core.engine.clock() < try_at then
      return failed {
        kind = "connect", because = "no connection a moment ago", outcome = "not_sent",
        hint = "see that it runs; it is tried again in some seconds",
      }
    end
    local dbi, err = load_driver(is_sqlite and "dbd.sqlite3" or "dbd.postgresql",
      is_sqlite and "lua-dbi-sqlite3" or "lua-dbi-postgresql", failed)
    if not dbi then
      return nil, err
    end
    local connection
    connection, err = (is_sqlite and open_sqlite or open_postgresql)(dbi, settings, failed)
    if not connection then
      if not is_sqlite then
        try_at, pause = core.engine.clock() + pause, math.min(pause * 2, PAUSE_MAX)
      end
      return nil, err
    end
    try_at, pause = nil, PAUSE
    session = { connection = connection, statements = {}, pid = process.getpid() }
    local done, problem = make_tables(connection)
    if not done then
      drop()
      return failed { kind = "server", because = problem, outcome = "not_sent" }
    end
    return session, true
  end

  -- -> the rows, each its first column, and how many were changed | nil, problem
  local function execute(name, ...)
    local statement, problem = session.statements[name]
    if not statement then
      statement, problem = session.connection:prepare(texts[name])
      if not statement then
        return nil, problem
      end
      session.statements[name] = statement
    end
    local done
    done, problem = statement:execute(...)
    if not done then
      return nil, problem or "no reason is given"
    end
    local rows = {}
    if READS[name] then
      local row
      row, problem = statement:fetch(false)
      while row do -- to the end: SQLite holds the file until then
        rows[#rows + 1] = row[1]
        row, problem = statement:fetch(false)
      end
      if problem then
        return nil, problem
      end
      return rows, 0
    end
    return rows, statement:affected()
  end

  local function is_lost()
    if is_sqlite then
      return false
    end
    local fine, alive = pcall(session.connection.ping, session.connection)
    return not (fine and alive)
  end

  -- `again`: it may be done a second time when the answer is lost.
  local function command(again, name, ...)
    local current, is_new = take()
    if not current then
      return nil, is_new
    end
    local fine, rows, changed = pcall(execute, name, ...)
    if fine and rows then
      current.used = os.time()
      return rows, changed
    end
    local problem = tostring(fine and changed or rows)
    local lost = is_lost()
    drop()
    if lost and again and not is_new then
      return command(false, name, ...)
    elseif lost then
      return failed {
        kind = "network", because = problem, outcome = not READS[name] and "unknown" or nil,
        hint = "see that it runs; the next call connects again",
      }
    elseif problem:find("locked", 1, true) or problem:find("statement timeout", 1, true) then
      return failed { kind = "timeout", because = problem, outcome = "refused", hint = "somebody else writes for long; try again" }
    end
    return failed { kind = "server", because = problem, outcome = "refused" }
  end

  -- As command(), for what changes at most one row: whether it did.
  local function changes(again, name, ...)
    local rows, changed = command(again, name, ...)
    if not rows then
      return nil, changed
    end
    return changed == 1
  end

  -- What has expired goes now and then, after a write that went well; whether that goes
  -- well is no matter of whoever wrote.
  local function sweep()
    writes = writes + 1
    if writes % SWEEP_EVERY == 0 then
      command(false, "sweep_values")
      command(false, "sweep_claims")
    end
  end

  function backend.put(key, text, ms)
    local rows, err
    if ms then
      rows, err = command(false, "put", key, text, ("%d"):format(ms))
    else
      rows, err = command(false, "put_for_good", key, text)
    end
    if not rows then
      return nil, err
    end
    sweep()
    return true
  end

  function backend.get(key)
    local rows, err = command(true, "get", key)
    if not rows then
      return nil, err
    end
    return rows[1]
  end

  function backend.delete(key)
    return changes(false, "delete", key)
  end

  function backend.page(start, after, limit)
    local keys, err = command(true, "page", after, start, start .. "\127", ("%d"):format(limit))
    if not keys then
      return nil, err
    end
    return keys, #keys == limit and keys[limit] or nil
  end

  function backend.claim(key, owner, ms, again)
    local done, err = changes(again, "claim", key, owner, ("%d"):format(ms))
    if done then
      sweep()
    end
    return done, err
  end

  function backend.release(key, owner)
    return changes(false, "release", key, owner)
  end

  backend.close = drop

  return backend
end

return M
