-- The vendor's page, filled in: what both sides of the benchmark send.

local CLIENT_ID = "123456789d-1234-12e4-bda9-12345b8bf20"
local PORTAL_ID = "123456"
local CALLBACK = "http://demonstrab.ly"

local M = {
  user_secret = "8Dj3qlXN5n0ZKVmvV4bJW2Zr9CbTQ1sYIuHkfLpE7aM=",
  org_secret = "5f2d0c1be4a64e7f9a3b8c7d6e5f4a3b",

  -- For celements.
  oauth = {
    element = "hubspot", api_key = CLIENT_ID, api_secret = PORTAL_ID,
    scope = "contacts-rw offline", callback_url = CALLBACK,
  },

  -- For the bare program: finished.
  get = "/elements/hubspot/oauth/url?apiKey=" .. CLIENT_ID .. "&apiSecret=" .. PORTAL_ID
    .. "&scope=contacts-rw%20offline&callbackUrl=http%3A%2F%2Fdemonstrab.ly",
  post = "/instances",

  -- For both: the page's instance.json.
  body = {
    element = { key = "hubspot" },
    providerData = {
      apikey = CLIENT_ID,
      access_token = "0bfe9ba5-cd38-4a8c-a6a2-3a9e5f2b7c11",
      refresh_token = "c5b0d5ea-2ba1-4b9d-8a55-7a1f0f3d9e02",
      expires_in = "28800",
    },
    configuration = {
      ["oauth.api.key"] = CLIENT_ID,
      ["oauth.api.secret"] = PORTAL_ID,
      ["oauth.callback.url"] = CALLBACK,
      ["oauth.scope"] = "contacts-rw+offline",
    },
    tags = { "my-tag" },
    name = "Test",
  },
}

M.authorization = "Authorization: User " .. M.user_secret .. ", Organization " .. M.org_secret

return M
