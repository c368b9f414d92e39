--- Programs as a reader of them runs them: from a shell, in a process of their own, by
-- the Lua that runs this.

local M = {}

local PATIENCE = "timeout 60 "   -- nothing here takes a second, slow tools aside

-- What celements.new() reads, by the sandbox's names for it.
local NAMES = { url = "CELEMENTS_BASE_URL", user_secret = "CELEMENTS_USER_SECRET", org_secret = "CELEMENTS_ORG_SECRET" }

function M.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- What a shell command prints, and its status.
---@param command string
---@return string output
---@return integer status
function M.output_of(command)
  local pipe = assert(io.popen(command .. "; echo \"status $?\""))
  local output, status = pipe:read("*a"):match("^(.*)status (%d+)\n$")
  pipe:close()
  return output, tonumber(status)
end

-- The interpreter that runs busted, by the name it was called.
local function interpreter()
  local i = 0
  while arg[i - 1] do
    i = i - 1
  end
  return arg[i]
end

--- The shell command that runs a script, its output and its errors in one.
---@param script string  with its arguments, for the shell
---@param sandbox? {url: string, user_secret: string, org_secret: string}  what the environment holds; default: nothing of ours
---@param more? table<string, string>  further variables
---@return string
function M.command(script, sandbox, more)
  local words = { "env -u CELEMENTS_TIMEOUT" }
  for _, variable in pairs(NAMES) do
    words[#words + 1] = "-u " .. variable
  end
  for field, variable in pairs(NAMES) do
    words[#words + 1] = sandbox and variable .. "=" .. M.quote(sandbox[field]) or nil
  end
  for variable, value in pairs(more or {}) do
    words[#words + 1] = variable .. "=" .. M.quote(value)
  end
  return table.concat(words, " ") .. " " .. PATIENCE .. M.quote(interpreter()) .. " " .. script .. " 2>&1"
end

--- Run a script with an empty keyboard: its output and its status.
function M.run(script, sandbox, more)
  return M.output_of(M.command(script, sandbox, more) .. " </dev/null")
end

--- A directory of one's own, to be given back with `remove`.
---@return string path
function M.directory()
  return (M.output_of("mktemp -d"):gsub("\n$", ""))
end

function M.remove(directory)
  os.execute("rm -rf " .. M.quote(directory))
end

return M
