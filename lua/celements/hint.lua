--- What to do about an error: one sentence for each refusal we can explain.
-- Pure.  Texts only; nothing here changes what happens.

local M = {}

local PROVIDER = "the provider refused, not the platform"

local function mentions(err, words)
  return err.message ~= nil and err.message:lower():find(words, 1, true) ~= nil
end

local function is_of_instance(err)
  return err.path == nil or err.path:find("^/instances") ~= nil or err.path:find("^/elements/[^/]+/instances") ~= nil
end

-- Everything else is a resource of an instance (platform 10), and wants its token.
local PLATFORM = {}
for name in ("elements instances hubs organizations users accounts usage audit-logs authentication formulas "
  .. "common-resources jobs v1alpha1 migrate-tokens"):gmatch("%S+") do
  PLATFORM[name] = true
end

local function is_of_platform(path)
  return path == nil or PLATFORM[path:match("^/([^/]*)")] == true
end

local function auth(err, place, call)
  if err.provider_message then
    return PROVIDER .. ": the user has to connect the account again, for client:reauthenticate()"
  end
  if place.missing and place.missing[1] then
    return ("no secrets were sent, since this client has no %s: set the environment (CELEMENTS_USER_SECRET, "
      .. "CELEMENTS_ORG_SECRET), or give the options to celements.new"):format(table.concat(place.missing, " and no "))
  end
  if place.swapped then
    return "user_secret has the form of an organization secret: the two are probably swapped"
  end
  if not call.element and not is_of_platform(err.path) then
    return "this path belongs to an instance: call it with client:instance(instance), or give element_token"
  end
  local secrets = "check user_secret and org_secret: they may be swapped, or belong to another region than "
    .. place.base_url
  if call.element then
    return "the instance may have been deleted, and its token with it, or this is its id and no token; else " .. secrets
  end
  return secrets
end

local function forbidden(err)
  if err.provider_message then
    return PROVIDER .. ": it forbids this to the connected user"
  elseif mentions(err, "disabled") then
    return "the instance is disabled; client:enable_instance() makes it work again"
  end
  return "the instance may be disabled, or the provider forbids this to the connected user"
end

local SIZE = "8 MB a payload, 6 GB a file"

local function invalid(err, _, call)
  if err.provider_message then
    return PROVIDER
  elseif is_of_instance(err) and mentions(err, "missing") or mentions(err, "required configuration") then
    local list = "client:required_configuration() lists what the element wants"
    local may_ask = err.method == "POST" and err.path == "/instances" and not call.checked
    return may_ask and list .. ", and check = true asks before anything is sent" or list
  elseif mentions(err, "content-type must be") then
    return "a body goes with this call: give a table, {} where there is nothing to say"
  elseif err.status == 405 then
    return "the element does not have this call; client:instance_docs() tells which it has"
  elseif err.status == 413 or err.status == 417 then
    return ("this is a size limit (%s), and trying again will not help"):format(SIZE)
  elseif err.status == 406 then
    return "the platform answers in JSON alone; leave the header Accept out"
  elseif err.status == 415 then
    return "the platform takes JSON here: give the body as a table, and leave the header Content-Type out"
  elseif err.path and err.path:find("^/elements/[^/]+/oauth/") then
    return "the element's own documentation says which of api_key, api_secret, scope, callback_url and site_address it wants"
  end
end

local function tls(err, place)
  if mentions(err, "wrong version number") then
    return ("what answers there does not speak TLS; check https:// and the port in base_url (%s)"):format(place.base_url)
  end
  if mentions(err, "subject name") or mentions(err, "host name") then
    return ("the certificate is for another host; check base_url (%s)"):format(place.base_url)
  end
  if place.ca_file then
    return ("trust was looked for in ca_file %s; it has to be a readable PEM file with the authority of this server")
      :format(place.ca_file)
  end
  local trust = place.trust and place.trust()
  if trust and trust.path then
    return ("trust was looked for in %s (%s); install the package ca-certificates, "
      .. "or set ca_file to a PEM file with the right authority"):format(trust.path, trust.why)
  end
  return "no trust store was found; install the package ca-certificates, or set ca_file to a PEM file"
end

local function timeout(err)
  if err.phase == "resolve" then
    return "the name server is slow or does not answer"
  elseif err.phase == "connect" then
    return "nothing answers at that address; a firewall may be in between"
  end
  return "set a larger timeout if the platform is known to be slow; creating an instance can take half a minute"
end

local function rate_limit(err)
  if err.retry_after then
    return ("try again after %.0f seconds"):format(err.retry_after)
  elseif err.provider_message then
    return PROVIDER .. ": it limits how often or how much it is asked"
  end
  return ("without Retry-After this is a size limit (%s), and trying again will not help"):format(SIZE)
end

local function conflict(err)
  if err.provider_message then
    return PROVIDER
  elseif err.method == "DELETE" and is_of_instance(err) then
    return "the instance is in use, for example by a formula: remove it there first"
  elseif err.method == "POST" then
    return "it is there already: look it up and change that"
  elseif err.method then
    return "what is there stands in the way: read it again, and change or remove that first"
  end
end

local function not_found(err)
  if err.message:find("^No element found") then
    return "element keys are those of GET /elements, such as hubspot or sfdc; they are case-sensitive"
  elseif err.path and err.path:find("^/usage/") then
    return "the record of a call comes some seconds after it; client:usage() can wait for it"
  elseif err.provider_message then
    return PROVIDER
  elseif err.path and err.path:find("^/instances/") then
    return "client:instances() lists the instances of this account, each with its id"
  end
end

local function server(err)
  if err.provider_message then
    return "the provider refused or failed; its own words are in provider_message"
  end
  return "the platform failed; its support can follow the request id"
end

local BY_KIND = {
  auth = auth,
  tls = tls,
  timeout = timeout,
  rate_limit = rate_limit,
  conflict = conflict,
  not_found = not_found,
  server = server,
  forbidden = forbidden,
  invalid = invalid,
  resolve = function(err, place)
    local proxy = mentions(err, "proxy") and place.proxy and place.proxy()
    if proxy then
      return "check the proxy: " .. proxy
    end
    return ("check the host in base_url (%s) and this machine's network"):format(place.base_url)
  end,
  connect = function(_, place)
    local proxy = place.proxy and place.proxy()
    if proxy then
      return "nothing answers there; check the proxy in use: " .. proxy
    end
    return ("nothing answers there; check base_url (%s)"):format(place.base_url)
  end,
  redirect = function()
    return "redirects are not followed, since the secrets would travel along; set base_url to the final host"
  end,
  too_large = function()
    return "ask for less at a time, or raise max_body"
  end,
  decode = function()
    return "a proxy or a login page may have answered in the platform's place; check base_url"
  end,
}

--- The hint for an error, or nil when there is nothing to add.
---@param err celements.Error
---@param place {base_url: string, proxy?: fun(): string?, ca_file?: string, missing?: string[], swapped?: boolean, trust?: fun(): table}
---@param call {element?: celements.Secret, checked?: boolean}  sent with an instance's token; after asking the catalogue
---@return string?
function M.of(err, place, call)
  local hint = BY_KIND[err.kind] and BY_KIND[err.kind](err, place, call)
  if err.outcome == "unknown" and err.method ~= "GET" and err.method ~= "HEAD" then
    local look = "look whether it was done before you send it again"
    return hint and hint .. "; " .. look or look
  end
  return hint
end

return M
