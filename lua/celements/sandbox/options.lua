--- What a model can be told: names, types, defaults.
-- Where sources about the platform disagree, or nobody knows, an option chooses; the
-- first value is the default.
--
--     empty_lists           "array" | "not_found": [] or 404 "No … found" for a list without rows
--     masked                "refuse" | "skip" | "store": what becomes of a ******** that is sent back
--     secrets               "masked" | "clear": what instances show of their secrets
--     name_as_tag           "search" | "shown" | "no": the name of an instance is found as a tag, is
--                           one of its tags, or is none
--     tags                  "text" | "objects": how instances show their tags
--     users                 "whole" | "id": what instances show of their user
--     echo_provider_data    true: the answer to a create repeats providerData
--     item_names            "suite" | "swagger": type and required, or configDataType and mandatory
--     metadata_events       "object" | "list": the form of `events` in an element's metadata
--     usage_names           "snake" | "camel": request_uri, or requestURI
--     total_count           "always" | "asked": when rows of an instance are counted (returnTotalCount)
--     refusal_status        what comes when the provider refuses, default 400; 200: the instance is
--                           made all the same, with valid = false
--     usage_polls           how often GET /usage/{id} says 404 first, default 0
--     usage_seconds         how long after a call its usage is there, default 0
--     premade_instances     how many instances there are from the start, default 0; any number is cheap
--     oauth_proxies         name -> {api_key, api_secret}, both optional
--     faults                list of rules, see celements.sandbox.faults
--
-- A host gives these, and the first five must be there:
--
--     now        () -> seconds
--     random     (n) -> n bytes
--     user_secret, org_secret
--     provider_url   where the consent pages are

local REQUIRED = { "now", "random", "user_secret", "org_secret", "provider_url" }

local TYPES = {
  now = "function", random = "function", user_secret = "string", org_secret = "string", provider_url = "string",
  faults = "table", oauth_proxies = "table", refusal_status = "number", echo_provider_data = "boolean",
  usage_polls = "number", usage_seconds = "number", premade_instances = "number",
}

local CHOICES = {
  empty_lists = { "array", "not_found" }, masked = { "refuse", "skip", "store" }, secrets = { "masked", "clear" },
  name_as_tag = { "search", "shown", "no" }, tags = { "text", "objects" }, users = { "whole", "id" },
  item_names = { "suite", "swagger" }, metadata_events = { "object", "list" }, usage_names = { "snake", "camel" },
  total_count = { "always", "asked" },
}

local DEFAULTS = { refusal_status = 400, usage_polls = 0, usage_seconds = 0, premade_instances = 0 }

-- What only the host of a model can know.
local OF_HOST = { now = true, random = true, provider_url = true }

local M = {}

--- Is this an option that whoever starts a sandbox may set?
---@param name any
---@return boolean
function M.is_open(name)
  return (TYPES[name] or CHOICES[name]) ~= nil and not OF_HOST[name]
end

--- Adds the names of all that are open to a set of names.
---@param names table<string, true>
---@return table<string, true>
function M.open_names(names)
  for _, known in ipairs { TYPES, CHOICES } do
    for name in pairs(known) do
      names[name] = not OF_HOST[name] or nil
    end
  end
  return names
end

local function is_one_of(value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then
      return true
    end
  end
  return false
end

local function problem(name, value)
  local choices, kind = CHOICES[name], TYPES[name]
  if choices and not is_one_of(value, choices) then
    return ('must be one of "%s"'):format(table.concat(choices, '", "'))
  elseif not choices and type(value) ~= kind then
    return ("must be a %s"):format(kind or "known name")
  elseif DEFAULTS[name] and (value < 0 or value ~= value) then
    return "must not be negative"
  end
end

--- Check options and fill in the defaults, or raise.
---@param given table
---@param level integer  whose line a raised error names
---@return table options  a copy
function M.read(given, level)
  local options = {}
  for name, value in pairs(given) do
    local wrong = problem(name, value)
    if wrong then
      error(("sandbox: option %s %s"):format(tostring(name), wrong), level + 1)
    end
    options[name] = value
  end
  for _, name in ipairs(REQUIRED) do
    if options[name] == nil then
      error("sandbox: option " .. name .. " is required", level + 1)
    end
  end
  for name, choices in pairs(CHOICES) do
    options[name] = options[name] or choices[1]
  end
  for name, value in pairs(DEFAULTS) do
    options[name] = options[name] or value
  end
  options.premade_instances = math.floor(options.premade_instances)   -- an integer, where there are such
  return options
end

return M
