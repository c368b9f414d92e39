--- The sandbox: the platform and a make-believe provider on this machine.
-- Owns the process that serves them.  Users test their own integrations against it,
-- as our specs, demo and examples do:
--
--     local sandbox = require "celements.sandbox"
--     local platform = assert(sandbox.start())
--     local client = celements.new{
--       base_url = platform.url, user_secret = platform.user_secret, org_secret = platform.org_secret,
--     }
--     local step1 = assert(client:oauth_url{ … })
--     local granted = assert(celements.parse_callback(assert(sandbox.consent(step1.oauthUrl, "approve"))))
--     …
--     platform.stop()
--
-- What it answers is in celements.sandbox.model, what goes wrong on request in
-- celements.sandbox.faults, what tests can ask it in celements.sandbox.routes_control.

local catalogue = require "celements.sandbox.catalogue"
local check = require "celements.check"
local errors = require "celements.error"
local loopback = require "celements.loopback"
local model = require "celements.sandbox.model"
local options_reader = require "celements.sandbox.options"
local process = require "celements.process"
local text = require "celements.sandbox.text"

local STOP_PATIENCE = 2     -- seconds before a child that does not go is killed
local LOOK_AROUND = 1       -- seconds between two looks whether the parent is still ours
local CONSENT_TIMEOUT = 10

local newproxy = rawget(_G, "newproxy")   -- makes a userdata, on Lua 5.1 and LuaJIT

---@class celements.SandboxModule
local M = {}

local function random_bytes(n)
  local source = assert(io.open("/dev/urandom", "rb"))
  source:setvbuf("no")   -- n bytes, not a buffer full
  local bytes = source:read(n)
  source:close()
  return bytes
end

--- Make a model to be hosted by a server of your own; see celements.sandbox.model and
-- celements.sandbox.options.
-- Clock, random source and secrets are filled in when they are not given.
---@param options table
---@return celements.sandbox.Model
function M.model(options)
  local filled = {
    now = os.time, random = random_bytes,
    user_secret = text.secret(random_bytes(32)), org_secret = text.hex(random_bytes(16)),
  }
  for name, value in pairs(options) do
    filled[name] = value
  end
  local made = model.new(filled, 2) -- a tail call would have no line for what is raised
  return made
end

--- The configuration values the make-believe provider of an element accepts, for
-- elements that ask for a password or a key: `credentials("abbyy").username`.
---@param element string
---@param authentication_type? string  default: the element's own
---@return table<string, string>
function M.credentials(element, authentication_type)
  check.type(element, "string", "the element", 2)
  check.type(authentication_type, "string or nil", "the authentication type", 2)
  local credentials = catalogue.credentials(element, authentication_type)
  if not credentials then
    error("the sandbox has no element with key " .. element, 2)
  end
  return credentials
end

-- The life of the child.  It goes when the parent closes its end of the pipe or is
-- gone without a word; Ctrl-C is the parent's to handle, so calls in flight end well.
local function serve(server, watch_fd, parent)
  process.ignore("INT")
  assert(process.keep_only(2, watch_fd, server:getfd()))
  repeat
    local parent_left = server:step(LOOK_AROUND, watch_fd)
  until parent_left or process.getppid() ~= parent
end

---@class celements.Sandbox
---@field url string  base URL of the API
---@field provider_url string  where the consent pages are
---@field control_url string  where `/requests`, `/faults`, `/reset` and `/instances` are; see celements.sandbox.routes_control
---@field user_secret string
---@field org_secret string
---@field pid integer
---@field stop fun()  ends the sandbox; a second call does nothing

local function new_handle(fields, write_end)
  local owner = process.getpid()
  local running = true

  function fields.stop()
    if not running or process.getpid() ~= owner then   -- a forked child's copy owns nothing
      return
    end
    running = false
    process.close(write_end)
    if process.wait(fields.pid, STOP_PATIENCE) == false then
      process.kill(fields.pid, "KILL")
      process.wait(fields.pid, STOP_PATIENCE)
    end
  end

  -- Complete before it is set: Lua looks for __gc only then.
  local mt = { __name = "celements.Sandbox", __close = fields.stop }
  if newproxy then   -- only userdata have __gc there
    mt.anchor = newproxy(true)
    getmetatable(mt.anchor).__gc = fields.stop
  else
    mt.__gc = fields.stop
  end
  return setmetatable(fields, mt)
end

--- Start the sandbox in a process of its own.
-- Returns when it listens.  It ends with `stop()`, when the returned handle is
-- collected, and at the latest when this process ends, however that comes about.
---@param options? table  `port` (default 0: any free one); `user_secret`, `org_secret` (default: new ones); all others of celements.sandbox.options
---@return celements.Sandbox? sandbox
---@return celements.Error? err
function M.start(options)
  local model_options, port = {}, 0
  check.type(options, "table or nil", "options", 2)
  for name, value in pairs(options or {}) do
    if options_reader.is_open(name) then
      model_options[name] = value
    elseif name == "port" then
      check.type(value, "number", "port", 2)
      check.count(value, "port", 0, 2)
      if value > 65535 then
        error("port has to be 65535 at most", 2)
      end
      port = value
    else
      check.unknown(name, options_reader.open_names { port = true }, "option", 2)
    end
  end

  local platform   -- made after the port is known
  local server, message = loopback.new{ port = port, handler = function(request) return platform:handle(request) end }
  if not server then
    message = ("the sandbox cannot listen on port %d: %s"):format(port, message)
    return nil, errors.new{ kind = "network", message = message }
  end
  model_options.now = require("socket").gettime
  model_options.provider_url = server.url .. "/provider"
  local made
  made, platform = pcall(M.model, model_options)
  if not made then
    server:close()
    error(platform, 2)
  end

  local watch_fd, write_end = process.pipe()
  local parent = process.getpid()
  local pid
  if watch_fd then
    pid, message = process.fork()
  else
    message = write_end
  end
  if pid == 0 then
    local ok, failure = pcall(serve, server, watch_fd, parent)
    if not ok then
      io.stderr:write("celements.sandbox: ", tostring(failure), "\n")
    end
    process.exit(ok and 0 or 1)
  end
  server:close()
  if watch_fd then
    process.close(watch_fd)
  end
  if not pid then
    if watch_fd then
      process.close(write_end)
    end
    return nil, errors.new{ kind = "network", message = "the sandbox has no process: " .. message }
  end
  return new_handle({
    url = server.url .. "/elements/api-v2", provider_url = server.url .. "/provider",
    control_url = server.url .. "/sandbox", user_secret = platform.user_secret, org_secret = platform.org_secret,
    pid = pid,
  }, write_end)
end

--- Be the user at the make-believe provider: approve or deny, and see where that leads.
-- For scripts; with a browser, open the URL and click.
---@param oauth_url string  as oauth/url answered it
---@param decision? string  "approve" (default) or "deny"
---@return string? callback_url  what the provider calls: for celements.parse_callback
---@return celements.Error? err
function M.consent(oauth_url, decision)
  check.type(oauth_url, "string", "the URL to agree at", 2)
  if decision ~= nil and decision ~= "approve" and decision ~= "deny" then
    error('sandbox.consent: decision must be "approve" or "deny"', 2)
  end
  local http, socket, ltn12 = require "socket.http", require "socket", require "ltn12"
  local form = "decision=" .. (decision or "approve")
  local page = {}
  local _, status, headers = http.request{
    url = oauth_url, method = "POST", source = ltn12.source.string(form), sink = ltn12.sink.table(page),
    headers = { ["content-type"] = "application/x-www-form-urlencoded", ["content-length"] = #form },
    redirect = false,
    create = function()
      local connection = socket.tcp()
      connection:settimeout(CONSENT_TIMEOUT)
      return connection
    end,
  }
  if status == 302 then
    return headers.location
  end
  if type(status) ~= "number" then
    return nil, errors.new{ kind = "connect", message = "the provider cannot be reached: " .. tostring(status) }
  end
  local reason = table.concat(page):match('<p role="alert">(.-)</p>')
  return nil, errors.new{
    kind = "oauth", reason = "provider", status = status, message = reason or "the provider shows no consent page",
  }
end

return M
