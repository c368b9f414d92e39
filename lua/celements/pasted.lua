--- The application's credentials in a configuration, as people paste them.
-- oauth_url gets the same two as api_key and api_secret and tidies them, so that a value which
-- serves there serves here.  Other values may have lines of their own, such as a private key.
-- Pure.  Read only where a body holds what a credential never does.

local check = require "celements.check"
local errors = require "celements.error"

local M = {}

local CREDENTIALS = { "oauth.api.key", "oauth.api.secret" }

--- The configuration without the line breaks that come along from a file; a copy, if there
-- were any.
---@param configuration any
---@return any configuration  nil where a credential cannot be meant
---@return celements.Error? err
function M.tidied(configuration)
  if type(configuration) ~= "table" then
    return configuration
  end
  local copy
  for _, name in ipairs(CREDENTIALS) do
    local value = configuration[name]
    if type(value) == "string" and value:find("[^\32-\126]") then
      local text = value:gsub("\r?\n$", "")
      local problem = check.credential_problem(text)
      if problem then
        return nil, errors.new { kind = "config", message = ("configuration[%q] %s"):format(name, problem), outcome = "not_sent" }
      end
      if not copy then
        copy = {}
        for key, each in pairs(configuration) do
          copy[key] = each
        end
      end
      copy[name] = text
    end
  end
  return copy or configuration
end

return M
