--- Every documented provisioning flow goes through the public functions and comes out on
-- the wire as documented.  What is expected is worked out here, from the documents, with
-- an encoder and a JSON reader of the specs' own.

local celements = require "celements"
local fixture = require "spec.fixtures.flows"
local flows = require "spec.support.flows"
local plain_json = require "spec.support.plain_json"
local recorder = require "spec.support.recorder"

local API = "/elements/api-v2"
local USER, ORG = "uSer+Secret/1=", "0123456789abcdef0123456789abcdef"
local AUTHORIZATION = "User " .. USER .. ", Organization " .. ORG

local OURS = {
  apiKey = "api_key", apiSecret = "api_secret", callbackUrl = "callback_url", siteAddress = "site_address",
  requestToken = "request_token",
  providerData = "provider_data",
}
local FIRST = { "apiKey", "apiSecret", "scope", "callbackUrl", "state" }

local function encode(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

-- The query that oauth_url promises: these first, the others by name, a repeated name where
-- it stood.
local function expected_query(pairs_of_page)
  local left, parts = {}, {}
  for i = 1, #pairs_of_page, 2 do
    left[#left + 1] = { name = pairs_of_page[i], value = pairs_of_page[i + 1], rank = #FIRST + 1, at = i }
    for rank, name in ipairs(FIRST) do
      if name == pairs_of_page[i] then
        left[#left].rank = rank
      end
    end
  end
  table.sort(left, function(a, b)
    if a.rank ~= b.rank then
      return a.rank < b.rank
    elseif a.name ~= b.name then
      return a.name < b.name
    end
    return a.at < b.at
  end)
  for i, pair in ipairs(left) do
    parts[i] = encode(pair.name) .. "=" .. encode(pair.value)
  end
  return table.concat(parts, "&")
end

-- The page's query as a caller writes it: with our names or with the wire's.
local function params_of(element, pairs_of_page, names)
  local params = { element = element }
  for i = 1, #pairs_of_page, 2 do
    local name, value = names[pairs_of_page[i]] or pairs_of_page[i], pairs_of_page[i + 1]
    local before = params[name]
    if before == nil then
      params[name] = value
    else
      params[name] = type(before) == "table" and before or { before }
      table.insert(params[name], value)
    end
  end
  return params
end

-- What a POST of the same says.
local function expected_object(pairs_of_page)
  local object = params_of(nil, pairs_of_page, {})
  for _, value in pairs(object) do
    if type(value) == "table" then
      plain_json.array(value)
    end
  end
  return object
end

local function words(text)
  local list = {}
  for word in text:gmatch("[^ ]+") do
    list[#list + 1] = word
  end
  return list
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for name, value in pairs(a) do
    if not same(value, b[name]) then
      return false
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return false
    end
  end
  return true
end

-- Two pages (ecwid-1, ecwid-2) have a variable in place of the element that was never
-- filled in, so that their path has an empty segment and their body an empty key.  Sent as
-- they stand they ask for nothing, and the project says so before sending (below); here
-- they go with the element that the page is about.
local function element_in_path(flow)
  return flow.at ~= nil and flow.at ~= "" and flow.at or flow.element
end

local function repaired(flow)
  if flow.body and flow.body.element.key == "" then
    flow.body.element.key = flow.element
  end
  -- Three flows show an answer and no body: the smallest body stands for it.
  return flow.body or { element = { key = flow.element }, name = "made up" }
end

describe("the documented flows", function()
  local server, client, options

  setup(function()
    server = recorder.start()
    options = { base_url = server.url, user_secret = USER, org_secret = ORG }
    client = celements.new(options)
  end)

  teardown(function()
    server:stop()
  end)

  local function answers_with(text)
    server:answer { { headers = { ["Content-Type"] = "application/json" }, body = text } }
  end

  -- All that is wrong with the request that came, by what was expected of it.
  local function wrong_request(expected)
    local seen = server:requests()
    if #seen ~= 1 then
      return #seen .. " requests"
    end
    local request = seen[1]
    for name, value in pairs { method = expected.method, target = API .. expected.target } do
      if request[name] ~= value then
        return ("%s is %s, not %s"):format(name, request[name], value)
      end
    end
    if request.headers.authorization ~= AUTHORIZATION then
      return "Authorization is " .. tostring(request.headers.authorization)
    elseif request.headers["content-type"] ~= (expected.body and "application/json" or nil) then
      return "Content-Type is " .. tostring(request.headers["content-type"])
    elseif expected.body then
      return plain_json.difference(plain_json.decode(request.body), expected.body)
    elseif request.body ~= "" then
      return "a body"
    end
  end

  -- Is what came back the documented value?  Twice: as Lua sees it, and written again,
  -- where arrays, nulls and integers have to be what they were.
  local function wrong_result(result, info, documented_value)
    if result == nil then
      return tostring(info)
    elseif not same(result, plain_json.plain(documented_value, celements.null)) then
      return "the answer comes back changed"
    end
    return plain_json.difference(plain_json.decode(assert(celements.json.encode(result))), documented_value)
  end

  local function is_integer(value)
    return not math.type or math.type(value) == "integer"
  end

  local function oauth_problem(flow, step, call, params)
    local answer = step == "url" and flow.url_answer or { token = "rt+1/=", secret = "rs" }
    answers_with(plain_json.encode(answer))
    local result, info = call(params)
    return wrong_request {
      method = params.post and "POST" or "GET",
      target = ("/elements/%s/oauth/%s%s"):format(encode(element_in_path(flow)), step,
        params.post and "" or "?" .. expected_query(flow[step])),
      body = params.post and expected_object(flow[step]) or nil,
    } or wrong_result(result, info, answer)
  end

  local function create_problem(flow, call, params)
    local answer = flow.answer or { id = 1 }
    answers_with(flow.answer and plain_json.encode(answer) or '{"id":1}')
    local result, info = call(params)
    local wrong = wrong_request { method = "POST", target = "/instances", body = repaired(flow) }
      or (flow.answer and wrong_result(result, info, answer))
    if wrong then
      return wrong
    elseif not is_integer(result.id) or tostring(result.id):find("[^%d]") then
      return "the id is " .. tostring(result.id)
    end
  end

  -- Runs every flow and fails with all that is wrong, flow by flow.
  local function each(list, run)
    local wrong, count = {}, 0
    for _, flow in ipairs(list) do
      local problem, skipped = run(flow)
      if not skipped then
        count = count + 1
      end
      if problem then
        wrong[#wrong + 1] = flow.id .. ": " .. problem
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
    return count
  end

  local function oauth_each(list, step, make_call, make_params)
    return each(list, function(flow)
      if not flow[step] then
        return nil, true
      end
      return oauth_problem(flow, step, make_call, make_params(flow, flow[step]))
    end)
  end

  local function our_params(flow, page)
    return params_of(element_in_path(flow), page, OURS)
  end

  local function wire_params(flow, page)
    return params_of({ key = element_in_path(flow) }, page, {})
  end

  local function scope_list_params(flow, page)
    local params = our_params(flow, page)
    params.scope = params.scope and words(params.scope)
    return params
  end

  local function post_params(flow, page)
    local params = our_params(flow, page)
    params.post = true
    return params
  end

  local function module_url(params)
    return celements.oauth_url(params, options)
  end
  local function client_url(params)
    return client:oauth_url(params)
  end

  -- The body as a decoded instance.json, and the same as a person writes it by our names.
  local function as_decoded(flow)
    return plain_json.plain(repaired(flow), celements.null)
  end

  local function by_our_names(flow)
    local params = {}
    for name, value in pairs(as_decoded(flow)) do
      params[OURS[name] or name] = value
    end
    params.element = params.element.key
    if params.tags and #params.tags == 1 then
      params.tags = params.tags[1]
    end
    return params
  end

  local function create_each(list, call, make_params)
    return each(list, function(flow)
      if not flow.body and not flow.answer then
        return nil, true
      end
      return create_problem(flow, call, make_params(flow))
    end)
  end

  local function module_create(params)
    return celements.create_instance(params, options)
  end
  local function client_create(params)
    return client:create_instance(params)
  end

  it("are all here, each once", function()
    local seen = {}
    for _, flow in ipairs(fixture) do
      assert.is_nil(seen[flow.id])
      seen[flow.id] = true
    end
    assert.equal(276, #fixture)
  end)

  it("ask for the URL with our names", function()
    assert.equal(74, oauth_each(flows.copied(), "url", module_url, our_params))
  end)

  it("ask for the URL with the wire's names, the scope as a list, and by POST", function()
    oauth_each(flows.copied(), "url", client_url, wire_params)
    oauth_each(flows.copied(), "url", client_url, scope_list_params)
    oauth_each(flows.copied(), "url", client_url, post_params)
  end)

  it("ask for OAuth 1's request token", function()
    local count = oauth_each(flows.copied(), "token", function(params)
      return client:oauth_token(params)
    end, our_params)
    assert.equal(5, count)
    oauth_each(flows.copied(), "token", function(params)
      return celements.oauth_token(params, options)
    end, wire_params)
  end)

  it("create the instance from a decoded instance.json", function()
    assert.equal(272, create_each(flows.copied(), client_create, as_decoded))
  end)

  it("create the instance by our names, the element as a key and a single tag as text", function()
    create_each(flows.copied(), module_create, by_our_names)
  end)

  it("do not go out with the element of two pages that is empty, but say that it is missing", function()
    server:answer { {} }
    local count = 0
    for _, flow in ipairs(flows.copied()) do
      if flow.at == "" then
        count = count + 1
        local params = params_of("", flow.url, OURS)
        local answer, err = client:oauth_url(params)
        assert.is_nil(answer)
        assert.same({ "config", { "element" } }, { err.kind, err.missing })
        if flow.body then
          _, err = client:create_instance(plain_json.plain(flow.body))
          assert.same({ "config", { "element" } }, { err.kind, err.missing })
        end
      end
    end
    assert.equal(2, count)
    assert.equal(0, #server:requests())
  end)

  it("are the documents' own, where those are here #slow", function()
    local pages = flows.documented()
    if not pages then
      pending("the documents are not here")
      return
    end
    local ours = {}
    for _, flow in ipairs(flows.copied()) do
      ours[flow.id] = flow
    end
    each(pages, function(flow)
      local copy = ours[flow.id]
      if not copy then
        return "the fixture lacks it"
      end
      -- The copy's answers have shorter prose, so they are not compared here.
      return plain_json.difference({ flow.at or "", flow.token or {}, flow.url or {}, flow.body or {} },
        { copy.at or "", copy.token or {}, copy.url or {}, copy.body or {} }, flow.id)
    end)
    oauth_each(pages, "url", client_url, our_params)
    create_each(pages, client_create, as_decoded)
  end)
end)
