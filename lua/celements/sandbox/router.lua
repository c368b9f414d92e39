--- Method and path to handler.
-- A pattern is written like a path; "{name}" stands for one segment and is handed to
-- the handler decoded.  A literal segment wins over a named one, so "/elements/keys"
-- can stand beside "/elements/{key}".  Knows nothing of authentication or JSON.

local text = require "celements.sandbox.text"

local router = {}
router.__index = router

local M = {}

---@return table router
function M.new()
  return setmetatable({ root = { literal = {} } }, router)
end

local function segments(path)
  local list = {}
  for segment in path:gmatch("/([^/]*)") do
    list[#list + 1] = segment
  end
  return list
end

--- Add a route.
---@param method string
---@param pattern string  e.g. "/elements/{key}/oauth/url"
---@param route any  what `find` gives back
function router:add(method, pattern, route)
  local node, names = self.root, {}
  for _, segment in ipairs(segments(pattern)) do
    local name = segment:match("^{(.*)}$")
    local child
    if name then
      names[#names + 1] = name
      node.any = node.any or { literal = {} }
      child = node.any
    else
      child = node.literal[segment] or { literal = {} }
      node.literal[segment] = child
    end
    node = child
  end
  node.methods = node.methods or {}
  assert(not node.methods[method], "two routes for " .. method .. " " .. pattern)
  node.methods[method] = { route = route, names = names }
end

-- The first node with routes, literals tried before named segments.
local function walk(node, list, i, values)
  if i > #list then
    return node.methods
  end
  local child = node.literal[list[i]]
  local found = child and walk(child, list, i + 1, values)
  if found then
    return found
  end
  if node.any and list[i] ~= "" then
    values[#values + 1] = list[i]
    found = walk(node.any, list, i + 1, values)
    if not found then
      values[#values] = nil
    end
    return found
  end
end

--- Look a request up.
---@param method string  HEAD finds what GET finds
---@param path string  as it came, still percent-encoded
---@return any route  nil when nothing matches
---@return table|string|nil  the decoded segments by name; without a route, the methods this path allows, or nil
function router:find(method, path)
  local list = segments(path)
  for i, segment in ipairs(list) do
    list[i] = text.decode(segment)
    if not list[i] then
      return nil
    end
  end
  local values = {}
  local methods = walk(self.root, list, 1, values)
  if not methods then
    return nil
  end
  local entry = methods[method] or (method == "HEAD" and methods.GET)
  if not entry then
    local allowed = {}
    for name in pairs(methods) do
      allowed[#allowed + 1] = name
    end
    table.sort(allowed)
    return nil, table.concat(allowed, ", ")
  end
  local captured = {}
  for i, name in ipairs(entry.names) do
    captured[name] = values[i]
  end
  return entry.route, captured
end

return M
