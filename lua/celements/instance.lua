--- Creating an instance, and the form of its body.  Adds create_instance to celements.Client.
-- Knows the body's names; the configuration keys are the element's own business.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local json = require "celements.json"
local params_of = require "celements.params"
local raw = require "celements.json.raw"

---@class celements.Client
local methods = client.methods

local unpack = table.unpack or unpack
local encode, null, find = raw.encode, json.null, string.find
local is_absent, count_of = params_of.is_absent, core.params.list

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

-- As an object, or nil where none is given.
local function element_object(element, level)
  local kind = type(element)
  if kind == "table" then
    local is_given = not (is_absent(element.key) and is_absent(element.id))
    return is_given and element or nil
  elseif is_absent(element) then
    return nil
  elseif kind == "number" then
    check.id(element, "element", level + 1)
    return { id = element }
  end
  return { key = element }
end

-- Always an array on the wire, also when it is one or none; one more behind them.  Raises
-- for what is no text.
local function tags_array(tags, one_more, level)
  local count = count_of(tags, true)
  if count and count > 0 and not one_more then
    return tags -- an array already
  end
  local copy = {}
  if type(tags) == "string" then
    copy[1] = tags
  elseif type(tags) == "table" then
    check.list(tags, "tags", level + 1)
    for i, tag in ipairs(tags) do
      check.type(tag, "string", ("tags[%d]"):format(i), level + 1)
      copy[i] = tag
    end
  end
  copy[#copy + 1] = one_more
  return json.array(copy)
end

-- The parameters that are ours alone.  Elements may have names of their own, which are sent as
-- they are; but a slip in one of these costs what it stands for, silently.
local OURS = { once = true, check = true }

-- Raises with the name that the caller wrote.
local function check_types(params, level)
  for name, value in pairs(params) do
    local types = TYPES[RENAMES[name] or name]
    if types and value ~= null then
      check.type(value, types, name, level + 1)
    elseif not types and require("celements.slip").misspelt(name, OURS) then
      check.unknown(name, OURS, "parameter", level + 1)
    end
  end
end

-- A copy with the wire's names.  Raises for what cannot be meant.
local function wired(params, level)
  local body, plain = params_of.wire(params, RENAMES, level + 1, TYPES)
  if not plain then
    check_types(params, level + 1)
  end
  return body
end

--- A body to change an instance with, out of names as create_instance takes them: the wire's
-- names, an object for the element, an array for the tags.
---@param params table
---@param level integer  whose line a raised error names
---@return table body  a copy
function M.body(params, level)
  local body = wired(params, level + 1)
  local kind = type(body.element)
  if kind == "string" or kind == "number" then
    body.element = element_object(body.element, level + 1) or body.element
  end
  if body.tags ~= nil and body.tags ~= null then
    body.tags = tags_array(body.tags, nil, level + 1)
  end
  return body
end

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

-- All that is missing and all that is still a template's text, before anything is sent.
local function lacks(self, params, element)
  local missing = { unpack(client.missing_secrets(self)) }
  if not element then
    missing[#missing + 1] = "element"
  end
  return { missing = missing, placeholders = params_of.placeholders(params) }
end

-- Is there anything in the encoded body that a pasted credential may have and must not: a
-- line break, a control character, a curly quote?
local function may_be_pasted(text)
  return find(text, "\\n", 1, true) or find(text, "\\u00", 1, true) or find(text, "\226\128", 1, true)
end

-- With a proxy the platform has the application's keys, and who brings tokens of their
-- own needs no callback: what the catalogue asks for is the usual way's.
local function is_usual(body)
  local external = body.externalAuthentication
  return type(body.oauthProxy) ~= "table" and (type(external) ~= "string" or external == "none")
end

-- What is ours alone, taken out of the body: the tag that `once` stands for, and whether
-- to ask the catalogue first.
local function once_and_check(body, level)
  local once, wants_check = body.once, body.check
  body.once, body.check = nil, nil
  local tag
  if once ~= nil and once ~= null then
    local problem
    tag, problem = require("celements.once").tag(once)
    if not tag then
      error(problem, level + 1)
    end
  end
  return tag, wants_check ~= null and wants_check
end

-- The body out of the parameters, the tag that `once` stands for, and whether to ask the
-- catalogue first.  Raises for what cannot be meant; sends nothing.
local function shape(params, level)
  local body, plain = core.params.wire(params, RENAMES, TYPES, FORMS)
  if plain then
    return body -- as nearly all are
  end
  body = wired(params, level + 1)
  local tag, wants_check
  if body.once ~= nil or body.check ~= nil then
    tag, wants_check = once_and_check(body, level + 1)
  end
  if tag or (body.tags ~= nil and body.tags ~= null) then
    body.tags = tags_array(body.tags, tag, level + 1)
  end
  body.element = element_object(body.element, level + 1)
  return body, tag, wants_check
end

-- What is wrong with a body before it is sent, if anything, credentials tidied where they have
-- to be; text is that body encoded, if it can be.
local function problem_of(self, params, body, text, wants_check, options, level)
  local err
  if text and may_be_pasted(text) then
    local configuration
    configuration, err = require("celements.pasted").tidied(body.configuration)
    body.configuration = configuration or body.configuration
  end
  local lacking = lacks(self, params, body.element)
  if wants_check and is_usual(body) and not err then
    local prefix = params.providerData ~= nil and "providerData." or "provider_data."
    return (require("celements.careful").check(self, body, lacking, prefix, options, level + 1))
  end
  return params_of.incomplete(lacking.missing, lacking.placeholders) or err
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
    local err = problem_of(self, params, body, text, wants_check, options, level + 1)
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
