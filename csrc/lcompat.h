/* lcompat.h -- one Lua C API out of five.
 *
 * Only what the bindings use, under names of our own: OpenResty's LuaJIT headers
 * declare some of the 5.2 functions, and a static twin would clash with them. */
#ifndef CE_LCOMPAT_H
#define CE_LCOMPAT_H

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM == 501   /* PUC 5.1 and LuaJIT */
#define ce_setfuncs(L, l) luaL_register((L), NULL, (l))
#define ce_rawlen(L, i)   lua_objlen((L), (i))
#else
#define ce_setfuncs(L, l) luaL_setfuncs((L), (l), 0)
#define ce_rawlen(L, i)   lua_rawlen((L), (i))
#endif

#if LUA_VERSION_NUM >= 503
#define CE_HAS_INTEGERS 1
#else
#define CE_HAS_INTEGERS 0
#endif

#if LUA_VERSION_NUM >= 504
#define ce_newuserdata(L, n) lua_newuserdatauv((L), (n), 0)
#else
#define ce_newuserdata(L, n) lua_newuserdata((L), (n))
#endif

/* Makes the metatable `name` with methods (its __index) and metamethods, once per
 * Lua state, and leaves nothing on the stack.  __metatable hides it from scripts. */
void ce_newclass(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods);

/* Gives the value on top of the stack, a fresh userdata, the metatable `name`. */
void ce_setclass(lua_State *L, const char *name);

/* The userdata at index, which has the metatable `name`, `size` bytes and the address `tag`
 * at its start; raises for anything else.  luaL_checkudata(), which looks the metatable up
 * by its name, takes five times as long, and each call has ten of these. */
void *ce_checkclass(lua_State *L, int index, const char *name, const void *tag, size_t size);

/* Raises unless the Lua that loads us is the Lua we were built for. */
void ce_check_version(lua_State *L);

/* Keeps the shared object that this is linked into loaded until the process ends. */
void ce_pin(void);

/* The openers of the parts of celements.core: each leaves one table on the stack. */
int ce_open_json(lua_State *L);
int ce_open_url(lua_State *L);
int ce_open_params(lua_State *L);
int ce_open_secret(lua_State *L);
int ce_open_engine(lua_State *L);

#endif
