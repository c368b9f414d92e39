local base_url = require "celements.base_url"

describe("a base URL", function()
  local PLATFORM = "https://api.cloud-elements.com/elements/api-v2"

  it("is taken in every spelling that people use", function()
    for given, expected in pairs {
      ["api.cloud-elements.com"] = PLATFORM,
      ["api.cloud-elements.com/"] = PLATFORM,
      ["https://api.cloud-elements.com"] = PLATFORM,
      ["https://api.cloud-elements.com/"] = PLATFORM,
      ["https://api.cloud-elements.com//"] = PLATFORM,
      ["https://api.cloud-elements.com/elements/api-v2"] = PLATFORM,
      ["https://api.cloud-elements.com/elements/api-v2/"] = PLATFORM,
      ["api.cloud-elements.com/elements/api-v2"] = PLATFORM,
      ["HTTPS://api.cloud-elements.com"] = PLATFORM,
      ["  https://api.cloud-elements.com\n"] = PLATFORM,
      ["staging.cloud-elements.com:8443"] = "https://staging.cloud-elements.com:8443/elements/api-v2",
      ["https://proxy.example.com/platform/elements/api-v2"] = "https://proxy.example.com/platform/elements/api-v2",
      ["http://localhost:8080"] = "http://localhost:8080/elements/api-v2",
      ["127.0.0.1:8080"] = "http://127.0.0.1:8080/elements/api-v2",
      ["http://127.1.2.3"] = "http://127.1.2.3/elements/api-v2",
      ["http://[::1]:8080/"] = "http://[::1]:8080/elements/api-v2",
      ["https://[2001:db8::1]"] = "https://[2001:db8::1]/elements/api-v2",
    } do
      local url, problem, loopback = base_url.normalise(given)
      assert.same({ expected, nil }, { url, problem }, given)
      assert.equal(expected:find("^http:") ~= nil, loopback)
    end
  end)

  it("is https by itself, and http by itself on this machine only", function()
    assert.truthy(base_url.normalise("example.com"):find("^https:"))
    assert.truthy(base_url.normalise("localhost:1"):find("^http:"))
    assert.truthy(base_url.normalise("https://localhost:1"):find("^https:"))
  end)

  it("may be plain http to another machine only when that is asked for", function()
    for _, host in ipairs { "example.com", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com", "[::2]",
      "1127.0.0.1" } do
      local url, problem = base_url.normalise("http://" .. host)
      assert.is_nil(url, host)
      assert.truthy(problem:find("everybody on the way can read the secrets", 1, true))
      assert.equal("http://" .. host .. "/elements/api-v2", base_url.normalise("http://" .. host, true))
    end
  end)

  it("is another machine's when it only looks like this one's", function()
    for _, host in ipairs {
      "127.999.1.1", "127.1.1.256", "127.1", "1127.0.0.1", "127.0.0.1.example.com", "localhost.example.com",
      "xlocalhost", "[::2]", "[::ffff:127.0.0.1]", "0.0.0.0",
    } do
      assert.is_false(base_url.is_loopback(host), host)
      assert.is_nil(base_url.normalise("http://" .. host))
    end
  end)

  it("is refused, with what would be right, when it cannot be one", function()
    for given, problem in pairs {
      [""] = "is not a host or URL; an example: " .. PLATFORM,
      ["https://"] = "is not a host or URL",
      ["https:///elements/api-v2"] = "is not a host or URL",
      ["api cloud"] = "is not a host or URL",
      ["https://example.com:port"] = "is not a host or URL",
      ["ftp://example.com"] = "has the scheme ftp",
      ["file:///etc/passwd"] = "is not a host or URL",
      ["https://example.com/elements"] = "has the path /elements",
      ["https://example.com/elements/api-v1"] = "has the path /elements/api-v1",
      ["https://example.com/a b/elements/api-v2"] = "has characters in its path",
      ["https://example.com?a=b"] = "has a query or a fragment",
      ["https://example.com/elements/api-v2#top"] = "has a query or a fragment",
      ["https://user:secret@example.com"] = "has a user name in it",
      ["user@example.com"] = "has a user name in it",
    } do
      local url, found = base_url.normalise(given)
      assert.is_nil(url, given)
      assert.truthy(found:find(problem, 1, true), given .. ": " .. found)
      assert.falsy(found:find("secret@", 1, true))
    end
  end)
end)
