--- What editors are told is what there is.

local core = require "celements.core"
local process = require "celements.process"
local seal = require "celements.seal"
require "celements"   -- all that names a type is loaded

local PATH = "lua/celements/types.lua"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local text = read(PATH)

local function sorted(list)
  table.sort(list)
  return list
end

-- The functions of a table, by name.
local function functions_of(part)
  local names = {}
  for name, value in pairs(part) do
    if type(value) == "function" then
      names[#names + 1] = name
    end
  end
  return sorted(names)
end

-- The functions that the file defines behind a prefix such as "Engine:".
local function described(prefix)
  local names = {}
  for name in text:gmatch("\nfunction " .. prefix:gsub("%p", "%%%0") .. "([%w_]+)%(") do
    names[#names + 1] = name
  end
  return sorted(names)
end

-- The methods of a class that C has registered.
local function methods_of(class)
  return functions_of(debug.getregistry()[class].__index)
end

describe("the types that editors read", function()
  it("have the parts of the core, and no other", function()
    local parts, told = {}, {}
    for name, part in pairs(core) do
      parts[#parts + 1] = name
      assert.same(functions_of(part), described("core." .. name .. "."), name)
    end
    for name in text:gmatch("\ncore%.([%l_]+) = {}") do
      told[#told + 1] = name
    end
    assert.same(sorted(parts), sorted(told))
  end)

  it("have the methods of the engine and of its transfers", function()
    assert.same(methods_of("celements.Engine"), described("Engine:"))
    assert.same(methods_of("celements.Transfer"), described("Transfer:"))
    assert.same(methods_of("celements.Secret"), described("Secret:"))
  end)

  it("have the other C modules", function()
    assert.same(functions_of(process), described("process."))
    assert.same(functions_of(seal), described("seal."))
    assert.same(methods_of("celements.Seal"), described("Seal:"))
  end)

  it("do no harm when somebody requires them", function()
    local before = package.loaded["celements.core"]
    local types = require "celements.types"
    assert.equal("table", type(types.url))
    assert.equal(before, require "celements.core")
    package.loaded["celements.types"] = nil
  end)

  it("are all there, each in one place", function()
    local classes, used = {}, {}
    local list = assert(io.popen("find lua -name '*.lua'"))
    for path in list:lines() do
      for line in read(path):gmatch("[^\n]+") do
        local class = line:match("^%-%-%-@class ([%w_.]+)") or line:match("^%-%-%-@alias ([%w_.]+)")
        if class then
          -- A client's methods come from several files, and each opens the class again.
          local again = class == "celements" or class == "celements.Client"
          assert.is_nil(classes[class] and not again and class .. " is in " .. path .. " too" or nil)
          classes[class] = true
        end
        local rest = line:match("^%-%-%-@%l+ (.*)$")
        -- A type begins with a capital; what comes behind two blanks is prose.
        for name in (rest or ""):gsub("  .*", ""):gmatch("celements[%l_.]*%.%u%w*") do
          used[name] = path
        end
      end
    end
    list:close()
    for name, path in pairs(used) do
      assert(classes[name], ("%s is used in %s and defined nowhere"):format(name, path))
    end
    assert.is_true(next(used) ~= nil)
  end)

  it("tell the fields that diagnostics have", function()
    local report, fields = require("celements").diagnostics(), {}
    for name in text:match("@class celements%.Diagnostics\n(.-)\n\n"):gmatch("@field ([%l_]+)") do
      fields[name] = true
    end
    for name in pairs(report) do
      assert(fields[name], name .. " is not told of")
    end
  end)
end)
