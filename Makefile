# celements -- build, install and prove.  `make help` lists the targets.

LUA    ?= lua5.4
LUAS   := lua5.1 lua5.2 lua5.3 lua5.4 luajit
CC     ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local

# Debian packages, by what needs them; each line is on top of the one before.
# make and git are there already: nobody reads this without them.
DEPS_BUILD := gcc libc6-dev pkg-config libcurl4-openssl-dev libsodium-dev ca-certificates lua5.4 liblua5.4-dev lua-cjson
DEPS_DEMO  := lua-socket
DEPS_OPENRESTY := nginx libnginx-mod-http-lua luajit2 libluajit2-5.1-dev
DEPS_TEST  := $(DEPS_OPENRESTY) lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev lua5.3 liblua5.3-dev \
              lua-cqueues lua-luv lua-busted lua-filesystem lua-check lua-ldoc luarocks clang clang-format valgrind \
              openssl curl strace iproute2 procps chromium $(if $(shell command -v npm),,nodejs npm) \
              redis-server postgresql lua-redis lua-dbi-sqlite3 lua-dbi-postgresql
DEPS_BENCH := wrk

# What pkg-config knows; set these five to build without it.
LUA_CFLAGS  ?= $(call pkg,--cflags,$(LUA))
CURL_CFLAGS ?= $(call pkg,--cflags,libcurl)
CURL_LIBS   ?= $(call pkg,--libs,libcurl)
SODIUM_CFLAGS ?= $(call pkg,--cflags,libsodium)
SODIUM_LIBS   ?= $(call pkg,--libs,libsodium)
pkg       = $(call pkg_found,$2,$(shell pkg-config $1 $2 2>/dev/null || echo pkg-not-found))
pkg_found = $(if $(filter pkg-not-found,$2),$(error pkg-config finds no $1: `make deps` installs what is needed),$2)

# A variant is a second build of the same sources beside the first (asan, poll).
VARIANT ?=
OUT     := build/$(LUA)$(if $(VARIANT),-$(VARIANT))

WARNINGS  := -Wall -Wextra -Wpedantic -Wconversion -Wshadow
CE_CFLAGS  = -std=c99 -fPIC -fvisibility=hidden -fno-plt $(WARNINGS) $(VARIANT_CFLAGS) $(LUA_CFLAGS) $(CURL_CFLAGS)

VARIANT_CFLAGS :=
ifeq ($(VARIANT),asan)
VARIANT_CFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
ifeq ($(VARIANT),poll)
VARIANT_CFLAGS := -DCE_USE_POLL -DCE_NO_SSE2   # what other systems and processors have
endif

CORE := buf url auth redact trust poller_epoll poller_poll runtime pool handle transfer engine lcompat lcore lurl lparams lsecret jsontext ljson lanswer lengine
SEAL := buf seal lcompat lseal
CORE_OBJS := $(CORE:%=$(OUT)/obj/%.o)
SEAL_OBJS := $(SEAL:%=$(OUT)/obj/%.o)

# A module is linked beside the old one and takes its place whole: that may be in use.
LINK = $(CC) -shared $(CFLAGS) $(VARIANT_CFLAGS) $(LDFLAGS)

C_MODULES := celements/core.so celements/libcurl.so celements/process.so celements/seal.so

all: $(C_MODULES:%=$(OUT)/%)   ## build for one Lua: make LUA=lua5.1

$(OUT)/celements/core.so: $(CORE_OBJS)
	@mkdir -p $(@D)
	$(LINK) -o $@.new $^ $(CURL_LIBS) -ldl -lpthread && mv -f $@.new $@

$(OUT)/celements/libcurl.so: $(OUT)/obj/llibcurl.o
	@mkdir -p $(@D)
	$(LINK) -o $@.new $^ -ldl && mv -f $@.new $@

$(OUT)/celements/process.so: $(OUT)/obj/lprocess.o
	@mkdir -p $(@D)
	$(LINK) -o $@.new $^ && mv -f $@.new $@

$(OUT)/celements/seal.so: $(SEAL_OBJS)
	@mkdir -p $(@D)
	$(LINK) -o $@.new $^ $(SODIUM_LIBS) -ldl && mv -f $@.new $@

$(OUT)/obj/seal.o: CE_CFLAGS += $(SODIUM_CFLAGS)

$(OUT)/obj/%.o: csrc/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CE_CFLAGS) -MMD -MP -c -o $@ $<

# This checkout first, then whatever was set.  LUA_PATH_5_4 and its like, which only
# 5.2 and later read, would hide LUA_PATH, so what they hold moves there.
V := $(if $(filter luajit%,$(LUA)),5.1,$(LUA:lua%=%))
V_SUFFIX := $(if $(filter 5.1,$(V)),,_$(subst .,_,$(V)))
was = $(if $(V_SUFFIX),$${$1$(V_SUFFIX):-$${$1:-;}},$${$1:-;})
env:   ## what finds this checkout: eval "$(make -s env LUA=lua5.4)"
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;$(call was,LUA_PATH)"'
	@echo 'export LUA_CPATH="$(CURDIR)/$(OUT)/?.so;$(call was,LUA_CPATH)"'
	@$(if $(V_SUFFIX),echo 'unset LUA_PATH$(V_SUFFIX) LUA_CPATH$(V_SUFFIX)',:)

deps:   ## install what building, demo and tests need (Debian)
	@.ci/install-packages $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_TEST)

deps-demo:
	@.ci/install-packages $(DEPS_BUILD) $(DEPS_DEMO)

# The second make starts after the packages are there, whatever -j says.
demo: deps-demo   ## the whole provisioning flow against the sandbox
	@$(MAKE) --no-print-directory -s all
	@eval "$$($(MAKE) --no-print-directory -s env)" && $(LUA) examples/demo.lua

deps-demo-openresty:
	@.ci/install-packages $(DEPS_BUILD) $(DEPS_DEMO) $(DEPS_OPENRESTY)

demo-openresty: deps-demo-openresty   ## nginx, to be clicked through: a customer's account is connected (PORT=8080)
	@$(MAKE) --no-print-directory -s all LUA=luajit
	@eval "$$($(MAKE) --no-print-directory -s env LUA=luajit)" && exec examples/openresty/demo

# `make test LUA=luajit` runs the specs of that Lua only.
test: deps   ## every test on every Lua
	@spec/run $(if $(filter command,$(origin LUA)),$(LUA))

check: deps   ## most specs on one Lua, and lint: for while you work, in less than a minute
	@spec/run $(LUA)-check lint

asan: deps   ## the specs under the address and undefined-behaviour sanitizers
	@spec/run $(LUA)-asan

valgrind: deps   ## the specs under valgrind
	@spec/run $(LUA)-valgrind

lint: deps   ## luacheck, gcc, clang and clang-format, warnings being errors
	@spec/run lint

packaging: deps   ## make install, and the rock: built, packed and installed elsewhere
	@spec/run packaging

docs: deps   ## the API pages, in build/docs
	@docs/build

bench: deps   ## what a call costs, beside a bare C program
	@.ci/install-packages $(DEPS_BENCH)
	@$(MAKE) --no-print-directory -s all
	@bench/run

# Packagers: DESTDIR, PREFIX, LUA_SHARE and LUA_LIB say where; LUA says for which.
LUA_SHARE ?= $(PREFIX)/share/lua/$(V)
LUA_LIB   ?= $(PREFIX)/lib/lua/$(V)
LUA_FILES := $(sort $(patsubst lua/%,%,$(wildcard lua/*.lua lua/*/*.lua lua/*/*/*.lua)))

install: all   ## install for one Lua: make install LUA=lua5.1 PREFIX=/usr
	@set -e; for f in $(LUA_FILES); do \
	    install -d "$$(dirname "$(DESTDIR)$(LUA_SHARE)/$$f")"; \
	    install -m 644 "lua/$$f" "$(DESTDIR)$(LUA_SHARE)/$$f"; \
	done
	@install -d "$(DESTDIR)$(LUA_LIB)/celements"
	@install -m 755 $(C_MODULES:%=$(OUT)/%) "$(DESTDIR)$(LUA_LIB)/celements"
	@echo "Installed for $(LUA) in $(DESTDIR)$(LUA_SHARE) and $(DESTDIR)$(LUA_LIB)"

uninstall:   ## take away what install put there
	@rm -rf "$(DESTDIR)$(LUA_SHARE)/celements" "$(DESTDIR)$(LUA_LIB)/celements"
	@rm -f "$(DESTDIR)$(LUA_SHARE)/celements.lua"

clean:   ## remove build/, and what luarocks make leaves
	rm -rf build celements csrc/*.o

help:   ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*   ## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-15s %s\n", $$1, $$2 }'

.PHONY: all env deps deps-demo demo deps-demo-openresty demo-openresty test check asan valgrind lint packaging docs bench install uninstall clean help
-include $(wildcard $(OUT)/obj/*.d)
