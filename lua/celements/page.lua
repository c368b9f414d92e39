--- Rows of a paged list, one after the other, until the list really ends.
-- A list never ends early in silence: a page that fails raises, and goes on
-- raising; a page token that comes again raises; what the platform remarks about a page
-- stays readable.  Pure: how a page is fetched is an argument.

local errors = require "celements.error"
local json = require "celements.json"

---@class celements.Pages
---@field next_page string?  the token that goes on behind the current page; nil on the last
---@field left integer  rows of the current page that were not handed out yet
---@field count integer  rows handed out so far
---@field total integer?  rows in all, where the platform says so
---@field info celements.Info?  of the call that brought the current page
---@field warnings string[]  what the platform remarked (Elements-Error), such as a page it cut
---@field err celements.Error?  why it cannot go on; raised again by every further step
local pages = {}

local pages_mt = { __name = "celements.Pages" }

-- Both are counted when somebody asks, so that no row pays for them.
function pages_mt:__index(name)
  if name == "count" then
    return self.before + self.at
  elseif name == "left" then
    return #self.rows - self.at
  end
  return pages[name]
end

function pages_mt:__tostring()
  return ("celements.Pages (%d rows so far%s)"):format(self.count, self.err and ", failed" or "")
end

local M = {}

local NONE = {} -- the rows while there is no page

local HAS_GENERATIONS = _VERSION == "Lua 5.4"
local LARGE_PAGE = 100 -- rows

local function repeated_token(info)
  return errors.new {
    kind = "decode",
    message = "the platform gave the same page token twice; the list cannot be followed to its end",
    request_id = info.request_id,
    hint = "ask for the list again from its start, or with another page size",
  }
end

local function not_a_list(info)
  return errors.new {
    kind = "decode",
    message = "the answer is not a list",
    status = info.status,
    request_id = info.request_id,
    hint = "this path may name one thing, or hold its rows in a field: ask for it without paging",
  }
end

local ARRAY = getmetatable(json.array {})

-- An object without rows would look like a list that has ended.
local function is_list(rows)
  return type(rows) == "table" and (#rows > 0 or getmetatable(rows) == ARRAY)
end

-- Two numbers that tell tokens apart: polynomials of their bytes, modulo two primes that keep
-- each step exact in a double.  The tokens themselves, of which some are long, would lie
-- between rows that come and go until the list ends, and tear up the heap: a page took 5 %
-- more time.
local function digest(token)
  local a, b = 0, 0
  for i = 1, #token do
    local byte = token:byte(i)
    a, b = (a * 257 + byte) % 17592186044399, (b * 263 + byte) % 17592186044299
  end
  return a, b
end

-- Was it there before?  From now on it was.
local function is_seen(self, token)
  local a, b = digest(token)
  if self.seen[a] == b then
    return true
  end
  self.seen[a] = b
  return false
end

-- Two pages at a time would be one too many in memory.  Lua 5.4 collects by generations, and
-- would do so in the middle of the next page, which then counts as one that stays: between the
-- two, a step takes the old page and nothing else.  It saves 0.04 of the time and a MiB.
local function let_go(self)
  local is_large = #self.rows >= LARGE_PAGE
  self.rows = NONE
  if HAS_GENERATIONS and is_large and collectgarbage "isrunning" then
    collectgarbage "step"
  end
end

-- The next page into self.  True when there may be rows, false at the end, or nil and
-- the error that from now on is the iterator's.
local function turn(self, in_loop)
  if self.ended then
    return false
  end
  self.before, self.at, self.last = self.count, 0, 0
  let_go(self)
  local rows, info = self.fetch(self.next_page, in_loop)
  if rows == nil then
    return nil, info
  elseif not is_list(rows) then
    return nil, not_a_list(info)
  end
  local headers = info.headers
  local token = headers["elements-next-page-token"]
  if token == "" then
    token = nil
  end
  if token and is_seen(self, token) then
    return nil, repeated_token(info)
  end
  self.rows = rows
  self.last = self.limit and math.min(#rows, self.limit - self.before) or #rows
  self.info = info
  self.total = tonumber(headers["elements-total-count"]) or self.total
  if info.warning then
    self.warnings[#self.warnings + 1] = info.warning
  end
  self.next_page, self.ended = token, token == nil
  return true
end

-- To a page that has a row to hand out: true, or nil and, unless the list has ended, the error.
local function go_on(self, in_loop)
  if self.limit and self.count >= self.limit then
    return nil
  end
  while self.left == 0 do
    if self.err then
      return nil, self.err
    end
    local more, err = turn(self, in_loop)
    if not more then
      self.err = err
      return nil, err
    end
  end
  return true
end

local function step(self, in_loop)
  if self.at >= self.last then
    local more, err = go_on(self, in_loop)
    if not more then
      return nil, err
    end
  end
  self.at = self.at + 1
  return self.rows[self.at]
end

--- The next row; nil when the list has really ended; nil and the error when a page
-- cannot be had, now and every time after.
---@return any? row
---@return celements.Error? err
function pages:step()
  local row, err = step(self)
  return row, err
end

local function row_or_raise(row, err)
  if err then
    error(err, 0)
  end
  return row
end

--- As step(), but a page that cannot be had raises the celements.Error: a loop over the
-- rows cannot take a failure for the end.
---@return any?
function pages:next()
  return row_or_raise(step(self))
end

-- What a `for` loop calls.  Nearly all rows are there already, and not worth two more calls.
function pages_mt:__call()
  local at = self.at + 1
  if at > self.last then
    return row_or_raise(step(self, true))
  end
  self.at = at
  return self.rows[at]
end

--- All rows that are left, in a list; nil and the error instead of raising.
---@return any[]?
---@return celements.Error?
function pages:all()
  local rows = {}
  while true do
    local row, err = self:step()
    if err then
      return nil, err
    elseif row == nil then
      return rows
    end
    rows[#rows + 1] = row
  end
end

--- An iterator over the rows of a list.
---@param fetch fun(token: string?, in_loop: boolean?): any[]?, table  rows and the call's info, or nil and the error; in_loop: a `for` loop asks
---@param options? {limit?: integer, page?: string}  page: a token to go on from
---@return celements.Pages  call it, or use it in `for row in it do`
function M.new(fetch, options)
  options = options or {}
  local self = setmetatable({
    fetch = fetch,
    limit = options.limit,
    next_page = options.page,
    rows = NONE,
    before = 0, -- rows of earlier pages
    at = 0, -- the row of this page that was handed out last
    last = 0, -- the one that may be handed out last
    seen = {}, -- by the first number of a page token's digest, the second
    warnings = {},
    ended = false,
  }, pages_mt)
  if options.page then
    is_seen(self, options.page)
  end
  return self
end

--- What an iterator can do, for the documentation.
M.methods = pages

return M
