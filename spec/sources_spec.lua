--- What comments cite is there: "(platform 8.2)" is a section of docs/platform.md,
-- "(pitfall 12)" a row of docs/pitfalls.md, and nobody cites anything else.

local lfs = require "lfs"
local luals = dofile("docs/luals.lua")
local reader = require "spec.support.reader"

local read = reader.read

local platform, pitfalls = read("docs/platform.md"), read("docs/pitfalls.md")

local TARGETS = { platform = {}, pitfall = {} }
for section in platform:gmatch("\n##+ (%d[%d.]*) ") do
  assert(not TARGETS.platform[section], section .. " is there twice")
  TARGETS.platform[section] = true
end
for number in pitfalls:gmatch("\n| (%d+) |") do
  assert(not TARGETS.pitfall[number], number .. " is there twice")
  TARGETS.pitfall[number] = true
end

local READ = { lua = true, c = true, h = true, md = true, sh = true }
local SELF = "spec/sources_spec.lua"

local function is_read(name)
  return READ[name:match("%.(%w+)$")] or not name:find(".", 1, true)   -- a script
end

-- The texts of a tree, by path.
local function texts(path, found)
  for name in lfs.dir(path) do
    local inner = path .. "/" .. name
    if not name:find("^%.") and lfs.attributes(inner, "mode") == "directory" then
      texts(inner, found)
    elseif not name:find("^%.") and is_read(name) and inner ~= SELF then
      found[inner] = read(inner)
    end
  end
  return found
end

local files = { ["README.md"] = read("README.md") }
for _, tree in ipairs { "lua", "csrc", "spec", "bench", "docs", "examples" } do
  texts(tree, files)
end

-- Citations in a text, as a list of { "platform", "8.2" }, and the text without them.
-- A comment may break them at a line's end.
local function citations(text)
  local found = {}
  local rest = text:gsub("\n[ \t]*[-/*]*[ \t]*", " "):gsub("%(([^()]*)%)", function(inside)
    local others = {}
    for part in (inside .. ";"):gmatch("%s*([^;]*);") do
      local page, place = part:match("^(%l+) (%d[%d.]*)$")
      if TARGETS[page] then
        found[#found + 1] = { page, place }
      else
        others[#others + 1] = part
      end
    end
    return "(" .. table.concat(others, ";") .. ")"
  end)
  return found, rest
end

-- Ways of citing that a reader could not follow.
local function unfollowable(text)
  local found = {}
  text = select(2, citations(text))
  for _, pattern in ipairs {
    "%f[%w][Ss]ections? %d[%d.]*", "%(N%d+%)", "%f[%w]contract %d[%d.]*", "%f[%w]pitfalls? %u?%d+",
    "%f[%w]platform %d[%d.]*",
  } do
    for what in text:gmatch(pattern) do
      found[#found + 1] = what
    end
  end
  for path in text:gmatch("%f[%w_./-][%w_./-]+%.md%f[^%w]") do
    if not lfs.attributes(path) then
      found[#found + 1] = path
    end
  end
  return found
end

local function is_guide(path)
  return path:find("%.md$") ~= nil
end

describe("a citation", function()
  it("leads to a section or a number that is there", function()
    local lost, count = {}, 0
    for path, text in pairs(files) do
      for _, each in ipairs(citations(text)) do
        count = count + 1
        if not TARGETS[each[1]][each[2]] then
          lost[#lost + 1] = ("%s: %s %s"):format(path, each[1], each[2])
        end
      end
    end
    for place in platform:gmatch("%((%d[%d.]*)%)") do   -- within the page
      lost[#lost + 1] = not TARGETS.platform[place] and "docs/platform.md: " .. place or nil
    end
    table.sort(lost)
    assert.same({}, lost)
    assert.is_true(count > 40)
  end)

  it("has one of the two forms, or names a file that is there", function()
    local lost = {}
    for path, text in pairs(files) do
      for _, what in ipairs(is_guide(path) and {} or unfollowable(text)) do
        lost[#lost + 1] = ("%s: %s"):format(path, what)
      end
    end
    table.sort(lost)
    assert.same({}, lost)
  end)

  it("of the README's headings names one that it has", function()
    local count = 0
    for path, text in pairs(files) do
      for heading in text:gsub("\n%s*%-%-+%s*", " "):gmatch('README%.md, "([^"]+)"') do
        assert.matches("\n## " .. heading .. "\n", files["README.md"], 1, true, path)
        count = count + 1
      end
    end
    assert.is_true(count > 0)
  end)

  it("does not stand in the API pages, whose readers look things up elsewhere", function()
    local folder = reader.directory()
    for _, page in ipairs(luals.pages) do
      luals.write(page, folder)
      assert.same({}, citations(read(folder .. "/" .. page.name .. ".lua")), page.name)
    end
    reader.remove(folder)
  end)

  it("is explained at the top of both pages", function()
    for _, text in ipairs { platform, pitfalls } do
      local top = text:match("^(.-)\n\n[^\n]*|") or text
      assert.matches("(platform 8.2)", top, 1, true)
      assert.matches("(pitfall 12)", top, 1, true)
    end
  end)
end)

describe("the pitfalls", function()
  local rows = 0
  for number, shown in pitfalls:gmatch("\n| (%d+) |[^\n]*| ([^|\n]*) |%f[\n]") do
    rows = rows + 1
    it("names what shows number " .. number .. ", or says that nothing does", function()
      local count = 0
      for path in shown:gmatch("`(spec/[^`]*)`") do
        assert.equal("file", lfs.attributes(path, "mode"), path)
        count = count + 1
      end
      assert.is_true(count > 0 or shown == "no spec", shown)
    end)
  end

  it("have a row for every number", function()
    local count = 0
    for _ in pairs(TARGETS.pitfall) do
      count = count + 1
    end
    assert.equal(count, rows)
  end)
end)

describe("the facts about the platform", function()
  it("carry their weight", function()
    -- A paragraph that begins with "- " is one fact or several that belong together.
    local count = 0
    for _, item in ipairs { platform:match("\n## 1 (.*)$") } do
      for fact in ("\n" .. item):gsub("\n  +", " "):gmatch("\n%- ([^\n]+)") do
        assert.is_truthy(fact:find("%[[TDC?]%]"), fact)
        count = count + 1
      end
    end
    assert.is_true(count > 30)
  end)
end)
