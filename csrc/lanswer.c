/* lanswer.c -- what a call brought, as a table for Lua.
 *
 * Most calls end without a look at the headers, so their table is made when somebody
 * reads `headers`; the two that every call is asked for have fields of their own.  Owns
 * nothing: copies what it is lent into Lua.  Knows nothing of transfers and engines. */
#include "lanswer.h"

#include <string.h>

#define ANSWER "celements.Info"
#define ROOM   8   /* fields of an answer, with those that request.lua adds: no table grows */
#define MADE   lua_upvalueindex(1)

/* One header line: the name up to the colon, the value without the space around. */
struct header {
    const char *name;
    const char *value;
    size_t name_len;
    size_t value_len;
};

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The next header from *at on, which moves behind it; 0: there is none.  A status line and
 * an empty one are no headers. */
static int next_header(const char **at, const char *end, struct header *h)
{
    while (*at < end) {
        const char *line = *at;
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *stop = newline != NULL ? newline : end;
        const char *colon = memchr(line, ':', (size_t)(stop - line));

        *at = newline != NULL ? newline + 1 : end;
        if (colon == NULL || colon == line)
            continue;
        h->name = line;
        h->name_len = (size_t)(colon - line);
        for (h->value = colon + 1; h->value < stop && is_space(*h->value); h->value++)
            ;
        while (stop > h->value && is_space(stop[-1]))
            stop--;
        h->value_len = (size_t)(stop - h->value);
        return 1;
    }
    return 0;
}

static int is_named(const struct header *h, const char *name, size_t n)
{
    size_t i;

    if (h->name_len != n)
        return 0;
    for (i = 0; i < n; i++)
        if (lower(h->name[i]) != name[i])
            return 0;
    return 1;
}

/* Sets t[name] to the value, t being below the name, which is on top and goes; what comes
 * again is joined by a comma, as HTTP has it. */
static void add_value(lua_State *L, const struct header *h)
{
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, h->value, h->value_len);
    } else {
        lua_pushliteral(L, ", ");
        lua_pushlstring(L, h->value, h->value_len);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

static void push_lower(lua_State *L, const char *name, size_t n)
{
    char bytes[256];
    size_t i;

    if (n > sizeof(bytes))
        n = sizeof(bytes);
    for (i = 0; i < n; i++)
        bytes[i] = lower(name[i]);
    lua_pushlstring(L, bytes, n);
}

static void push_headers(lua_State *L, const char *at, const char *end)
{
    struct header h;

    lua_newtable(L);
    while (next_header(&at, end, &h)) {
        push_lower(L, h.name, h.name_len);
        add_value(L, &h);
    }
}

/* answer.headers: the metatable's __index.  What was made once is kept beside the answer and
 * not in it, so that a loop over its fields may read them. */
static int answer_index(lua_State *L)
{
    const char *head;
    size_t n;

    lua_settop(L, 2);
    lua_pushliteral(L, "headers");
    if (!lua_istable(L, 1) || !lua_rawequal(L, 2, 3))
        return 0;
    lua_pushvalue(L, 1);
    lua_rawget(L, MADE);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pushliteral(L, "head");
    lua_rawget(L, 1);
    head = lua_tolstring(L, -1, &n);
    if (head == NULL)
        return 0;   /* somebody took it out */
    push_headers(L, head, head + n);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, MADE);
    return 1;
}

void ce_answer_class(lua_State *L)
{
    if (luaL_newmetatable(L, ANSWER)) {
        lua_newtable(L);   /* MADE: headers by answer, as long as that lives */
        lua_newtable(L);
        lua_pushliteral(L, "k");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_pushcclosure(L, answer_index, 1);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, ANSWER);
        lua_setfield(L, -2, "__metatable");
    }
    lua_pop(L, 1);
}

static void set_text(lua_State *L, const char *field, const char *text, size_t n)
{
    lua_pushlstring(L, text, n);
    lua_setfield(L, -2, field);
}

void ce_push_answer(lua_State *L, const struct ce_outcome *o)
{
    static const char request_id[] = "elements-request-id";
    static const char warning[] = "elements-error";
    const char *at = o->headers;
    struct header h;

    lua_createtable(L, 0, ROOM);
    lua_pushinteger(L, (lua_Integer)o->status);
    lua_setfield(L, -2, "status");
    set_text(L, "head", o->headers, o->headers_len);
    lua_pushnumber(L, o->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushboolean(L, o->reused);
    lua_setfield(L, -2, "reused");
    while (next_header(&at, o->headers + o->headers_len, &h)) {
        if (h.name[0] != 'e' && h.name[0] != 'E')
            continue;   /* as nearly all do */
        if (is_named(&h, request_id, sizeof(request_id) - 1)) {
            lua_pushliteral(L, "request_id");
            add_value(L, &h);
        } else if (is_named(&h, warning, sizeof(warning) - 1)) {
            lua_pushliteral(L, "warning");
            add_value(L, &h);
        }
    }
    ce_setclass(L, ANSWER);
}

void ce_push_failure(lua_State *L, const struct ce_outcome *o)
{
    lua_createtable(L, 0, ROOM);
    lua_pushstring(L, o->kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, o->message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, o->phase);
    lua_setfield(L, -2, "phase");
    lua_pushboolean(L, o->sent);
    lua_setfield(L, -2, "sent");
    lua_pushboolean(L, o->reused);
    lua_setfield(L, -2, "reused");
    lua_pushnumber(L, o->seconds);
    lua_setfield(L, -2, "seconds");
    lua_pushinteger(L, o->code);
    lua_setfield(L, -2, "code");
    if (o->status != 0) {
        lua_pushinteger(L, (lua_Integer)o->status);
        lua_setfield(L, -2, "status");
    }
}
