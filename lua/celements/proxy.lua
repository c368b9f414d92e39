--- Which proxy libcurl will take, in words fit for a message: no password in them.

local M = {}

-- In the order of libcurl, for https.
local NAMES = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

-- Without the user name and password that may stand in it.
local function shown(url)
  return (url:gsub("^(%a[%w+.-]*://)[^/@]*@", "%1[redacted]@"):gsub("^[^/@]*@", "[redacted]@"))
end

--- The proxy that the environment names, and the variable that does.
---@return string?
function M.from_environment()
  for _, name in ipairs(NAMES) do
    local value = os.getenv(name)
    if value and value ~= "" then
      return shown(value) .. " (" .. name .. ")"
    end
  end
end

--- The proxy of a client: its option, or what the environment names.
---@param option string?  "" for none
---@return string?
function M.of(option)
  if option == nil then
    return M.from_environment()
  end
  return option ~= "" and shown(option) .. " (the option proxy)" or nil
end

return M
