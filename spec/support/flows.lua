--- The documented provisioning flows, from the fixture and from the documents themselves:
-- { id, element, at, token, url, url_answer, body, answer }, decoded.

local fixture = require "spec.fixtures.flows"
local plain_json = require "spec.support.plain_json"
local template = require "spec.support.template"

local DOCUMENTS = "../shared/data/flows.json" -- if they are here

local M = {}

--- The flows of the documents in the fixture's form, or nil where there are no documents.
---@return table[]?
function M.documented()
  local file = io.open(DOCUMENTS, "rb")
  if not file then
    return nil
  end
  local flows = {}
  for i, page in ipairs(plain_json.decode(file:read("*a"))) do
    local flow = { id = page.id, element = page.element }
    for _, step in ipairs { "token", "url" } do
      local asked = page["oauth_" .. step]
      if type(asked) == "table" and asked ~= plain_json.null then
        local element = asked.path:match("^/elements/([^/]*)/oauth/" .. step .. "$")
        flow.at = element ~= flow.element and element or flow.at
        flow[step] = {}
        for _, pair in ipairs(asked.query) do
          table.insert(flow[step], template.fill(pair[1]))
          table.insert(flow[step], template.fill(pair[2]))
        end
      end
    end
    local function part(name, value)
      flow[name] = value ~= plain_json.null and value or nil
    end
    part("url_answer", page.oauth_url_response)
    part("body", page.create_instance ~= plain_json.null
      and template.fill_in(page.create_instance.body) or plain_json.null)
    part("answer", page.create_instance_response)
    flows[i] = flow
  end
  file:close()
  return flows
end

--- The fixture, its texts decoded: new tables every time.
---@return table[]
function M.copied()
  local flows, answers = {}, {}
  for i, line in ipairs(fixture) do
    local flow = {}
    for name, value in pairs(line) do
      flow[name] = value
    end
    for _, name in ipairs { "url_answer", "body", "answer" } do
      flow[name] = flow[name] and plain_json.decode(flow[name])
    end
    flow.answer = flow.answer or answers[flow.answer_of]
    answers[flow.id] = flow.answer
    flows[i] = flow
  end
  return flows
end

return M
