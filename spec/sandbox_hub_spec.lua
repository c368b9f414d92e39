local catalogue = require "celements.sandbox.catalogue"
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

  it("does not hand out rows for a filter it cannot evaluate", function()
    assert.equal(400, (sandbox:call("GET", "/contacts?where=id%3D1", { auth = auth })))
  end)

  it("pings, and names its objects", function()
    local _, pong = sandbox:call("GET", "/hubs/documents/ping", { auth = auth })
    assert.is_true(pong.valid)
    local _, objects = sandbox:call("GET", "/objects", { auth = auth })
    assert.equal("contacts", objects[1])
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
