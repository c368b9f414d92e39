/* engine.c -- many HTTP transfers, one descriptor to watch.
 *
 * Owns the engine: its poller, its pools, and every transfer until its owner frees it.
 * Waits, hands what happened to libcurl, and collects what that has finished.  What a
 * transfer is made of is in transfer.c and handle.c, where libcurl keeps its connections
 * in pool.c, what the process has to do with it in runtime.c.  Copies all it is given.
 * Knows nothing of Lua, JSON, retries or what the secrets mean.  Make it after
 * fork: its descriptors and TLS sessions are not for sharing (pitfall 4). */
#define _GNU_SOURCE   /* RTLD_DEFAULT */

#include "engine.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_parts.h"
#include "poller.h"
#include "pool.h"
#include "runtime.h"
#include "transfer.h"

#define EVENTS_MAX    64

struct ce_engine *ce_engine_open(void)
{
    struct ce_engine *e;

    if (ce_runtime_start() != CE_OK)
        return NULL;
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->generation = ce_runtime_generation();
    e->now = ce_clock_ms();
    e->shared = CURL_SOCKET_BAD;
    e->held = CURL_SOCKET_BAD;
    e->shield_sigpipe = curl_version_info(CURLVERSION_NOW)->version_num < 0x075700;
    e->gzip = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_LIBZ) != 0;
    /* libcurl leaves the errors of a handshake in OpenSSL's queue, and nginx
     * reports them as its own (pitfall 40).  Looked up, not linked: one OpenSSL a process.
     * POSIX lets an object pointer become a function pointer, ISO C does not say so. */
    {
        void *address = dlsym(RTLD_DEFAULT, "ERR_clear_error");

        memcpy(&e->clear_tls_errors, &address, sizeof(address));
    }
    e->poller = ce_poller_open();
    if (e->poller == NULL || ce_pool_open(e) != CE_OK) {
        ce_engine_close(e);
        return NULL;
    }
    return e;
}

void ce_engine_close(struct ce_engine *e)
{
    struct ce_transfer *t;

    if (!ce_engine_alive(e)) {
        ce_pools_abandon(e);
        return;   /* transfers still point to e, so it stays too */
    }
    while ((t = e->live) != NULL) {
        ce_transfer_unqueue(e, t);
        ce_pool_leave(e, t);
        ce_transfer_delist(e, t);
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
        t->engine = NULL;   /* its owner frees the rest */
    }
    while ((t = e->idle) != NULL) {
        e->idle = t->next;
        ce_transfer_destroy(t);
    }
    while (e->npools > 0)
        ce_pool_close(e);
    ce_poller_close(e->poller);
    free(e->sockets);
    free(e);
}

/* What libcurl says when a line is longer than it keeps. */
static int is_too_large(CURLcode code)
{
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE)
        return 1;
#endif
    return code == CURLE_OUT_OF_MEMORY;
}

/* Collects what libcurl has finished in one pool; returns how many. */
static int harvest_pool(struct pool *pool)
{
    CURLMsg *msg;
    int left;
    int count = 0;

    while ((msg = curl_multi_info_read(pool->multi, &left)) != NULL) {
        struct ce_transfer *t = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        if (code == CURLE_OK && !t->head_whole)
            code = CURLE_PARTIAL_FILE;   /* libcurl takes half a head for a whole one */
        if (is_too_large(code) && t->offered && !t->head_whole)
            t->too_large = 1;   /* a header line beyond libcurl's own limit */
        ce_transfer_finish(pool->engine, t, code);
        count++;
    }
    return count;
}

/* Collects what has finished; returns how many. */
static int harvest(struct ce_engine *e)
{
    struct ce_transfer *live;
    int count = 0;
    int i;

    for (i = 0; i < e->npools; i++)
        if (e->pools[i].running != 0)
            count += harvest_pool(&e->pools[i]);
    for (live = e->unwatched ? e->live : NULL; live != NULL; live = live->next)
        if (live->unwatched && !live->done) {
            ce_transfer_finish(e, live, CURLE_OUT_OF_MEMORY);
            count++;
        }
    e->unwatched = 0;
    if (e->handshakes && e->clear_tls_errors != NULL)
        e->clear_tls_errors();
    e->handshakes = 0;
    return count;
}

static int wait_ms(const struct ce_engine *e, int timeout_ms)
{
    int64_t then = ce_pools_due(e);
    int64_t until_due;

    if (then < 0)
        return timeout_ms;
    until_due = then <= e->now ? 0 : then - e->now;
    return until_due < timeout_ms ? (int)until_due : timeout_ms;
}

/* One round; e->now is fresh before it and after. */
static int turn(struct ce_engine *e, int timeout_ms)
{
    struct ce_event events[EVENTS_MAX];
    struct shield shield;
    int running;
    int finished;
    int failed = 0;
    int n;
    int i;

    ce_shield_up(e, &shield);
    ce_pools_run_timers(e);
    finished = harvest(e);
    if (finished != 0 && e->running == 0) {
        ce_shield_down(&shield);
        return CE_OK;   /* nobody is left to look for */
    }
    /* With something finished there is no waiting, but the others get their turn. */
    n = ce_poller_wait(e->poller, events, EVENTS_MAX, finished != 0 ? 0 : wait_ms(e, timeout_ms));
    failed = n < 0 ? errno : 0;
    e->now = ce_clock_ms();
    for (i = 0; i < n; i++) {
        int what = 0;

        if (events[i].what & CE_POLL_IN)
            what |= CURL_CSELECT_IN;
        if (events[i].what & CE_POLL_OUT)
            what |= CURL_CSELECT_OUT;
        if (events[i].what & CE_POLL_ERR)
            what |= CURL_CSELECT_ERR;
        (void)curl_multi_socket_action(e->sockets[events[i].fd].pool->multi, events[i].fd, what, &running);
    }
    ce_pools_run_timers(e);
    (void)harvest(e);
    ce_shield_down(&shield);
    errno = failed;
    return failed != 0 ? CE_ESYSTEM : CE_OK;
}

int ce_engine_step(struct ce_engine *e, int timeout_ms)
{
    e->now = ce_clock_ms();
    return turn(e, timeout_ms);
}

int ce_engine_drive(struct ce_engine *e, const struct ce_transfer *t, int timeout_ms)
{
    int64_t until;
    int rc = CE_OK;

    e->now = ce_clock_ms();
    until = e->now + timeout_ms;
    while (rc == CE_OK && !ce_transfer_done(t) && e->now <= until)
        rc = turn(e, (int)(until - e->now));
    return rc;
}

void ce_engine_flush(struct ce_engine *e)
{
    struct shield shield;

    e->now = ce_clock_ms();
    ce_shield_up(e, &shield);
    ce_pools_run_timers(e);
    (void)harvest(e);
    ce_shield_down(&shield);
}

long ce_engine_finished(struct ce_engine *e)
{
    struct ce_transfer *t = e->finished_first;

    if (t == NULL)
        return 0;
    ce_transfer_unqueue(e, t);
    return t->id;
}

int ce_engine_fd(struct ce_engine *e)
{
    (void)ce_poller_flush(e->poller);
    return ce_poller_fd(e->poller);
}

long ce_engine_timeout(const struct ce_engine *e)
{
    int64_t then;
    int64_t left;

    if (e->finished_first != NULL)
        return 0;
    then = ce_pools_due(e);
    if (then < 0)
        return -1;
    left = then - ce_clock_ms();
    return left < 0 ? 0 : (long)left;
}

int ce_engine_running(const struct ce_engine *e)
{
    return e->running;
}
