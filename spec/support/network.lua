--- Machines of a test: network namespaces, a middle one with a cable to each other.
-- Owns them, their cables and whatever still runs in them; all of it goes by remove(), and
-- also when the test is killed.  Addresses exist inside only: 10.77.0.1 is the middle, and
-- 10.77.N.2 the Nth of the others.  Between here and there go unix sockets, which are files.
--
--     local network, why = network.start(2)
--     … network.middle.prefix .. "command" … network.hosts[1].address …
--     network.hosts[1]:cut()  network.hosts[1]:mend()  network.remove()

local process = require "celements.process"
local reader = require "spec.support.reader"

local M = {}

-- Waits until the pipe to it closes, which it does when the test is gone.
local KEEPER = [[
cat >/dev/null
for name in %s; do
  for signal in TERM KILL; do
    pids=$(ip netns pids $name 2>/dev/null)
    [ -z "$pids" ] || kill -$signal $pids 2>/dev/null
    for i in $(seq 20); do
      [ -n "$(ip netns pids $name 2>/dev/null)" ] || break
      sleep 0.1
    done
  done
  ip netns del $name 2>/dev/null
done
]]

local function sh(command)
  local output, status = reader.output_of("PATH=$PATH:/usr/sbin; exec 2>&1; (" .. command .. ")")
  return status == 0, output
end

local function run(command)
  local fine, output = sh(command)
  if not fine then
    error(command .. ": " .. output, 0)
  end
end

local host = {}
host.__index = host

-- A frame for nobody's address is dropped without a word.
local NOBODY = "lladdr 02:00:00:00:00:01 nud permanent"

--- Lose whatever is sent over the cable, both ways: nothing arrives, and nobody is told.
function host:cut()
  run(("ip -n %s neigh replace %s dev %s %s"):format(self.middle, self.address, self.cable, NOBODY))
  run(("ip -n %s neigh replace %s dev uplink %s"):format(self.name, self.gateway, NOBODY))
end

function host:mend()
  run(("ip -n %s neigh del %s dev %s"):format(self.middle, self.address, self.cable))
  run(("ip -n %s neigh del %s dev uplink"):format(self.name, self.gateway))
end

local function lay_cable(middle, i, name)
  local cable = "host" .. i
  run(("ip -n %s link add %s type veth peer name uplink netns %s"):format(middle, cable, name))
  run(("ip -n %s addr add 10.77.%d.1/24 dev %s"):format(middle, i, cable))
  run(("ip -n %s link set %s up"):format(middle, cable))
  run(("ip -n %s addr add 10.77.%d.2/24 dev uplink"):format(name, i))
  run(("ip -n %s link set uplink up"):format(name))
  run(("ip -n %s route add default via 10.77.%d.1"):format(name, i))
  return cable
end

--- Make them, or nil and why that cannot be.
---@param count integer  of machines beside the middle
---@return {middle: {name: string, prefix: string, address: string}, hosts: table[], remove: fun()}? network
---@return string? why
function M.start(count)
  local names = {}
  for i = 0, count do
    names[i + 1] = ("celements-%d-%d"):format(process.getpid(), i)
  end
  local list = table.concat(names, " ")
  if not sh "[ $(id -u) = 0 ]" then
    return nil, "network namespaces are made by root only"
  end
  local keeper = assert(io.popen("PATH=$PATH:/usr/sbin exec sh -c " .. reader.quote(KEEPER:format(list)), "w"))
  local network = { hosts = {} }

  --- End what runs there, and take them away.  A second call does nothing.
  function network.remove()
    if keeper then
      keeper:close()
      keeper = nil
    end
  end

  local allowed, output = sh(([[
    ip netns add %s && ip -n %s link add try type veth peer name tried && ip -n %s link del try
  ]]):format(names[1], names[1], names[1]))
  if not allowed then
    network.remove()
    return nil, "network namespaces are not allowed here: " .. output:gsub("%s+$", "")
  end
  local fine, problem = pcall(function()
    for i, name in ipairs(names) do
      run((i > 1 and "ip netns add " .. name .. " && " or "") .. "ip -n " .. name .. " link set lo up")
    end
    run(("ip -n %s addr add 10.77.0.1/32 dev lo"):format(names[1]))
    network.middle = { name = names[1], prefix = "ip netns exec " .. names[1], address = "10.77.0.1" }
    for i = 1, count do
      local name = names[i + 1]
      network.hosts[i] = setmetatable({
        name = name, prefix = "ip netns exec " .. name, address = ("10.77.%d.2"):format(i), middle = names[1],
        gateway = ("10.77.%d.1"):format(i),
        cable = lay_cable(names[1], i, name),
      }, host)
    end
  end)
  if not fine then
    network.remove()
    error(problem, 2)
  end
  return network
end

return M
