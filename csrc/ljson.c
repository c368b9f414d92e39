/* ljson.c -- core.json: lua-cjson, made exact.
 *
 * lua-cjson parses and prints, through an instance of its own, so that no other
 * user of the module sees our settings or we theirs.  Its versions differ in what
 * they damage: integers from 2^53 on are rounded or clipped, numbers are printed
 * with 14 digits, an empty array comes out as an object.  Such values travel
 * through it as stand-ins, strings that begin with a byte which no UTF-8 text has,
 * so nothing here asks for a version.  Everything else stays on its fast way.
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
#define NOTES_FIRST  384                       /* notes that need no memory of their own */
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

struct settling {
    size_t members;   /* names seen: fewer than the text has means that one came twice */
    int standins;     /* the text was given stand-ins */
    int arrays;       /* it was not, and what is empty is an array */
    int numbers;      /* numbers are to be looked at */
    int count;        /* names are to be counted */
};

static int fails_at(lua_State *L, const char *why, size_t offset)
{
    lua_pushnil(L);
    lua_pushstring(L, why);
    lua_pushinteger(L, (lua_Integer)offset + 1);
    return 3;
}

/* Can this Lua hold the integer?  Only the ones with 64-bit integers can. */
static int holds(const char *digits, size_t n)
{
    long long value;

    return CE_HAS_INTEGERS && ce_json_integer(digits, n, &value);
}

static void push_array(lua_State *L)
{
    lua_newtable(L);
    lua_pushvalue(L, MARK);
    lua_setmetatable(L, -2);
}

/* What the stand-in on top of the stack stands for, pushed. */
static void push_original(lua_State *L)
{
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
#if CE_HAS_INTEGERS
    long long value;
#endif

    if (text[1] == '[')
        push_array(L);
#if CE_HAS_INTEGERS
    else if (ce_json_integer(text + 1, n - 1, &value))
        lua_pushinteger(L, (lua_Integer)value);
#endif
    else
        lua_pushlstring(L, text + 1, n - 1);   /* its digits as text: whole, if not a number */
}

static int settle_table(lua_State *L, struct settling *s);

/* May the value on top have to be another?  Most are texts and need no closer look. */
static int is_suspect(lua_State *L, const struct settling *s)
{
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        return 1;
    case LUA_TNUMBER:
        return s->numbers;
    case LUA_TSTRING:
        return s->standins && lua_tostring(L, -1)[0] == CE_JSON_STANDIN;
    default:
        return 0;
    }
}

/* A suspect as it should be: 1 when a better one was pushed above it, 0 when it is
 * right, -1 when it is no number at all. */
static int settle(lua_State *L, struct settling *s)
{
    double number;

    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        push_original(L);
        return 1;
    case LUA_TTABLE:
        return settle_table(L, s);
    default:
#if CE_HAS_INTEGERS
        if (lua_isinteger(L, -1))
            return 0;
#endif
        number = (double)lua_tonumber(L, -1);
        if (number - number != 0.0)
            return -1;   /* 1e400 */
#if CE_HAS_INTEGERS
        if (number > -EXACT && number < EXACT && (double)(lua_Integer)number == number) {
            lua_pushinteger(L, (lua_Integer)number);
            return 1;
        }
#endif
        return 0;
    }
}

static void mark(lua_State *L, int table)
{
    lua_pushvalue(L, MARK);
    lua_setmetatable(L, table);
}

static int settle_array(lua_State *L, struct settling *s, int table, int count)
{
    int i, rc;

    mark(L, table);
    for (i = 1; i <= count; i++) {
        lua_rawgeti(L, table, i);
        rc = is_suspect(L, s) ? settle(L, s) : 0;
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
        if (s->count)
            s->members++;
        rc = is_suspect(L, s) ? settle(L, s) : 0;
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
        mark(L, table);
    return 0;
}

/* ---- decoding by notes ---------------------------------------------------- */

/* The key that a note names in the table on top and its value, nil when it is not there,
 * since another value of the same name came later: pushed. */
static void push_noted(lua_State *L, const char *text, const struct ce_json_note *note)
{
    if (note->len == CE_JSON_ITEM)
        lua_pushinteger(L, (lua_Integer)note->at);
    else
        lua_pushlstring(L, text + note->at, note->len);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
}

/* Marks the table on top if it is the array that the text has there, and not an object
 * of the same name. */
static void mark_noted(lua_State *L, enum ce_json_step step)
{
    int is_array = ce_rawlen(L, -1) > 0;

    if (step == CE_JSON_NOTHING && !is_array) {
        lua_pushnil(L);
        is_array = !lua_next(L, -2);
        if (!is_array)
            lua_pop(L, 2);
    }
    if (is_array)
        mark(L, lua_gettop(L));
}

/* A key and its value are on top of their table: the value settled, if it is a number. */
static int settle_number(lua_State *L, struct settling *s)
{
    int rc = lua_type(L, -1) == LUA_TNUMBER ? settle(L, s) : 0;

    if (rc > 0) {
        lua_remove(L, -2);
        lua_rawset(L, -3);
    } else {
        lua_pop(L, 2);
    }
    return rc < 0 ? -1 : 0;
}

/* The same for a table: 1 when it stays on top, without its key, to be looked into. */
static int enter_table(lua_State *L, enum ce_json_step step)
{
    if (!lua_istable(L, -1)) {
        lua_pop(L, 2);
        return 0;
    }
    if (step != CE_JSON_INTO_OBJECT)
        mark_noted(L, step);
    if (step == CE_JSON_NOTHING) {
        lua_pop(L, 2);
        return 0;
    }
    lua_remove(L, -2);
    return 1;
}

/* Settles what the notes lead to in the table on top; 0, or -1 for what is no number. */
static int settle_noted(lua_State *L, struct settling *s, const char *text, const struct ce_json_note *notes, size_t count)
{
    size_t i, missed = 0;   /* tables that were to be entered and are not there, one in another */

    luaL_checkstack(L, CE_JSON_DEPTH_MAX + LUA_MINSTACK, "JSON is nested too deeply");
    if (notes[0].step == CE_JSON_INTO_ARRAY)
        mark_noted(L, notes[0].step);
    for (i = 1; i + 1 < count; i++) {   /* the first and the last are of the outermost table */
        enum ce_json_step step = notes[i].step;

        if (step == CE_JSON_OUT) {
            if (missed != 0)
                missed--;
            else
                lua_pop(L, 1);
        } else if (missed != 0) {
            if (step == CE_JSON_INTO_OBJECT || step == CE_JSON_INTO_ARRAY)
                missed++;
        } else {
            push_noted(L, text, &notes[i]);
            if (step == CE_JSON_NUMBER) {
                if (settle_number(L, s) != 0)
                    return -1;
            } else if (!enter_table(L, step) && step != CE_JSON_NOTHING) {
                missed = 1;
            }
        }
    }
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
    size_t from;

    luaL_buffinit(L, &out);
    ce_json_scan_start(&scan, text, len, strict);
    from = scan.at;
    while ((place = ce_json_scan_next(&scan)) != CE_JSON_END) {
        luaL_addlstring(&out, text + from, scan.place - from);
        add_standin(&out, text + scan.place, place == CE_JSON_EMPTY ? 1 : scan.place_len);
        from = scan.place + scan.place_len;
    }
    luaL_addlstring(&out, text + from, len - from);
    luaL_pushresult(&out);
}

/* Four times the room for notes, owned by what is put at index. */
static void more_room(lua_State *L, int index, struct ce_json_scan *scan)
{
    size_t room = scan->room * 4;
    struct ce_json_note *notes = ce_newuserdata(L, room * sizeof(*notes));

    memcpy(notes, scan->notes, scan->nnotes * sizeof(*notes));
    lua_replace(L, index);
    ce_json_scan_room(scan, notes, room);
}

/* decode(text, strict) -> value | nil, why, byte offset or nil.
 * Strict is for what a person wrote: no raw control characters in strings, only
 * UTF-8, no name twice, no integer that this Lua cannot hold.  Otherwise the last
 * of two equal names counts and such an integer comes as text.
 * A text is copied for stand-ins only when it has to be: an empty array comes back as an
 * empty table, which is as good where no object is empty. */
static int json_decode(lua_State *L)
{
    enum { TEXT = 1, NOTES, RESULT };
    size_t len, start;
    const char *text = luaL_checklstring(L, TEXT, &len);
    int strict = lua_toboolean(L, 2), empty_arrays = 0;
    struct settling settling = { 0, 0, 0, 0, strict };
    struct ce_json_note notes[NOTES_FIRST];
    struct ce_json_scan scan;
    enum ce_json_place place;

    lua_settop(L, TEXT);
    lua_pushnil(L);   /* NOTES, when they are many */
    lua_pushvalue(L, CJSON);
    ce_json_scan_start(&scan, text, len, strict);
    start = scan.at;
    if (!strict) {
        scan.whole_numbers = CE_HAS_INTEGERS;
        ce_json_scan_room(&scan, notes, NOTES_FIRST);
    }
    while ((place = ce_json_scan_next(&scan)) != CE_JSON_END) {
        if (place == CE_JSON_FULL) {
            more_room(L, NOTES, &scan);
            continue;
        }
        if (place == CE_JSON_FAULT)
            return fails_at(L, scan.why, scan.place);
        if (place == CE_JSON_EMPTY) {
            empty_arrays = 1;
            continue;
        }
        if (strict && !holds(text + scan.place, scan.place_len))
            return fails_at(L, "an integer too large for this Lua: put it in quotes", scan.place);
        settling.standins = 1;
    }
    if (empty_arrays && scan.has_empty_object)
        settling.standins = 1;
    settling.arrays = empty_arrays && !settling.standins;
    settling.numbers = CE_HAS_INTEGERS ? scan.has_number : scan.has_fraction;
    if (settling.standins)
        push_with_standins(L, text, len, strict);
    else if (start > 0)
        lua_pushlstring(L, text + start, len - start);
    else
        lua_pushvalue(L, TEXT);
    if (!call_cjson(L))
        return 2;
    if (!strict && !scan.has_array && !settling.numbers && !settling.standins)
        return 1;   /* lua-cjson got all of it right */
    if (!strict && !settling.standins && !scan.lost) {
        if (scan.nnotes == 0 || settle_noted(L, &settling, text, scan.notes, scan.nnotes) == 0) {
            lua_settop(L, RESULT);
            return 1;
        }
        lua_pushnil(L);
        lua_pushliteral(L, "a number too large");
        return 2;
    }
    if (is_suspect(L, &settling) && settle(L, &settling) < 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "a number too large");
        return 2;
    }
    if (strict && settling.members != scan.members) {
        lua_pushnil(L);
        lua_pushliteral(L, "the same name twice in one object");
        return 2;
    }
    return 1;
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

/* encode(value) -> text | nil, "path: why".
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
    if (seen == REPLACED) {
        splice(L);
        return 1;
    }
    text = lua_tolstring(L, -1, &len);
    if (ce_utf8_prefix(text, len) != len)
        return check_all(L, 1) == REFUSED ? 2 : luaL_error(L, "lua-cjson wrote text that is not UTF-8");
    return 1;
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
