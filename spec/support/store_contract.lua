--- What every store has to do: a list of { sentence, f(open, name) }.
-- `open()` gives a store onto the same values each time, and name(text) a key that no
-- other test uses.  Runs in busted and in nginx.

local assert = require "luassert"
local celements = require "celements"
local process = require "celements.process"

local function wait(seconds)
  local ngx = rawget(_G, "ngx")
  if ngx then
    ngx.sleep(seconds)
  else
    process.sleep(seconds)
  end
end

local M = {}

local function it(sentence, f)
  M[#M + 1] = { sentence, f }
end

it("gives back what was put, whatever JSON can say", function(open, name)
  local store = open()
  local values = {
    { token = "t", nested = { list = { 1, 2, 3 }, empty = celements.array {}, none = celements.null } },
    false, true, 0, -1.5, 2 ^ 53 - 1, "", "text", "a\0b\r\n\t\"\\/<>", "\195\164\226\130\172\240\159\152\128", celements.null,
    celements.array {}, {}, ("x"):rep(200000),
  }
  for i, value in ipairs(values) do
    local key = name("value" .. i)
    assert.is_true(store:put(key, value))
    assert.message("value " .. i).same(value, (store:get(key)))
  end
  assert.equal("[]", celements.json.encode(store:get(name "value12")))
end)

it("says nil alone for what is not there", function(open, name)
  assert.equal(1, select("#", open():get(name "nothing")))
  assert.is_nil((open():get(name "nothing")))
end)

it("shows to all what one has put, and keeps the last of it", function(open, name)
  local one, two = open(), open()
  assert.is_true(one:put(name "shared", { n = 1 }))
  assert.same({ n = 1 }, two:get(name "shared"))
  assert.is_true(two:put(name "shared", { n = 2 }))
  assert.same({ n = 2 }, one:get(name "shared"))
  local mine = one:get(name "shared")
  mine.n = 3
  assert.same({ n = 2 }, one:get(name "shared"))
end)

it("says whether there was something to delete", function(open, name)
  local store = open()
  store:put(name "gone", 1)
  assert.is_true(store:delete(name "gone"))
  assert.is_false(store:delete(name "gone"))
  assert.is_nil(store:get(name "gone"))
end)

it("lets a value go when its time is up, and no other", function(open, name)
  local store = open()
  assert.is_true(store:put(name "ttl/short", 1, 1))
  assert.is_true(store:put(name "ttl/longer", 2, 100))
  assert.is_true(store:put(name "ttl/kept", 3, 1))
  assert.is_true(store:put(name "ttl/kept", 4))
  assert.is_true(store:put(name "ttl/renewed", 5, 1))
  assert.is_true(store:put(name "ttl/renewed", 6, 100))
  assert.equal(1, store:get(name "ttl/short"))
  wait(1.2)
  assert.is_nil(store:get(name "ttl/short"))
  assert.is_false(store:delete(name "ttl/short"))
  assert.equal(2, store:get(name "ttl/longer"))
  assert.equal(4, store:get(name "ttl/kept"))
  assert.equal(6, store:get(name "ttl/renewed"))
  assert.same({ name "ttl/kept", name "ttl/longer", name "ttl/renewed" }, store:list(name "ttl/"):all())
end)

it("lists keys in order and page by page, without losing or repeating one", function(open, name)
  local store = open()
  local keys = {}
  for i = 1, 23 do
    keys[i] = name(("list/%02d"):format(i))
  end
  for i = #keys, 1, -1 do
    store:put(keys[i], i)
  end
  store:put(name "list", "not under list/")
  store:put(name "list0", "behind list/")
  for _, size in ipairs { 1, 2, 7, 22, 23, 24, 1000 } do
    local found = {}
    for key in store:list(name "list/", { page_size = size }) do
      found[#found + 1] = key
    end
    assert.same(keys, found)
  end
  assert.same(keys, store:list(name "list/"):all())
  assert.same({ keys[1], keys[2], keys[3] }, store:list(name "list/", { limit = 3, page_size = 2 }):all())
  assert.same({}, store:list(name "list/nothing"):all())
end)

it("takes a whole number for one however it was reckoned", function(open, name)
  local store = open()
  for i = 1, 3 do
    store:put(name("whole/" .. i), i)
  end
  assert.same({ name "whole/1", name "whole/2" }, store:list(name "whole/", { page_size = 4 / 2, limit = 2.0 }):all())
end)

it("goes on with a list from where it was left, also when that key is gone", function(open, name)
  local store = open()
  for i = 1, 9 do
    store:put(name("resume/" .. i), i)
  end
  local first = store:list(name "resume/", { page_size = 3 })
  for i = 1, 3 do
    assert.equal(name("resume/" .. i), first:step())
  end
  store:delete(name "resume/3")
  store:delete(name "resume/4")
  local rest = store:list(name "resume/", { page = first.next_page }):all()
  assert.same({ name "resume/5", name "resume/6", name "resume/7", name "resume/8", name "resume/9" }, rest)
  assert.equal(name "resume/5", first:step())
end)

it("sorts by bytes, and takes no character of a key for anything else", function(open, name)
  local store = open()
  local keys = {}
  for byte = 32, 126 do
    keys[#keys + 1] = name("odd/" .. string.char(byte))
    store:put(keys[#keys], byte)
  end
  assert.same(keys, store:list(name "odd/", { page_size = 10 }):all())
  for i, key in ipairs(keys) do
    assert.equal(i + 31, store:get(key))
    assert.same({ key }, store:list(key):all())
  end
  local longest = name("odd"):sub(1, 100) .. ("~"):rep(255 - #name("odd"):sub(1, 100))
  assert.is_true(store:put(longest, 1))
  assert.same({ longest }, store:list(longest:sub(1, 200)):all())
end)

it("gives a claim to the first who asks", function(open, name)
  local one, two = open(), open()
  assert.is_true(one:claim(name "claim", 100))
  assert.is_false(two:claim(name "claim", 100))
  assert.is_false(one:claim(name "claim", 100))
  assert.is_false(one:claim(name "claim", 100, "somebody"))
  assert.is_false(one:release(name "claim", "somebody"))
  assert.is_true(one:claim(name "another", 100))
end)

it("gives a claim again when its time is up", function(open, name)
  local store = open()
  assert.is_true(store:claim(name "expires", 1))
  assert.is_false(store:claim(name "expires", 1))
  wait(1.2)
  assert.is_true(store:claim(name "expires", 100, "next"))
  assert.is_false(store:claim(name "expires", 100))
end)

it("extends a claim for its owner, and for nobody else", function(open, name)
  local store = open()
  assert.is_true(store:claim(name "lease", 1, "me"))
  assert.is_true(store:claim(name "lease", 100, "me"))
  wait(1.2)
  assert.is_false(store:claim(name "lease", 1, "you"))
  assert.is_true(store:claim(name "lease", 0.2, "me"))
  wait(0.3)
  assert.is_true(store:claim(name "lease", 100, "you"))
  assert.is_false(store:claim(name "lease", 100, "me"))
end)

it("takes a claim back from its owner, and from nobody else", function(open, name)
  local store = open()
  assert.is_false(store:release(name "back", "me"))
  store:claim(name "back", 100, "me")
  assert.is_false(store:release(name "back", "you"))
  assert.is_true(store:release(name "back", "me"))
  assert.is_false(store:release(name "back", "me"))
  assert.is_true(store:claim(name "back", 100, "you"))
end)

it("keeps claims and values apart", function(open, name)
  local store = open()
  store:claim(name "apart/a", 100, "me")
  assert.is_nil(store:get(name "apart/a"))
  assert.same({}, store:list(name "apart/"):all())
  store:put(name "apart/a", 1)
  store:put(name "apart/b", 1)
  assert.is_true(store:release(name "apart/a", "me"))
  assert.equal(1, store:get(name "apart/a"))
  assert.is_true(store:claim(name "apart/b", 100))
end)

it("refuses what JSON cannot say, and what is too much", function(open, name)
  local store = open()
  local done, err = store:put(name "refused", { f = print })
  assert.same({ nil, "config" }, { done, err.kind })
  done, err = store:put(name "refused", ("x"):rep(1024 * 1024))
  assert.same({ nil, "too_large" }, { done, err.kind })
  assert.is_nil(store:get(name "refused"))
end)

return M
