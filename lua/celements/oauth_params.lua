--- The parameters of the OAuth calls, looked into one by one.
-- Every spelling, lists, numbers, scopes as people write them; and what is missing or cannot
-- be meant.  celements.oauth comes here when one look was not enough.  Knows how the wire
-- writes them; that they are sent, and where, is celements.oauth's.

local check = require "celements.check"
local core = require "celements.core"
local errors = require "celements.error"
local json = require "celements.json"
local params_of = require "celements.params"

local M = {}

-- Pasted by hand more than any other: a curly quote in them is never meant.
local PASTED = { apiKey = true, apiSecret = true, scope = true, callbackUrl = true }

-- A parameter's name as the caller wrote it.
local function spelled(params, name, renames)
  if params[name] == nil then
    for ours, wire in pairs(renames) do
      if wire == name and params[ours] ~= nil then
        return ours
      end
    end
  end
  return name
end

-- A list is joined by one space, each item as it is.  In a string a '+' or %20 between
-- scopes stands for the space: the vendor's page writes contacts-rw+offline.
local function scope_text(scope, what, level)
  if type(scope) == "table" then
    check.list(scope, what, level + 1)
    for i, item in ipairs(scope) do
      check.type(item, "string", ("%s[%d]"):format(what, i), level + 1)
    end
    return table.concat(scope, " ")
  end
  check.type(scope, "string or table", what, level + 1)
  if not scope:find("[%%+]") then
    return scope
  end
  return (scope:gsub("%%20", " "):gsub("+", " "))
end

-- The names that are sent, in the order of the wire.
local function in_order(wire, places)
  local names = {}
  for name in pairs(wire) do
    if places[name] == nil or (places[name] or 0) > 0 then
      names[#names + 1] = name
    end
  end
  table.sort(names, function(a, b)
    local at, bt = places[a] or math.huge, places[b] or math.huge
    if at ~= bt then
      return at < bt
    end
    return a < b
  end)
  return names
end

-- The parameters as a flat list of names and values, in the order of the wire.
local function flat_list(wire, params, renames, places, level)
  local flat = {}
  for _, name in ipairs(in_order(wire, places)) do
    local value, what = wire[name], spelled(params, name, renames)
    if name == "scope" then
      value = scope_text(value, what, level + 1)
    end
    params_of.add_pairs(flat, name, value, what, level + 1)
  end
  return flat
end

-- A line break at the end comes along when a value is read from a file.  The error of
-- the first value that cannot be meant, if any.
local function tidy(flat, params, renames)
  for i = 2, #flat, 2 do
    if PASTED[flat[i - 1]] and flat[i]:find("[^\32-\126]") then
      flat[i] = flat[i]:gsub("\r?\n$", "")
      local problem = check.credential_problem(flat[i])
      if problem then
        local message = spelled(params, flat[i - 1], renames) .. " " .. problem
        return errors.new { kind = "config", message = message, outcome = "not_sent" }
      end
    end
  end
end

local function json_body(flat)
  local body = {}
  for i = 1, #flat, 2 do
    local name = flat[i]
    if name == "isOauthProxy" then
      name = "isOAuthProxy" -- the body spells it so (platform 7.2)
    end
    local value = flat[i + 1]
    if body[name] == nil then
      body[name] = value
    elseif type(body[name]) == "table" then
      table.insert(body[name], value)
    else
      body[name] = { body[name], value }
    end
  end
  return body
end

-- The element's key or id as a path segment; nil when there is none.
local function element_of(value, level)
  if type(value) == "table" then
    value = params_of.is_absent(value.key) and value.id or value.key
  end
  if params_of.is_absent(value) then
    return nil
  end
  check.id(value, "element", level + 1)
  return value
end

-- What is missing or still a template; nil when all is well.  The encoded text tells at
-- one look whether there is anything to look for; there is none of what is too long for a
-- URL.
local function lacks(element, text, params)
  if element and text and not text:find("%3C", 1, true) and not tostring(element):find("<", 1, true) then
    return nil
  end
  return params_of.incomplete(element and {} or { "element" }, params_of.placeholders(params))
end

--- What the parameters ask for.
---@param params table  the caller's
---@param renames table<string, string>  our name -> the wire's
---@param places table<string, integer|false>  where a wire's name stands; false or 0: it is not sent
---@param level integer  whose line a raised error names
---@return {element: string|integer, flat: string[], text?: string, body?: table}? asked  text: flat, encoded; body: to be sent by POST
---@return celements.Error? err
function M.read(params, renames, places, level)
  local wire = params_of.wire(params, renames, level + 1)
  for name, value in pairs(wire) do
    if value == json.null then
      wire[name] = nil -- not given
    end
  end
  if wire.post ~= nil then
    check.type(wire.post, "boolean", "post", level + 1)
  end
  local element = element_of(wire.element, level + 1)
  local flat = flat_list(wire, params, renames, places, level + 1)
  local text = core.url.query(flat, #flat)
  local err = lacks(element, text, params)
  if not err and (not text or text:find("%%[0189A-F]")) then -- a control character or one beyond ASCII
    err = tidy(flat, params, renames)
    text = nil -- of before
  end
  if err then
    return nil, err
  end
  return { element = element, flat = flat, text = text, body = wire.post and json_body(flat) or nil }
end

return M
