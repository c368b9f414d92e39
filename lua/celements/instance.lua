--- Creating an instance, and the form of its body.  Adds create_instance to celements.Client.
-- Knows the body's names; the configuration keys are the element's own business.

local client = require "celements.client"
local core = require "celements.core"
local raw = require "celements.json.raw"

---@class celements.Client
local methods = client.methods

local encode = raw.encode

local M = {}

local RENAMES = {
  provider_data = "providerData",
  external_authentication = "externalAuthentication",
  oauth_proxy = "oauthProxy",
  retrieve_objects = "retrieveObjectsAfterInstantiation",
}

local TYPES = {
  element = "string or table or number",
  name = "string",
  providerData = "table",
  configuration = "table",
  tags = "string or table",
  oauthProxy = "table",
  retrieveObjectsAfterInstantiation = "boolean or string", -- a configuration's booleans are text, too
  externalAuthentication = "string",
  once = "string",
  check = "boolean",
}

-- The forms that usual values have, as core.params.wire knows them.
local FORMS = { element = "key", tags = "", once = false, check = false }

-- The vendor's own run of one creation took 61 seconds.
local TIMEOUT = 120

-- POST /instances with a complete body; text is that body encoded, where it is known, and
-- ordinary what celements.json.raw says of it; checked says that the catalogue was asked.
local function post(self, body, text, ordinary, checked, options, level)
  local call = {
    method = "POST", path = "/instances", json = body, body = text, usual_timeout = TIMEOUT, wants = "an instance",
    ordinary = ordinary, checked = checked,
  }
  local instance, info = client.send(self, call, options, level + 1)
  return instance, info
end

-- The body out of the parameters, the tag that `once` stands for, and whether to ask the
-- catalogue first.  Raises for what cannot be meant; sends nothing.
local function shape(params, level)
  local body, plain = core.params.wire(params, RENAMES, TYPES, FORMS)
  if plain then
    return body -- as nearly all are
  end
  local tag, wants_check
  body, tag, wants_check = require("celements.instance_params").read(params, RENAMES, TYPES, level + 1)
  return body, tag, wants_check
end

--- A body to change an instance with, out of names as create_instance takes them: the wire's
-- names, an object for the element, an array for the tags.
---@param params table
---@param level integer  whose line a raised error names
---@return table body  a copy
function M.body(params, level)
  local body = require("celements.instance_params").body(params, RENAMES, TYPES, level + 1)
  return body
end

--- What client:create_instance does; `level` is whose line a raised error names, as for
-- error() in the function that calls this one.
function M.create(self, params, options, level)
  local body, tag, wants_check = shape(params, level + 1)
  if options ~= nil then
    client.check_options(options, level + 1)
  end
  if tag or wants_check then
    options = client.within(self, options, TIMEOUT)
  end
  local text, ordinary = encode(body)
  if ordinary ~= true or not body.element or wants_check or client.missing_secrets(self)[1] then
    local err = require("celements.instance_params").problem(self, params, body, text, wants_check, options, level + 1)
    if err then
      return nil, err
    end
    text, ordinary = nil, false
  end
  local instance, info
  if tag then
    local function create()
      local made, about = post(self, body, nil, false, wants_check, options, level + 1)
      return made, about
    end
    instance, info = require("celements.careful").once(self, create, { tag = tag, element = body.element }, options, level + 1)
  else
    instance, info = post(self, body, text, ordinary, wants_check, options, level + 1)
  end
  return instance, info
end

--- One of many: as client:create_instance, but what cannot be meant is its error and raises
-- nothing.  options are checked.
---@param self celements.Client
---@param params celements.InstanceParams
---@param options celements.CallOptions
---@return celements.Instance? instance
---@return celements.Info info  or celements.Error
function M.create_item(self, params, options)
  local fine, problem = pcall(shape, params, 1) -- names no line: its place in the list says where
  if not fine then
    return nil, require("celements.failure").not_sent({ method = "POST", path = "/instances" }, "config", problem)
  end
  local instance, info = M.create(self, params, options, 2)
  return instance, info
end

--- Create an instance of an element: POST /instances.
-- Yields in event loops, blocks elsewhere.  Sent at most once, whatever happens: when
-- the answer is lost, err.outcome is "unknown".  A second call makes a second instance,
-- unless `once` names it: then what exists under that name is looked up and returned
-- (info.found), also when an answer was lost.  When two processes race with one name, the
-- oldest instance stays and the other is deleted.  `check = true` asks the catalogue first
-- and names all that is missing, provider data included, before a code is spent.
---@param params celements.InstanceParams  element, name, provider_data, configuration, tags, once, check ...; a decoded instance.json will do
---@param options? celements.CallOptions
---@return celements.Instance? instance  as the platform gave it; `token` is what calls with it need
---@return celements.Info info  or celements.Error
function methods:create_instance(params, options)
  local instance, info = M.create(self, params, options, 2)
  return instance, info
end

return M
