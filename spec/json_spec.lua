local json = require "celements.json"
local core = require "celements.core"
local error_of = require "celements.error"
local raises = require "spec.support.raises"
local versions = require "spec.support.cjson_versions"

local has_integers = math.type ~= nil

-- Text with the white space and the optional \/ taken out, names in order: what two
-- versions of lua-cjson may write differently.
local function plain(text)
  return (text:gsub("\\/", "/"))
end

-- A value with all that tells it from another: which tables are arrays, which numbers integers.
local function exactly(value)
  if type(value) ~= "table" then
    return (math.type and math.type(value) or type(value)) .. " " .. tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do
    parts[#parts + 1] = exactly(key) .. " = " .. exactly(inner)
  end
  table.sort(parts)
  return (getmetatable(value) and "array {" or "{") .. table.concat(parts, ", ") .. "}"
end

local NAMES = { "id", "a", "tags", "a longer name with spaces", "\195\164", "1", "", 'q\\"uote', "\\u0061\\u0062" }
local PLAIN = { "0", "-7", "12", "1.5", "2.0", "1e3", "true", "false", "null", '"text"', '"[1,{]\\\\"', "[]", "[ ]", "{}", "{ }" }

-- A text at random: objects and arrays in each other, to a depth, no name twice.
local function random_text(depth)
  local kind = depth > 0 and math.random(3) or 0
  if kind < 2 then
    return PLAIN[math.random(#PLAIN)]
  end
  local parts, first = {}, math.random(#NAMES)
  for i = 1, math.random(4) do
    local space = (" "):rep(math.random(0, 1))
    local inner = random_text(depth - 1)
    parts[i] = kind == 2 and inner or '"' .. NAMES[(first + i) % #NAMES + 1] .. '"' .. space .. ":" .. space .. inner
  end
  local text = table.concat(parts, math.random(2) == 1 and "," or " , ")
  return kind == 2 and "[" .. text .. "]" or "{" .. text .. "}"
end

for name, cjson in pairs(versions.all()) do
  describe("core.json with " .. name, function()
    local engine = core.json.new(cjson)

    local function again(text)
      local value = assert(engine.decode(text, true))
      return (assert(engine.encode(value)))
    end

    it("keeps integers integers", function()
      local value = engine.decode('{"id": 12345, "big": 2147483648, "list": [-7, 9007199254740991]}', true)
      assert.equal("/instances/12345", "/instances/" .. ("%s"):format(value.id))
      assert.equal(2147483648, value.big)
      if has_integers then
        assert.equal("integer", math.type(value.id))
        assert.equal("integer", math.type(value.list[2]))
      end
      for _, text in ipairs { "9007199254740992", "-9007199254740992" } do
        for _, strict in ipairs { true, false } do
          local number = engine.decode("[" .. text .. "]", strict)[1]
          assert.equal(tonumber(text), number)
          assert.equal(text, has_integers and tostring(number) or ("%.0f"):format(number))
          assert.equal("[" .. text .. "]", engine.encode { number })
        end
      end
    end)

    it("brings ids and time stamps back digit for digit", function()
      for _, digits in ipairs { "0", "123456789012345", "1700000000000123", "9007199254740991", "-9007199254740991" } do
        assert.equal("[" .. digits .. "]", again("[" .. digits .. "]"))
      end
    end)

    it("holds 64 bits where this Lua does, and refuses what it cannot hold", function()
      for _, digits in ipairs { "9007199254740993", "9223372036854775807", "-9223372036854775808" } do
        local value, why, offset = engine.decode('{"id": ' .. digits .. "}", true)
        if has_integers then
          assert.equal(digits, ("%d"):format(value.id))
          assert.equal('{"id":' .. digits .. "}", engine.encode(value))
        else
          assert.is_nil(value)
          assert.matches("integer too large", why)
          assert.equal(8, offset)
        end
      end
      local value, why = engine.decode("[9223372036854775808]", true)
      assert.is_nil(value)
      assert.matches("integer too large", why)
    end)

    it("gives a giant integer of the platform as text, not rounded or clipped", function()
      assert.equal("9223372036854775808", engine.decode("[9223372036854775808]", false)[1])
      assert.equal("-123456789012345678901234567890", engine.decode('{"id":-123456789012345678901234567890}', false).id)
      assert.equal("9223372036854775808", engine.decode('["abcdefg\\\\",9223372036854775808]', false)[2])
      local id = engine.decode("9007199254740993", false)
      assert.equal("9007199254740993", has_integers and ("%d"):format(id) or id)
    end)

    it("writes fractions in as few digits as bring them back", function()
      for text, value in pairs { ["0.1"] = 0.1, ["1234567.891"] = 1234567.891, ["9.12345678901234"] = 9.12345678901234,
                                 ["0.30000000000000004"] = 0.1 + 0.2,
                                 ["1.0000000000000002"] = 1.0000000000000002, ["-2.5e-10"] = -2.5e-10 } do
        local written = assert(engine.encode { value })
        assert.equal(value, engine.decode(written, true)[1])
        assert.equal(tonumber(text), tonumber(written:sub(2, -2)))
        assert.is_true(#written <= #text + 2, written)
      end
    end)

    it("refuses an integer that was rounded before it came here", function()
      for _, value in ipairs { 2 ^ 53 + 2, -2 ^ 60, 2 ^ 63 } do
        local text, why = engine.encode { id = value }
        assert.is_nil(text)
        assert.matches("^id: an integer beyond 2%^53", why)
      end
      assert.equal("[9007199254740992]", engine.encode { 2 ^ 53 })
      assert.equal(1e300, engine.decode(engine.encode { 1e300 }, true)[1])
    end)

    it("says of a text that it writes whether somebody should look at it before it is sent", function()
      local function ordinary(value)
        local text, is = engine.encode(value)
        assert.equal("string", type(text))
        return is
      end
      for _, value in ipairs {
        {}, { a = "text", b = { 1, true, engine.null, "a/b+c==" } }, "\195\169t\195\169", '"quoted"', "back\\slash", "back\\\\no line",
        "http://x/?a=b&c=%3C", engine.array {},
      } do
        assert.is_true(ordinary(value), tostring(value))
      end
      for _, value in ipairs {
        "<INSERT>", { a = { "b<c" } }, { ["<"] = 1 }, "line\n", "return\r", "tab\t", "\1", "nul\0", "\226\128\156", "********", "*",
        { n = 2 ^ 50, a = "<X>" },
      } do
        assert.is_false(ordinary(value), tostring(value))
      end
      local text, why = engine.encode(print)
      assert.same({ "nil", "string" }, { type(text), type(why) })
    end)

    it("keeps [] and {} apart, through reading and writing", function()
      for _, text in ipairs { "[]", "{}", "[[],{}]", '{"tags":[]}', '{"a":{"b":[[]]}}', "[ [ \r\n\t] ]" } do
        assert.equal((text:gsub("%s", "")), again(text))
      end
      local value = engine.decode('{"tags": ["one"]}', true)
      table.remove(value.tags)
      assert.equal('{"tags":[]}', engine.encode(value))
    end)

    it("marks what was an array, also when it is empty, and nothing else", function()
      local mark = getmetatable(engine.array {})
      assert.is_table(mark)
      for _, strict in ipairs { true, false } do
        for text, is_array in pairs { ["[]"] = true, ["[1]"] = true, ["{}"] = false, ['{"a":1}'] = false } do
          assert.equal(is_array, getmetatable(engine.decode(text, strict)) == mark, text)
          assert.equal(is_array, getmetatable(engine.decode('{"in": ' .. text .. "}", strict)["in"]) == mark, text)
        end
      end
    end)

    it("writes a marked array as an array, empty or not, and leaves the table alone", function()
      local tags = engine.array {}
      local body = { tags = tags, list = engine.array { 1, 2 } }
      local value = engine.decode(assert(engine.encode(body)), true)
      assert.equal(0, #value.tags)
      assert.equal(2, #value.list)
      assert.equal(tags, body.tags)
      assert.is_nil(next(tags))
      assert.equal("[]", engine.encode(engine.array {}))
    end)

    it("leaves the caller's table as it was when something in it needs repair", function()
      local body = { id = 1700000000000123, nested = { share = 0.1 + 0.2, list = engine.array {} }, name = "x" }
      local before = body.nested
      assert(engine.encode(body))
      assert.equal(1700000000000123, body.id)
      assert.equal(before, body.nested)
      assert.equal(0.1 + 0.2, body.nested.share)
    end)

    it("carries null, true, false, texts and nesting", function()
      local value = engine.decode('{"a":null,"b":[true,false,null,"x\\u00e9\\n\\u0000"],"c":{"d":{"e":"f"}}}', true)
      assert.equal(engine.null, value.a)
      assert.same({ true, false, engine.null, "x\195\169\n\0" }, value.b)
      assert.equal("f", value.c.d.e)
      assert.same(value, engine.decode(engine.encode(value), true))
    end)

    it("never lets a text of the user pass for one of its own stand-ins", function()
      for _, text in ipairs { "\255[]", "\25512345", '\255"', "[]", "\\u00ff[]" } do
        local written = engine.encode { text, 1700000000000123, engine.array {} }
        assert.equal(text:find("\255") == nil, written ~= nil)
      end
      assert.is_nil(engine.decode('{"a":"\255[]","b":[]}', false))
      assert.is_nil(engine.decode('{"a":"\255[]","b":[]}', true))
      assert.is_nil(engine.decode("{[]: 1}", false))
      assert.is_nil(engine.decode("{9223372036854775808: 1}", false))
    end)

    it("refuses what is not JSON though lua-cjson would take it", function()
      for _, text in ipairs { "NaN", "nan", "Infinity", "-Infinity", "inf", "0x10", "01", "-01", "+1", "1.",
                              "1.e5", ".5", "-0x10", "0x1p4", "1.5.2", "1e5e5", "12a", "1e400", "-1e400",
                              "1e", "-",
                              '["a\0b"]', "[1]\0]", '{"a":1}\0 and more', "[1,]", "[1 2]", "'a'", "", " " } do
        for _, strict in ipairs { true, false } do
          assert.is_nil((engine.decode(text, strict)), text)
        end
      end
    end)

    it("accepts raw line breaks and equal names from the platform, and not from a person", function()
      local text = '{"a": "one\ntwo\tthree", "b": 1, "b": 2}'
      assert.same({ a = "one\ntwo\tthree", b = 2 }, engine.decode(text, false))
      assert.is_nil((engine.decode('["one\ntwo"]', true)))
      assert.is_nil((engine.decode('["one\ttwo"]', true)))
      assert.is_nil((engine.decode('{"b": 1, "b": 2}', true)))
      assert.is_nil((engine.decode('[{"x": {"b": null, "b": null}}]', true)))
      assert.is_nil((engine.decode('{"b": 1, "\\u0062": 2}', true)))
      assert.is_table((engine.decode('[{"b": 1}, {"b": 2}]', true)))
    end)

    it("finds what it has to set right in any text, wherever that stands", function()
      math.randomseed(4711)
      for _ = 1, 500 do
        local text = random_text(math.random(0, 5))
        local lenient, strict = engine.decode(text, false), engine.decode(text, true)
        assert.equal(exactly(strict), exactly(lenient), text)
      end
    end)

    it("finds it behind strings of any length, whatever is in them", function()
      local pieces = { "x", " ", '\\"', "\\\\", "[]", "{", ",", "7", "\195\164", ("long "):rep(7) }
      math.randomseed(4711)
      for length = 0, 150 do
        local inner = {}
        for i = 1, length do
          inner[i] = pieces[math.random(#pieces)]
        end
        local text = ('{"%s":[%d,[],"%s"],"n":%d}'):format(table.concat(inner), length, table.concat(inner), length)
        assert.equal(exactly(engine.decode(text, true)), exactly(engine.decode(text, false)), text)
      end
    end)

    it("finds it in a long list, and deep down", function()
      local rows = {}
      for i = 1, 300 do
        rows[i] = ('{"name":"row","id":%d,"tags":["a",{"n":%d}]}'):format(i, i)
      end
      local deep = ('{"a":['):rep(60) .. "1" .. ("]}"):rep(60)
      local text = "[" .. table.concat(rows, ",") .. "," .. deep .. "]"
      assert.equal(exactly(engine.decode(text, true)), exactly(engine.decode(text, false)))
    end)

    it("finds it in rows of which each has names of its own, and more than can be kept in mind", function()
      local rows = {}
      for i = 1, 40 do
        rows[i] = ('{"id":%d,"name%d":%d,"tags":[%d],"c":{"name%d":[]}}'):format(i, i % 20, i, i, i % 30)
      end
      local text = "[" .. table.concat(rows, ",") .. "]"
      local list = engine.decode(text, false)
      assert.equal(exactly(engine.decode(text, true)), exactly(list))
      assert.same({ id = 40, name0 = 40, tags = { 40 }, c = { name10 = {} } }, list[40])
    end)

    it("keeps [] and {} apart beside an integer that it cannot hold", function()
      local value = engine.decode('[{"a":[],"b":{},"c":9223372036854775808,"d":[1]}]', false)
      assert.equal(exactly(engine.decode('[{"a":[],"b":{},"c":"9223372036854775808","d":[1]}]', true)), exactly(value))
    end)

    it("says where an answer is not JSON, though lua-cjson lets it pass, before anything else", function()
      for text, at in pairs { ['["a\255b"]'] = 4, ["[01]"] = 2, ["[1e400, 01]"] = 9, ["[1, 2.]"] = 5, ["[1]\0]"] = 4, ["[1.,"] = 2 } do
        local value, _, offset = engine.decode(text, false)
        assert.is_nil(value)
        assert.equal(at, offset, text)
      end
    end)

    it("reads any order of tokens as strictly as a person's file, equal names apart", function()
      local tokens = { "[", "[", "]", "]", "{", "}", ",", ":", '"a"', '"a":', '"', "1", "-", " ", "null", "x", "\\", "[]", "{}" }
      math.randomseed(4711)
      for _ = 1, 1500 do
        local soup = {}
        for i = 1, math.random(12) do
          soup[i] = tokens[math.random(#tokens)]
        end
        local text = table.concat(soup)
        local lenient = engine.decode(text, false)
        local strict, why = engine.decode(text, true)
        if why ~= "the same name twice in one object" then
          assert.equal(exactly(strict), exactly(lenient), text)
        end
      end
    end)

    it("takes the last of two equal names for what it is, not for what the first was", function()
      for text, expected in pairs {
        ['{"a":[1],"a":{"b":"c"}}'] = '{"a":{"b":"c"}}',
        ['{"a":[[1],[[2]]],"a":{"b":[3]}}'] = '{"a":{"b":[3]}}',
        ['{"a":{"b":{"c":[4]}},"a":[{"b":5}]}'] = '{"a":[{"b":5}]}',
        ['{"a":[],"a":{"b":6}}'] = '{"a":{"b":6}}',
        ['{"a":{"b":7},"a":[]}'] = '{"a":[]}',
        ['{"a":{"b":8},"a":9,"c":10}'] = '{"a":9,"c":10}',
        ['{"a":11,"a":"12"}'] = '{"a":"12"}',
        ['{"a":[],"a":{}}'] = '{"a":{}}',
        ['{"a":{},"a":[]}'] = '{"a":[]}',
        ['{"a":[],"a":{},"a":[]}'] = '{"a":[]}',
        ['{"a":[{"b":[]}],"a":[{"b":{ }}]}'] = '{"a":[{"b":{}}]}',
        ['{"a":[13],"\\u0061":{},"c":[]}'] = '{"a":{},"c":[]}',
      } do
        assert.equal(exactly(engine.decode(expected, true)), exactly(engine.decode(text, false)), text)
      end
    end)

    it("finds a number that is too large for any Lua", function()
      for _, text in ipairs { '{"a":[{"b":1e400}]}', "[1, -1e400]", "1e400" } do
        local value, why = engine.decode(text, false)
        assert.is_nil(value)
        assert.matches("number", why)
      end
    end)

    it("skips a byte order mark", function()
      assert.same({ 1 }, engine.decode("\239\187\191[1]", true))
      assert.same({}, engine.decode("\239\187\191[]", false))
    end)

    it("stops at 128 levels, both ways", function()
      assert.is_table((engine.decode(("["):rep(128) .. ("]"):rep(128), true)))
      assert.is_nil((engine.decode(("["):rep(129) .. "1" .. ("]"):rep(129), true)))
      local value = { "x" }
      for _ = 1, 127 do
        value = { value }
      end
      assert.is_string((engine.encode(value)))
      local text, why = engine.encode { value }
      assert.is_nil(text)
      assert.matches("nested more than 128", why)
    end)
  end)
end

describe("core.json", function()
  it("says how to get lua-cjson when there is none", function()
    local kept, loaded = package.preload.cjson, package.loaded.cjson
    package.loaded.cjson = nil
    package.preload.cjson = function()
      error("no such module")
    end
    local ok, why = pcall(core.json.new)
    package.preload.cjson, package.loaded.cjson = kept, loaded
    assert.is_false(ok)
    assert.matches("apt%-get install lua%-cjson", why)
    assert.matches("luarocks install lua%-cjson", why)
  end)

  it("refuses a module that is not lua-cjson", function()
    for _, module in ipairs { {}, { encode = print }, true } do
      local ok, why = pcall(core.json.new, module)
      assert.is_false(ok)
      assert.matches("another one", why)
    end
  end)

  it("takes cjson.safe in the place of cjson", function()
    local engine = core.json.new(require "cjson.safe")
    assert.same({ 1 }, engine.decode("[1]", true))
    local value, why = engine.decode("[1", true)
    assert.is_nil(value)
    assert.is_string(why)
  end)

  it("sets only its own instance, and keeps no buffer", function()
    local module = versions.all()["one like 2.1.0.10"]
    for _, setting in ipairs { "decode_invalid_numbers", "encode_keep_buffer", "encode_number_precision" } do
      module[setting] = function()
        error("the shared module was set: " .. setting)
      end
    end
    core.json.new(module)
    assert.same({
      decode_invalid_numbers = false, encode_keep_buffer = false, decode_max_depth = 128, encode_max_depth = 128,
      encode_number_precision = 14,
    }, module.settings)
  end)

  it("is not disturbed by what others set on the shared module", function()
    local cjson = require "cjson"
    local before = assert(json.encode { 1.23456789 })
    local precision, depth = cjson.encode_number_precision(), cjson.encode_max_depth()
    cjson.encode_number_precision(3)
    cjson.encode_max_depth(1)
    local after = json.encode { 1.23456789 }
    local nested = json.encode { { {} } }
    cjson.encode_number_precision(precision)
    cjson.encode_max_depth(depth)
    assert.equal(before, after)
    assert.equal("[[{}]]", nested)
  end)

  it("knows a newer lua-cjson's marks of arrays", function()
    for _, name in ipairs { "one like 2.1.0.10", "one like today's" } do
      local module = versions.all()[name]
      local engine = core.json.new(module)
      assert.equal(module.array_mt, getmetatable(engine.decode("[]", true)))
      assert.equal("[]", engine.encode(setmetatable({}, module.array_mt)))
      assert.equal("[]", engine.encode(setmetatable({}, module.empty_array_mt)))
    end
    local installed = require "cjson"
    if installed.empty_array then
      assert.equal('{"tags":[]}', json.encode { tags = installed.empty_array })
    end
  end)
end)

describe("celements.json.encode", function()
  local function refusal(value)
    local text, err = json.encode(value)
    assert.is_nil(text)
    assert.is_true(error_of.is(err))
    assert.equal("config", err.kind)
    return err.message:gsub("^cannot be written as JSON: ", "")
  end

  it("writes texts, numbers and all that a body is made of", function()
    assert.equal('"x"', json.encode "x")
    assert.equal("null", json.encode(json.null))
    assert.equal('{"tags":[]}', json.encode { tags = json.array {} })
    assert.equal("[1,2,3]", json.encode { 1, 2, 3 })
    assert.equal("{}", json.encode {})
    assert.equal('{"a":"http://x/y"}', plain(json.encode { a = "http://x/y" }))
  end)

  it("names the path of what cannot be written, and never the value", function()
    local secret = "hunter2-\255"
    for path, value in pairs {
      ["configuration.tags[3]"] = { configuration = { tags = { "a", "b", print } } },
      ["list[1].oauth.api.key"] = { list = { { ["oauth.api.key"] = io.stdout } } },
      ["a.b"] = { a = { b = coroutine.create(function() end) } },
      ["providerData.code"] = { providerData = { code = secret } },
      ["[2]"] = { 1, 0 / 0 },
      ["x"] = { x = math.huge },
      ["y"] = { y = -math.huge },
    } do
      local message = refusal(value)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.is_nil(message:find("hunter2", 1, true))
    end
    assert.matches("^the value: a function", refusal(print))
    assert.matches("^the value: a nil", refusal(nil))
    assert.matches("not UTF%-8", refusal "\192\128")
  end)

  it("refuses tables that JSON could only write by losing something", function()
    assert.matches("^a: a list with holes", refusal { a = { [1] = 1, [3] = 3 } })
    assert.matches("^a: a list with holes", refusal { a = { [10] = 1 } })
    assert.matches("names and places are mixed", refusal { 1, x = 2 })
    assert.matches("names and places are mixed", refusal { [1] = "a", ["1"] = "b" })
    assert.matches("neither a name nor a place", refusal { [1.5] = 1 })
    assert.matches("neither a name nor a place", refusal { [0] = 1 })
    assert.matches("neither a name nor a place", refusal { [-1] = 1 })
    assert.matches("^t: a boolean cannot be a name", refusal { t = { [true] = 1 } })
    assert.matches("^t: a name that is not UTF%-8", refusal { t = { ["\255"] = 1 } })
    assert.matches("marked as an array", refusal { t = json.array { x = 1 } })
    assert.matches("names and places are mixed", refusal { t = json.array { 1, x = 1 } })
  end)

  it("finds a table that contains itself, and says where", function()
    local top = { list = {} }
    top.list[1] = { back = top.list }
    assert.matches("^list%[1%]%.back: a table that contains itself", refusal(top))
    local shared = { 1 }
    assert.equal('[[1],[1]]', json.encode { shared, shared })
  end)

  it("checks UTF-8 as RFC 3629 has it", function()
    for _, good in ipairs { "é", "\226\130\172", "\240\159\152\128", "\239\191\191", "\244\143\191\191",
                            ("a"):rep(9) .. "é" .. ("b"):rep(9) } do
      assert.equal(good, json.decode(json.encode { good })[1])
    end
    for _, bad in ipairs { "\128", "\192\175", "\193\191", "\224\159\191", "\237\160\128", "\240\143\191\191",
                           "\244\144\128\128", "\245\128\128\128", "\195", "\226\130", "\240\159\152", "\195(",
                           ("a"):rep(8) .. "\255", "é\226\130" } do
      assert.is_nil((json.encode { bad }))
      assert.is_nil((json.decode('["' .. bad .. '"]')))
    end
  end)

  it("raises at the caller's line when an argument is missing or of the wrong type", function()
    assert.equal("celements.json.decode: the text must be a string, not number",
      raises(function() local _ = json.decode(12) end))
    assert.matches("not nil$", raises(function() local _ = json.decode() end))
    assert.matches("decode_answer: .* not table$", raises(function() local _ = json.decode_answer {} end))
    assert.matches("the path must be a string, not nil$", raises(function() local _ = json.load() end))
    assert.matches("table expected", raises(function() local _ = json.array "x" end))
    assert.matches("metatable of its own", raises(function() local _ = json.array(setmetatable({}, {})) end))
  end)

  it("gives back what it was given, for any value there is", function()
    local state = 42
    local function random(n)   -- the same values on every Lua
      state = (state * 16807) % 2147483647
      return state % n + 1
    end
    local texts = { "", "x", "é", "\0\1\127", '"\\/', "\240\159\152\128", "oauth.api.key", "[]", "1e5" }
    local numbers = { 0, 1, -1, 0.5, 1e-7, 1e21, 123456789012345, -9007199254740991, 0.1 + 0.2, 1 / 3, 1e15 + 0.5 }
    local function value(depth)
      local kind = random(depth > 4 and 4 or 6)
      if kind == 1 then
        return texts[random(#texts)]
      elseif kind == 2 then
        return numbers[random(#numbers)]
      elseif kind == 3 then
        return random(2) == 1
      elseif kind == 4 then
        return json.null
      end
      local made = kind == 5 and json.array {} or {}
      for i = 1, random(5) - 1 do
        made[kind == 5 and i or texts[random(#texts)] .. i] = value(depth + 1)
      end
      return made
    end
    for _ = 1, 400 do
      local given = { value(1) }
      local text = assert(json.encode(given))
      local got = assert(json.decode(text))
      assert.same(given, got)
      assert.same(given, json.decode_answer(text))
      assert.same(got, json.decode(json.encode(got)))
    end
  end)
end)

describe("celements.json.decode", function()
  it("reads a document of any kind", function()
    assert.equal("x", json.decode '"x"')
    assert.equal(12, json.decode " 12 ")
    assert.is_true(json.decode "true")
    assert.is_false(json.decode "false")
    assert.equal(json.null, json.decode "null")
    assert.equal(0, json.decode "-0" + 0)
  end)

  it("returns nothing but nil and a decode error for a broken answer", function()
    for _, body in ipairs { "", "<html><body>502 Bad Gateway</body></html>", "\0", "{",
                            '{"token":"abc', "\255\254{\0}\0" } do
      local value, err = json.decode_answer(body)
      assert.is_nil(value)
      assert.equal("decode", err.kind)
      assert.is_nil(tostring(err):find("Gateway", 1, true))
      assert.is_nil(tostring(err):find("abc", 1, true))
    end
  end)
end)

describe("celements.json.load", function()
  local path = os.tmpname()

  local function write(text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
  end

  teardown(function()
    os.remove(path)
  end)

  it("reads a file as decode reads a text", function()
    write '\239\187\191{\r\n  "name": "Test",\r\n  "tags": []\r\n}\r\n'
    local value = assert(json.load(path))
    assert.equal("Test", value.name)
    assert.equal('{"tags":[]}', json.encode { tags = value.tags })
  end)

  it("names the file and the place of a fault, and shows the line", function()
    write '{\n  "name": "Test"\n  "tags": []\n}\n'
    local value, err = json.load(path)
    assert.is_nil(value)
    assert.equal("decode", err.kind)
    assert.equal(2, err.line)
    assert.equal(17, err.column)
    assert.equal("missing comma", err.reason)
    assert.equal(path .. ", line 2, column 17: a comma is missing here (missing comma)", err.message)
    assert.equal("decode: " .. err.message .. "\n2 |   \"name\": \"Test\"\n  |                 ^", tostring(err))
  end)

  it("says which file cannot be read, and why", function()
    local value, err = json.load "no/such-file.json"
    assert.is_nil(value)
    assert.equal("config", err.kind)
    assert.equal("cannot read no/such-file.json: No such file or directory", err.message)
    value, err = json.load "."
    assert.is_nil(value)
    assert.equal("config", err.kind)
    assert.matches("^cannot read %.: ", err.message)
  end)
end)
