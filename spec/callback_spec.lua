local celements = require "celements"
local parse = celements.parse_callback
local raises = require "spec.support.raises"

describe("a callback", function()
  it("is read from whatever a person or a server has of it", function()
    local expected = { code = "c0de", state = "s" }
    for _, given in ipairs {
      "https://app.example.com/cb?code=c0de&state=s",
      "http://127.0.0.1:8080/?code=c0de&state=s",
      "/cb?code=c0de&state=s",
      "?code=c0de&state=s",
      "code=c0de&state=s",
      "  https://app.example.com/cb?code=c0de&state=s\n",
      "https://app.example.com/cb?code=c0de&state=s#top",
      "https://app.example.com/cb?code=c0de&state=s#_=_", -- Facebook puts it there
      "https://app.example.com/cb?code=c0de#state=s",
      "https://app.example.com/cb#code=c0de&state=s",
      "com.example.app://cb?code=c0de&state=s",
      "code=c0de&&state=s&",
      { code = "c0de", state = "s" },
    } do
      local granted, err = parse(given)
      assert.is_nil(err)
      assert.same(expected, granted)
    end
  end)

  it("brings every parameter as text, decoded, under its own name", function()
    assert.same({ code = "4/a+b c=d&é", realmId = "123", ["a b"] = "x=y", empty = "" },
      parse("https://app.example.com/cb?code=4%2Fa%2Bb+c%3Dd%26%c3%A9&realmId=123&a+b=x=y&empty="))
    assert.same({ code = "100%", state = "%zz" }, parse("code=100%&state=%zz"))
    assert.same({ access_token = "a", refresh_token = "r", expires_in = "28800" },
      parse("http://demonstrab.ly?access_token=a&refresh_token=r&expires_in=28800"))
    assert.same({ access_token = "a", expires_in = "28800" }, parse { access_token = "a", expires_in = 28800 })
    -- A table of arguments is decoded already.
    assert.same({ code = "a+b%20" }, parse { code = "a+b%20" })
  end)

  it("may hold a question mark in a value, and stand behind the route of a page", function()
    assert.same({ code = "a?b", state = "s" }, parse("code=a?b&state=s"))
    assert.same({ code = "a", next = "http://y?z=1" }, parse("code=a&next=http://y?z=1"))
    assert.same({ code = "a?b" }, parse("https://app.example.com/cb?code=a?b"))
    assert.same({ code = "a", state = "s" }, parse("https://app.example.com/#/connected?code=a&state=s"))
  end)

  it("may stand behind a path with an equals sign", function()
    for _, given in ipairs {
      "https://app.example.com/cb;jsessionid=AB12?code=a&state=s", "/app=1/cb?code=a&state=s", "com.example.app:/cb;v=2?code=a&state=s",
      "https://app.example.com/cb#/route/x=y?code=a&state=s",
    } do
      assert.same({ code = "a", state = "s" }, parse(given))
    end
  end)

  it("brings numbers of a table as text, whole ones as such", function()
    assert.same({ code = "a", expires_in = "28800" }, parse { code = "a", expires_in = 28800.0 })
  end)

  it("is good with a code, a token or a verifier", function()
    for _, name in ipairs { "code", "access_token", "oauth_verifier", "token", "authorization_code" } do
      assert.equal("x", parse(name .. "=x")[name])
    end
  end)

  it("gives an authorization_code as code as well, and leaves a code that is there alone", function()
    assert.same({ authorization_code = "a", code = "a" }, parse "authorization_code=a")
    assert.same({ authorization_code = "a", code = "c" }, parse "authorization_code=a&code=c")
  end)

  local function refused(reason, given, expected)
    local granted, err = parse(given, expected)
    assert.is_nil(granted)
    assert.equal("oauth", err.kind)
    assert.equal(reason, err.reason)
    assert.falsy(tostring(err):find("[\r\n]"))
    return err
  end

  it("that brings the provider's refusal is refused with its reason and words", function()
    local err = refused("access_denied", "?error=access_denied&error_description=The+user+said%20no")
    assert.truthy(tostring(err):find("The user said no", 1, true))
    assert.truthy(err.hint:find("the user did not agree", 1, true))
    refused("access_denied", "https://app.example.com/cb#error=access_denied")
    refused("invalid_scope", { error = "invalid_scope", state = "s" })
    refused("access_denied", "?denied=Z6eEdO8MOmk394WozF5oKyuAv855l4Mlqo7hhlSLik")
  end)

  it("with a code and an error at once is refused: the error counts", function()
    refused("server_error", "?code=c0de&error=server_error")
    refused("access_denied", "?oauth_verifier=v&denied=t")
  end)

  it("shows no grant in what is said of it", function()
    for _, url in ipairs {
      "?error=server_error&error_description=code%20canary-c0de%20bad&code=canary-c0de", "?error=canary-c0de&code=canary-c0de",
      "?error=no&error_description=canary-c0de&access_token=canary-c0de", "?error=no+canary-c0de&refresh_token=canary-c0de",
      "?code=canary-c0de&canary-c0de", "?code=canary-c0de&x-canary-c0de=1&x-canary-c0de=2", "?error=canary-c0de&oauth_verifier=canary-c0de",
    } do
      local granted, err = celements.parse_callback(url)
      assert.is_nil(granted)
      for name, value in pairs(err) do
        assert.is_nil(tostring(value):find("canary", 1, true), name)
      end
      assert.is_nil(tostring(err):find("canary", 1, true), tostring(err))
    end
    refused("server_error", "?error=server_error&code=err") -- so short a code is none
  end)

  it("cannot break the line of a log with what it brings", function()
    local err = refused("a b", "?error=a%0Ab&error_description=x%0D%0Ay%1b%5b31m")
    assert.falsy(tostring(err):find("%c"))
  end)

  it("that repeats a parameter is refused, wherever the second one stands", function()
    refused("repeated", "?code=a&code=b")
    refused("repeated", "?code=a&code=a")
    refused("repeated", "?state=s&code=a&state=t")
    refused("repeated", "https://app.example.com/cb?code=a#code=b")
    refused("repeated", { code = { "a", "b" } })
    assert.truthy(tostring(refused("repeated", "?co%64e=a&code=b")):find("code", 1, true))
  end)

  it("with a parameter that has no value is refused", function()
    refused("empty", "?code")
    refused("empty", "?code&state=s")
    refused("empty", "?code=")
    refused("empty", "?access_token=&state=s")
    refused("empty", "?code=a&state=")
    refused("empty", { code = true })
    refused("empty", { code = "" })
  end)

  it("without a code, token or verifier is refused", function()
    refused("missing", "https://app.example.com/cb")
    refused("missing", "")
    refused("missing", "?")
    refused("missing", "https://app.example.com/cb?state=s")
    refused("missing", "https://app.example.com/cb?state=s#section-2")
    refused("missing", {})
    -- OAuth 1 gives back its token without a verifier when the user did nothing.
    refused("missing", "?oauth_token=t")
    assert.truthy(refused("missing", "x").hint:find("query and fragment included", 1, true))
  end)

  it("has to bring the state that was sent", function()
    assert.truthy(parse("?code=a&state=sT4te", { state = "sT4te" }))
    refused("state", "?code=a&state=other", { state = "sT4te" })
    refused("state", "?code=a&state=sT4te2", { state = "sT4te" })
    refused("state", "?code=a&state=sT4t", { state = "sT4te" })
    refused("state", "?code=a&state=st4te", { state = "sT4te" })
    local err = refused("state", "?code=a", { state = "sT4te" })
    assert.truthy(tostring(err):find("no state", 1, true))
    assert.falsy(tostring(err):find("sT4te", 1, true))
  end)

  it("may bring any state when none was sent", function()
    assert.equal("hubspot", parse("?code=a&state=hubspot").state)
    assert.truthy(parse("?code=a&state=hubspot", {}))
  end)

  it("has to bring the request token that was sent, in OAuth 1", function()
    assert.truthy(parse("?oauth_token=t&oauth_verifier=v", { request_token = "t" }))
    refused("state", "?oauth_token=u&oauth_verifier=v", { request_token = "t" })
    refused("state", "?oauth_verifier=v", { request_token = "t" })
  end)

  it("shows no code or token in its errors", function()
    for _, given in ipairs {
      "?code=s3cret1&error=server_error", "?code=s3cret1&code=s3cret2", "?access_token=s3cret1&state=x",
      "?code=s3cret1&state=",
    } do
      local _, err = parse(given, { state = "s3cret0" })
      assert.falsy(tostring(err):find("s3cret", 1, true), tostring(err))
      for _, value in pairs(err) do
        assert.falsy(tostring(value):find("s3cret", 1, true))
      end
    end
  end)

  it("is not changed by being read, and can be read again", function()
    local arguments = { authorization_code = "a" }
    parse(arguments)
    assert.same({ authorization_code = "a" }, arguments)
    assert.same(parse(arguments), parse(arguments))
  end)

  it("of the wrong type, and an expectation that is not known, raise at the caller's line", function()
    assert.equal("the callback has to be a string or table, not a nil", raises(function()
      local granted = parse(nil)
      return granted, nil
    end))
    assert.equal("unknown expectation 'states', did you mean 'state'?", raises(function()
      local granted = parse("?code=a", { states = "s" })
      return granted, nil
    end))
    assert.equal("expected.state has to be a string, not a number", raises(function()
      local granted = parse("?code=a", { state = 1 })
      return granted, nil
    end))
    assert.equal("what is expected has to be a table, not a string", raises(function()
      local granted = parse("?code=a", "s")
      return granted, nil
    end))
    assert.equal("a callback parameter's name has to be a string, not a number", raises(function()
      local granted = parse { "code=a" }
      return granted, nil
    end))
    assert.equal("the callback parameter code has to be a string or number or boolean or table, not a function",
      raises(function()
        local granted = parse { code = print }
        return granted, nil
      end))
    assert.equal("the callback parameter expires_in has to be a finite number", raises(function()
      local granted = parse { code = "a", expires_in = 1 / 0 }
      return granted, nil
    end))
  end)
end)
