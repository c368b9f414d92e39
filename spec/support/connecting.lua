--- A flow without nginx: its hosts' clock is ours, its store a table, and users have cookies.
--
--     local rig = connecting.new(client, { element = "hubspot" })
--     local browser = rig:browser "42"
--     local consent_url = browser:connect "return_to=%2Fsettings"
--     local answer = browser:callback(callback_url)

local celements = require "celements"
local flow_of = require "celements.connect.flow"
local jar = require "spec.support.jar"
local options_reader = require "celements.connect.options"
local seal = require "celements.seal"

local M = {}

M.KEY = "a key of the specs, which is of 32 bytes and more"
M.CALLBACK = "https://app.example.com/connect/callback"

-- What celements.store promises, for one process.  `broken` names methods that fail, and
-- `spared` how often they do not before.
local function new_store(now)
  local store = { values = {}, claims = {}, broken = {}, spared = {}, calls = {} }
  local function method(name, f)
    store[name] = function(self, ...)
      self.calls[name] = (self.calls[name] or 0) + 1
      local spared = self.spared[name] or 0
      self.spared[name] = spared - 1
      if spared <= 0 and self.broken[name] and self.broken[name] > 0 then
        self.broken[name] = self.broken[name] - 1
        return nil, require("celements.error").new { kind = "connect", message = "the store does not answer" }
      end
      return f(self, ...)
    end
  end
  method("put", function(self, key, value, ttl)
    self.values[key] = { value = assert(celements.json.encode(value)), ends = ttl and now() + ttl or math.huge }
    return true
  end)
  method("get", function(self, key)
    local row = self.values[key]
    if row and row.ends > now() then
      return (celements.json.decode(row.value))
    end
    return nil
  end)
  method("delete", function(self, key)
    local there = self.values[key] ~= nil
    self.values[key] = nil
    return there
  end)
  method("claim", function(self, key, ttl, owner)
    local held = self.claims[key]
    if held and held.ends > now() and held.owner ~= owner then
      return false
    end
    self.claims[key] = { owner = owner, ends = now() + ttl }
    return true
  end)
  method("release", function(self, key, owner)
    if self.claims[key] and self.claims[key].owner == owner then
      self.claims[key] = nil
      return true
    end
    return false
  end)
  function store.list(self, prefix)
    local names = {}
    for name in pairs(self.values) do
      if name:sub(1, #prefix) == prefix then
        names[#names + 1] = name
      end
    end
    table.sort(names)
    return { all = function() return names end }
  end
  return store
end

local browser = {}
browser.__index = browser

local function request(self, path, args, more)
  local all = { method = "GET", path = path, args = args, cookies = self.jar:header(), host = "app.example.com" }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return all
end

--- The first request; what the answer is.
function browser:start(args, more)
  self.rig.user = self.user
  local response = self.rig.flow:start(request(self, "/connect", args, more))
  self.jar:take(response.cookies)
  return response
end

--- The first request, which has to lead to the provider: the URL there.
function browser:connect(args)
  local response = self:start(args)
  assert(response.status == 303, response.body)
  return response.headers.Location
end

--- The provider's redirect comes in: the whole URL, or a query with its "?".
function browser:callback(url, more)
  self.rig.user = self.user
  local response = self.rig.flow:finish(request(self, "/connect/callback", url:match("%?([^#]*)"), more))
  self.jar:take(response.cookies)
  return response
end

--- All of it: connect, agree, and come back.
function browser:run(args)
  return self:callback(assert(celements.sandbox.consent(self:connect(args))))
end

local rig = {}
rig.__index = rig

function rig:browser(user)
  return setmetatable({ rig = self, user = user, jar = jar.new() }, browser)
end

--- A rig with a flow of the same settings, clock and store: another host, or one that was
-- started again.
function rig:another(more)
  local options = {}
  for name, value in pairs(self.options) do
    options[name] = value
  end
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  local other = setmetatable({}, { __index = self })
  other.options = options
  other:make()
  return other
end

function rig:make()
  self.options.user_id = function()
    return self.user
  end
  self.flow = flow_of.new(options_reader.read(self.options, 1), {
    box = seal.new(self.options.key), hash = seal.hash, token = seal.token, store = self.store,
    now = function() return self.clock.time end,
    sleep = function(seconds)
      self.clock.time = self.clock.time + seconds
      if self.clock.on_sleep then
        self.clock.on_sleep(self)
      end
    end,
    run = function(job) return job() end,
    every = function(seconds, f)
      table.insert(self.renewals, { seconds = seconds, call = f })
      return function() self.stopped = (self.stopped or 0) + 1 end
    end,
    later = function(seconds, f) table.insert(self.later, { seconds = seconds, call = f }) end,
    report = function(err, context) table.insert(self.reports, { err = err, context = context }) end,
    warn = function(text) table.insert(self.warnings, text) end,
  })
end

---@param client table
---@param more? table  further options of the flow
function M.new(client, more)
  local self = setmetatable({
    clock = { time = os.time() }, reports = {}, warnings = {}, renewals = {}, later = {}, connected = {},
    options = {
      client = client, element = "hubspotcrm", api_key = "canary-api-key", api_secret = "canary-api-secret", key = M.KEY,
      callback_url = M.CALLBACK, scope = { "contacts-rw", "offline" },
    },
  }, rig)
  self.store = new_store(function() return self.clock.time end)
  self.options.on_connected = function(instance, context)
    table.insert(self.connected, { instance = instance, context = context })
  end
  for name, value in pairs(more or {}) do
    self.options[name] = value
  end
  self:make()
  return self
end

return M
