--- A small HTTP/1.1 server for this machine only: one thread, many connections.
-- Owns a listening socket on 127.0.0.1 and its connections, each a coroutine that
-- reads and writes as if it were alone.  What a request means is the handler's
-- business.  For tests, the sandbox and the OAuth callback; not for the internet.
--
-- The handler is a plain function, request -> response, and must not yield:
--
--     request   method, path, query, headers (lower-case names), body
--     response  status, headers, body, and what may go wrong on purpose:
--       delay = seconds      answers late; other connections do not notice
--       later = function     called after the delay: gives the response itself
--       hang_up = true       closes without one byte of answer
--       hang_up = "reset"    the same with a TCP reset
--       cut = n              sends n bytes of the body, then closes

local http = require "celements.loopback.http"
local process = require "celements.process"

local IDLE = 30            -- seconds without a byte
local LINGER = 2           -- seconds given to a refused client to read why
local READ_SIZE = 65536
local MAX_CONNECTIONS = 256
local BACKLOG = 1024       -- a burst waits here; what is one too many would come again a second later

local function require_socket()
  local found, socket = pcall(require, "socket")
  if not found then
    error("celements.loopback needs LuaSocket: apt-get install lua-socket, or luarocks install luasocket", 3)
  end
  return socket
end

-- One connection, as its coroutine sees it ---------------------------------------

-- Every wait goes through here: "read", "write", or a number of seconds.
local function wait(conn, what)
  if type(what) == "number" then
    conn.wake = conn.now() + what
  else
    conn.deadline = conn.now() + conn.idle
  end
  coroutine.yield(what)
  conn.wake = nil
end

-- The next bytes, or nil when there will be none.
local function receive(conn)
  while true do
    local data, err, partial = conn.socket:receive(READ_SIZE)
    local piece = data or partial
    if piece and piece ~= "" then
      return piece
    end
    if err ~= "timeout" then
      return nil
    end
    wait(conn, "read")
  end
end

local function send(conn, text)
  local from = 1
  while from <= #text do
    local last, err, partial = conn.socket:send(text, from)
    from = (last or partial) + 1
    if not last then
      if err ~= "timeout" then
        return nil
      end
      wait(conn, "write")
    end
  end
  return true
end

local function new_reader(conn)
  local buffer = ""
  local reader = {}

  function reader.line(max)
    local searched = 1
    while true do
      local stop = buffer:find("\n", searched, true)
      if (stop or #buffer) > max then
        return nil, "too long"
      end
      if stop then
        local line = buffer:sub(1, stop - 1):gsub("\r$", "")
        buffer = buffer:sub(stop + 1)
        return line
      end
      searched = #buffer + 1
      local piece = receive(conn)
      if not piece then
        return nil, "closed"
      end
      buffer = buffer .. piece
    end
  end

  function reader.bytes(n)
    local parts, have = { buffer }, #buffer
    while have < n do
      local piece = receive(conn)
      if not piece then
        return nil, "closed"
      end
      parts[#parts + 1] = piece
      have = have + #piece
    end
    local all = table.concat(parts)
    buffer = all:sub(n + 1)
    return all:sub(1, n)
  end

  function reader.send(text)
    return send(conn, text)
  end

  return reader
end

-- A close with unread bytes makes the kernel send a reset, which can overtake the
-- answer: say what is wrong, then read on for a moment.
local function refuse(conn, refusal)
  local head, body = http.write_response({
    status = refusal.status,
    headers = { ["Content-Type"] = "text/plain; charset=utf-8" },
    body = refusal.message .. "\n",
  }, "GET", false)
  send(conn, head .. body)
  conn.socket:shutdown("send")
  conn.idle = LINGER
  local until_when = conn.now() + LINGER
  while conn.now() < until_when and receive(conn) do end
end

-- -> true while the connection can be used again
local function answer(conn, request)
  local handled, response = pcall(conn.handler, request)
  if not handled then
    conn.on_error(response)
    response = { status = 500, headers = {}, body = "" }
  end
  if response.delay then
    wait(conn, response.delay)
  end
  if response.later then
    response = response.later()
  end
  if response.hang_up then
    if response.hang_up == "reset" then
      conn.socket:setoption("linger", { on = true, timeout = 0 })
    end
    return false
  end
  local keep_alive = http.keeps_alive(request) and not response.cut
  local head, body = http.write_response(response, request.method, keep_alive)
  if response.cut then
    body = body:sub(1, response.cut)
  end
  return send(conn, head .. body) and keep_alive
end

-- Between two requests the others have their turn: a client that asks again at once would
-- have the server to itself.
local function serve(conn)
  local reader = new_reader(conn)
  while true do
    local request, refusal = http.read_request(reader)
    if refusal then
      refuse(conn, refusal)
    end
    if not request or not answer(conn, request) then
      return
    end
    wait(conn, 0)
  end
end

-- The server ---------------------------------------------------------------------

---@class celements.Loopback
---@field port integer  the port it listens on
---@field url string  "http://127.0.0.1:PORT"
local loopback = {}
local loopback_mt = { __index = loopback, __name = "celements.Loopback" }

local function drop(self, conn)
  conn.socket:close()
  self.connections[conn] = nil
  self.count = self.count - 1
end

local function resume(self, conn)
  local alive, waits_for = coroutine.resume(conn.thread)
  if not alive then
    self.on_error(waits_for)
  end
  if coroutine.status(conn.thread) == "dead" then
    drop(self, conn)
  else
    conn.waits_for = waits_for
  end
end

local function accept(self)
  while self.count < MAX_CONNECTIONS do
    local socket = self.listener:accept()
    if not socket then
      return
    end
    process.close_on_exec(socket:getfd())   -- LuaSocket lets a browser we start inherit it
    socket:settimeout(0)
    socket:setoption("tcp-nodelay", true)
    local conn = {
      socket = socket, handler = self.handler, now = self.socket.gettime, idle = self.idle, on_error = self.on_error,
    }
    conn.thread = coroutine.create(function() serve(conn) end)
    self.connections[conn] = true
    self.count = self.count + 1
    resume(self, conn)
  end
end

-- Who waits for what, and how long nothing can happen.
local function plan(self, timeout, watched)
  local now = self.socket.gettime()
  local readers, writers, owners, sleep = {}, {}, {}, timeout
  if self.count < MAX_CONNECTIONS then
    readers[1] = self.listener
  end
  readers[#readers + 1] = watched
  for conn in pairs(self.connections) do
    owners[conn.socket] = conn
    if conn.waits_for == "read" then
      readers[#readers + 1] = conn.socket
    elseif conn.waits_for == "write" then
      writers[#writers + 1] = conn.socket
    end
    sleep = math.min(sleep, (conn.wake or conn.deadline) - now)
  end
  return readers, writers, owners, math.max(sleep, 0)
end

local function run_timers(self)
  local now = self.socket.gettime()
  local late, awake = {}, {}
  for conn in pairs(self.connections) do
    if conn.wake then
      if conn.wake <= now then
        awake[#awake + 1] = conn
      end
    elseif conn.deadline <= now then
      late[#late + 1] = conn
    end
  end
  for _, conn in ipairs(late) do
    drop(self, conn)
  end
  for _, conn in ipairs(awake) do
    resume(self, conn)
  end
end

--- Do what can be done now, waiting at most `timeout` seconds for something to do.
-- Blocks in select(); call it again and again.
---@param timeout number
---@param watch_fd? integer  a descriptor to watch beside the connections
---@return boolean watched  true when `watch_fd` has become readable
function loopback:step(timeout, watch_fd)
  local watched = watch_fd and { getfd = function() return watch_fd end, dirty = function() return false end }
  local readers, writers, owners, sleep = plan(self, timeout, watched)
  local readable, writable = self.socket.select(readers, writers, sleep)
  for _, list in ipairs{ writable, readable } do
    for _, socket in ipairs(list) do
      local conn = owners[socket]
      if conn then
        resume(self, conn)
      end
    end
  end
  if readable[self.listener] then
    accept(self)
  end
  run_timers(self)
  return watched ~= nil and readable[watched] ~= nil
end

--- The descriptor of the listening socket.
---@return integer
function loopback:getfd()
  return self.listener:getfd()
end

--- Close the listening socket and every connection.  A second call does nothing.
function loopback:close()
  for conn in pairs(self.connections) do
    drop(self, conn)
  end
  self.listener:close()
end

local M = {}

--- Listen on 127.0.0.1.  Nothing is answered before `step` is called.
---@param options table  `handler` (request -> response), `port` (default 0: any free one), `idle` (default 30: seconds without a byte before a connection is closed), `on_error(message)` for a handler that raises
---@return celements.Loopback? server
---@return string? message  why not, e.g. "address already in use"
function M.new(options)
  local socket = require_socket()
  if type(options) ~= "table" or type(options.handler) ~= "function" then
    error("loopback.new: handler must be a function", 2)
  end
  local listener, err = socket.bind("127.0.0.1", options.port or 0, BACKLOG)
  if not listener then
    return nil, err
  end
  process.close_on_exec(listener:getfd())
  listener:settimeout(0)
  local _, port = listener:getsockname()
  port = tonumber(port)
  return setmetatable({
    socket = socket, listener = listener, handler = options.handler,
    idle = options.idle or IDLE,
    on_error = options.on_error or function(message) io.stderr:write("loopback: ", tostring(message), "\n") end,
    connections = {}, count = 0,
    port = port, url = ("http://127.0.0.1:%d"):format(port),
  }, loopback_mt)
end

return M
