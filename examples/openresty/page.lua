--- The page of the application: what a user has connected, and a button to connect more.
-- Pure: text in, text out.  Everything that comes from elsewhere is escaped.

local M = {}

-- Blue on white and its like on black have a contrast of more than 7 to 1.
local STYLE = [[
:root { color-scheme: light dark; --line: #8888; --button: #0b4da2; --text: #fff }
@media (prefers-color-scheme: dark) { :root { --button: #9cc7ff; --text: #06172e } }
body { font: 1.0625rem/1.6 system-ui, sans-serif; margin: 0; padding: 1.5rem 1rem 3rem }
main { max-width: 40rem; margin: 0 auto }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 0 }
h2 small { font-weight: normal }
p { margin: .5rem 0 1rem }
section { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 1.25rem 0 }
ul { list-style: none; margin: .75rem 0 0; padding: 0 }
li { border-top: 1px solid var(--line); padding: .5rem 0; overflow-wrap: anywhere }
li span { display: block; font-size: .9375rem; opacity: .85 }
.button { display: inline-block; font: inherit; font-weight: 600; border: 0; border-radius: .5rem; padding: .7rem 1.25rem;
  background: var(--button); color: var(--text); text-decoration: none; cursor: pointer }
.button:hover { text-decoration: underline }
:focus-visible { outline: 3px solid var(--button); outline-offset: 3px }
]]

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your accounts</title>
<style>%s</style>
</head>
<body>
<main>
<h1>Your accounts</h1>
%s<p><a class="button" href="/connect/hubspot">Connect %sHubSpot%s</a></p>
</main>
</body>
</html>
]]

-- Named, so that who jumps from region to region or from heading to heading can tell them apart.
local ACCOUNT = [[
<section aria-labelledby="account-%s">
<h2 id="account-%s">%s <small>instance %s</small></h2>
]]

local NONE = "<p>You have not connected an account yet.</p>\n"

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function html(value)
  return (tostring(value):gsub("[&<>\"']", ENTITIES))
end

local function contact_line(contact)
  local name = ("%s %s"):format(contact.firstName or "", contact.lastName or ""):match("^%s*(.-)%s*$")
  return ("<li>%s<span>%s</span></li>\n"):format(html(name ~= "" and name or "Without a name"), html(contact.email or ""))
end

-- One account: its contacts, or why they cannot be shown.
local function section(account)
  local id = html(account.id)
  local parts = { ACCOUNT:format(id, id, html(account.name), id) }
  if account.problem then
    parts[#parts + 1] = ('<p role="alert">Its contacts cannot be shown now: %s</p>\n'):format(html(account.problem))
  elseif #account.contacts == 0 then
    parts[#parts + 1] = "<p>It has no contacts.</p>\n"
  else
    parts[#parts + 1] = "<p>Its first contacts:</p>\n<ul>\n"
    for _, contact in ipairs(account.contacts) do
      parts[#parts + 1] = contact_line(contact)
    end
    parts[#parts + 1] = "</ul>\n"
  end
  return table.concat(parts) .. "</section>\n"
end

--- The page.
---@param accounts {name: string, id: integer, contacts?: table[], problem?: string}[]
---@return string
function M.build(accounts)
  local sections = {}
  for i, account in ipairs(accounts) do
    sections[i] = section(account)
  end
  local another = #accounts > 0
  return PAGE:format(STYLE, another and table.concat(sections) or NONE, another and "another " or "", another and " account" or "")
end

return M
