/* lcore.c -- the door: luaopen_celements_core and what it needs to stay open.
 *
 * Checks that the Lua which loads us is the Lua we were built for, pins the
 * shared object in memory, and gathers the parts into one table.  A private
 * name: scripts require "celements". */
#define _GNU_SOURCE   /* dladdr, RTLD_NODELETE */

#include "ce.h"
#include "lcompat.h"

#include <dlfcn.h>
#include <string.h>

void ce_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods)
{
    if (luaL_newmetatable(L, name)) {
        ce_setfuncs(L, metamethods);
        lua_pushstring(L, name);
        lua_setfield(L, -2, "__name");
        lua_pushstring(L, name);
        lua_setfield(L, -2, "__metatable");
        lua_newtable(L);
        ce_setfuncs(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

void ce_setclass(lua_State *L, const char *name)
{
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
}

/* libcurl can leave a resolver thread behind (QUICK_EXIT) and OpenSSL calls our
 * socket callbacks late: the code must outlive the Lua state that loaded it (pitfall 36).
 * luarocks' builtin build has no linker flags, so the module pins itself. */
static void pin(void)
{
    Dl_info self;
    /* POSIX lets a function pointer travel through void *, ISO C does not say so. */
    int (*opener)(lua_State *) = &ce_open_engine;
    void *address;

    memcpy(&address, &opener, sizeof(address));
    if (dladdr(address, &self) != 0 && self.dli_fname != NULL) {
#ifdef RTLD_NODELETE
        (void)dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#else
        (void)dlopen(self.dli_fname, RTLD_NOW);   /* one reference too many keeps it as well */
#endif
    }
}

static void check_version(lua_State *L)
{
    const char *built = LUA_VERSION;   /* "Lua 5.4" */
    const char *running;

    lua_getglobal(L, "_VERSION");
    running = lua_tostring(L, -1);
    if (running == NULL || strcmp(running, built) != 0)
        luaL_error(L, "celements was built for %s and is loaded by %s: install it for this version (luarocks --lua-version=...)",
                   built, running != NULL ? running : "an unknown Lua");
    lua_pop(L, 1);
}

CE_EXPORT int luaopen_celements_core(lua_State *L);

/* -> table: the private C part of celements; see lua/celements/types.lua. */
CE_EXPORT int luaopen_celements_core(lua_State *L)
{
    check_version(L);
    pin();
    lua_newtable(L);
    ce_open_url(L);
    lua_setfield(L, -2, "url");
    ce_open_secret(L);
    lua_setfield(L, -2, "secret");
    ce_open_json(L);
    lua_setfield(L, -2, "json");
    ce_open_engine(L);
    lua_setfield(L, -2, "engine");
    return 1;
}
