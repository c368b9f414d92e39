--- Reads the LuaLS comments of the sources and writes them as ldoc wants them.
-- ldoc knows other tags than LuaLS, which editors read, so it gets files that hold
-- comments alone, a file for a page.  Used by docs/build and by the spec that looks
-- whether everything public is described.

local M = {}

--- The pages: what each is called, the files it is made of, in whose name the functions
--- are defined there that belong on it, and which of these are called otherwise by users.
M.pages = {
  {
    name = "celements",
    tag = "module",
    files = { "lua/celements.lua", "lua/celements/callback.lua", "lua/celements/ceql.lua", "lua/celements/diagnostics.lua" },
    owners = { "M" },
    names = { parse = "parse_callback", collect = "diagnostics" },
  },
  {
    name = "celements.Client",
    tag = "classmod",
    files = {
      "lua/celements/client.lua",
      "lua/celements/any_call.lua",
      "lua/celements/oauth.lua",
      "lua/celements/instance.lua",
      "lua/celements/element.lua",
      "lua/celements/instances.lua",
      "lua/celements/reauthenticate.lua",
      "lua/celements/many.lua",
      "lua/celements/defer.lua",
      "lua/celements/support.lua",
      "lua/celements/hub.lua",
    },
    owners = { "client", "methods" },
  },
  { name = "celements.InstanceClient", tag = "classmod", files = { "lua/celements/hub.lua" }, owners = { "hub" } },
  { name = "celements.Pages", tag = "classmod", files = { "lua/celements/page.lua" }, owners = { "pages" } },
  { name = "celements.store", tag = "module", files = { "lua/celements/store.lua" }, owners = { "M" } },
  { name = "celements.Store", tag = "classmod", files = { "lua/celements/store.lua" }, owners = { "store" } },
  { name = "celements.json", tag = "module", files = { "lua/celements/json.lua" }, owners = { "M" } },
  { name = "celements.openresty", tag = "module", files = { "lua/celements/openresty.lua" }, owners = { "M" } },
  { name = "celements.OpenrestyFlow", tag = "classmod", files = { "lua/celements/openresty.lua" }, owners = { "methods" } },
  { name = "celements.sandbox", tag = "module", files = { "lua/celements/sandbox.lua" }, owners = { "M" } },
  { name = "celements.Error", tag = "module", files = { "lua/celements/error.lua" }, owners = {} },
  { name = "celements.types", tag = "module", files = { "lua/celements/types.lua" }, owners = {} },
}

-- A type and what follows it.  Blanks inside brackets, and behind ":", "|" and ",",
-- belong to the type.
local function take_type(text)
  local depth, i = 0, 1
  while i <= #text do
    local c = text:sub(i, i)
    if c:find("[%[({<]") then
      depth = depth + 1
    elseif c:find("[%])}>]") then
      depth = depth - 1
    elseif c == " " and depth == 0 and not text:sub(1, i - 1):find("[:|,]$") then
      break
    end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i):gsub("^%s+", ""))
end

local function parameter(rest)
  local name, tail = rest:match("^(%[?[%w_.]+%]?%??)%s+(.*)$")
  assert(name, "not a name and a type: " .. rest)
  local kind, text = take_type(tail)
  return { name = (name:gsub("%?$", "")), optional = name:find("%?$") ~= nil, type = kind, text = text }
end

local readers = {}

function readers.param(block, rest)
  table.insert(block.params, parameter(rest))
end

function readers.field(block, rest)
  table.insert(block.fields, parameter(rest))
end

readers["return"] = function(block, rest)
  local kind, tail = take_type(rest)
  local name, text = tail:match("^([%w_]+)%s*(.*)$")
  table.insert(block.returns, { name = name, type = kind, text = text or tail })
end

function readers.class(block, rest)
  block.class = rest:match("^[%w_.]+")
end

function readers.alias(block, rest)
  local name, tail = rest:match("^([%w_.]+)%s*(.*)$")
  block.class = name
  table.insert(block.text, tail)
end

-- What a line defines: the owner, "." or ":", and the name.
local function definition(line)
  local owner, colon, name = line:match("^function%s+([%w_.]-)([.:])([%w_]+)%s*%(")
  if not owner then
    owner, colon, name = line:match("^([%w_.]-)(%.)([%w_]+)%s*=")
  end
  return owner, colon, name
end

--- The comment blocks of a file, in order; the first is the file's own.
function M.read(path)
  local blocks, block = {}, nil
  local function close(line)
    if block then
      block.owner, block.colon, block.name = definition(line)
      blocks[#blocks + 1] = block
      block = nil
    end
  end
  for line in io.lines(path) do
    line = line:gsub("\r$", "")
    local tag, rest = line:match("^%-%-%-@(%w+)%s*(.*)$")
    if line:find("^%-%-%-") and not block then
      block = { text = {}, params = {}, fields = {}, returns = {} }
    end
    if tag then
      if readers[tag] then
        readers[tag](block, rest)
      end
    elseif block and line:find("^%-%-") then
      table.insert(block.text, (line:gsub("^%-%-%-?%s?", "")))
    else
      close(line)
    end
  end
  close("")
  return blocks
end

-- For ldoc's plain format, which passes HTML on: `code` and what HTML would take for
-- its own.
local function html(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"):gsub("`([^`]+)`", "<code>%1</code>"):gsub("@", "&#64;"))
end

-- The fields of a class that users meet; of a class page only those of its own class.
local function has_fields(block, page)
  return block.class and #block.fields > 0 and (page.tag ~= "classmod" or block.class == page.name)
end

local function belongs(block, page)
  for _, owner in ipairs(page.owners) do
    if block.owner == owner and block.name then
      return true
    end
  end
  return false
end

-- What users call it.
local function name_on(page, block)
  return page.names and page.names[block.name] or block.name
end

local function typed(entry)
  return html("`" .. entry.type .. "`") .. (entry.optional and " <em>optional</em>" or "") .. " " .. html(entry.text)
end

local function write_block(out, block, kind, name)
  out("")
  out("--- " .. html(table.concat(block.text, " ")))
  out("-- @" .. kind .. " " .. name)
  for _, entry in ipairs(block.params) do
    out("-- @param " .. entry.name .. " " .. typed(entry))
  end
  for _, entry in ipairs(block.fields) do
    out("-- @field " .. entry.name .. " " .. typed(entry))
  end
  for _, entry in ipairs(block.returns) do
    out("-- @return " .. (entry.name and "<strong>" .. entry.name .. "</strong> " or "") .. typed(entry))
  end
end

--- What a page describes: the functions by name, as blocks.
function M.functions(page)
  local found = {}
  for _, path in ipairs(page.files) do
    for _, block in ipairs(M.read(path)) do
      if belongs(block, page) then
        found[name_on(page, block)] = block
      end
    end
  end
  return found
end

--- Write a page's comments to `folder`.
function M.write(page, folder)
  local lines = {}
  local function out(line)
    lines[#lines + 1] = line
  end
  for i, path in ipairs(page.files) do
    for j, block in ipairs(M.read(path)) do
      if j == 1 and i == 1 then
        out("--- " .. html(block.text[1]))
        out("-- " .. html(table.concat(block.text, " ", 2)))
        out("-- @" .. page.tag .. " " .. page.name)
      elseif belongs(block, page) then
        local colon = block.colon == ":" and page.tag ~= "classmod" and ":" or ""
        write_block(out, block, "function", colon .. name_on(page, block))
      elseif has_fields(block, page) then
        write_block(out, block, "table", page.tag == "classmod" and "fields" or block.class:match("[^.]+$"))
      end
    end
  end
  local file = assert(io.open(folder .. "/" .. page.name .. ".lua", "w"))
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

return M
