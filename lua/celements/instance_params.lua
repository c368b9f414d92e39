--- The parameters of create_instance, looked into one by one.
-- Every form of an element and of tags, `once` and `check`; and what is missing, pasted or
-- cannot be meant.  celements.instance comes here when one look was not enough.  Knows how
-- the wire writes them; that they are sent, and when, is celements.instance's.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local json = require "celements.json"
local params_of = require "celements.params"

local unpack = table.unpack or unpack
local null, find = json.null, string.find
local is_absent, count_of = params_of.is_absent, core.params.list

local M = {}

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
local function check_types(params, renames, types_of, level)
  for name, value in pairs(params) do
    local types = types_of[renames[name] or name]
    if types and value ~= null then
      check.type(value, types, name, level + 1)
    elseif not types and require("celements.slip").misspelt(name, OURS) then
      check.unknown(name, OURS, "parameter", level + 1)
    end
  end
end

-- A copy with the wire's names.  Raises for what cannot be meant.
local function wired(params, renames, types, level)
  local body, plain = params_of.wire(params, renames, level + 1, types)
  if not plain then
    check_types(params, renames, types, level + 1)
  end
  return body
end

--- A body to change an instance with: the wire's names, an object for the element, an array
-- for the tags.  Raises for what cannot be meant.
---@param params table
---@param renames table<string, string>  our name -> the wire's
---@param types table<string, string>  the wire's name -> the types of its value
---@param level integer  whose line a raised error names
---@return table body  a copy
function M.body(params, renames, types, level)
  local body = wired(params, renames, types, level + 1)
  local kind = type(body.element)
  if kind == "string" or kind == "number" then
    body.element = element_object(body.element, level + 1) or body.element
  end
  if body.tags ~= nil and body.tags ~= null then
    body.tags = tags_array(body.tags, nil, level + 1)
  end
  return body
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

--- The body out of the parameters, the tag that `once` stands for, and whether to ask the
-- catalogue first.  Raises for what cannot be meant.
---@param params table
---@param renames table<string, string>  our name -> the wire's
---@param types table<string, string>  the wire's name -> the types of its value
---@param level integer  whose line a raised error names
---@return table body  a copy
---@return string? tag
---@return boolean? wants_check
function M.read(params, renames, types, level)
  local body = wired(params, renames, types, level + 1)
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

--- What is wrong with a body before it is sent, if anything, credentials tidied where they have
-- to be.
---@param self celements.Client
---@param params table  as the caller wrote them
---@param body table  out of read(); its credentials may be replaced
---@param text string?  that body encoded, if it can be
---@param wants_check boolean?
---@param options table?  those of client.within() where the catalogue is asked
---@param level integer
---@return celements.Error?
function M.problem(self, params, body, text, wants_check, options, level)
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

return M
