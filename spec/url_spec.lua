-- core.url: what stands in a URL, and in which form.  The rules themselves are tried
-- with random texts in spec/c/url.c.

local celements = require "celements"
local core = require "celements.core"
local url = core.url

describe("core.url", function()
  it("encodes all but letters, digits and -._~, a space as %20", function()
    assert.equal("aZ09-._~", url.escape "aZ09-._~")
    assert.equal("a%20b%2Bc%2F%3F%26%3D%25%00%0D%0A%C3%A9", url.escape "a b+c/?&=%\0\r\n\195\169")
    assert.equal("", url.escape "")
  end)

  it("makes a path of segments, whatever they hold", function()
    assert.equal("/instances/12345", celements.path("instances", 12345))
    assert.equal("/instances/a%20b/objects", celements.path("instances", "a b", "objects"))
    assert.equal("/%2E/%2E%2E/...", celements.path(".", "..", "..."))
    assert.equal("/a%2Fb%3Fc%23d", celements.path "a/b?c#d")
  end)

  it("writes ids as people write them: never 12345.0, never 1e+15", function()
    assert.equal("/12345", celements.path(12345.0))
    assert.equal("/0", celements.path(-0.0))
    assert.equal("/2147483648", celements.path(2 ^ 31))
    assert.equal("/9007199254740991", celements.path(2 ^ 53 - 1))
    assert.equal("/123456789012345", celements.path(123456789012345))
    assert.equal("/-1", celements.path(-1))
    assert.equal("/123456789012345678901", celements.path "123456789012345678901")
  end)

  it("refuses what is no segment", function()
    for _, bad in ipairs { 1.5, 0 / 0, math.huge, -math.huge, 2 ^ 60 * 1.0 + 0.0, {}, true, print } do
      if not (math.type and math.type(bad) == "integer") then
        assert.is_false((pcall(celements.path, "x", bad)), tostring(bad))
      end
    end
    for _, count in ipairs { 0, 1 } do
      local message = select(2, pcall(celements.path, count == 1 and "" or nil))
      assert.truthy(message:find("segment", 1, true), message)
    end
    assert.is_false((pcall(celements.path)))
    assert.is_false((pcall(celements.path, ("x"):rep(70000))))
    assert.is_false((pcall(url.escape, ("/"):rep(30000))))
  end)

  it("joins a query out of names and values", function()
    assert.equal("a=1&b=x%20y&a=", url.query({ "a", "1", "b", "x y", "a", "" }, 6))
    assert.equal("", url.query({}, 0))
    assert.same({ nil, "the query makes a URL of more than 65536 bytes" }, { url.query({ "a", ("b"):rep(65536) }, 2) })
    assert.equal("a=b", url.query({ "a", "b" }, 2)) -- nothing stays of the one before
    assert.is_false((pcall(url.query, { "a", {} }, 2)))
    assert.is_false((pcall(url.query, { "a" }, 2)))
  end)

  it("finds the first control character", function()
    assert.is_nil(url.control "plain text \195\169")
    assert.is_nil(url.control "")
    assert.equal(1, url.control "\0")
    assert.equal(3, url.control "ab\r\n")
    assert.equal(2, url.control "a\127")
  end)
end)
