--- A sandbox with a client for it, and instances to work with.

local celements = require "celements"

local M = {}

--- A client for a sandbox.
---@param sandbox table
---@param options? table  further options of the client
---@return table client
function M.client(sandbox, options)
  local all = { base_url = sandbox.url, user_secret = sandbox.user_secret, org_secret = sandbox.org_secret }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return celements.new(all)
end

--- Start a sandbox; whoever does stops it.
---@param options? table  of the sandbox
---@return table sandbox
---@return table client
function M.start(options)
  local sandbox = assert(celements.sandbox.start(options))
  return sandbox, M.client(sandbox)
end

--- What create_instance needs for an element without consent.
---@param more? table  further parameters
---@return table params
function M.typeform(more)
  local params = { element = "typeform", name = "Forms", configuration = celements.sandbox.credentials "typeform" }
  for name, value in pairs(more or {}) do
    params[name] = value
  end
  return params
end

--- Be the user of an element with consent: what its callback brings.
---@param client table
---@param element string
---@param app {api_key: string, api_secret: string, callback_url: string}
---@return table granted
function M.consent(client, element, app)
  local params = { element = element }
  for name, value in pairs(app) do
    params[name] = value
  end
  local step = assert(client:oauth_url(params))
  return assert(celements.parse_callback(assert(celements.sandbox.consent(step.oauthUrl, "approve"))))
end

--- Ask the sandbox itself, below its control URL.
---@param sandbox table
---@param method string
---@param path string  "/requests", "/faults", "/reset" ...
---@param body? table
---@return any
function M.control(sandbox, method, path, body)
  -- The control paths lie beside the API, where clients cannot go.
  local http, ltn12 = require "socket.http", require "ltn12"
  local text = body and assert(celements.json.encode(body)) or ""
  local out = {}
  local _, status = http.request {
    url = sandbox.control_url .. path, method = method, sink = ltn12.sink.table(out), source = ltn12.source.string(text),
    headers = { ["content-type"] = "application/json", ["content-length"] = #text },
  }
  assert(status == 200, table.concat(out))
  local answer = table.concat(out)
  return answer == "" or assert(celements.json.decode(answer))
end

return M
