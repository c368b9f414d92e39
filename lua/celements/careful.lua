--- Creating an instance with `once` or `check`: looking before and after.
-- What celements.instance needs for the two options, and reads only then.

local client = require "celements.client"
local element_of = require "celements.element"
local once = require "celements.once"
local params_of = require "celements.params"

local M = {}

-- How often to create when answers are lost and nothing is found.
local TRIES = 3

-- What celements.once needs; options are those of client.within().
local function operations(self, create, tag, options, level)
  return {
    find = function()
      local pages = element_of.list(self, "/instances", { "tags[]", tag }, {}, level + 1, "uo", options)
      local found, err = pages:all()
      return found, err or pages.info
    end,
    create = create,
    delete = function(id)
      local gone, err = client.send(self, { method = "DELETE", path = client.path("instances", id) }, options, level + 1)
      return gone, err
    end,
    sleep = function(seconds)
      client.sleep(self, seconds)
    end,
    time_for = function(seconds)
      return client.clock() + seconds < options.deadline
    end,
  }
end

--- Exactly one instance with the tag.  create() makes one more; options are those of
-- client.within().
---@param self celements.Client
---@param create fun(): celements.Instance?, table
---@param wanted {tag: string, element: table}
---@param options table
---@param level integer
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function M.once(self, create, wanted, options, level)
  local started = client.clock()
  local ops = operations(self, create, wanted.tag, options, level + 1)
  local instance, info = once.run(ops, wanted, TRIES)
  if instance then
    info.seconds = client.clock() - started
  end
  return instance, info
end

-- The names of what is required, has no default and is not given.
local function add_missing(missing, wanted, given, prefix)
  given = type(given) == "table" and given or {}
  for _, each in ipairs(wanted) do
    if params_of.is_absent(given[each.key]) and each.default == nil then
      missing[#missing + 1] = prefix .. each.key
    end
  end
end

-- Adds what the catalogue wants and the body does not have; the error when it cannot be asked.
local function ask(self, body, missing, prefix, options, level)
  local auth_type = type(body.configuration) == "table" and body.configuration["authentication.type"]
  if type(auth_type) ~= "string" or auth_type == "" then
    auth_type = nil
  end
  local element = body.element
  local key = params_of.is_absent(element.key) and element.id or element.key
  local wanted, err, about = element_of.requirements(self, key, auth_type, options, level + 1)
  if wanted == nil then
    return err
  end
  local granted
  granted, err = element_of.provider_data(self, key, about, options, level + 1)
  if granted == nil then
    return err
  end
  add_missing(missing, wanted, body.configuration, "")
  add_missing(missing, granted, body.providerData, prefix)
end

-- Does what has to be known to ask stand in <...> still?
local function is_unknown(placeholders)
  for _, place in ipairs(placeholders) do
    if place == "element" or place:find("^element%.") or place == "configuration.authentication.type" then
      return true
    end
  end
  return false
end

--- Asks the catalogue what the element wants, and names it together with what is missing
-- else.
---@param self celements.Client
---@param body table  what is to be sent
---@param found {missing: string[], placeholders: string[]}  added to
---@param prefix string  how the caller calls the provider data, and a dot
---@param options table  those of client.within()
---@param level integer
---@return celements.Error? err  names all that is missing
function M.check(self, body, found, prefix, options, level)
  local failed
  if body.element and client.missing_secrets(self)[1] == nil and not is_unknown(found.placeholders) then
    failed = ask(self, body, found.missing, prefix, options, level + 1)
  end
  return params_of.incomplete(found.missing, found.placeholders) or failed
end

return M
