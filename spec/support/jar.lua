--- A browser's cookies, as far as flows need them: what Set-Cookie lines set and take away.

local jar = {}
jar.__index = jar

local M = {}

function M.new()
  return setmetatable({ cookies = {} }, jar)
end

--- Take in Set-Cookie lines.
---@param lines string[]
function jar:take(lines)
  for _, line in ipairs(lines) do
    local name, value = line:match("^([^=]+)=([^;]*)")
    self:drop(name)
    if not line:find("Max-Age=0", 1, true) then
      table.insert(self.cookies, { name = name, value = value })
    end
  end
end

function jar:drop(name)
  for i = #self.cookies, 1, -1 do
    if self.cookies[i].name == name then
      table.remove(self.cookies, i)
    end
  end
end

--- The Cookie header, the oldest first; nil when there is none.
---@return string?
function jar:header()
  local parts = {}
  for i, each in ipairs(self.cookies) do
    parts[i] = each.name .. "=" .. each.value
  end
  return parts[1] and table.concat(parts, "; ") or nil
end

function jar:names()
  local names = {}
  for i, each in ipairs(self.cookies) do
    names[i] = each.name
  end
  return names
end

return M
