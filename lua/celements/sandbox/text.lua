--- The encodings the model speaks: percent, form, base64, hex, HTML.
-- Plain Lua on purpose: the sandbox checks the client's C code and must not lean on it.

local M = {}

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- Percent-encode everything but unreserved characters; a space becomes %20.
---@param s string
---@return string
function M.encode(s)
  return (tostring(s):gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- Undo percent-encoding; "+" stays.
---@param s string
---@return string? text  nil when a "%" is not followed by two hex digits
function M.decode(s)
  local bad = s:gsub("%%%x%x", ""):find("%", 1, true)
  if bad then
    return nil
  end
  return (s:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Read a query string or a form: "+" is a space, names may repeat.
---@param query string?
---@return table? all  name -> list of values in order; nil when an encoding is broken
function M.parse_query(query)
  local all = {}
  for pair in (query or ""):gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name, value = M.decode((name:gsub("+", " "))), M.decode((value:gsub("+", " ")))
    if not name or not value then
      return nil
    end
    all[name] = all[name] or {}
    table.insert(all[name], value)
  end
  return all
end

--- Append parameters to a URL that may have a query already.
---@param url string
---@param pairs_in_order table  list of {name, value}; a nil value leaves the pair out
---@return string
function M.add_query(url, pairs_in_order)
  local joined = url:find("?", 1, true) and "&" or "?"
  for _, pair in ipairs(pairs_in_order) do
    if pair[2] ~= nil then
      url = url .. joined .. M.encode(pair[1]) .. "=" .. M.encode(pair[2])
      joined = "&"
    end
  end
  return url
end

---@param bytes string
---@return string
function M.base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    local digits = {}
    for place = 1, 4 do
      local index = math.floor(n / 64 ^ (4 - place)) % 64
      digits[place] = BASE64:sub(index + 1, index + 1)
    end
    digits[4] = c and digits[4] or "="
    digits[3] = b and digits[3] or "="
    out[#out + 1] = table.concat(digits)
  end
  return table.concat(out)
end

---@param text string
---@return string? bytes  nil when it is not base64
function M.unbase64(text)
  if #text % 4 ~= 0 or not text:find("^[%w+/]*=?=?$") then
    return nil
  end
  return (text:gsub("(.)(.)(.)(.)", function(...)
    local n, pad = 0, 0
    for _, digit in ipairs{ ... } do
      n = n * 64
      if digit == "=" then
        pad = pad + 1
      else
        n = n + BASE64:find(digit, 1, true) - 1
      end
    end
    local bytes = string.char(math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
    return bytes:sub(1, 3 - pad)
  end))
end

--- A secret as the platform makes them: base64 text, here always with the "+" and "/"
-- that clients like to encode wrongly.
---@param bytes string  at least nine, better 32
---@return string
function M.secret(bytes)
  local digits = M.base64(bytes)
  return digits:sub(1, 4) .. "+" .. digits:sub(6, 10) .. "/" .. digits:sub(12)
end

---@param bytes string
---@return string
function M.hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---@param s any
---@return string
function M.html(s)
  return (tostring(s):gsub("[&<>\"']", ENTITIES))
end

--- What the platform makes of markup in a name or a tag: the text without it.
---@param s string
---@return string
function M.strip_markup(s)
  return (s:gsub("<[^<>]*>", ""))
end

--- Is this value a template's "<INSERT …>" that nobody filled in?
---@param s any
---@return boolean
function M.is_placeholder(s)
  return type(s) == "string" and s:find("^%s*<[^<>]*>%s*$") ~= nil
end

--- Bytes that can stand in a JSON string whatever they were.
---@param s string
---@return string
function M.printable(s)
  return (s:gsub("[^\9\10\13\32-\126]", function(c) return ("\\x%02x"):format(c:byte()) end))
end

return M
