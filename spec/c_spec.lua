-- The C files that know nothing of Lua, by programs in C: random input, memory that
-- fails at every place, nothing lost and nothing secret given back, all of it under the
-- address and undefined-behaviour sanitizers.

local BEHAVIOUR = {
  buf = "keeps to its limits, grows, and wipes what it gives back",
  url = "encodes any text and lets no path through that climbs or injects",
  redact = "lets no secret through, in any coding, and reads no byte too many",
  trust = "takes the directory only when it is the bundle's equal",
  poller = "tells what is ready, by epoll",
  poller_poll = "tells what is ready, by poll",
  seal = "opens what was sealed and nothing else, and survives a lack of memory",
  engine = "gives everything back in any order, and survives a lack of memory",
}

local function run(command)
  local pipe = io.popen("env -u LD_PRELOAD " .. command .. " 2>&1; echo \"status $?\"")
  local output = pipe:read "*a"
  pipe:close()
  return output:find "status 0\n$" ~= nil, output
end

describe("the C part", function()
  setup(function()
    -- Two runs of the suite may come here at once.
    assert(run "mkdir -p build && flock build/c.lock make -s -f spec/c/Makefile")
  end)

  for name, behaviour in pairs(BEHAVIOUR) do
    it(name .. " " .. behaviour, function()
      local fine, output = run("ASAN_OPTIONS=detect_leaks=0 timeout 60 build/c/" .. name)
      assert.is_true(fine, output)
      assert.truthy(output:find("%d+ checks, 0 failed"), output)
    end)
  end
end)
