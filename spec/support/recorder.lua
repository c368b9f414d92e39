--- A server that answers what it is told to and keeps what it was asked.
-- Owns a child process that serves on 127.0.0.1; it goes with stop(), or when the
-- process that started it is gone.  Judges nothing: the spec that asked does.
--
--     local server = recorder.start()
--     server:answer{ { status = 503 }, { body = '{"id": 1}' } }   -- in turn; the last one stays
--     ...
--     local seen = server:requests()   -- { { method, target, headers, body, at }, ... }
--     server:stop()
--
-- An answer has what celements.loopback takes: status (200), headers, body, delay,
-- hang_up, cut.  `target` is the request's target as it came, byte for byte.

local loopback = require "celements.loopback"
local process = require "celements.process"
local socket = require "socket"

local CONTROL = "/recorder/"
local LOOK_AROUND = 1   -- seconds between two looks whether the parent is still there
local PATIENCE = 10     -- seconds for a control request

local compile = loadstring or load

-- A plain value as Lua text.  Parent and child are the same interpreter, so that %q
-- of the one is what the other reads.
local function dump(value)
  if type(value) == "string" then
    return ("%q"):format(value)
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for name, inner in pairs(value) do
    parts[#parts + 1] = ("[%s]=%s"):format(dump(name), dump(inner))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function undump(text)
  return assert(compile("return " .. text))()
end

-- In the child: the handler of all requests, those of the spec itself included.
local function new_handler()
  local answers, log = { {} }, {}
  local controls = {
    answer = function(body)
      answers, log = undump(body), {}
      return "true"
    end,
    requests = function()
      return dump(log)
    end,
  }
  return function(request)
    if request.path:sub(1, #CONTROL) == CONTROL then
      return { status = 200, body = controls[request.path:sub(#CONTROL + 1)](request.body) }
    end
    log[#log + 1] = {
      method = request.method,
      target = request.path .. (request.query and "?" .. request.query or ""),
      headers = request.headers,
      body = request.body,
      at = socket.gettime(),
    }
    local answer = answers[math.min(#log, #answers)]
    answer.status = answer.status or 200
    return answer
  end
end

local function serve(server, watch_fd, parent)
  assert(process.keep_only(2, watch_fd, server:getfd()))
  repeat
    local parent_left = server:step(LOOK_AROUND, watch_fd)
  until parent_left or process.getppid() ~= parent
end

local recorder = {}
recorder.__index = recorder

local function ask(self, what, body)
  local control = self.control
  assert(control:send(("POST %s%s HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s"):format(CONTROL, what,
    #body, body)))
  local status, length = assert(control:receive("*l")), nil
  for line in function() return assert(control:receive("*l")) end do
    length = length or line:match("^Content%-Length: (%d+)$")
    if line == "" then
      break
    end
  end
  assert(status == "HTTP/1.1 200 OK", "the recorder did not understand " .. what)
  return undump(assert(control:receive(tonumber(length))))
end

--- What to answer from now on, in turn; the last answer stays.  Forgets the requests.
---@param answers table[]
function recorder:answer(answers)
  ask(self, "answer", dump(answers))
end

--- The requests since the last answer().
---@return table[]
function recorder:requests()
  return ask(self, "requests", "")
end

--- The only request since the last answer(); fails when there is none or another.
---@return table
function recorder:request()
  local all = self:requests()
  assert(#all == 1, ("%d requests came, not 1"):format(#all))
  return all[1]
end

--- Ends the server.  A second call does nothing.
function recorder:stop()
  if not self.pid then
    return
  end
  self.control:close()
  process.close(self.write_end)
  if not process.wait(self.pid, 2) then
    process.kill(self.pid, "KILL")
    process.wait(self.pid, 2)
  end
  self.pid = nil
end

local M = {}

--- Start a recorder that answers 200 without a body until it is told otherwise.
---@return table recorder  with `url` ("http://127.0.0.1:PORT") and `port`
function M.start()
  local server = assert(loopback.new { handler = new_handler(), idle = 600 })
  local watch_fd, write_end = assert(process.pipe())
  local parent = process.getpid()
  local pid = assert(process.fork())
  if pid == 0 then
    local fine, failure = pcall(serve, server, watch_fd, parent)
    if not fine then
      io.stderr:write("recorder: ", tostring(failure), "\n")
    end
    process.exit(fine and 0 or 1)
  end
  server:close()
  process.close(watch_fd)
  local control = assert(socket.connect("127.0.0.1", server.port))
  control:settimeout(PATIENCE)
  control:setoption("tcp-nodelay", true)
  return setmetatable({ url = server.url, port = server.port, pid = pid, write_end = write_end, control = control },
    recorder)
end

return M
