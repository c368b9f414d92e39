--- Runs a script in a new process of the interpreter that runs the specs.

local function interpreter()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

--- Runs a script and waits for it.
---@param script string
---@param environment? table<string, string>  set for it; CELEMENTS_* of ours are not passed on
---@return boolean fine  it ended with status 0
---@return string out
---@return string err
return function(script, environment)
  local names = { script = os.tmpname(), out = os.tmpname(), err = os.tmpname() }
  local file = assert(io.open(names.script, "w"))
  file:write(script)
  file:close()
  local command = { "env" }
  for _, name in ipairs { "BASE_URL", "USER_SECRET", "ORG_SECRET", "TIMEOUT" } do
    table.insert(command, "-u CELEMENTS_" .. name)
  end
  for name, value in pairs(environment or {}) do
    table.insert(command, name .. "=" .. quote(value))
  end
  for _, part in ipairs { quote(interpreter()), names.script, ">" .. names.out, "2>" .. names.err } do
    table.insert(command, part)
  end
  local status = os.execute(table.concat(command, " "))
  local texts = {}
  for _, name in ipairs { "out", "err" } do
    file = assert(io.open(names[name], "rb"))
    texts[name] = file:read("*a")
    file:close()
  end
  for _, name in pairs(names) do
    os.remove(name)
  end
  return status == true or status == 0, texts.out, texts.err
end
