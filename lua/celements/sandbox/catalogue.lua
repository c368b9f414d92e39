--- The elements of the sandbox: data, and the shapes the catalogue shows it in.
-- Keys and configuration names are the platform's own; the credentials that the
-- make-believe providers accept are ours.  To add an element, add a table below.
--
-- A configuration entry: { key, type = , name = , required = , default = }.
-- An authentication type lists the entries it needs beside the element's common ones;
-- `consent` says what the provider's callback brings:
--   "code"    an authorization code (and `extra`, parameters of this provider)
--   "tokens"  access and refresh token themselves
--   "oauth1"  oauth_token and oauth_verifier
-- Without `consent`, `accepts` are the credentials the provider knows.
-- `private` elements are for their account alone; `untyped` ones have no list of
-- authentication types, as on older platforms, so that /configuration has to do.

local json = require "celements.json"

local APP = {
  { "oauth.api.key", name = "API Key", type = "PASSWORD", required = true },
  { "oauth.api.secret", name = "API Secret", type = "PASSWORD", required = true },
  { "oauth.callback.url", name = "Callback URL", type = "TEXTFIELD_1000", required = true },
}

local COMMON = {
  { "filter.response.nulls", name = "Filter null values from the response", type = "BOOLEAN", default = "true" },
  { "event.notification.enabled", name = "Enable Events", type = "BOOLEAN", default = "false" },
  { "event.notification.callback.url", name = "Event Notification Callback URL", type = "TEXTFIELD_1000" },
  { "pagination.max", name = "Max Page Size", type = "TEXTFIELD_32", default = "100" },
}

-- What the platform stores by itself after a consent; nobody is asked for these.
local STORED = {
  { "oauth.user.token", name = "OAuth User Token", type = "PASSWORD" },
  { "oauth.user.token.secret", name = "OAuth User Token Secret", type = "PASSWORD" },
  { "oauth.user.refresh_token", name = "OAuth User Refresh Token", type = "PASSWORD" },
  { "oauth.user.refresh_interval", name = "OAuth Refresh Interval", type = "TEXTFIELD_32" },
}

local function with(list, ...)
  local all = {}
  for _, entry in ipairs(list) do
    all[#all + 1] = entry
  end
  for i = 1, select("#", ...) do
    all[#all + 1] = (select(i, ...))
  end
  return all
end

local API_KEY = {
  configuration = { { "hubspot.authorization.apikey", name = "API Key", type = "PASSWORD", required = true } },
  accepts = { ["hubspot.authorization.apikey"] = "3a9990ff-0000-4000-8000-5a4db0c5a4db" },
}

local ELEMENTS = {
  {
    id = 43, key = "hubspot", name = "HubSpot", hub = "marketing", image = "elements/provider_hubspot.png",
    description = "HubSpot is an inbound marketing software platform that helps companies attract visitors, "
      .. "convert leads, and close customers.",
    default_type = "oauth2",
    types = {
      oauth2 = {
        consent = "tokens", secret_parameter = "portalId",
        configuration = with(APP, { "oauth.scope", name = "Scope", type = "TEXTFIELD_1000", required = true }),
        provider_data = { "apikey", "access_token", "refresh_token", "expires_in" },
      },
    },
  },
  {
    id = 168, key = "hubspotcrm", name = "HubSpot CRM", hub = "crm", image = "elements/provider_hubspot.png",
    description = "Connect to HubSpot CRM: contacts, companies and deals.",
    default_type = "oauth2",
    types = {
      oauth2 = {
        consent = "code", default_state = true,
        configuration = with(APP, { "oauth.scope", name = "Scope", type = "TEXTFIELD_1000" }),
        provider_data = { "code" },
      },
      apiKey = API_KEY,
    },
  },
  {
    id = 39, key = "sfdc", name = "Salesforce Sales Cloud", hub = "crm",
    description = "Sales automation: accounts, contacts, leads and opportunities.",
    default_type = "oauth2", extended = true,
    types = {
      oauth2 = {
        -- Many elements put the application's secret into the URL the user visits; this one stands for them.
        consent = "code", default_state = true, secret_parameter = "client_secret",
        configuration = with(APP, { "site.address", name = "Site address", type = "TEXTFIELD_1000" }),
        provider_data = { "code" },
      },
    },
  },
  {
    id = 50, key = "quickbooks", name = "QuickBooks Online", hub = "finance",
    description = "Accounting for small businesses.",
    default_type = "oauth2",
    types = {
      oauth2 = {
        consent = "code", default_state = true,
        extra = { realmId = "4620816365000000042" },
        configuration = with(APP, { "authentication.type", name = "Authentication Type", type = "TEXTFIELD_32",
          required = true }),
        provider_data = { "code", "realmId" },
      },
    },
  },
  {
    id = 350, key = "etsy", name = "Etsy", hub = "ecommerce",
    description = "A marketplace for things made by hand.",
    default_type = "oauth1",
    types = {
      oauth1 = {
        consent = "oauth1",
        configuration = with(APP, { "shop.id", name = "Shop name", type = "TEXTFIELD_128", required = true },
          { "oauth.request.url", name = "OAuth request URL", type = "TEXTFIELD_1000" }),
        provider_data = { "oauth_token", "oauth_verifier", "secret" },
      },
    },
  },
  {
    id = 260, key = "abbyy", name = "ABBYY", hub = "documents",
    description = "Turns scanned files into text.",
    default_type = "basic",
    types = {
      basic = {
        configuration = {
          { "username", name = "Application name", type = "TEXTFIELD_128", required = true },
          { "password", name = "Application password", type = "PASSWORD", required = true },
        },
        accepts = { username = "sandbox-application", password = "sandbox pass+word/==" },
      },
    },
  },
  {
    id = 650, key = "freshservice", name = "Freshservice", hub = "helpdesk",
    description = "Tickets, problems and changes.",
    default_type = "basic",
    types = {
      basic = {
        configuration = {
          { "username", name = "User name", type = "TEXTFIELD_128", required = true },
          { "password", name = "Password", type = "PASSWORD", required = true },
          { "subdomain", name = "Subdomain", type = "TEXTFIELD_128", required = true },
        },
        accepts = { username = "agent@example.com", password = "sandbox-password", subdomain = "sandbox" },
      },
    },
  },
  {
    id = 845, key = "typeform", name = "Typeform", hub = "documents",
    description = "Forms that people like to fill in.",
    default_type = "apiKey",
    types = {
      apiKey = {
        configuration = { { "api.key", name = "API Key", type = "PASSWORD", required = true } },
        accepts = { ["api.key"] = "sandbox-typeform-key" },
      },
    },
  },
  {
    id = 9001, key = "homemade", name = "Homemade", hub = "general",
    description = "An element of this account's own.",
    default_type = "custom", private = true, untyped = true,
    types = {
      custom = {
        configuration = {
          { "base.url", name = "Site", type = "TEXTFIELD_1000", required = true },
          { "custom.secret", name = "Secret", type = "PASSWORD", required = true },
        },
        accepts = { ["base.url"] = "https://homemade.example.com", ["custom.secret"] = "sandbox-homemade-secret" },
      },
    },
  },
}

local M = {}

local by_name = {}   -- key, and id as text
for _, element in ipairs(ELEMENTS) do
  by_name[element.key] = element
  by_name[("%d"):format(element.id)] = element
end

--- All elements, in the order of the catalogue.
M.elements = ELEMENTS

--- Find an element by key or id.
---@param key_or_id string|number
---@return table? element
function M.find(key_or_id)
  if type(key_or_id) == "number" then
    key_or_id = ("%.0f"):format(key_or_id)
  end
  return by_name[key_or_id]
end

--- Find an element as a caller sees it: private ones are for who says who they are.
---@param key_or_id string|number
---@param caller table  as celements.sandbox.auth tells
---@return table? element
function M.visible(key_or_id, caller)
  local element = M.find(key_or_id)
  return not (element and element.private and caller.anonymous) and element or nil
end

--- The name and definition of an authentication type; names compare without case.
---@param element table
---@param name? string  default: the element's own
---@return string? name
---@return table? definition
function M.authentication(element, name)
  name = (name or element.default_type):lower()
  for known, definition in pairs(element.types) do
    if known:lower() == name then
      return known, definition
    end
  end
end

--- The configuration definitions of an element, in display order.
---@param element table
---@param type_name? string  only what this authentication type asks for; default: all types, and what the platform stores
---@return table[] entries
function M.entries(element, type_name)
  local entries, seen = {}, {}
  local function add(list)
    for _, entry in ipairs(list) do
      if not seen[entry[1]] then
        seen[entry[1]] = true
        entries[#entries + 1] = entry
      end
    end
  end
  local names = {}
  for name in pairs(element.types) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if not type_name or name == type_name then
      add(element.types[name].configuration)
    end
  end
  if not type_name then
    add(STORED)
  end
  add(COMMON)
  return entries
end

--- What can be called with the token of an instance: method, path, operation id.
M.operations = {
  { "GET", "/contacts", "getContacts" },
  { "POST", "/contacts", "createContact" },
  { "GET", "/contacts/{id}", "getContactById" },
  { "PUT", "/contacts/{id}", "replaceContactById" },
  { "PATCH", "/contacts/{id}", "updateContactById" },
  { "DELETE", "/contacts/{id}", "deleteContactById" },
  { "GET", "/objects", "getObjects" },
  { "GET", "/objects/{objectName}/metadata", "getObjectMetadata" },
  { "GET", "/ping", "getPing" },
}

--- A definition as `GET /elements/{key}/configuration` shows it.
---@param element table
---@param entries table[]
---@param names? string  the option `item_names`
---@return table[] items
function M.configuration_items(element, entries, names)
  local items = json.array{}
  for order, entry in ipairs(entries) do
    items[order] = {
      id = element.id * 100 + order, key = entry[1], name = entry.name, description = entry.name,
      defaultValue = entry.default, displayOrder = order, active = true, internal = false, hideFromConsole = false,
      groupControl = false, resellerConfig = false, companyConfig = false,
    }
    M.name_item(items[order], entry.type, entry.required or false, names)
  end
  return items
end

--- Two fields of a configuration item have two names each, by who describes them.
---@param item table
---@param kind string
---@param required boolean
---@param names? string  "suite" (default): type, required; "swagger": configDataType, mandatory
function M.name_item(item, kind, required, names)
  if names == "swagger" then
    item.configDataType, item.mandatory = kind, required
  else
    item.type, item.required = kind, required
  end
end

-- The part of an element that instances carry too.
function M.summary(element)
  return {
    id = element.id, key = element.key, name = element.name, description = element.description,
    image = element.image, hub = element.hub, active = true, deleted = false,
    typeOauth = element.types[element.default_type].consent ~= nil, trialAccount = false,
    authentication = { type = element.default_type },
    transformationsEnabled = true, bulkDownloadEnabled = false, bulkUploadEnabled = false, cloneable = true,
    extendable = true, extended = element.extended or false, private = element.private or false, beta = false,
  }
end

--- An element as `GET /elements/{key}` shows it.
---@param element table
---@param names? string  the option `item_names`
---@return table
function M.show(element, names)
  local shown = M.summary(element)
  shown.configuration = M.configuration_items(element, M.entries(element), names)
  shown.parameters = json.array{}
  shown.resources = json.array{}
  for i, operation in ipairs(M.operations) do
    shown.resources[i] = {
      id = element.id * 1000 + i, method = operation[1], vendorMethod = operation[1],
      path = "/hubs/" .. element.hub .. operation[2], vendorPath = operation[2], type = "api",
      parameters = json.array{}, hooks = json.array{},
    }
  end
  return shown
end

--- The configuration values that the make-believe provider of an element accepts, for
-- elements that ask for credentials instead of consent.
---@param key string
---@param type_name? string
---@return table<string, string>? configuration  a copy; nil for an element that is not here
function M.credentials(key, type_name)
  local element = M.find(key)
  if not element then
    return nil
  end
  local _, authentication = M.authentication(element, type_name)
  local copy = {}
  for name, value in pairs(authentication and authentication.accepts or {}) do
    copy[name] = value
  end
  return copy
end

return M
