--- Everything public is described, under its own name and with its own parameters.

local luals = dofile("docs/luals.lua")

-- The table whose functions a page describes.
local PUBLIC = {
  ["celements"] = function()
    return require "celements"
  end,
  ["celements.Client"] = function()
    return require("celements.client").methods
  end,
  ["celements.InstanceClient"] = function()
    local client = require("celements").new { base_url = "http://127.0.0.1:1", user_secret = "u", org_secret = "o" }
    return debug.getmetatable(client:instance("t")).__index
  end,
  ["celements.Pages"] = function()
    return require("celements.page").methods
  end,
  ["celements.store"] = function()
    return require "celements.store"
  end,
  ["celements.Store"] = function()
    return debug.getmetatable(require("celements.store").memory()).__index
  end,
  ["celements.json"] = function()
    return require "celements.json"
  end,
  ["celements.openresty"] = function()
    return require "celements.openresty"
  end,
  ["celements.OpenrestyFlow"] = function()
    local store = {}
    for _, name in ipairs { "put", "get", "delete", "list", "claim", "release" } do
      store[name] = function() end
    end
    return debug.getmetatable(require("celements.openresty").new {
      client = require("celements").new { base_url = "http://127.0.0.1:1", user_secret = "u", org_secret = "o" },
      element = "hubspot", api_key = "k", api_secret = "s", key = ("k"):rep(32), store = store,
      callback_url = "http://127.0.0.1/callback", user_id = function() end,
    }).__index
  end,
  ["celements.sandbox"] = function()
    return require "celements.sandbox"
  end,
}

-- The names of a Lua function's parameters; nil where this Lua cannot tell.
local function parameters(f)
  local info = debug.getinfo(f, "Su")
  if info.what == "C" or not info.nparams then
    return nil
  end
  local names = {}
  for i = 1, info.nparams do
    names[i] = debug.getlocal(f, i)
  end
  if info.isvararg then
    names[#names + 1] = "..."
  end
  return names
end

local function names_of(functions)
  local names = {}
  for name, value in pairs(functions) do
    if type(value) == "function" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

for _, page in ipairs(luals.pages) do
  local public = PUBLIC[page.name]
  describe("the page of " .. page.name, function()
    if public then
      local functions = public()
      local described = luals.functions(page)

      it("describes every function, and none that does not exist", function()
        local found = {}
        for name, block in pairs(described) do
          assert.is_true(#block.text > 0 and #block.text[1] > 10, name .. " is not described")
          if type(functions[name]) == "function" then
            found[#found + 1] = name
          else
            assert.is_not_nil(functions[name], name .. " does not exist")
          end
        end
        table.sort(found)
        assert.same(names_of(functions), found)
      end)

      for _, name in ipairs(names_of(functions)) do
        it("tells the parameters of " .. name, function()
          local told = {}
          for i, entry in ipairs(described[name].params) do
            told[i] = entry.name
          end
          local has = parameters(functions[name])
          if has then
            if described[name].colon == ":" or page.tag == "classmod" then
              table.remove(has, 1)
            end
            assert.same(has, told)
          end
        end)
      end
    else
      it("describes what it is for", function()
        local first = luals.read(page.files[1])[1]
        assert.is_true(#first.text > 0)
      end)
    end
  end)
end
