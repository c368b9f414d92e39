--- Made-up secrets, and the search for them in all that a program can see.
-- A leak is any stretch of a secret, raw or in a coding that servers and libraries use.

local STRETCH = 12   -- bytes in a row that give a secret away

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local M = {}

function M.base64(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local n = a * 65536 + (b or 0) * 256 + (c or 0)
    for k, keep in ipairs { true, true, b ~= nil, c ~= nil } do
      local digit = math.floor(n / 64 ^ (4 - k)) % 64
      out[#out + 1] = keep and ALPHABET:sub(digit + 1, digit + 1) or "="
    end
  end
  return table.concat(out)
end

function M.percent(text, format)
  return (text:gsub("[^%w._~-]", function(c)
    return (format or "%%%02X"):format(c:byte())
  end))
end

function M.json(text)
  return (text:gsub('[%c"\\/]', function(c)
    return ({ ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/" })[c] or ("\\u%04x"):format(c:byte())
  end))
end

function M.html(text)
  return (text:gsub("[&<>\"'+/=]", function(c)
    return ({ ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" })[c] or ("&#%d;"):format(c:byte())
  end))
end

-- The middle of base64(before .. text .. after) that does not depend on before and after.
local function base64_cores(text)
  local cores = {}
  for offset = 0, 2 do
    local coded = M.base64(("x"):rep(offset) .. text)
    local first = math.ceil(offset * 8 / 6)
    local last = math.floor((offset + #text) * 8 / 6)
    cores[offset + 1] = coded:sub(first + 1, last)
  end
  return cores
end

--- A secret in every coding that is looked for.
---@param text string
---@return table<string, string>
function M.forms(text)
  local cores = base64_cores(text)
  return {
    raw = text,
    percent = M.percent(text),
    ["percent, lower case"] = M.percent(text, "%%%02x"),
    ["percent, twice"] = M.percent(M.percent(text)),
    json = M.json(text),
    html = M.html(text),
    ["base64 at 0"] = cores[1],
    ["base64 at 1"] = cores[2],
    ["base64 at 2"] = cores[3],
    ["base64 for URLs"] = (cores[1]:gsub("+", "-"):gsub("/", "_")),
  }
end

--- All text that is reachable from a value: strings, keys, what tostring() says.
---@param value any
---@return string
function M.all_text(value)
  local out, seen = {}, {}
  local function collect(v)
    out[#out + 1] = tostring(v)
    if type(v) == "table" and not seen[v] then
      seen[v] = true
      for name, inner in pairs(v) do
        collect(name)
        collect(inner)
      end
    end
  end
  collect(value)
  return table.concat(out, "\n")
end

--- Where a text gives secrets away: a list of "name (form)".
---@param text string
---@param secrets table<string, string>
---@return string[]
function M.leaks(text, secrets)
  local found = {}
  for name, secret in pairs(secrets) do
    for form, coded in pairs(M.forms(secret)) do
      local step = math.max(1, math.floor(#coded / 60))
      for at = 1, math.max(1, #coded - STRETCH + 1), step do
        if text:find(coded:sub(at, at + STRETCH - 1), 1, true) then
          found[#found + 1] = ("%s (%s)"):format(name, form)
          break
        end
      end
    end
  end
  table.sort(found)
  return found
end

return M
