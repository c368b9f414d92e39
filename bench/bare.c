/* bare.c -- what the bare programs share: an answer's bytes, Lua with lua-cjson, a
 * handle of libcurl.  Checks nothing and gives no errors but "it failed". */
#define _POSIX_C_SOURCE 200809L

#include "bare.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void bare_die(const char *what)
{
    fprintf(stderr, "bare: %s\n", what);
    exit(1);
}

size_t bare_on_body(char *bytes, size_t size, size_t n, void *userp)
{
    struct answer *a = userp;

    n *= size;
    if (a->len + n > a->cap) {
        a->cap = (a->len + n) * 2;
        a->bytes = realloc(a->bytes, a->cap);
        if (a->bytes == NULL)
            return 0;
    }
    memcpy(a->bytes + a->len, bytes, n);
    a->len += n;
    return n;
}

lua_State *bare_lua(const char *page)
{
    lua_State *L = luaL_newstate();

    if (L == NULL)
        bare_die("no memory for Lua");
    luaL_openlibs(L);
#if LUA_VERSION_NUM >= 504
    lua_gc(L, LUA_GCGEN, 0, 0);   /* as the program lua5.4 collects */
#endif
    if (luaL_dofile(L, page) != 0)
        bare_die(lua_tostring(L, -1));
    lua_settop(L, 1);
    if (luaL_dostring(L, "local cjson = require 'cjson' return cjson.encode, cjson.decode") != 0)
        bare_die(lua_tostring(L, -1));
    return L;
}

const char *bare_text(lua_State *L, const char *name)
{
    const char *text;

    lua_getfield(L, 1, name);
    text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

void bare_decode(lua_State *L, const struct answer *answer)
{
    lua_pushvalue(L, 3);
    lua_pushlstring(L, answer->bytes, answer->len);
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1))
        bare_die("the answer is neither an object nor a list");
}

CURL *bare_easy(struct answer *answer, const char *trust, int http2)
{
    CURL *easy = curl_easy_init();
    struct stat st;

    if (easy == NULL)
        bare_die("no handle");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, bare_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    if (stat(trust, &st) == 0) {
        int directory = S_ISDIR(st.st_mode);

        curl_easy_setopt(easy, CURLOPT_CAINFO, directory ? NULL : trust);
        curl_easy_setopt(easy, CURLOPT_CAPATH, directory ? trust : NULL);
    }
    return easy;
}

struct curl_slist *bare_headers(lua_State *L)
{
    struct curl_slist *headers = curl_slist_append(NULL, bare_text(L, "authorization"));

    return curl_slist_append(headers, "Accept: application/json");
}

char *bare_joined(const char *base, const char *path)
{
    size_t n = strlen(base) + strlen(path) + 1;
    char *url = malloc(n);

    if (url == NULL)
        bare_die("no memory");
    snprintf(url, n, "%s%s", base, path);
    return url;
}

double bare_seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
