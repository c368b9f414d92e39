--- Where the platform is: one spelling out of the many that people use.
-- Pure.  Knows nothing of clients or environments.

local M = {}

local PREFIX = "/elements/api-v2"

--- The platform in the vendor's own samples; used when nothing else is said.
M.DEFAULT = "https://api.cloud-elements.com" .. PREFIX

--- Is this host this machine, where plain http shows secrets to nobody else?
---@param host string  without port; IPv6 in brackets
---@return boolean
function M.is_loopback(host)
  host = host:lower()
  if host == "localhost" or host == "[::1]" then
    return true
  end
  -- With a part above 255 it is a name, and a name server says whose.
  local b, c, d = host:match("^127%.(%d+)%.(%d+)%.(%d+)$")
  return b ~= nil and math.max(tonumber(b), tonumber(c), tonumber(d)) < 256
end

local function split(text)
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  rest = rest or text
  local authority, path = rest:match("^([^/]*)(.*)$")
  local host, port = authority:match("^(%[[%x:.]+%]):?(%d*)$")
  if not host then
    host, port = authority:match("^([%w._-]+):?(%d*)$")
  end
  return scheme and scheme:lower(), host, port, path
end

--- Bring a base URL into the form that requests are put behind.
-- Takes a host, a host with scheme, and either with `/elements/api-v2`, with or
-- without a slash at the end.  A host alone means https, or http on this machine.
---@param text string
---@param allow_http? boolean  accept plain http to other machines
---@return string? url  "https://host[:port]/elements/api-v2"
---@return string? problem  what is wrong with it and what would be right
---@return boolean? loopback  true when the host is this machine
function M.normalise(text, allow_http)
  text = text:gsub("^%s+", ""):gsub("%s+$", "")
  if text:find("@", 1, true) then
    return nil, "has a user name in it; secrets go into user_secret and org_secret"
  end
  if text:find("[?#]") then
    return nil, "has a query or a fragment; it ends with the host or with " .. PREFIX
  end
  local scheme, host, port, path = split(text)
  if not host then
    return nil, "is not a host or URL; an example: " .. M.DEFAULT
  end
  if #host > 253 or (port ~= "" and tonumber(port) > 65535) then
    return nil, "has a host or a port that cannot be"
  end
  local loopback = M.is_loopback(host)
  scheme = scheme or (loopback and "http" or "https")
  if scheme ~= "https" and scheme ~= "http" then
    return nil, "has the scheme " .. scheme .. "; only https (and http to this machine) can be used"
  end
  if scheme == "http" and not loopback and not allow_http then
    return nil, "is plain http to another machine, where everybody on the way can read the secrets; "
      .. "use https, or set allow_http = true"
  end
  path = path:gsub("/+$", "")
  if path ~= "" and path:sub(-#PREFIX) ~= PREFIX then
    return nil, "has the path " .. path .. "; the platform's API is under " .. PREFIX
  end
  if path == "" then
    path = PREFIX
  elseif not path:find("^[%w/._~-]+$") then
    return nil, "has characters in its path that do not belong there"
  end
  return scheme .. "://" .. host .. (port ~= "" and ":" .. port or "") .. path, nil, loopback
end

return M
