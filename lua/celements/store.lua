--- Stores for tokens: one contract, whatever keeps them.  Values are sealed at rest.
-- Owns the contract: what a key, a lifetime and an owner may be, how a value becomes a
-- text and back.  A backend keeps texts under names and knows nothing of this file, and
-- neither knows anything of clients, OAuth or nginx's requests.
--
-- A backend is a table of functions: put(key, text, ms?), get(key), delete(key),
-- page(prefix, after, limit) -> keys, last scanned or nil at the end; claim(key, owner,
-- ms, again), release(key, owner), close(), and its name for people.  Each of them
-- returns nil and a celements.Error when the world fails.

local check = require "celements.check"
local core = require "celements.core"
local errors = require "celements.error"
local json = require "celements.json"
local pages = require "celements.page"

local KEY_MAX = 255          -- bytes
local TTL_MAX = 1e9          -- seconds, some 30 years
local PAGE_SIZE = 100
local PAGE_SIZE_MAX = 1000
local VALUE_MAX = 1024 * 1024

-- The limits of what celements.seal takes are ours as well.
local CONTEXT = "celements.store value "

-- What a store holds is in no field of it, where it would be printed by accident.
local private = setmetatable({}, { __mode = "k" })

---@class celements.Store
local store = {}

local store_mt = { __name = "celements.Store", __index = store, __metatable = "celements.Store" }

function store_mt:__tostring()
  return ("celements.Store (%s)"):format(private[self].name)
end

local function open_state(self, level)
  local state = private[self]
  if not state then
    error("not a celements.Store: call it with a colon, store:get(key)", level + 1)
  elseif state.closed then
    error("the store is closed", level + 1)
  end
  return state
end

local function check_key(key, level)
  check.type(key, "string", "the key", level + 1)
  if key == "" or #key > KEY_MAX or key:find("[^\32-\126]") then
    error(("the key has to be 1 to %d characters of printable ASCII; seal.hash(text) makes one out of any text")
      :format(KEY_MAX), level + 1)
  end
end

-- Seconds into milliseconds.
local function check_ttl(ttl, level)
  check.type(ttl, "number", "ttl", level + 1)
  if not (ttl >= 0.001 and ttl <= TTL_MAX) then
    error(("ttl has to be a number of seconds above 0, at most %d"):format(TTL_MAX), level + 1)
  end
  return math.floor(ttl * 1000)
end

-- An owner as it is kept: where values are sealed, who holds a claim is nobody's to read.
local function kept_owner(state, owner, level)
  if owner == nil then
    return nil
  end
  check.type(owner, "string", "the owner", level + 1)
  if owner == "" then
    error("the owner is empty", level + 1)
  end
  return state.hash and state.hash(owner) or owner
end

-- One value, or nil and the error.
local function answer(result, err)
  if err ~= nil then
    return nil, err
  end
  return result
end

local function cannot_open(state, reason)
  local hints = {
    ["unknown key"] = "give the key it was sealed with behind the new one: key = { new, old }",
    ["out of memory"] = "try again",
  }
  return errors.new {
    kind = "decode",
    message = ("what %s holds under this key cannot be opened: %s"):format(state.name, reason),
    reason = reason,
    hint = hints[reason] or "it was changed, moved or not made by this store: delete it and connect the account again",
  }
end

local function to_text(state, key, value)
  local text, err = json.encode(value)
  if not text then
    return nil, err
  elseif #text > VALUE_MAX then
    return nil, errors.new {
      kind = "too_large",
      message = ("a value of %d bytes is more than a store takes, which is 1 MiB"):format(#text),
      outcome = "not_sent",
    }
  end
  return state.box and state.box:seal(text, CONTEXT .. key) or text
end

local function to_value(state, key, text)
  if state.box then
    local reason
    text, reason = state.box:open(text, CONTEXT .. key)
    if not text then
      return nil, cannot_open(state, reason)
    end
  end
  local value = json.decode(text)
  if value == nil then
    return nil, cannot_open(state, "malformed") -- the parser's words could quote the value
  end
  return value
end

--- Keep a value under a key, in place of what was there.  When it returns true, the value
--- is as safe as the backend makes it.  Not repeated when the answer is lost: outcome
--- "unknown".
---@param key string  1 to 255 characters of printable ASCII; readable at rest
---@param value any  what JSON can say, at most 1 MiB of it
---@param ttl? number  seconds after which it is gone; default: never
---@return true?
---@return celements.Error? err
function store:put(key, value, ttl)
  local state = open_state(self, 2)
  check_key(key, 2)
  if value == nil then
    error("there is no value; delete(key) takes one away", 2)
  end
  local ms = ttl ~= nil and check_ttl(ttl, 2) or nil
  local text, err = to_text(state, key, value)
  if not text then
    return nil, err
  end
  return answer(state.backend.put(key, text, ms))
end

--- The value under a key.  nil alone means that there is none; nil and an error that
--- nobody knows.
---@param key string
---@return any? value
---@return celements.Error? err
function store:get(key)
  local state = open_state(self, 2)
  check_key(key, 2)
  local text, err = state.backend.get(key)
  if text == nil then
    return answer(nil, err)
  end
  return to_value(state, key, text)
end

--- Take away what is under a key.
---@param key string
---@return boolean? deleted  false: there was nothing
---@return celements.Error? err
function store:delete(key)
  local state = open_state(self, 2)
  check_key(key, 2)
  return answer(state.backend.delete(key))
end

local LIST_OPTIONS = { page_size = true, limit = true, page = true }

local function check_count(value, name, most, level)
  check.type(value, "number", name, level + 1)
  if not (value >= 1 and value <= most and value % 1 == 0) then
    error(("%s has to be a whole number from 1 to %d"):format(name, most), level + 1)
  end
end

local function check_list_options(options, level)
  check.table(options, "options", level + 1)
  for name in pairs(options) do
    if not LIST_OPTIONS[name] then
      check.unknown(name, LIST_OPTIONS, "option", level + 1)
    end
  end
  if options.page_size ~= nil then
    check_count(options.page_size, "page_size", PAGE_SIZE_MAX, level + 1)
  end
  if options.limit ~= nil then
    check_count(options.limit, "limit", 2 ^ 53, level + 1)
  end
  if options.page ~= nil then
    check_key(options.page, level + 1)
  end
end

--- The keys that begin with a prefix, in the order of their bytes, page by page: an
--- iterator, `for key in store:list("user:") do`.  A page that cannot be had raises there,
--- and is nil and the error from it:step() and it:all(); the list never ends early in
--- silence.  A key that is put or deleted meanwhile may be in it or not; any other is in
--- it once.
---@param prefix? string
---@param options? {page_size?: integer, limit?: integer, page?: string}  page_size: keys asked for at a time, default 100; page: the next_page of an earlier list, to go on from
---@return celements.Pages
function store:list(prefix, options)
  local state = open_state(self, 2)
  prefix = prefix == nil and "" or prefix
  check.type(prefix, "string", "the prefix", 2)
  if prefix ~= "" then
    check_key(prefix, 2)
  end
  options = options or {}
  check_list_options(options, 2)
  local size = options.page_size or PAGE_SIZE
  return pages.new(function(after)
    if state.closed then
      return nil, errors.new { kind = "config", message = "the store is closed", outcome = "not_sent" }
    end
    local keys, last = state.backend.page(prefix, after or "", size)
    if not keys then
      return nil, last
    end
    return json.array(keys), { headers = { ["elements-next-page-token"] = last } }
  end, { limit = options.limit, page = options.page })
end

--- Take a name for some time, once: true for the first who asks, on whatever machine,
--- false for all others until it is released or the time is up.  Asked again by the same
--- owner it is true and the time begins anew.  Claims and values are apart: a claim of
--- "a" has nothing to do with a value under "a".
---@param key string
---@param ttl number  seconds, by the clock of the backend
---@param owner? string  who claims; without it nobody can extend or release the claim
---@return boolean? claimed
---@return celements.Error? err  it is not known whether it is claimed; with an owner, ask again
function store:claim(key, ttl, owner)
  local state = open_state(self, 2)
  check_key(key, 2)
  local ms = check_ttl(ttl, 2)
  local kept = kept_owner(state, owner, 2)
  local again = kept ~= nil
  if not kept then
    kept = core.secret.random(16):gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
  end
  return answer(state.backend.claim(key, kept, ms, again))
end

--- Give a claim back, if this owner has it.
---@param key string
---@param owner string
---@return boolean? released  false: it is not this owner's, or not any more
---@return celements.Error? err
function store:release(key, owner)
  local state = open_state(self, 2)
  check_key(key, 2)
  check.type(owner, "string", "the owner", 2)
  return answer(state.backend.release(key, kept_owner(state, owner, 2)))
end

--- Let go of the connection and wipe the key.  A second close does nothing; anything else
--- raises from then on, and a list that was begun fails at its next page.
function store:close()
  local state = private[self]
  if state.closed then
    return
  end
  state.closed = true
  state.backend.close()
  if state.box then
    state.box:close()
  end
end

local function check_options(options, known, level)
  check.table(options, "options", level + 1)
  for name, value in pairs(options) do
    local types = known[name]
    if not types then
      check.unknown(name, known, "option", level + 1)
    end
    check.type(value, types, name, level + 1)
  end
end

-- celements.seal raises where it is called; the mistake is further away.
local function make_box(seal, key, level)
  local fine, box = pcall(seal.new, key)
  if not fine then
    error("key: " .. (tostring(box):match("%((.*)%)$") or "it cannot be used"), level + 1)
  end
  return box
end

local function open(module, options, level)
  check_options(options, module.OPTIONS, level + 1)
  local state = { backend = module.new(options, level + 1) }
  if options.key ~= nil then
    local seal = require "celements.seal"
    state.box, state.hash = make_box(seal, options.key, level + 1), seal.hash
  elseif module.KEY_NEEDED then
    error("key is missing: values are sealed with it, 32 random bytes or more (openssl rand -base64 32)", level + 1)
  end
  state.name = state.backend.name
  local self = setmetatable({}, store_mt)
  private[self] = state
  return self
end

local M = {}

--- Values in the memory of this Lua state, or of nginx's workers on this machine: gone
--- when the process ends.  Blocks nobody, except that a list of a `dict` holds that for a
--- moment.
---@param options? {dict?: string, key?: string|string[]}  dict: the name of a lua_shared_dict; key: as celements.seal.new takes it, default: not sealed
---@return celements.Store
function M.memory(options)
  local self = open(require "celements.store.memory", options == nil and {} or options, 2)
  return self
end

--- Values in an SQL database through LuaDBI: an SQLite file, or PostgreSQL.  Blocks while
--- the database works, also in nginx; connects at the first call, and after a fork again.
---@param options {key: string|string[], path?: string, url?: string, table?: string, timeout?: number}  path: the SQLite file; url: postgresql://user:password@host:port/database; table: how the tables' names begin, default "celements"; timeout: seconds, default 5
---@return celements.Store
function M.sql(options)
  local self = open(require "celements.store.sql", options, 2)
  return self
end

--- Values in Redis, for any number of machines.  Blocks no worker in nginx; elsewhere it
--- blocks.  Connects at the first call, and after a fork again.
---@param options {key: string|string[], host?: string, port?: integer, path?: string, username?: string, password?: string, db?: integer, prefix?: string, timeout?: number, client?: table|fun(): table}  path: a unix socket; prefix: how the names in Redis begin, default "celements:"; timeout: seconds for each step, default 5; client: a client object to use, or what gives one for each call
---@return celements.Store
function M.redis(options)
  local self = open(require "celements.store.redis", options, 2)
  return self
end

return M
