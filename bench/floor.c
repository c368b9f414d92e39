/* floor.c -- the yardstick: the page's two calls with nothing around them.
 *
 * One libcurl handle, one lua-cjson, one loop.  Builds no URL, checks nothing, gives
 * no errors but "it failed": what is left is what no library on top of libcurl can
 * go below.  The same program shows what "at most once" costs, three ways. */
#define _POSIX_C_SOURCE 200809L

#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct answer {
    char *bytes;
    size_t len;
    size_t cap;
};

struct upload {
    const char *bytes;
    size_t len;
    size_t at;
};

/* How a POST is kept from going out twice. */
enum posts {
    PLAIN,   /* it is not */
    FRESH,   /* a new connection for each */
    SEEK,    /* a body that cannot be rewound */
    PREREQ   /* a no when libcurl is about to send again */
};

struct floor {
    lua_State *L;   /* 1: the page, 2: encode, 3: decode */
    CURL *easy;
    CURLM *multi;   /* NULL: curl_easy_perform() */
    enum posts posts;
    struct answer answer;
    struct upload upload;
    int offered;
    const char *get_url;
    const char *post_url;
    struct curl_slist *get_headers;
    struct curl_slist *post_headers;
};

static void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *userp)
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

static size_t on_read(char *to, size_t size, size_t n, void *userp)
{
    struct upload *u = userp;
    size_t left = u->len - u->at;

    n *= size;
    if (n > left)
        n = left;
    memcpy(to, u->bytes + u->at, n);
    u->at += n;
    return n;
}

static int on_seek(void *userp, curl_off_t offset, int origin)
{
    (void)userp;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static int on_send(void *userp, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct floor *f = userp;

    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    if (f->offered)
        return CURL_PREREQFUNC_ABORT;
    f->offered = 1;
    return CURL_PREREQFUNC_OK;
}

static void perform(struct floor *f)
{
    CURLMsg *msg;
    int running;
    int left;

    f->answer.len = 0;
    f->offered = 0;
    if (f->multi == NULL) {
        CURLcode code = curl_easy_perform(f->easy);

        if (code != CURLE_OK)
            die(curl_easy_strerror(code));
        return;
    }
    curl_multi_add_handle(f->multi, f->easy);
    for (;;) {
        curl_multi_perform(f->multi, &running);
        if (running == 0)
            break;
        curl_multi_wait(f->multi, NULL, 0, 1000, NULL);
    }
    while ((msg = curl_multi_info_read(f->multi, &left)) != NULL)
        if (msg->data.result != CURLE_OK)
            die(curl_easy_strerror(msg->data.result));
    curl_multi_remove_handle(f->multi, f->easy);
}

static void decode_answer(struct floor *f)
{
    lua_pushvalue(f->L, 3);
    lua_pushlstring(f->L, f->answer.bytes, f->answer.len);
    lua_call(f->L, 1, 1);
    if (!lua_istable(f->L, -1))
        die("the answer is not an object");
    lua_pop(f->L, 1);
}

static void get(struct floor *f)
{
    curl_easy_setopt(f->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(f->easy, CURLOPT_URL, f->get_url);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->get_headers);
    if (f->posts == FRESH)
        curl_easy_setopt(f->easy, CURLOPT_FRESH_CONNECT, 0L);
    if (f->posts == PREREQ)
        curl_easy_setopt(f->easy, CURLOPT_PREREQFUNCTION, NULL);   /* a GET may go out again */
    perform(f);
    decode_answer(f);
}

static void post(struct floor *f)
{
    const char *body;
    size_t n;

    lua_pushvalue(f->L, 2);
    lua_getfield(f->L, 1, "body");
    lua_call(f->L, 1, 1);
    body = lua_tolstring(f->L, -1, &n);   /* stays on the stack until it is sent */
    curl_easy_setopt(f->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(f->easy, CURLOPT_URL, f->post_url);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->post_headers);
    curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    switch (f->posts) {
    case SEEK:
        f->upload.bytes = body;
        f->upload.len = n;
        f->upload.at = 0;
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(f->easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(f->easy, CURLOPT_READDATA, &f->upload);
        curl_easy_setopt(f->easy, CURLOPT_SEEKFUNCTION, on_seek);
        break;
    case FRESH:
        curl_easy_setopt(f->easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, body);
        break;
    case PREREQ:
        curl_easy_setopt(f->easy, CURLOPT_PREREQFUNCTION, on_send);
        curl_easy_setopt(f->easy, CURLOPT_PREREQDATA, f);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, body);
        break;
    case PLAIN:
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, body);
        break;
    }
    perform(f);
    lua_pop(f->L, 1);
    decode_answer(f);
}

static void run(struct floor *f, long flows)
{
    long i;

    for (i = 0; i < flows; i++) {
        get(f);
        post(f);
    }
}

static void open_lua(struct floor *f, const char *page)
{
    f->L = luaL_newstate();
    if (f->L == NULL)
        die("no memory for Lua");
    luaL_openlibs(f->L);
    if (luaL_dofile(f->L, page) != 0)
        die(lua_tostring(f->L, -1));
    lua_settop(f->L, 1);
    if (luaL_dostring(f->L, "local cjson = require 'cjson' return cjson.encode, cjson.decode") != 0)
        die(lua_tostring(f->L, -1));
}

static const char *text_of(lua_State *L, const char *name)
{
    const char *text;

    lua_getfield(L, 1, name);
    text = lua_tostring(L, -1);   /* the page holds it */
    lua_pop(L, 1);
    return text;
}

static char *joined(const char *base, const char *path)
{
    size_t n = strlen(base) + strlen(path) + 1;
    char *url = malloc(n);

    if (url == NULL)
        die("no memory");
    snprintf(url, n, "%s%s", base, path);
    return url;
}

static void open_curl(struct floor *f, const char *base, const char *trust, int http2)
{
    struct stat st;
    const char *authorization = text_of(f->L, "authorization");

    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->easy = curl_easy_init();
    if (f->easy == NULL)
        die("no handle");
    f->get_url = joined(base, text_of(f->L, "get"));
    f->post_url = joined(base, text_of(f->L, "post"));
    f->get_headers = curl_slist_append(NULL, authorization);
    f->get_headers = curl_slist_append(f->get_headers, "Accept: application/json");
    f->post_headers = curl_slist_append(NULL, authorization);
    f->post_headers = curl_slist_append(f->post_headers, "Accept: application/json");
    f->post_headers = curl_slist_append(f->post_headers, "Content-Type: application/json");
    f->post_headers = curl_slist_append(f->post_headers, "Expect:");
    curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, &f->answer);
    curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->easy, CURLOPT_HTTP_VERSION, http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    if (stat(trust, &st) == 0) {   /* else libcurl's own choice */
        int directory = S_ISDIR(st.st_mode);

        curl_easy_setopt(f->easy, CURLOPT_CAINFO, directory ? NULL : trust);
        curl_easy_setopt(f->easy, CURLOPT_CAPATH, directory ? trust : NULL);
    }
}

static double seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int is(const char *argument, const char *name)
{
    return strcmp(argument, name) == 0;
}

/* floor easy|multi plain|fresh|seek|prereq 1.1|2 BASE_URL TRUST WARMUP FLOWS PAGE
 * prints the seconds of CPU and of wall that the FLOWS took. */
int main(int argc, char **argv)
{
    struct floor f;
    double cpu;
    double wall;

    if (argc != 9)
        die("eight arguments, see floor.c");
    memset(&f, 0, sizeof(f));
    f.posts = is(argv[2], "fresh") ? FRESH : is(argv[2], "seek") ? SEEK : is(argv[2], "prereq") ? PREREQ : PLAIN;
    open_lua(&f, argv[8]);
    open_curl(&f, argv[4], argv[5], is(argv[3], "2"));
    if (is(argv[1], "multi"))
        f.multi = curl_multi_init();
    run(&f, atol(argv[6]));
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    wall = seconds(CLOCK_MONOTONIC);
    run(&f, atol(argv[7]));
    printf("loop %.6f %.6f\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
