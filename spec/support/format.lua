--- What clang-format would change in a C file, as far as it is its business.
-- Where lines break and which columns line up inside a line is the author's (tables,
-- comments behind code).  Indentation, braces and the blanks between words are not.
-- Run with the name of the file; prints what differs and ends with 1.

local path = assert(arg[1], "which file?")

-- The lines of a text, without alignment: runs of blanks inside a line are one blank.
local function lines_of(command)
  local lines = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    lines[#lines + 1] = line:match("^ *") .. line:gsub("^ +", ""):gsub(" +", " ")
  end
  pipe:close()
  return lines
end

local function write(lines)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
  return name
end

-- The words of some lines, wherever they break; a backslash that continues a
-- directive goes with the break, and a blank beside a bracket may be a break's.
local function words(lines)
  local text = table.concat(lines, " "):gsub("\\ ", " "):gsub(" +", " ")
  return (text:gsub("([({]) ", "%1"):gsub(" ([)}])", "%1"):gsub("^ ", ""))
end

-- How many lines hold an opening brace alone.
local function braces(lines)
  local alone = 0
  for _, line in ipairs(lines) do
    if line:find("^ *{$") then
      alone = alone + 1
    end
  end
  return alone
end

-- Is this more than another place for a line break?
local function matters(is, ought)
  if words(is) ~= words(ought) or braces(is) ~= braces(ought) then
    return true
  elseif #is ~= #ought then
    return false
  end
  for i, line in ipairs(is) do
    if line:gsub("^ +", "") ~= ought[i]:gsub("^ +", "") then
      return false
    end
  end
  return true
end

local is = write(lines_of("cat " .. path))
local ought = write(lines_of("clang-format --style=file " .. path))
local wrong = false
local hunk

local function judge()
  if hunk and matters(hunk.is, hunk.ought) then
    wrong = true
    print(hunk.where)
    print("  is:    " .. table.concat(hunk.is, "\n         "))
    print("  ought: " .. table.concat(hunk.ought, "\n         "))
  end
end

local difference = assert(io.popen("diff -U0 " .. is .. " " .. ought))
for line in difference:lines() do
  local at = line:match("^@@ %-(%d+)")
  if at then
    judge()
    hunk = { where = path .. ":" .. at, is = {}, ought = {} }
  elseif hunk and line:find("^%-") then
    table.insert(hunk.is, line:sub(2))
  elseif hunk and line:find("^%+") then
    table.insert(hunk.ought, line:sub(2))
  end
end
judge()
difference:close()
os.remove(is)
os.remove(ought)
os.exit(wrong and 1 or 0)
