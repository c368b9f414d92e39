--- The provider's consent page: GET shows it, POST decides and sends the user on.

local catalogue = require "celements.sandbox.catalogue"
local reply = require "celements.sandbox.reply"
local text = require "celements.sandbox.text"

-- Readable on a phone, in the colours that the user's system likes.
local STYLE = ":root{color-scheme:light dark;--button:#0b4da2;--text:#fff}"
  .. "@media(prefers-color-scheme:dark){:root{--button:#9cc7ff;--text:#06172e}}"
  .. "body{font:1.0625rem/1.6 system-ui,sans-serif;margin:0;padding:2rem 1.25rem}"
  .. "main{max-width:34rem;margin:6vh auto 0}h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}"
  .. "dt{font-weight:600}dd{margin:0 0 1rem;overflow-wrap:anywhere}"
  .. "button{font:inherit;font-weight:600;border:2px solid var(--button);border-radius:.5rem;padding:.6rem 1.25rem;"
  .. "margin:.5rem .75rem 0 0;background:none;color:inherit;cursor:pointer}"
  .. "button[value=approve]{background:var(--button);color:var(--text)}"
  .. ":focus-visible{outline:3px solid var(--button);outline-offset:3px}"

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title>
<style>%s</style>
</head>
<body>
<main>
<h1>%s</h1>
%s</main>
</body>
</html>
]]

local FORM = [[
<p>An application asks for access to your account at the make-believe %s of the celements sandbox.</p>
<dl>
<dt>You will be sent back to</dt><dd>%s</dd>
<dt>It asks for</dt><dd>%s</dd>
</dl>
<form method="post">
<button type="submit" name="decision" value="approve">Approve</button>
<button type="submit" name="decision" value="deny">Deny</button>
</form>
]]

local function page(status, title, content)
  return reply.html(status, PAGE:format(title, STYLE, title, content))
end

local function problem(message)
  return page(400, "This does not work", ('<p role="alert">%s</p>\n'):format(text.html(message)))
end

local function first_values(lists)
  local values = {}
  for name, list in pairs(lists) do
    values[name] = list[1]
  end
  return values
end

local function with_attempt(call, use)
  local element = catalogue.find(call.params.key)
  local authentication = element and element.types[element.default_type]
  if not authentication or not authentication.consent then
    return problem("There is no such provider.")
  end
  local attempt, message = call.model.provider:attempt(element, authentication, first_values(call.query))
  if not attempt then
    return problem(message)
  end
  return use(attempt, element)
end

local function show(call)
  return with_attempt(call, function(attempt, element)
    local name = text.html(element.name)
    return page(200, "Connect your " .. name .. " account",
      FORM:format(name, text.html(attempt.callback), text.html(attempt.scope or "access to your data")))
  end)
end

local function decide(call)
  local form = text.parse_query(call.request.body)
  local decision = form and form.decision and form.decision[1]
  if decision ~= "approve" and decision ~= "deny" then
    return problem("Please approve or deny.")
  end
  return with_attempt(call, function(attempt)
    local response = reply.html(302, "")
    response.headers.Location = text.add_query(attempt.callback, attempt.finish(decision == "approve"))
    return response
  end)
end

return function(add)
  add("GET", "/provider/{key}/authorize", { page = true }, show)
  add("POST", "/provider/{key}/authorize", { page = true }, decide)
end
