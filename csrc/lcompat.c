/* lcompat.c -- what every module of ours does when it is loaded, whatever it is for.
 *
 * Owns nothing.  Each module is linked with a copy of its own. */
#define _GNU_SOURCE   /* dladdr, RTLD_NODELETE */

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

void *ce_checkclass(lua_State *L, int index, const char *name, const void *tag, size_t size)
{
    const void **userdata = lua_touserdata(L, index);

    if (userdata != NULL && ce_rawlen(L, index) == size && *userdata == tag)   /* a light one has the length 0 */
        return userdata;
    return luaL_checkudata(L, index, name);   /* which says what is wrong */
}

void ce_check_version(lua_State *L)
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

/* luarocks' builtin build has no linker flags, so a module pins itself. */
void ce_pin(void)
{
    Dl_info self;
    /* POSIX lets a function pointer travel through void *, ISO C does not say so. */
    void (*here)(void) = ce_pin;
    void *address;

    memcpy(&address, &here, sizeof(address));
    if (dladdr(address, &self) != 0 && self.dli_fname != NULL) {
#ifdef RTLD_NODELETE
        (void)dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
#else
        (void)dlopen(self.dli_fname, RTLD_NOW);   /* one reference too many keeps it as well */
#endif
    }
}
