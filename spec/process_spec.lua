local process = require "celements.process"
local socket = require "socket"

-- Runs f in a child, which never comes back to busted.
local function in_child(f)
  local pid = assert(process.fork())
  if pid == 0 then
    local ok, code = pcall(f)
    process.exit(ok and (code or 0) or 99)
  end
  return pid
end

local function readable(fd, seconds)
  local watched = { getfd = function() return fd end, dirty = function() return false end }
  local ready = socket.select({ watched }, nil, seconds)
  return ready[1] ~= nil
end

describe("process", function()
  it("forks, and tells how the child ended", function()
    local pid = in_child(function() return 7 end)
    local exited, status = process.wait(pid, 5)
    assert.is_true(exited)
    assert.equal(7, status)
  end)

  it("is someone else in the child", function()
    local parent = process.getpid()
    local pid = in_child(function()
      return process.getppid() == parent and process.getpid() ~= parent and 0 or 1
    end)
    assert.same({ true, 0 }, { process.wait(pid, 5) })
  end)

  it("kills by name or number, and reports signals as shells do", function()
    for _, signal in ipairs{ "TERM", "SIGTERM", 15 } do
      local pid = in_child(function() process.sleep(20) end)
      assert.is_true(process.kill(pid, signal))
      assert.same({ true, 143 }, { process.wait(pid, 5) })
    end
  end)

  it("says false for a child that still runs when the time is up", function()
    local pid = in_child(function() process.sleep(20) end)
    local before = socket.gettime()
    assert.is_false(process.wait(pid, 0.05))
    assert.is_true(socket.gettime() - before < 2)
    process.kill(pid, "KILL")
    assert.same({ true, 137 }, { process.wait(pid, 5) })
  end)

  it("gives nil and a reason for a process that is no child", function()
    local pid = in_child(function() end)
    process.wait(pid, 5)
    local exited, message = process.wait(pid, 0)
    assert.is_nil(exited)
    assert.truthy(message:find("wait: ", 1, true))
    local ok
    ok, message = process.kill(pid, 0)
    assert.is_nil(ok)
    assert.truthy(message:find("kill: ", 1, true))
  end)

  it("never signals groups, everybody or init, and knows no made-up signals", function()
    for _, pid in ipairs{ 0, -1, 1, -5, 2.5, 2 ^ 40 } do
      assert.has_error(function() process.kill(pid, 0) end)
      assert.has_error(function() process.wait(pid, 0) end)
    end
    for _, signal in ipairs{ "NOSUCH", "", -1, 1.5, 1000, {} } do
      assert.has_error(function() process.kill(process.getpid(), signal) end)
    end
    assert.is_true(process.kill(process.getpid(), 0))
  end)

  -- #slow keeps it from valgrind, which flushes even at _exit.
  it("exits without flushing what the parent had not written yet #slow", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:setvbuf("full")
    file:write("once")
    local pid = in_child(function() return 0 end)
    process.wait(pid, 5)
    file:close()
    local content = assert(io.open(name)):read("*a")
    os.remove(name)
    assert.equal("once", content)
  end)

  it("exits without running the parent's finalizers", function()
    local name = os.tmpname()
    os.remove(name)
    local pid = in_child(function()
      local mt = { __gc = function() io.open(name, "w"):close() end }
      local newproxy = _G.newproxy
      local value = newproxy and newproxy(true) or setmetatable({}, mt)
      getmetatable(value).__gc = mt.__gc
      process.exit(value and 0)
    end)
    assert.same({ true, 0 }, { process.wait(pid, 5) })
    assert.is_nil((io.open(name)))
  end)

  it("has pipes whose other end tells when a process is gone", function()
    local r, w = assert(process.pipe())
    local pid = in_child(function()
      process.close(r)
      process.sleep(20)
    end)
    assert.is_true(process.close(w))
    assert.is_false(readable(r, 0.05))   -- the child still holds it
    process.kill(pid, "KILL")
    assert.is_true(readable(r, 5))
    process.wait(pid, 5)
    assert.is_true(process.close(r))
    local ok, message = process.close(r)
    assert.is_nil(ok)
    assert.truthy(message:find("close: ", 1, true))
  end)

  it("lets a child let go of all the parent has open but what it keeps", function()
    local r, w = assert(process.pipe())
    local kept_r, kept_w = assert(process.pipe())
    local pid = in_child(function()
      assert(process.keep_only(2, kept_w))
      process.sleep(20)
    end)
    process.close(w)
    process.close(kept_w)
    assert.is_true(readable(r, 5))
    assert.is_false(readable(kept_r, 0.05))
    process.kill(pid, "KILL")
    process.wait(pid, 5)
    process.close(r)
    process.close(kept_r)
  end)

  it("keeps the numbers of let-go descriptors taken, so that no new one gets them", function()
    local r, w = assert(process.pipe())
    local pid = in_child(function()
      assert(process.keep_only(2))
      local new_r, new_w = process.pipe()
      return new_r ~= r and new_w ~= w and new_r ~= w and new_w ~= r and 0 or 1
    end)
    assert.same({ true, 0 }, { process.wait(pid, 5) })
    process.close(r)
    process.close(w)
  end)

  it("makes descriptors that programs we start do not inherit", function()
    local function inherited(fd)
      local pipe = io.popen(("if [ -e /dev/fd/%d ]; then echo yes; else echo no; fi"):format(fd))
      local answer = pipe:read("*l")
      pipe:close()
      return answer
    end
    local r, w = assert(process.pipe())
    assert.equal("no", inherited(r))
    assert.equal("no", inherited(w))
    process.close(r)
    process.close(w)
    local listener = assert(socket.bind("127.0.0.1", 0))
    assert.equal("yes", inherited(listener:getfd()))
    assert.is_true(process.close_on_exec(listener:getfd()))
    assert.equal("no", inherited(listener:getfd()))
    listener:close()
  end)

  it("ignores a signal when told to", function()
    local r, w = assert(process.pipe())
    local pid = in_child(function()
      process.ignore("INT")
      process.close(w)
      process.sleep(20)   -- a caught signal would end this early, an ignored one does not
    end)
    process.close(w)
    assert.is_true(readable(r, 5))
    process.kill(pid, "INT")
    assert.is_false(process.wait(pid, 0.05))
    process.kill(pid, "KILL")
    assert.same({ true, 137 }, { process.wait(pid, 5) })
    process.close(r)
  end)

  it("makes a file that only its owner can read, and tells when others can", function()
    local name = os.tmpname()
    os.remove(name)
    assert.same({ true, 384 }, { process.private_file(name) })   -- 0600
    local file = assert(io.open(name, "w"))
    file:write("kept")
    file:close()
    assert.is_true(process.private_file(name))
    file = assert(io.open(name))
    assert.equal("kept", file:read("*a"))
    file:close()
    for _, mode in ipairs { 640, 604, 620, 602 } do
      os.execute(("chmod %d %s"):format(mode, name))
      assert.same({ false, tonumber(tostring(mode), 8) }, { process.private_file(name) })
    end
    os.remove(name)
    local made, message = process.private_file("/nonexistent/file")
    assert.is_nil(made)
    assert.truthy(message:find("open: ", 1, true))
  end)

  it("sleeps parts of seconds", function()
    local before = socket.gettime()
    process.sleep(0.02)
    assert.is_true(socket.gettime() - before >= 0.019)
    assert.has_error(function() process.sleep(-1) end)
    assert.has_error(function() process.sleep(0 / 0) end)
  end)
end)
