--- HTTP/1.1 on one connection, server side: bytes in, request tables out, and back.
-- Owns the rules of the message format and its limits.  Reads through a `reader`
-- (two functions that may yield) and knows nothing of sockets, time or routes.

local MAX_HEAD = 64 * 1024
local MAX_BODY = 16 * 1024 * 1024
local MAX_CHUNK_LINE = 1024

local REASONS = {
  [100] = "Continue", [200] = "OK", [201] = "Created", [202] = "Accepted", [204] = "No Content",
  [301] = "Moved Permanently", [302] = "Found", [303] = "See Other", [304] = "Not Modified",
  [307] = "Temporary Redirect", [308] = "Permanent Redirect",
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [406] = "Not Acceptable", [408] = "Request Timeout", [409] = "Conflict",
  [413] = "Content Too Large", [415] = "Unsupported Media Type", [417] = "Expectation Failed",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error", [501] = "Not Implemented", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}

-- Two lines of these mean two different things; joining them would hide one.
local ONLY_ONCE = { host = true, authorization = true, ["content-type"] = true, ["content-length"] = true }

local TOKEN = "^[%w!#$%%&'*+%-.^_`|~]+$"

local M = { MAX_HEAD = MAX_HEAD, MAX_BODY = MAX_BODY }

local function refusal(status, message)
  return { status = status, message = message }
end

-- One line without its line end, and what is left of the head's budget.
local function read_line(reader, budget)
  local line, err = reader.line(budget)
  if not line then
    return nil, err == "too long" and refusal(431, "the request head is too large") or nil
  end
  return line, nil, budget - #line - 2
end

local function parse_request_line(line)
  local method, target, major, minor = line:match("^(%S+) (%S+) HTTP/(%d)%.(%d)$")
  if not method or not method:find(TOKEN) then
    return nil, refusal(400, "this is not an HTTP request line")
  end
  if major ~= "1" then
    return nil, refusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
  end
  target = target:gsub("^https?://[^/?]*", "")   -- the form that clients send to proxies
  if target:sub(1, 1) == "?" then
    target = "/" .. target
  end
  if target:find("[%c\128-\255#]") or not (target:sub(1, 1) == "/" or target == "*") then
    return nil, refusal(400, "the request target is not a path")
  end
  local path, query = target:match("^([^?]*)%??(.*)$")
  if not target:find("?", 1, true) then
    query = nil
  end
  return { method = method, path = path, query = query, version = major .. "." .. minor, headers = {} }
end

local function add_header(headers, line)
  local name, value = line:match("^([^:]+):[ \t]*(.-)[ \t]*$")
  if not name or not name:find(TOKEN) or value:gsub("\t", " "):find("%c") then
    return refusal(400, "this is not an HTTP header line")
  end
  name = name:lower()
  local earlier = headers[name]
  if earlier and ONLY_ONCE[name] then
    return refusal(400, "the header " .. name .. " stands there twice")
  end
  headers[name] = earlier and earlier .. ", " .. value or value
end

local function read_chunked(reader)
  local parts, total = {}, 0
  while true do
    local line = reader.line(MAX_CHUNK_LINE)
    if not line then
      return nil
    end
    local digits = line:match("^(%x+)%s*$") or line:match("^(%x+)%s*;") or ""
    if digits == "" or #digits > 8 then   -- more digits wrap around on Lua 5.3
      return nil, refusal(400, "this is not a chunk size")
    end
    local size = tonumber(digits, 16)
    if size == 0 then
      break
    end
    total = total + size
    if total > MAX_BODY then
      return nil, refusal(413, "the request body is too large")
    end
    local piece, line_end = reader.bytes(size), reader.bytes(2)
    if not line_end then
      return nil
    end
    if line_end ~= "\r\n" then
      return nil, refusal(400, "this is not a chunk")
    end
    parts[#parts + 1] = piece
  end
  local budget = MAX_HEAD
  repeat   -- trailers are read and dropped
    local line, refused
    line, refused, budget = read_line(reader, budget)
    if not line then
      return nil, refused
    end
  until line == ""
  return table.concat(parts)
end

local function read_body(request, reader)
  local coding, length = request.headers["transfer-encoding"], request.headers["content-length"]
  if coding and length then
    return nil, refusal(400, "a body has a length or is chunked, not both")
  end
  if coding then
    if coding:lower() ~= "chunked" then
      return nil, refusal(501, "this transfer coding is not spoken here")
    end
    return read_chunked(reader)
  end
  if not length then
    return ""
  end
  if not length:find("^%d+$") then
    return nil, refusal(400, "Content-Length is not a number")
  end
  length = tonumber(length)
  if length > MAX_BODY then
    return nil, refusal(413, "the request body is too large")
  end
  return (reader.bytes(length))
end

--- Read one request.
---@param reader table  `line(max)` -> text or nil, "too long" | "closed"; `bytes(n)` -> text or nil; `send(text)`
---@return table? request  method, path, query (nil without "?"), version, headers (lower-case names), body
---@return table? refusal  status and message when it was nonsense; nil, nil when the peer just went
function M.read_request(reader)
  local line, refused
  local budget = MAX_HEAD
  repeat   -- a line end too many after the last body is harmless
    line, refused, budget = read_line(reader, budget)
    if not line then
      return nil, refused
    end
  until line ~= ""
  local request
  request, refused = parse_request_line(line)
  if not request then
    return nil, refused
  end
  while true do
    line, refused, budget = read_line(reader, budget)
    if not line then
      return nil, refused
    end
    if line == "" then
      break
    end
    refused = add_header(request.headers, line)
    if refused then
      return nil, refused
    end
  end
  if request.version == "1.1" and not request.headers.host then
    return nil, refusal(400, "HTTP/1.1 wants a Host header")
  end
  if (request.headers.expect or ""):lower() == "100-continue" then
    reader.send("HTTP/1.1 100 Continue\r\n\r\n")
  end
  request.body, refused = read_body(request, reader)
  if not request.body then
    return nil, refused
  end
  return request
end

--- Does this request leave the connection open?
---@param request table
---@return boolean
function M.keeps_alive(request)
  local connection = (request.headers.connection or ""):lower()
  if request.version == "1.0" then
    return connection:find("keep-alive", 1, true) ~= nil
  end
  return not connection:find("close", 1, true)
end

-- What goes out in a header line must not start another one.
local function header_line(name, value)
  value = tostring(value)
  if not name:find(TOKEN) or value:find("%c") then
    error("loopback: the handler's header " .. name .. " cannot be sent", 0)
  end
  return name .. ": " .. value
end

--- A response as bytes: the head, and the body apart.
---@param response table  status, headers (a list value repeats the line), body
---@param method string  of the request: HEAD gets no body, but its length
---@param keep_alive boolean
---@return string head
---@return string body
function M.write_response(response, method, keep_alive)
  local status, body = response.status, response.body or ""
  local lines = { ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Status") }
  for name, value in pairs(response.headers or {}) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = header_line(name, one)
    end
  end
  if status == 204 or status == 304 then
    body = ""
  else
    lines[#lines + 1] = ("Content-Length: %d"):format(#body)
  end
  if not keep_alive then
    lines[#lines + 1] = "Connection: close"
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n", method == "HEAD" and "" or body
end

return M
