/* floor_list.c -- the yardstick of a long list: each page asked for and decoded, its rows
 * looked at one by one, and nothing around that. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare.h"

#define TOKEN_HEADER "elements-next-page-token:"

struct list {
    lua_State *L;
    CURL *easy;
    const char *base;
    struct answer answer;
    char token[512];   /* of the next page, "" when there is none */
    long rows;
};

/* CURLOPT_HEADERFUNCTION */
static size_t on_header(char *bytes, size_t size, size_t n, void *userp)
{
    struct list *list = userp;
    size_t from = strlen(TOKEN_HEADER);
    size_t to = n * size;

    n = to;
    if (n <= from || !curl_strnequal(bytes, TOKEN_HEADER, from))
        return n;
    while (from < to && bytes[from] == ' ')
        from++;
    while (to > from && (bytes[to - 1] == '\r' || bytes[to - 1] == '\n'))
        to--;
    if (to - from >= sizeof(list->token))
        bare_die("a long token");
    memcpy(list->token, bytes + from, to - from);
    list->token[to - from] = '\0';
    return n;
}

static void ask(struct list *list)
{
    char url[1024];
    char *token = curl_easy_escape(list->easy, list->token, 0);

    snprintf(url, sizeof(url), "%s/instances?pageSize=200%s%s", list->base, *token != '\0' ? "&nextPage=" : "", token);
    curl_free(token);
    curl_easy_setopt(list->easy, CURLOPT_URL, url);
    list->token[0] = '\0';
    list->answer.len = 0;
    if (curl_easy_perform(list->easy) != CURLE_OK)
        bare_die("a page that cannot be had");
}

static void look(struct list *list)
{
    int i;

    bare_decode(list->L, &list->answer);
    for (i = 1;; i++) {
        int there;

        lua_rawgeti(list->L, -1, i);
        there = !lua_isnil(list->L, -1);
        lua_pop(list->L, 1);
        if (!there)
            break;
        list->rows++;
    }
    lua_pop(list->L, 1);
}

/* floor_list BASE_URL TRUST ROWS PAGE
 * prints the seconds of CPU and of wall that it took. */
int main(int argc, char **argv)
{
    struct list list;
    double cpu;
    double wall;
    long wanted;

    if (argc != 5)
        bare_die("four arguments, see floor_list.c");
    memset(&list, 0, sizeof(list));
    wanted = atol(argv[3]);
    list.L = bare_lua(argv[4]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    list.base = argv[1];
    list.easy = bare_easy(&list.answer, argv[2], 0);
    curl_easy_setopt(list.easy, CURLOPT_HTTPHEADER, bare_headers(list.L));
    curl_easy_setopt(list.easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(list.easy, CURLOPT_HEADERDATA, &list);
    cpu = bare_seconds(CLOCK_PROCESS_CPUTIME_ID);
    wall = bare_seconds(CLOCK_MONOTONIC);
    do {
        ask(&list);
        look(&list);
    } while (list.token[0] != '\0' && list.rows < wanted);
    if (list.rows != wanted)
        bare_die("another number of rows");
    printf("loop %.6f %.6f\n", bare_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, bare_seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
