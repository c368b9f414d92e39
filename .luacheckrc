-- What luacheck knows of us.  Every warning is an error in `make lint`.
std = "min"   -- what all five Luas have ...
read_globals = {   -- ... and what some have, for code that asks first
  "unpack", "setfenv", "loadstring",
  table = { fields = { "unpack", "pack" } },
  math = { fields = { "type", "tointeger", "maxinteger", "mininteger" } },
  package = { fields = { "searchpath", "searchers", "loaders" } },
  "jit",
}
max_line_length = 132   -- where two panes end
max_comment_line_length = false
cache = "build/.luacheckcache"
exclude_files = { "build" }

files["spec"] = { std = "min+busted", max_line_length = false }
files["examples/openresty"] = { globals = { "ngx" } }
files["spec/support/nginx"] = { read_globals = { "ngx" } }
files["rockspec"] = { std = "rockspec" }
