--- The sandbox for `demo`: says where it is and what its secrets are, and stays until its
-- standard input ends.
-- sandbox.lua FILE  writes FILE, lines of NAME=value, when it can be asked

require("celements.process").ignore "INT" -- Ctrl-C is for `demo` to handle

local sandbox = assert(require("celements").sandbox.start())
local file = assert(io.open(arg[1] .. ".new", "w"))
file:write("CELEMENTS_BASE_URL=", sandbox.url, "\n")
file:write("CELEMENTS_USER_SECRET=", sandbox.user_secret, "\n")
file:write("CELEMENTS_ORG_SECRET=", sandbox.org_secret, "\n")
file:close()
assert(os.rename(arg[1] .. ".new", arg[1]))
io.read "*a"
sandbox.stop()
