--- What a backend says when its server fails: a celements.Error without secrets.
-- Takes known secrets out of every text, since drivers quote what they were given.

local core = require "celements.core"
local errors = require "celements.error"

local M = {}

local function one_line(text)
  return (tostring(text):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- An error about a backend.
---@param name string  of the backend
---@param secrets string[]  texts that may not be in it
---@param fields table  as celements.Error; `because`: the driver's own words
---@return nil
---@return celements.Error
function M.failed(name, secrets, fields)
  fields.store = name
  fields.message = name .. (fields.outcome == "refused" and " refuses" or " fails")
  if fields.because then
    fields.message = fields.message .. ": " .. one_line(fields.because)
    fields.because = nil
  end
  fields.message = core.secret.redact(fields.message, secrets)
  return nil, errors.new(fields)
end

return M
