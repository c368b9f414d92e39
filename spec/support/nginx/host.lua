--- Runs inside nginx: hosts the sandbox's model, one for the only worker.

-- luacheck: globals ngx

local json = require "celements.json"
local model = require "celements.sandbox.model"

local M = {}

local platform

local function random_bytes(n)
  local source = assert(io.open("/dev/urandom", "rb"))
  source:setvbuf("no")
  local bytes = source:read(n)
  source:close()
  return bytes
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

-- nginx must not outlive the test that started it, even when that is killed.
local function watch_parent(premature, prefix, parent)
  local stat = io.open("/proc/" .. parent .. "/stat")
  if premature or stat then
    return stat and stat:close()
  end
  os.execute("kill -TERM " .. read_file(prefix .. "nginx.pid"))
end

--- init_worker_by_lua: read options.json from the prefix.
function M.init()
  local prefix = ngx.config.prefix()
  local options = assert(json.decode(read_file(prefix .. "options.json")))
  local parent = ("%d"):format(options.parent)
  options.parent = nil
  options.now, options.random = ngx.now, random_bytes
  platform = model.new(options)
  assert(ngx.timer.every(1, watch_parent, prefix, parent))
end

local function read_body()
  ngx.req.read_body()
  local file = ngx.req.get_body_file()
  return file and read_file(file) or ngx.req.get_body_data() or ""
end

local function read_headers()
  local headers = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    headers[name] = type(value) == "table" and table.concat(value, ", ") or tostring(value)
  end
  return headers
end

--- content_by_lua: one request.
function M.content()
  local path, query = ngx.var.request_uri:match("^([^?]*)%??(.*)$")
  local response = platform:handle{
    method = ngx.req.get_method(), path = path, query = ngx.var.is_args ~= "" and query or nil,
    headers = read_headers(), body = read_body(),
  }
  if response.delay then
    ngx.sleep(response.delay)
  end
  if response.later then
    response = response.later()
  end
  if response.hang_up then
    return ngx.exit(444)   -- nginx's own: close without an answer; it cannot choose a reset per request
  end
  ngx.status = response.status
  for name, value in pairs(response.headers) do
    ngx.header[name] = value
  end
  ngx.header.content_length = #response.body
  if response.cut then
    ngx.print(response.body:sub(1, response.cut))
    ngx.flush(true)
    return ngx.exit(ngx.ERROR)
  end
  ngx.print(response.body)
end

return M
