--- The cookies of flows: one for each, so that several tabs do not get into each other's
-- way (pitfall 6).  Pure: text in, text out.  Knows nothing of what a value holds.

local M = {}

-- A browser sends all of them with every request of the site, and servers refuse headers
-- of 8 KiB: of flows that were begun and left the oldest give way.
local MAX_COUNT = 8
local MAX_BYTES = 3 * 1024

local NAME = "ce_"
local HOST = "__Host-"

--- The cookie's name for a flow.  With __Host- the browser itself sees to it that no other
-- host and no plain http can set it; over plain http, where only a developer is, it would
-- not be kept.
---@param id string  the flow's
---@param secure boolean
---@return string
function M.name(id, secure)
  return (secure and HOST or "") .. NAME .. id:sub(1, 8)
end

--- Every value that a Cookie header has under a name: a plain name can be there twice.
---@param header string?
---@param name string
---@return string[]
function M.values(header, name)
  local found = {}
  for each, value in (header or ""):gmatch("([^=;%s]+)%s*=%s*([^;]*)") do
    if each == name then
      found[#found + 1] = (value:gsub("%s+$", ""):gsub('^"(.*)"$', "%1"))
    end
  end
  return found
end

local function line(name, value, age, secure)
  return ("%s=%s; Max-Age=%d; Path=/; HttpOnly; SameSite=Lax%s"):format(name, value, age, secure and "; Secure" or "")
end

--- The Set-Cookie line that sets a flow's cookie.
---@param name string
---@param value string
---@param seconds integer
---@param secure boolean
---@return string
function M.set(name, value, seconds, secure)
  return line(name, value, seconds, secure)
end

--- The Set-Cookie line that takes it away.
---@param name string
---@param secure boolean
---@return string
function M.clear(name, secure)
  return line(name, "", 0, secure)
end

--- The names of the flows' cookies that have to go before one of `bytes` more is set.
-- Browsers send the oldest first.
---@param header string?
---@param bytes integer
---@param secure boolean
---@return string[]
function M.surplus(header, bytes, secure)
  local prefix = (secure and HOST or "") .. NAME
  local flows = {}
  for name, value in (header or ""):gmatch("([^=;%s]+)%s*=%s*([^;]*)") do
    if name:sub(1, #prefix) == prefix and #name == #prefix + 8 then
      flows[#flows + 1] = { name = name, size = #name + #value + 3 }
      bytes = bytes + flows[#flows].size
    end
  end
  local names, left = {}, #flows
  for _, flow in ipairs(flows) do
    if left < MAX_COUNT and bytes <= MAX_BYTES then
      break
    end
    names[#names + 1] = flow.name
    left, bytes = left - 1, bytes - flow.size
  end
  return names
end

return M
