local celements = require "celements"
local errors = require "celements.error"
local page = require "celements.page"

-- A list in pages, by token: "" is the first.  Counts what is asked for.
local function list_of(pages)
  local asked = {}
  return function(token)
    asked[#asked + 1] = token or ""
    local this = pages[token or ""]
    if this.err then
      return nil, this.err
    end
    local headers = { ["elements-next-page-token"] = this.next, ["elements-total-count"] = this.total }
    return this.rows, { status = 200, headers = headers, request_id = this.id, warning = this.warning }
  end, asked
end

local THREE = {
  [""] = { rows = { 1, 2 }, next = "b", total = "5" },
  b = { rows = { 3, 4 }, next = "c" },
  c = { rows = { 5 } },
}

local function rows_of(it)
  local rows = celements.array {}
  for row in it do
    rows[#rows + 1] = row
  end
  return rows
end

describe("the rows of a list", function()
  it("come one after the other, over all its pages, each page asked for once and not before it is needed", function()
    local fetch, asked = list_of(THREE)
    local it = page.new(fetch)
    assert.same({}, asked)
    assert.equal(1, it())
    assert.equal(2, it())
    assert.same({ "" }, asked)
    assert.equal(3, it())
    assert.same({ "", "b" }, asked)
    assert.same({ 4, 5 }, rows_of(it))
    assert.same({ "", "b", "c" }, asked)
    assert.is_nil(it())
    assert.is_nil(it:next())
    assert.is_nil((it:step()))
    assert.same({ "", "b", "c" }, asked)
    assert.equal(5, it.count)
  end)

  it("tell of the call that brought the current page", function()
    local it = page.new((list_of { [""] = { rows = { 1 }, next = "b", id = "r1" }, b = { rows = { 2 }, id = "r2" } }))
    assert.is_nil(it.info)
    assert.same({ 1, "r1" }, { it(), it.info.request_id })
    assert.same({ 2, "r2" }, { it(), it.info.request_id })
  end)

  it("may be false or null, and are rows all the same", function()
    local null = require("celements.json").null
    local it = page.new((list_of { [""] = { rows = { false, null, false } } }))
    assert.same({ false, null, false }, { it(), it(), it() })
    assert.is_nil(it())
  end)

  it("are none where the list is empty", function()
    local it = page.new((list_of { [""] = { rows = celements.array {} } }))
    assert.same({}, rows_of(it))
    assert.equal(0, it.count)
  end)

  it("do not end at an empty page in the middle", function()
    local fetch, asked = list_of {
      [""] = { rows = celements.array {}, next = "b" }, b = { rows = { 1 }, next = "c" }, c = { rows = celements.array {}, next = "d" },
      d = { rows = celements.array {}, next = "e" }, e = { rows = { 2 }, next = "f" }, f = { rows = celements.array {} },
    }
    assert.same({ 1, 2 }, rows_of(page.new(fetch)))
    assert.same({ "", "b", "c", "d", "e", "f" }, asked)
  end)

  it("end where the token is empty, which stands for none", function()
    assert.same({ 1 }, rows_of(page.new((list_of { [""] = { rows = { 1 }, next = "" } }))))
  end)

  it("are no more than the limit, and no page is asked for beyond it", function()
    for limit = 0, 6 do
      local fetch, asked = list_of(THREE)
      local it = page.new(fetch, { limit = limit })
      assert.equal(math.min(limit, 5), #rows_of(it))
      assert.equal(math.min(math.ceil(limit / 2), 3), #asked)
      assert.is_nil(it())
    end
  end)

  it("come in one list with all()", function()
    assert.same({ 1, 2, 3, 4, 5 }, page.new((list_of(THREE))):all())
    local it = page.new((list_of(THREE)))
    it:next()
    assert.same({ 2, 3, 4, 5 }, it:all())
    assert.same({}, it:all())
    assert.same({ 1, 2, 3 }, page.new((list_of(THREE)), { limit = 3 }):all())
  end)

  it("can be had from within a coroutine of the caller's", function()
    local each = coroutine.wrap(function()
      for row in page.new((list_of(THREE))) do
        coroutine.yield(row)
      end
    end)
    assert.same({ 1, 2, 3, 4, 5 }, { each(), each(), each(), each(), each() })
    -- And the coroutine as the list's source.
    local fetch = list_of(THREE)
    local it = page.new(function(token)
      return coroutine.wrap(function()
        return fetch(token)
      end)()
    end)
    assert.same({ 1, 2, 3, 4, 5 }, it:all())
  end)

  it("say when a for loop asks, and when not", function()
    local loops = {}
    local it = page.new(function(_, in_loop)
      loops[#loops + 1] = in_loop or false
      return { #loops }, { headers = { ["elements-next-page-token"] = #loops < 3 and tostring(#loops) or nil } }
    end)
    it:next()
    it:step()
    assert.same({ 3 }, rows_of(it))
    assert.same({ false, false, true }, loops)
  end)
end)

describe("what stands beside the rows", function()
  it("is the total where the platform says it, kept over pages that do not", function()
    local it = page.new((list_of(THREE)))
    assert.is_nil(it.total)
    it()
    assert.equal(5, it.total)
    rows_of(it)
    assert.equal(5, it.total)
  end)

  it("is every remark of the platform's, in its order", function()
    local it = page.new((list_of {
      [""] = { rows = { 1 }, next = "b", warning = "cut to 100" }, b = { rows = { 2 }, next = "c" },
      c = { rows = celements.array {}, warning = "cut to 50" },
    }))
    assert.same({}, it.warnings)
    it()
    assert.same({ "cut to 100" }, it.warnings)
    rows_of(it)
    assert.same({ "cut to 100", "cut to 50" }, it.warnings)
  end)

  it("is the token that goes on, and what of the page is left", function()
    local it = page.new((list_of(THREE)))
    it()
    assert.same({ "b", 1 }, { it.next_page, it.left })
    it()
    assert.same({ "b", 0 }, { it.next_page, it.left })
    it()
    assert.same({ "c", 1 }, { it.next_page, it.left })
    rows_of(it)
    assert.is_nil(it.next_page)
    assert.equal(0, it.left)
  end)

  it("is what a limit kept back too, in the middle of a page", function()
    local it = page.new((list_of(THREE)), { limit = 3 })
    assert.same({ 0, 0 }, { it.count, it.left })
    assert.same({ 1, 2, 3 }, rows_of(it))
    assert.same({ 3, 1, "c" }, { it.count, it.left, it.next_page })
    assert.is_nil((it:step()))
    assert.same({ 3, 1 }, { it.count, it.left })
  end)

  it("is enough to go on later: the rest comes, each row once", function()
    for stop = 2, 4, 2 do -- a page's end: nothing is left of it
      local first = page.new((list_of(THREE)), { limit = stop })
      local rows = first:all()
      assert.equal(0, first.left)
      local second = page.new((list_of(THREE)), { page = first.next_page })
      for _, row in ipairs(second:all()) do
        rows[#rows + 1] = row
      end
      assert.same({ 1, 2, 3, 4, 5 }, rows)
    end
  end)

  it("is told by what it prints as", function()
    local it = page.new((list_of(THREE)))
    it()
    assert.equal("celements.Pages (1 rows so far)", tostring(it))
    local bad = page.new((list_of { [""] = { err = errors.new { kind = "server", message = "x" } } }))
    bad:step()
    assert.equal("celements.Pages (0 rows so far, failed)", tostring(bad))
  end)
end)

describe("a page that cannot be had", function()
  local FAILED = errors.new { kind = "server", message = "it broke", status = 500, request_id = "r2", attempts = 3 }
  local function broken()
    local fetch, asked = list_of { [""] = { rows = { 1, 2 }, next = "b" }, b = { err = FAILED } }
    return page.new(fetch), asked
  end

  it("raises, so that no loop takes it for the end", function()
    local it = broken()
    local rows = celements.array {}
    local fine, err = pcall(function()
      for row in it do
        rows[#rows + 1] = row
      end
    end)
    assert.is_false(fine)
    assert.equal(FAILED, err)
    assert.same({ "server", 500, "r2", 3 }, { err.kind, err.status, err.request_id, err.attempts })
    assert.same({ 1, 2 }, rows)
    assert.equal(FAILED, it.err)
  end)

  it("goes on raising, and is not asked for again", function()
    local it, asked = broken()
    it()
    it()
    for _ = 1, 3 do
      local fine, err = pcall(it)
      assert.same({ false, FAILED }, { fine, err })
      fine, err = pcall(it.next, it)
      assert.same({ false, FAILED }, { fine, err })
      assert.same({ nil, FAILED }, { it:step() })
      assert.same({ nil, FAILED }, { it:all() })
    end
    assert.same({ "", "b" }, asked)
  end)

  it("is nil and the error for those who ask with step() or all()", function()
    local it = broken()
    assert.equal(1, it:step())
    assert.same({ nil, FAILED }, { it:all() })
  end)

  it("can be tried again from its token, with no row lost or twice", function()
    local it = broken()
    local rows = { it(), it() }
    it:step()
    assert.equal("b", it.next_page)
    for _, row in ipairs(page.new((list_of(THREE)), { page = it.next_page }):all()) do
      rows[#rows + 1] = row
    end
    assert.same({ 1, 2, 3, 4, 5 }, rows)
  end)

  it("does not matter when the limit was reached before it", function()
    local fetch = list_of { [""] = { rows = { 1, 2 }, next = "b" }, b = { err = FAILED } }
    assert.same({ 1, 2 }, page.new(fetch, { limit = 2 }):all())
  end)

  it("has no effect on rows that were there before it", function()
    local it = broken()
    assert.equal(1, it())
    assert.equal(2, it())
    assert.is_nil(it.err)
  end)
end)

describe("a list that cannot be followed", function()
  local function fails(pages, options)
    local it = page.new((list_of(pages)), options)
    local rows, err = it:all()
    assert.is_nil(rows)
    assert.is_true(errors.is(err))
    return err, it
  end

  it("gives a token a second time, which is an error and no endless loop", function()
    local err, it = fails { [""] = { rows = { 1 }, next = "b" }, b = { rows = { 2 }, next = "b", id = "r9" } }
    assert.same({ "decode", "r9" }, { err.kind, err.request_id })
    assert.truthy(err.message:find("same page token twice", 1, true))
    assert.truthy(err.hint)
    assert.equal(1, it.count) -- the page that repeats brings nothing
    fails { [""] = { rows = celements.array {}, next = "b" }, b = { rows = celements.array {}, next = "c" }, c = { rows = celements.array {}, next = "b" } }
  end)

  it("gives a token a second time after many others, and none of those is taken for another", function()
    local function token(i)
      return ("%s%d%s"):format(i % 2 == 0 and "ab" or "ba", i, ("x"):rep(i % 300))
    end
    local count = 0
    local it = page.new(function()
      count = count + 1
      return { count }, { headers = { ["elements-next-page-token"] = count <= 3000 and token(count) or token(1500) } }
    end)
    local rows, err = it:all()
    assert.is_nil(rows)
    assert.equal(3001, count)
    assert.truthy(err.message:find("same page token twice", 1, true))
  end)

  it("gives the token that was gone on from", function()
    local _, it = fails({ b = { rows = { 1 }, next = "b" } }, { page = "b" })
    assert.equal(0, it.count)
    _, it = fails({ b = { rows = { 1 }, next = "c" }, c = { rows = { 2 }, next = "b" } }, { page = "b" })
    assert.equal(1, it.count)
  end)

  it("is none: a thing, a text or nothing in its place would look like its end", function()
    for _, rows in ipairs { true, "a text", 5, { contacts = { 1, 2 } }, { id = 5 }, {} } do
      local err = fails { [""] = { rows = rows, id = "r1" } }
      assert.same({ "decode", "the answer is not a list", "r1", 200 }, { err.kind, err.message, err.request_id, err.status })
    end
  end)
end)
