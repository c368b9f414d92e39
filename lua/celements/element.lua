--- The catalogue: which elements there are and what each wants to know.
-- Adds elements, element, required_configuration, skeleton, element_docs and
-- element_metadata to celements.Client.

local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local errors = require "celements.error"
local json = require "celements.json"
local page = require "celements.page"

---@class celements.Client
local methods = client.methods

local M = {}

local PAGE_SIZE = 200 -- the platform's largest (platform 6)

local path = core.url.path

-- One GET that answers with a table: `wants` says what it is.
local function get(self, where, wants, query, options, level)
  local request = { method = "GET", path = where, query = query, wants = wants }
  local result, info = client.send(self, request, options, level + 1)
  return result, info
end

--- An iterator over a list of the platform, for the modules that have one.
---@param self celements.Client
---@param where string  the path
---@param query string[]  flat, without paging
---@param options {page_size?: integer, limit?: integer, page?: string}  checked
---@param level integer
---@param needs? string  secrets it cannot do without, as letters
---@param of_call? celements.CallOptions
---@return celements.Pages
function M.list(self, where, query, options, level, needs, of_call)
  local err = needs and client.lacks(self, needs)
  local size = ("%d"):format(options.page_size or PAGE_SIZE)
  return page.new(function(token, in_loop)
    if err then
      return nil, err
    end
    local flat = { "pageSize", size }
    if token then
      flat[3], flat[4] = "nextPage", token
    end
    for i = 1, #query do
      flat[#flat + 1] = query[i]
    end
    -- Behind a page token there are rows: "No ... found" is no end there.
    local request = { method = "GET", path = where, query = flat, empty = not token, in_loop = in_loop }
    local rows, info = client.send(self, request, of_call, level + 1)
    return rows, info
  end, options)
end

local LIST_OPTIONS = { where = "string", page_size = "number", limit = "number", page = "string" }

--- Raise unless options holds nothing but known names of the right types.
---@param options table?
---@param known table<string, string>  name -> types
---@param level integer
---@return table
function M.checked(options, known, level)
  if options == nil then
    return {}
  end
  check.table(options, "options", level + 1)
  for name, value in pairs(options) do
    if not known[name] then
      check.unknown(name, known, "option", level + 1)
    end
    check.type(value, known[name], name, level + 1)
  end
  check.count(options.page_size, "page_size", 1, level + 1)
  check.count(options.limit, "limit", 0, level + 1)
  return options
end

-- What all of these are given: the element, and options of the call or none.
local function check_arguments(key, options, level)
  check.id(key, "the element's key or id", level + 1)
  client.check_options(options, level + 1)
end

--- All elements of the catalogue, one after the other: GET /elements.
---@param options? {where?: string, page_size?: integer, limit?: integer, page?: string}
---@return celements.Pages
function methods:elements(options)
  options = M.checked(options, LIST_OPTIONS, 2)
  return (M.list(self, "/elements", options.where and { "where", options.where } or {}, options, 2))
end

--- One element, its configuration, parameters and resources included: GET /elements/{keyOrId}.
---@param key string|integer
---@param options? celements.CallOptions
---@return table? element
---@return celements.Info info  or celements.Error
function methods:element(key, options)
  check_arguments(key, options, 2)
  local result, info = get(self, path("elements", key), "an element", nil, options, 2)
  return result, info
end

-- A field of a row under the first of its names that says anything.
local function said(item, name, other_name)
  local value = item[name]
  if value == nil or value == json.null or value == "" then
    return other_name and said(item, other_name) or nil
  end
  return value
end

-- A row of the platform's, whatever it calls things (platform 14).
local function requirement(item)
  local type_name, default = said(item, "type", "configDataType"), item.defaultValue
  if default == json.null or default == "" then
    default = nil -- but false is one
  end
  return {
    key = item.key,
    name = said(item, "name") or item.key,
    description = said(item, "description"),
    type = type_name,
    secret = type_name == "PASSWORD" or core.secret.is_name(item.key),
    default = default,
    order = tonumber(said(item, "displayOrder")) or math.huge,
    options = type(item.options) == "table" and #item.options > 0 and item.options or nil,
  }
end

local function is_asked(item)
  return said(item, "required", "mandatory") == true and item.internal ~= true and type(item.key) == "string"
end

local function requirements(items)
  local list = json.array {}
  for _, item in ipairs(items) do
    if is_asked(item) then
      list[#list + 1] = requirement(item)
    end
  end
  table.sort(list, function(a, b)
    if a.order ~= b.order then
      return a.order < b.order
    end
    return a.key < b.key
  end)
  for _, each in ipairs(list) do
    each.order = each.order ~= math.huge and each.order or nil
  end
  return list
end

-- Does this failure only say that an older platform lacks the endpoint, or the element the list?
local function is_missing(err)
  return err.status == 404 or err.status == 405
end

-- The authentication type asked for, or the element's default; nil when it has no list.
local function type_of(self, key, auth_type, options, level)
  if auth_type then
    return auth_type
  end
  local where = path("elements", key, "authentication-types")
  local types, err = get(self, where, "a list of authentication types", nil, options, level + 1)
  if types == nil then
    return nil, not is_missing(err) and err or nil
  end
  return said(types, "defaultValue")
end

-- The error for an authentication type that the element does not have, as far as the
-- platform can tell.
local function unknown_type(self, key, auth_type, options, level)
  local where = path("elements", key, "authentication-types")
  local types, err = get(self, where, "a list of authentication types", nil, options, level + 1)
  if types == nil then
    return not is_missing(err) and err or nil
  end
  local names = {}
  for _, option in ipairs(type(types.options) == "table" and types.options or {}) do
    names[tostring(option.value)] = true
  end
  if next(names) == nil or names[auth_type] then
    return nil
  end
  local nearest = require("celements.slip").nearest(auth_type, names)
  local question = nearest and (", did you mean '%s'?"):format(nearest) or ""
  return errors.new {
    kind = "config",
    message = ("the element %s has no authentication type '%s'%s"):format(key, auth_type, question),
    outcome = "not_sent",
  }
end

-- {configuration, providerData}, each a list of entries; on older platforms the first alone.
local function configuration_of(self, key, options, level)
  local both, info = get(self, path("elements", key, "configuration"), "a configuration", nil, options, level + 1)
  return both, info
end

--- What client:required_configuration does, for a caller at `level` and with options of
-- client.within().  The third value is what else came to light, for provider_data():
-- type, the authentication type, where the element has any; is_default, when nobody asked
-- for another; both, what /configuration answered, where that was needed.
function M.requirements(self, key, auth_type, options, level)
  local chosen, err = type_of(self, key, auth_type, options, level + 1)
  if err then
    return nil, err
  end
  local items, info
  if chosen then
    local where = path("elements", key, "authentication-types", chosen, "configurations")
    items, info = get(self, where, "a list of configuration entries", nil, options, level + 1)
    if items == nil and not is_missing(info) then
      return nil, info
    elseif items == nil and auth_type then
      err = unknown_type(self, key, auth_type, options, level + 1)
      if err then
        return nil, err
      end
    end
  end
  local both
  if items == nil or #items == 0 then
    both, info = configuration_of(self, key, options, level + 1)
    if both == nil then
      return nil, info
    end
    items = type(both.configuration) == "table" and both.configuration or both
  end
  return requirements(items), info, { type = chosen, is_default = auth_type == nil, both = both }
end

-- Authentication types without a callback.
local WITHOUT_CONSENT = { basic = true, apikey = true }

--- What the callback has to have brought, as far as the catalogue tells: an element has
-- one such list (platform 6), which is taken for that of its default authentication type.
---@param self celements.Client
---@param key string|integer
---@param about table  the third value of requirements()
---@param options table  those of client.within()
---@param level integer
---@return celements.Requirement[]? list  empty where nothing is known
---@return celements.Error? err
function M.provider_data(self, key, about, options, level)
  local kind = tostring(about.type):lower()
  if WITHOUT_CONSENT[kind] then
    return {}
  end
  if not about.is_default then
    local default, err = type_of(self, key, nil, options, level + 1)
    if err then
      return nil, err
    elseif tostring(default):lower() ~= kind then
      return {}
    end
  end
  local both, err = about.both, nil
  if not both then
    both, err = configuration_of(self, key, options, level + 1)
  end
  if both == nil then
    return is_missing(err) and {} or nil, err
  end
  return requirements(type(both.providerData) == "table" and both.providerData or {})
end

--- What a user has to be asked before an instance can be created.
-- From authentication-types where the platform has them, else from the element's
-- configuration.
---@param key string|integer
---@param auth_type? string  "oauth2", "basic", ...; the element's default otherwise
---@param options? celements.CallOptions
---@return celements.Requirement[]? list  in the order to ask in: key, name, type, secret, default, description
---@return celements.Info info  or celements.Error
function methods:required_configuration(key, auth_type, options)
  check_arguments(key, options, 2)
  check.type(auth_type, "string or nil", "the authentication type", 2)
  local list, info = M.requirements(self, key, auth_type, client.within(self, options), 2)
  return list, info
end

-- What the callback will bring, by authentication type (platform 13.2), for elements whose
-- catalogue entry does not say.
local GRANTS = {
  oauth2 = { "code" },
  oauth1 = { "oauth_token", "oauth_verifier", "secret" },
}

-- Where a value of the provider data comes from, if not from the callback.
local SOURCES = { secret = "<SECRET_FROM_OAUTH_TOKEN>", apikey = "<INSERT_API_KEY>" }

local function text_of(key, form)
  return form:format((key:upper():gsub("[^%w]", "_")))
end

-- The provider data of a skeleton; nil where there is none.
local function grant_of(list, kind)
  local grant = {}
  for _, each in ipairs(list) do
    grant[each.key] = each.default
    if each.default == nil then
      grant[each.key] = SOURCES[each.key] or text_of(each.key, "<%s_FROM_THE_CALLBACK>")
    end
  end
  if next(grant) == nil and GRANTS[kind] then
    for _, name in ipairs(GRANTS[kind]) do
      grant[name] = SOURCES[name] or text_of(name, "<%s_FROM_THE_CALLBACK>")
    end
  end
  return next(grant) ~= nil and grant or nil
end

--- The parameters of create_instance for an element, with `<...>` where something has
-- to be filled in.  create_instance refuses it until that is done.
---@param key string
---@param auth_type? string
---@param options? celements.CallOptions
---@return table? params
---@return celements.Info info  or celements.Error
function methods:skeleton(key, auth_type, options)
  check_arguments(key, options, 2)
  check.type(auth_type, "string or nil", "the authentication type", 2)
  options = client.within(self, options)
  local element, info = get(self, path("elements", key), "an element", nil, options, 2)
  if element == nil then
    return nil, info
  end
  local list, about
  list, info, about = M.requirements(self, key, auth_type, options, 2)
  if list == nil then
    return nil, info
  end
  local granted, err = M.provider_data(self, key, about, options, 2)
  if granted == nil then
    return nil, err
  end
  local configuration = {}
  for _, each in ipairs(list) do
    configuration[each.key] = each.default
    if each.default == nil then
      configuration[each.key] = text_of(each.key, "<INSERT_%s>")
    end
  end
  -- Of several types the platform has to be told which (platform 13.1).
  if auth_type or about.type and configuration["authentication.type"] then
    configuration["authentication.type"] = about.type
  end
  local kind = about.type or type(element.authentication) == "table" and element.authentication.type
  return {
    element = { key = element.key },
    name = "<INSERT_INSTANCE_NAME>",
    tags = json.array { "<INSERT_TAG>" },
    providerData = grant_of(granted, tostring(kind):lower()),
    configuration = configuration,
  }, info
end

-- metadata and docs take the numeric id only (platform 6); elements are known by their keys.
local function by_id(self, key, resource, wants, query, options, level)
  check_arguments(key, options, level + 1)
  options = client.within(self, options)
  local id = key
  if type(key) == "string" and not key:find("^%d+$") then
    local element, info = get(self, path("elements", key), "an element", nil, options, level + 1)
    if element == nil then
      return nil, info
    end
    id = element.id
  end
  local result, info = get(self, path("elements", id, resource), wants, query, options, level + 1)
  return result, info
end

--- The element's API as Swagger 2.0: GET /elements/{id}/docs.
---@param key string|integer
---@param options? celements.CallOptions
---@return table? swagger
---@return celements.Info info  or celements.Error
function methods:element_docs(key, options)
  local result, info = by_id(self, key, "docs", "a description", nil, options, 2)
  return result, info
end

--- What the element can do: GET /elements/{id}/metadata?expand=true.
---@param key string|integer
---@param options? celements.CallOptions
---@return table? metadata
---@return celements.Info info  or celements.Error
function methods:element_metadata(key, options)
  local result, info = by_id(self, key, "metadata", "metadata", { "expand", "true" }, options, 2)
  return result, info
end

return M
