local celements = require "celements"
local child = require "spec.support.child"

describe("celements.diagnostics", function()
  it("names the versions, the trust store and the settings", function()
    local report = celements.diagnostics()
    assert.equal(celements._VERSION, report.celements)
    assert.truthy(report.lua:find("Lua", 1, true))
    assert.truthy(report.libcurl.version:find("^%d+%.%d+%.%d+"))
    assert.is_boolean(report.libcurl.http2)
    assert.is_string(report.cjson.version)
    assert.truthy(({ directory = true, file = true, none = true, curl = true })[report.trust.kind], report.trust.kind)
    assert.is_string(report.trust.why)
  end)

  it("prints readably", function()
    local text = tostring(celements.diagnostics())
    for _, words in ipairs { "celements " .. celements._VERSION .. " on Lua", "libcurl ", "lua-cjson ",
      "trust store: ", "base URL: https://" } do
      assert.truthy(text:find(words, 1, true), words)
    end
  end)

  local SCRIPT = [[print(require("celements").diagnostics())]]

  it("tells which secrets the environment has, and shows none of them nor a proxy's password", function()
    local fine, out, err = child(SCRIPT, {
      CELEMENTS_USER_SECRET = "s3cretUser", CELEMENTS_BASE_URL = "staging.example.com",
      https_proxy = "http://me:s3cretProxy@proxy.example.com:3128",
    })
    assert.equal("", err)
    assert.is_true(fine)
    assert.truthy(out:find("secrets in the environment: user set, organization not set", 1, true), out)
    assert.truthy(out:find("base URL: https://staging.example.com/elements/api-v2", 1, true))
    assert.truthy(out:find("proxy in the environment: http://[redacted]@proxy.example.com:3128 (https_proxy)", 1, true))
    assert.falsy(out:find("s3cret", 1, true))
  end)

  it("works when the environment does not", function()
    local fine, out, err = child(SCRIPT, { CELEMENTS_BASE_URL = "ftp://x", CELEMENTS_TIMEOUT = "soon",
      SSL_CERT_FILE = "/no/such/file" })
    assert.equal("", err)
    assert.is_true(fine)
    assert.truthy(out:find("base URL: not usable", 1, true))
    assert.truthy(out:find("/no/such/file", 1, true))
  end)
end)
