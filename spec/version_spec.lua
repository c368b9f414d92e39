--- One version, wherever it is written.

describe("the version", function()
  local celements = require "celements"

  it("is three numbers", function()
    assert.matches("^%d+%.%d+%.%d+$", celements._VERSION)
  end)

  it("is the one that the changelog tells of first", function()
    local newest
    for line in io.lines("CHANGELOG.md") do
      newest = newest or line:match("^## .-(%d+%.%d+%.%d+)")
    end
    assert.equal(newest, celements._VERSION)
  end)
end)
