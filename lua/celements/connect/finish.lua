--- From a provider's answer to one instance, however often the answer comes.
-- Pure but for the client and the store: the clock, sleeping and what goes on beside are
-- the flow's, see celements.connect.flow.
--
-- A callback is submitted twice: a double click, a back button, a browser that tries again.
-- Who claims the flow in the store creates; whoever does not waits for the result, and takes over when
-- the claim's lease runs out, since then its host has died.  That nothing is created twice
-- even so is for `once`, see celements.once.
--
-- A creation whose answer nobody has, since its host died or the answer was lost, may come to
-- its end later than the next one is refused for the grant that it has spent.  So while that
-- can be, a refusal is not the last word: who asks again finds the instance.  And after it,
-- whoever took over looks whether there are two.

local client = require "celements.client"
local once = require "celements.once"
local redact = require "celements.redact"

local M = {}

-- Names in the store.
local FLOW, DONE, INSTANCE = "celements/flow/", "celements/done/", "celements/instance"

local ONCE = "flow/"

local WAIT = 150                  -- seconds for the result of another request; a creation has 120
local UNDER_WAY = 130             -- seconds for which one that nobody waits for may go on
local LOOK_FIRST, LOOK_LAST = 0.05, 0.5
local PUT_AGAIN = { 0.1, 0.5, 1 } -- seconds before each further try

-- What the platform or the provider will say again however often it is asked.
local FINAL = { invalid = true, not_found = true, conflict = true, forbidden = true }

-- What an application needs of an instance later.  Its configuration may hold the
-- provider's tokens, and is the platform's to keep.
local KEPT = { "id", "name", "token", "tags", "createdDate", "valid", "disabled" }

--- The store's name for an instance of a user, or what those of all of a user's begin with.
---@param user string
---@param id? integer|string
---@return string
function M.key(user, id)
  if id == nil then
    return INSTANCE .. client.path(user) .. "/"
  end
  return INSTANCE .. client.path(user, id)
end

--- The name under which the platform finds a flow's instance again.
---@param id string
---@return string
function M.once(id)
  return ONCE .. id
end

local function record_of(self, instance)
  local record = {}
  for _, name in ipairs(KEPT) do
    record[name] = instance[name]
  end
  local own = type(instance.element) == "table" and instance.element or {}
  record.element = { id = own.id, key = own.key or self.element_name, name = own.name }
  return record
end

-- The instance and its token are all that is left of what the user agreed to: try again.
local function keep(self, user, instance)
  local key, record = M.key(user, instance.id), record_of(self, instance)
  local kept, err
  for i = 0, #PUT_AGAIN do
    if i > 0 then
      self.sleep(PUT_AGAIN[i])
    end
    kept, err = self.store:put(key, record)
    if kept then
      return true
    end
  end
  return nil, err
end

-- Everything secret of this flow, for texts of other people's making.
local function secrets(self, pass, instance)
  local values = { self.api_secret, instance.token }
  for _, value in pairs(pass.params.provider_data) do
    if type(value) == "string" and value ~= "" then
      values[#values + 1] = value
    end
  end
  return values
end

local function tell(self, pass, instance)
  if not self.on_connected then
    return true
  end
  local fine, problem = pcall(self.on_connected, instance, self.context(pass.facts))
  if fine then
    return true
  end
  return nil, self.problem("application", "on_connected raised: "
    .. redact.text(tostring(problem):sub(1, 2000), secrets(self, pass, instance)),
    "the instance is in the store; when the user tries again, on_connected gets it again")
end

local function reason_of(err)
  if err.provider_message then
    return "provider"
  end
  return (FINAL[err.kind] or err.kind == "config" or err.kind == "auth") and "setup" or "platform"
end

local function finish(self, pass, done)
  local kept, err = self.store:put(DONE .. pass.id, done, self.state_ttl)
  if not kept then
    -- A further submit finds the instance by its name, so nothing is lost.
    self.report(err, self.context(pass.facts, "storage"))
  end
end

-- Notes when the creation began, so that whoever comes later knows of it; nil: there is none.
local function note(self, pass, began)
  local left = began and math.min(UNDER_WAY, began + UNDER_WAY - self.now()) or 0
  if left < 1 then
    return self.store:delete(DONE .. pass.id)
  end
  return self.store:put(DONE .. pass.id, { user = pass.user_hash, began = began }, left)
end

-- The answer when there is no instance, which is the last word or is not.
local function refuse(self, pass, err)
  local reason = reason_of(err)
  local final = err.outcome == "refused" and (err.provider_message or FINAL[err.kind])
  if final and not pass.began then
    finish(self, pass, { user = pass.user_hash, failed = reason })
    return self.fail(reason, pass.facts, err, { clear = pass.cookie_name })
  elseif err.outcome ~= "unknown" then
    -- This one has ended, an earlier one may not have.  When the note of this one stays after
    -- all, the last word comes later.
    note(self, pass, pass.began)
  end
  return self.fail(final and "busy" or reason, pass.facts, err)
end

-- Deletes what a creation that nobody waited for has left beside the instance in the store.
local function sweep(self, user, id)
  local tag, stored, extra = once.tag(M.once(id)), false, {}
  local rows, err = self.client:instances({ tags = tag }):all()
  for _, row in ipairs(rows or {}) do
    if once.has_tag(row, tag) then
      local record
      record, err = self.store:get(M.key(user, row.id))
      if err then
        break
      elseif record then
        stored = true
      else
        extra[#extra + 1] = row.id
      end
    end
  end
  for i = 1, stored and not err and #extra or 0 do
    local gone, problem = self.client:delete_instance(extra[i])
    err = not gone and problem or err
  end
  return err
end

local function sweep_later(self, pass)
  local user, id, context = pass.user, pass.id, self.context(pass.facts, "platform")
  self.later(math.max(1, math.min(UNDER_WAY, pass.began + UNDER_WAY - self.now())), function()
    local err = sweep(self, user, id)
    if err then
      self.report(err, context)
    end
  end)
end

-- All that is done once.  -> the response
local function create(self, pass)
  local kept, err = note(self, pass, self.now())
  if not kept then
    return self.fail("storage", pass.facts, err)
  end
  local instance
  instance, err = self.client:create_instance(pass.params)
  if not instance then
    return refuse(self, pass, err)
  end
  kept, err = keep(self, pass.user, instance)
  if not kept then
    return self.fail("storage", pass.facts, err)
  end
  if pass.began then
    sweep_later(self, pass)
  end
  local told
  told, err = tell(self, pass, instance)
  if not told then
    return self.fail("application", pass.facts, err)
  end
  local done = { user = pass.user_hash, to = pass.facts.return_to }
  finish(self, pass, done)
  return self.redirect(done.to, pass.cookie_name)
end

-- While this goes on, the claim is renewed: a host that lives keeps its flow.
local function create_claimed(self, pass, owner)
  local key = FLOW .. pass.id
  local stop = self.every(self.lease / 3, function()
    self.store:claim(key, self.lease, owner)
  end)
  local fine, response = pcall(create, self, pass)
  stop()
  self.store:release(key, owner)
  if not fine then
    error(response, 0)
  end
  return response
end

local function answer_again(self, pass, done)
  if done.to then
    return self.redirect(done.to, pass.cookie_name)
  end
  return self.fail(done.failed, pass.facts, nil, { clear = pass.cookie_name })
end

-- What this flow came to, if it has come to an end: for its user only.
local function result_of(self, pass)
  local done, err = self.store:get(DONE .. pass.id)
  pass.began = done and done.began
  if done and not done.began and done.user == pass.user_hash then
    return answer_again(self, pass, done)
  end
  return nil, err
end

--- Answer a callback whose arguments have been looked at.
-- `pass` is what the flow knows of it: id, user, user_hash, facts, cookie_name, params for
-- create_instance, and `blocked` ({reason, err, more}) when it cannot go on.
---@param self table  celements.connect.flow's inside
---@param pass table
---@return table response
function M.run(self, pass)
  local response, err = result_of(self, pass)
  if response then
    return response
  elseif pass.blocked then
    return self.fail(pass.blocked[1], pass.facts, pass.blocked[2], pass.blocked[3])
  elseif err then
    return self.fail("storage", pass.facts, err)
  end
  local owner, pause, ends = self.token(12), LOOK_FIRST, self.now() + WAIT
  while true do
    local mine
    mine, err = self.store:claim(FLOW .. pass.id, self.lease, owner)
    if mine == nil then
      return self.fail("storage", pass.facts, err)
    end
    -- Looked at after the claim: who had it may have come to an end just before.
    response, err = result_of(self, pass)
    if mine and not response and not err then
      return create_claimed(self, pass, owner)
    elseif mine then
      self.store:release(FLOW .. pass.id, owner)
    end
    if response then
      return response
    elseif err then
      return self.fail("storage", pass.facts, err)
    elseif self.now() >= ends then
      return self.fail("busy", pass.facts, self.problem("busy", "another request is still creating this instance"))
    end
    self.sleep(pause)
    pause = math.min(pause * 2, LOOK_LAST)
  end
end

return M
