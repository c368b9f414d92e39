#!/bin/sh
# spec/lint.sh -- what can be told without running: luacheck, two compilers with
# every warning an error, the shape of the C files, and a few rules of our own.
set -u
cd "$(dirname "$0")/.." || exit 1
. spec/support/check.sh

LUAS="lua5.1 lua5.2 lua5.3 lua5.4 luajit"
BUILD=build/lint

# Compiles every C file with warnings as errors: compile CC LUA [VARIANT]
compile() {
    make -s -j2 all CC="$1" LUA="$2" VARIANT="${3-}" CFLAGS="-O2 -Werror" OUT="$BUILD/$1-$2-${3-}"
}

# The programs of the bench are no part of the build.
bench_compiles() {
    # shellcheck disable=SC2046  # flags
    "$1" -std=c99 -O2 -fsyntax-only -Wall -Wextra -Werror $(pkg-config --cflags lua5.4 libcurl) bench/*.c
}

# A module shows the world its opener and nothing else.
only_openers_visible() {
    for module in core process seal; do
        shown=$(nm -D --defined-only "$BUILD/gcc-lua5.4-/celements/$module.so" | cut -d' ' -f3)
        echo "$module.so: $shown"
        [ "$shown" = "luaopen_celements_$module" ] || return 1
    done
}

# absent PATTERN PATH... -- no line matches
absent() {
    pattern=$1
    shift
    ! grep -rnE "$pattern" "$@"
}

# Light userdata break on ARM64; a static variable that can change is shared by all
# Lua states of a process.
no_mutable_statics() {
    # .data.rel.ro holds constants that only the loader writes.  libcurl's once-per-process
    # start needs a flag, and the fork handler a count, in runtime.c.
    nm -f sysv -A "$BUILD"/gcc-lua5.4-/obj/*.o | tr -d ' ' | grep '|OBJECT|' |
        grep -E '\.bss|\.data' | grep -v '\.data\.rel\.ro' |
        grep -vE '/runtime\.o:(init_flag|generation)\|' >"$BUILD/mutable"
    cat "$BUILD/mutable"
    [ -e "$BUILD/gcc-lua5.4-/obj/runtime.o" ] && ! [ -s "$BUILD/mutable" ]
}

mkdir -p "$BUILD"
check "luacheck finds nothing" luacheck -q --no-color lua spec examples bench rockspec/*.rockspec docs
for lua in $LUAS; do
    check "gcc has no warning ($lua)" compile gcc "$lua"
    check "clang has no warning ($lua)" compile clang "$lua"
done
check "gcc has no warning (lua5.4, poll)" compile gcc lua5.4 poll
check "clang has no warning (lua5.4, poll)" compile clang lua5.4 poll
check "gcc has no warning (bench)" bench_compiles gcc
check "clang has no warning (bench)" bench_compiles clang
check "the C modules show their openers and nothing else" only_openers_visible
check "the build for LuaJIT asks for no function that Lua 5.1 lacks" \
    env LD_BIND_NOW=1 LUA_CPATH="$BUILD/gcc-luajit-/?.so" lua5.1 -e 'require "celements.core" require "celements.libcurl" require "celements.process" require "celements.seal"'
for file in csrc/*.[ch]; do
    check "clang-format agrees with $file" lua5.4 spec/support/format.lua "$file"
done
check "no line of C is longer than 132 columns, but for #error" absent '^[^#].{132,}' csrc
check "C makes no light userdata" absent 'lua_pushlightuserdata' csrc
check "no variable of the C files is static and mutable" no_mutable_statics
check "no line ends in blanks" absent '[[:blank:]]+$' csrc lua spec examples Makefile .ci rockspec docs --include='*.[chl]*' --include=Makefile
check "the API pages build without a warning" docs/build
totals
