/* lurl.c -- URL building for Lua: core.url.
 *
 * Checks arguments and makes strings.  Knows no parameter names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lcompat.h"
#include "url.h"

/* The buffer that all functions here share, an upvalue of each.  It is busy until its
 * text is Lua's: on some Luas lua_pushlstring collects before it copies, and a
 * finalizer may come here too.  That one gets a buffer of its own. */
struct scratch {
    struct ce_buf buf;
    int busy;
};

static struct ce_buf *take(lua_State *L)
{
    struct scratch *shared = lua_touserdata(L, lua_upvalueindex(1));

    if (shared->busy) {
        shared = ce_newuserdata(L, sizeof(*shared));
        ce_buf_init(&shared->buf, CE_URL_MAX);
        ce_setclass(L, "celements.UrlBuffer");
    }
    shared->busy = 1;
    ce_buf_clear(&shared->buf, CE_BUF_SMALL);
    return &shared->buf;
}

static void give_back(lua_State *L, struct ce_buf *b)
{
    struct scratch *shared = lua_touserdata(L, lua_upvalueindex(1));

    ce_buf_clear(b, CE_BUF_SMALL);   /* a query may hold a provider's secret */
    if (b == &shared->buf)
        shared->busy = 0;
}

static int buf_gc(lua_State *L)
{
    struct scratch *shared = luaL_checkudata(L, 1, "celements.UrlBuffer");

    ce_buf_wipe(&shared->buf);
    return 0;
}

#define TOO_LONG "a URL of more than %d bytes"

static int push_buf(lua_State *L, struct ce_buf *b)
{
    lua_pushlstring(L, b->data != NULL ? b->data : "", b->len);
    give_back(L, b);
    return 1;
}

static void check(lua_State *L, struct ce_buf *b, int rc)
{
    if (rc == CE_OK)
        return;
    give_back(L, b);
    if (rc == CE_ETOOBIG)
        luaL_error(L, "celements: " TOO_LONG, (int)CE_URL_MAX);
    luaL_error(L, "celements: out of memory");
}

/* escape(text) -> text: percent-encoded, a space as %20. */
static int url_escape(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct ce_buf *out = take(L);

    check(L, out, ce_url_escape(out, text, n));
    return push_buf(L, out);
}

/* Raises unless the argument can be a segment: text, an integer, or a float that is one. */
static void check_segment(lua_State *L, int index)
{
    lua_Number number;

    if (lua_type(L, index) == LUA_TSTRING) {
        luaL_argcheck(L, ce_rawlen(L, index) != 0, index, "a path segment may not be empty");
        return;
    }
    if (lua_type(L, index) != LUA_TNUMBER)
        luaL_argerror(L, index, lua_pushfstring(L, "a path segment is a string or an integer, not a %s", luaL_typename(L, index)));
#if CE_HAS_INTEGERS
    if (lua_isinteger(L, index))
        return;
#endif
    number = lua_tonumber(L, index);
    luaL_argcheck(L, number >= -9007199254740992.0 && number <= 9007199254740992.0 && floor(number) == number, index,
                  "a number in a path has to be a whole one, at most 2^53");
}

/* A segment that was checked, as text: never "12345.0", never "1e+15" (pitfall 7). */
static const char *segment_text(lua_State *L, int index, size_t *n, char *digits, size_t size)
{
    if (lua_type(L, index) == LUA_TSTRING)
        return lua_tolstring(L, index, n);
#if CE_HAS_INTEGERS
    if (lua_isinteger(L, index)) {
        *n = (size_t)snprintf(digits, size, LUA_INTEGER_FMT, lua_tointeger(L, index));
        return digits;
    }
#endif
    *n = (size_t)snprintf(digits, size, "%.0f", lua_tonumber(L, index) + 0.0);   /* never "-0" */
    return digits;
}

/* path(segment, ...) -> text: "/instances/12345", each segment encoded. */
static int url_path(lua_State *L)
{
    int count = lua_gettop(L);
    char digits[64];
    struct ce_buf *out;
    size_t n;
    int i;

    luaL_argcheck(L, count > 0, 1, "a path has at least one segment");
    for (i = 1; i <= count; i++)   /* all that can raise, before the buffer is taken */
        check_segment(L, i);
    out = take(L);
    for (i = 1; i <= count; i++) {
        const char *text = segment_text(L, i, &n, digits, sizeof(digits));

        check(L, out, ce_buf_add(out, "/", 1));
        check(L, out, ce_url_segment(out, text, n));
    }
    return push_buf(L, out);
}

/* query(pairs, n) -> text | nil, why: pairs[1..n] are name, value, name, value, ...; all
 * strings.  That they are too many or too long is for the caller to say in its own way. */
static int url_query(lua_State *L)
{
    int count = (int)luaL_checkinteger(L, 2);
    struct ce_buf *out;
    int i, rc;

    luaL_checktype(L, 1, LUA_TTABLE);
    out = take(L);
    for (i = 1; i <= count; i++) {
        size_t n;
        const char *text;

        lua_rawgeti(L, 1, i);
        text = lua_tolstring(L, -1, &n);
        if (text == NULL) {
            give_back(L, out);
            return luaL_error(L, "celements: a query is made of strings");
        }
        rc = i > 1 ? ce_buf_add(out, i % 2 == 1 ? "&" : "=", 1) : CE_OK;
        if (rc == CE_OK)
            rc = ce_url_escape(out, text, n);
        if (rc == CE_ETOOBIG) {
            give_back(L, out);
            lua_pushnil(L);
            lua_pushfstring(L, "the query makes " TOO_LONG, (int)CE_URL_MAX);
            return 2;
        }
        check(L, out, rc);
        lua_pop(L, 1);
    }
    return push_buf(L, out);
}

/* path_ok(text) -> boolean: may this stand behind a base URL as it is? */
static int url_path_ok(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);

    lua_pushboolean(L, ce_url_path_ok(text, n));
    return 1;
}

/* control(text) -> position of the first control character, 1-based, or nil. */
static int url_control(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    size_t at = ce_text_control(text, n);

    if (at == n)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)at + 1);
    return 1;
}

int ce_open_url(lua_State *L)
{
    static const luaL_Reg functions[] = { { "escape", url_escape },   { "path", url_path },       { "query", url_query },
                                          { "path_ok", url_path_ok }, { "control", url_control }, { NULL, NULL } };
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg metamethods[] = { { "__gc", buf_gc }, { NULL, NULL } };

    const luaL_Reg *f;
    struct scratch *shared;

    ce_newclass(L, "celements.UrlBuffer", none, metamethods);
    lua_newtable(L);
    shared = ce_newuserdata(L, sizeof(*shared));
    shared->busy = 0;
    ce_buf_init(&shared->buf, CE_URL_MAX);
    ce_setclass(L, "celements.UrlBuffer");
    for (f = functions; f->name != NULL; f++) {
        lua_pushvalue(L, -1);
        lua_pushcclosure(L, f->func, 1);
        lua_setfield(L, -3, f->name);
    }
    lua_pop(L, 1);
    return 1;
}
