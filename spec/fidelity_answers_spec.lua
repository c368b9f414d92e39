--- Every documented answer and body, decoded and written again, means what it meant.

local celements = require "celements"
local flows = require "spec.support.flows"
local plain_json = require "spec.support.plain_json"

local json = celements.json

-- What is lost of a text on its way through decode and encode; nil when nothing is.
local function lost(text)
  local value = assert(json.decode(text))
  local again = assert(json.encode(value))
  local where = plain_json.difference(plain_json.decode(again), plain_json.decode(text))
  if not where then
    where = plain_json.difference(plain_json.decode(assert(json.encode(assert(require("celements.json").decode_answer(text))))),
      plain_json.decode(text))
  end
  return where
end

local function look_at(list)
  local seen = { url_answer = 0, answer = 0, body = 0 }
  for _, flow in ipairs(list) do
    for part in pairs(seen) do
      if flow[part] then
        seen[part] = seen[part] + 1
        local where = lost(plain_json.encode(flow[part]))
        assert(not where, ("%s, %s: %s"):format(flow.id, part, tostring(where)))
      end
    end
  end
  return seen
end

describe("the documented answers and bodies", function()
  it("decode and encode without a change of meaning", function()
    local seen = look_at(flows.copied())
    for part, count in pairs(seen) do
      assert.is_true(count > 50, ("only %d of %s"):format(count, part))
    end
  end)

  it("do so as the documents have them, where those are here #slow", function()
    local documented = flows.documented()
    if not documented then
      pending "the documents are not here"
      return
    end
    local seen = look_at(documented)
    assert.is_true(seen.answer > 100, seen.answer)
  end)

  it("would be seen to change: integers, empty arrays, nulls and numbers keep their kind", function()
    for _, text in ipairs { "[]", "{}", '{"a":[]}', '{"a":null}', '{"id":9007199254740991}', "[1.5]", '{"a":"1"}', "[[],{}]" } do
      assert.is_nil(lost(text))
    end
    assert.truthy(plain_json.difference(plain_json.decode "{}", plain_json.decode "[]"))
    assert.truthy(plain_json.difference(plain_json.decode "[1]", plain_json.decode '["1"]'))
  end)
end)
