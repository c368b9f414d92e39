--- The error value that every call returns beside nil.
-- Owns its shape and how it reads in one line.  Knows nothing of HTTP or retries;
-- whoever fills it in has redacted the texts already.

---@class celements.Error
---@field kind string  "config", "oauth", "resolve", "connect", "tls", "timeout", "network", "redirect", "too_large", "decode", "auth", "forbidden", "not_found", "conflict", "invalid", "rate_limit" or "server"
---@field message string  what happened, one sentence, no secrets
---@field hint? string  what to do about it
---@field status? integer  HTTP status
---@field request_id? string  the platform's Elements-Request-Id, for support
---@field provider_message? string  what the provider (not the platform) said
---@field method? string
---@field path? string  without query
---@field attempts? integer  how many requests were made
---@field phase? string  "resolve", "connect", "tls", "send", "wait" or "receive"
---@field outcome? string  "not_sent": certainly nothing happened; "unknown": the platform may have acted; "refused": it answered no
---@field retry_after? number  seconds the server asked to wait
---@field body? any  the decoded answer, or its first 200 bytes
---@field reason? string  for kind "oauth" and "decode": the case, as one word or phrase
---@field line? integer  for kind "decode": 1-based line of the first fault
---@field column? integer  for kind "decode": 1-based column, in characters
---@field excerpt? string  for kind "decode": the line and a caret under the place, two lines, secrets masked
---@field store? string  the store that failed, where it was one
---@field missing? string[]  for kind "config": sorted names of what is missing
---@field placeholders? string[]  for kind "config": sorted paths still holding template text
local error_mt = { __name = "celements.Error" }

function error_mt:__tostring()
  local text = { self.kind, ": ", self.message }
  local function add(...)
    for i = 1, select("#", ...) do
      text[#text + 1] = (select(i, ...))
    end
  end
  if self.provider_message and not self.message:find(self.provider_message, 1, true) then
    add("; the provider says: ", self.provider_message)
  end
  if self.method then
    add(" [", self.method, " ", self.path or "", "]")
  end
  if self.request_id then
    add(" (request ", self.request_id, ")")
  end
  if self.outcome == "unknown" and self.method ~= "GET" and self.method ~= "HEAD" then
    add(self.store and "; it may have been done" or "; the platform may have acted on it")
  end
  if self.hint then
    add("; ", self.hint)
  end
  -- One line, and nothing in it that a terminal would obey.
  local line = table.concat(text):gsub("%c+", " "):gsub("\194[\128-\159]", " ")
  return self.excerpt and line .. "\n" .. self.excerpt or line
end

-- assert() and error() on Lua 5.1 and in nginx print only strings, so an error can
-- also be joined to text: "failed: " .. err.
function error_mt.__concat(a, b)
  return tostring(a) .. tostring(b)
end

local M = {}

--- Make an error out of its fields; the table is taken over, not copied.
---@param fields table
---@return celements.Error
function M.new(fields)
  return setmetatable(fields, error_mt)
end

--- Is this value one of ours?
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == error_mt
end

return M
