--- Whether to try again, and when.  Pure: the random number is an argument.
-- The rules are those of README.md, "What is sent twice, and what never is".

local M = {}

local FIRST, CAP = 0.5, 8 -- seconds: the ceiling of the first delay, and of any

local REPEATABLE = { GET = true, HEAD = true, DELETE = true }
local TRANSPORT = { resolve = true, connect = true, network = true }
local STATUS = { [502] = true, [503] = true, [504] = true }

local EARLY = { resolve = true, connect = true, tls = true }

-- Did the connection fail, as against the server, the certificate or our patience?
local function connection_failed(failure)
  if failure.kind == "timeout" then
    return EARLY[failure.phase] == true -- connect_timeout; the deadline leaves no time anyway
  end
  return TRANSPORT[failure.kind] == true
end

--- Seconds to wait before trying again, or nil for "do not".
---@param try integer  how many attempts were made, at least 1
---@param method string
---@param failure {kind: string, sent?: boolean, reused?: boolean, status?: integer, phase?: string, retry_after?: number}  `sent` is nil when a whole answer came
---@param random number  at least 0, below 1
---@return number?
function M.delay(try, method, failure, random)
  local jitter = random * math.min(CAP, FIRST * 2 ^ (try - 1))
  if failure.sent == nil then
    if not REPEATABLE[method] then
      return nil
    end
    if STATUS[failure.status] then
      return failure.retry_after or jitter
    end
    -- Without Retry-After a 429 is a size limit, and asking again cannot help.
    return failure.status == 429 and failure.retry_after or nil
  end
  if not connection_failed(failure) then
    return nil
  end
  if REPEATABLE[method] or failure.sent == false then
    -- A kept connection that the server had closed meanwhile is no sign of trouble.
    return failure.reused and try == 1 and 0 or jitter
  end
end

local MONTHS = {}
for name in ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"):gmatch("%a+") do
  MONTHS[#MONTHS + 1] = name
  MONTHS[name] = #MONTHS
end

-- Days from 1970-01-01 in the Gregorian calendar; os.time() would use the local zone.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

--- Seconds that a Retry-After header asks for.
---@param value string?  a number of seconds or an HTTP date
---@param now number  Unix time
---@return number?
function M.retry_after(value, now)
  if not value then
    return nil
  end
  local seconds = value:match("^%s*(%d+)%s*$")
  if seconds then
    return tonumber(seconds)
  end
  local day, month, year, h, m, s = value:match("(%d%d?)[ -](%a%a%a)[ -](%d%d%d%d) (%d%d):(%d%d):(%d%d)")
  if not day or not MONTHS[month] then
    return nil
  end
  local at = days(tonumber(year), MONTHS[month], tonumber(day)) * 86400 + h * 3600 + m * 60 + s
  return math.max(0, at - now)
end

return M
