--- How busted reports to spec/run: a line per test as it ends, the totals last.
-- A failure outside any test (a file that does not load, a teardown that raises, a
-- leaked descriptor) counts as one failed test of its own.

return function()
  local busted = require "busted"
  local count = { passed = 0, failed = 0, skipped = 0 }
  local test = {}   -- the one that runs: when it began, what went wrong, why it was skipped

  local function full_name(element)
    local names = {}
    while element and (element.name or element.descriptor) and element.descriptor ~= "file" do
      table.insert(names, 1, tostring(element.name or element.descriptor))
      element = busted.parent(element)
    end
    return (table.concat(names, " "):gsub("[\r\n]+", " "))
  end

  local function say(verdict, text)
    io.write(verdict, " ", text, "\n")
    io.flush()
  end

  local function explain(message, trace)
    local text = tostring(message)
    if type(trace) == "table" and trace.traceback then
      text = text .. "\n" .. trace.traceback
    end
    for line in text:gmatch("[^\r\n]+") do
      say("     ", line)
    end
  end

  local function on_file(file)
    say("#", tostring(file.name))
    return nil, true
  end

  local function on_start()
    test = { began = busted.monotime(), problems = {} }
    return nil, true
  end

  local function on_pending(_, _, message)
    test.why = message
    return nil, true
  end

  local function on_problem(element, _, message, trace)
    if element.descriptor == "it" and test.problems then
      table.insert(test.problems, { message = message, trace = trace })
    else
      count.failed = count.failed + 1
      say("not ok", full_name(element) .. " [" .. tostring(element.descriptor or "run") .. "]")
      explain(message, trace)
    end
    return nil, true
  end

  local function on_end(element, _, status)
    local name = full_name(element)
    if status == "pending" then
      count.skipped = count.skipped + 1
      say("skip", name .. ": " .. tostring(test.why or "not written yet"):gsub("[\r\n]+", " "))
    else
      local passed = status == "success"
      local kind = passed and "passed" or "failed"
      count[kind] = count[kind] + 1
      say(passed and "ok" or "not ok", ("%s (%.3f s)"):format(name, busted.monotime() - test.began))
      for _, problem in ipairs(test.problems) do
        explain(problem.message, problem.trace)
      end
    end
    test = {}
    return nil, true
  end

  local function on_exit()
    io.write(("\n%d passed, %d failed, %d skipped\n"):format(count.passed, count.failed, count.skipped))
    io.flush()
    return nil, true
  end

  local handler = {}
  function handler.subscribe()
    require "busted.languages.en"
    busted.subscribe({ "file", "start" }, on_file)
    busted.subscribe({ "test", "start" }, on_start)
    busted.subscribe({ "pending" }, on_pending)
    busted.subscribe({ "failure" }, on_problem)
    busted.subscribe({ "error" }, on_problem)
    busted.subscribe({ "test", "end" }, on_end)
    busted.subscribe({ "exit" }, on_exit)
  end
  return handler
end
