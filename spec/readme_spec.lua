--- What the README says: its code runs, its tables are complete, its links lead somewhere.

local celements = require "celements"
local reader = require "spec.support.reader"

local output_of, quote, read, write = reader.output_of, reader.quote, reader.read, reader.write

local readme = read("README.md")

-- The code blocks of a language, in order.
local function blocks(language)
  local found = {}
  for text in readme:gmatch("\n```" .. language .. "\n(.-\n)```\n") do
    found[#found + 1] = text
  end
  return found
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

describe("the README's code", function()
  local sandbox, directory

  setup(function()
    sandbox = assert(celements.sandbox.start())
    directory = reader.directory()
  end)

  teardown(function()
    sandbox.stop()
    reader.remove(directory)
  end)

  local function run_block(n)
    write(directory .. "/block.lua", blocks("lua")[n])
    return output_of("cd " .. quote(directory) .. " && " .. reader.command("block.lua", sandbox) .. " </dev/null")
  end

  it("gets a token and a contact in the first example", function()
    local output, status = run_block(1)
    assert.equal(0, status, output)
    assert.matches("^12345%s+%S+\ncontact1@instance12345%.example%.com\n$", output)
  end)

  it("shows an error in one line", function()
    local output, status = run_block(2)
    assert.equal(0, status, output)
    assert.matches("^%l+: [^\n]*invalid_credentials[^\n]*%(request %x+%)[^\n]*\n$", output)
  end)

  it("says of a broken file what the README says", function()
    write(directory .. "/instance.json", blocks("json")[1])
    assert.equal(blocks("text")[1], (run_block(3)))
  end)

  it("loses an answer, and knows it", function()
    local output, status = run_block(4)
    assert.equal(0, status, output)
  end)

  it("is all looked at here", function()
    local lengths = {}
    for _, language in ipairs { "lua", "json", "text", "nginx" } do
      lengths[language] = #blocks(language)
    end
    assert.same({ lua = 4, json = 1, text = 1, nginx = 1 }, lengths)
  end)
end)

describe("the README's nginx.conf", function()
  local NGINX = "PATH=$PATH:/usr/sbin env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH timeout 20 nginx "
  local directory

  setup(function()
    local here = output_of("pwd"):gsub("\n$", "")
    directory = reader.directory()
    local modules = output_of(NGINX .. "-V 2>&1"):match("%-%-modules%-path=(%S+)")
    local own = {
      ("load_module %s/ndk_http_module.so;"):format(modules),
      ("load_module %s/ngx_http_lua_module.so;"):format(modules),
      output_of("id -u") == "0\n" and "user root;" or "",
      "pid nginx.pid;",
      "events {}",
    }
    local text = blocks("nginx")[1]
      :gsub("/usr/local/share/lua/5.1/", here .. "/lua/")
      :gsub("/usr/local/lib/lua/5.1/", here .. "/build/luajit/")
      :gsub("http {", "http { access_log access.log; client_body_temp_path t1; proxy_temp_path t2;"
        .. " fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;", 1)
      :gsub("server {", "server { listen unix:" .. directory .. "/socket;", 1)
    write(directory .. "/nginx.conf", table.concat(own, "\n") .. "\n" .. text)
    -- It goes into the background when it listens.
    local output, status = output_of(NGINX .. "-p " .. quote(directory .. "/") .. " -c nginx.conf -e error.log 2>&1")
    assert(status == 0, output)
  end)

  teardown(function()
    local pid = read(directory .. "/nginx.pid"):match("%d+")
    os.execute(("kill -QUIT %s; while kill -0 %s 2>/dev/null; do sleep 0.02; done"):format(pid, pid))
    reader.remove(directory)
  end)

  local function get(target)
    local socket, url = quote(directory .. "/socket"), quote("http://localhost" .. target)
    return output_of("env -u LD_PRELOAD curl -si --max-time 20 --unix-socket " .. socket .. " " .. url)
  end

  it("takes a callback, and logs no code", function()
    local answer = get("/callback?code=canary-code%2F1&state=s")
    assert.matches("302 ", answer, 1, true)
    assert.matches("Location: /connected\r\n", answer, 1, true)
    assert.equal("", read(directory .. "/access.log"))
    assert.is_nil(read(directory .. "/error.log"):find("canary", 1, true))
  end)

  it("logs why there is no grant, and still no code", function()
    local answer = get("/callback?error=access_denied&code=canary-code")
    assert.matches("Location: /not-connected\r\n", answer, 1, true)
    local log
    for _ = 1, 100 do   -- the line is written by a timer
      log = read(directory .. "/error.log")
      if log:find("access_denied", 1, true) then
        break
      end
      os.execute("sleep 0.02")
    end
    assert.matches("oauth: the provider answers: access_denied", log, 1, true)
    assert.is_nil(log:find("canary", 1, true))
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

  it("links to files that are there", function()
    local count = 0
    for target in readme:gmatch("%]%(([^)]+)%)") do
      local _, status = output_of("test -e " .. quote(target))
      assert.equal(0, status, target)
      count = count + 1
    end
    assert.is_true(count >= 9)
  end)
end)
