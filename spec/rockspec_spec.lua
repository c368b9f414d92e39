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

local function load_rockspec(name)
  return load_data("rockspec/" .. name .. "-scm-1.rockspec")
end

describe("the rockspec", function()
  local rockspec = load_rockspec "celements"
  local core = rockspec.build.modules["celements.core"]
  local libcurl, process = rockspec.build.modules["celements.libcurl"], rockspec.build.modules["celements.process"]

  -- What only some users need and the others should not have to install.
  local optional = load_rockspec "celements-seal"
  local seal = optional.build.modules["celements.seal"]

  it("names every Lua module, and no other", function()
    local named = {}
    for name, file in pairs(rockspec.build.modules) do
      if type(file) == "string" then
        named[#named + 1] = name .. " = " .. file
      end
    end
    assert.same({}, difference(lua_modules("lua", "", {}), named))
  end)

  it("compiles what the Makefile compiles for celements.core, and that of celements-seal for celements.seal", function()
    assert.same({}, difference(makefile_sources("CORE"), core.sources))
    assert.same({}, difference(makefile_sources("SEAL"), seal.sources))
  end)

  it("compiles every C file, together with that of celements-seal", function()
    local present, compiled, list = {}, {}, {}
    for _, sources in ipairs { core.sources, libcurl, process, seal.sources } do
      for _, file in ipairs(sources) do
        compiled[file] = true
      end
    end
    for file in pairs(compiled) do
      list[#list + 1] = file
    end
    for name in lfs.dir("csrc") do
      if name:match("%.c$") then
        present[#present + 1] = "csrc/" .. name
      end
    end
    assert.same({}, difference(present, list))
  end)

  it("of celements-seal has the one module, and needs nothing of celements", function()
    local names = {}
    for name in pairs(optional.build.modules) do
      names[#names + 1] = name
    end
    assert.same({ "celements.seal" }, names)
    assert.same({ "lua >= 5.1, < 5.5" }, optional.dependencies)
    assert.is_nil(rockspec.build.modules["celements.seal"])
    assert.equal(rockspec.version, optional.version)
  end)

  it("asks for the library and not for its header, which luarocks does not find on Debian", function()
    assert.same({ CURL = { library = "curl" } }, rockspec.external_dependencies)
    assert.same({ SODIUM = { library = "sodium" } }, optional.external_dependencies)
  end)
end)
