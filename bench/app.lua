-- Inside the application's nginx: the same call by celements and by a cosocket client of a
-- few lines, which is what one would write without us.

-- luacheck: globals ngx

local cjson = require "cjson"
local page = require "bench.page"

local M = {}

local POOL = { pool = "bench", pool_size = 2000 }

local function receive_answer(socket)
  local length
  assert(socket:receive "*l" == "HTTP/1.1 200 OK")
  while true do
    local line = assert(socket:receive "*l")
    if line == "" then
      break
    end
    length = tonumber(line:match "^[Cc]ontent%-[Ll]ength: *(%d+)") or length
    if line == "Transfer-Encoding: chunked" then
      length = "chunked"
    end
  end
  if length ~= "chunked" then
    return assert(socket:receive(length))
  end
  local parts = {}
  while true do
    local size = tonumber(assert(socket:receive "*l"), 16)
    if size > 0 then
      parts[#parts + 1] = assert(socket:receive(size))
    end
    assert(socket:receive "*l" == "")
    if size == 0 then
      return table.concat(parts)
    end
  end
end

--- One client of each kind, for the server at url.
function M.new(url, ca_file)
  local client = require("celements").new {
    base_url = url, ca_file = ca_file, user_secret = page.user_secret, org_secret = page.org_secret,
  }
  local host, port, path = url:match "^https://([^:]+):(%d+)(.*)$"
  local head = ("GET %s/instances/1?about=%%s HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: User %s, Organization %s\r\n"
    .. "Accept: application/json\r\n\r\n"):format(path, host, port, page.user_secret, page.org_secret)
  local app = {}

  local function by_celements(about)
    return assert(client:request("GET", "/instances/1", { query = { about = about } }))
  end

  local function by_cosocket(about)
    local socket = ngx.socket.tcp()
    socket:settimeout(60000)
    assert(socket:connect(host, tonumber(port), POOL))
    if socket:getreusedtimes() == 0 then
      assert(socket:sslhandshake(nil, "localhost", true))
    end
    assert(socket:send(head:format(about)))
    local instance = cjson.decode(receive_answer(socket))
    assert(socket:setkeepalive(60000, 2000))
    return instance
  end

  function app.celements()
    ngx.print(by_celements(ngx.var.arg_about).id)
  end

  function app.cosocket()
    ngx.print(by_cosocket(ngx.var.arg_about).id)
  end

  --- ?by=celements&calls=N one after the other, each answered at once: seconds of one.
  function app.sequence()
    local call, calls = ngx.var.arg_by == "celements" and by_celements or by_cosocket, tonumber(ngx.var.arg_calls)
    call "0"
    ngx.update_time()
    local began = ngx.now()
    for _ = 1, calls do
      call "0"
    end
    ngx.update_time()
    ngx.print((ngx.now() - began) / calls)
  end

  return app
end

return M
