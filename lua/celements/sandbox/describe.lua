--- What an element or an instance can do, told for machines: Swagger and metadata.

local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"

local BASE_PATH = "/elements/api-v2"

local M = {}

local function parameters_of(path)
  local parameters = json.array{}
  for name in path:gmatch("{(.-)}") do
    parameters[#parameters + 1] = { name = name, ["in"] = "path", type = "string", required = true }
  end
  return parameters
end

local function field_definition(fields)
  local properties = {}
  for _, field in ipairs(fields) do
    properties[field.path or field.name] = { type = field.type or "string" }
  end
  return { type = "object", properties = properties }
end

--- Swagger 2.0 of an element, or of an instance with its own objects.
---@param element table
---@param host string
---@param definitions table<string, {fields: table[]}>  objects, by name
---@param operation_id? string  only this one
---@return table? swagger  nil when there is no such operation
function M.swagger(element, host, definitions, operation_id)
  local paths, found = {}, false
  for _, operation in ipairs(catalogue.operations) do
    local method, path, id = operation[1], operation[2], operation[3]
    if not operation_id or id == operation_id then
      found = true
      paths[path] = paths[path] or {}
      paths[path][method:lower()] = {
        operationId = id, tags = json.array{ path:match("^/([^/]+)") }, parameters = parameters_of(path),
        produces = json.array{ "application/json" },
        responses = { ["200"] = { description = "OK" } },
      }
    end
  end
  if not found then
    return nil
  end
  local shown = {}
  for name, object in pairs(definitions) do
    shown[name] = field_definition(object.fields)
  end
  return {
    swagger = "2.0", host = host, basePath = BASE_PATH, schemes = json.array{ "https" },
    info = { title = element.name, description = element.description, version = "api-v2" },
    tags = json.array{ { name = "contacts" }, { name = "objects" }, { name = "ping" } },
    paths = paths, definitions = shown,
  }
end

local function events(form)
  if form == "list" then
    return json.array{ "polling" }
  end
  return { supported = true, methods = json.array{ "polling" } }
end

local function resource_metadata(form)
  local operations = json.array{}
  for _, operation in ipairs(catalogue.operations) do
    if operation[2]:find("^/contacts") then
      operations[#operations + 1] = operation[3]
    end
  end
  local of_resource = events(form)
  if form ~= "list" then
    of_resource.eventTypes = json.array{ "CREATED", "UPDATED" }
  end
  local neither = { supported = false, native = false }
  return {
    canonicalName = "contacts", operations = operations, events = of_resource,
    bulk = { upload = neither, download = neither }, customField = false,
  }
end

--- What an element can do.
---@param element table
---@param form string  the option `metadata_events`
---@param instance_count? integer  given: expanded
---@return table metadata
function M.metadata(element, form, instance_count)
  local metadata = {
    id = element.id, key = element.key, name = element.name, description = element.description,
    image = element.image or "elements/default_custom_logo.png",
    active = true, beta = false, elementType = "api", transformations = true,
    cloneable = true, events = events(form),
  }
  if instance_count then
    metadata.displayOrder, metadata.hub = element.id, element.hub
    metadata.churros, metadata.normalizedPaging, metadata.swaggerValidated = true, true, true
    metadata.authenticationType = element.default_type
    metadata.resources = json.array{ resource_metadata(form) }
    metadata.usage = { instanceCount = instance_count, customerCount = 1, traffic = 0 }
    metadata.discovery = {
      customFields = false, customObjects = true, endpointCustomFields = false, endpointCustomObjects = true,
    }
    metadata.bulk = { upload = false, download = false }
    metadata.api = { type = "rest", contentType = "application/json" }
  end
  return metadata
end

return M
