-- TLS against a real server: who is trusted, who is not, and what the error says.

local celements = require "celements"
local core = require "celements.core"
local nginx = require "spec.support.nginx.server"
local process = require "celements.process"
local script = require "spec.support.script"

local quote = script.quote

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

local function succeeds(command)
  local status = os.execute(command .. " >/dev/null 2>&1")
  return status == true or status == 0
end

local platform

setup(function()
  platform = nginx.start()
end)

teardown(function()
  platform.remove()
  require("celements.wait").engine():close()
end)

local function client(options)
  options.base_url = options.base_url or platform.url
  options.user_secret, options.org_secret = platform.user_secret, platform.org_secret
  return celements.new(options)
end

describe("with ca_file", function()
  it("a server of that authority is trusted, and its connection kept", function()
    local c = client { ca_file = platform.ca_file }
    local _, first = assert(c:request("GET", "/elements/keys"))
    local _, second = assert(c:request("GET", "/elements/keys"))
    assert.is_false(first.reused)
    assert.is_true(second.reused)
  end)

  for what, name in pairs { ["that signs its own certificate"] = "self_signed_url", ["with another host's certificate"] = "wrong_host_url" } do
    for _, version in ipairs { "1.1", "2" } do
      it(("a server %s is refused before anything is sent (HTTP/%s)"):format(what, version), function()
        local c = client { ca_file = platform.ca_file, base_url = platform[name], http_version = version }
        local result, err = c:request("POST", "/instances", { json = {} })
        assert.is_nil(result)
        assert.equal("tls", err.kind)
        assert.equal("tls", err.phase)
        assert.equal("not_sent", err.outcome)
        assert.equal(1, err.attempts)
        local advice = name == "wrong_host_url" and { "for another host", platform[name] } or { platform.ca_file, "ca_file" }
        for _, words in ipairs(advice) do
          assert.truthy(err.hint:find(words, 1, true), err.hint)
        end
      end)
    end
  end

  it("that does not exist, the error names it", function()
    local path = platform.dir .. "/no-such.pem"
    local _, err = client { ca_file = path }:request("POST", "/instances", { json = {} })
    assert.equal("tls", err.kind)
    assert.equal("not_sent", err.outcome)
    assert.truthy(tostring(err):find(path, 1, true))
    assert.truthy(err.hint:find("ca_file", 1, true))
  end)

  it("that holds no certificate, or not that authority's, nobody is trusted", function()
    write(platform.dir .. "/empty.pem", "nothing\n")
    for _, path in ipairs { platform.dir .. "/empty.pem", platform.dir .. "/elsewhere.pem", platform.dir } do
      local _, err = client { ca_file = path }:request("GET", "/elements/keys")
      assert.equal("tls", err.kind, path)
      assert.equal("not_sent", err.outcome)
    end
  end)

  it("two clients with different ones do not share a connection", function()
    assert(client { ca_file = platform.ca_file }:request("GET", "/elements/keys"))
    local _, err = client { ca_file = platform.dir .. "/elsewhere.pem" }:request("GET", "/elements/keys")
    assert.equal("tls", err and err.kind)
  end)

  it("a failed handshake does not spoil the next call", function()
    local good, bad = client { ca_file = platform.ca_file }, client { ca_file = platform.ca_file, base_url = platform.self_signed_url }
    for _ = 1, 3 do
      assert.is_nil((bad:request("GET", "/elements/keys")))
      assert(good:request("GET", "/elements/keys"))
    end
  end)
end)

describe("the protocol", function()
  local last = 0

  -- A request, and the protocol that the server writes down for it, a moment later.
  local function ask(c)
    last = last + 1
    local target = "number=" .. last
    local keys, info = c:request("GET", "/elements/keys", { query = { number = last } })
    assert.truthy(keys, tostring(info))
    for _ = 1, 100 do
      for line in io.lines(platform.access_log) do
        if line:find(target .. " ", 1, true) then
          return line:match '"GET [^"]* (HTTP/[%d.]+)"', info
        end
      end
      process.sleep(0.01)
    end
  end

  it("is HTTP/1.1 unless asked otherwise", function()
    assert.equal("HTTP/1.1", (ask(client { ca_file = platform.ca_file })))
  end)

  it("is HTTP/2 when asked for, one connection for all calls", function()
    require("celements.wait").engine():close()   -- an HTTP/1.1 connection to the same server would do as well
    local c = client { ca_file = platform.ca_file, http_version = "2" }
    assert.equal("HTTP/2.0", (ask(c)))
    local version, info = ask(c)
    assert.equal("HTTP/2.0", version)
    assert.is_true(info.reused)
    assert.equal("application/json", (info.headers["content-type"]:match "^[^;]+"))
    assert.equal("HTTP/1.1", (ask(client { ca_file = platform.ca_file })))   -- but not the other way round
  end)

  it("lets HTTP/2 calls that start together leave in a few packets", function()
    -- Packets with data that this process has sent to the server.
    local function packets()
      local pipe = assert(io.popen(("ss -tinH dport = :%s 2>/dev/null"):format(platform.url:match ":(%d+)")))
      local said = pipe:read "*a"
      pipe:close()
      return tonumber(said:match "data_segs_out:(%d+)")
    end

    require("celements.wait").engine():close()
    local c = client { ca_file = platform.ca_file, http_version = "2" }
    assert.equal("HTTP/2.0", (ask(c)))
    local before = packets()
    if not before then
      pending "ss is not there, or does not count packets"
      return
    end
    local ids = {}
    for i = 1, 32 do
      ids[i] = i
    end
    local _, summary = c:map(ids, function(i)
      return c:request("GET", "/elements/keys", { query = { item = i } })
    end, { concurrency = 32 })
    assert.equal(0, summary.failed)
    assert.is_true(packets() - before < 16, packets() - before)

    -- Without a call that was alone on the connection, too; the first ones leave as it is made.
    require("celements.wait").engine():close()
    ids = {}
    for i = 1, 160 do
      ids[i] = i
    end
    _, summary = c:map(ids, function(i)
      return c:request("GET", "/elements/keys", { query = { item = i }, headers = { ["Sandbox-Fault"] = "delay=0.1" } })
    end, { concurrency = 32 })
    assert.equal(0, summary.failed)
    local sent = packets()
    assert.is_true(sent < 120, sent)
  end)

  it("is HTTP/1.1 on a plain connection, asked for or not", function()
    assert.equal("HTTP/1.1", (ask(client { base_url = platform.plain_url, http_version = "2" })))
  end)
end)

if rawget(_G, "jit") then
  describe("OpenSSL's queue of errors", function()
    it("is empty after a failed handshake: others in the process use it too", function()
      local ffi = require "ffi"
      local libcrypto
      for line in io.lines "/proc/self/maps" do
        libcrypto = libcrypto or line:match "(/%S*/libcrypto%.so%S*)"
      end
      if not libcrypto then
        pending "this libcurl does not use OpenSSL"
        return
      end
      ffi.cdef "unsigned long ERR_peek_error(void);"
      local C = ffi.load(libcrypto)
      assert.is_nil((client { ca_file = platform.ca_file, base_url = platform.self_signed_url }:request("GET", "/x")))
      assert.equal(0, tonumber(C.ERR_peek_error()))
    end)
  end)
end

describe("without ca_file", function()
  -- trust: both authorities in a bundle and in a hashed directory.
  local dir

  setup(function()
    dir = platform.dir .. "/trust"
    assert(succeeds(("mkdir %s && cp %s/ca.pem %s/ca.pem && cp %s/elsewhere.pem %s/elsewhere.pem && openssl rehash %s")
      :format(dir, platform.dir, dir, platform.dir, dir, dir)))
    write(platform.dir .. "/bundle.pem", script.read(platform.dir .. "/ca.pem") .. script.read(platform.dir .. "/elsewhere.pem"))
  end)

  -- What the servers get when the environment names a store: kind or "fine", by server.
  local function outcomes(environment, more)
    local set = {}
    for name, value in pairs(environment) do
      set[#set + 1] = name .. "=" .. quote(value)
    end
    local job = script.start(([[
      local celements = require "celements"
      for _, url in ipairs { %q, %q, %q } do
        local answer, err = celements.new { base_url = url, retries = 0 }:request("GET", "/elements/keys")
        io.write(answer and "fine" or err.kind, " ")
        if err.hint then io.write("<", err.hint, "> ") end
      end
      %s
    ]]):format(platform.url, platform.self_signed_url, platform.wrong_host_url, more or ""),
      { prefix = "env -u SSL_CERT_FILE -u SSL_CERT_DIR " .. table.concat(set, " ") })
    local out, err, status = job:finish(20)
    assert.equal(0, status, out .. err)
    return (out:gsub("<[^>]*> ", "")), out
  end

  it("SSL_CERT_FILE is the store, and the same servers are trusted as by SSL_CERT_DIR", function()
    local by_file = outcomes { SSL_CERT_FILE = platform.dir .. "/bundle.pem" }
    local by_directory = outcomes { SSL_CERT_DIR = dir }
    assert.equal("fine tls tls ", by_file)
    assert.equal(by_file, by_directory)
  end)

  it("SSL_CERT_FILE wins over SSL_CERT_DIR", function()
    assert.equal("tls tls tls ", (outcomes { SSL_CERT_FILE = platform.dir .. "/elsewhere.pem", SSL_CERT_DIR = dir }))
  end)

  it("the error names the store that was looked at, and how to set another", function()
    local path = platform.dir .. "/missing.pem"
    local short, out = outcomes { SSL_CERT_FILE = path }
    assert.equal("tls tls tls ", short)
    assert.truthy(out:find(path, 1, true))
    assert.truthy(out:find("SSL_CERT_FILE", 1, true))
    assert.truthy(out:find("set ca_file", 1, true))
  end)

  it("the system's store does not trust our own authority", function()
    local short, out = outcomes {}
    assert.equal("tls tls tls ", short)
    assert.truthy(out:find("trust was looked for in /", 1, true) or out:find("no trust store", 1, true), out)
  end)

  -- The base64 text of every certificate in a PEM file.
  local function certificates(path, into)
    for text in script.read(path):gmatch "%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-(.-)%-%-%-%-%-END CERTIFICATE%-%-%-%-%-" do
      into[text:gsub("%s", "")] = true
    end
    return into
  end

  it("the system's hashed directory is used when it holds exactly the bundle's certificates", function()
    local bundle, directory = "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs"
    local file = io.open(bundle)
    if not file then
      pending "there is no Debian trust store here"
      return
    end
    file:close()
    local one, other = certificates(bundle, {}), {}
    local pipe = io.popen("ls " .. directory)
    for name in pipe:lines() do
      if name:find "^%x%x%x%x%x%x%x%x%.%d+$" then
        certificates(directory .. "/" .. name, other)
      end
    end
    pipe:close()
    local same = next(one) ~= nil
    for text in pairs(one) do
      same = same and other[text] or false
    end
    for text in pairs(other) do
      same = same and one[text] or false
    end
    local _, out = outcomes({}, [[print(require("celements.wait").engine():trust().kind, require("celements.wait").engine():trust().path)]])
    local kind, path = out:match "(%S+)\t(%S+)\n$"
    assert.equal(same and "directory" or "file", kind, out)
    assert.equal(same and directory or bundle, path)
  end)

  it("a bundle is read once, and a directory one file a handshake, however many connections are made", function()
    local trace = platform.dir .. "/trace"
    if not succeeds(("env ASAN_OPTIONS=detect_leaks=0 strace -o %s true"):format(trace)) then
      pending "strace is not there, or not allowed"
      return
    end
    write(platform.dir .. "/large.pem", script.read "/etc/ssl/certs/ca-certificates.crt" .. script.read(platform.dir .. "/ca.pem"))
    local function opened(environment, pattern)
      local job = script.start(([[
        local c = require "celements".new { base_url = %q, headers = { Connection = "close" } }
        for _ = 1, 5 do
          local _, info = assert(c:request("GET", "/elements/keys"))
          assert(not info.reused)
        end
      ]]):format(platform.url), {
        prefix = ("env -u SSL_CERT_FILE -u SSL_CERT_DIR ASAN_OPTIONS=detect_leaks=0 %s strace -f -e trace=open,openat -o %s"):format(environment, trace),
      })
      local out, err, status = job:finish(30)
      assert.equal(0, status, out .. err)
      local n = 0
      for line in io.lines(trace) do
        if line:find(pattern) and not line:find "ENOENT" then
          n = n + 1
        end
      end
      return n
    end
    assert.equal(1, opened("SSL_CERT_FILE=" .. platform.dir .. "/large.pem", "/large%.pem"))
    local n = opened("SSL_CERT_DIR=" .. dir, "/trust/%x+%.%d")
    assert.is_true(n >= 1 and n <= 5, tostring(n))
    assert.equal(0, opened("SSL_CERT_DIR=" .. dir, "bundle%.pem"))
  end)
end)

describe("core.engine.library", function()
  it("says what libcurl this is, as the curl command does", function()
    local library = core.engine.library()
    local pipe = io.popen "env -u LD_PRELOAD curl --version 2>/dev/null"
    local line = pipe:read "*l"
    pipe:close()
    if not line then
      pending "there is no curl command"
      return
    end
    assert.equal(line:match "libcurl/(%S+)", library.version)
    assert.truthy(line:find(library.tls, 1, true))
  end)
end)
