local catalogue = require "celements.sandbox.catalogue"
local json = require "celements.json"
local platform = require "spec.support.platform"
local text = require "celements.sandbox.text"

describe("an instance of the sandbox", function()
  local sandbox, instance, auth

  local function create(element)
    local _, made = sandbox:call("POST", "/instances",
      { json = { element = { key = element }, name = element, configuration = catalogue.credentials(element) } })
    return made
  end

  before_each(function()
    sandbox = platform.new()
    instance = create("typeform")
    auth = sandbox:element(instance.token)
  end)

  it("wants User and Element, and says which instance answered", function()
    local status, _, response = sandbox:call("GET", "/contacts", { auth = auth })
    assert.equal(200, status)
    assert.equal(("%d"):format(instance.id), response.headers["Elements-Element-Instance-Id"])
    for _, wrong in ipairs{
      "Element " .. instance.token, sandbox.account, sandbox:element("nonsense"),
      sandbox:element(text.encode(instance.token)), "User wrong, Element " .. instance.token,
      auth .. ", Organization wrong",
    } do
      assert.equal(401, (sandbox:call("GET", "/contacts", { auth = wrong })))
    end
    assert.equal(200, (sandbox:call("GET", "/contacts", { auth = sandbox.account .. ", Element " .. instance.token })))
  end)

  it("answers the same below any hub and none", function()
    local _, _, plain = sandbox:call("GET", "/contacts", { auth = auth })
    for _, hub in ipairs{ "documents", "crm", "nonsense" } do
      local _, _, response = sandbox:call("GET", ("/hubs/%s/contacts"):format(hub), { auth = auth })
      assert.equal(plain.body, response.body)
    end
  end)

  local function walk(query, first)
    local seen, pages, token = {}, 0, first
    repeat
      local status, rows, response = sandbox:call("GET",
        "/contacts?" .. query .. (token and "&nextPage=" .. text.encode(token) or ""), { auth = auth })
      assert.equal(200, status)
      assert.equal(("%d"):format(#rows), response.headers["Elements-Returned-Count"])
      assert.equal("450", response.headers["Elements-Total-Count"])
      for _, row in ipairs(rows) do
        assert.is_nil(seen[row.id])
        seen[row.id], seen[#seen + 1] = true, row.id
      end
      token, pages = response.headers["Elements-Next-Page-Token"], pages + 1
    until not token
    return seen, pages
  end

  it("pages through all its contacts, each once, and the last page has no token", function()
    local seen, pages = walk("pageSize=100")
    assert.equal(450, #seen)
    assert.equal(5, pages)
    seen, pages = walk("pageSize=150")   -- the last page is full: still no token after it
    assert.equal(450, #seen)
    assert.equal(3, pages)
  end)

  it("pages by number too, and past the end is nothing", function()
    local _, rows = sandbox:call("GET", "/contacts?pageSize=200&page=3", { auth = auth })
    assert.equal(50, #rows)
    assert.equal("401", rows[1].id)
    local _, none, response = sandbox:call("GET", "/contacts?pageSize=200&page=4", { auth = auth })
    assert.equal(0, #none)
    assert.is_nil(response.headers["Elements-Next-Page-Token"])
    assert.equal(400, (sandbox:call("GET", "/contacts?page=0", { auth = auth })))
  end)

  it("cuts a page to the provider's maximum, and says so", function()
    local _, rows, response = sandbox:call("GET", "/contacts?pageSize=500", { auth = auth })
    assert.equal(200, #rows)
    assert.truthy(response.headers["Elements-Error"]:find("500", 1, true))
    local _, _, within = sandbox:call("GET", "/contacts?pageSize=200", { auth = auth })
    assert.is_nil(within.headers["Elements-Error"])
  end)

  it("has contacts of its own, always the same", function()
    local _, one = sandbox:call("GET", "/contacts/7", { auth = auth })
    local _, again = sandbox:call("GET", "/hubs/documents/contacts/7", { auth = auth })
    assert.same(one, again)
    local other = create("abbyy")
    local _, theirs = sandbox:call("GET", "/contacts/7", { auth = sandbox:element(other.token) })
    assert.not_equal(one.email, theirs.email)
    local status, body = sandbox:call("GET", "/contacts/999", { auth = auth })
    assert.equal(404, status)
    assert.is_string(body.providerMessage)
  end)

  it("keeps a new contact", function()
    local status, made = sandbox:call("POST", "/contacts", { auth = auth, json = { firstName = "Zoë" } })
    assert.equal(200, status)
    local _, read = sandbox:call("GET", "/contacts/" .. made.id, { auth = auth })
    assert.equal("Zoë", read.firstName)
  end)

  local function ask(query)
    local list = {}
    for name, value in pairs(query) do
      list[#list + 1] = { name, value }
    end
    return sandbox:call("GET", text.add_query("/contacts", list), { auth = auth })
  end

  it("hands out the rows that a condition lets through, and counts them", function()
    local _, rows, response = ask{ where = "lastName = 'O''Brien' AND score < 10" }
    assert.equal("8", response.headers["Elements-Total-Count"])
    for _, row in ipairs(rows) do
      assert.equal("O'Brien", row.lastName)
      assert.is_true(row.score < 10)
    end
    local _, city = ask{ where = "`address.city` = 'Lyon'" }
    assert.equal(150, #city)
    assert.equal("Lyon", city[1].address.city)
  end)

  it("does not hand out rows for a condition it cannot evaluate", function()
    for _, where in ipairs{ "address.city = 'Lyon'", "colour = 'red'", "id", "id = 1 id = 2" } do
      local status, body = ask{ where = where }
      assert.equal(400, status, where)
      assert.is_string(body.message)
    end
  end)

  it("sorts, and shows only the fields that were asked for", function()
    local _, rows = ask{ orderBy = "score desc", fields = "id, score", pageSize = 5 }
    assert.same({ id = "99", score = 99 }, rows[1])
    assert.same({ id = "199", score = 99 }, rows[2])
    assert.equal(98, rows[5].score)
    for _, wrong in ipairs{ { orderBy = "colour" }, { orderBy = "id up" }, { fields = "id,colour" } } do
      assert.equal(400, (ask(wrong)))
    end
  end)

  it("keeps to the same condition from page to page", function()
    local where = "score >= 50"
    local _, _, response = ask{ where = where, pageSize = 100 }
    local token = response.headers["Elements-Next-Page-Token"]
    assert.equal(200, (ask{ where = where, pageSize = 100, nextPage = token }))
    assert.equal(400, (ask{ where = "score >= 51", pageSize = 100, nextPage = token }))
    assert.equal(400, (ask{ pageSize = 100, nextPage = token }))
  end)

  it("has no rows, or says so with 404 where a test wants that", function()
    local status, rows = ask{ where = "id = 'x'" }
    assert.equal(200, status)
    assert.equal(0, #rows)
    sandbox.model.options.empty_lists = "not_found"
    local body
    status, body = ask{ where = "id = 'x'" }
    assert.equal(404, status)
    assert.equal("No contacts found", body.message)
  end)

  it("counts all rows only when asked, where a test wants that", function()
    sandbox.model.options.total_count = "asked"
    local _, _, response = ask{ pageSize = 1 }
    assert.is_nil(response.headers["Elements-Total-Count"])
    _, _, response = ask{ pageSize = 1, returnTotalCount = "true" }
    assert.equal("450", response.headers["Elements-Total-Count"])
  end)

  it("leaves nulls out, until it is configured to show them", function()
    local _, hidden = sandbox:call("GET", "/contacts/5", { auth = auth })
    assert.is_nil(hidden.phone)
    sandbox:call("PATCH", ("/instances/%d"):format(instance.id),
      { json = { configuration = { ["filter.response.nulls"] = "false" } } })
    local _, shown = sandbox:call("GET", "/contacts/5", { auth = auth })
    assert.equal(json.null, shown.phone)
    local _, without = ask{ where = "phone IS NULL" }
    assert.equal(90, #without)
    assert.equal(json.null, without[1].phone)
  end)

  it("changes a contact in part, or puts another in its place", function()
    local _, before = sandbox:call("GET", "/contacts/7", { auth = auth })
    local _, patched = sandbox:call("PATCH", "/contacts/7", { auth = auth, json = { firstName = "Zoë", id = "8" } })
    assert.same({ "7", "Zoë", before.email }, { patched.id, patched.firstName, patched.email })
    assert.not_equal(before.lastModifiedDate, patched.lastModifiedDate)
    local _, put = sandbox:call("PUT", "/hubs/crm/contacts/7", { auth = auth, json = { lastName = "New" } })
    assert.is_nil(put.email)
    assert.equal(before.createdDate, put.createdDate)
    local _, read = sandbox:call("GET", "/contacts/7", { auth = auth })
    assert.same(put, read)
  end)

  it("forgets a contact, and never gives its id to another", function()
    assert.equal(200, (sandbox:call("DELETE", "/contacts/450", { auth = auth })))
    for _, method in ipairs{ "GET", "DELETE", "PATCH", "PUT" } do
      local body = (method == "PATCH" or method == "PUT") and {} or nil
      assert.equal(404, (sandbox:call(method, "/contacts/450", { auth = auth, json = body })))
    end
    local _, made = sandbox:call("POST", "/contacts", { auth = auth, json = { id = "7" } })
    assert.equal("451", made.id)
    local _, another = sandbox:call("POST", "/contacts", { auth = auth, json = {} })
    assert.equal("452", another.id)
    local _, _, response = ask{ pageSize = 1 }
    assert.equal("451", response.headers["Elements-Total-Count"])
  end)

  it("pings, and names its objects", function()
    local _, pong = sandbox:call("GET", "/hubs/documents/ping", { auth = auth })
    assert.is_true(pong.valid)
    local _, objects = sandbox:call("GET", "/objects", { auth = auth })
    assert.equal("contacts", objects[1])
    local _, helium = sandbox:call("GET", "/objects", { auth = auth, headers = { ["elements-version"] = "Helium" } })
    assert.same({ "contacts", "vendor" }, { helium[1].name, helium[1].type })
  end)

  it("describes the fields of an object", function()
    local _, metadata = sandbox:call("GET", "/objects/contacts/metadata", { auth = auth })
    local types = {}
    for _, field in ipairs(metadata.fields) do
      types[field.vendorPath] = field.type
    end
    assert.same({ "string", "number", "date" }, { types.email, types.score, types.createdDate })
    assert.equal(404, (sandbox:call("GET", "/objects/nosuch/metadata", { auth = auth })))
  end)

  it("that the provider has locked out says so in the provider's words", function()
    local path = ("/instances/%d"):format(instance.id)
    assert.equal(200, (sandbox:control("POST", path, { broken = "token revoked" })))
    local status, body = sandbox:call("GET", "/contacts", { auth = auth })
    assert.equal(401, status)
    assert.equal("token revoked", body.providerMessage)
    local _, shown = sandbox:call("GET", path)
    assert.is_false(shown.valid)
    assert.equal(200, (sandbox:control("POST", path, { broken = false })))
    assert.equal(200, (sandbox:call("GET", "/contacts", { auth = auth })))
  end)

  it("that is disabled says 403 to everything but its objects, until it is enabled again", function()
    local path = ("/instances/%d/enabled"):format(instance.id)
    assert.equal(200, (sandbox:call("DELETE", path)))
    local status, body = sandbox:call("GET", "/contacts", { auth = auth })
    assert.equal(403, status)
    assert.is_nil(body.providerMessage)
    assert.equal(403, (sandbox:call("GET", "/ping", { auth = auth })))
    assert.equal(200, (sandbox:call("GET", "/objects", { auth = auth })))
    local _, shown = sandbox:call("GET", ("/instances/%d"):format(instance.id))
    assert.is_true(shown.disabled)
    assert.equal(200, (sandbox:call("PUT", path)))
    assert.equal(200, (sandbox:call("GET", "/contacts", { auth = auth })))
  end)
end)
