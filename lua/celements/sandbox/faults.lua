--- Things that go wrong on purpose.
--
-- A fault is written as parts joined by commas, in the request header `Sandbox-Fault`
-- or in the option `faults`:
--
--     delay=SECONDS        the answer comes late (alone, or with any other part)
--     late=SECONDS         the platform acts only so long after the request came, and answers then; with hangup
--                          it closes the connection at once and acts all the same
--     status=CODE          the platform's error body with this status; nothing happens
--     retry-after=SECONDS  a Retry-After header on the answer
--     location=URL         a Location header on the answer, for status=302
--     html                 a gateway's HTML page, with status (default 502); nothing happens
--     hangup=before        nothing happens, and the connection closes without one byte
--     hangup=after         the platform acts, then the connection closes without one byte
--     hangup=middle        the platform breaks off when the provider has been asked and nothing is stored yet:
--                          codes are spent, no instance is there; calls that ask no provider: as hangup=after
--     reset                with hangup: by TCP reset instead of an orderly end
--     garbage              the platform acts, but its answer is no JSON
--     cut, cut=BYTES       the platform acts, the answer breaks off (in its middle, or after so many bytes)
--     same-page            a page of a list gives the token that it was asked for with: the list has no end
--
-- e.g. "delay=0.2,status=503,retry-after=1".  A rule of the option adds to when:
--
--     { fault = "hangup=after", method = "POST", path = "/instances", times = 1, skip = 2 }
--
-- `path` is below the API base and may hold "*" for any text; `times` (default: for
-- ever) counts the requests that are hit, after `skip` that are let through.

local KNOWN = {
  delay = "number", late = "number", status = "number", ["same-page"] = "flag", ["retry-after"] = "number",
  location = "text", html = "flag",
  hangup = "when", reset = "flag", garbage = "flag", cut = "optional",
}

local GATEWAY_PAGE = "<html><head><title>%d Gateway</title></head><body><h1>The gateway could not reach the platform"
  .. "</h1></body></html>\n"

local M = {}

local function read_value(kind, name, value)
  if kind == "flag" then
    return value == "" and true or nil
  elseif kind == "text" then
    return value ~= "" and value or nil
  elseif kind == "when" then
    return (value == "before" or value == "after" or value == "middle") and value or nil
  elseif kind == "optional" and value == "" then
    return true
  end
  local n = tonumber(value)
  return n and n >= 0 and n < 1e6 and (name == "delay" or name == "late" or n % 1 == 0) and n or nil
end

--- Read a fault.
---@param spec string
---@return table? fault
---@return string? message  which part is not understood
function M.parse(spec)
  local fault = {}
  for part in spec:gmatch("[^,]+") do
    local name, value = part:match("^%s*([%w-]+)=?(.-)%s*$")
    local kind = KNOWN[name]
    local read = kind and read_value(kind, name, value)
    if read == nil then
      return nil, "Sandbox-Fault: not understood: " .. part
    end
    fault[name] = read
  end
  return fault
end

local function glob(path)
  return "^" .. path:gsub("%W", "%%%0"):gsub("%%%*", ".*") .. "$"
end

--- Read the rules of the option `faults`.
---@param list table[]
---@return table[]? rules
---@return string? message
function M.rules(list)
  local rules = {}
  for i, given in ipairs(list) do
    local fault, message = M.parse(tostring(given.fault))
    if not fault then
      return nil, message
    end
    rules[i] = {
      fault = fault, method = given.method, path = given.path and glob(given.path),
      left = given.times or math.huge, skip = given.skip or 0,
    }
  end
  return rules
end

--- The fault of the first rule that hits this request; counts it.
---@param rules table[]
---@param method string
---@param path string  below the API base
---@return table? fault
function M.match(rules, method, path)
  for _, rule in ipairs(rules) do
    local hit = rule.left > 0 and (not rule.method or rule.method == method)
      and (not rule.path or path:find(rule.path))
    if hit and rule.skip > 0 then
      rule.skip = rule.skip - 1
    elseif hit then
      rule.left = rule.left - 1
      return rule.fault
    end
  end
end

--- Does this fault keep the request from the platform?
---@param fault table
---@return boolean
function M.intercepts(fault)
  return (fault.status or fault.html or fault.hangup == "before") and true or false
end

--- What an intercepted request gets instead of an answer.
---@param fault table
---@return table response  without a request id, like a gateway's
function M.instead(fault)
  if fault.html then
    local status = fault.status or 502
    return { status = status, headers = { ["Content-Type"] = "text/html" }, body = GATEWAY_PAGE:format(status) }
  end
  return {
    status = fault.status or 200, headers = {},
    value = { message = ("The sandbox was asked for status %d."):format(fault.status or 200) },
  }
end

--- Spoil a finished response.
---@param fault table
---@param response table  as the host will send it
---@param page_token? string  the page that was asked for
function M.spoil(fault, response, page_token)
  if fault["retry-after"] then
    response.headers["Retry-After"] = ("%d"):format(fault["retry-after"])
  end
  response.headers.Location = fault.location or response.headers.Location
  response.delay = fault.delay
  if fault["same-page"] and page_token then
    response.headers["Elements-Next-Page-Token"] = page_token
  end
  if fault.hangup then
    response.hang_up = fault.reset and "reset" or true
  end
  if fault.garbage then
    response.body = '{"id": 12345, "token": "' .. ("\0\255"):rep(8)
  end
  if fault.cut then
    local whole = #(response.body or "")
    response.cut = math.min(fault.cut == true and math.floor(whole / 2) or fault.cut, math.max(whole - 1, 0))
  end
end

return M
