local json = require "celements.json"
local documented = require "spec.fixtures.broken_json"
local made_up = require "spec.fixtures.broken_by_hand"

-- Line and column, in characters, of a byte offset: counted here in the simplest way.
local function place_of(text, at)
  local line, column = 1, 1
  for char in text:sub(1, at - 1):gmatch("[%z\1-\127\192-\255][\128-\191]*") do
    line, column = char == "\n" and line + 1 or line, char == "\n" and 1 or column + 1
  end
  return line, column
end

local function fault_of(text)
  local value, err = json.decode(text)
  assert.is_nil(value, "was accepted: " .. text)
  assert.equal("decode", err.kind)
  return err
end

local function expect(text, reason, line, column)
  local err = fault_of(text)
  local got = ("%s at %d:%d"):format(err.reason, err.line, err.column)
  assert.equal(("%s at %d:%d"):format(reason, line, column), got, text)
end

describe("a broken document from the documentation", function()
  -- All 78 are found exactly: reason, line and column.  Nothing here needs an excuse.
  for _, sample in ipairs(documented) do
    it(("of %s: %s"):format(sample.name, sample.reason), function()
      expect(sample.text, sample.reason, sample.line, sample.column)
    end)
  end
end)

describe("a document that is no UTF-8", function()
  it("is told to be UTF-16 where it is, with a mark and without", function()
    for _, text in ipairs { "\255\254{\0}\0", "\254\255\0{\0}", "{\0}\0", "\0{\0}" } do
      local err = fault_of(text)
      assert.equal("other", err.reason)
      assert.truthy(err.message:find("line 1, column 1: text in UTF-16: save the file as UTF-8", 1, true), err.message)
    end
  end)
end)

describe("a document with another mark in place of the colon", function()
  it("is told of that mark, and of no quote", function()
    for text, column in pairs { ['{"a"="b"}'] = 5, ['{"a" = "b", "c": 1}'] = 6, ['{"a"=>"b"}'] = 5, ['{"a";"b"}'] = 5, ['{"a"=1}'] = 5 } do
      expect(text, "other", 1, column)
    end
  end)
end)

describe("a document broken by hand", function()
  for reason, texts in pairs(made_up) do
    it("shows its " .. reason, function()
      for _, marked in ipairs(texts) do
        local at = marked:find("^", 1, true)
        local text = marked:sub(1, at - 1) .. marked:sub(at + 1)
        expect(text, reason, place_of(text, at))
      end
    end)
    it("shows its " .. reason .. " after a byte order mark and with Windows line ends", function()
      for _, marked in ipairs(texts) do
        if not marked:find("\r", 1, true) then
          local windows = marked:gsub("\n", "\r\n")
          local at = windows:find("^", 1, true)
          local text = windows:sub(1, at - 1) .. windows:sub(at + 1)
          local line, column = place_of(text, at)
          expect("\239\187\191" .. text, reason, line, column)
        end
      end
    end)
  end
end)

-- A tidy document, broken in every place where that kind of mistake can be made.
local TIDY = [[
{
  "element": {
    "key": "hubspot",
    "größe": 12
  },
  "providerData": {
    "code": "Überraschung",
    "list": [
      "first one",
      {
        "deep": true,
        "deeper": {
          "still": null
        }
      }
    ]
  },
  "tags": [
    "my tag",
    "another tag"
  ],
  "active": false,
  "name": "the last"
}]]

describe("a tidy document", function()
  local function each(pattern, action)
    local count = 0
    for from, found, to in TIDY:gmatch("()(" .. pattern .. ")()") do
      action(TIDY:sub(1, from - 1), found, TIDY:sub(to))
      count = count + 1
    end
    assert.is_true(count > 1)
  end

  local function broken(before, after, reason, at)
    expect(before .. after, reason, place_of(before .. after, at or #before + 1))
  end

  it("is right as it is", function()
    assert.is_table((json.decode(TIDY)))
  end)

  it("that lost any one comma", function()
    each(",", function(before, _, after)
      broken(before, after, "missing comma")
    end)
  end)

  it("that lost any one colon", function()
    each(":", function(before, _, after)
      broken(before, after, "other")
    end)
  end)

  it("that has one comma more at the end of anything", function()
    each("\n *[}%]]", function(before, found, after)
      broken(before, "," .. found .. after, "trailing comma")
    end)
  end)

  it("that lost the quote before any one text", function()
    each('"[^"\n]*"', function(before, found, after)
      broken(before, found:sub(2) .. after, "other")
    end)
  end)

  it("that lost the quote behind any one text", function()
    each('"[^"\n]*"', function(before, found, after)
      broken(before .. found:sub(1, -2), after, "other")
    end)
  end)

  it("that has curly quotes around any one text, or behind it", function()
    each('"[^"\n]*"', function(before, found, after)
      broken(before, "“" .. found:sub(2, -2) .. "”" .. after, "curly quote")
      broken(before .. found:sub(1, -2), "”" .. after, "curly quote")
      broken(before, "«" .. found:sub(2, -2) .. "»" .. after, "curly quote")
    end)
  end)

  it("that has a quoted word, or HTML, inside any one value", function()
    each('"[^":\n]*[^":\n]"%f[,\n]', function(before, found, after)
      broken(before .. found:sub(1, 4), '"so" ' .. found:sub(5) .. after, "unescaped quote in string")
      local html = '"http://x.org">it</a>'
      broken(before .. found:sub(1, 4) .. "<a href=", html .. found:sub(5) .. after, "unescaped quote in string")
    end)
  end)

  it("that has a line break inside any one value", function()
    each('"[^":\n]*[^":\n]"%f[,\n]', function(before, found, after)
      broken(before .. found:sub(1, 4), "\n" .. found:sub(5) .. after, "raw newline in string")
    end)
  end)

  it("that has a comment anywhere", function()
    for _, comment in ipairs { "// what", "/* what */", "# what" } do
      each("\n", function(before, _, after)
        broken(before .. " ", comment .. "\n" .. after, "comment")
      end)
    end
  end)

  it("that has a placeholder for any one value", function()
    for _, placeholder in ipairs { "<INSERT_X>", "{{x}}", "${x}", "YOUR_X", "..." } do
      each('%f["]"[^"\n]*"%f[,\n]', function(before, _, after)
        broken(before, placeholder .. after, "placeholder")
      end)
    end
  end)

  it("that lost the line of any one closer: the place is behind what it should close", function()
    each("\n *[}%]],?", function(before, _, after)
      -- With nothing but closers behind it, the end of the text counts as the place.
      local at = after:find('"', 1, true) and #before + 1 or #(before .. after) + 1
      broken(before, after, "missing brace", at)
    end)
  end)

  it("that has the line of any one closer twice", function()
    each("\n *[}%]],?", function(before, found, after)
      local closer = found:gsub(",", "")
      local indent = #closer:match("^\n *")
      broken(before .. closer .. found:sub(1, indent), found:sub(indent + 1) .. after, "extra closing brace")
    end)
  end)

  it("that ends anywhere before its end", function()
    each("\n", function(before)
      if #before > 1 then
        local reason = fault_of(before).reason
        assert.equal("missing brace", reason, before)
      end
    end)
  end)

  it("that goes on after its end", function()
    for _, tail in ipairs { "Example Response:\n", "```", TIDY, "[]", "1", "..." } do
      broken(TIDY .. "\n", tail, "text after the document")
    end
  end)
end)

describe("the text of a decode error", function()
  it("is one line, then the line of the document and a caret under the place", function()
    local err = fault_of '{\n  "größe": "ü" "x": 1\n}'
    assert.equal("line 2, column 15: a comma is missing here (missing comma)", err.message)
    assert.equal('2 |   "größe": "ü" "x": 1\n  |               ^', err.excerpt)
    assert.equal("decode: " .. err.message .. "\n" .. err.excerpt, tostring(err))
  end)

  it("cuts a long line around the place", function()
    local err = fault_of('{"a": "' .. ("x"):rep(500) .. '" "b": "' .. ("y"):rep(500) .. '"}')
    local line, caret = err.excerpt:match("^([^\n]*)\n([^\n]*)$")
    assert.is_true(#line < 120)
    assert.matches("^1 | %.%.%.x+\" \"b\": \"y+%.%.%.$", line)
    assert.equal('"', line:sub(#caret - 1, #caret - 1))
    assert.equal(" ", line:sub(#caret, #caret))
  end)

  it("keeps secrets to itself, and the caret in its place", function()
    for _, sample in ipairs {
      { '{"password": "hunter2" "x": 1}', '"password": "*******" "x": 1' },
      { '{"oauth.api.secret": "hun"ter2", "x": 1}', '": "********", "x": 1' },
      { "{'token': 'hunter2'}", "'token': '*******'" },
      { '{“apiKey”: “hunter2”}', "“apiKey”: “*******”" },
      { "{password: hunter2}", "{password: *******}" },
      { '{"code": "hunter2\n", "x": 1}', '"code": "*******' },
      { '{"code":\n"hunter2" "x": 1}', '"*******" "x": 1' },
      { '{"tokens": ["hunter2" 1]}', '"tokens": [*********' },
      { '{"url": "http://x/?access_token=hunter2&a=b" 1}', "access_token=*******&a=b" },
      { '{"password": "hunter2', '"password": "*******' },
      { '{"password": "hunter2\\" more" x}', '"password": "*********' },
      { '{"password"="hunter2"}', '"password"="*******"' },
      { '{"password" => "hunter2", "x": 1}', '"password" => "*******", "x": 1' },
      { '{"password" "hunter2"}', '"password" "*******"' },
      { '{"password", "hunter2"}', '"password", "*******"' },
      { '{"password"; "hunter2"}', '"password"; "*******"' },
      { '{"kind": "password", "name": "x" "y": 1}', '"kind": "password", "name": "x" "y"' },
      { '{"password": "a\\",hunter2" x}', '"password": "***********' },
    } do
      local err = fault_of(sample[1])
      assert.is_nil(tostring(err):find("unter2", 1, true), err.excerpt)
      assert.is_truthy(err.excerpt:find(sample[2], 1, true), err.excerpt)
      local caret = err.excerpt:match("\n([^\n]*)$")
      assert.equal(#tostring(err.line) + 3 + err.column, #caret)
    end
  end)

  it("shows a template's placeholder, which is no secret", function()
    assert.matches("<INSERT_KEY>", fault_of('{"api.key": <INSERT_KEY>}').excerpt)
  end)

  it("holds nothing that a terminal would obey, and only UTF-8", function()
    local excerpt = fault_of('{"a": "\27[31m\194\155\7" "\255": 1}').excerpt
    assert.is_nil(excerpt:gsub("\n", ""):find("%c"))
    assert.is_nil(excerpt:find("[\155\255]"))
  end)

  it("tells what cannot be seen", function()
    assert.matches("invisible", fault_of('{"a":\194\160"b"}').message)
    assert.matches("invisible", fault_of('{\226\128\139"a": 1}').message)
  end)

  it("comes soon, however large the document", function()
    local parts = {}
    for i = 1, 4000 do
      parts[i] = ('{"id": %d, "token": "secret", "tags": ["a", "b"]}'):format(i)
    end
    local text = "[" .. table.concat(parts, ",")
    local start = os.clock()
    assert.equal("missing brace", fault_of(text).reason)
    assert.equal("missing comma", fault_of(text .. ' {"x": 1}]').reason)
    assert.equal("other", fault_of(("\\"):rep(50000)).reason)
    assert.is_string(fault_of('"' .. ("a,"):rep(50000)).reason)
    assert.is_true(os.clock() - start < 20)
  end)
end)
