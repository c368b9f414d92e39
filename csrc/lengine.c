/* lengine.c -- the engine for Lua: core.engine.
 *
 * Start, step, take: nothing here waits longer than it is told to, and nothing
 * calls back into Lua, so that all waiting can be Lua's (pitfall 32).  Owns the userdata
 * Settings, Engine and Transfer; an Engine may be collected before its Transfers. */
#define _POSIX_C_SOURCE 200809L   /* nanosleep */

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "lanswer.h"
#include "lcompat.h"
#include "lsecret.h"
#include "url.h"

#define SETTINGS "celements.Settings"
#define ENGINE   "celements.Engine"
#define TRANSFER "celements.Transfer"

#define LINES_MAX 48   /* header lines that a caller may add */

#define SPARE lua_upvalueindex(1)   /* of engine:start(): a Transfer that nobody else knows, or nil */

/* Their addresses are the tags of the classes. */
static const char settings_tag, engine_tag, transfer_tag;

struct lsettings {
    const void *tag;
    struct ce_settings settings;
};

struct lengine {
    const void *tag;
    struct ce_engine *engine;       /* NULL: closed */
};

struct ltransfer {
    const void *tag;
    struct ce_transfer *transfer;   /* NULL: let go of */
};

static void need(lua_State *L, int rc)
{
    if (rc == CE_ETOOBIG)
        luaL_error(L, "celements: a URL or header that is too long");
    if (rc != CE_OK)
        luaL_error(L, "celements: out of memory");
}

/* ---- Settings ------------------------------------------------------------- */

static struct ce_settings *check_settings(lua_State *L, int index)
{
    struct lsettings *ls = ce_checkclass(L, index, SETTINGS, &settings_tag, sizeof(*ls));

    return &ls->settings;
}

static int settings_gc(lua_State *L)
{
    struct ce_settings *s = check_settings(L, 1);

    ce_buf_wipe(&s->user);
    ce_buf_wipe(&s->organization);
    ce_buf_wipe(&s->user_agent);
    ce_buf_wipe(&s->ca_file);
    ce_buf_wipe(&s->proxy);
    ce_buf_wipe(&s->base_url);
    return 0;
}

/* Copies the string field `name` of the table at 1; 0 when it is nil. */
static int text_field(lua_State *L, const char *name, struct ce_buf *out)
{
    size_t n;
    const char *text;

    lua_getfield(L, 1, name);
    text = lua_tolstring(L, -1, &n);
    if (text != NULL)
        need(L, ce_buf_add(out, text, n));
    lua_pop(L, 1);
    return text != NULL;
}

static void secret_field(lua_State *L, const char *name, struct ce_buf *out)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1)) {
        const struct ce_buf *secret = ce_check_secret(L, lua_gettop(L));

        need(L, ce_buf_add(out, secret->data, secret->len));
    }
    lua_pop(L, 1);
}

static int flag_field(lua_State *L, const char *name)
{
    int set;

    lua_getfield(L, 1, name);
    set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

static double number_field(lua_State *L, const char *name)
{
    double value;

    lua_getfield(L, 1, name);
    value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static double clamp(double value, double least, double most)
{
    return value > most ? most : (value >= least ? value : least);   /* NaN becomes least */
}

/* What libcurl takes for a time: 0 would mean its own default, and 24 days is enough. */
static long milliseconds(double ms)
{
    return (long)clamp(ms, 1.0, 2147483647.0);
}

/* settings{id, base_url, user, organization, user_agent, ca_file, proxy,
 * http2, allow_http, connect_timeout, max_body} -> Settings.  The secrets are
 * Secrets; connect_timeout is in seconds, max_body in bytes; id is a number that no
 * other Settings of this Lua state has.  The caller has checked the values. */
static int settings_new(lua_State *L)
{
    struct lsettings *ls;
    struct ce_settings *s;

    luaL_checktype(L, 1, LUA_TTABLE);
    ls = ce_newuserdata(L, sizeof(*ls));
    memset(ls, 0, sizeof(*ls));
    ls->tag = &settings_tag;
    s = &ls->settings;
    ce_buf_init(&s->user, CE_HEADER_MAX);
    ce_buf_init(&s->organization, CE_HEADER_MAX);
    ce_buf_init(&s->user_agent, CE_HEADER_MAX);
    ce_buf_init(&s->ca_file, CE_URL_MAX);
    ce_buf_init(&s->proxy, CE_URL_MAX);
    ce_buf_init(&s->base_url, CE_URL_MAX);
    ce_setclass(L, SETTINGS);
    (void)text_field(L, "base_url", &s->base_url);
    secret_field(L, "user", &s->user);
    secret_field(L, "organization", &s->organization);
    (void)text_field(L, "user_agent", &s->user_agent);
    (void)text_field(L, "ca_file", &s->ca_file);
    s->has_proxy = text_field(L, "proxy", &s->proxy);
    s->http2 = flag_field(L, "http2");
    s->allow_http = flag_field(L, "allow_http");
    s->connect_timeout_ms = milliseconds(number_field(L, "connect_timeout") * 1000.0);
    s->max_body = (size_t)clamp(number_field(L, "max_body"), 0.0, CE_BODY_MAX);
    s->id = (uint64_t)number_field(L, "id");
    return 1;
}

/* ---- Engine --------------------------------------------------------------- */

static struct lengine *to_engine(lua_State *L)
{
    return ce_checkclass(L, 1, ENGINE, &engine_tag, sizeof(struct lengine));
}

static struct ce_engine *check_engine(lua_State *L)
{
    const struct lengine *le = to_engine(L);

    if (le->engine == NULL)
        luaL_error(L, "celements: the engine is closed");
    return le->engine;
}

/* An engine of this process: a forked child must make its own. */
static struct ce_engine *check_own_engine(lua_State *L)
{
    struct ce_engine *e = check_engine(L);

    if (!ce_engine_alive(e))
        luaL_error(L, "celements: the engine belongs to the process that this one was forked from");
    return e;
}

/* open() -> Engine | nil, message */
static int engine_open(lua_State *L)
{
    struct lengine *le = ce_newuserdata(L, sizeof(*le));

    le->tag = &engine_tag;
    le->engine = NULL;
    ce_setclass(L, ENGINE);
    le->engine = ce_engine_open();
    if (le->engine == NULL) {
        lua_pushnil(L);
        lua_pushfstring(L, "the transfer engine cannot be made: %s", strerror(errno));
        return 2;
    }
    return 1;
}

/* current() -> Engine | nil, message: the one of this Lua state and this process, made at the
 * first call, which is never before a fork (pitfall 4).  It is the function's upvalue. */
static int engine_current(lua_State *L)
{
    const struct lengine *le = lua_touserdata(L, lua_upvalueindex(1));

    if (le == NULL || le->engine == NULL || !ce_engine_alive(le->engine)) {
        if (engine_open(L) != 1)
            return 2;
        lua_replace(L, lua_upvalueindex(1));
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

/* close(), __gc and __close.  What is in flight ends; a second close does nothing. */
static int engine_close(lua_State *L)
{
    struct lengine *le = to_engine(L);
    struct ce_engine *e = le->engine;

    le->engine = NULL;
    if (e != NULL)
        ce_engine_close(e);
    return 0;
}

/* alive() -> boolean: open, and this process is the one that opened it? */
static int engine_alive(lua_State *L)
{
    const struct lengine *le = to_engine(L);

    lua_pushboolean(L, le->engine != NULL && ce_engine_alive(le->engine));
    return 1;
}

/* The lines of the list at index into lines[]; they stay alive in the list. */
static size_t header_lines(lua_State *L, int index, const char **lines)
{
    size_t count;
    size_t i;

    if (lua_isnoneornil(L, index))
        return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    count = ce_rawlen(L, index);
    luaL_argcheck(L, count <= LINES_MAX, index, "too many headers");
    for (i = 0; i < count; i++) {
        size_t n;

        lua_rawgeti(L, index, (int)i + 1);
        lines[i] = luaL_checklstring(L, -1, &n);
        if (ce_text_control(lines[i], n) != n)
            luaL_argerror(L, index, "a header holds a control character");
        lua_pop(L, 1);
    }
    return count;
}

static struct ltransfer *to_transfer(lua_State *L, int index)
{
    return ce_checkclass(L, index, TRANSFER, &transfer_tag, sizeof(struct ltransfer));
}

static struct ltransfer *check_transfer(lua_State *L, int index)
{
    struct ltransfer *lt = to_transfer(L, index);

    if (lt->transfer == NULL)
        luaL_error(L, "celements: the transfer is closed");
    return lt;
}

/* 0: Lua should get its turn, after a signal for one, -1: two results pushed */
static int step_result(lua_State *L, int rc)
{
    if (rc == CE_OK || errno == EINTR)
        return 0;
    lua_pushnil(L);
    lua_pushfstring(L, "waiting for sockets failed: %s", strerror(errno));
    return -1;
}

/* engine:drive(transfer, ms) -> boolean done | nil, message.  Works on everything in
 * flight until this transfer is done, ms have passed or a signal came. */
static int engine_drive(lua_State *L)
{
    struct ce_engine *e = check_own_engine(L);
    const struct ltransfer *lt = check_transfer(L, 2);
    int ms = (int)milliseconds(luaL_checknumber(L, 3));

    if (step_result(L, ce_engine_drive(e, lt->transfer, ms)) < 0)
        return 2;
    lua_pushboolean(L, ce_transfer_done(lt->transfer));
    return 1;
}

/* engine:step(ms) -> true | nil, message.  One round; for event loops with ms = 0. */
static int engine_step(lua_State *L)
{
    struct ce_engine *e = check_own_engine(L);

    if (step_result(L, ce_engine_step(e, (int)clamp(luaL_checknumber(L, 2), 0.0, 2147483647.0))) < 0)
        return 2;
    lua_pushboolean(L, 1);
    return 1;
}

/* engine:flush(): sends what was started, and looks for nothing that came. */
static int engine_flush(lua_State *L)
{
    ce_engine_flush(check_own_engine(L));
    return 0;
}

/* engine:finished() -> id | nil: of a transfer that is done and was not named yet. */
static int engine_finished(lua_State *L)
{
    long id = ce_engine_finished(check_own_engine(L));

    if (id == 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* engine:pollfd() -> descriptor | nil where the system has none for a set */
static int engine_pollfd(lua_State *L)
{
    int fd = ce_engine_fd(check_own_engine(L));

    if (fd < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, fd);
    return 1;
}

/* engine:events() -> "r": what to watch pollfd() for, as cqueues wants to know it */
static int engine_events(lua_State *L)
{
    (void)check_engine(L);
    lua_pushliteral(L, "r");
    return 1;
}

/* engine:timeout() -> seconds until step() has to be called | nil: no timer runs */
static int engine_timeout(lua_State *L)
{
    long ms = ce_engine_timeout(check_own_engine(L));

    if (ms < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)ms / 1000.0);
    return 1;
}

/* engine:running() -> number of transfers in flight */
static int engine_running(lua_State *L)
{
    lua_pushinteger(L, ce_engine_running(check_own_engine(L)));
    return 1;
}

/* engine:trust() -> {kind = "directory" | "file" | "libcurl", path =, why =} */
static int engine_trust(lua_State *L)
{
    static const char *const kinds[] = { "libcurl", "directory", "file" };
    const struct ce_trust *trust = ce_engine_trust(check_own_engine(L));

    lua_newtable(L);
    lua_pushstring(L, kinds[trust->kind]);
    lua_setfield(L, -2, "kind");
    if (trust->path[0] != '\0') {
        lua_pushstring(L, trust->path);
        lua_setfield(L, -2, "path");
    }
    lua_pushstring(L, trust->why);
    lua_setfield(L, -2, "why");
    return 1;
}

/* ---- Transfer ------------------------------------------------------------- */

static int transfer_close(lua_State *L)
{
    struct ltransfer *lt = to_transfer(L, 1);
    struct ce_transfer *t = lt->transfer;

    lt->transfer = NULL;
    ce_transfer_free(t);
    return 0;
}

/* transfer:done() -> boolean */
static int transfer_done(lua_State *L)
{
    lua_pushboolean(L, ce_transfer_done(check_transfer(L, 1)->transfer));
    return 1;
}

/* transfer:id() -> the number that engine:finished() will name: a small one, and nobody else's
 * until this transfer is let go of */
static int transfer_id(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)ce_transfer_id(check_transfer(L, 1)->transfer));
    return 1;
}

/* Pushes answer, body | nil, failure, and lets go of the transfer. */
static void push_outcome(lua_State *L, struct ltransfer *lt)
{
    struct ce_outcome o;

    ce_transfer_outcome(lt->transfer, &o);
    if (o.kind == NULL) {
        ce_push_answer(L, &o);
        lua_pushlstring(L, o.body, o.body_len);
    } else {
        lua_pushnil(L);
        ce_push_failure(L, &o);
    }
    ce_transfer_free(lt->transfer);
    lt->transfer = NULL;
}

/* transfer:take() -> answer, body | nil, failure: as ce_push_answer() and ce_push_failure()
 * have them, and the answer's body as it came.  Lets go of the transfer. */
static int transfer_take(lua_State *L)
{
    push_outcome(L, check_transfer(L, 1));
    return 2;
}

/* What start() is given at 2 to 11, but for the settings; the lines are lent by the stack. */
static void read_call(lua_State *L, struct ce_call *call, const char **lines)
{
    const char *secrets = luaL_checkstring(L, 7);

    memset(call, 0, sizeof(*call));
    call->method = luaL_checkstring(L, 3);
    call->path = luaL_checklstring(L, 4, &call->path_len);
    call->query = luaL_optlstring(L, 5, "", &call->query_len);
    call->body = luaL_optlstring(L, 6, NULL, &call->body_len);
    call->nheaders = header_lines(L, 8, lines);
    call->headers = lines;
    call->timeout_ms = milliseconds(luaL_checknumber(L, 9));
    call->compressed = lua_isnoneornil(L, 11) ? strcmp(call->method, "GET") == 0 : lua_toboolean(L, 11);
    if (strchr(secrets, 'u') != NULL)
        call->secrets |= CE_SEND_USER;
    if (strchr(secrets, 'o') != NULL)
        call->secrets |= CE_SEND_ORGANIZATION;
    if (strchr(secrets, 'e') != NULL) {
        call->secrets |= CE_SEND_ELEMENT;
        call->element = ce_check_secret(L, 10);
    }
}

/* Pushes a Transfer that holds nothing yet: the spare one, or another.  It is no longer the spare
 * one then, since anything that is pushed may run a finalizer, which may make a call. */
static struct ltransfer *push_transfer(lua_State *L)
{
    struct ltransfer *lt;

    if (lua_isnil(L, SPARE)) {
        lt = ce_newuserdata(L, sizeof(*lt));
        lt->tag = &transfer_tag;
        lt->transfer = NULL;
        ce_setclass(L, TRANSFER);
        return lt;
    }
    lua_pushvalue(L, SPARE);
    lua_pushnil(L);
    lua_replace(L, SPARE);
    return lua_touserdata(L, -1);
}

/* Pushes nil and the failure of a call that libcurl does not take. */
static void push_refused(lua_State *L, int rc)
{
    struct ce_outcome o;

    memset(&o, 0, sizeof(o));
    o.kind = "config";
    o.message = rc == CE_ETOOBIG ? "the request has too many or too long headers, too long a URL or too large a body"
                : rc == CE_ECURL ? "libcurl refuses the request's options"
                                 : "out of memory";
    lua_pushnil(L);
    ce_push_failure(L, &o);
}

/* engine:start(settings, method, path, query, body, secrets, lines, timeout_ms, element, compressed, ms)
 *   -> Transfer                                    in flight
 *    | nil, answer, body | nil, nil, failure       over already, as transfer:take() has it
 * query, body and lines may be nil; secrets says by letters which go with the call:
 * "u"ser, "o"rganization, "e"lement, and element is the Secret for the last.
 * compressed, true or false, is whether a compressed answer is asked for; nil: by a GET.
 * Copies everything.  With ms above 0 it works on everything in flight for so long, or until
 * this call is over or a signal came; else nothing is sent yet, that being step()'s.
 * A call that is over by then needed no Transfer of its own: nobody has seen that one, which
 * serves for the next. */
static int engine_start(lua_State *L)
{
    struct ce_engine *e = check_own_engine(L);
    struct ce_settings *s = check_settings(L, 2);
    int ms = (int)clamp(luaL_optnumber(L, 12, 0.0), 0.0, 2147483647.0);
    const char *lines[LINES_MAX];
    struct ce_call call;
    struct ltransfer *lt;
    int rc;

    read_call(L, &call, lines);
    lua_settop(L, 12);
    lt = push_transfer(L);
    rc = ce_transfer_start(e, s, &call, &lt->transfer);
    if (rc == CE_OK && ms > 0)
        (void)ce_engine_drive(e, lt->transfer, ms);   /* if it fails, drive() will say so */
    if (rc == CE_OK && !ce_transfer_done(lt->transfer))
        return 1;
    lua_pushnil(L);
    if (rc == CE_OK)
        push_outcome(L, lt);
    else
        push_refused(L, rc);
    lua_pushvalue(L, 13);
    lua_replace(L, SPARE);
    return 3;
}

/* ---- the rest ------------------------------------------------------------- */

/* clock() -> seconds of a clock that only goes forward */
static int core_clock(lua_State *L)
{
    lua_pushnumber(L, ce_clock_seconds());
    return 1;
}

/* sleep(seconds): at most that long; a signal ends it, so that Lua gets its turn */
static int core_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);
    struct timespec ts;

    if (!(seconds > 0.0))
        return 0;
    ts.tv_sec = (time_t)seconds;
    ts.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
    (void)nanosleep(&ts, NULL);
    return 0;
}

/* library() -> {version, tls, http2, async_dns, quick_exit}: libcurl as it runs */
static int core_library(lua_State *L)
{
    struct ce_library library;

    ce_library_get(&library);
    lua_newtable(L);
    lua_pushstring(L, library.version);
    lua_setfield(L, -2, "version");
    lua_pushstring(L, library.tls);
    lua_setfield(L, -2, "tls");
    lua_pushboolean(L, library.http2);
    lua_setfield(L, -2, "http2");
    lua_pushboolean(L, library.async_dns);
    lua_setfield(L, -2, "async_dns");
    lua_pushboolean(L, library.quick_exit);
    lua_setfield(L, -2, "quick_exit");
    return 1;
}

/* start() as a method of engines; it has its spare Transfer with it. */
static void add_start(lua_State *L)
{
    luaL_getmetatable(L, ENGINE);
    lua_getfield(L, -1, "__index");
    lua_pushnil(L);
    lua_pushcclosure(L, engine_start, 1);
    lua_setfield(L, -2, "start");
    lua_pop(L, 2);
}

int ce_open_engine(lua_State *L)
{
    static const luaL_Reg functions[] = { { "open", engine_open }, { "settings", settings_new }, { "clock", core_clock },
                                          { "sleep", core_sleep }, { "library", core_library },  { NULL, NULL } };
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg settings_meta[] = { { "__gc", settings_gc }, { NULL, NULL } };
    static const luaL_Reg engine_methods[] = { { "drive", engine_drive },       { "step", engine_step },
                                               { "flush", engine_flush },       { "finished", engine_finished },
                                               { "pollfd", engine_pollfd },     { "events", engine_events },
                                               { "timeout", engine_timeout },   { "running", engine_running },
                                               { "trust", engine_trust },       { "alive", engine_alive },
                                               { "close", engine_close },       { NULL, NULL } };
    static const luaL_Reg engine_meta[] = { { "__gc", engine_close }, { "__close", engine_close }, { NULL, NULL } };
    static const luaL_Reg transfer_methods[] = { { "done", transfer_done },     { "id", transfer_id },
                                                 { "take", transfer_take },     { "close", transfer_close },
                                                 { NULL, NULL } };
    static const luaL_Reg transfer_meta[] = { { "__gc", transfer_close }, { "__close", transfer_close }, { NULL, NULL } };

    ce_newclass(L, SETTINGS, none, settings_meta);
    ce_newclass(L, ENGINE, engine_methods, engine_meta);
    add_start(L);
    ce_newclass(L, TRANSFER, transfer_methods, transfer_meta);
    ce_answer_class(L);
    lua_newtable(L);
    ce_setfuncs(L, functions);
    lua_pushnil(L);
    lua_pushcclosure(L, engine_current, 1);
    lua_setfield(L, -2, "current");
    return 1;
}
