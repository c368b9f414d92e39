--- Nothing points up.
-- The two tables are the design: every file in the order of the shelves, lowest first,
-- with all that it may name.  A file may only name what stands above it in its table,
-- and a file that is in no table fails.

local difference = require "spec.support.difference"
local lfs = require "lfs"

-- Each Lua module and the modules that it requires.  The first of these are the C
-- modules.
local C_MODULES = { "celements.core", "celements.libcurl", "celements.process", "celements.seal" }
local LUA = {
  { "celements.base_url" },
  { "celements.core" },
  { "celements.libcurl" },
  { "celements.error" },
  { "celements.hint" },
  { "celements.proxy" },
  { "celements.json.fault" },
  { "celements.json.place" },
  { "celements.json.raw", "celements.core" },
  { "celements.retry" },
  { "celements.slip" },
  { "celements.types" },
  { "celements.version" },
  { "celements.assert", "celements.error" },
  { "celements.json.token", "celements.json.fault" },
  { "celements.lacking", "celements.error" },
  { "celements.once", "celements.error" },
  { "celements.check", "celements.slip" },
  { "celements.headers", "celements.check", "celements.core" },
  { "celements.options", "celements.base_url", "celements.check" },
  { "celements.redact", "celements.core" },
  { "celements.wait.board" },
  { "celements.wait.block", "celements.core", "celements.wait.board" },
  { "celements.wait.loop", "celements.wait.board" },
  { "celements.wait.cqueues", "celements.wait.loop", "cqueues", "cqueues.condition" },
  { "celements.wait.luv", "celements.wait.loop", "luv" },
  { "celements.wait.nginx", "celements.wait.loop", "ngx", "ngx.semaphore" },
  { "celements.json.look", "celements.json.token" },
  { "celements.wait",
    "celements.core", "celements.wait.block", "celements.wait.cqueues", "celements.wait.luv", "celements.wait.nginx" },
  { "celements.diagnostics", "celements.base_url", "celements.core", "celements.proxy", "celements.version", "celements.wait",
    "cjson" },
  { "celements.json.walk", "celements.json.token", "celements.json.look" },
  { "celements.json.diagnose", "celements.json.fault", "celements.json.token", "celements.json.walk" },
  { "celements.json", "celements.error", "celements.json.place", "celements.json.raw", "celements.json.diagnose" },
  { "celements.page", "celements.error", "celements.json" },
  { "celements.failure",
    "celements.error", "celements.hint", "celements.retry", "celements.redact", "celements.json" },
  { "celements.params", "celements.check", "celements.core", "celements.json", "celements.lacking" },
  { "celements.callback", "celements.check", "celements.core", "celements.error", "celements.params" },
  { "celements.ceql", "celements.check", "celements.params" },
  { "celements.event", "celements.redact" },
  { "celements.request",
    "celements.core", "celements.json.raw", "celements.retry", "celements.redact", "celements.wait",
    "celements.failure", "celements.event" },
  { "celements.call_options", "celements.check", "celements.core", "celements.headers" },
  { "celements.client",
    "celements.slip", "celements.core", "celements.error", "celements.proxy", "celements.redact", "celements.version",
    "celements.headers", "celements.call_options", "celements.lacking", "celements.options", "celements.wait", "celements.json",
    "celements.failure", "celements.params", "celements.request" },
  { "celements.any_call", "celements.check", "celements.core", "celements.params", "celements.client" },
  { "celements.element",
    "celements.slip", "celements.check", "celements.core", "celements.error", "celements.page", "celements.json",
    "celements.client" },
  { "celements.oauth_params",
    "celements.check", "celements.core", "celements.error", "celements.json", "celements.params" },
  { "celements.oauth", "celements.core", "celements.client", "celements.oauth_params" },
  { "celements.support",
    "celements.check", "celements.core", "celements.redact", "celements.json", "celements.client",
    "celements.any_call" },
  { "celements.pasted", "celements.check", "celements.error" },
  { "celements.careful", "celements.once", "celements.params", "celements.client", "celements.element" },
  { "celements.instance_params",
    "celements.slip", "celements.check", "celements.core", "celements.pasted", "celements.once", "celements.json",
    "celements.params", "celements.client", "celements.careful" },
  { "celements.instance",
    "celements.core", "celements.json.raw", "celements.failure", "celements.client", "celements.careful",
    "celements.instance_params" },
  { "celements.instances",
    "celements.slip", "celements.check", "celements.core", "celements.error", "celements.params", "celements.client",
    "celements.element", "celements.instance" },
  { "celements.hub",
    "celements.call_options", "celements.check", "celements.core", "celements.page", "celements.client", "celements.any_call",
    "celements.instances" },
  { "celements.many",
    "celements.check", "celements.core", "celements.error", "celements.wait.board", "celements.wait", "celements.client",
    "celements.instance" },
  { "celements.defer", "celements.check", "celements.error", "celements.client" },
  { "celements.reauthenticate",
    "celements.check", "celements.pasted", "celements.json", "celements.params", "celements.client", "celements.instances" },
  { "celements.loopback.http" },
  { "celements.process" },
  { "celements.seal" },
  { "celements.sandbox.faults" },
  { "celements.sandbox.options" },
  { "celements.sandbox.proxies" },
  { "celements.sandbox.text" },
  { "celements.sandbox.usage" },
  { "celements.loopback", "celements.loopback.http", "celements.process", "socket" },
  { "celements.sandbox.provider", "celements.sandbox.text" },
  { "celements.sandbox.router", "celements.sandbox.text" },
  { "celements.sandbox.catalogue", "celements.json" },
  { "celements.sandbox.ceql", "celements.json" },
  { "celements.sandbox.contacts", "celements.json" },
  { "celements.sandbox.reply", "celements.json", "celements.sandbox.text" },
  { "celements.sandbox.auth", "celements.sandbox.reply" },
  { "celements.sandbox.body", "celements.json", "celements.sandbox.text", "celements.sandbox.reply" },
  { "celements.sandbox.describe", "celements.json", "celements.sandbox.catalogue" },
  { "celements.sandbox.routes_account", "celements.json", "celements.sandbox.usage", "celements.sandbox.reply" },
  { "celements.sandbox.routes_control", "celements.json", "celements.sandbox.reply" },
  { "celements.sandbox.routes_oauth", "celements.json", "celements.sandbox.catalogue", "celements.sandbox.reply" },
  { "celements.sandbox.routes_provider",
    "celements.sandbox.text", "celements.sandbox.catalogue", "celements.sandbox.reply" },
  { "celements.sandbox.target", "celements.sandbox.catalogue", "celements.sandbox.reply" },
  { "celements.sandbox.instances",
    "celements.json", "celements.sandbox.text", "celements.sandbox.catalogue", "celements.sandbox.reply",
    "celements.sandbox.body" },
  { "celements.sandbox.routes_elements",
    "celements.json", "celements.sandbox.catalogue", "celements.sandbox.ceql", "celements.sandbox.reply",
    "celements.sandbox.describe" },
  { "celements.sandbox.view", "celements.json", "celements.sandbox.catalogue", "celements.sandbox.body" },
  { "celements.sandbox.routes_hub",
    "celements.json", "celements.sandbox.ceql", "celements.sandbox.contacts", "celements.sandbox.reply",
    "celements.sandbox.view" },
  { "celements.sandbox.routes_instances",
    "celements.sandbox.catalogue", "celements.sandbox.reply", "celements.sandbox.target", "celements.sandbox.view" },
  { "celements.sandbox.routes_parts",
    "celements.json", "celements.sandbox.reply", "celements.sandbox.describe", "celements.sandbox.target",
    "celements.sandbox.view" },
  { "celements.sandbox.model",
    "celements.json", "celements.sandbox.faults", "celements.sandbox.options", "celements.sandbox.proxies",
    "celements.sandbox.text", "celements.sandbox.usage", "celements.sandbox.body", "celements.sandbox.provider", "celements.sandbox.router",
    "celements.sandbox.reply", "celements.sandbox.auth", "celements.sandbox.routes_account",
    "celements.sandbox.routes_control", "celements.sandbox.routes_oauth", "celements.sandbox.routes_provider",
    "celements.sandbox.instances", "celements.sandbox.routes_elements", "celements.sandbox.routes_hub",
    "celements.sandbox.routes_instances", "celements.sandbox.routes_parts" },
  { "celements.sandbox",
    "celements.check", "celements.error", "celements.process", "celements.sandbox.options", "celements.sandbox.text",
    "celements.loopback", "celements.sandbox.catalogue", "celements.sandbox.model", "ltn12", "socket",
    "socket.http" },
  { "celements.store.fault", "celements.core", "celements.error" },
  { "celements.store.memory", "celements.core", "celements.error" },
  { "celements.store.redis", "celements.process", "celements.seal", "celements.store.fault", "redis", "resty.redis", "socket",
    "socket.unix" },
  { "celements.store.sql", "celements.core", "celements.process", "celements.store.fault", "DBI" },
  { "celements.store",
    "celements.check", "celements.core", "celements.error", "celements.page", "celements.json", "celements.seal",
    "celements.store.memory", "celements.store.redis", "celements.store.sql" },
  { "celements.connect.cookie" },
  { "celements.connect.page" },
  { "celements.connect.query" },
  { "celements.connect.return_to" },
  { "celements.connect.options", "celements.base_url", "celements.check", "celements.connect.return_to" },
  { "celements.connect.state", "celements.json" },
  { "celements.connect.finish", "celements.redact", "celements.client", "celements.once" },
  { "celements.connect.flow",
    "celements.error", "celements.callback", "celements.params", "celements.client", "celements.connect.cookie",
    "celements.connect.page", "celements.connect.query", "celements.connect.return_to", "celements.connect.state",
    "celements.connect.finish" },
  { "celements.openresty",
    "celements.check", "celements.seal", "celements.store", "celements.client", "celements.connect.options",
    "celements.connect.flow", "ngx.semaphore" },
  { "celements",
    "celements.core", "celements.libcurl", "celements.version", "celements.assert", "celements.callback",
    "celements.diagnostics",
    "celements.json.raw", "celements.json", "celements.ceql", "celements.client", "celements.any_call",
    "celements.element", "celements.oauth", "celements.support", "celements.instance", "celements.instances", "celements.hub", "celements.many",
    "celements.defer", "celements.reauthenticate", "celements.sandbox" },
}

-- Optional shelves: nobody outside them requires them, except that the face loads one
-- when it is asked for it.
local OPTIONAL = {
  "celements.process", "celements.seal", "celements.store", "celements.connect", "celements.openresty", "celements.loopback",
  "celements.sandbox", "celements.cli", "socket", "ltn12", "redis", "resty", "DBI",
}
local FACE = "celements"

-- A header that several files are behind; it stands by itself, below them.
local DOORS = { ["engine.h"] = true }

-- Each C file (buf is buf.c and buf.h) and what it includes, besides the system's.
local C = {
  { "ce" },
  { "buf", "ce" },
  { "jsontext", "ce" },
  { "poller", "ce" },
  { "trust", "ce" },
  { "auth", "buf" },
  { "poller_epoll", "poller" },
  { "poller_poll", "poller" },
  { "redact", "buf" },
  { "seal", "buf" },
  { "url", "buf" },
  { "engine.h", "trust", "auth" },
  { "engine_parts", "engine.h" },
  { "runtime", "trust", "engine_parts" },
  { "pool", "poller", "engine_parts", "runtime" },
  { "handle", "auth", "engine_parts", "pool" },
  { "transfer", "engine_parts", "handle", "pool" },
  { "engine", "poller", "engine.h", "engine_parts", "runtime", "pool", "transfer" },
  { "lcompat" },
  { "lcore", "ce", "lcompat" },
  { "llibcurl", "ce" },
  { "lprocess", "ce", "lcompat" },
  { "lseal", "ce", "seal", "lcompat" },
  { "ljson", "ce", "jsontext", "lcompat" },
  { "lsecret", "buf", "redact", "lcompat" },
  { "lurl", "url", "lcompat" },
  { "lparams", "url", "lcompat" },
  { "lanswer", "engine.h", "lcompat" },
  { "lengine", "url", "engine.h", "lcompat", "lsecret", "lanswer" },
}

-- The only C files that see libcurl and libsodium; Lua is for files that start with l alone.
local SEES_CURL = { engine_parts = true, runtime = true, pool = true, handle = true, transfer = true, engine = true }
local SEES_SODIUM = { seal = true }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function lua_files(folder, prefix, found)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:match("%.lua$") then
      found[prefix .. name:gsub("%.lua$", "")] = path
    elseif not name:match("^%.") and lfs.attributes(path, "mode") == "directory" then
      lua_files(path, prefix .. name .. ".", found)
    end
  end
  return found
end

local function is_optional(name)
  for _, each in ipairs(OPTIONAL) do
    if name == each or name:sub(1, #each + 1) == each .. "." then
      return true
    end
  end
  return false
end

local function by_name(rows)
  local allowed, rank = {}, {}
  for i, row in ipairs(rows) do
    assert(not rank[row[1]], row[1] .. " stands twice in its table")
    rank[row[1]], allowed[row[1]] = i, {}
    for j = 2, #row do
      allowed[row[1]][row[j]] = true
    end
  end
  return allowed, rank
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

-- The modules that a text names: in require, or as text that is required later, of
-- which a prefix ("celements.wait.") stands for all that begin with it.
local function named_modules(text, modules)
  local named = {}
  text = "\n" .. text:gsub("%-%-[^\n]*", "")
  for name in text:gmatch("[^%w_]require%s*[(,]?%s*[\"']([^\"']+)[\"']") do
    named[name] = not name:match("[._]$") or nil
  end
  for literal in text:gmatch("[\"'](celements[%w_.]*)[\"']") do
    for module in pairs(modules) do
      if module ~= FACE and (module == literal or (literal:match("[._]$") and module:sub(1, #literal) == literal)) then
        named[module] = true
      end
    end
  end
  return named
end

local function wrong_arrows(name, named, allowed, rank)
  local wrong = {}
  for target in pairs(named) do
    if not allowed[target] then
      wrong[#wrong + 1] = name .. " -> " .. target
    elseif rank[target] and rank[target] >= rank[name] then
      wrong[#wrong + 1] = name .. " -> " .. target .. " points up"
    end
  end
  for target in pairs(allowed) do
    if not named[target] then
      wrong[#wrong + 1] = name .. " -> " .. target .. " is allowed and not needed"
    end
  end
  table.sort(wrong)
  return wrong
end

describe("the layers of the Lua files:", function()
  local allowed, rank = by_name(LUA)
  local files = lua_files("lua", "", {})
  local modules = {}
  for name in pairs(files) do
    modules[name] = true
  end
  for _, name in ipairs(C_MODULES) do
    modules[name] = true
  end

  it("every file has its place in the table", function()
    assert.same({}, difference(sorted(modules), sorted(rank)))
  end)

  for _, name in ipairs(sorted(files)) do
    it(name .. " requires what it may, and nothing above it", function()
      assert.is_table(allowed[name], name .. " has no place in the table")
      assert.same({}, wrong_arrows(name, named_modules(read(files[name]), modules), allowed[name], rank))
    end)

    if not is_optional(name) and name ~= FACE then
      it(name .. " does without the optional parts", function()
        for target in pairs(named_modules(read(files[name]), modules)) do
          assert.is_false(is_optional(target), target)
        end
      end)
    end
  end

  it("the face loads no optional part before it is asked for one", function()
    local before = {}
    for name, value in pairs(package.loaded) do
      if is_optional(name) or name == FACE or name:match("^celements%.") then
        before[name], package.loaded[name] = value, nil
      end
    end
    require(FACE)
    local loaded = {}
    for name in pairs(package.loaded) do
      if is_optional(name) then
        loaded[#loaded + 1] = name
      end
    end
    for name, value in pairs(before) do
      package.loaded[name] = value
    end
    assert.same({}, loaded)
  end)
end)

describe("the layers of the C files:", function()
  local allowed, rank = by_name(C)
  local texts = {}
  for name in lfs.dir("csrc") do
    local unit = DOORS[name] and name or name:match("^([%w_]+)%.[ch]$")
    if unit then
      texts[unit] = (texts[unit] or "") .. "\n" .. read("csrc/" .. name)
    end
  end

  it("every file has its place in the table", function()
    assert.same({}, difference(sorted(texts), sorted(rank)))
  end)

  for _, unit in ipairs(sorted(texts)) do
    local text = texts[unit]

    it(unit .. " includes what it may, and nothing above it", function()
      assert.is_table(allowed[unit], unit .. " has no place in the table")
      local named = {}
      for header in text:gmatch('\n%s*#%s*include%s*"([^"]+)"') do
        local target = DOORS[header] and header or header:gsub("%.h$", "")
        if target ~= unit then
          named[target] = true
        end
      end
      assert.same({}, wrong_arrows(unit, named, allowed[unit], rank))
    end)

    it(unit .. " sees only the library that it is for", function()
      if unit:sub(1, 1) ~= "l" then
        assert.is_nil(text:match("\n%s*#%s*include%s*<l[ua][^>]*>"), "a pure file that knows of Lua")
        assert.is_nil(text:match("[^%w]lua_State[^%w]"), "a pure file that knows of Lua")
      end
      assert.equal(SEES_CURL[unit] or false, text:find("<curl/", 1, true) ~= nil)
      assert.equal(SEES_SODIUM[unit] or false, text:find("<sodium", 1, true) ~= nil)
    end)
  end
end)
