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
