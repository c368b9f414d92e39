local celements = require "celements"
local ceql = require "celements.ceql"
local platform = require "celements.sandbox.ceql"
local raises = require "spec.support.raises"

local where = ceql.where

describe("a field that is a word of the language", function()
  it("stands in back-quotes", function()
    assert.equal("`in` = 1", where("in", "=", 1))
    assert.equal("`Null` IS NULL", where("Null", "IS"))
    assert.equal("index = 1", where("index", "=", 1))
  end)
end)

describe("a condition", function()
  it("is a field, an operator and a quoted value", function()
    assert.equal("LastModifiedDate > '2026-01-31T00:00:00Z'", where("LastModifiedDate", ">", "2026-01-31T00:00:00Z"))
    for _, operator in ipairs { "=", "!=", "<", ">", "<=", ">=" } do
      assert.equal("a " .. operator .. " 'b'", where("a", operator, "b"))
    end
    assert.equal("a LIKE '%b%'", where("a", "like", "%b%"))
  end)

  it("has numbers and truth values bare, and integers whole", function()
    assert.equal("a = 5", where("a", "=", 5))
    assert.equal("a = 5", where("a", "=", 5.0))
    assert.equal("a = -0.5", where("a", "=", -0.5))
    assert.equal("a = 1000000000000000", where("a", "=", 1e15))
    assert.equal("a = 0.1", where("a", "=", 0.1))
    assert.equal("a = 0.30000000000000004", where("a", "=", 0.1 + 0.2))
    assert.equal("a = true", where("a", "=", true))
    assert.equal("a != false", where("a", "!=", false))
    assert.equal("a = ''", where("a", "=", ""))
    if math.type then
      assert.equal("a = 9007199254740993", where("a", "=", 9007199254740993))
    end
  end)

  it("protects a field with a dot, and any other that is not a plain name", function()
    assert.equal("`address.city` = 'x'", where("address.city", "=", "x"))
    assert.equal("`two words` = 'x'", where("two words", "=", "x"))
    assert.equal("`1st` = 'x'", where("1st", "=", "x"))
    assert.equal("_a9 = 'x'", where("_a9", "=", "x"))
    assert.equal("`a' OR 'b` = 'x'", where("a' OR 'b", "=", "x"))
    assert.equal("`Größe` = 'x'", where("Größe", "=", "x"))
  end)

  it("has lists, and tests for null", function()
    assert.equal("key IN ('a', 'b')", where("key", "IN", { "a", "b" }))
    assert.equal("n IN (1, 2.5, 'x')", where("n", "in", { 1, 2.5, "x" }))
    assert.equal("a IS NULL", where("a", "IS"))
    assert.equal("`a.b` IS NULL", where("a.b", "is"))
  end)

  it("cannot be broken out of by a value", function()
    assert.equal("name = 'O''Brien'", where("name", "=", "O'Brien"))
    assert.equal("name = ''''", where("name", "=", "'"))
    assert.equal("name = ''' OR ''1''=''1'", where("name", "=", "' OR '1'='1"))
    assert.equal("name IN ('x'') OR (''1''=''1')", where("name", "IN", { "x') OR ('1'='1" }))
    assert.equal("name = '`a` AND \\'''", where("name", "=", "`a` AND \\'"))
  end)

  it("means to who reads it what it meant to who wrote it, whatever the value", function()
    local rows, odd = {}, {
      "plain", "O'Brien", "''", "' OR '1'='1", "a\\'b", "`", "%", "_", "ü€😀", " spaces ", "AND", ") OR (id = '1'", "--", ";",
    }
    for i, name in ipairs(odd) do
      rows[i] = { name = name, id = i }
    end
    local function known()
      return true
    end
    for i, name in ipairs(odd) do
      for _, condition in ipairs {
        where("name", "=", name), where("name", "IN", { "no", name }), ceql.all(where("name", "=", name), where("id", ">", 0)),
        ceql.any(where("name", "=", name), where("id", "<", 0)),
      } do
        local found, problem = platform.filter(rows, condition, known)
        assert(found, problem)
        assert.same({ { name = name, id = i } }, found, condition)
      end
      assert.equal(#odd - 1, #assert(platform.filter(rows, where("name", "!=", name), known)))
    end
  end)

  it("is encoded whole when it is sent, the % of LIKE too", function()
    local core = require "celements.core"
    assert.equal("where=a%20LIKE%20%27%25b%25%27", core.url.query({ "where", where("a", "LIKE", "%b%") }, 2))
  end)

  it("raises at the caller's line for what it cannot say", function()
    for _, case in ipairs {
      { { "a", "~", "b" }, "the operator has to be one of = != < > <= >= LIKE IN IS" },
      { { "a", "= 1 OR b =", "c" }, "the operator has to be one of = != < > <= >= LIKE IN IS" },
      { { "a", nil, "b" }, "the operator has to be a string, not a nil" },
      { { 1, "=", "b" }, "a field has to be a string, not a number" },
      { { "", "=", "b" }, "a field's name cannot be empty or hold a back-quote or a control character" },
      { { "a`b", "=", "b" }, "a field's name cannot be empty or hold a back-quote or a control character" },
      { { "a.\n", "=", "b" }, "a field's name cannot be empty or hold a back-quote or a control character" },
      { { "a", "=" }, "the value of a condition has to be a string or number or boolean, not a nil" },
      { { "a", "=", {} }, "the value of a condition has to be a string or number or boolean, not a table" },
      { { "a", "=", "b\0" }, "the value of a condition holds a control character" },
      { { "a", "=", "b\r\nX: y" }, "the value of a condition holds a control character" },
      { { "a", "=", 0 / 0 }, "the value of a condition has to be a finite number" },
      { { "a", "=", -math.huge }, "the value of a condition has to be a finite number" },
      { { "a", "=", 2 ^ 60 }, "the value of a condition is beyond 2^53 and may have been rounded already: give it as text" },
      { { "a", "IN", { 1, nil, 3 } }, "the value of IN has a hole: item 2 of 3 is nil" },
      { { "a", "IN", "b" }, "the value of IN has to be a table, not a string" },
      { { "a", "IN", {} }, "IN needs at least one value" },
      { { "a", "IN", { {} } }, "the value of a condition has to be a string or number or boolean, not a table" },
      { { "a", "IN", { "b\n" } }, "the value of a condition holds a control character" },
      { { "a", "IS", "b" }, "IS stands for IS NULL and takes no value" },
    } do
      local given = case[1]
      assert.equal(case[2], raises(function()
        local text = where(given[1], given[2], given[3])
        return text, nil
      end))
    end
  end)
end)

describe("conditions", function()
  local a, b, c = where("a", "=", 1), where("b", "=", 2), where("c", "=", 3)

  it("join by AND and by OR, and keep together what was joined before", function()
    assert.equal("a = 1 AND b = 2 AND c = 3", ceql.all(a, b, c))
    assert.equal("a = 1 OR b = 2", ceql.any(a, b))
    assert.equal("a = 1 AND (b = 2 OR c = 3)", ceql.all(a, ceql.any(b, c)))
    assert.equal("(a = 1 AND b = 2) OR c = 3", ceql.any(ceql.all(a, b), c))
    assert.equal("a = 1", ceql.all(a))
    assert.equal("a = 1", ceql.any(a))
  end)

  it("of the caller's own keep together, however they are written", function()
    assert.equal("(x = 1 or y = 2) AND a = 1", ceql.all("x = 1 or y = 2", a))
    assert.equal("(x = 1\nOR\ty = 2) AND a = 1", ceql.all("x = 1\nOR\ty = 2", a))
    assert.equal("((x = 1)or(y = 2)) AND a = 1", ceql.all("(x = 1)or(y = 2)", a))
    assert.equal("(x = 'a'Or y = 2) AND a = 1", ceql.all("x = 'a'Or y = 2", a))
    assert.equal("vendor = 'sand' AND a = 1", ceql.all("vendor = 'sand'", a))
  end)

  it("raise at the caller's line when there is none, or one is no text", function()
    for _, join in ipairs { ceql.all, ceql.any } do
      assert.equal("there is no condition to join", raises(function()
        local text = join()
        return text, nil
      end))
      assert.equal("a condition has to be a string, not a table", raises(function()
        local text = join(a, { "b", "=", 2 })
        return text, nil
      end))
      assert.equal("a condition has to be a string, not a nil", raises(function()
        local text = join(a, nil, b)
        return text, nil
      end))
    end
  end)

  it("are functions of the face too", function()
    assert.equal(ceql.where, celements.where)
    assert.equal(ceql.all, celements.all)
    assert.equal(ceql.any, celements.any)
  end)
end)
