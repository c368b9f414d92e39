--- A TCP server on 127.0.0.1 that does byte for byte what a test tells it to.
-- Owns a child process, which goes with stop() and at the latest with its parent.
-- What it received stands in a file that parent and child share, so a test can look
-- at it while the server lives and afterwards.
--
--     local server = rawserver.start(function(conn)
--       local request = conn:request()         -- nil when the client has left
--       conn:answer(200, "{}")                 -- or conn:send(text), conn:reset(), return
--     end)
--     … server.url, server:count("POST"), server:requests() …
--     server:stop()
--
-- The function runs once a connection, in a coroutine of the child: what it changes
-- outside of itself the test does not see, but its other connections do.

local process = require "celements.process"
local socket = require "socket"

local STOP_PATIENCE = 2
local LOOK_AROUND = 1

-- One line of the shared file for any text.
local function to_line(text)
  return (text:gsub("[%c%%]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

local function from_line(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- ---- one connection, in the child -------------------------------------------

local connection = {}
connection.__index = connection

function connection:note(what, text)
  self.log:write(to_line(what), "\t", to_line(text or ""), "\n")
  self.log:flush()
end

-- More bytes, or nil when the client has left.
function connection:more()
  while true do
    local data, err, part = self.socket:receive(65536)
    data = data or part
    if data and #data > 0 then
      return data
    elseif err ~= "timeout" then
      return nil
    end
    coroutine.yield("read")
  end
end

-- The head of the next request, up to the empty line; nil when the client has left.
function connection:head()
  local have = self.rest or ""
  while true do
    local _, stop = have:find("\r\n\r\n", 1, true)
    if stop then
      self.rest = have:sub(stop + 1)
      return have:sub(1, stop)
    end
    local data = self:more()
    if not data then
      return nil
    end
    have = have .. data
  end
end

-- n bytes, or what came before the client left.
function connection:bytes(n)
  local parts, have = { self.rest or "" }, #(self.rest or "")
  while have < n do
    local data = self:more()
    if not data then
      break
    end
    parts[#parts + 1] = data
    have = have + #data
  end
  local all = table.concat(parts)
  self.rest = all:sub(n + 1)
  return all:sub(1, n)
end

--- The next request, read whole and written down: method, target, head, body.
function connection:request()
  local head = self:head()
  if not head then
    return nil
  end
  local method, target = head:match("^(%S+) (%S+)")
  local length = tonumber(head:lower():match("\ncontent%-length:%s*(%d+)")) or 0
  local request = { method = method, target = target, head = head, body = self:bytes(length), on = self.number }
  self:note("request", ("%d %s %s %s%s"):format(self.number, method, target, head, request.body))
  return request
end

function connection:send(text)
  local at = 1
  while at <= #text do
    local sent, err, partly = self.socket:send(text, at, math.min(#text, at + 65535))
    at = (sent or partly or at - 1) + 1
    if not sent then
      if err ~= "timeout" then
        return false
      end
      coroutine.yield("write")
    end
  end
  return true
end

--- A whole answer with a length; the connection stays open.
function connection:answer(status, body, headers)
  local lines = { ("HTTP/1.1 %d Whatever"):format(status), "Content-Length: " .. #body, "Content-Type: application/json" }
  for _, line in ipairs(headers or {}) do
    lines[#lines + 1] = line
  end
  return self:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

function connection:wait(seconds)
  self.wake = socket.gettime() + seconds
  coroutine.yield("wait")
  self.wake = nil
end

--- Until the client has left, or so many seconds have passed.
function connection:wait_for_close(seconds)
  self.wake = socket.gettime() + seconds
  while true do
    local data, err, part = self.socket:receive(65536)
    if not data and err ~= "timeout" and part == "" then
      self:note("closed", tostring(self.number))
      break
    elseif socket.gettime() >= self.wake then
      break
    end
    coroutine.yield("read")
  end
  self.wake = nil
end

--- Close by TCP reset when the function returns.
function connection:reset()
  self.socket:setoption("linger", { on = true, timeout = 0 })
end

-- ---- the child ----------------------------------------------------------------

local function resume(conn, connections)
  local alive, waits_for = coroutine.resume(conn.thread)
  if not alive then
    conn:note("error", tostring(waits_for))
  end
  if coroutine.status(conn.thread) == "dead" then
    conn.socket:close()
    connections[conn.socket] = nil
  else
    conn.waits_for = waits_for
  end
end

local function serve(listener, watch_fd, parent, log, script)
  local connections, number = {}, 0
  local watched = { getfd = function() return watch_fd end, dirty = function() return false end }
  listener:settimeout(0)
  process.ignore("INT")
  process.ignore("PIPE")
  while process.getppid() == parent do
    local readers, writers, sleep = { listener, watched }, {}, LOOK_AROUND
    local now = socket.gettime()
    for each, conn in pairs(connections) do
      if conn.waits_for == "read" then
        readers[#readers + 1] = each
      elseif conn.waits_for == "write" then
        writers[#writers + 1] = each
      end
      if conn.wake then
        sleep = math.min(sleep, math.max(0, conn.wake - now))
      end
    end
    local readable, writable = socket.select(readers, writers, sleep)
    if readable[watched] then
      return
    end
    local ready = {}
    for each, conn in pairs(connections) do
      if readable[each] or writable[each] or (conn.wake and conn.wake <= socket.gettime()) then
        ready[#ready + 1] = conn
      end
    end
    for _, conn in ipairs(ready) do
      resume(conn, connections)
    end
    local client = readable[listener] and listener:accept()
    if client then
      number = number + 1
      client:settimeout(0)
      client:setoption("tcp-nodelay", true)
      local conn = setmetatable({ socket = client, number = number, log = log }, connection)
      conn:note("connection", tostring(number))
      conn.thread = coroutine.create(function() script(conn) end)
      connections[client] = conn
      resume(conn, connections)
    end
  end
end

-- ---- the parent -----------------------------------------------------------------

local server = {}
server.__index = server

--- What happened so far: a list of {what, text}.
function server:events()
  local events = {}
  for line in io.lines(self.file) do
    local what, text = line:match("^(.-)\t(.*)$")
    assert(what ~= "error", "the server's script failed: " .. tostring(text))
    events[#events + 1] = { what = from_line(what), text = from_line(text) }
  end
  return events
end

--- How many things of that name happened: "connection", "closed", or what conn:note() named.
function server:happened(what)
  local n = 0
  for _, event in ipairs(self:events()) do
    n = n + (event.what == what and 1 or 0)
  end
  return n
end

--- The requests that were read whole: connection number, method, target, text (head and body).
function server:requests()
  local found = {}
  for _, event in ipairs(self:events()) do
    if event.what == "request" then
      local number, method, target, text = event.text:match("^(%d+) (%S+) (%S+) (.*)$")
      found[#found + 1] = { on = tonumber(number), method = method, target = target, text = text }
    end
  end
  return found
end

--- How many requests of that method were read whole.
function server:count(method)
  local n = 0
  for _, request in ipairs(self:requests()) do
    n = n + (request.method == method and 1 or 0)
  end
  return n
end

--- Ends the child.  A second call does nothing; what it received can still be asked for.
function server:stop()
  if not self.pid then
    return
  end
  process.close(self.write_end)
  if process.wait(self.pid, STOP_PATIENCE) == false then
    process.kill(self.pid, "KILL")
    process.wait(self.pid, STOP_PATIENCE)
  end
  self.pid = nil
end

--- stop(), and forget what was received.
function server:remove()
  self:stop()
  os.remove(self.file)
end

local M = {}

--- Listen on 127.0.0.1 and run the script for every connection.
---@param script fun(conn: table)
---@param options? {backlog?: integer, port?: integer}
---@return table server  url (of the API), port, pid; events(), requests(), count(), happened(), stop(), remove()
function M.start(script, options)
  options = options or {}
  local listener = assert(socket.bind("127.0.0.1", options.port or 0, options.backlog or 64))
  local _, port = listener:getsockname()
  local file = os.tmpname()
  local watch_fd, write_end = assert(process.pipe())
  local parent = process.getpid()
  local pid = assert(process.fork())
  if pid == 0 then
    process.keep_only(2, watch_fd, listener:getfd())
    local log = io.open(file, "a")
    local fine, problem = pcall(serve, listener, watch_fd, parent, log, script)
    if not fine then
      log:write("error\t", to_line(tostring(problem)), "\n")
      log:close()
    end
    process.exit(0)
  end
  listener:close()
  process.close(watch_fd)
  return setmetatable({
    port = tonumber(port), pid = pid, write_end = write_end, file = file,
    origin = ("http://127.0.0.1:%d"):format(port),
    url = ("http://127.0.0.1:%d/elements/api-v2"):format(port),
  }, server)
end

return M
