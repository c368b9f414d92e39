--- Runs before the specs: nothing that a spec file opened or started may outlive it.
-- Counts descriptors and child processes before every file and after it, collects
-- hard in between, and names what is left.  Linux only; elsewhere it keeps quiet.

local busted = require "busted"
local lfs = require "lfs"

local function own_pid()
  local file = io.open("/proc/self/stat")
  if not file then
    return nil
  end
  local pid = file:read("*l"):match("^%d+")
  file:close()
  return pid
end

local pid = own_pid()
if not pid then
  return
end

local FDS = "/proc/self/fd"

-- The loop of luv has descriptors of its own, for as long as Lua lives.
pcall(require, "luv")

-- What is open, by descriptor; the directory being read is not part of it.
local function descriptors()
  local open = {}
  for name in lfs.dir(FDS) do
    local target = tonumber(name) and lfs.symlinkattributes(FDS .. "/" .. name, "target")
    if target and target ~= "/proc/" .. pid .. "/fd" then
      open[name] = target
    end
  end
  return open
end

-- Children by pid, those that nobody waited for included.
local function children()
  local found = {}
  for name in lfs.dir("/proc") do
    local file = tonumber(name) and io.open("/proc/" .. name .. "/stat")
    if file then
      -- "1234 (a name (1)) S 1 ..." : the name may hold anything.
      local command, state, parent = (file:read("*l") or ""):match("%((.*)%) (%a) (%d+)")
      file:close()
      if parent == pid then
        found[name] = command .. (state == "Z" and ", which has ended and was not waited for" or "")
      end
    end
  end
  return found
end

local function added(before, after, what)
  local names = {}
  for name, text in pairs(after) do
    if before[name] ~= text then
      names[#names + 1] = ("%s %s (%s)"):format(what, name, text)
    end
  end
  table.sort(names)
  return names
end

local function size(t)
  local n = 0
  for _ in pairs(t) do
    n = n + 1
  end
  return n
end

-- busted keeps every closure of every file until the end, and they keep what the
-- file required; a file that has run is let go.
local function forget(element)
  for _, child in ipairs(busted.children(element)) do
    forget(child)
    child.run = nil
  end
  element.env = nil
end

-- What a finalizer lets go of may have one itself, so once is not enough; LuaJIT's
-- compiled traces hold on to values, too.
local function collect_hard()
  if rawget(_G, "jit") then
    require("jit").flush()
  end
  for _ = 1, 4 do
    collectgarbage()
  end
end

local last   -- the file that ran, and what there was before it

local function settle()
  local file = last
  if not file then
    return
  end
  last = nil
  forget(file.element)
  collect_hard()
  local left = added(file.children, children(), "child process")
  local open = descriptors()
  if size(open) > size(file.fds) then
    for _, text in ipairs(added(file.fds, open, "descriptor")) do
      left[#left + 1] = text
    end
  end
  if #left > 0 then
    local message = file.element.name .. " leaves behind: " .. table.concat(left, "; ")
    busted.publish({ "error", "file" }, file.element, nil, message, {})
  end
end

busted.subscribe({ "file", "start" }, function(element)
  settle()
  last = { element = element, fds = descriptors(), children = children() }
  return nil, true
end, { priority = 1 })

busted.subscribe({ "suite", "end" }, function()
  settle()
  return nil, true
end)
