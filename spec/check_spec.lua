local check = require "celements.check"
local slip = require "celements.slip"

describe("a name that is not known", function()
  local KNOWN = { base_url = true, user_secret = true, org_secret = true, timeout = true, retries = true,
    ca_file = true }

  it("comes with the one that was probably meant", function()
    for typed, meant in pairs {
      baseurl = "base_url", base_ulr = "base_url", BASE_URL = "base_url", baseUrl = "base_url",
      ["base-url"] = "base_url",
      user_secrets = "user_secret", usersecret = "user_secret", orgsecret = "org_secret", time_out = "timeout",
      timeuot = "timeout", retires = "retries", cafile = "ca_file",
    } do
      assert.equal(meant, slip.nearest(typed, KNOWN), typed)
    end
  end)

  it("comes without one when nothing is near", function()
    for _, typed in ipairs { "colour", "verbose", "x", "" } do
      assert.is_nil(slip.nearest(typed, KNOWN), typed)
    end
  end)

  it("gets the same suggestion every time, of two that are as near", function()
    for _ = 1, 20 do
      assert.equal("aaa1", slip.nearest("aaa", { aaa2 = true, aaa1 = true, aaa3 = true }))
    end
  end)
end)

describe("a credential", function()
  it("is fit for a header when it is plain text", function()
    for _, text in ipairs { "secret", "uSer+/=", "a b", "käse", "'quoted'" } do
      assert.is_nil(check.credential_problem(text), text)
    end
  end)

  it("is refused for what would break the header, or was not meant, with the place and without the text", function()
    for text, problem in pairs {
      ["abc\ndef"] = "a line break at position 4 of 7", ["abc\r\n"] = "a line break at position 4",
      ["ab\0c"] = "a control character at position 3", ["ab\127"] = "a control character at position 3",
      ["\tabc"] = "a control character at position 1",
      ["“abc”"] = "a curly quote at position 1", ["abc’"] = "a curly quote at position 4",
      [" abc"] = "a space at its start or end", ["abc "] = "a space at its start or end",
    } do
      local found = check.credential_problem(text)
      assert.truthy(found and found:find(problem, 1, true), ("%q: %s"):format(text, tostring(found)))
      assert.falsy(found:find("abc", 1, true))
    end
  end)
end)
