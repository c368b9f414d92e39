--- Exactly one instance for a name of the program's own, also when an answer is lost.
-- The platform has no idempotency key, but instances have tags: the name becomes a tag,
-- and the tag tells what exists.  Pure policy: looking, creating, deleting, the clock and
-- sleeping are arguments.
--
-- What it can promise: as far as GET /instances shows what POST /instances made, there is
-- one instance for a name in the end, the oldest, whoever raced.  While two processes
-- race, a second one can exist for the time of one call; it is deleted by whoever sees
-- both.  A platform whose list lags behind its creates could show neither process the
-- other's; the next call with the same name puts that right.

local M = {}

local PREFIX = "celements-once:"

-- After a lost answer the platform may still be at work: look this often, in seconds.
local LOOKS = { 0, 0.25, 0.5, 1, 2 }

--- The tag for a name, or what is wrong with the name.  Tags are stripped of markup by
-- the platform (contract section 3), so only plain characters can be told apart.
---@param name string
---@return string? tag
---@return string? problem
function M.tag(name)
  if name == "" or #name > 100 or name:find("[^%w._:/@+-]") then
    return nil, "once has to be 1 to 100 of the characters A-Z a-z 0-9 . _ : / @ + -"
  end
  return PREFIX .. name
end

local function older(a, b)
  local a_date, b_date = tostring(a.createdDate or ""), tostring(b.createdDate or "")
  if a_date ~= b_date then
    return a_date < b_date
  end
  return (tonumber(a.id) or 0) < (tonumber(b.id) or 0)
end

-- Of several the oldest stays, whoever looks; the others go.
local function settle(ops, instances, mine)
  table.sort(instances, older)
  for i = 2, #instances do
    local gone, err = ops.delete(instances[i].id)
    if not gone and err.status ~= 404 then
      return nil, err
    end
  end
  local oldest = instances[1]
  if mine and oldest.id == mine.id then
    return mine, false
  end
  return oldest, true
end

local function look_for_lost(ops)
  local err
  for _, delay in ipairs(LOOKS) do
    if delay > 0 then
      if not ops.time_for(delay) then
        break
      end
      ops.sleep(delay)
    end
    local found
    found, err = ops.find()
    if found and #found > 0 then
      return found
    end
  end
  return nil, err
end

--- Find the instance, or create it, or find what a lost answer created.
---@param ops {find: fun(): table[]?, table, create: fun(): table?, table, delete: fun(id: any): true?, table, sleep: fun(seconds: number), time_for: fun(seconds: number): boolean}
---@param tries integer  how often to create at most
---@return table? instance
---@return table info  with found = true when it was there already; or celements.Error
function M.run(ops, tries)
  local existing, info = ops.find()
  if existing == nil then
    return nil, info
  elseif #existing > 0 then
    local instance, err = settle(ops, existing)
    if not instance then
      return nil, err
    end
    info.found = true
    return instance, info
  end
  local lost
  for _ = 1, tries do
    local instance
    instance, info = ops.create()
    if instance then
      local all = ops.find()
      if all == nil or #all == 0 then
        return instance, info
      end
      local kept, found = settle(ops, all, instance)
      if kept == nil then
        return nil, found
      end
      info.found = found or nil
      return kept, info
    end
    if info.outcome ~= "unknown" and not lost then
      return nil, info
    end
    lost = info
    local found = look_for_lost(ops)
    if found then
      local kept, err = settle(ops, found)
      if not kept then
        return nil, err
      end
      return kept, { status = 200, request_id = info.request_id, headers = {}, attempts = info.attempts, found = true }
    end
    if info.outcome ~= "unknown" or not ops.time_for(0) then
      break
    end
  end
  lost.hint = "call again with the same `once`: it looks for the instance before it creates one"
  return nil, lost
end

return M
