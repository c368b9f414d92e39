/* pool.c -- the multi handles of an engine, each with some of its calls.
 *
 * Owns the multi handles, their timers and the table of sockets, and tells the poller
 * what libcurl wants to hear of; waiting is the engine's.  Borrows the easy handle of a
 * transfer from ce_pool_join() to ce_pool_leave().  Knows nothing of what a call asks
 * for or how it ends. */
#define _GNU_SOURCE   /* SOCK_CLOEXEC */

#include "pool.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "poller.h"
#include "runtime.h"

/* ---- sockets: libcurl's callbacks --------------------------------------- */

/* What tells a socket from another one that got its number later; 0: not a socket. */
static ino_t inode_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? st.st_ino : 0;
}

/* Room in the table for this descriptor. */
static int know_socket(struct ce_engine *e, int fd)
{
    int size = e->nsockets == 0 ? 64 : e->nsockets;
    struct sock *grown;

    if (fd < e->nsockets)
        return CE_OK;
    while (size <= fd)
        size *= 2;
    grown = realloc(e->sockets, (size_t)size * sizeof(*grown));
    if (grown == NULL)
        return CE_ENOMEM;
    memset(grown + e->nsockets, 0, (size_t)(size - e->nsockets) * sizeof(*grown));
    e->sockets = grown;
    e->nsockets = size;
    return CE_OK;
}

static int is_ours(const struct ce_engine *e, int fd)
{
    return fd < e->nsockets && e->sockets[fd].inode != 0;
}

/* CURLOPT_OPENSOCKETFUNCTION: close-on-exec, so that a child of the script does not
 * hold our TLS connections open (pitfall 49). */
curl_socket_t ce_socket_open(void *userp, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct ce_engine *e = userp;
    int fd;

    (void)purpose;
#ifdef SOCK_CLOEXEC
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
#else
    fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (know_socket(e, fd) != CE_OK) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    e->sockets[fd].inode = inode_of(fd);
    return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
int ce_socket_close(void *userp, curl_socket_t fd)
{
    struct ce_engine *e = userp;

    ce_poller_forget(e->poller, fd);
    if (is_ours(e, fd))
        e->sockets[fd].inode = 0;
    if (fd == e->shared)
        e->shared = CURL_SOCKET_BAD;
    if (fd == e->held)
        e->held = CURL_SOCKET_BAD;
    return close(fd);
}

/* CURLMOPT_SOCKETFUNCTION */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    struct pool *pool = userp;
    struct ce_engine *e = pool->engine;
    struct ce_transfer *t = NULL;
    int wanted = 0;

    (void)socketp;
    if (what == CURL_POLL_REMOVE && !is_ours(e, fd)) {
        /* The resolver's: closed right after this call, and its number used again. */
        ce_poller_forget(e->poller, fd);
        return 0;
    }
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        wanted |= CE_POLL_IN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        wanted |= CE_POLL_OUT;
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
    if (t != NULL && t->http2 && is_ours(e, fd))
        e->shared = fd;
    if (know_socket(e, fd) == CE_OK && ce_poller_want(e->poller, fd, wanted) == CE_OK) {
        e->sockets[fd].pool = pool;
        return 0;
    }
    /* Out of memory.  A refusal here ends every transfer of the multi handle without
     * another word, their timers too; so this one is ended by harvest(). */
    if (t != NULL) {
        t->unwatched = 1;
        e->unwatched = 1;
    }
    return 0;
}

/* CURLMOPT_TIMERFUNCTION: one-shot; -1 takes it back. */
static int on_timer(CURLM *multi, long timeout_ms, void *userp)
{
    struct pool *pool = userp;

    (void)multi;
    pool->due = timeout_ms < 0 ? -1 : pool->engine->now + timeout_ms;
    return 0;
}

/* In a forked child: let go of the descriptors and of nothing else.  The memory of
 * libcurl stays behind; cleaning up would write to the parent's connections. */
void ce_pools_abandon(struct ce_engine *e)
{
    int fd;

    ce_poller_close(e->poller);
    e->poller = NULL;
    /* The child may have closed them all and opened files of its own there. */
    for (fd = 0; fd < e->nsockets; fd++)
        if (e->sockets[fd].inode != 0 && inode_of(fd) == e->sockets[fd].inode)
            close(fd);
    free(e->sockets);
    e->sockets = NULL;
    e->nsockets = 0;
}

/* ---- the pools ----------------------------------------------------------- */

int ce_pool_open(struct ce_engine *e)
{
    struct pool *pool = &e->pools[e->npools];

    pool->multi = curl_multi_init();
    if (pool->multi == NULL)
        return CE_ENOMEM;
    pool->engine = e;
    pool->due = -1;
    pool->running = 0;
    (void)curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)(e->npools == 0 ? IDLE_MAX : 2 * POOL_CALLS));
#if LIBCURL_VERSION_NUM >= 0x081400
    (void)curl_multi_setopt(pool->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
    e->npools++;
    return CE_OK;
}

/* Closes the last pool, its connections with it. */
void ce_pool_close(struct ce_engine *e)
{
    struct shield shield;

    ce_shield_up(e, &shield);
    (void)curl_multi_cleanup(e->pools[e->npools - 1].multi);   /* the poller is needed until here */
    ce_shield_down(&shield);
    e->npools--;
}

/* The pool for one more call: the first that is not full, or else the one with the
 * fewest.  Until another is needed, all is as if there were only one. */
static struct pool *pool_for(struct ce_engine *e, int http2)
{
    struct pool *last = &e->pools[e->npools - 1];
    struct pool *best = e->pools;
    int i;

    /* What nobody uses is not looked at by libcurl either: its connections would stay. */
    if (e->npools > 1 && last->running == 0 && e->now - last->rests_since > IDLE_SECONDS * 1000)
        ce_pool_close(e);
    if (http2)
        return best;
    for (i = 0; i < e->npools; i++) {
        if (e->pools[i].running < POOL_CALLS)
            return &e->pools[i];
        if (e->pools[i].running < best->running)
            best = &e->pools[i];
    }
    if (e->npools < POOLS_MAX && ce_pool_open(e) == CE_OK)
        return &e->pools[e->npools - 1];
    return best;
}

CURLcode ce_pool_join(struct ce_engine *e, struct ce_transfer *t, int http2)
{
    struct pool *pool = pool_for(e, http2);

    t->http2 = http2;
    if (curl_multi_add_handle(pool->multi, t->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    t->pool = pool;
    pool->running++;
    e->running++;
    e->joined += http2;
    return CURLE_OK;
}

void ce_pool_leave(struct ce_engine *e, struct ce_transfer *t)
{
    struct pool *pool = t->pool;
    struct shield shield;

    if (pool == NULL)
        return;
    ce_shield_up(e, &shield);
    (void)curl_multi_remove_handle(pool->multi, t->easy);   /* may say goodbye to a server that is gone */
    ce_shield_down(&shield);
    t->pool = NULL;
    e->running--;
    pool->running--;
    pool->rests_since = e->now;
}

/* When libcurl wants to be called; -1: no timer. */
int64_t ce_pools_due(const struct ce_engine *e)
{
    int64_t first = -1;
    int i;

    for (i = 0; i < e->npools; i++)
        if (e->pools[i].due >= 0 && (first < 0 || e->pools[i].due < first))
            first = e->pools[i].due;
    return first;
}

/* Runs libcurl's timer when it is due.  It may set the next one to now: a
 * connection from the pool is found, taken and written to in one go. */
static void run_timer(struct pool *pool)
{
    int rounds;
    int running;

    for (rounds = 0; rounds < 8 && pool->due >= 0 && pool->due <= pool->engine->now; rounds++) {
        pool->due = -1;
        (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

/* Holds back what is written to a connection, or lets it go. */
static void cork(curl_socket_t fd, int held)
{
#ifdef TCP_CORK
    if (fd != CURL_SOCKET_BAD)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CORK, &held, sizeof(held));
#else
    (void)fd;
    (void)held;
#endif
}

/* Calls that are started together and share a connection leave in one packet and not in one
 * each, which is a tenth of what many calls over HTTP/2 cost the CPU.  Of several such
 * connections it is so for the last that was made, or taken up again. */
void ce_pools_run_timers(struct ce_engine *e)
{
    int i;

    e->held = e->joined > 1 ? e->shared : CURL_SOCKET_BAD;
    e->joined = 0;
    cork(e->held, 1);
    for (i = 0; i < e->npools; i++)
        run_timer(&e->pools[i]);
    cork(e->held, 0);   /* unless it was closed */
    e->held = CURL_SOCKET_BAD;
}
