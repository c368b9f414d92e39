rockspec_format = "3.0"
package = "celements"
version = "scm-1"
source = {
  -- For whoever publishes the rock to set; `luarocks make` in a checkout does not ask.
  url = "git+https://example.org/celements.git",
}
description = {
  summary = "Provision element instances on the Cloud Elements Platform API",
  detailed = [[
The OAuth URL, the callback, the instance and its token, and authenticated calls
with it.  A C core on libcurl and lua-cjson; a sandbox that answers like the
platform comes along, to test against.]],
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1, < 5.5",
  "lua-cjson >= 2.1.0",
}
-- The library only: luarocks does not look for headers where Debian keeps this one,
-- and the compiler finds it anyway.
external_dependencies = {
  CURL = { library = "curl" },
}
build = {
  type = "builtin",
  modules = {
    ["celements.core"] = {
      sources = {
        "csrc/auth.c",
        "csrc/buf.c",
        "csrc/engine.c",
        "csrc/jsontext.c",
        "csrc/lcompat.c",
        "csrc/lcore.c",
        "csrc/lengine.c",
        "csrc/ljson.c",
        "csrc/lsecret.c",
        "csrc/lurl.c",
        "csrc/poller_epoll.c",
        "csrc/poller_poll.c",
        "csrc/redact.c",
        "csrc/trust.c",
        "csrc/url.c",
      },
      libraries = { "curl", "pthread" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
    ["celements.process"] = { "csrc/lprocess.c" },
    ["celements"] = "lua/celements.lua",
    ["celements.assert"] = "lua/celements/assert.lua",
    ["celements.base_url"] = "lua/celements/base_url.lua",
    ["celements.callback"] = "lua/celements/callback.lua",
    ["celements.ceql"] = "lua/celements/ceql.lua",
    ["celements.check"] = "lua/celements/check.lua",
    ["celements.client"] = "lua/celements/client.lua",
    ["celements.diagnostics"] = "lua/celements/diagnostics.lua",
    ["celements.element"] = "lua/celements/element.lua",
    ["celements.error"] = "lua/celements/error.lua",
    ["celements.failure"] = "lua/celements/failure.lua",
    ["celements.hint"] = "lua/celements/hint.lua",
    ["celements.hub"] = "lua/celements/hub.lua",
    ["celements.instance"] = "lua/celements/instance.lua",
    ["celements.instances"] = "lua/celements/instances.lua",
    ["celements.json"] = "lua/celements/json.lua",
    ["celements.json.diagnose"] = "lua/celements/json/diagnose.lua",
    ["celements.json.fault"] = "lua/celements/json/fault.lua",
    ["celements.json.look"] = "lua/celements/json/look.lua",
    ["celements.json.place"] = "lua/celements/json/place.lua",
    ["celements.json.token"] = "lua/celements/json/token.lua",
    ["celements.json.walk"] = "lua/celements/json/walk.lua",
    ["celements.loopback"] = "lua/celements/loopback.lua",
    ["celements.loopback.http"] = "lua/celements/loopback/http.lua",
    ["celements.many"] = "lua/celements/many.lua",
    ["celements.oauth"] = "lua/celements/oauth.lua",
    ["celements.once"] = "lua/celements/once.lua",
    ["celements.options"] = "lua/celements/options.lua",
    ["celements.page"] = "lua/celements/page.lua",
    ["celements.params"] = "lua/celements/params.lua",
    ["celements.proxy"] = "lua/celements/proxy.lua",
    ["celements.reauthenticate"] = "lua/celements/reauthenticate.lua",
    ["celements.redact"] = "lua/celements/redact.lua",
    ["celements.request"] = "lua/celements/request.lua",
    ["celements.retry"] = "lua/celements/retry.lua",
    ["celements.sandbox"] = "lua/celements/sandbox.lua",
    ["celements.sandbox.auth"] = "lua/celements/sandbox/auth.lua",
    ["celements.sandbox.body"] = "lua/celements/sandbox/body.lua",
    ["celements.sandbox.catalogue"] = "lua/celements/sandbox/catalogue.lua",
    ["celements.sandbox.ceql"] = "lua/celements/sandbox/ceql.lua",
    ["celements.sandbox.contacts"] = "lua/celements/sandbox/contacts.lua",
    ["celements.sandbox.describe"] = "lua/celements/sandbox/describe.lua",
    ["celements.sandbox.faults"] = "lua/celements/sandbox/faults.lua",
    ["celements.sandbox.instances"] = "lua/celements/sandbox/instances.lua",
    ["celements.sandbox.model"] = "lua/celements/sandbox/model.lua",
    ["celements.sandbox.options"] = "lua/celements/sandbox/options.lua",
    ["celements.sandbox.provider"] = "lua/celements/sandbox/provider.lua",
    ["celements.sandbox.proxies"] = "lua/celements/sandbox/proxies.lua",
    ["celements.sandbox.reply"] = "lua/celements/sandbox/reply.lua",
    ["celements.sandbox.router"] = "lua/celements/sandbox/router.lua",
    ["celements.sandbox.routes_account"] = "lua/celements/sandbox/routes_account.lua",
    ["celements.sandbox.routes_control"] = "lua/celements/sandbox/routes_control.lua",
    ["celements.sandbox.routes_elements"] = "lua/celements/sandbox/routes_elements.lua",
    ["celements.sandbox.routes_hub"] = "lua/celements/sandbox/routes_hub.lua",
    ["celements.sandbox.routes_instances"] = "lua/celements/sandbox/routes_instances.lua",
    ["celements.sandbox.routes_oauth"] = "lua/celements/sandbox/routes_oauth.lua",
    ["celements.sandbox.routes_parts"] = "lua/celements/sandbox/routes_parts.lua",
    ["celements.sandbox.routes_provider"] = "lua/celements/sandbox/routes_provider.lua",
    ["celements.sandbox.target"] = "lua/celements/sandbox/target.lua",
    ["celements.sandbox.text"] = "lua/celements/sandbox/text.lua",
    ["celements.sandbox.usage"] = "lua/celements/sandbox/usage.lua",
    ["celements.sandbox.view"] = "lua/celements/sandbox/view.lua",
    ["celements.store"] = "lua/celements/store.lua",
    ["celements.store.fault"] = "lua/celements/store/fault.lua",
    ["celements.store.memory"] = "lua/celements/store/memory.lua",
    ["celements.store.redis"] = "lua/celements/store/redis.lua",
    ["celements.store.sql"] = "lua/celements/store/sql.lua",
    ["celements.support"] = "lua/celements/support.lua",
    ["celements.types"] = "lua/celements/types.lua",
    ["celements.version"] = "lua/celements/version.lua",
    ["celements.wait"] = "lua/celements/wait.lua",
    ["celements.wait.block"] = "lua/celements/wait/block.lua",
  },
  platforms = {
    linux = {
      modules = {
        ["celements.core"] = { libraries = { "curl", "pthread", "dl" } },
      },
    },
  },
  copy_directories = {},
}
test = {
  type = "busted",
  flags = { "--helper=spec/helper.lua" },
}
