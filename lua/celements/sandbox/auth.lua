--- The platform's one Authorization header: "User <secret>, Organization <secret>,
-- Element <token>", in any order, secrets raw.  Says who calls, or refuses.

local reply = require "celements.sandbox.reply"

local SCHEMES = { User = true, Organization = true, Element = true }
local REFUSAL = "Invalid Organization or User secret, or invalid Element token provided."

local M = {}

local function parse(header)
  local given = {}
  for part in (header .. ","):gmatch("%s*(.-)%s*,") do
    local scheme, secret = part:match("^(%a+) (%S+)$")
    if not SCHEMES[scheme] or given[scheme] then
      return nil
    end
    given[scheme] = secret
  end
  return given
end

local function agrees(given, expected)
  return given == nil or given == expected
end

--- Check a request's header.
---@param model table
---@param header string?
---@param who string  "account": User and Organization; "anyone": the same, or no header at all; "element": User and Element; "instance": all three
---@return table? caller  `instance` when an Element token was given; `anonymous` without a header
---@return table? refusal  a 401 response
function M.check(model, header, who)
  if header == nil and who == "anyone" then
    return { anonymous = true }
  end
  local given = header and parse(header)
  if not given then
    return nil, reply.refuse(401, REFUSAL)
  end
  local instance = given.Element and model.instances:of_token(given.Element)
  local complete = given.User and (who == "element" or given.Organization)
    and (given.Element or who ~= "element" and who ~= "instance")
  if not complete or not agrees(given.User, model.user_secret) or not agrees(given.Organization, model.org_secret)
    or (given.Element and not instance) then
    return nil, reply.refuse(401, REFUSAL)
  end
  return { instance = instance }
end

return M
