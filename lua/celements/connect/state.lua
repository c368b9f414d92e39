--- What goes around by way of the provider and comes back: the sealed state and its cookie.
-- Pure: the box that seals, the hash, the random source and the clock are arguments.  No
-- server keeps anything, so any of them can take the callback, also after a restart.
--
-- The state says which flow it is, until when, of which user, and where it began.  The
-- cookie says where the user wants to go in the end and holds, for OAuth 1, the request
-- token's secret.  Both are sealed for one element and one callback URL, the cookie also for its flow:
-- whoever shows a cookie that opens is the browser that began this flow.

local json = require "celements.json"

---@class celements.connect.State
local state = {}
local state_mt = { __index = state, __name = "celements.connect.State" }

local M = {}

local VERSION = "1"
local ID_BYTES = 16       -- random; 22 characters of base64url
local HASH_LENGTH = 22    -- characters of a hash that are as good as the id
local MAX_BYTES = 4096    -- of a text that is worth opening
local MAX_PATH = 100      -- of the page where it began, as far as that goes along

--- Make it.
---@param parts {box: table, hash: (fun(text: string): string), token: (fun(bytes: integer): string), now: (fun(): number), seconds: integer, purpose: string}  purpose: what else is sealed with these keys must not open here
---@return celements.connect.State
function M.new(parts)
  return setmetatable({
    box = parts.box, hash = parts.hash, token = parts.token, now = parts.now, seconds = parts.seconds,
    purpose = parts.purpose,
  }, state_mt)
end

--- A new flow's id.
---@return string
function state:new_id()
  return self.token(ID_BYTES)
end

--- The id of the flow that has this request token: OAuth 1 providers need not echo a state.
---@param request_token string
---@return string
function state:id_of(request_token)
  return self.hash("celements request token\0" .. request_token):sub(1, HASH_LENGTH)
end

-- Users are compared, never shown.
function state:hash_of(user)
  return self.hash("celements user\0" .. user):sub(1, HASH_LENGTH)
end

--- The state for the provider.
---@param id string
---@param user string  the application's name for its user
---@param path string  where the flow began
---@return string text
---@return {id: string, expires: number, user: string, path: string} record
function state:issue(id, user, path)
  local record = {
    id = id, expires = math.floor(self.now()) + self.seconds, user = self:hash_of(user),
    path = #path <= MAX_PATH and path or "",
  }
  local plain = table.concat({ VERSION, id, ("%.0f"):format(record.expires), record.user, record.path }, "\n")
  return self.box:seal(plain, self.purpose .. "\nstate"), record
end

--- What a state says; nil when it was not made here.
---@param text string
---@return {id: string, expires: number, user: string, path: string}?
function state:read(text)
  local plain = #text <= MAX_BYTES and self.box:open(text, self.purpose .. "\nstate")
  local version, id, expires, user, path = (plain or ""):match("^([^\n]*)\n([^\n]*)\n(%d+)\n([^\n]*)\n([^\n]*)$")
  if version ~= VERSION then
    return nil
  end
  return { id = id, expires = tonumber(expires), user = user, path = path }
end

--- Has its time run out?
---@param record {expires: number}
---@return boolean
function state:expired(record)
  return self.now() >= record.expires
end

--- The value of a flow's cookie.
---@param id string
---@param fields {return_to?: string, state?: string, token?: string, secret?: string}
---@return string
function state:seal_cookie(id, fields)
  return self.box:seal(assert(json.encode(fields)), self.purpose .. "\ncookie\n" .. id)
end

--- What a flow's cookie holds; nil when it is not this flow's.
---@param id string
---@param values string[]  that the browser sent under its name
---@return {return_to?: string, state?: string, token?: string, secret?: string}?
function state:open_cookie(id, values)
  for i = 1, math.min(#values, 4) do
    local plain = #values[i] <= MAX_BYTES and self.box:open(values[i], self.purpose .. "\ncookie\n" .. id)
    local fields = plain and json.decode(plain)
    if type(fields) == "table" then
      return fields
    end
  end
end

return M
