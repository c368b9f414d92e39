--- The platform's answers: JSON bodies, error bodies, pages.
-- A handler returns what one of these makes; the model adds the request id.

local json = require "celements.json"
local text = require "celements.sandbox.text"

local PAGE_MAX = 200

local M = {}

--- 200 with a value.
---@param value any  nil gives an empty body
---@param headers? table
---@return table response
function M.ok(value, headers)
  return { status = 200, value = value, headers = headers or {} }
end

--- The platform says no; with a `provider_message`, the provider does.
---@param status integer
---@param message string
---@param provider_message? string
---@return table response
function M.refuse(status, message, provider_message)
  return { status = status, headers = {}, value = { message = message, providerMessage = provider_message } }
end

--- A page of HTML, for the make-believe provider.
---@param status integer
---@param html string
---@return table response
function M.html(status, html)
  return {
    status = status, body = html,
    headers = {
      ["Content-Type"] = "text/html; charset=utf-8",
      ["Cache-Control"] = "no-store",
      ["Referrer-Policy"] = "no-referrer",
      ["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
  }
end

-- The page token is opaque to clients; inside it is base64 JSON, as the platform's
-- often is.  It belongs to one list and one page size.
local function read_token(token, list_name)
  local plain = text.unbase64(token)
  local content = plain and json.decode(plain)
  if type(content) ~= "table" or content.of ~= list_name or type(content.page) ~= "number"
    or type(content.pageSize) ~= "number" then
    return nil
  end
  return content
end

local function count(values, name)
  local given = values[name] and values[name][1]
  if given == nil then
    return nil
  end
  local n = given:find("^%d+$") and #given < 10 and tonumber(given)
  if not n or n < 1 then
    return nil, M.refuse(400, name .. " must be a number from 1 on.")
  end
  return n
end

--- The asked-for page of a list.
---@param rows table
---@param query table  as text.parse_query gives: pageSize, nextPage, and page where `options.by_number`
---@param options table  `name` of the list, its filters included: tokens of another are refused; `by_number`: `page` is understood; `provider_max`: a larger pageSize is cut, and said so, instead of refused; `count`: how many rows there are when `rows` makes them as they are asked for; `none`: the answer when there are none; `show`(row): what stands for a row
---@return table response
function M.page(rows, query, options)
  local total = options.count or #rows
  if total == 0 and options.none then
    return options.none
  end
  local size, refused = count(query, "pageSize")
  if refused then
    return refused
  end
  local headers, page = {}, 1
  local asked = size
  if size and size > (options.provider_max or PAGE_MAX) then
    if not options.provider_max then
      return M.refuse(400, ("pageSize must be at most %d."):format(PAGE_MAX))
    end
    size = options.provider_max
    headers["Elements-Error"] = ("The page size %d is larger than the provider's maximum and was cut to %d.")
      :format(asked, size)
  end
  local token = query.nextPage and query.nextPage[1]
  if token then
    local content = read_token(token, options.name)
    if not content or (size and size ~= content.pageSize) then
      return M.refuse(400, "nextPage is not a page token of this list, or of another page size.")
    end
    size, page = content.pageSize, content.page
  elseif options.by_number then
    page, refused = count(query, "page")
    if refused then
      return refused
    end
    page = page or 1
  end
  size = size or options.provider_max or PAGE_MAX

  local first, last = (page - 1) * size + 1, math.min(page * size, total)
  local slice = json.array{}
  for i = first, last do
    slice[#slice + 1] = options.show and options.show(rows[i]) or rows[i]
  end
  if last < total then
    headers["Elements-Next-Page-Token"] =
      text.base64(json.encode{ of = options.name, page = page + 1, pageSize = size })
  end
  headers["Elements-Returned-Count"] = ("%d"):format(#slice)
  headers["Elements-Total-Count"] = ("%d"):format(total)
  return M.ok(slice, headers)
end

return M
