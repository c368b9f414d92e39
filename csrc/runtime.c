/* runtime.c -- what the engine asks of the process that it runs in.
 *
 * Owns the two facts that all engines of a process share: that libcurl has started, and
 * how often it has forked.  Lends a shield against SIGPIPE, clocks, what libcurl is at run
 * time, and the trust store of an engine.  Knows nothing of transfers and their pools. */
#define _GNU_SOURCE   /* clock_gettime, pthread_sigmask */

#include "runtime.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "trust.h"

/* How many forks lie between this process and the one that loaded us.  The one
 * thing here that is static and changes: it is a fact about the process, and asking
 * getpid() at every entry would cost two system calls a request. */
static volatile unsigned int generation;

static void count_fork(void)
{
    generation++;
}

static void init_once(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);   /* never undone: others may use libcurl too */
}

static pthread_once_t init_flag = PTHREAD_ONCE_INIT;

int ce_runtime_start(void)
{
    return pthread_once(&init_flag, init_once) == 0 ? CE_OK : CE_ESYSTEM;
}

unsigned int ce_runtime_generation(void)
{
    return generation;
}

int ce_engine_alive(const struct ce_engine *e)
{
    return e->generation == generation;
}

int64_t ce_clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

double ce_clock_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void ce_shield_up(const struct ce_engine *e, struct shield *s)
{
    sigset_t pipe_only;
    sigset_t pending;

    s->raised = 0;
    if (!e->shield_sigpipe)
        return;
    sigemptyset(&pending);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE))
        return;   /* somebody else's; it stays pending and no second one can be told apart */
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    s->raised = pthread_sigmask(SIG_BLOCK, &pipe_only, &s->before) == 0;
}

void ce_shield_down(const struct shield *s)
{
    sigset_t pipe_only;
    sigset_t pending;
    int got;

    if (!s->raised)
        return;
    sigemptyset(&pending);
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE)) {
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        (void)sigwait(&pipe_only, &got);
    }
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL);
}

void ce_library_get(struct ce_library *out)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);

    out->version = v->version;
    out->tls = v->ssl_version != NULL ? v->ssl_version : "";
    out->http2 = (v->features & CURL_VERSION_HTTP2) != 0;
    out->async_dns = (v->features & CURL_VERSION_ASYNCHDNS) != 0;
    out->quick_exit = LIBCURL_VERSION_NUM >= 0x075700 && v->version_num >= 0x075700;
}

const struct ce_trust *ce_engine_trust(struct ce_engine *e)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    const char *bundle = NULL;
    const char *directory = NULL;

    if (e->trust_known)
        return &e->trust;
#if LIBCURL_VERSION_NUM >= 0x074600
    if (v->age >= CURLVERSION_SEVENTH) {
        bundle = v->cainfo;
        directory = v->capath;
    }
#endif
    (void)v;
    ce_trust_find(&e->trust, getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR"), bundle, directory);
    e->trust_known = 1;
    return &e->trust;
}
