--- The account's own: who it is, what it used, its OAuth proxies.

local json = require "celements.json"
local reply = require "celements.sandbox.reply"
local usage = require "celements.sandbox.usage"

local API = "/elements/api-v2"
local PROXIES = API .. "/elements/oauthProxies"

local function organization(call)
  return reply.ok{ id = 11, name = "Sandbox", secret = call.model.org_secret, active = true }
end

-- Usage ----------------------------------------------------------------------------

local function filters_of(query)
  local filters = {}
  for name, filter in pairs(usage.FILTERS) do
    local wanted = query[name]
    if wanted then
      filters[#filters + 1] = function(record) return filter(wanted, record) end
    end
  end
  return filters
end

local function list_usage(call)
  local found = call.model.usage:list(filters_of(call.query))
  local offset = call.query.pageOffset and tonumber(call.query.pageOffset[1]) or 0
  local rows = {}
  for i = math.floor(offset) + 1, #found do
    rows[#rows + 1] = found[i]
  end
  return reply.page(rows, call.query, {
    name = "usage", none = reply.refuse(404, "No usage found"),
    show = function(record) return call.model.usage:show(record) end,
  })
end

local function show_usage(call)
  local record = call.model.usage:find(call.params.id)
  if not record then
    return reply.refuse(404, "No usage found with id " .. call.params.id)
  end
  return reply.ok(call.model.usage:show(record))
end

-- OAuth proxies --------------------------------------------------------------------

local function show_proxy(proxy)
  local urls = json.array{}
  for url in pairs(proxy.urls) do
    urls[#urls + 1] = url
  end
  table.sort(urls)
  return { id = proxy.id, name = proxy.name, applicationUrls = urls }
end

local function list_proxies(call)
  return reply.page(call.model.proxies.order, call.query, {
    name = "proxies", none = call.model:none("OAuth proxies"), show = show_proxy,
  })
end

local function create_proxy(call)
  local name, key, secret = call.body.name, call.body.apiKey, call.body.apiSecret
  if type(name) ~= "string" or name == "" then
    return reply.refuse(400, "name is required.")
  end
  local proxy = call.model.proxies:add(name, {
    api_key = type(key) == "string" and key or nil, api_secret = type(secret) == "string" and secret or nil,
  })
  return proxy and reply.ok(show_proxy(proxy)) or reply.refuse(409, "An OAuth proxy exists already with name " .. name)
end

local function with_proxy(handler)
  return function(call)
    local proxy, place = call.model.proxies:find(call.params.id)
    if not proxy then
      return reply.refuse(404, "No OAuth proxy found with id " .. call.params.id)
    end
    return handler(call, proxy, place)
  end
end

local delete_proxy = with_proxy(function(call, _, place)
  table.remove(call.model.proxies.order, place)
  return reply.ok()
end)

-- Where the proxy may send users on to.
local function set_url(value)
  return with_proxy(function(call, proxy)
    local url = call.query.applicationUrl and call.query.applicationUrl[1] or ""
    if url == "" then
      return reply.refuse(400, "Missing required parameters: applicationUrl")
    end
    proxy.urls[url] = value
    return reply.ok(show_proxy(proxy))
  end)
end

return function(add)
  local account = { who = "account" }
  add("GET", API .. "/organizations/me", account, organization)
  add("GET", API .. "/usage", account, list_usage)
  add("GET", API .. "/usage/{id}", account, show_usage)
  add("GET", PROXIES, account, list_proxies)
  add("POST", PROXIES, { who = "account", body = true }, create_proxy)
  add("DELETE", PROXIES .. "/{id}", account, delete_proxy)
  add("POST", PROXIES .. "/{id}/applicationUrl", account, set_url(true))
  add("DELETE", PROXIES .. "/{id}/applicationUrl", account, set_url(nil))
end
