local ceql = require "celements.sandbox.ceql"
local json = require "celements.json"

describe("the sandbox's where", function()
  local rows = {
    { id = 1, name = "Ada", tags = "a", score = 10, home = { city = "London" }, ["flat.key"] = "x" },
    { id = 2, name = "O'Brien", tags = "b", score = 9, home = { city = "Århus" }, active = true },
    { id = 3, name = "100 %", score = "30", home = json.null, active = false },
    { id = 4, name = "", tags = json.null, score = 2.5 },
  }
  local FIELDS = {
    id = true, name = true, tags = true, score = true, active = true, ["home.city"] = true, ["flat.key"] = true,
  }

  local function known(field)
    return FIELDS[field] or false
  end

  local function ids(where)
    local kept, message = ceql.filter(rows, where, known)
    if not kept then
      return message
    end
    local list = {}
    for i, row in ipairs(kept) do
      list[i] = row.id
    end
    return table.concat(list, " ")
  end

  for where, expected in pairs{
    ["name = 'Ada'"] = "1",
    ["name='Ada'"] = "1",
    ["name = 'O''Brien'"] = "2",
    ["name = ''"] = "4",
    ["name != 'Ada'"] = "2 3 4",
    ["score > 9"] = "1 3",
    ["score >= '9'"] = "1 2 3",   -- numbers in quotes are numbers still
    ["score < 2.6"] = "4",
    ["score <= 9"] = "2 4",
    ["id > -1"] = "1 2 3 4",
    ["name > 'B'"] = "2",
    ["name LIKE '%Brien'"] = "2",
    ["name like 'A%'"] = "1",
    ["name LIKE 'a%'"] = "",
    ["name LIKE '%.%'"] = "",   -- a dot is a dot
    ["name LIKE '%'"] = "1 2 3 4",
    ["id IN (1, 3)"] = "1 3",
    ["name in ('Ada','O''Brien')"] = "1 2",
    ["tags IS NULL"] = "3 4",
    ["tags = 'a'"] = "1",
    ["tags != 'a'"] = "2",   -- null is neither
    ["active = true"] = "2",
    ["active = 'true'"] = "2",
    ["active = FALSE"] = "3",
    ["`home.city` = 'London'"] = "1",
    ["`flat.key` = 'x'"] = "1",
    ["`name` = 'Ada'"] = "1",
    ["id = 1 OR id = 2 AND name = 'Ada'"] = "1",   -- AND binds closer
    ["(id = 1 OR id = 2) AND score < 10"] = "2",
    ["((id = 1))"] = "1",
    ["id = 1 and score = 10 or id = 4"] = "1 4",
  } do
    it("lets through " .. (expected == "" and "nothing" or expected) .. " for " .. where, function()
      assert.equal(expected, ids(where))
    end)
  end

  for where, reason in pairs{
    [""] = "where: field expected, not its end",
    ["WHERE id = 1"] = "where: there is no field WHERE",
    ["colour = 'red'"] = "where: there is no field colour",
    ["home.city = 'London'"] = "not understood at \".city",
    ["id"] = "where: an operator expected, not its end",
    ["id ="] = "where: value expected, not its end",
    ["id == 1"] = "where: value expected, not =",
    ["id <> 1"] = "where: value expected, not >",
    ["id = 1 name = 'x'"] = "where: AND or OR expected, not name",
    ["id IN ()"] = "where: value expected, not )",
    ["id IN (1, 2"] = "where: ) expected, not its end",
    ["id IN 1"] = "where: ( expected, not 1",
    ["(id = 1"] = "where: ) expected, not its end",
    ["id IS NOT NULL"] = "where: NULL expected, not NOT",
    ["NOT id = 1"] = "where: there is no field NOT",
    ["name = 'Ada"] = "not understood at \"'Ada",
    ["name = 'a''b"] = "not understood at \"'a''b",
    ["name = \"Ada\""] = "not understood at",
    ["active = NULL"] = "where: value expected, not NULL",
    ["id = name"] = "where: value expected, not name",
    ["id = false )"] = "where: AND or OR expected, not )",
  } do
    it("refuses " .. (where == "" and "an empty text" or where), function()
      local message = ids(where)
      assert.truthy(message:find(reason, 1, true), message)
    end)
  end

  it("sorts by a field either way, null last, equals in their order", function()
    local function order(by)
      local sorted, message = ceql.sort(rows, by, known)
      if not sorted then
        return message
      end
      local list = {}
      for i, row in ipairs(sorted) do
        list[i] = row.id
      end
      return table.concat(list, " ")
    end
    assert.equal("4 3 1 2", order("name"))
    assert.equal("2 1 3 4", order("name desc"))
    assert.equal("1 2 3 4", order("tags asc"))
    assert.equal("2 1 3 4", order("tags DESC"))
    assert.equal("1 2 3 4", order("`home.city`"))
    for _, wrong in ipairs{ "", "colour", "name up", "name desc, id" } do
      assert.truthy(order(wrong):find("orderBy is not understood", 1, true))
    end
    assert.equal(rows, ceql.sort(rows, nil, known))
  end)

  it("shows only the fields that are named", function()
    local selected = ceql.select(rows, "id,`home.city`", known)
    assert.same({ id = 1, ["home.city"] = "London" }, selected[1])
    assert.same({ id = 4 }, selected[4])
    local _, message = ceql.select(rows, "id,colour", known)
    assert.equal("fields: there is no field colour", message)
  end)
end)
