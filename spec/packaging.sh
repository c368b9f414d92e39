#!/bin/sh
# spec/packaging.sh -- what a user gets: `make install`, the rock out of a checkout,
# and the rock as a server delivers it, each loaded where this checkout is not in sight.
#
# Needs no network: lua-cjson, a dependency of the rock, is declared to be there
# (it is Debian's), and the server is a directory.
set -u
cd "$(dirname "$0")/.." || exit 1
. spec/support/check.sh

WORK=$(mktemp -d)
trap 'rm -rf "$WORK" "$output"' EXIT
export HOME="$WORK/home" LUAROCKS_CONFIG="$WORK/luarocks.lua"
mkdir -p "$HOME"
echo 'rocks_provided = { ["lua-cjson"] = "2.1.0-1" }' >"$LUAROCKS_CONFIG"

# loads LUA SHARE LIB -- celements works from these two folders, cjson being the only
# other thing in sight.
loads() (
    v=$(echo "$1" | sed 's/^lua//; s/^jit$/5.1/')
    cjson=$("$1" -e 'for at in package.cpath:gmatch("[^;]+") do
        local path = at:gsub("%?", "cjson")
        local file = io.open(path)
        if file then print(path) break end
    end')
    mkdir -p "$WORK/cjson-$v"
    cp "$cjson" "$WORK/cjson-$v/cjson.so"
    cd "$WORK" || exit 1
    unset LUA_INIT
    LUA_PATH="$2/?.lua" LUA_CPATH="$3/?.so;$WORK/cjson-$v/?.so" "$1" - <<'END'
local celements = require "celements"
assert(celements._VERSION)
assert(celements.json.encode({ tags = celements.array {} }) == '{"tags":[]}')
assert(type(celements.new) == "function")
assert(require("celements.process").fork)
END
)

# seals LUA LIB -- celements.seal works from this folder, nothing else being in sight.
seals() (
    cd "$WORK" || exit 1
    unset LUA_INIT
    LUA_PATH=";" LUA_CPATH="$2/?.so" "$1" - <<'END'
local box = require("celements.seal").new(("k"):rep(32))
assert(box:open(box:seal("text", "context"), "context") == "text")
END
)

# same_files FOLDER FOLDER -- both hold the same files
same_files() {
    (cd "$1" && find . -type f | sort) >"$WORK/one"
    (cd "$2" && find . -type f | sort) >"$WORK/two"
    diff "$WORK/one" "$WORK/two"
}

empty() { [ -z "$(find "$1" -type f)" ]; }

installs() {
    make -s install LUA="$1" DESTDIR="$WORK/dest-$1" PREFIX=/opt/lua
}

for lua in lua5.1 lua5.2 lua5.3 lua5.4 luajit; do
    v=$(echo "$lua" | sed 's/^lua//; s/^jit$/5.1/')
    root=$WORK/dest-$lua
    check "make install works for $lua" installs "$lua"
    check "make install takes every Lua file ($lua)" same_files lua "$root/opt/lua/share/lua/$v"
    check "what make install put there loads in $lua" loads "$lua" "$root/opt/lua/share/lua/$v" "$root/opt/lua/lib/lua/$v"
    check "what make install put there seals in $lua" seals "$lua" "$root/opt/lua/lib/lua/$v"
    make -s uninstall LUA="$lua" DESTDIR="$root" PREFIX=/opt/lua
    check "make uninstall leaves no file ($lua)" empty "$root"
done

# luarocks builds in the folder it is started in, so it gets a copy of the sources.
mkdir "$WORK/celements" "$WORK/server"
cp -R csrc lua rockspec Makefile LICENSE "$WORK/celements/"

# makes ROCK VERSION
makes() (
    cd "$WORK/celements" || exit 1
    luarocks --lua-version="$2" --tree="$WORK/made-$2" make "rockspec/$1-scm-1.rockspec"
)

# packs ROCK -- the rock of a release, except that its sources come from a file here.
packs() (
    cd "$WORK" || exit 1
    rockspec=$1-scm-1.rockspec
    tar -czf celements.tar.gz celements
    sed "s|url = .*|url = \"file://$WORK/celements.tar.gz\", dir = \"celements\",|" "celements/rockspec/$rockspec" >"server/$rockspec"
    cd server || exit 1
    luarocks --lua-version=5.4 pack "$rockspec" && rm "$rockspec" && luarocks-admin --lua-version=5.4 make-manifest .
)

# delivers ROCK VERSION
delivers() (
    cd "$WORK" || exit 1
    luarocks --lua-version="$2" --tree="$WORK/served-$2" --only-server="$WORK/server" install "$1"
)

# no_libsodium FOLDER -- nothing in there asks for it
no_libsodium() {
    ! find "$1" -name '*.so' -exec readelf -d {} + | grep -i sodium
}

check "a source rock can be packed, and served from a folder" packs celements
check "so can the rock of what needs libsodium" packs celements-seal
for v in 5.1 5.4; do
    check "luarocks make builds the rock out of a checkout ($v)" makes celements $v
    check "what luarocks make built loads in lua$v" loads lua$v "$WORK/made-$v/share/lua/$v" "$WORK/made-$v/lib/lua/$v"
    check "it needs no libsodium ($v)" no_libsodium "$WORK/made-$v/lib/lua/$v"
    check "luarocks make builds celements-seal beside it ($v)" makes celements-seal $v
    check "what it built seals in lua$v" seals lua$v "$WORK/made-$v/lib/lua/$v"
    check "luarocks install takes the packed rock into an empty tree ($v)" delivers celements $v
    check "the packed rock loads in lua$v" loads lua$v "$WORK/served-$v/share/lua/$v" "$WORK/served-$v/lib/lua/$v"
    check "the packed rock holds every Lua file ($v)" same_files lua "$WORK/served-$v/share/lua/$v"
    check "luarocks install takes the packed celements-seal ($v)" delivers celements-seal $v
    check "the packed celements-seal seals in lua$v" seals lua$v "$WORK/served-$v/lib/lua/$v"
done
totals
