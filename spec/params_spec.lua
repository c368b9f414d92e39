local core = require "celements.core"
local null = require("celements.json").null
local params_of = require "celements.params"

describe("what is still a template's text", function()
  local function found(params)
    return params_of.placeholders(params)
  end

  it("is found wherever it stands, and named by its path", function()
    assert.same({ "configuration.oauth.api.key", "name", "tags[1]" }, found {
      element = "hubspot", name = "<INSERT_INSTANCE_NAME>", tags = { "<Add_Your_Tag>", "mine" },
      configuration = { ["oauth.api.key"] = "<INSERT HUBSPOT_OAUTH_CLIENT_ID>", ["oauth.api.secret"] = "123456" },
    })
    assert.same({ "element.key" }, found { element = { key = "<INSERT_ELEMENT>" } })
    assert.same({ "configuration.a.b[2].c" }, found { configuration = { a = { b = { "x", { c = "<X>" } } } } })
    assert.same({ "api_key" }, found { api_key = "<INSERT_KEY>" })
  end)

  it("is known by its form", function()
    for _, text in ipairs {
      "<INSERT_INSTANCE_NAME>", "<Insert_Client_ID>", "< app >", "<From Step 1>", "<domain>.crm.ondemand.com",
      "https://api-<MYCONNECTWISE.COM>/v4_6_release/apis/3.0", "sagecrm-0.<YOUR_TENANT>.com",
      "<http://mycoolstore.com>",
      "<true or false>", "<TEMPORARY_TOKEN_FROM_PREVIOUS_STEP", "<ACCESS_TOKEN RETURNED IN OAUTH EXCHANGE>",
      "<TIME FRAME IN WHICH REFRESH TOKEN EXPIRES (seconds)>", "  <minutes>",
    } do
      assert.same({ "x" }, found { x = text }, text)
    end
  end)

  it("is not confused with text that has angle brackets of its own", function()
    for _, text in ipairs {
      "", "plain", "a < b", "1 <2> 3", "<3", "x>'${date:yyyy-MM-dd}'", "where=a<'1' and b>'2'", "<b>bold</b>",
      "a<br/>b",
      "<root><child/></root>", "->", "name <me@example.com>",
    } do
      assert.same({}, found { x = text }, text)
    end
  end)

  it("is not looked for in names, numbers or null", function()
    assert.same({}, found { ["<NAME>"] = "x", a = 1, b = true, c = null })
  end)
end)

describe("nothing given", function()
  it("is nil, null or an empty text, and neither false nor 0", function()
    assert.is_true(params_of.is_absent(nil))
    assert.is_true(params_of.is_absent(null))
    assert.is_true(params_of.is_absent "")
    for _, value in ipairs { false, 0, " ", {} } do
      assert.is_false(params_of.is_absent(value))
    end
  end)
end)

describe("core.params", function()
  local RENAMES = { api_key = "apiKey", scopes = "scope" }
  local PLACES = { apiKey = 2, state = 1, element = false, post = 0 }

  it("copies parameters with the wire's names", function()
    local params = { api_key = "k", name = { api_key = "not renamed" }, flag = false, [""] = 0 }
    local copy = core.params.wire(params, RENAMES)
    assert.same({ apiKey = "k", name = { api_key = "not renamed" }, flag = false, [""] = 0 }, copy)
    assert.same({}, core.params.wire({}, RENAMES, {}))
  end)

  it("leaves to Lua what somebody has to hear about", function()
    assert.is_nil((core.params.wire("text", RENAMES)))
    assert.is_nil((core.params.wire({ "list" }, RENAMES)))
    assert.is_nil((core.params.wire({ [true] = "x" }, RENAMES)))
    assert.is_nil((core.params.wire({ api_key = "a", apiKey = "a" }, RENAMES)))
    assert.is_nil((core.params.wire({ api_key = "a", apiKey = false }, RENAMES)))
    local types = { apiKey = "string or number" }
    assert.is_table((core.params.wire({ api_key = 1, other = {} }, RENAMES, types)))
    assert.is_nil((core.params.wire({ api_key = true }, RENAMES, types)))
    assert.is_nil((core.params.wire({ apiKey = null }, RENAMES, types)))
  end)

  it("counts the items of a list, and nothing else", function()
    assert.equal(0, core.params.list({}, true))
    assert.equal(3, core.params.list({ "a", "", "c" }, true))
    local long = {}
    for i = 1, 40 do
      long[i] = tostring(i)
    end
    assert.equal(40, core.params.list(long, true))
    for _, odd in ipairs { "text", { 1 }, { "a", nil, "c" }, { "a", x = "y" }, { [0] = "a" }, { [2] = "b" }, { [1.5] = "a" }, { { "a" } },
      { "a", nil, "c", [1.5] = "b" } } do
      assert.is_nil((core.params.list(odd, true)))
    end
    assert.is_nil((core.params.list(nil, true)))
    assert.equal(3, core.params.list { "a", 1, {} })
    assert.is_nil((core.params.list { "a", nil, {} }))
    assert.is_nil((core.params.list { "a", x = 1 }))
  end)

  it("writes a usual query: places first, then the names, encoded", function()
    assert.equal("state=a%20b&apiKey=k%2F1&alpha=&b%3A=2&c=3", core.params.query({
      c = "3", ["b:"] = "2", alpha = "", api_key = "k/1", state = "a b", element = "e",
    }, RENAMES, PLACES))
    local text, word = core.params.query({}, RENAMES, PLACES)
    assert.equal("", text)
    assert.is_nil(word)
    word = select(2, core.params.query({ element = "My_element_25" }, RENAMES, PLACES))
    assert.equal("My_element_25", word)
  end)

  it("leaves any other query to Lua", function()
    for _, odd in ipairs {
      { post = "true" }, { a = 1 }, { a = true }, { a = { "x" } }, { "x" }, { element = { key = "e" } }, { api_key = "a", apiKey = "a" },
      { a = "x+y" }, { a = "x%20y" }, { a = "<INSERT>" }, { a = "x\n" }, { a = "\0" }, { a = "\195\169" }, { a = "\127" }, { ["a<"] = "x" },
      { a = ("x"):rep(2100) }, { a = (" "):rep(700) }, { element = "" }, { element = ".." }, { element = "a/b" },
      { element = "a b" }, { element = ("e"):rep(65) },
    } do
      assert.is_nil((core.params.query(odd, RENAMES, PLACES)))
    end
    assert.is_nil((core.params.query(nil, RENAMES, PLACES)))
    local many = {}
    for i = 1, 16 do
      many["p" .. i] = "v"
    end
    assert.is_string(core.params.query(many, RENAMES, PLACES))
    many.p17 = "v"
    assert.is_nil((core.params.query(many, RENAMES, PLACES)))
  end)
end)
