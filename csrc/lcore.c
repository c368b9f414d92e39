/* lcore.c -- the door: luaopen_celements_core.
 *
 * Gathers the parts into one table, and sees to it that they stay loaded.  A private
 * name: scripts require "celements". */
#include "ce.h"
#include "lcompat.h"

CE_EXPORT int luaopen_celements_core(lua_State *L);

/* -> table: the private C part of celements; see lua/celements/types.lua. */
CE_EXPORT int luaopen_celements_core(lua_State *L)
{
    ce_check_version(L);
    /* libcurl can leave a resolver thread behind (QUICK_EXIT) and OpenSSL calls our
     * socket callbacks late: the code must outlive the Lua state that loaded it (pitfall 36). */
    ce_pin();
    lua_newtable(L);
    ce_open_url(L);
    lua_setfield(L, -2, "url");
    ce_open_params(L);
    lua_setfield(L, -2, "params");
    ce_open_secret(L);
    lua_setfield(L, -2, "secret");
    ce_open_json(L);
    lua_setfield(L, -2, "json");
    ce_open_engine(L);
    lua_setfield(L, -2, "engine");
    return 1;
}
