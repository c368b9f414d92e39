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

--- Asks the catalogue what the element wants.
---@param self celements.Client
---@param body table  what is to be sent
---@param options table  those of client.within()
---@param level integer
---@return celements.Error? err  names all that is missing
function M.check(self, body, options, level)
  local configuration = type(body.configuration) == "table" and body.configuration or {}
  local auth_type = configuration["authentication.type"]
  if type(auth_type) ~= "string" then
    auth_type = nil
  end
  local element = body.element
  local wanted, err = element_of.requirements(self, element.key or element.id, auth_type, options, level + 1)
  if wanted == nil then
    return err
  end
  local missing = {}
  for _, each in ipairs(wanted) do
    if params_of.is_absent(configuration[each.key]) and each.default == nil then
      missing[#missing + 1] = each.key
    end
  end
  return params_of.incomplete(missing, {})
end

return M
