-- Ctrl-C during a call: the interpreter's own handler gets its turn, and the client
-- can be used again.

local process = require "celements.process"
local rawserver = require "spec.support.rawserver"
local script = require "spec.support.script"

local SCRIPT = [[
local celements, core = require "celements", require "celements.core"
local c = celements.new { base_url = arg_url, user_secret = "u", org_secret = "o" }
local function say(...)
  print(...)
  io.stdout:flush()
end
say "start"
local started = core.engine.clock()
local fine, err = pcall(function() return CALL end)
local seconds = core.engine.clock() - started
say(("first %s %.2f %s"):format(tostring(fine), seconds, tostring(err)))
for i = 1, 3 do
  local answer, info = c:request("GET", "/fast")
  say("after", answer and answer.id or tostring(info))
end
]]

describe("Ctrl-C", function()
  local server

  setup(function()
    server = rawserver.start(function(conn)
      while true do
        local request = conn:request()
        if not request then
          return
        elseif request.target:find("slow", 1, true) then
          conn:wait_for_close(6)
          return
        end
        conn:answer(200, '{"id":"fine"}')
      end
    end)
  end)

  teardown(function()
    server:remove()
  end)

  local function interrupted(call)
    local text = SCRIPT:gsub("CALL", call):gsub("arg_url", ("%q"):format(server.url))
    local job = script.start(text)
    assert.is_true(job:printed("start", 5))
    process.sleep(0.7)
    process.kill(job:pid(), "INT")
    local out, err, status = job:finish(5)
    assert.equal(0, status, out .. err)
    local fine, seconds, message = out:match "first (%S+) (%S+) ([^\n]*)"
    assert.equal("false", fine, out)
    assert.truthy(message:find("interrupted", 1, true), out)
    local _, after = out:gsub("after\tfine", "")
    assert.equal(3, after, out)
    return tonumber(seconds)
  end

  it("ends a call that waits for its answer within half a second, and the client works on", function()
    local seconds = interrupted 'c:request("GET", "/slow", { timeout = 5 })'
    assert.is_true(seconds > 0.5 and seconds < 1.2, tostring(seconds))
  end)

  it("ends a call that waits to be tried again", function()
    local refused = 'celements.new { base_url = "http://127.0.0.1:1", retries = 50 }:request("GET", "/x", { timeout = 5 })'
    local seconds = interrupted(refused)
    assert.is_true(seconds > 0.5 and seconds < 1.2, tostring(seconds))
  end)

  it("ends a program that does not catch it, with the interpreter's own words", function()
    local text = SCRIPT:gsub("CALL", 'c:request("GET", "/slow", { timeout = 5 })'):gsub("arg_url", ("%q"):format(server.url))
      :gsub("pcall%(function%(%) return (.-) end%)", "%1")
    local job = script.start(text)
    assert.is_true(job:printed("start", 5))
    process.sleep(0.3)
    process.kill(job:pid(), "INT")
    local out, err, status = job:finish(1)
    assert.equal(1, status, out .. err)
    assert.truthy(err:find("interrupted", 1, true), err)
  end)
end)
