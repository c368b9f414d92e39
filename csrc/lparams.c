/* lparams.c -- a caller's parameter table on its way to the wire: core.params.
 *
 * Does at one look what every usual call does with what it is given, for a tenth of
 * what the same costs in Lua.  Whatever is odd is left to Lua, which does it all and
 * knows what to say about it; so nothing here raises.  Reads tables raw.  Owns nothing
 * and knows no names: they come in tables. */
#include <string.h>

#include "lcompat.h"
#include "url.h"

#define ROOM       8      /* parameters of a usual call: a table that grows costs twice as much */
#define PLAIN_MAX  16     /* parameters of a usual query */
#define PLAIN_SIZE 2048   /* bytes of one, encoded */
#define WORD_MAX   64     /* bytes of a usual name in a path */

/* Puts the wire's name for the string at `index` on top: what the table at `renames` has
 * for it, or itself.  1: it is another. */
static int push_wire_name(lua_State *L, int index, int renames)
{
    lua_pushvalue(L, index);
    lua_rawget(L, renames);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, index);
    return 0;
}

/* Has the table at `table` something under the name at `name`? */
static int has(lua_State *L, int table, int name)
{
    int found;

    lua_pushvalue(L, name);
    lua_rawget(L, table);
    found = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return found;
}

/* Is the value below the top of a type that the table at `types` has for the name on top?
 * Has it none, *known becomes 0. */
static int is_of_types(lua_State *L, int types, int *known)
{
    const char *text;
    int fits;

    lua_pushvalue(L, -1);
    lua_rawget(L, types);
    text = lua_tostring(L, -1);
    if (text == NULL)
        *known = 0;
    fits = text == NULL || strstr(text, luaL_typename(L, -3)) != NULL;   /* none is part of another */
    lua_pop(L, 1);
    return fits;
}

/* How many items the table at `list` has; -1: it has a hole or a name in it, or with `texts`
 * something that is no text. */
static long count_list(lua_State *L, int list, int texts)
{
    size_t n = ce_rawlen(L, list);
    size_t count = 0;

    lua_pushnil(L);
    while (lua_next(L, list) != 0) {
        lua_Number key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
        int fits = key >= 1 && key <= (lua_Number)n && key == (lua_Number)(size_t)key;

        if (!fits || (texts && lua_type(L, -1) != LUA_TSTRING) || ++count > n) {
            lua_pop(L, 2);
            return -1;
        }
        lua_pop(L, 1);
    }
    return count == n ? (long)n : -1;
}

/* Puts {name = the text at `value`} in its place; 0: it is empty. */
static int wrap_text(lua_State *L, int value, const char *name)
{
    if (ce_rawlen(L, value) == 0)
        return 0;
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, value);
    lua_setfield(L, -2, name);
    lua_replace(L, value);
    return 1;
}

/* Is there a text under the name in the table at `value`? */
static int has_text(lua_State *L, int value, const char *name)
{
    int found;

    lua_pushstring(L, name);
    lua_rawget(L, value);
    found = lua_type(L, -1) == LUA_TSTRING && ce_rawlen(L, -1) != 0;
    lua_pop(L, 1);
    return found;
}

/* Has the value at `value` the form that the table at `forms` has for the name on top, or can
 * be given it? */
static int has_form(lua_State *L, int forms, int value)
{
    const char *form;
    int fits = 1;

    lua_pushvalue(L, -1);
    lua_rawget(L, forms);
    form = lua_tostring(L, -1);
    if (lua_isboolean(L, -1))
        fits = 0;
    else if (form != NULL && lua_type(L, value) == LUA_TSTRING)
        fits = *form != '\0' && wrap_text(L, value, form);
    else if (form != NULL)
        fits = lua_istable(L, value) && (*form != '\0' ? has_text(L, value, form) : count_list(L, value, 1) > 0);
    lua_pop(L, 1);
    return fits;
}

/* wire(params, renames, types, forms) -> copy, usual | nil
 * A copy with the wire's names.  types may be nil, or have for a wire's name which types the
 * value may be of, as "string or table".  forms may be nil, or have for a wire's name which
 * form its value has: NAME, an object that has a text under that name, which a text alone is
 * made to be; "", a list of one text or more; false, one that somebody has to look at.
 * usual: types has all of the names, and all values are of their forms.
 * nil: params is no table, a name no string, one parameter there by two names, or a value of
 * another type. */
static int params_wire(lua_State *L)
{
    int usual = 1;

    lua_settop(L, 4);
    if (!lua_istable(L, 1))
        return 0;
    lua_createtable(L, 0, ROOM);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {   /* 5: copy, 6: name, 7: value, 8: the wire's name */
        if (lua_type(L, 6) != LUA_TSTRING)
            return 0;
        if (push_wire_name(L, 6, 2) && has(L, 1, 8))
            return 0;
        if (lua_istable(L, 3) && !is_of_types(L, 3, &usual))
            return 0;
        if (lua_istable(L, 4) && !has_form(L, 4, 7))
            usual = 0;
        lua_pushvalue(L, 7);
        lua_rawset(L, 5);
        lua_settop(L, 6);
    }
    lua_pushboolean(L, usual);
    return 2;
}

/* list(value, texts) -> count | nil: of a list without a hole, which with texts holds strings
 * alone. */
static int params_list(lua_State *L)
{
    int texts = lua_toboolean(L, 2);
    long count;

    lua_settop(L, 1);
    if (!lua_istable(L, 1))
        return 0;
    count = count_list(L, 1, texts);
    if (count < 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* One parameter of a query, its texts borrowed from the caller's tables. */
struct item {
    int place;
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
};

static int compare(const struct item *a, const struct item *b)
{
    size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
    int differ;

    if (a->place != b->place)
        return a->place - b->place;
    differ = memcmp(a->name, b->name, n);
    return differ != 0 ? differ : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

/* Printable ASCII that means itself wherever it stands: no template's "<", and neither
 * of the two that people write for a space. */
static int is_plain(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == '<' || text[i] == '+' || text[i] == '%')
            return 0;
    return 1;
}

/* May it stand in a path as it is, and name nothing but itself there? */
static int is_word(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
              (text[i] >= '0' && text[i] <= '9') || text[i] == '_'))
            return 0;
    return n != 0 && n <= WORD_MAX;
}

/* Sorts a new item into the first n.  0: one of that name is there. */
static int sort_in(struct item *items, size_t n, const struct item *item)
{
    size_t i = n;

    while (i > 0 && compare(&items[i - 1], item) > 0) {
        items[i] = items[i - 1];
        i--;
    }
    items[i] = *item;
    return i == 0 || compare(&items[i - 1], item) != 0;
}

static int write_item(struct ce_buf *out, const struct item *item)
{
    int rc = out->len != 0 ? ce_buf_add(out, "&", 1) : CE_OK;

    if (rc == CE_OK)
        rc = ce_url_escape(out, item->name, item->name_len);
    if (rc == CE_OK)
        rc = ce_buf_add(out, "=", 1);
    return rc == CE_OK ? ce_url_escape(out, item->value, item->value_len) : rc;
}

/* query(params, renames, places) -> text, word | nil
 * The parameters as a query, encoded.  places has for a wire's name where it stands, a
 * number from 1 on, or false: it belongs in the path, and is the word.  Those without a
 * place come behind, by name.
 * nil: params is no table, something is no string, not plain or in the path no word, one
 * name is there twice or has the place 0, or there is much of it. */
static int params_query(lua_State *L)
{
    struct item items[PLAIN_MAX];
    char bytes[PLAIN_SIZE];
    struct ce_buf out = { bytes, 0, sizeof(bytes), sizeof(bytes) - 1 };   /* never grows */
    size_t count = 0;
    size_t i;

    lua_settop(L, 3);
    if (!lua_istable(L, 1))
        return 0;
    lua_pushnil(L);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {   /* 4: the word or nil, 5: name, 6: value */
        struct item item;

        if (lua_type(L, 5) != LUA_TSTRING || lua_type(L, 6) != LUA_TSTRING)
            return 0;
        item.value = lua_tolstring(L, 6, &item.value_len);
        (void)push_wire_name(L, 5, 2);
        item.name = lua_tolstring(L, -1, &item.name_len);
        lua_rawget(L, 3);
        if (lua_isboolean(L, -1)) {
            if (!is_word(item.value, item.value_len))
                return 0;
            lua_pushvalue(L, 6);
            lua_replace(L, 4);
        } else {
            item.place = lua_isnil(L, -1) ? PLAIN_SIZE : (int)lua_tointeger(L, -1);
            if (item.place == 0 || count == PLAIN_MAX || !is_plain(item.name, item.name_len) ||
                !is_plain(item.value, item.value_len) || !sort_in(items, count, &item))
                return 0;
            count++;
        }
        lua_settop(L, 5);
    }
    for (i = 0; i < count; i++)
        if (write_item(&out, &items[i]) != CE_OK)
            break;
    if (i == count)
        lua_pushlstring(L, out.data, out.len);
    ce_wipe(bytes, out.len);   /* a provider's secret may be among them */
    if (i != count)
        return 0;
    lua_pushvalue(L, 4);
    return 2;
}

int ce_open_params(lua_State *L)
{
    static const luaL_Reg functions[] = { { "wire", params_wire }, { "list", params_list },
                                          { "query", params_query }, { NULL, NULL } };

    lua_newtable(L);
    ce_setfuncs(L, functions);
    return 1;
}
