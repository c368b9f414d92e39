-- A script that runs once reads what it needs and no more: reading a Lua file is most of
-- what we add to the cost of such a script.

local difference = require "spec.support.difference"
local rawserver = require "spec.support.rawserver"
local script = require "spec.support.script"

local NEEDED = {
  "celements", "celements.assert", "celements.base_url", "celements.check", "celements.client", "celements.core",
  "celements.error", "celements.instance", "celements.json.raw", "celements.libcurl", "celements.oauth",
  "celements.options",
  "celements.request", "celements.version", "celements.wait", "celements.wait.block",
}

describe("a script that makes the page's two calls", function()
  local server

  setup(function()
    server = rawserver.start(function(conn)
      while conn:request() do
        conn:answer(200, '{"id":1}')
      end
    end)
  end)

  teardown(function()
    server:remove()
  end)

  it("reads no module that they can do without", function()
    local job = script.start(([[
      local client = require("celements").new { base_url = %q, user_secret = "u", org_secret = "o" }
      assert(client:oauth_url { element = "hubspot", api_key = "k", api_secret = "s", callback_url = "http://127.0.0.1/" })
      assert(client:create_instance { element = "hubspot", name = "n", provider_data = { code = "c" }, tags = { "t" } })
      for name in pairs(package.loaded) do
        if name:find "^celements" then
          print(name)
        end
      end
    ]]):format(server.url))
    local out, err, status = job:finish(10)
    assert.equal(0, status, out .. err)
    local loaded = {}
    for name in out:gmatch "%S+" do
      loaded[#loaded + 1] = name
    end
    table.sort(loaded)
    assert.same({}, difference(NEEDED, loaded))
  end)

  -- How many symbols the dynamic linker has looked up at the end of a script; nil where it does not tell.
  local function symbols_of(code)
    local job = script.start(code, { prefix = "env LD_DEBUG=statistics" })
    local out, err, status = job:finish(10)
    assert.equal(0, status, out .. err)
    return tonumber(err:match ".*final number of relocations: (%d+)")
  end

  it("has functions of the libraries behind libcurl looked up when they are called", function()
    local at_once = symbols_of 'require "celements.core"'
    if not at_once then
      pending "this dynamic linker does not count"
      return
    end
    assert.is_true(symbols_of 'require "celements"' < at_once - 1000)
  end)
end)
