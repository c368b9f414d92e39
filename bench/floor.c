/* floor.c -- the yardstick: the page's two calls with nothing around them.
 *
 * One libcurl handle, one lua-cjson, one loop.  Builds no URL, checks nothing, gives
 * no errors but "it failed": what is left is what no library on top of libcurl can
 * go below.  The same program shows what "at most once" costs, three ways. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"

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
            bare_die(curl_easy_strerror(code));
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
            bare_die(curl_easy_strerror(msg->data.result));
    curl_multi_remove_handle(f->multi, f->easy);
}

static void decode_answer(struct floor *f)
{
    bare_decode(f->L, &f->answer);
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

static void open_curl(struct floor *f, const char *base, const char *trust, int http2)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    f->easy = bare_easy(&f->answer, trust, http2);
    f->get_url = bare_joined(base, bare_text(f->L, "get"));
    f->post_url = bare_joined(base, bare_text(f->L, "post"));
    f->get_headers = bare_headers(f->L);
    f->post_headers = curl_slist_append(bare_headers(f->L), "Content-Type: application/json");
    f->post_headers = curl_slist_append(f->post_headers, "Expect:");
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
        bare_die("eight arguments, see floor.c");
    memset(&f, 0, sizeof(f));
    f.posts = is(argv[2], "fresh") ? FRESH : is(argv[2], "seek") ? SEEK : is(argv[2], "prereq") ? PREREQ : PLAIN;
    f.L = bare_lua(argv[8]);
    open_curl(&f, argv[4], argv[5], is(argv[3], "2"));
    if (is(argv[1], "multi"))
        f.multi = curl_multi_init();
    run(&f, atol(argv[6]));
    cpu = bare_seconds(CLOCK_PROCESS_CPUTIME_ID);
    wall = bare_seconds(CLOCK_MONOTONIC);
    run(&f, atol(argv[7]));
    printf("loop %.6f %.6f\n", bare_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, bare_seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
