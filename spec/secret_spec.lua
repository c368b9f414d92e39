-- core.secret: secrets that cannot be read back, comparing, random bytes.

local core = require "celements.core"
local secret = core.secret

describe("a Secret", function()
  local it_is = secret.new "the-secret-text"

  it("shows nothing of itself", function()
    assert.equal("userdata", type(it_is))
    assert.is_nil(tostring(it_is):find("the-secret", 1, true))
    assert.is_nil(it_is.text)
    assert.is_false((pcall(function() return #it_is end)))
    assert.is_false((pcall(function() return it_is .. "" end)))
    assert.is_false((pcall(function()
      for name in pairs(it_is) do
        error(name)
      end
    end)))
    assert.is_string(getmetatable(it_is))
  end)

  it("is not taken for another kind of thing, nor another thing for it", function()
    assert.is_false((pcall(secret.redact, "text", { io.stdout })))
    assert.is_false((pcall(secret.redact, "text", { {} })))
    assert.is_false((pcall(core.engine.settings, { id = 1, user = "text" })))
    assert.is_false((pcall(core.engine.settings, { id = 1, user = io.stdout })))
  end)

  it("is found in a text and taken out, as a string is", function()
    assert.equal("a [redacted] b", secret.redact("a the-secret-text b", { it_is }))
    assert.equal("a [redacted] b", secret.redact("a the-secret-text b", { "the-secret-text" }))
  end)

  it("may be 64 KiB, and not more", function()
    assert(secret.new(("x"):rep(65536)))
    assert.is_false((pcall(secret.new, ("x"):rep(65537))))
  end)
end)

describe("core.secret", function()
  it("compares texts of any length", function()
    assert.is_true(secret.equal("", ""))
    assert.is_true(secret.equal("abc", "abc"))
    assert.is_true(secret.equal("a\0b", "a\0b"))
    for _, other in ipairs { "", "ab", "abd", "Abc", "abcd", "abcabc", "a\0c" } do
      assert.is_false(secret.equal("abc", other))
      assert.is_false(secret.equal(other, "abc"))
    end
  end)

  it("gives bytes that do not come again", function()
    local seen = {}
    for _ = 1, 5000 do
      local bytes = secret.random(16)
      assert.equal(16, #bytes)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
    assert.equal(256, #secret.random(256))
    assert.is_false((pcall(secret.random, 0)))
    assert.is_false((pcall(secret.random, 257)))
  end)
end)
