--- Exactly one instance for a name of the program's own, also when an answer is lost.
-- The platform has no idempotency key, but instances have tags: the name becomes a tag,
-- and the tag tells what exists.  Pure policy: looking, creating, deleting, the clock and
-- sleeping are arguments.
--
-- What it can promise: as far as GET /instances shows what POST /instances made, there is
-- one instance for a name in the end, the oldest, whoever raced.  What it cannot: while
-- two processes race, a second one can exist for the time of one call; whoever sees both
-- deletes the younger.  What the list does not show yet, a creation that the platform is
-- still busy with or a list that lags, nobody can see; the next call with the same name
-- puts that right, and whoever held the younger one has to call again too.

local errors = require "celements.error"

local M = {}

local PREFIX = "celements-once:"

-- After a lost answer the platform may still be at work: look this often, in seconds.
local LOOKS = { 0, 0.25, 0.5, 1, 2 }

local AGAIN = "call again with the same `once`: it looks for the instance before it creates one"

--- The tag for a name, or what is wrong with the name.  Tags are stripped of markup by
-- the platform (platform 3), so only plain characters can be told apart.
---@param name string
---@return string? tag
---@return string? problem
function M.tag(name)
  if name == "" or #name > 100 or name:find("[^%w._:/@+-]") then
    return nil, "once has to be 1 to 100 of the characters A-Z a-z 0-9 . _ : / @ + -"
  end
  return PREFIX .. name
end

--- Does an instance carry the tag?  Never trust a list to be what was asked for: what is
-- not ours is not ours to delete.
---@param instance table
---@param wanted string
---@return boolean
function M.has_tag(instance, wanted)
  for _, tag in ipairs(type(instance.tags) == "table" and instance.tags or {}) do
    if tag == wanted or type(tag) == "table" and tag.name == wanted then
      return true
    end
  end
  return false
end

local function is_of(instance, element)
  local own = instance.element
  if type(own) ~= "table" then
    return true -- a row that does not say
  end
  local wanted = tostring(type(element.key) == "string" and element.key or element.id)
  return tostring(own.key) == wanted or tostring(own.id) == wanted
end

local function of_another(instance, name)
  return errors.new {
    kind = "config",
    message = ("once = '%s' is the name of instance %s, which is of the element %s")
      :format(name.tag:sub(#PREFIX + 1), tostring(instance.id), tostring(instance.element.key or instance.element.id)),
    outcome = "not_sent",
    hint = "give each instance a name of its own, such as hubspot/customer-42",
  }
end

-- The instances of that name, or nil and why that cannot be said.
local function look(ops, name)
  local rows, info = ops.find()
  if not rows then
    return nil, info
  end
  local found = {}
  for _, row in ipairs(rows) do
    if M.has_tag(row, name.tag) then
      if not is_of(row, name.element) then
        return nil, of_another(row, name)
      end
      found[#found + 1] = row
    end
  end
  return found, info
end

-- The same order for whoever looks: by date where all have one, else by id.
local function sort_by_age(instances)
  local dated = true
  for _, each in ipairs(instances) do
    dated = dated and type(each.createdDate) == "string"
  end
  table.sort(instances, function(a, b)
    if dated and a.createdDate ~= b.createdDate then
      return a.createdDate < b.createdDate
    end
    return (tonumber(a.id) or 0) < (tonumber(b.id) or 0)
  end)
end

-- Of several the oldest stays, whoever looks; the others go.  `mine` is one that was
-- made just now, which a slow list may not show yet.
local function settle(ops, instances, mine)
  local shown = mine == nil
  for _, each in ipairs(instances) do
    shown = shown or each.id == mine.id
  end
  if not shown then
    instances[#instances + 1] = mine
  end
  sort_by_age(instances)
  for i = 2, #instances do
    local gone, err = ops.delete(instances[i].id)
    if not gone and err.status ~= 404 then
      err.outcome = "unknown"
      err.hint = (err.hint and err.hint .. "; " or "") .. "then " .. AGAIN
      return nil, err
    end
  end
  local oldest = instances[1]
  if mine and oldest.id == mine.id then
    return mine, false
  end
  return oldest, true
end

-- What a lost answer may have created.  Nil when nothing is there, and the error when
-- that is not sure.
local function look_for_lost(ops, name)
  local failed
  for _, delay in ipairs(LOOKS) do
    if delay > 0 then
      if not ops.time_for(delay) then
        break
      end
      ops.sleep(delay)
    end
    local found, info = look(ops, name)
    if found and #found > 0 then
      return found
    end
    failed = not found and info or nil
  end
  return nil, failed
end

-- A provider takes a grant once.  What it refuses may be what another call, which the first
-- look was too early for, has made an instance of.
local function look_for_spent(ops, name, err)
  local found = err.provider_message and look(ops, name)
  return found and #found > 0 and found or nil
end

-- The instance that stays, with the info for it.
local function settled(ops, instances, info, mine)
  local kept, found = settle(ops, instances, mine)
  if not kept then
    return nil, found
  end
  info.found = found or nil
  return kept, info
end

--- Find the instance, or create it, or find what a lost answer created.
---@param ops {find: fun(): table[]?, table, create: fun(): table?, table, delete: fun(id: any): true?, table, sleep: fun(seconds: number), time_for: fun(seconds: number): boolean}
---@param name {tag: string, element: {key?: string, id?: any}}  of which element the instance is to be
---@param tries integer  how often to create at most
---@return table? instance
---@return table info  with found = true when it was there already; or celements.Error
function M.run(ops, name, tries)
  local existing, info = look(ops, name)
  if existing == nil then
    return nil, info
  elseif #existing > 0 then
    return settled(ops, existing, info)
  end
  local lost
  for _ = 1, tries do
    local instance
    instance, info = ops.create()
    if instance then
      return settled(ops, look(ops, name) or {}, info, instance)
    end
    local found, unsure
    if info.outcome ~= "unknown" and not lost then
      found = look_for_spent(ops, name, info)
      if not found then
        return nil, info
      end
    else
      lost = lost or info
      found, unsure = look_for_lost(ops, name)
    end
    if found then
      return settled(ops, found, { status = 200, headers = {}, attempts = info.attempts, reused = false })
    elseif info.outcome ~= "unknown" then
      lost.message = ("%s; sent again, it failed: %s"):format(lost.message, info.message)
      break
    elseif unsure or not ops.time_for(0) then
      break -- one more could be one too many
    end
  end
  lost.hint = AGAIN
  return nil, lost
end

return M
