rockspec_format = "3.0"
package = "celements-seal"
version = "scm-1"
source = {
  -- For whoever publishes the rock to set; `luarocks make` in a checkout does not ask.
  url = "git+https://example.org/celements.git",
}
description = {
  summary = "Sealed texts for celements: stores at rest, and the OAuth flow in nginx",
  detailed = [[
XChaCha20-Poly1305 of libsodium, with key rotation.  A rock of its own, since only
what keeps tokens or runs the OAuth flow in nginx needs libsodium.]],
  license = "MIT",
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1, < 5.5",
}
-- The library only, as in the rockspec of celements.
external_dependencies = {
  SODIUM = { library = "sodium" },
}
build = {
  type = "builtin",
  modules = {
    ["celements.seal"] = {
      sources = {
        "csrc/buf.c",
        "csrc/lcompat.c",
        "csrc/lseal.c",
        "csrc/seal.c",
      },
      libraries = { "sodium" },
      incdirs = { "$(SODIUM_INCDIR)" },
      libdirs = { "$(SODIUM_LIBDIR)" },
    },
  },
  platforms = {
    linux = {
      modules = {
        ["celements.seal"] = { libraries = { "sodium", "dl" } },
      },
    },
  },
  copy_directories = {},
}
