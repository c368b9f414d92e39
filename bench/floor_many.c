/* floor_many.c -- the yardstick of many calls at once: a multi handle driven by
 * socket_action and epoll, a fixed set of easy handles, each answer decoded and kept in a
 * table, as client:map() gives those of a list, or dropped, as with an iterator and on_result. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bare.h"

#define EVENTS_MAX 64
#define ANSWERS    4   /* where their table is on the stack, above what bare_lua() left */

struct many {
    lua_State *L;
    CURLM *multi;
    int epoll;
    double due;   /* of libcurl's timer; below 0: none is set */
    const char *base;
    long started;
    long done;
    long calls;
    int keep;
};

struct slot {
    CURL *easy;
    struct answer answer;
};

/* CURLMOPT_SOCKETFUNCTION */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    static char known;   /* its address marks a descriptor that is in the set */
    struct many *m = userp;
    struct epoll_event ev;

    (void)easy;
    memset(&ev, 0, sizeof(ev));
    ev.data.fd = fd;
    if (what & CURL_POLL_IN)
        ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        ev.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE)
        return epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, &ev);
    if (socketp == NULL)
        curl_multi_assign(m->multi, fd, &known);
    return epoll_ctl(m->epoll, socketp == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
}

/* CURLMOPT_TIMERFUNCTION */
static int on_timer(CURLM *multi, long timeout_ms, void *userp)
{
    struct many *m = userp;

    (void)multi;
    m->due = timeout_ms < 0 ? -1.0 : bare_seconds(CLOCK_MONOTONIC) + (double)timeout_ms / 1e3;
    return 0;
}

static void start(struct many *m, struct slot *slot)
{
    char url[256];

    m->started++;
    snprintf(url, sizeof(url), "%s/instances/%ld", m->base, m->started);
    slot->answer.len = 0;
    curl_easy_setopt(slot->easy, CURLOPT_URL, url);
    if (curl_multi_add_handle(m->multi, slot->easy) != CURLM_OK)
        bare_die("no transfer");
}

static void harvest(struct many *m)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(m->multi, &left)) != NULL) {
        struct slot *slot;

        if (msg->data.result != CURLE_OK)
            bare_die(curl_easy_strerror(msg->data.result));
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        curl_multi_remove_handle(m->multi, slot->easy);
        bare_decode(m->L, &slot->answer);
        m->done++;
        if (m->keep)
            lua_rawseti(m->L, ANSWERS, (int)m->done);
        else
            lua_pop(m->L, 1);
        if (m->started < m->calls)
            start(m, slot);
    }
}

static int wait_ms(const struct many *m)
{
    double left = m->due - bare_seconds(CLOCK_MONOTONIC);

    return m->due < 0 ? 1000 : left <= 0 ? 0 : (int)(left * 1e3) + 1;
}

static void step(struct many *m)
{
    struct epoll_event events[EVENTS_MAX];
    int running;
    int n = epoll_wait(m->epoll, events, EVENTS_MAX, wait_ms(m));
    int i;

    if (n < 0 && errno != EINTR)
        bare_die("epoll_wait");
    for (i = 0; i < n; i++) {
        int what = 0;

        if (events[i].events & EPOLLIN)
            what |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            what |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            what |= CURL_CSELECT_ERR;
        curl_multi_socket_action(m->multi, events[i].data.fd, what, &running);
    }
    if (m->due >= 0 && m->due <= bare_seconds(CLOCK_MONOTONIC)) {
        m->due = -1.0;
        curl_multi_socket_action(m->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    harvest(m);
}

/* floor_many keep|drop 1.1|2 BASE_URL TRUST AT_ONCE CALLS PAGE
 * prints the seconds of CPU and of wall that the calls took, new connections included. */
int main(int argc, char **argv)
{
    struct many m;
    struct curl_slist *headers;
    double cpu;
    double wall;
    long at_once;
    long i;

    if (argc != 8)
        bare_die("seven arguments, see floor_many.c");
    memset(&m, 0, sizeof(m));
    m.keep = strcmp(argv[1], "keep") == 0;
    at_once = atol(argv[5]);
    m.calls = atol(argv[6]);
    m.base = argv[3];
    m.due = -1.0;
    m.L = bare_lua(argv[7]);
    lua_newtable(m.L);
    headers = bare_headers(m.L);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    cpu = bare_seconds(CLOCK_PROCESS_CPUTIME_ID);
    wall = bare_seconds(CLOCK_MONOTONIC);
    m.epoll = epoll_create1(EPOLL_CLOEXEC);
    m.multi = curl_multi_init();
    curl_multi_setopt(m.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m.multi, CURLMOPT_SOCKETDATA, &m);
    curl_multi_setopt(m.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(m.multi, CURLMOPT_TIMERDATA, &m);
    for (i = 0; i < at_once && i < m.calls; i++) {
        struct slot *slot = calloc(1, sizeof(*slot));

        if (slot == NULL)
            bare_die("no memory");
        slot->easy = bare_easy(&slot->answer, argv[4], strcmp(argv[2], "2") == 0);
        curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
        curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, 1L);
        start(&m, slot);
    }
    while (m.done < m.calls)
        step(&m);
    printf("loop %.6f %.6f\n", bare_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, bare_seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
