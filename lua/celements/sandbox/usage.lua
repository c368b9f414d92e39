--- What the platform remembers of the calls it got: GET /usage.
-- A record is there some time after its call, as with the platform; how long, and how
-- often it is asked for in vain, are options.

local KEPT = 1000
local ACCOUNT = { user_id = 4711, account_id = 101, company_id = 11 }

local usage = {}
usage.__index = usage

local M = {}

--- @param options table  `now`, `usage_polls`, `usage_seconds`, `usage_names`
---@return table usage
function M.new(options)
  return setmetatable({
    now = options.now, polls = options.usage_polls, seconds = options.usage_seconds, names = options.usage_names,
    records = {}, by_id = {},
  }, usage)
end

--- Remember a call.
---@param call table  id, method, path, query, status, instance
function usage:add(call)
  local record = { time = self.now(), polls = self.polls }
  for name, value in pairs(call) do
    record[name] = value
  end
  record.tags = call.instance and call.instance.tags or {}
  table.insert(self.records, record)
  self.by_id[record.id] = record
  if #self.records > KEPT then
    self.by_id[table.remove(self.records, 1).id] = nil
  end
end

local function is_there(self, record)
  return self.now() >= record.time + self.seconds
end

--- The record of one call; asking counts.
---@param id string  its Elements-Request-Id
---@return table? record  nil as long as it is not there
function usage:find(id)
  local record = self.by_id[id]
  if not record or not is_there(self, record) then
    return nil
  elseif record.polls > 0 then
    record.polls = record.polls - 1
    return nil
  end
  return record
end

local function succeeded(record)
  return record.status < 400
end

--- The records that meet all filters, newest first.
---@param filters (fun(record: table): boolean)[]
---@return table[] records
function usage:list(filters)
  local found = {}
  for i = #self.records, 1, -1 do
    local record = self.records[i]
    local fits = is_there(self, record)
    for _, filter in ipairs(filters) do
      fits = fits and filter(record)
    end
    if fits then
      found[#found + 1] = record
    end
  end
  return found
end

-- request_uri -> requestURI, process_time -> processTime
local function camel(name)
  return (name:gsub("_uri$", "URI"):gsub("_(%l)", string.upper))
end

--- A record as the platform shows it, in the one or the other spelling.
---@param record table
---@return table
function usage:show(record)
  local element = record.instance and record.instance.element
  local shown = {
    user_id = ACCOUNT.user_id, account_id = ACCOUNT.account_id, company_id = ACCOUNT.company_id,
    company_external_id = "sandbox", company_external_name = "Sandbox",
    traffic_id = record.id, request_id = record.id, process_time = 5, request_ip = "127.0.0.1",
    request_status = succeeded(record) and "SUCCESS" or "FAILED",
    request_method = record.method, request_uri = record.path, http_status = record.status,
    traffic_date = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(record.time)),
    element_api = element and "hub" or "platform", element_key = element and element.key,
    element_name = element and element.name, element_instance_id = record.instance and record.instance.id,
  }
  if self.names ~= "camel" then
    return shown
  end
  local renamed = {}
  for name, value in pairs(shown) do
    renamed[camel(name)] = value
  end
  return renamed
end

local function one_of(list, value)
  for _, wanted in ipairs(list) do
    if wanted == value then
      return true
    end
  end
  return false
end

local function has_one_of(list, values)
  for _, value in ipairs(values) do
    if one_of(list, value) then
      return true
    end
  end
  return false
end

--- What a query filters by, by name of the parameter.
M.FILTERS = {
  ["keys[]"] = function(wanted, record)
    return record.instance ~= nil and one_of(wanted, record.instance.element.key)
  end,
  ["instanceIds[]"] = function(wanted, record)
    return record.instance ~= nil and one_of(wanted, ("%d"):format(record.instance.id))
  end,
  ["accountIds[]"] = function(wanted)
    return one_of(wanted, ("%d"):format(ACCOUNT.account_id))
  end,
  ["tags[]"] = function(wanted, record)
    return has_one_of(wanted, record.tags)
  end,
  hub = function(wanted, record)
    return record.instance ~= nil and record.instance.element.hub == wanted[1]
  end,
  status = function(wanted, record)
    return wanted[1]:upper() == (succeeded(record) and "SUCCESS" or "FAILED")
  end,
  searchText = function(wanted, record)
    return record.path:find(wanted[1], 1, true) ~= nil
  end,
  -- ISO 8601 compares as text; a day alone is its beginning.
  from = function(wanted, record)
    return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(record.time)) >= wanted[1]
  end,
  to = function(wanted, record)
    return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(record.time)) <= wanted[1]
  end,
}

return M
