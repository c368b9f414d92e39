/* lseal.c -- the module celements.seal: texts that only the holder of a key can read or make.
 *
 * Owns keys, in an opaque userdata that prints as nothing and is wiped when it goes.
 * The text that a key was made from is Lua's, and Lua does not wipe.  Needs nothing of
 * the core, and the core nothing of it: a script without sealed texts needs no libsodium. */
#include "ce.h"
#include "lcompat.h"
#include "seal.h"

#define BOX  "celements.Seal"
#define WORK "celements.SealWork"

#define KEYS_MAX 64u

struct box {
    size_t count;   /* 0: closed, or not yet filled */
    struct ce_seal_key keys[];
};

/* A buffer that Lua collects, whatever is thrown. */
static struct ce_buf *new_work(lua_State *L, size_t max)
{
    struct ce_buf *work = ce_newuserdata(L, sizeof(*work));

    ce_buf_init(work, max);
    ce_setclass(L, WORK);
    return work;
}

static int work_gc(lua_State *L)
{
    ce_buf_wipe(luaL_checkudata(L, 1, WORK));
    return 0;
}

/* Pushes what is in the buffer, which is not needed any more. */
static int push_work(lua_State *L, struct ce_buf *work)
{
    lua_pushlstring(L, work->data != NULL ? work->data : "", work->len);
    ce_buf_wipe(work);
    return 1;
}

static int push_or_raise(lua_State *L, struct ce_buf *work, int rc)
{
    if (rc != CE_OK)
        return luaL_error(L, "celements.seal: out of memory");
    return push_work(L, work);
}

/* A text and no number: what a number looks like differs between Luas. */
static const char *check_text(lua_State *L, int arg, size_t *n)
{
    luaL_checktype(L, arg, LUA_TSTRING);
    return lua_tolstring(L, arg, n);
}

/* The number of keys in the argument, a string or a list of nothing but strings. */
static size_t check_keys(lua_State *L)
{
    size_t count = 0;
    size_t n;

    if (lua_type(L, 1) == LUA_TSTRING)
        return 1;
    luaL_argcheck(L, lua_type(L, 1) == LUA_TTABLE, 1, "a key has to be a string, several a list of strings");
    n = ce_rawlen(L, 1);
    luaL_argcheck(L, n > 0, 1, "there is no key in the list");
    luaL_argcheck(L, n <= KEYS_MAX, 1, "too many keys");
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        count++;
    luaL_argcheck(L, count == n, 1, "the keys have to be a list without names and holes");
    return n;
}

/* Fills in the next key from the value on top of the stack, and drops that. */
static void add_key(lua_State *L, struct box *box)
{
    size_t n;
    const char *secret;

    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "a key in the list is not a string");
    secret = lua_tolstring(L, -1, &n);
    luaL_argcheck(L, n >= CE_SEAL_SECRET_MIN, 1, "a key has to have at least 32 bytes, such as `openssl rand -base64 32` prints");
    if (ce_seal_key(&box->keys[box->count], secret, n) != CE_OK)
        luaL_error(L, "celements.seal: no key can be made");
    box->count++;
    lua_pop(L, 1);
}

/* new(keys) -> Seal.  The first key seals, all of them open. */
static int seal_new(lua_State *L)
{
    size_t count = check_keys(L);
    struct box *box = ce_newuserdata(L, sizeof(*box) + count * sizeof(box->keys[0]));
    size_t i;

    box->count = 0;
    ce_setclass(L, BOX);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_pushvalue(L, 1);
        add_key(L, box);
        return 1;
    }
    for (i = 0; i < count; i++) {
        lua_rawgeti(L, 1, (int)i + 1);
        add_key(L, box);
    }
    return 1;
}

static struct box *check_box(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, BOX);

    if (box->count == 0)
        luaL_error(L, "celements.seal: this is closed");
    return box;
}

/* box:seal(plaintext, context) -> text */
static int box_seal(lua_State *L)
{
    const struct box *box = check_box(L);
    size_t n;
    size_t context_n;
    const char *plaintext = check_text(L, 2, &n);
    const char *context = check_text(L, 3, &context_n);
    struct ce_buf *work;

    luaL_argcheck(L, n <= CE_SEAL_MAX, 2, "more than 1 MiB");
    luaL_argcheck(L, context_n <= CE_SEAL_CONTEXT_MAX, 3, "more than 64 KiB");
    work = new_work(L, CE_SEAL_MAX * 2);
    return push_or_raise(L, work, ce_seal(work, &box->keys[0], plaintext, n, context, context_n));
}

static const char *reason_of(enum ce_seal_verdict verdict)
{
    switch (verdict) {
    case CE_SEAL_MALFORMED:
        return "malformed";
    case CE_SEAL_UNKNOWN_KEY:
        return "unknown key";
    case CE_SEAL_FORGED:
        return "forged";
    case CE_SEAL_OPENED:
    case CE_SEAL_FAILED:
        break;
    }
    return "out of memory";
}

/* box:open(text, context) -> plaintext | nil, reason */
static int box_open(lua_State *L)
{
    const struct box *box = check_box(L);
    size_t n;
    size_t context_n;
    const char *text = check_text(L, 2, &n);
    const char *context = check_text(L, 3, &context_n);
    struct ce_buf *work = new_work(L, CE_SEAL_MAX);
    enum ce_seal_verdict verdict = ce_seal_open(work, box->keys, box->count, text, n, context, context_n);

    if (verdict == CE_SEAL_OPENED)
        return push_work(L, work);
    ce_buf_wipe(work);
    lua_pushnil(L);
    lua_pushstring(L, reason_of(verdict));
    return 2;
}

/* box:close(), __gc and __close */
static int box_close(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, BOX);

    ce_wipe(box->keys, box->count * sizeof(box->keys[0]));
    box->count = 0;
    return 0;
}

static int box_tostring(lua_State *L)
{
    lua_pushliteral(L, "celements.Seal (hidden)");
    return 1;
}

/* token(n) -> n random bytes as text */
static int seal_token(lua_State *L)
{
    lua_Number n = luaL_checknumber(L, 1);
    struct ce_buf *work;

    luaL_argcheck(L, n >= 1 && n <= CE_SEAL_TOKEN_MAX && n == (lua_Number)(int)n, 1, "between 1 and 256 bytes");
    work = new_work(L, CE_SEAL_TOKEN_MAX * 2);
    return push_or_raise(L, work, ce_seal_token(work, (size_t)n));
}

/* hash(text) -> text */
static int seal_hash(lua_State *L)
{
    size_t n;
    const char *text = check_text(L, 1, &n);
    struct ce_buf *work = new_work(L, CE_SEAL_HASH_TEXT);

    return push_or_raise(L, work, ce_seal_hash(work, text, n));
}

CE_EXPORT int luaopen_celements_seal(lua_State *L);

/* -> table: new, token, hash; see lua/celements/types.lua. */
CE_EXPORT int luaopen_celements_seal(lua_State *L)
{
    static const luaL_Reg functions[] = { { "new", seal_new }, { "token", seal_token }, { "hash", seal_hash }, { NULL, NULL } };
    static const luaL_Reg methods[] = { { "seal", box_seal }, { "open", box_open }, { "close", box_close }, { NULL, NULL } };
    static const luaL_Reg metamethods[] = {
        { "__gc", box_close }, { "__close", box_close }, { "__tostring", box_tostring }, { NULL, NULL }
    };
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg work_metamethods[] = { { "__gc", work_gc }, { NULL, NULL } };

    ce_check_version(L);
    /* A finalizer that runs late, and libsodium's own state, which is set up once for the process. */
    ce_pin();
    if (ce_seal_start() != CE_OK)
        return luaL_error(L, "celements.seal: libsodium does not start");
    ce_newclass(L, BOX, methods, metamethods);
    ce_newclass(L, WORK, none, work_metamethods);
    lua_newtable(L);
    ce_setfuncs(L, functions);
    return 1;
}
