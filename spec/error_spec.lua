local celements = require "celements"
local child = require "spec.support.child"
local errors = require "celements.error"

describe("an error", function()
  it("reads as one line that says what, where, whose and what to do", function()
    local err = errors.new {
      kind = "server", message = "Request failed", provider_message = "token expired", method = "POST",
      path = "/instances",
      request_id = "5b0f9e", outcome = "unknown", hint = "look whether it was done",
    }
    assert.equal("server: Request failed; the provider says: token expired [POST /instances] (request 5b0f9e)"
      .. "; the platform may have acted on it; look whether it was done", tostring(err))
  end)

  it("says nothing twice and leaves out what is not known", function()
    local function text(fields)
      return tostring(errors.new(fields))
    end
    assert.equal("auth: no", text { kind = "auth", message = "no" })
    assert.equal("auth: no, says Slack", text { kind = "auth", message = "no, says Slack",
      provider_message = "says Slack" })
    assert.equal("timeout: late [GET /elements]", text { kind = "timeout", message = "late", method = "GET",
      path = "/elements", outcome = "not_sent" })
  end)

  it("stays one line when the platform's text has several", function()
    local err = errors.new { kind = "server", message = "a\r\n\r\nb", method = "GET", path = "/x" }
    assert.equal("server: a b [GET /x]", tostring(err))
  end)

  it("has nothing in it that a terminal would obey", function()
    local err = errors.new { kind = "server", message = "a\27[2Jb\127\194\155c é", request_id = "1\7" }
    assert.equal("server: a [2Jb  c é (request 1 )", tostring(err))
  end)

  it("of a broken document shows the line and a caret below", function()
    local _, err = celements.json.decode('{\n  "a": 1\n  "b": 2\n}')
    local lines = {}
    for line in tostring(err):gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    assert.equal(3, #lines)
    assert.truthy(lines[1]:find("line 2, column 9", 1, true), lines[1])
    assert.equal(2, select(2, err.excerpt:gsub("[^\n]+", "")))
    assert.truthy(lines[2]:find('"a": 1', 1, true))
    assert.equal(lines[2]:find('"a": 1', 1, true) + #'"a": 1', (lines[3]:find("^", 1, true))) -- where the comma goes
  end)

  it("can be joined to text", function()
    local err = errors.new { kind = "auth", message = "no" }
    assert.equal("failed: auth: no", "failed: " .. err)
    assert.equal("auth: no!", err .. "!")
  end)

  it("is told from other tables", function()
    assert.is_true(errors.is(errors.new { kind = "auth", message = "no" }))
    for _, value in ipairs { "auth: no", {}, { kind = "auth", message = "no" }, 1 } do
      assert.is_false(errors.is(value))
    end
  end)
end)

describe("assert", function()
  it("shows the error's text and ends the script", function()
    local fine, out, err = child [[
      local celements = require "celements"
      assert(celements.create_instance { element = "hubspot", name = "Test" })
      print "not reached"
    ]]
    assert.is_false(fine)
    assert.equal("", out)
    local text = "config: missing: org_secret, user_secret; set CELEMENTS_ORG_SECRET and CELEMENTS_USER_SECRET"
    assert.truthy(err:find(text, 1, true), err)
  end)

  it("hands the results on when all is well", function()
    local fine, out = child [[
      local celements = require "celements"
      local granted = assert(celements.parse_callback "?code=c0de")
      print(granted.code, (select("#", assert(1, nil, 3))), (assert "x"))
    ]]
    assert.is_true(fine)
    assert.equal("c0de\t3\tx\n", out)
  end)

  it("is as it was for everything else, the line that it names included", function()
    local fine, out, err = child [[
      local shown = setmetatable({}, { __tostring = function() return "other" end })
      local function tried()
        local found = {}
        for i, each in ipairs {
          function() assert(false) end, function() assert(nil, "a text") end, function() assert(false, nil) end,
          function() assert() end, function() assert(nil, shown) end, function() assert(nil, 42) end,
        } do
          local fine, problem = pcall(each)
          found[i] = tostring(fine) .. " " .. tostring(problem)
        end
        found[#found + 1] = select("#", assert(true, nil, nil))
        return table.concat(found, "\n")
      end
      local before = tried()
      require "celements"
      local after = tried()
      print(before == after and "the same" or before .. "\n---\n" .. after)
    ]]
    assert.equal("", err)
    assert.is_true(fine)
    assert.equal("the same\n", out)
  end)
end)
