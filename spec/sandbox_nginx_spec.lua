local json = require "celements.json"
local nginx = require "spec.support.nginx.server"
local process = require "celements.process"
local sandbox = require "celements.sandbox"

describe("the sandbox behind nginx", function()
  local platform

  setup(function()
    platform = nginx.start()
  end)

  teardown(function()
    platform.remove()
  end)

  -- curl's own exit code, and what it printed.
  local function curl(arguments)
    -- a sanitizer that is preloaded into the test has no business in there
    local command = "env -u LD_PRELOAD timeout 20 curl -s --max-time 10 %s 2>&1; echo \" rc=$?\""
    local pipe = io.popen(command:format(arguments))
    local output = pipe:read("*a")
    pipe:close()
    local text, code = output:match("^(.*) rc=(%d+)\n$")
    return tonumber(code), text
  end

  local function trusting(path, more)
    return curl(("--cacert '%s' %s '%s%s'"):format(platform.ca_file, more or "", platform.url, path))
  end

  local account

  before_each(function()
    account = ("-H 'Authorization: User %s, Organization %s'"):format(platform.user_secret, platform.org_secret)
  end)

  for what, flags in pairs{
    ["HTTP/1.1 over TLS 1.2"] = "--http1.1 --tls-max 1.2", ["HTTP/1.1 over TLS 1.3"] = "--http1.1 --tlsv1.3",
    ["HTTP/2 over TLS 1.2"] = "--http2 --tls-max 1.2", ["HTTP/2 over TLS 1.3"] = "--http2 --tlsv1.3",
  } do
    it("speaks " .. what, function()
      local code, text = trusting("/elements/keys", flags .. " -w '%{http_version} %{http_code}'")
      assert.equal(0, code)
      assert.truthy(text:find('^%["hubspot",'))
      assert.truthy(text:find((flags:find("http2") and "2" or "1.1") .. " 200", 1, true))
    end)
  end

  it("has a certificate of its own CA, one for another host and one that signs itself", function()
    assert.equal(60, (curl(platform.url .. "/elements/keys")))
    local function at(url)
      return curl(("--cacert '%s' %s/elements/keys"):format(platform.ca_file, url))
    end
    assert.equal(0, (at(platform.url)))
    assert.equal(60, (at(platform.wrong_host_url)))
    assert.equal(60, (at(platform.self_signed_url)))
    assert.equal(0, (at(platform.plain_url)))
  end)

  for _, version in ipairs{ "--http1.1", "--http2" } do
    it("creates and lists instances, checks secrets and does wrong on request, by " .. version, function()
      local body = "-H 'Content-Type: application/json' -d '"
        .. [[{"element":{"key":"typeform"},"name":"T","configuration":{"api.key":"sandbox-typeform-key"}}']]
      local code, text = trusting("/instances", ("%s %s %s"):format(version, account, body))
      assert.equal(0, code)
      assert.truthy(text:find('"name":"T"', 1, true), text)
      assert.truthy(text:find('"externalAuthentication":"none"', 1, true), text)
      code, text = trusting("/instances?searchText=nosuch", ("%s %s -i"):format(version, account))
      assert.equal(0, code)
      assert.truthy(text:lower():find("elements-total-count: 0", 1, true))
      assert.truthy(text:find("[]", 1, true))
      local _, refused = trusting("/instances", version .. " -w '%{http_code}'")
      assert.truthy(refused:find("401$"))
      local http2 = version == "--http2"
      local function fault(spec)
        return trusting("/instances", ("%s %s -H 'Sandbox-Fault: %s' -w '%%{http_code} %%{time_total}'")
          :format(version, account, spec))
      end
      assert.equal(http2 and 92 or 52, (fault("hangup=after")))
      assert.equal(http2 and 92 or 18, (fault("cut")))
      code, text = fault("delay=0.1,status=503")
      assert.equal(0, code)
      local status, seconds = text:match("(%d+) ([%d.]+)$")
      assert.equal("503", status)
      assert.is_true(tonumber(seconds) >= 0.1)
      code, text = fault("late=0.1")
      assert.equal(0, code)
      status, seconds = text:match("(%d+) ([%d.]+)$")
      assert.same({ "200", true }, { status, tonumber(seconds) >= 0.1 })
    end)
  end

  it("keeps a body that is larger than its buffers whole", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write('{"element":{"key":"typeform"},"name":"', ("x"):rep(1200000),
      '","configuration":{"api.key":"sandbox-typeform-key"}}')
    file:close()
    local code, text = trusting("/instances",
      ("%s -H 'Content-Type: application/json' --data-binary @%s"):format(account, name))
    os.remove(name)
    assert.equal(0, code)
    assert.truthy(text:find(("x"):rep(1000), 1, true))
  end)

  it("has the provider and the control paths on plain HTTP, one model behind all", function()
    local _, text = trusting("/elements/hubspotcrm/oauth/url?apiKey=k&apiSecret=s&callbackUrl=http%3A%2F%2Fx.example")
    local url = json.decode(text).oauthUrl
    assert.equal(platform.provider_url, url:sub(1, #platform.provider_url))
    assert.truthy(assert(sandbox.consent(url)):find("^http://x%.example%?code="))
    _, text = curl(platform.control_url .. "/requests")
    local received = json.decode(text).requests
    assert.equal("/provider/hubspotcrm/authorize", received[#received].path)
  end)

  it("writes no secret of a body or header and no Lua error into its logs", function()
    local file = assert(io.open(platform.error_log))
    local log = file:read("*a")
    file:close()
    assert.is_nil(log:find("lua", 1, true), log)
    assert.is_nil(log:find(platform.user_secret, 1, true))
  end)

  it("stops, once and twice, and leaves its logs until they are removed", function()
    local other = nginx.start{ http2 = false, user_secret = "u" }
    assert.equal("u", other.user_secret)
    local code, text = curl(("--http2 --cacert '%s' -w '%%{http_version}' %s/elements/keys")
      :format(other.ca_file, other.url))
    assert.equal(0, code)
    assert.truthy(text:find("1.1$"))
    assert.is_true(nginx.is_running(other.pid))
    other.stop()
    other.stop()
    assert.is_false(nginx.is_running(other.pid))
    assert.equal(7, (curl(other.plain_url .. "/elements/keys")))
    assert(io.open(other.error_log)):close()
    other.remove()
    assert.is_nil((io.open(other.error_log)))
  end)

  it("does not outlive the process that started it", function()
    local name = os.tmpname()
    local pid = assert(process.fork())
    if pid == 0 then
      pcall(function()
        local theirs = nginx.start()
        local file = assert(io.open(name, "w"))
        file:write(("%d %s\n"):format(theirs.pid, theirs.dir))
        file:close()
      end)
      process.exit(0)
    end
    assert.is_true(process.wait(pid, 20))
    local file = assert(io.open(name))
    local theirs, dir = file:read("*l"):match("(%d+) (.*)")
    theirs = tonumber(theirs)
    file:close()
    os.remove(name)
    local waited = 0
    while nginx.is_running(theirs) and waited < 20 do
      process.sleep(0.05)
      waited = waited + 0.05
    end
    assert.is_false(nginx.is_running(theirs))
    os.execute("rm -rf " .. dir)
  end)
end)
