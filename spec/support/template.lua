--- Fills in the templates of documented samples with made-up values of the same kind,
-- the same for the same text.  They are picked to be awkward on the wire: whatever has
-- a meaning in a URL, in JSON or in a form is in one of them.

local M = {}

-- The first pattern that fits the lower-case text decides.
local KINDS = {
  { "tenant", "acme" }, { "domain", "acme" }, { "example", "acme" }, { "myconnectwise", "acme" },
  { "objectname", "orders" },
  { "true or false", "true" },
  { "minutes", "15" }, { "seconds", "28800" }, { "port", "2222" },
  { "%.scope ", "files.read files.write" },
  { "comma", "Account,Contact" },
  { "password", "P4ss+w/rd=&%25?#;!~ö" }, { "p@ssw", "P4ss+w/rd=&%25?#;!~ö" },
  { "secret", "s3cr+t/A=&%2B?#;:@[]'" },
  { "callback", "https://app.example.com/callback?shop=köln&plan=1+1%2F2" },
  { "redirect", "https://app.example.com/callback?shop=köln&plan=1+1%2F2" },
  { "ur[li]", "https://shop.example.com/a b/?x=y&z=(1)*" }, { "http", "http://shop.example.com" },
  { "token", "1/fFAGRNJru1FTz70BzhT3Zg+==" }, { "code", "4/P7q7W91a-oMsCeLvIaQm6bTrgtp7+/=" },
  { "return url", "4/P7q7W91a-oMsCeLvIaQm6bTrgtp7+/=" }, { "oauth", "v3r+f/er=" },
  { "key", "k3y-_.~0+/==" }, { "id$", "1f4e5c7a-9d2b@apps" }, { "email", "o'neil+crm@example.com" },
  { "name", "Köln & Söhne: 50 %" }, { "tag", "a tag / with #" },
}

local function made_up(text)
  text = text:lower()
  for _, kind in ipairs(KINDS) do
    if text:find(kind[1]) then
      return kind[2]
    end
  end
  return "some value: 1+1=2"
end

--- A text with its <TEMPLATES> and insert_templates filled in; two pages forgot the '>'.
---@param text string
---@return string
function M.fill(text)
  return (text:gsub("<%s*(%a[^<>]*)>", made_up):gsub("^<%s*(%a[^<>]*)$", made_up):gsub("^insert_(.+)$", made_up))
end

--- A decoded value, names and values filled in; it is changed in place and returned.
---@param value any
---@return any
function M.fill_in(value)
  if type(value) == "string" then
    return M.fill(value)
  elseif type(value) == "table" then
    local names = {}
    for name in pairs(value) do
      names[#names + 1] = name
    end
    for _, name in ipairs(names) do
      local inner = M.fill_in(value[name])
      value[name] = nil
      value[type(name) == "string" and M.fill(name) or name] = inner
    end
  end
  return value
end

return M
