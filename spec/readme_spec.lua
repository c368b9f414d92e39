--- What the README and the guides in docs/ say: their code runs, their tables are
-- complete, their links lead somewhere.

local celements = require "celements"
local luals = dofile("docs/luals.lua")
local reader = require "spec.support.reader"

local output_of, quote, read, write = reader.output_of, reader.quote, reader.read, reader.write

local readme = read("README.md")

local GUIDES = { "connecting", "endpoints", "json", "nginx", "pitfalls", "platform", "stores" }
local guides = {}
for _, name in ipairs(GUIDES) do
  guides[name] = read("docs/" .. name .. ".md")
end

-- The code blocks of a language, in order; of any when none is named.
local function blocks(language, text)
  local found = {}
  for of, block in (text or readme):gmatch("\n```(%l+)\n(.-)\n```\n") do
    if of == language then
      found[#found + 1] = block
    end
  end
  return found
end

-- The first Lua code under a heading of the README.
local function under(heading)
  local _, place = readme:find("\n## " .. heading .. "\n", 1, true)
  local rest = readme:sub((assert(place, heading)))
  return assert(blocks("lua", rest:match("^(.-\n)## ") or rest)[1], heading)
end

-- The names in the first column of the table whose head begins so.
local function first_column(head)
  local names = {}
  local rows = readme:match("\n| " .. head .. " |[^\n]*\n|[-|]+\n(.-)\n\n")
  for name in ("\n" .. assert(rows, head)):gmatch("\n| `([^`]+)` |") do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local FIRST = under "First steps"

describe("the code of the README", function()
  local sandbox, directory

  setup(function()
    sandbox = assert(celements.sandbox.start {
      oauth_proxies = { ["our-proxy"] = { api_key = "canary-key", api_secret = "canary-secret" } },
    })
    directory = reader.directory()
  end)

  teardown(function()
    sandbox.stop()
    reader.remove(directory)
  end)

  local function run(code)
    write(directory .. "/block.lua", code)
    return output_of("cd " .. quote(directory) .. " && " .. reader.command("block.lua", sandbox) .. " </dev/null")
  end

  -- What code of the README prints behind what first.lua prints.
  local function behind_first(heading)
    local output, status = run(FIRST .. "\n" .. under(heading))
    assert.equal(0, status, output)
    return (assert(output:match("^12345%s+%S+\ncontact1@[^\n]+\n(.*)$"), output))
  end

  it("gets a token and a contact in the first example", function()
    local output, status = run(FIRST)
    assert.equal(0, status, output)
    assert.matches("^12345%s+%S+\ncontact1@instance12345%.example%.com\n$", output)
  end)

  it("asks what an element wants, and is told what is not there", function()
    local output = behind_first "What an element wants"
    assert.matches("password\tPassword\tdo not show what is typed\n", output, 1, true)
    assert.matches("\n<INSERT_SUBDOMAIN>\nconfig: still the template's text: ", output, 1, true)
    assert.matches("\npassword, subdomain, username\n", output, 1, true)
  end)

  it("changes an instance and finds it by its tag", function()
    assert.equal("12345\tSales\ttrue\tfalse\n", behind_first "The life of an instance")
  end)

  it("connects an instance again, which stays what it is", function()
    assert.equal("true\ttrue\n", behind_first "Connecting again")
  end)

  it("makes one instance of two calls", function()
    assert.equal("true\ttrue\n", behind_first "Exactly one instance")
  end)

  it("pages through contacts that a condition finds", function()
    local output = behind_first "Calling an instance"
    local count = 0
    for _ in output:gmatch("contact%d+@instance12345%.example%.com\n") do
      count = count + 1
    end
    assert.is_true(count > 0)
    assert.matches(("\n%d\t\n$"):format(count), output)
  end)

  it("makes many instances and asks each whether it answers", function()
    local output = behind_first "Many at once"
    assert.matches("\r20 of 20, 0 failed\nForms 1 is instance %d+\n", output)
    assert.equal(21, select(2, output:gsub("\n%d+\tanswers", "")))
    assert.matches("\n0\tfailures\n$", output)
  end)

  it("waits in an event loop for several at once", function()
    local output = behind_first "In an event loop"
    local names = {}
    for line in output:gmatch("[^\n]+") do
      names[#names + 1] = line
    end
    table.sort(names)
    assert.same({ "Freshservice", "HubSpot", "Typeform" }, names)
  end)

  it("tells what happened, and no secret", function()
    local output = behind_first "Finding out what happened"
    assert.matches("/elements/api-v2/contacts\tSUCCESS\nSandbox\ncurl -X GET", output, 1, true)
    assert.matches("'Authorization: User [redacted], Element [redacted]'", output, 1, true)
    assert.matches("\n6\t6\t0\n$", output)
  end)

  it("can all be put behind the first example at once", function()
    local code = {}
    for _, block in ipairs(blocks "lua") do
      if block == FIRST or not block:find('require "celements"', 1, true) then
        code[#code + 1] = block
      end
    end
    assert.equal(9, #code)
    local output, status = run(table.concat(code, "\n"))
    assert.equal(0, status, output)
  end)

  it("shows an error in one line", function()
    local output, status = run(under "Errors")
    assert.equal(0, status, output)
    assert.matches("^%l+: [^\n]*invalid_credentials[^\n]*%(request %x+%)[^\n]*\n$", output)
  end)

  it("loses an answer, and knows it", function()
    local output, status = run(under "Testing your own program")
    assert.equal(0, status, output)
  end)

  it("is all looked at here", function()
    local lengths = {}
    for _, language in ipairs { "lua", "json", "text", "nginx" } do
      lengths[language] = #blocks(language)
    end
    assert.same({ lua = 11, json = 0, text = 0, nginx = 0 }, lengths)
  end)

  describe("and of docs/json.md", function()
    it("says of a broken file what the guide says", function()
      write(directory .. "/instance.json", blocks("json", guides.json)[1])
      assert.equal(blocks("text", guides.json)[1] .. "\n", (run(blocks("lua", guides.json)[1])))
    end)
  end)

  describe("and of docs/connecting.md", function()
    local EXPECTED = {
      { "brings the tokens of OAuth 2.0 along", "^%d+\tinitial\n$" },
      { "brings the tokens of OAuth 1.0 along", "^%d+\tinitial\n$" },
      { "goes through a proxy that holds the keys", "^%d+\tCRM\n$" },
      { "makes a proxy and deletes it", "^%d+\tour%-proxy\n%d+\tanother%-proxy\n$" },
    }
    local code = blocks("lua", guides.connecting)

    local start = table.remove(code, 1)

    for n, expected in ipairs(EXPECTED) do
      it(expected[1], function()
        for _, text in ipairs { code[n], start .. "\n" .. code[n]:gsub("celements%.new%(%)", "celements.new(options)", 1) } do
          local output, status = run(text)
          assert.equal(0, status, output)
          assert.matches(expected[2], output)
        end
      end)
    end

    it("is all looked at here", function()
      assert.equal(#EXPECTED, #code)
    end)
  end)
end)

describe("the README", function()
  it("names exactly the kinds that errors have", function()
    local documented = {}
    for kind in read("lua/celements/error.lua"):match("@field kind string ([^\n]+)"):gmatch('"([%l_]+)"') do
      documented[#documented + 1] = kind
    end
    table.sort(documented)
    assert.same(documented, first_column("`err.kind`"))
  end)

  it("names exactly the options that there are", function()
    local fields = {}
    local class = read("lua/celements/types.lua"):match("@class celements%.Options\n(.-)\n\n")
    for name in class:gmatch("@field ([%l_]+)%?") do
      fields[#fields + 1] = name
      local _, message = pcall(celements.new, { [name] = coroutine.create(function() end) })
      assert.matches(name .. " has to be a ", message, 1, true)   -- known, and never a thread
    end
    table.sort(fields)
    assert.same(fields, first_column("option"))
  end)

  it("names make targets that there are", function()
    local code = blocks("sh")
    for text in readme:gsub("\n```.-\n```\n", "\n"):gmatch("`([^`\n]+)`") do
      code[#code + 1] = text
    end
    local makefile, count = "\n" .. read("Makefile"), 0
    for target in ("\n" .. table.concat(code, "\n")):gmatch("[\n ]make (%l+)") do
      assert.matches("\n" .. target .. ":", makefile, 1, true)
      count = count + 1
    end
    assert.is_true(count >= 6)
  end)

  it("links to files that are there, and so do the guides", function()
    local count = 0
    local function follow(text, directory)
      for target in text:gmatch("%]%(([^)]+)%)") do
        local _, status = output_of("test -e " .. quote(directory .. target))
        assert.equal(0, status, target)
        count = count + 1
      end
    end
    follow(readme, "")
    for _, text in pairs(guides) do
      follow(text, "docs/")
    end
    assert.is_true(count >= 15)
  end)

  it("leads to every guide", function()
    local found = {}
    for name in output_of("ls docs"):gmatch("(%w+)%.md\n") do
      found[#found + 1] = name
      assert.matches("](docs/" .. name .. ".md)", readme, 1, true)
    end
    assert.same(GUIDES, found)
  end)
end)

describe("the table of endpoints", function()
  local client = celements.new { base_url = "http://127.0.0.1:1", user_secret = "u", org_secret = "o" }
  local OBJECTS = { client = client, instance = client:instance("token") }
  local OF_PAGE = { ["celements.Client"] = "client", ["celements.InstanceClient"] = "instance" }

  -- Paths without queries and without the names that their variables have.
  local function plain(path)
    return (path:gsub("%?.*", ""):gsub("{[^}]*}", "{}"):gsub("[.,;:]+$", ""))
  end

  -- Each "client:name" that is called in the tables, with the endpoints beside it.
  local rows, calls, endpoints = 0, {}, {}
  for left, right in guides.endpoints:gmatch("\n| ([^|]+) | ([^|\n]+) |%f[\n]") do
    local verbs, paths = {}, {}
    for code in left:gmatch("`([^`]+)`") do
      verbs[#verbs + 1] = code:match("^%u+")
      paths[#paths + 1] = code:match("/%S*")
    end
    rows = rows + (paths[1] and 1 or 0)
    for object, name in right:gmatch("`(%l+):([%l_]+)`") do
      local call = object .. ":" .. name
      calls[call] = { object = object, name = name }
      endpoints[call] = endpoints[call] or {}
      for _, verb in ipairs(verbs) do
        for _, path in ipairs(paths) do
          endpoints[call][verb .. " " .. plain(path)] = true
        end
      end
    end
  end

  it("names functions that there are", function()
    for call, of in pairs(calls) do
      assert.equal("function", type(OBJECTS[of.object][of.name]), call)
    end
    assert.is_true(rows > 80)
  end)

  it("says for every endpoint what calls it, or that nothing does", function()
    for line in guides.endpoints:gmatch("\n| (`[^\n]+)") do
      local right = line:match("| ([^|]+) |$") or line
      assert.is_truthy(right:find("`%l+:[%l_]+`") or right:find("^none: "), line)
    end
  end)

  for _, page in ipairs(luals.pages) do
    local object = OF_PAGE[page.name]
    if object then
      it("has every method of " .. page.name .. ", beside the endpoint that its description names", function()
        for name, block in pairs(luals.functions(page)) do
          local call = object .. ":" .. name
          assert.is_truthy(guides.endpoints:find("`" .. call .. "`", 1, true), call .. " is not there")
          for verb, path in table.concat(block.text, " "):gmatch("%f[%u](%u+) (/%S+)") do
            local endpoint = verb .. " " .. plain(path)
            assert.is_true((endpoints[call] or {})[endpoint], call .. " is not beside " .. endpoint)
          end
        end
      end)
    end
  end
end)

describe("the guide to stores", function()
  local directory

  setup(function()
    directory = reader.directory()
  end)

  teardown(function()
    reader.remove(directory)
  end)

  local code, printed = blocks("lua", guides.stores), blocks("text", guides.stores)

  for i, block in ipairs(code) do
    it("has code that prints what it says: " .. i, function()
      write(directory .. "/block.lua", block)
      local more = { TOKEN_KEY = ("key"):rep(15) }
      local output, status = output_of("cd " .. quote(directory) .. " && " .. reader.command("block.lua", nil, more) .. " </dev/null")
      assert.equal(0, status, output)
      assert.equal(printed[i] .. "\n", output)
    end)
  end

  it("says what each example prints", function()
    assert.equal(3, #code)
    assert.equal(#code, #printed)
  end)
end)
