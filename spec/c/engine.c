/* engine.c -- the engine when memory fails at any place, and what it leaves behind.
 * A child of this process is the server. */
#define _GNU_SOURCE   /* RTLD_DEFAULT */

#include "check.h"
#include "engine_parts.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char http[64];
static char https[64];
static pid_t server;

enum { LARGE = 300000 };   /* bytes of the answer to /large */

static void answer_large(int fd)
{
    static char bytes[LARGE + 100];
    int head = snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", LARGE);
    size_t all = (size_t)head + LARGE;
    size_t done = 0;
    ssize_t n = 1;

    memset(bytes + head, 'x', LARGE);
    for (; done < all && n > 0; done += (size_t)n)
        n = write(fd, bytes + done, all - done);
}

/* Answers every connection once, with what is no TLS at all. */
static void serve(int listener)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nX-Some: header\r\n\r\n{}";

    alarm(30);   /* not for ever, should the test crash */
    for (;;) {
        char bytes[4096];
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            _exit(1);
        if (read(fd, bytes, sizeof(bytes)) > 0) {
            if (strncmp(bytes, "POST /large", 11) == 0)
                answer_large(fd);
            else
                (void)!write(fd, answer, sizeof(answer) - 1);
        }
        close(fd);
    }
}

static void start_server(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 512) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        abort();
    snprintf(http, sizeof(http), "http://127.0.0.1:%d", ntohs(address.sin_port));
    snprintf(https, sizeof(https), "https://127.0.0.1:%d", ntohs(address.sin_port));
    server = fork();
    if (server == 0)
        serve(fd);
    close(fd);
}

static void settings_init(struct ce_settings *s, uint64_t id, const char *base)
{
    memset(s, 0, sizeof(*s));
    s->id = id;
    ce_buf_init(&s->base_url, 100);
    ce_buf_init(&s->user, 100);
    ce_buf_init(&s->organization, 100);
    ce_buf_init(&s->user_agent, 100);
    ce_buf_init(&s->ca_file, 100);
    ce_buf_init(&s->proxy, 100);
    if (ce_buf_adds(&s->base_url, base) != CE_OK || ce_buf_adds(&s->user, "CANARY-user") != CE_OK ||
        ce_buf_adds(&s->organization, "CANARY-org") != CE_OK || ce_buf_adds(&s->user_agent, "test") != CE_OK)
        abort();
    s->has_proxy = 1;
    s->allow_http = 1;
    s->connect_timeout_ms = 2000;
    s->max_body = 1000;
}

static void settings_wipe(struct ce_settings *s)
{
    ce_buf_wipe(&s->base_url);
    ce_buf_wipe(&s->user);
    ce_buf_wipe(&s->organization);
    ce_buf_wipe(&s->user_agent);
}

static const char *const lines[] = { "X-Token: CANARY-line" };

static void call_init(struct ce_call *call)
{
    memset(call, 0, sizeof(*call));
    call->method = "POST";
    call->path = "/x";
    call->path_len = 2;
    call->query = "apiSecret=CANARY-query";
    call->query_len = strlen(call->query);
    call->body = "{\"password\":\"CANARY-body\"}";
    call->body_len = strlen(call->body);
    call->secrets = CE_SEND_USER | CE_SEND_ORGANIZATION;
    call->headers = lines;
    call->nheaders = 1;
    call->timeout_ms = 3000;
}

/* One call from its start to its end; the kind of failure, "" for none. */
static const char *perform(struct ce_engine *e, const struct ce_settings *s)
{
    struct ce_transfer *t = NULL;
    struct ce_outcome outcome;
    struct ce_call call;
    const char *kind;
    int steps;
    int rc;

    call_init(&call);
    rc = ce_transfer_start(e, s, &call, &t);
    if (rc != CE_OK) {
        CHECK(rc == CE_ENOMEM && t == NULL);
        return "memory";
    }
    for (steps = 0; steps < 100 && !ce_transfer_done(t); steps++)
        (void)ce_engine_step(e, 100);
    CHECK(ce_transfer_done(t));
    ce_transfer_outcome(t, &outcome);
    kind = outcome.kind != NULL ? outcome.kind : "";
    if (outcome.kind == NULL)
        CHECK(outcome.status == 200 && outcome.body_len == 2 && memcmp(outcome.body, "{}", 2) == 0);
    ce_transfer_free(t);
    return kind;
}

/* Each allocation of ours fails in turn: the call fails or not, and all is given back. */
static void failing(void)
{
    struct ce_settings s;
    long before;
    long n;

    settings_init(&s, 1, http);
    before = alloc_live();
    for (n = 1; n < 200; n++) {
        struct ce_engine *e;
        int out_of_memory;

        alloc_fail_at(n);
        e = ce_engine_open();
        if (e != NULL) {
            const char *kind = perform(e, &s);

            CHECK(alloc_failed() || kind[0] == '\0');
            CHECK(strcmp(kind, "too_large") != 0 && strcmp(kind, "timeout") != 0);
            out_of_memory = alloc_failed();
            alloc_fail_at(0);
            if (out_of_memory)
                CHECK(perform(e, &s)[0] == '\0');   /* and the engine goes on */
            ce_engine_close(e);
        } else {
            out_of_memory = alloc_failed();
            CHECK(out_of_memory);
            alloc_fail_at(0);
        }
        CHECK(alloc_live() == before);
        if (!out_of_memory)
            break;
    }
    CHECK(n > 8 && n < 200);
    settings_wipe(&s);
}

/* Engines and transfers that go in any order. */
static void orders(void)
{
    struct ce_settings s;
    int round;

    settings_init(&s, 1, http);
    for (round = 0; round < 50; round++) {
        struct ce_engine *e = ce_engine_open();
        struct ce_transfer *transfers[6];
        struct ce_outcome outcome;
        struct ce_call call;
        int i;

        CHECK(e != NULL);
        call_init(&call);
        for (i = 0; i < 6; i++)
            CHECK(ce_transfer_start(e, &s, &call, &transfers[i]) == CE_OK);
        for (i = (int)random_below(12); i > 0; i--)
            (void)ce_engine_step(e, 1);
        for (i = 0; i < 3; i++)
            if (random_below(2)) {
                ce_transfer_free(transfers[i]);
                transfers[i] = NULL;
            }
        while (random_below(4) != 0 && ce_engine_finished(e) != 0)
            ;
        ce_engine_close(e);
        for (i = 0; i < 6; i++) {
            if (transfers[i] == NULL)
                continue;
            CHECK(ce_transfer_done(transfers[i]));
            ce_transfer_outcome(transfers[i], &outcome);
            CHECK(outcome.kind != NULL && outcome.message != NULL);
            ce_transfer_free(transfers[i]);
        }
    }
    settings_wipe(&s);
}

/* OpenSSL's errors are shared by all that use it in this process (pitfall 40). */
static void no_tls_errors(void)
{
    struct ce_settings over_tls;
    struct ce_settings plain;
    struct ce_engine *e = ce_engine_open();
    unsigned long (*peek)(void);
    void *address = dlsym(RTLD_DEFAULT, "ERR_peek_error");

    CHECK(e != NULL);
    settings_init(&over_tls, 1, https);
    settings_init(&plain, 2, http);
    CHECK(strcmp(perform(e, &over_tls), "tls") == 0);
    if (address != NULL) {
        memcpy(&peek, &address, sizeof(peek));
        CHECK(peek() == 0);
    }
    CHECK(perform(e, &plain)[0] == '\0');   /* by the handle that has failed */
    ce_engine_close(e);
    settings_wipe(&over_tls);
    settings_wipe(&plain);
}

/* The engine's clock; libcurl's own goes as ever. */
static time_t hurry;   /* seconds that it is ahead */

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
    int rc = __real_clock_gettime(clock, ts);

    ts->tv_sec += hurry;
    return rc;
}

static int descriptors(void)
{
    int count = 0;
    int fd;

    for (fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

/* What a burst of calls needed is given back when it has not been needed for a while. */
static void burst(void)
{
    enum { CALLS = 300 };
    struct ce_settings s;
    struct ce_engine *e = ce_engine_open();
    struct ce_transfer *transfers[CALLS];
    struct ce_call call;
    int alone;
    int after;
    int i;

    CHECK(e != NULL);
    settings_init(&s, 1, http);
    call_init(&call);
    call.timeout_ms = 20000;
    CHECK(perform(e, &s)[0] == '\0');
    alone = descriptors();
    for (i = 0; i < CALLS; i++)
        CHECK(ce_transfer_start(e, &s, &call, &transfers[i]) == CE_OK);
    for (i = 0; i < CALLS; i++) {
        struct ce_outcome outcome;

        while (!ce_transfer_done(transfers[i]))
            CHECK(ce_engine_step(e, 1000) == CE_OK);
        ce_transfer_outcome(transfers[i], &outcome);
        CHECK(outcome.kind == NULL && outcome.body_len == 2);
        ce_transfer_free(transfers[i]);
    }
    CHECK(ce_engine_running(e) == 0);
    after = descriptors();
    CHECK(after > alone);
    CHECK(perform(e, &s)[0] == '\0');
    CHECK(descriptors() == after);   /* not yet */
    hurry = 40;
    for (i = 0; i < 20; i++)
        CHECK(perform(e, &s)[0] == '\0');
    CHECK(descriptors() == alone);
    hurry = 0;
    ce_engine_close(e);
    settings_wipe(&s);
}

static struct ce_transfer *start_large(struct ce_engine *e, const struct ce_settings *s)
{
    struct ce_transfer *t = NULL;
    struct ce_call call;

    call_init(&call);
    call.path = "/large";
    call.path_len = strlen(call.path);
    CHECK(ce_transfer_start(e, s, &call, &t) == CE_OK);
    return t;
}

static void end_large(struct ce_engine *e, struct ce_transfer *t)
{
    struct ce_outcome outcome;

    while (!ce_transfer_done(t))
        CHECK(ce_engine_step(e, 1000) == CE_OK);
    ce_transfer_outcome(t, &outcome);
    CHECK(outcome.kind == NULL && outcome.body_len == LARGE);
    ce_transfer_free(t);
}

/* The only idle transfer keeps the room of a large answer, wiped, and no other does. */
static void room(void)
{
    struct ce_settings s;
    struct ce_engine *e = ce_engine_open();
    struct ce_transfer *one;
    struct ce_transfer *two;
    const char *kept;
    int count = 0;

    CHECK(e != NULL);
    settings_init(&s, 1, http);
    s.max_body = LARGE;
    end_large(e, start_large(e, &s));
    CHECK(e->nidle == 1 && e->idle->body.cap > LARGE);
    kept = e->idle->body.data;
    CHECK(kept[0] == '\0' && kept[LARGE - 1] == '\0');
    end_large(e, start_large(e, &s));
    CHECK(e->idle->body.data == kept);
    one = start_large(e, &s);
    two = start_large(e, &s);
    end_large(e, two);
    end_large(e, one);
    CHECK(e->nidle == 2);
    for (one = e->idle; one != NULL; one = one->next)
        count += one->body.cap > CE_BUF_SMALL;
    CHECK(count == 1);
    ce_engine_close(e);
    settings_wipe(&s);
}

int main(void)
{
    int status;

    signal(SIGPIPE, SIG_DFL);
    start_server();
    alloc_forbid("CANARY");
    failing();
    orders();
    no_tls_errors();
    burst();
    room();
    alloc_forbid(NULL);
    kill(server, SIGKILL);
    CHECK(waitpid(server, &status, 0) == server);
    return check_done();
}
