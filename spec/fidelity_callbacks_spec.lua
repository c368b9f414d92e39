--- Every documented callback parses, and brings what the instance needs.

local callbacks = require "spec.fixtures.callbacks"
local celements = require "celements"
local plain_json = require "spec.support.plain_json"

local DOCUMENTS = "../shared/data/callbacks.json" -- if they are here

local function encode(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

describe("the documented callbacks", function()
  -- What OAuth 1 keeps of its first step, and what the caller knows anyway.
  local FIRST_STEP = { secret = "kept", apikey = "known" }

  -- This one is the page that starts an installation, not the callback of a consent.  Its
  -- last step brings `authorization_code`, which is tried below.
  local NO_GRANT = { weebly = true }

  local function value_of(name)
    return "a value/of+" .. name .. "&1=é"
  end

  local function url_of(callback, with)
    local parts = {}
    for _, name in ipairs(callback.params) do
      if name ~= "error" then
        parts[#parts + 1] = encode(name) .. "=" .. encode(value_of(name))
      end
    end
    for _, pair in ipairs(with or {}) do
      parts[#parts + 1] = pair
    end
    return "https://app.example.com/callback?" .. table.concat(parts, "&")
  end

  it("parse, and bring all that providerData needs", function()
    local count = 0
    for _, callback in ipairs(callbacks) do
      local granted, err = celements.parse_callback(url_of(callback))
      if NO_GRANT[callback.element] then
        assert.is_nil(granted)
        assert.equal("missing", err.reason)
      else
        count = count + 1
        assert.is_nil(err, callback.element)
        for _, name in ipairs(callback.params) do
          if name ~= "error" then
            assert.equal(value_of(name), granted[name])
          end
        end
        for _, name in ipairs(callback.provider_data) do
          assert.truthy(granted[name] or FIRST_STEP[name], callback.element .. " lacks " .. name)
        end
      end
    end
    assert.equal(45, count)
    assert.equal(46, #callbacks)
  end)

  it("parse as the pages print them", function()
    local count = 0
    for _, callback in ipairs(callbacks) do
      if callback.url and not NO_GRANT[callback.element] then
        count = count + 1
        local granted = assert(celements.parse_callback(callback.url))
        for _, name in ipairs(callback.params) do
          if name ~= "error" then
            assert.is_string(granted[name])
          end
        end
      elseif callback.url then
        assert.equal("missing", select(2, celements.parse_callback(callback.url)).reason)
      end
    end
    assert.equal(3, count)
  end)

  it("take Weebly's late code under both its names", function()
    local granted = assert(celements.parse_callback "https://x.example.com/cb?authorization_code=c0de&site_id=2")
    assert.same({ authorization_code = "c0de", code = "c0de", site_id = "2" }, granted)
  end)

  it("are refused with the provider's reason when they bring an error, code or no code", function()
    for _, callback in ipairs(callbacks) do
      local granted, err = celements.parse_callback(url_of(callback,
        { "error=access_denied", "error_description=No+way%21" }))
      assert.is_nil(granted)
      assert.same({ "oauth", "access_denied" }, { err.kind, err.reason })
      assert.truthy(tostring(err):find("No way!", 1, true))
    end
  end)

  it("are all here, where the documents are", function()
    local file = io.open(DOCUMENTS, "rb")
    if not file then
      pending("the documents are not here")
      return
    end
    local known = {}
    local function line(element, params, keys)
      return ("%s|%s|%s"):format(element, table.concat(params, ","), table.concat(keys, ","))
    end
    for _, callback in ipairs(callbacks) do
      known[line(callback.element, callback.params, callback.provider_data)] = true
    end
    for _, page in ipairs(plain_json.decode(file:read("*a"))) do
      assert.truthy(known[line(page.element, page.params, page.provider_data_keys)], page.element)
    end
    file:close()
  end)
end)
