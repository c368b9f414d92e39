--- The OAuth proxies of one model: applications whose keys the platform keeps.

local proxies = {}
proxies.__index = proxies

local FIRST_ID = 301

local M = {}

--- @param stored table<string, {api_key?: string, api_secret?: string}>
---@return table proxies
function M.new(stored)
  local self = setmetatable({ order = {}, next_id = FIRST_ID }, proxies)
  local names = {}
  for name in pairs(stored) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    self:add(name, stored[name])
  end
  return self
end

--- Add a proxy.
---@param name string
---@param keys {api_key?: string, api_secret?: string}
---@return table? proxy  nil when the name is taken
function proxies:add(name, keys)
  if self:named(name) then
    return nil
  end
  local proxy = { id = self.next_id, name = name, api_key = keys.api_key, api_secret = keys.api_secret, urls = {} }
  self.next_id = self.next_id + 1
  self.order[#self.order + 1] = proxy
  return proxy
end

---@param name string
---@return table? proxy
function proxies:named(name)
  for _, proxy in ipairs(self.order) do
    if proxy.name == name then
      return proxy
    end
  end
end

---@param id string  as it stands in a path
---@return table? proxy
---@return integer? place  in `order`
function proxies:find(id)
  for place, proxy in ipairs(self.order) do
    if ("%d"):format(proxy.id) == id then
      return proxy, place
    end
  end
end

return M
