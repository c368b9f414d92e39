--- The rock holds what the tree holds, no file more or less.

local difference = require "spec.support.difference"
local lfs = require "lfs"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- What a Lua file of assignments assigns, without giving it any function.
local function load_data(path)
  local values = {}
  local chunk
  if setfenv then
    chunk = setfenv(assert(loadfile(path)), values)
  else
    chunk = assert(loadfile(path, "t", values))
  end
  chunk()
  return values
end

local function lua_modules(folder, prefix, found)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:match("%.lua$") then
      found[#found + 1] = prefix .. name:gsub("%.lua$", "") .. " = " .. path
    elseif not name:match("^%.") and lfs.attributes(path, "mode") == "directory" then
      lua_modules(path, prefix .. name .. ".", found)
    end
  end
  return found
end

-- The C files behind a word of the Makefile.
local function makefile_sources(variable)
  local words = assert(read("Makefile"):match("\n" .. variable .. "%s*:=([^\n]+)"), variable .. " is not in the Makefile")
  local sources = {}
  for word in words:gmatch("%S+") do
    sources[#sources + 1] = "csrc/" .. word .. ".c"
  end
  return sources
end

describe("the rockspec", function()
  local rockspec = load_data("rockspec/celements-scm-1.rockspec")
  local core = rockspec.build.modules["celements.core"]
  local process = rockspec.build.modules["celements.process"]

  it("names every Lua module, and no other", function()
    local named = {}
    for name, file in pairs(rockspec.build.modules) do
      if type(file) == "string" then
        named[#named + 1] = name .. " = " .. file
      end
    end
    assert.same({}, difference(lua_modules("lua", "", {}), named))
  end)

  it("compiles for celements.core what the Makefile compiles", function()
    assert.same({}, difference(makefile_sources("CORE"), core.sources))
  end)

  it("compiles every C file", function()
    local compiled, present = {}, {}
    for _, list in ipairs { core.sources, process } do
      for _, file in ipairs(list) do
        compiled[#compiled + 1] = file
      end
    end
    for name in lfs.dir("csrc") do
      if name:match("%.c$") then
        present[#present + 1] = "csrc/" .. name
      end
    end
    assert.same({}, difference(present, compiled))
  end)

  it("asks for the libcurl library and not for its header, which luarocks does not find on Debian", function()
    assert.same({ CURL = { library = "curl" } }, rockspec.external_dependencies)
  end)
end)
