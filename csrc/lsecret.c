/* lsecret.c -- secrets for Lua: core.secret.
 *
 * Owns the bytes of a secret in an opaque userdata that prints as nothing, has no
 * fields and is wiped when it goes.  The string it was made from is Lua's, and Lua
 * does not wipe; that part cannot be had. */
#define _DEFAULT_SOURCE   /* getentropy */

#include <string.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include "lcompat.h"
#include "lsecret.h"
#include "redact.h"

#define SECRET "celements.Secret"

struct ce_buf *ce_check_secret(lua_State *L, int index)
{
    return luaL_checkudata(L, index, SECRET);
}

/* new(text) -> Secret.  Whether text may stand in a header is the caller's to check. */
static int secret_new(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct ce_buf *secret = ce_newuserdata(L, sizeof(*secret));

    ce_buf_init(secret, CE_HEADER_MAX);
    ce_setclass(L, SECRET);
    if (ce_buf_add(secret, text, n) != CE_OK)
        return luaL_error(L, "celements: a secret of more than %d bytes, or out of memory", (int)CE_HEADER_MAX);
    return 1;
}

/* reveal(Secret) -> text: for the one caller that a user asked to show it. */
static int secret_reveal(lua_State *L)
{
    const struct ce_buf *secret = ce_check_secret(L, 1);

    lua_pushlstring(L, secret->data != NULL ? secret->data : "", secret->len);
    return 1;
}

static int secret_gc(lua_State *L)
{
    ce_buf_wipe(ce_check_secret(L, 1));
    return 0;
}

static int secret_tostring(lua_State *L)
{
    lua_pushliteral(L, "celements.Secret (hidden)");
    return 1;
}

/* equal(a, b) -> boolean, in a time that depends on the lengths alone. */
static int secret_equal(lua_State *L)
{
    size_t na;
    size_t nb;
    const char *a = luaL_checklstring(L, 1, &na);
    const char *b = luaL_checklstring(L, 2, &nb);
    volatile unsigned char differ = na != nb;
    size_t i;

    for (i = 0; i < na; i++)
        differ = (unsigned char)(differ | (unsigned char)(a[i] ^ (nb != 0 ? b[i % nb] : 0)));
    lua_pushboolean(L, differ == 0);
    return 1;
}

/* random(n) -> n bytes (at most 256) that nobody can guess, from the kernel (pitfall 19). */
static int secret_random(lua_State *L)
{
    unsigned char bytes[256];
    int n = (int)luaL_checkinteger(L, 1);

    luaL_argcheck(L, n > 0 && n <= (int)sizeof(bytes), 1, "between 1 and 256 bytes");
    if (getentropy(bytes, (size_t)n) != 0)
        return luaL_error(L, "celements: the system gives no random bytes");
    lua_pushlstring(L, (const char *)bytes, (size_t)n);
    ce_wipe(bytes, sizeof(bytes));
    return 1;
}

/* is_name(name) -> boolean: does a value under this name have to be hidden? */
static int secret_is_name(lua_State *L)
{
    size_t n;
    const char *name = luaL_checklstring(L, 1, &n);

    lua_pushboolean(L, ce_name_is_secret(name, n));
    return 1;
}

/* Two buffers and a list of needles that Lua collects, whatever is thrown. */
struct work {
    struct ce_buf by_value;
    struct ce_buf by_name;
};

static int work_gc(lua_State *L)
{
    struct work *w = luaL_checkudata(L, 1, "celements.RedactWork");

    ce_buf_wipe(&w->by_value);
    ce_buf_wipe(&w->by_name);
    return 0;
}

/* One needle for the value at the top of the stack: a Secret or a string. */
static struct ce_needle needle_at_top(lua_State *L)
{
    struct ce_needle needle;

    if (lua_type(L, -1) == LUA_TSTRING) {
        needle.data = lua_tolstring(L, -1, &needle.len);
    } else {
        const struct ce_buf *secret = ce_check_secret(L, lua_gettop(L));

        needle.data = secret->data != NULL ? secret->data : "";
        needle.len = secret->len;
    }
    return needle;
}

/* redact(text, values) -> text without the values (Secrets and strings of the list)
 * and without the values of names that sound secret.  Cut at 1 MiB. */
static int secret_redact(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    size_t count;
    size_t i;
    struct ce_needle *needles;
    struct work *w;
    int rc;

    luaL_checktype(L, 2, LUA_TTABLE);
    count = ce_rawlen(L, 2);
    if (n > CE_TEXT_MAX)
        n = CE_TEXT_MAX;
    needles = ce_newuserdata(L, (count + 1) * sizeof(*needles));
    for (i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)i + 1);
        needles[i] = needle_at_top(L);
        lua_pop(L, 1);   /* stays alive in the list */
    }
    w = ce_newuserdata(L, sizeof(*w));
    ce_buf_init(&w->by_value, CE_TEXT_MAX * 8);
    ce_buf_init(&w->by_name, CE_TEXT_MAX * 16);
    ce_setclass(L, "celements.RedactWork");
    rc = ce_redact_values(&w->by_value, text, n, needles, count);
    if (rc == CE_OK)
        rc = ce_redact_names(&w->by_name, w->by_value.data != NULL ? w->by_value.data : "", w->by_value.len);
    if (rc != CE_OK) {
        lua_pushliteral(L, "[a text that could not be redacted]");   /* never the text itself */
        return 1;
    }
    lua_pushlstring(L, w->by_name.data != NULL ? w->by_name.data : "", w->by_name.len);
    ce_buf_wipe(&w->by_value);
    ce_buf_wipe(&w->by_name);
    return 1;
}

int ce_open_secret(lua_State *L)
{
    static const luaL_Reg functions[] = { { "new", secret_new },         { "equal", secret_equal },   { "is_name", secret_is_name },
                                          { "redact", secret_redact },   { "random", secret_random },
                                          { "reveal", secret_reveal },   { NULL, NULL } };
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg metamethods[] = { { "__gc", secret_gc }, { "__tostring", secret_tostring }, { NULL, NULL } };
    static const luaL_Reg work_metamethods[] = { { "__gc", work_gc }, { NULL, NULL } };

    ce_newclass(L, SECRET, none, metamethods);
    ce_newclass(L, "celements.RedactWork", none, work_metamethods);
    lua_newtable(L);
    ce_setfuncs(L, functions);
    return 1;
}
