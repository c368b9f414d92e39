--- A backend in memory: of this Lua state, or an ngx.shared.DICT for the workers of one nginx.
-- Owns the tables, or the names "v:KEY", "c:KEY" and "g:KEY" in the dict.

local core = require "celements.core"
local errors = require "celements.error"

local SWEEP_EVERY = 1000   -- writes after which what has expired is taken away
local GUARD_SECONDS = 1    -- for a worker that was killed in the moment that it held the guard
local GUARD_TRIES = 1e6

local M = {
  OPTIONS = { dict = "string", key = "string or table" },
}

-- The first `limit` of the names behind `after` that begin with the prefix.
local function page_of(names, prefix, after, limit)
  local found = {}
  for _, name in ipairs(names) do
    if name > after and name:sub(1, #prefix) == prefix then
      found[#found + 1] = name
    end
  end
  table.sort(found)
  local more = #found > limit
  for i = #found, limit + 1, -1 do
    found[i] = nil
  end
  return found, more and found[limit] or nil
end

local function of_this_state()
  local values, claims, writes = {}, {}, 0

  local function live(entries, key)
    local entry = entries[key]
    if entry and entry.ends and entry.ends <= core.engine.clock() then
      entries[key], entry = nil, nil
    end
    return entry
  end

  local function sweep(entries)
    local names = {}
    for key in pairs(entries) do
      names[#names + 1] = key
    end
    for _, key in ipairs(names) do
      live(entries, key)
    end
  end

  local function write(entries, key, text, ms)
    writes = writes + 1
    if writes % SWEEP_EVERY == 0 then
      sweep(values)
      sweep(claims)
    end
    entries[key] = { text = text, ends = ms and core.engine.clock() + ms / 1000 }
    return true
  end

  local backend = { name = "the memory of this process" }

  function backend.put(key, text, ms)
    return write(values, key, text, ms)
  end

  function backend.get(key)
    local entry = live(values, key)
    return entry and entry.text
  end

  function backend.delete(key)
    local there = live(values, key) ~= nil
    values[key] = nil
    return there
  end

  function backend.page(prefix, after, limit)
    local names = {}
    sweep(values)
    for key in pairs(values) do
      names[#names + 1] = key
    end
    return page_of(names, prefix, after, limit)
  end

  function backend.claim(key, owner, ms)
    local held = live(claims, key)
    if held and held.text ~= owner then
      return false
    end
    return write(claims, key, owner, ms)
  end

  function backend.release(key, owner)
    local held = live(claims, key)
    if not held or held.text ~= owner then
      return false
    end
    claims[key] = nil
    return true
  end

  function backend.close()
    values, claims = {}, {}
  end

  return backend
end

local function of_dict(name, dict)
  local backend = { name = ("lua_shared_dict %s"):format(name) }

  local function failed(problem)
    return nil, errors.new {
      kind = "server",
      message = ("%s does not take it: %s"):format(backend.name, problem),
      outcome = "refused",
      hint = problem == "no memory" and "make it larger, in nginx's configuration" or nil,
    }
  end

  -- safe_set throws nothing else out to make room: that would be somebody's token.
  local function write(key, text, ms)
    local done, problem = dict:safe_set(key, text, ms and ms / 1000 or 0)
    if not done then
      return failed(problem)
    end
    return true
  end

  -- Runs what reads and then writes, while no other worker does.  Nothing in there waits,
  -- so nobody holds the guard for longer than a moment.
  local function guarded(key, work)
    local guard = "g:" .. key
    for _ = 1, GUARD_TRIES do
      local mine, problem = dict:safe_add(guard, true, GUARD_SECONDS)
      if mine then
        local result, err = work()
        dict:delete(guard)
        return result, err
      elseif problem ~= "exists" then
        return failed(problem)
      end
    end
    return failed("another worker holds it")
  end

  function backend.put(key, text, ms)
    return write("v:" .. key, text, ms)
  end

  function backend.get(key)
    return (dict:get("v:" .. key))
  end

  function backend.delete(key)
    return guarded(key, function()
      local there = dict:get("v:" .. key) ~= nil
      dict:delete("v:" .. key)
      return there
    end)
  end

  -- The dict knows no order: all names are looked at for each page.
  function backend.page(prefix, after, limit)
    local names = {}
    for _, each in ipairs(dict:get_keys(0)) do
      if each:sub(1, 2) == "v:" then
        names[#names + 1] = each:sub(3)
      end
    end
    return page_of(names, prefix, after, limit)
  end

  function backend.claim(key, owner, ms)
    return guarded(key, function()
      local held = dict:get("c:" .. key)
      if held and held ~= owner then
        return false
      end
      return write("c:" .. key, owner, ms)
    end)
  end

  function backend.release(key, owner)
    return guarded(key, function()
      if dict:get("c:" .. key) ~= owner then
        return false
      end
      dict:delete("c:" .. key)
      return true
    end)
  end

  function backend.close() end

  return backend
end

--- For celements.store alone.
---@param options table  checked: `dict`
---@param level integer  as for error()
---@return table backend
function M.new(options, level)
  if not options.dict then
    return of_this_state()
  end
  local ngx = rawget(_G, "ngx")
  local dict = type(ngx) == "table" and ngx.shared and ngx.shared[options.dict]
  if not dict then
    error(("dict: there is no lua_shared_dict %s; %s"):format(options.dict, type(ngx) == "table"
      and "nginx's configuration makes one, in its http block" or "only nginx has such, elsewhere leave dict out"), level + 1)
  end
  return of_dict(options.dict, dict)
end

return M
