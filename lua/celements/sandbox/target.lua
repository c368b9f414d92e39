--- Which instance a platform call is about: the one of the path, or of the token.

local catalogue = require "celements.sandbox.catalogue"
local reply = require "celements.sandbox.reply"

local INSTANCES = "/elements/api-v2/instances"

local M = {}

--- A handler(call, instance) as a handler(call): finds the instance or refuses.
---@param handler fun(call: table, instance: table): table
---@return fun(call: table): table
function M.with_instance(handler)
  return function(call)
    local id = call.params.id
    if not id then
      return handler(call, call.caller.instance)
    end
    local instance = call.model.instances:find(id)
    local element = call.params.key and catalogue.find(call.params.key)
    if not instance or (call.params.key and instance.element ~= element) then
      return reply.refuse(404, "No instance found with id " .. id)
    end
    return handler(call, instance)
  end
end

--- Add a call that is there by id (User and Organization) and by token (and Element).
---@param add function  of the router
---@param method string
---@param resource string  behind the instance: "" or "/enabled" …
---@param handler fun(call: table, instance: table): table
---@param body? boolean|string
---@param query? table<string, string>  see celements.sandbox.model; unless said, any
function M.add(add, method, resource, handler, body, query)
  local with_instance = M.with_instance(handler)
  add(method, INSTANCES .. "/{id}" .. resource, { who = "account", body = body, query = query }, with_instance)
  add(method, INSTANCES .. resource, { who = "instance", body = body, query = query }, with_instance)
end

return M
