--- Finding out what happened: usage, whoami, the curl command, counts.
-- Adds them to celements.Client.

local any_call = require "celements.any_call"
local check = require "celements.check"
local client = require "celements.client"
local core = require "celements.core"
local json = require "celements.json"
local redact = require "celements.redact"

---@class celements.Client
local methods = client.methods

local USAGE_WAIT = 10 -- seconds; the record of a call comes that late (platform 12)
local USAGE_PAUSE = 1

local function get(self, path, wants, options, level)
  local err = client.lacks(self, "uo")
  if err then
    return nil, err
  end
  local result, info = client.send(self, { method = "GET", path = path, wants = wants }, options, level + 1)
  return result, info
end

--- The platform's record of one call: GET /usage/{requestId}.
-- It is there some seconds after the call; until then it is asked for again.
---@param request_id string  info.request_id or err.request_id
---@param wait? number  seconds to keep asking, 10 unless said
---@param options? celements.CallOptions
---@return table? record
---@return celements.Info info  or celements.Error
function methods:usage(request_id, wait, options)
  check.type(request_id, "string", "the request id", 2)
  check.id(request_id, "the request id", 2)
  check.type(wait, "number or nil", "wait", 2)
  client.check_options(options, 2)
  options = client.within(self, options)
  local until_then = math.min(client.clock() + (wait or USAGE_WAIT), options.deadline)
  while true do
    local record, info = get(self, client.path("usage", request_id), "a record", options, 2)
    if record ~= nil or info.kind ~= "not_found" or client.clock() + USAGE_PAUSE > until_then then
      return record, info
    end
    client.sleep(self, USAGE_PAUSE)
  end
end

--- Whose secrets are these, and do they work?  GET /organizations/me.
---@param options? celements.CallOptions
---@return table? organization  without its secret
---@return celements.Info info  or celements.Error
function methods:whoami(options)
  client.check_options(options, 2)
  local organization, info = get(self, "/organizations/me", "an organization", options, 2)
  if type(organization) == "table" then
    organization.secret = nil -- the caller has it, and this is made to be printed
  end
  return organization, info
end

-- A word of a shell command.
local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The curl command that does the same as client:request(), for a support ticket.
-- Secrets are hidden unless reveal = true.
---@param method string
---@param path string
---@param options? table  as for request(), and reveal
---@return string
function methods:curl(method, path, options)
  options = options or {}
  check.table(options, "options", 2)
  check.type(options.reveal, "boolean or nil", "reveal", 2)
  local reveal = options.reveal
  local call, base_url = any_call.describe(self, method, path, options, 2)
  if call.json ~= nil then
    local _, err = json.encode(call.json) -- before anything looks into it: it may hold itself
    if err then
      error(err.message, 2)
    end
  end
  local values = redact.values(call.secrets, call)
  local function shown(text)
    return reveal and text or redact.text(text, values)
  end
  local url = base_url .. shown(path)
  if call.query then
    local pairs_of = {}
    for i = 1, #call.query, 2 do
      local hide = not reveal and core.secret.is_name(call.query[i])
      pairs_of[i], pairs_of[i + 1] = call.query[i], hide and "[redacted]" or shown(call.query[i + 1])
    end
    local text, problem = core.url.query(pairs_of, #pairs_of)
    url = url .. "?" .. (text or error(problem, 2))
  end
  -- With -X HEAD curl would wait for a body.
  local words = { call.method == "HEAD" and "curl --head" or "curl -X " .. call.method, quoted(url) }
  local authorization = any_call.authorization(call, reveal)
  if authorization then
    words[#words + 1] = "-H " .. quoted("Authorization: " .. authorization)
  end
  words[#words + 1] = "-H 'Accept: application/json'"
  for _, line in ipairs(call.lines or {}) do
    words[#words + 1] = "-H " .. quoted(shown(line))
  end
  if call.json ~= nil then
    local body = reveal and call.json or redact.value(call.json, values)
    words[#words + 1] = "-H 'Content-Type: application/json'"
    words[#words + 1] = "-d " .. quoted(assert(json.encode(body)))
  end
  return table.concat(words, " \\\n  ")
end

--- What this client has done so far.
---@return celements.Stats
function methods:stats()
  return client.stats_of(self)
end

return true
