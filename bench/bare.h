/* bare.h -- what the bare programs share. */
#ifndef BARE_H
#define BARE_H

#include <curl/curl.h>
#include <lua.h>
#include <stddef.h>
#include <time.h>

struct answer {
    char *bytes;
    size_t len;
    size_t cap;
};

/* Says what failed, and ends the program. */
void bare_die(const char *what);

/* CURLOPT_WRITEFUNCTION for a struct answer. */
size_t bare_on_body(char *bytes, size_t size, size_t n, void *userp);

/* A Lua state with the page (bench/page.lua) at 1, cjson.encode at 2 and cjson.decode
 * at 3.  What it holds is never given back: the program ends first. */
lua_State *bare_lua(const char *page);

/* A string of the page; the page holds it. */
const char *bare_text(lua_State *L, const char *name);

/* Pushes the answer, decoded; it has to be an object or a list. */
void bare_decode(lua_State *L, const struct answer *answer);

/* A handle that collects what it is answered and trusts the file or the directory; any
 * other word leaves that to libcurl. */
CURL *bare_easy(struct answer *answer, const char *trust, int http2);

/* The headers of a GET. */
struct curl_slist *bare_headers(lua_State *L);

/* base and path in one string of their own. */
char *bare_joined(const char *base, const char *path);

double bare_seconds(clockid_t clock);

#endif
