--- What a person reads when connecting did not work out: what happened, and what to do.
-- Pure.  Owns the words, their HTTP status and the page around them.  A page has no
-- script, loads nothing and repeats nothing of the callback.

local M = {}

local unpack = table.unpack or unpack

-- Wide enough to read on a phone, in the colours that the user's system likes.
local STYLE = ":root{color-scheme:light dark;--text:#1b2430;--quiet:#55606e;--ground:#fff;--button:#0b5cad;--on:#fff;"
  .. "--focus:#b45309}"
  .. "@media(prefers-color-scheme:dark){:root{--text:#e8ecf1;--quiet:#a9b4c2;--ground:#14181e;--button:#8ec5ff;--on:#0b2239;"
  .. "--focus:#fbbf24}}"
  .. "body{margin:0;padding:2rem 1rem;background:var(--ground);color:var(--text);font:1.0625rem/1.6 system-ui,sans-serif}"
  .. "main{max-width:34rem;margin:8vh auto 0}"
  .. "h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}"
  .. "p{margin:0 0 1.25rem;overflow-wrap:anywhere}"
  .. "small{color:var(--quiet)}"
  .. "a{display:inline-block;min-height:2.75rem;box-sizing:border-box;padding:.55rem 1.25rem;border-radius:.375rem;"
  .. "background:var(--button);color:var(--on);font-weight:600;text-decoration:none}"
  .. "a:hover{text-decoration:underline}"
  .. ":focus-visible{outline:3px solid var(--focus);outline-offset:2px}"

-- The style's hash lets it in where everything else is kept out.
local POLICY = "default-src 'none'; style-src 'sha256-aekGJkpSUn237I1EV/mC3iZell5cdJbI7BtpVpXOcCE='; "
  .. "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
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

local START, RELOAD, NONE = "start", "reload", "none"

-- By the reason, one word that also goes to an application's failure page: status, title,
-- text, and what to offer.  %s is what the user wanted to connect.
local REASONS = {
  sign_in = { 401, "Please sign in first",
    "To connect %s we have to know whose account it will be. Sign in, then start again.", START },
  method = { 405, "This page cannot be used this way", "Open it as a link.", START },
  denied = { 403, "Nothing was connected",
    "You did not allow access to %s, so nothing has changed. You can start again whenever you want to.", START },
  expired = { 410, "This took too long",
    "For your safety, connecting %s has to be finished within some minutes. Please start again.", START },
  forged = { 403, "We cannot tell where this came from",
    "This address does not belong to anything that was begun here, so nothing was connected. Please start again.",
    START },
  other_browser = { 403, "Please finish where you began",
    "This was begun in another browser or too long ago, or this browser keeps no cookies. Nothing was connected. "
      .. "Please start again in this browser.", START },
  other_user = { 403, "Another user began this",
    "You are signed in as somebody else than the one who wanted to connect %s. Nothing was connected.", START },
  invalid = { 400, "This answer cannot be read",
    "What came back is damaged or incomplete. Nothing was connected. Please start again.", START },
  no_answer = { 400, "The answer has not reached us",
    "The address holds no answer. If there is something behind a # sign in your browser's address bar, the provider "
      .. "sent it to your browser only, and this connection has to be set up differently. Nothing was connected.",
    START },
  provider = { 502, "The provider reports a problem",
    "%s could not be connected: the provider did not allow it. Please start again; if this happens again, tell us.",
    START },
  platform = { 502, "This did not work right now",
    "%s could not be connected because a service that we need does not answer as it should. Please try again in a "
      .. "moment.", RELOAD },
  busy = { 503, "This is still going on", "Connecting %s takes longer than usual. Please look again in a moment.",
    RELOAD },
  storage = { 503, "This did not work right now",
    "Our own storage does not answer. What you allowed is not lost: please try again in a moment.", RELOAD },
  application = { 500, "Connected, but not finished",
    "%s is connected, but our application could not take it over. Please try again in a moment; if this happens "
      .. "again, tell us.", RELOAD },
  setup = { 500, "This is not set up correctly",
    "%s cannot be connected because of a mistake in our settings. We have been told.", NONE },
  internal = { 500, "Something went wrong", "This is our fault, and we have been told. Please try again.", START },
}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

--- A text between tags or inside an attribute's quotes, whatever it holds.
---@param text string
---@return string
function M.escape(text)
  text = text:gsub("[&<>\"']", ENTITIES):gsub("%c", " ")
  return text
end

local escape = M.escape

--- Is this one of the reasons?
---@param reason string
---@return boolean
function M.is_reason(reason)
  return REASONS[reason] ~= nil
end

--- Does asking for the same address again go on where it stopped?
---@param reason string
---@return boolean
function M.goes_on(reason)
  return REASONS[reason][4] == RELOAD
end

local function link(kind, places)
  if kind == RELOAD then
    return '<p><a href="">Try again</a></p>\n' -- this address once more, which nobody has to write down
  elseif kind == START and places.start then
    return ('<p><a href="%s">Start again</a></p>\n'):format(escape(places.start))
  end
  return ('<p><a href="%s">Go back</a></p>\n'):format(escape(places.home))
end

--- The page for a reason.
---@param reason string
---@param title string  what was to be connected
---@param places {start?: string, home: string}  local paths
---@param more? {said?: string, request_id?: string}  the provider's words; the platform's number of the call
---@return integer status
---@return table<string, string> headers
---@return string body
function M.build(reason, title, places, more)
  local status, heading, text, kind = unpack(REASONS[reason])
  more = more or {}
  local content = { ("<p>%s</p>\n"):format(escape((text:gsub("%%s", (title:gsub("%%", "%%%%")))))) }
  if more.said and more.said ~= "" then
    content[#content + 1] = ("<p>The provider says: %s</p>\n"):format(escape(more.said))
  end
  content[#content + 1] = link(kind, places)
  if more.request_id then
    content[#content + 1] = ("<p><small>Reference: %s</small></p>\n"):format(escape(more.request_id))
  end
  heading = escape(heading)
  local headers = M.headers()
  headers["Content-Type"] = "text/html; charset=utf-8"
  headers["Content-Security-Policy"] = POLICY
  headers["X-Content-Type-Options"] = "nosniff"
  if status == 405 then
    headers["Allow"] = "GET"
  elseif status == 503 then
    headers["Retry-After"] = "5"
  end
  return status, headers, PAGE:format(heading, STYLE, heading, table.concat(content))
end

--- What every answer carries: it is for this once, and tells nobody where it came from.
---@return table<string, string>
function M.headers()
  return { ["Cache-Control"] = "no-store", ["Referrer-Policy"] = "no-referrer" }
end

M.STYLE, M.POLICY = STYLE, POLICY

return M
