/* ljson.c -- core.json: lua-cjson, made exact.
 *
 * lua-cjson parses and prints, through an instance of its own, so that no other
 * user of the module sees our settings or we theirs.  Its versions differ in what
 * they damage: integers from 2^53 on are rounded or clipped, numbers are printed
 * with 14 digits, an empty array comes out as an object.  Such values travel
 * through it as stand-ins, strings that begin with a byte which no UTF-8 text has,
 * so nothing here asks for a version.  What can be set right afterwards, doubles that
 * are integers and arrays without a mark, is found by its place in the text: most
 * values need no look.
 *
 * Owns no memory: text and values live on the Lua stack.  Knows nothing of files,
 * and of errors only their text; json.lua makes errors out of that. */
#include "ce.h"
#include "jsontext.h"
#include "lcompat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 128

/* %.14g prints an integer below this exactly; all versions of lua-cjson can do it. */
#define DIGITS       14
#define PLAIN_LIMIT  1e14
#define EXACT        9007199254740992.0        /* 2^53 */
#define ID_LIMIT     18446744073709551616.0    /* 2^64: up to here an integer may be somebody's id */

/* The upvalues of decode, encode and array. */
#define CJSON        lua_upvalueindex(1)       /* its decode, or its encode */
#define MARK         lua_upvalueindex(2)       /* the metatable of arrays */
#define EMPTY_MARK   lua_upvalueindex(3)       /* a newer lua-cjson's empty_array_mt */
#define EMPTY_ARRAY  lua_upvalueindex(4)       /* and its empty_array */

/* Calls the function below the top with the top.  1: the result is on top; 0: nil
 * and the reason are.  cjson.safe in the place of cjson answers nil by itself. */
static int call_cjson(lua_State *L)
{
    int rc = lua_pcall(L, 1, 2, 0);

    if (rc == LUA_ERRMEM)
        lua_error(L);
    if (rc != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 0;
    }
    if (lua_isnil(L, -2))
        return 0;
    lua_pop(L, 1);
    return 1;
}

/* ---- decoding ---------------------------------------------------------- */

#define NAMES_MAX 12
#define SHALLOW   8    /* tables in each other, for which there is room on the stack at once */

/* The stack while an answer is decoded. */
enum {
    TEXT = 1,
    NAMES,                          /* NAMES_MAX of them */
    DECODED = NAMES + NAMES_MAX     /* and above it the tables on the way to a value in it */
};

struct settling {
    size_t members;   /* names seen: fewer than the text has means that one came twice */
    int standins;     /* the text was given stand-ins */
    int arrays;       /* it was not, and what is empty is an array */
};

/* A reason why the text is refused at the place that the scan found last. */
static int fails_there(lua_State *L, const struct ce_json_scan *scan, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    lua_pushinteger(L, (lua_Integer)(scan->place - lua_tostring(L, TEXT)) + 1);
    return 3;
}

/* Can this Lua hold the integer?  Only the ones with 64-bit integers can. */
static int holds(const char *digits, size_t n)
{
    long long value;

    return CE_HAS_INTEGERS && ce_json_integer(digits, n, &value);
}

/* The table on top is an array, or is none. */
static void mark(lua_State *L)
{
    lua_pushvalue(L, MARK);
    lua_setmetatable(L, -2);
}

static void unmark(lua_State *L)
{
    lua_pushnil(L);
    lua_setmetatable(L, -2);
}

/* The stand-in on top of the stack becomes what it stands for. */
static void settle_standin(lua_State *L)
{
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
#if CE_HAS_INTEGERS
    long long value;
#endif

    if (text[1] == '[') {
        lua_newtable(L);
        mark(L);
#if CE_HAS_INTEGERS
    } else if (ce_json_integer(text + 1, n - 1, &value)) {
        lua_pushinteger(L, (lua_Integer)value);
#endif
    } else {
        lua_pushlstring(L, text + 1, n - 1);   /* its digits as text: whole, if not a number */
    }
    lua_replace(L, -2);
}

/* The number on top becomes an integer where it is one and this Lua has them: 1 when it was
 * replaced, 0 when it is right, -1 when it is no number at all. */
static int settle_number(lua_State *L)
{
    double number;
#if CE_HAS_INTEGERS
    int whole;
    lua_Integer integer = lua_tointegerx(L, -1, &whole);

    if (whole && integer >= -(lua_Integer)EXACT && integer <= (lua_Integer)EXACT) {
        lua_pop(L, 1);
        lua_pushinteger(L, integer);
        return 1;
    }
#endif
    number = (double)lua_tonumber(L, -1);
    return number - number != 0.0 ? -1 : 0;   /* 1e400 */
}

static int too_large(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "a number too large");
    return 2;
}

/* The text from its first character on. */
static void push_text(lua_State *L, const char *from, const char *end)
{
    if (from == lua_tostring(L, TEXT))
        lua_pushvalue(L, TEXT);
    else
        lua_pushlstring(L, from, (size_t)(end - from));
}

/* ---- decoding a person's text, and what needs stand-ins -------------------- */

static int settle_table(lua_State *L, struct settling *s);

/* The value on top as it should be, as settle_number() says it. */
static int settle(lua_State *L, struct settling *s)
{
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        return settle_table(L, s);
    case LUA_TNUMBER:
        return settle_number(L);
    case LUA_TSTRING:
        if (!s->standins || lua_tostring(L, -1)[0] != CE_JSON_STANDIN)
            return 0;
        settle_standin(L);
        return 1;
    default:
        return 0;
    }
}

static int settle_array(lua_State *L, struct settling *s, int table, int count)
{
    int i, rc;

    mark(L);
    for (i = 1; i <= count; i++) {
        lua_rawgeti(L, table, i);
        rc = settle(L, s);
        if (rc < 0)
            return -1;
        if (rc > 0)
            lua_rawseti(L, table, i);
        lua_settop(L, table);
    }
    return 0;
}

static int settle_table(lua_State *L, struct settling *s)
{
    int table = lua_gettop(L), count = (int)ce_rawlen(L, table), empty = 1, rc;

    luaL_checkstack(L, 6, "JSON is nested too deeply");
    if (count > 0)
        return settle_array(L, s, table, count);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        empty = 0;
        s->members++;
        rc = settle(L, s);
        if (rc < 0)
            return -1;
        if (rc > 0) {
            lua_pushvalue(L, table + 1);
            lua_insert(L, -2);
            lua_rawset(L, table);
        }
        lua_settop(L, table + 1);
    }
    if (empty && s->arrays)
        mark(L);
    return 0;
}

static void add_standin(luaL_Buffer *out, const char *text, size_t n)
{
    luaL_addchar(out, '"');
    luaL_addchar(out, CE_JSON_STANDIN);
    luaL_addlstring(out, text, n);
    luaL_addchar(out, '"');
}

/* Pushes the text, from its first character on, with a stand-in for every value that
 * lua-cjson would damage. */
static void push_with_standins(lua_State *L, const char *text, size_t len, int strict)
{
    struct ce_json_scan scan;
    enum ce_json_place place;
    luaL_Buffer out;
    const char *from;

    luaL_buffinit(L, &out);
    ce_json_scan_start(&scan, text, len, strict);
    from = scan.at;
    while ((place = ce_json_scan_next(&scan)) != CE_JSON_END) {
        luaL_addlstring(&out, from, (size_t)(scan.place - from));
        add_standin(&out, scan.place, place == CE_JSON_EMPTY ? 1 : (size_t)(scan.at - scan.place));
        from = scan.at;
    }
    luaL_addlstring(&out, from, (size_t)(scan.end - from));
    luaL_pushresult(&out);
}

/* Looks at the text first, then has it decoded, then at every value.
 * The text is copied for stand-ins only when it has to be: an empty array comes back as an
 * empty table, which is as good where no object is empty. */
static int decode_carefully(lua_State *L, const char *text, size_t len, int strict)
{
    struct settling settling = { 0, 0, 0 };
    struct ce_json_scan scan;
    enum ce_json_place place;
    const char *start;

    lua_pushvalue(L, CJSON);
    ce_json_scan_start(&scan, text, len, strict);
    start = scan.at;
    while ((place = ce_json_scan_next(&scan)) != CE_JSON_END) {
        if (place == CE_JSON_FAULT)
            return fails_there(L, &scan, scan.why);
        if (place == CE_JSON_EMPTY)
            continue;
        if (strict && !holds(scan.place, (size_t)(scan.at - scan.place)))
            return fails_there(L, &scan, "an integer too large for this Lua: put it in quotes");
        settling.standins = 1;
    }
    if (scan.has_empty_array && scan.has_empty_object)
        settling.standins = 1;
    settling.arrays = scan.has_empty_array && !settling.standins;
    if (settling.standins)
        push_with_standins(L, text, len, strict);
    else
        push_text(L, start, scan.end);
    if (!call_cjson(L))
        return 2;
    if (settle(L, &settling) < 0)
        return too_large(L);
    if (strict && settling.members != scan.members) {
        lua_pushnil(L);
        lua_pushliteral(L, "the same name twice in one object");
        return 2;
    }
    return 1;
}

/* ---- decoding an answer ---------------------------------------------------- */

/* Names that are on the stack already, from NAMES on. */
struct names {
    size_t count;
    struct ce_json_step known[NAMES_MAX];
};

static void push_new_name(lua_State *L, const struct ce_json_step *step)
{
    if (memchr(step->name, '\\', step->n) == NULL) {
        lua_pushlstring(L, step->name, step->n);
        return;
    }
    lua_pushvalue(L, CJSON);   /* which knows the escapes, and reads them in quotes */
    lua_pushlstring(L, step->name - 1, step->n + 2);
    if (!call_cjson(L))
        lua_pop(L, 1);   /* nil: a name of nothing */
}

/* The rows of a list have the same names, so that these are kept; in other answers few come twice. */
static void push_name(lua_State *L, const struct ce_json_scan *scan, const struct ce_json_step *step, struct names *names)
{
    size_t i;

    for (i = 0; i < names->count; i++) {
        if (names->known[i].n == step->n && memcmp(names->known[i].name, step->name, step->n) == 0) {
            lua_pushvalue(L, NAMES + (int)i);
            return;
        }
    }
    push_new_name(L, step);
    if (names->count == NAMES_MAX || !scan->levels[1].is_array)
        return;
    lua_pushvalue(L, -1);
    lua_replace(L, NAMES + (int)names->count);
    names->known[names->count++] = *step;
}

static void push_key(lua_State *L, const struct ce_json_scan *scan, const struct ce_json_step *step, struct names *names)
{
    if (step->name != NULL)
        push_name(L, scan, step, names);
    else
        lua_pushinteger(L, (lua_Integer)step->n);
}

/* Leaves the tables on the way to where the scan is on the stack, each above the one that
 * it is in.  One that is not there, since another value of the same name came later, is
 * whatever that is, or nil. */
static void follow(lua_State *L, struct ce_json_scan *scan, struct names *names)
{
    if (scan->reached == 0)
        scan->reached = 1;   /* the outermost is the result itself */
    lua_settop(L, DECODED - 1 + (int)scan->reached);
    while (scan->reached < scan->depth) {
        scan->reached++;
        if (scan->reached > SHALLOW)
            luaL_checkstack(L, LUA_MINSTACK, "JSON is nested too deeply");
        if (lua_istable(L, -1)) {
            push_key(L, scan, &scan->levels[scan->reached].step, names);
            lua_rawget(L, -2);
        } else {
            lua_pushnil(L);
        }
    }
}

/* Whether the table on top is. */
static int is_empty(lua_State *L)
{
    lua_pushnil(L);
    if (!lua_next(L, -2))
        return 1;
    lua_pop(L, 2);
    return 0;
}

/* The value of a number, an empty array or an empty object in the text is on top, unless a
 * value of another kind came later under the same name.  As settle_number(). */
static int settle_value(lua_State *L, enum ce_json_place place)
{
    int type = lua_type(L, -1);

    if (place == CE_JSON_NUMBER)
        return type == LUA_TNUMBER ? settle_number(L) : 0;
    if (type != LUA_TTABLE)
        return 0;
    if (place == CE_JSON_EMPTY_OBJECT)   /* which an empty array before it was taken for */
        unmark(L);
    else if (is_empty(L))
        mark(L);
    return 0;
}

/* Sets right what lua-cjson left wanting where the scan is; -1 when that is no number. */
static int settle_place(lua_State *L, struct ce_json_scan *scan, enum ce_json_place place, struct names *names)
{
    int rc;

    follow(L, scan, names);
    if (scan->depth == 0)
        return settle_value(L, place);
    if (!lua_istable(L, -1))
        return 0;
    if (place == CE_JSON_ARRAY) {
        if (ce_rawlen(L, -1) > 0)   /* else it is an object that came later under the same name */
            mark(L);
        return 0;
    }
    push_key(L, scan, &scan->step, names);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    rc = settle_value(L, place);
    if (rc > 0)
        lua_rawset(L, -3);
    return rc;
}

/* The text is refused, nil and the reason are on top; a fault that lua-cjson lets pass goes
 * before, since its place is known. */
static int refused(lua_State *L, struct ce_json_scan *scan)
{
    enum ce_json_place place;

    do
        place = ce_json_scan_next(scan);
    while (place != CE_JSON_END && place != CE_JSON_FAULT);
    return place == CE_JSON_FAULT ? fails_there(L, scan, scan->why) : 2;
}

/* Has the answer decoded, then follows its text to the values that lua-cjson may have left
 * wanting and to no others: most need nothing. */
static int decode_answer(lua_State *L, const char *text, size_t len)
{
    struct ce_json_scan scan;
    struct names names;
    enum ce_json_place place;

    luaL_checkstack(L, DECODED + SHALLOW + LUA_MINSTACK, "no room to decode");
    ce_json_scan_start(&scan, text, len, 0);
    lua_settop(L, DECODED - 1);
    lua_pushvalue(L, CJSON);
    push_text(L, scan.at, scan.end);
    if (!call_cjson(L))
        return refused(L, &scan);
    names.count = 0;
    scan.keeps_way = 1;
    scan.whole_numbers = CE_HAS_INTEGERS;
    while ((place = ce_json_scan_next(&scan)) != CE_JSON_END) {
        if (place == CE_JSON_FAULT)
            return fails_there(L, &scan, scan.why);
        if (place == CE_JSON_INTEGER) {   /* rare enough to read all of it again */
            lua_settop(L, TEXT);
            return decode_carefully(L, text, len, 0);
        }
        if (settle_place(L, &scan, place, &names) < 0) {
            too_large(L);
            return refused(L, &scan);
        }
    }
    lua_settop(L, DECODED);
    return 1;
}

/* decode(text, strict) -> value | nil, why, byte offset or nil.
 * Strict is for what a person wrote: no raw control characters in strings, only
 * UTF-8, no name twice, no integer that this Lua cannot hold.  Otherwise the last
 * of two equal names counts and such an integer comes as text. */
static int json_decode(lua_State *L)
{
    size_t len;
    const char *text;
    int strict = lua_toboolean(L, 2);

    if (lua_type(L, TEXT) != LUA_TSTRING) {
        lua_pushnil(L);
        lua_pushliteral(L, "not a text");
        return 2;
    }
    text = lua_tolstring(L, TEXT, &len);
    lua_settop(L, TEXT);
    return strict ? decode_carefully(L, text, len, 1) : decode_answer(L, text, len);
}

/* ---- encoding ---------------------------------------------------------- */

enum outcome { REFUSED = -1, AS_IT_IS, REPLACED };

/* One table on the way down.  Its key is at table + 2 while its values are looked
 * at, so that a path can be told when something is wrong and costs nothing else. */
struct level {
    const struct level *up;
    int table;
    int depth;
    int texts;   /* look into every text as well */
};

static void add_path(lua_State *L, luaL_Buffer *out, const struct level *at)
{
    char index[32];
    const char *name;
    size_t n;
    int key = at->table + 2;

    if (at->up == NULL)
        return;
    add_path(L, out, at->up);
    if (lua_type(L, key) == LUA_TSTRING) {
        name = lua_tolstring(L, key, &n);
        if (at->up->up != NULL)
            luaL_addchar(out, '.');
        luaL_addlstring(out, name, ce_utf8_prefix(name, n));
    } else {
        snprintf(index, sizeof(index), "[%.14g]", (double)lua_tonumber(L, key));
        luaL_addstring(out, index);
    }
}

/* Pushes "path: why"; the path is that of the value which `at` is looking at. */
static enum outcome refuse(lua_State *L, const struct level *at, const char *why)
{
    luaL_Buffer out;

    luaL_checkstack(L, LUA_MINSTACK, "no room for an error");
    luaL_buffinit(L, &out);
    if (at->up == NULL)
        luaL_addstring(&out, "the value");
    add_path(L, &out, at);
    luaL_addstring(&out, ": ");
    luaL_addstring(&out, why);
    luaL_pushresult(&out);
    return REFUSED;
}

static enum outcome replace(lua_State *L, const char *text, size_t n)
{
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    luaL_addchar(&out, CE_JSON_STANDIN);
    luaL_addlstring(&out, text, n);
    luaL_pushresult(&out);
    return REPLACED;
}

/* A fraction in as few digits as give the same number back. */
static enum outcome replace_fraction(lua_State *L, double number)
{
    char text[40];
    int digits, n = 0, i;

    for (digits = DIGITS + 1; digits <= 17; digits++) {
        n = snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    for (i = 0; i < n; i++) {
        if (strchr("0123456789+-e", text[i]) == NULL)
            text[i] = '.';   /* a decimal comma of the locale */
    }
    return replace(L, text, (size_t)n);
}

static enum outcome check_number(lua_State *L, const struct level *at)
{
    double number = (double)lua_tonumber(L, -1);
    char text[40];
    int n;

#if CE_HAS_INTEGERS
    if (lua_isinteger(L, -1)) {
        if (number > -PLAIN_LIMIT && number < PLAIN_LIMIT)
            return AS_IT_IS;
        n = snprintf(text, sizeof(text), "%lld", (long long)lua_tointeger(L, -1));
        return replace(L, text, (size_t)n);
    }
#endif
    if (number - number != 0.0)
        return refuse(L, at, "JSON has no way to write NaN or infinity");
    if (number > -PLAIN_LIMIT && number < PLAIN_LIMIT && (double)(long long)number == number)
        return AS_IT_IS;
    if (number >= -EXACT && number <= EXACT && (double)(long long)number == number) {
        n = snprintf(text, sizeof(text), "%.0f", number);
        return replace(L, text, (size_t)n);
    }
    if ((number > EXACT && number < ID_LIMIT) || (number < -EXACT && number > -ID_LIMIT))
        return refuse(L, at, "an integer beyond 2^53 may have been rounded already: give it as text");
    snprintf(text, sizeof(text), "%.*g", DIGITS, number);
    if (strtod(text, NULL) == number)
        return AS_IT_IS;
    return replace_fraction(L, number);
}

/* Most values need no closer look: numbers, tables and odd types do, texts only
 * when the level says so. */
static int is_plain(int type, const struct level *at)
{
    return type == LUA_TBOOLEAN || (type == LUA_TSTRING && !at->texts);
}

static int is_utf8(lua_State *L, int index)
{
    size_t n;
    const char *text = lua_tolstring(L, index, &n);

    return ce_utf8_prefix(text, n) == n;
}

static enum outcome check_table(lua_State *L, const struct level *up);

/* Looks at the value on top; what replaces it, or why it is refused, is pushed. */
static enum outcome check(lua_State *L, const struct level *at)
{
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        if (at->texts && !is_utf8(L, -1))
            return refuse(L, at, "text that is not UTF-8");
        return AS_IT_IS;
    case LUA_TBOOLEAN:
        return AS_IT_IS;
    case LUA_TNUMBER:
        return check_number(L, at);
    case LUA_TTABLE:
        return check_table(L, at);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1) == NULL)
            return AS_IT_IS;   /* null */
        if (lua_rawequal(L, -1, EMPTY_ARRAY))
            return replace(L, "[]", 2);
        break;
    default:
        break;
    }
    lua_pushfstring(L, "a %s cannot be written as JSON", luaL_typename(L, -1));
    return refuse(L, at, lua_tostring(L, -1));
}

/* Too deep; when that is because a table holds itself, says where. */
static enum outcome refuse_depth(lua_State *L, const struct level *here)
{
    const struct level *inner, *outer, *at = NULL;

    for (inner = here; inner->up != NULL; inner = inner->up) {
        for (outer = inner->up; outer->up != NULL; outer = outer->up) {
            if (lua_rawequal(L, inner->table, outer->table))
                at = inner;   /* the one nearest to the root is found last */
        }
    }
    if (at != NULL)
        return refuse(L, at->up, "a table that contains itself");
    while (here->up != NULL)
        here = here->up;
    return refuse(L, here, "nested more than 128 tables deep");
}

/* Gives the table of this level a shallow copy of its own at table + 1, once. */
static void make_copy(lua_State *L, const struct level *here)
{
    if (!lua_isnil(L, here->table + 1))
        return;
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, here->table)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_replace(L, here->table + 1);
}

static int is_marked(lua_State *L, int table)
{
    int marked;

    if (!lua_getmetatable(L, table))
        return 0;
    marked = lua_rawequal(L, -1, MARK) || lua_rawequal(L, -1, EMPTY_MARK);
    lua_pop(L, 1);
    return marked;
}

/* An object has names only, an array 1 to n only.  lua-cjson would fill holes with
 * null and write numbers as names: what is lost on the other side is refused here.
 * The caller's table stays as it is: replacements go into a copy. */
static enum outcome check_table(lua_State *L, const struct level *up)
{
    struct level here = { up, lua_gettop(L), up->depth + 1, up->texts };
    size_t names = 0, items = 0;
    double index, highest = 0;
    enum outcome rc;

    if (here.depth > DEPTH_MAX)
        return refuse_depth(L, &here);
    luaL_checkstack(L, 12, "the value is nested too deeply");
    lua_pushnil(L);   /* table + 1: the copy */
    lua_pushnil(L);   /* table + 2: the key */
    while (lua_next(L, here.table)) {
        switch (lua_type(L, -2)) {
        case LUA_TSTRING:
            names++;
            if (here.texts && !is_utf8(L, -2))
                return refuse(L, up, "a name that is not UTF-8");
            break;
        case LUA_TNUMBER:
            items++;
            index = (double)lua_tonumber(L, -2);
            highest = index > highest ? index : highest;
            if (!(index >= 1 && index < EXACT && (double)(long long)index == index))
                return refuse(L, up, "a key that is neither a name nor a place in a list");
            break;
        default:
            lua_pushfstring(L, "a %s cannot be a name in JSON", luaL_typename(L, -2));
            return refuse(L, up, lua_tostring(L, -1));
        }
        if (is_plain(lua_type(L, -1), &here)) {
            lua_pop(L, 1);
            continue;
        }
        rc = check(L, &here);
        if (rc == REFUSED)
            return REFUSED;
        if (rc == REPLACED) {
            make_copy(L, &here);
            lua_pushvalue(L, -3);
            lua_insert(L, -2);
            lua_rawset(L, here.table + 1);
        }
        lua_pop(L, 1);
    }
    if (items != 0 && names != 0)
        return refuse(L, up, "both a list and an object: names and places are mixed");
    if ((double)items != highest)
        return refuse(L, up, "a list with holes");
    if (items == 0 && is_marked(L, here.table)) {
        if (names != 0)
            return refuse(L, up, "marked as an array, but it has names");
        lua_settop(L, here.table);
        return replace(L, "[]", 2);
    }
    if (lua_isnil(L, here.table + 1)) {
        lua_settop(L, here.table);
        return AS_IT_IS;
    }
    lua_settop(L, here.table + 1);
    return REPLACED;
}

/* The text on top with every stand-in written as what it stands for. */
static void splice(lua_State *L)
{
    size_t len;
    const char *text = lua_tolstring(L, -1, &len), *end = text + len, *mark, *quote;
    luaL_Buffer out;

    luaL_buffinit(L, &out);
    for (;;) {
        mark = memchr(text, CE_JSON_STANDIN, (size_t)(end - text));
        if (mark == NULL)
            break;
        luaL_addlstring(&out, text, (size_t)(mark - 1 - text));
        quote = memchr(mark, '"', (size_t)(end - mark));
        luaL_addlstring(&out, mark + 1, (size_t)(quote - mark - 1));
        text = quote + 1;
    }
    luaL_addlstring(&out, text, (size_t)(end - text));
    luaL_pushresult(&out);
}

/* Looks at the value at 1; what is to be printed, or why it is refused, is pushed. */
static enum outcome check_all(lua_State *L, int texts)
{
    struct level root = { NULL, 0, 0, texts };
    enum outcome seen;

    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    seen = check(L, &root);
    if (seen == REFUSED) {
        lua_pushnil(L);
        lua_insert(L, -2);
    }
    return seen;
}

/* Has JSON nothing in it that a caller should look at before it sends it: no "<" of a
 * template, no mask's asterisk, nothing that starts a curly quote, no control character or line
 * break, which are \\u and \\n and the like here? */
static int is_ordinary(const char *text, size_t len)
{
    const char *end = text + len;

    if (memchr(text, '<', len) != NULL || memchr(text, '*', len) != NULL || memchr(text, 0xe2, len) != NULL)
        return 0;
    while ((text = memchr(text, '\\', (size_t)(end - text))) != NULL) {
        if (text[1] != '/' && text[1] != '"' && text[1] != '\\')
            return 0;
        text += 2;
    }
    return 1;
}

/* encode(value) -> text, ordinary | nil, "path: why".
 * Whether all texts are UTF-8 is seen fastest in the whole that comes out.  Only when
 * it holds stand-ins, or is not UTF-8, each text is looked at by itself. */
static int json_encode(lua_State *L)
{
    enum outcome seen;
    const char *text;
    size_t len;

    luaL_checkany(L, 1);
    seen = check_all(L, 0);
    if (seen == REPLACED)
        seen = check_all(L, 1);
    if (seen == REFUSED)
        return 2;
    lua_pushvalue(L, CJSON);
    lua_insert(L, -2);
    if (!call_cjson(L))
        return 2;
    if (seen == REPLACED)
        splice(L);
    text = lua_tolstring(L, -1, &len);
    if (seen != REPLACED && ce_utf8_prefix(text, len) != len)
        return check_all(L, 1) == REFUSED ? 2 : luaL_error(L, "lua-cjson wrote text that is not UTF-8");
    lua_pushboolean(L, is_ordinary(text, len));
    return 2;
}

/* ---- the instance ------------------------------------------------------ */

/* array(table) -> the same table, which is written as [] even when it is empty. */
static int json_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) {
        luaL_argcheck(L, lua_rawequal(L, -1, MARK), 1, "the table has a metatable of its own");
        lua_pop(L, 1);
    }
    lua_pushvalue(L, MARK);
    lua_setmetatable(L, 1);
    return 1;
}

static void push_cjson(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    if (lua_pcall(L, 1, 1, 0) != 0)
        luaL_error(L, "celements needs lua-cjson: apt-get install lua-cjson, or luarocks install lua-cjson (%s)",
                   lua_tostring(L, -1));
}

/* Calls a setting of the instance at index, when this version has it. */
static void configure(lua_State *L, int index, const char *setting)
{
    lua_getfield(L, index, setting);
    lua_insert(L, -2);
    if (lua_isfunction(L, -2))
        lua_call(L, 1, 0);
    else
        lua_pop(L, 2);
}

/* The metatable of arrays: a newer lua-cjson's own, so that it knows our arrays and
 * we know its; with an older one, one of ours. */
static void push_mark(lua_State *L, int cjson)
{
    lua_getfield(L, cjson, "array_mt");
    if (lua_istable(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushliteral(L, "celements.Array");
    lua_setfield(L, -2, "__name");
}

/* new([cjson]) -> {decode, encode, array, null}: the instance that json.lua uses.
 * Specs hand in a stand-in for another version of the module. */
static int json_new(lua_State *L)
{
    enum { MODULE = 1, INSTANCE, MARKS, RESULT };

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        push_cjson(L);
        lua_replace(L, 1);
    }
    if (lua_istable(L, 1))
        lua_getfield(L, 1, "new");
    else
        lua_pushnil(L);
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "celements needs lua-cjson; the module 'cjson' found here is another one (it has no new)");
    lua_call(L, 0, 1);

    lua_pushboolean(L, 0);
    configure(L, INSTANCE, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    configure(L, INSTANCE, "encode_keep_buffer");   /* it would keep the last body, secrets and all */
    lua_pushinteger(L, DEPTH_MAX);
    configure(L, INSTANCE, "decode_max_depth");
    lua_pushinteger(L, DEPTH_MAX);
    configure(L, INSTANCE, "encode_max_depth");
    lua_pushinteger(L, DIGITS);
    configure(L, INSTANCE, "encode_number_precision");   /* the same bytes from every version */

    push_mark(L, MODULE);
    lua_newtable(L);
    lua_getfield(L, INSTANCE, "null");
    lua_setfield(L, RESULT, "null");
    lua_getfield(L, INSTANCE, "decode");
    lua_pushvalue(L, MARKS);
    lua_pushcclosure(L, json_decode, 2);
    lua_setfield(L, RESULT, "decode");
    lua_getfield(L, INSTANCE, "encode");
    lua_pushvalue(L, MARKS);
    lua_getfield(L, MODULE, "empty_array_mt");
    lua_getfield(L, MODULE, "empty_array");
    lua_pushcclosure(L, json_encode, 4);
    lua_setfield(L, RESULT, "encode");
    lua_pushnil(L);
    lua_pushvalue(L, MARKS);
    lua_pushcclosure(L, json_array, 2);
    lua_setfield(L, RESULT, "array");
    return 1;
}

int ce_open_json(lua_State *L)
{
    static const luaL_Reg functions[] = { { "new", json_new }, { NULL, NULL } };

    lua_newtable(L);
    ce_setfuncs(L, functions);
    return 1;
}
