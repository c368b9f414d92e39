-- Texts that only the holder of a key can read or make.

local canary = require "spec.support.canary"
local raises = require "spec.support.raises"
local seal = require "celements.seal"

local OLD = "the old key, which is of 32 bytes and more"
local NEW = "the new key, which is of 32 bytes and more"

describe("a sealed text", function()
  local box = seal.new(NEW)

  it("opens as what it was, whatever bytes that are", function()
    local all = {}
    for byte = 0, 255 do
      all[#all + 1] = string.char(byte)
    end
    for _, plain in ipairs { "", "a", "a\0b", table.concat(all), ("x"):rep(1024 * 1024) } do
      assert.is_true(plain == box:open(box:seal(plain, "here"), "here"))
    end
  end)

  it("fits in a cookie and in a URL as it is", function()
    for n = 0, 20 do
      assert.matches("^[%w_-]+$", box:seal(("\255"):rep(n), "here"))
    end
  end)

  it("is another one each time", function()
    local seen = {}
    for _ = 1, 1000 do
      local text = box:seal("same", "same")
      assert.is_nil(seen[text])
      seen[text] = true
    end
  end)

  it("shows nothing of what is in it", function()
    local text = box:seal("CANARY-0123456789-abcdefghijkl", "here")
    assert.same({}, canary.leaks(text, { plain = "CANARY-0123456789-abcdefghijkl", key = NEW }))
  end)

  it("opens for the context that it was sealed for, and for no other", function()
    local text = box:seal("value", "user 1")
    for _, context in ipairs { "user 2", "", "user 1 ", "user 1\0" } do
      assert.same({ nil, "forged", n = 2 }, { n = 2, box:open(text, context) })
    end
    assert.equal("value", box:open(text, "user 1"))
  end)

  it("does not open when anything in it was changed", function()
    local text = box:seal("value", "here")
    for i = 1, #text do
      for _, letter in ipairs { "A", "B", "_", "=", " ", "\0", "\255", "" } do
        local changed = text:sub(1, i - 1) .. letter .. text:sub(i + 1)
        local plain, reason = box:open(changed, "here")
        assert.is_true(changed == text or plain == nil and type(reason) == "string")
      end
    end
  end)

  it("is told apart from what was never sealed", function()
    for _, text in ipairs { "", "a", "A", ("A"):rep(59), ("A"):rep(5000000), "Ä", ("\0"):rep(100), box:seal("", "") .. "=" } do
      assert.same({ nil, "malformed", n = 2 }, { n = 2, box:open(text, "") })
    end
  end)
end)

describe("keys", function()
  it("are changed without losing what the old one sealed", function()
    local before, during, after = seal.new(OLD), seal.new { NEW, OLD }, seal.new { NEW }
    local old = before:seal("value", "here")
    assert.equal("value", during:open(old, "here"))
    local new = during:seal("value", "here")
    assert.equal("value", after:open(new, "here"))
    assert.same({ nil, "unknown key", n = 2 }, { n = 2, before:open(new, "here") })
    assert.same({ nil, "unknown key", n = 2 }, { n = 2, after:open(old, "here") })
  end)

  it("may be binary", function()
    local box = seal.new(("\0"):rep(31) .. "a")
    assert.is_nil((seal.new(("\0"):rep(32)):open(box:seal("", ""), "")))
  end)

  it("that cannot be keys raise where they were given, and are not quoted", function()
    for _, keys in ipairs { "short-CANARY", { "short-CANARY" }, { NEW, "short-CANARY" }, {}, { NEW, 12 }, { NEW, {} },
      { old = NEW }, { NEW, old = OLD }, { [2] = NEW }, 12345678901234567890123456789012, true, io.stdout } do
      local message = raises(function()
        local _ = seal.new(keys)
      end)
      assert.is_nil(message:find("CANARY", 1, true))
      assert.is_nil(message:find("1234", 1, true))
    end
    raises(function()
      local _ = seal.new()
    end)
  end)

  it("do not show", function()
    local box = seal.new { NEW, OLD }
    assert.equal("celements.Seal (hidden)", tostring(box))
    assert.is_string(getmetatable(box))
    assert.is_nil(box.keys)
    assert.is_false((pcall(function()
      return #box
    end)))
  end)

  it("are gone when they are closed, once or twice", function()
    local box = seal.new(NEW)
    local text = box:seal("value", "here")
    box:close()
    box:close()
    raises(function()
      local _ = box:open(text, "here")
    end)
    raises(function()
      local _ = box:seal("value", "here")
    end)
  end)
end)

describe("seal", function()
  it("takes texts, and blames who gives anything else", function()
    local box = seal.new(NEW)
    for _, what in ipairs { 12, {}, false } do
      raises(function()
        local _ = box:seal(what, "")
      end)
      raises(function()
        local _ = box:seal("", what)
      end)
      raises(function()
        local _ = box:open(what, "")
      end)
      raises(function()
        local _ = seal.hash(what)
      end)
      raises(function()
        local _ = seal.new(NEW).seal(what, "", "")
      end)
    end
    raises(function()
      local _ = box:seal("no context")
    end)
    raises(function()
      local _ = box:seal(("x"):rep(1024 * 1024 + 1), "")
    end)
    raises(function()
      local _ = box:seal("", ("x"):rep(65537))
    end)
  end)

  it("gives tokens that do not come again, of the length that was asked for", function()
    local seen = {}
    for _ = 1, 500 do
      local token = seal.token(16)
      assert.equal(22, #token)
      assert.matches("^[%w_-]+$", token)
      assert.is_nil(seen[token])
      seen[token] = true
    end
    assert.equal(342, #seal.token(256))
    for _, n in ipairs { 0, -1, 257, 1.5, 0 / 0, "x" } do
      raises(function()
        local _ = seal.token(n)
      end)
    end
  end)

  it("hashes as BLAKE2b with 32 bytes does", function()
    -- b2sum -l 256 of nothing, and of "abc".
    assert.equal("DldRwCblQ7Loqy6wYJnaodHl30d3j3eH-qtFzfEv46g", seal.hash "")
    assert.equal("vd2BPGNCOXIxce8_7phXm5SWTjuxyz5CcmLIwGjVIxk", seal.hash "abc")
    assert.are_not.equal(seal.hash "a", seal.hash "b")
    assert.equal(43, #seal.hash(("x"):rep(100000)))
  end)
end)
