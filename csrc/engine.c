/* engine.c -- many HTTP transfers, one descriptor to watch.
 *
 * Owns the curl multi handles, the poller, the easy handles and every byte of an
 * answer.  Lends answer bytes until ce_transfer_free().  Copies all it is given.
 * Knows nothing of Lua, JSON, retries or what the secrets mean.  Make it after
 * fork: its descriptors and TLS sessions are not for sharing (pitfall 4). */
#define _GNU_SOURCE   /* RTLD_DEFAULT, SOCK_CLOEXEC */

#include "engine.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "poller.h"

#if LIBCURL_VERSION_NUM < 0x073d00
#error "celements needs libcurl 7.61 or later (Debian: apt-get install libcurl4-openssl-dev; Alpine: apk add curl-dev; Homebrew: brew install curl)"
#endif

#define EVENTS_MAX    64
#define HEADERS_MAX   64      /* request header lines of one call */
#define EXPECT_ABOVE  1024    /* bytes of body from which some libcurl asks "Expect: 100-continue" */
#define IDLE_SECONDS  30L     /* an unused connection older than this is not used again (pitfall 47) */

/* Finished handles, and connections, kept for the next calls.  Of connections libcurl
 * alone would keep four for each call in flight, and so lose them after every burst. */
#define IDLE_MAX      512

/* At the end of each call, and to find a connection for the next, libcurl walks along all
 * that it has, which with 1,024 in flight is a third of all instructions.  So beyond this
 * many calls there is a pool, that is a multi handle, of their own, with its own copy of a
 * bundle of certificates.  HTTP/2, which has few connections, stays in the first. */
#define POOL_CALLS    64
#define POOLS_MAX     16

struct pool {
    struct ce_engine *engine;
    CURLM *multi;
    int64_t due;                       /* when libcurl wants to be called; -1: no timer */
    int64_t rests_since;               /* when running became 0 */
    int running;
};

/* By descriptor. */
struct sock {
    ino_t inode;                       /* of one that we opened, else 0 */
    struct pool *pool;                 /* whose libcurl has to hear of it */
};

struct ce_transfer {
    struct ce_engine *engine;          /* NULL once the engine is closed */
    struct pool *pool;                 /* NULL: in none */
    CURL *easy;
    uint64_t id;
    uint64_t settings_id;              /* whose options the handle holds; 0: nobody's */
    struct ce_transfer *prev, *next;   /* in engine->live, or next alone in engine->idle */
    struct ce_transfer *fprev, *fnext; /* in engine->finished */
    int queued;                        /* stands in engine->finished */
    int done;
    int compressed;                    /* the handle asks for a compressed answer */
    int by_target;                     /* the handle has the origin; see set_origin() */
#if LIBCURL_VERSION_NUM >= 0x073f00
    CURLU *origin;                     /* or NULL; lent to the handle */
#endif
    int watched;                       /* this libcurl asks before it sends */
    int offered;                       /* a connection was ready for the request */
    int repeat_refused;                /* libcurl wanted to send it again and was told no */
    int head_whole;                    /* the empty line after the answer's headers came */
    int unwatched;                     /* nobody would tell when its socket is ready */
    int too_large;
    long status;
    CURLcode code;
    size_t max_body;
    struct ce_buf body;                /* of the answer */
    struct ce_buf answer_headers;
    struct ce_buf request_body;
    struct ce_buf url;                 /* of the call; a secret may be in it */
    struct ce_buf lines;               /* request header lines, each with its NUL; a secret in them */
    struct curl_slist nodes[HEADERS_MAX];
    char error[CURL_ERROR_SIZE];
};

struct ce_engine {
    struct pool pools[POOLS_MAX];      /* the first is always there */
    int npools;
    struct ce_poller *poller;
    struct ce_trust trust;
    int trust_known;
    int unwatched;                     /* a transfer is; see on_socket() */
    unsigned int generation;           /* of the process when it was opened */
    int shield_sigpipe;                /* this libcurl can raise SIGPIPE */
    int gzip;                          /* this libcurl can undo it */
    void (*clear_tls_errors)(void);    /* OpenSSL's, when the process has one */
    int64_t now;
    int running;
    uint64_t last_id;
    struct ce_transfer *live;
    struct ce_transfer *idle;
    int nidle;
    struct ce_transfer *finished_first, *finished_last;
    struct sock *sockets;              /* by descriptor */
    int nsockets;
};

/* ---- the process -------------------------------------------------------- */

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

/* CURLOPT_NOSIGNAL takes libcurl's own shield against SIGPIPE away.  From 7.87 on
 * TLS writes go through send(MSG_NOSIGNAL); before that OpenSSL calls write(). */
struct shield {
    sigset_t before;
    int raised;   /* the mask was changed and is ours to restore */
};

static void shield_up(const struct ce_engine *e, struct shield *s)
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

static void shield_down(const struct shield *s)
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
static curl_socket_t on_open(void *userp, curlsocktype purpose, struct curl_sockaddr *address)
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
static int on_close(void *userp, curl_socket_t fd)
{
    struct ce_engine *e = userp;

    ce_poller_forget(e->poller, fd);
    if (is_ours(e, fd))
        e->sockets[fd].inode = 0;
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
    if (know_socket(e, fd) == CE_OK && ce_poller_want(e->poller, fd, wanted) == CE_OK) {
        e->sockets[fd].pool = pool;
        return 0;
    }
    /* Out of memory.  A refusal here ends every transfer of the multi handle without
     * another word, their timers too; so this one is ended by harvest(). */
    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
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

/* ---- one transfer: libcurl's callbacks ---------------------------------- */

/* Room for as much as the server says is to come: a large answer need not move while it
 * grows.  A hint only; it may be wrong, or be of the compressed bytes. */
static void expect_body(struct ce_transfer *t)
{
    curl_off_t length = -1;

    (void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0 && length <= (curl_off_t)t->max_body)
        (void)ce_buf_reserve(&t->body, (size_t)length);
}

/* CURLOPT_WRITEFUNCTION: counts after decompression, where MAXFILESIZE does not (pitfall 30). */
static size_t on_body(char *bytes, size_t size, size_t n, void *userp)
{
    struct ce_transfer *t = userp;

    n *= size;
    if (t->body.len == 0)
        expect_body(t);
    if (n > t->max_body - t->body.len) {
        t->too_large = 1;
        return 0;
    }
    return ce_buf_add(&t->body, bytes, n) == CE_OK ? n : 0;
}

/* CURLOPT_HEADERFUNCTION: one line a call; a new status line starts the next answer
 * (100 Continue, a proxy's), and only the last one counts. */
static size_t on_header(char *bytes, size_t size, size_t n, void *userp)
{
    struct ce_transfer *t = userp;
    int rc;

    n *= size;
    if (n > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        t->answer_headers.len = 0;
        t->head_whole = 0;
    }
    if (n != 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
        t->head_whole = 1;
    rc = ce_buf_add(&t->answer_headers, bytes, n);
    if (rc == CE_ETOOBIG)
        t->too_large = 1;
    return rc == CE_OK ? n : 0;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* CURLOPT_PREREQFUNCTION: libcurl has a connection and is about to send.  It comes
 * here a second time when a kept-alive connection died and libcurl would send the
 * request again by itself; the server may have acted on the first (pitfall 1).  Saying no
 * here keeps the connection for the next call, where FRESH_CONNECT would not, and
 * lets head and body leave in one write, where a read callback would not.  It is no
 * for every method: what may be repeated is repeated by the caller, who counts. */
static int on_send(void *userp, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct ce_transfer *t = userp;

    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    if (t->offered) {
        t->repeat_refused = 1;
        return CURL_PREREQFUNC_ABORT;
    }
    t->offered = 1;
    return CURL_PREREQFUNC_OK;
}
#endif

/* ---- handles and their options ------------------------------------------ */

/* One option; the first refusal of a call is kept, later ones change nothing. */
#define SET(option, value)                                        \
    do {                                                          \
        if (rc == CURLE_OK)                                       \
            rc = curl_easy_setopt(t->easy, (option), (value));    \
    } while (0)

static CURLcode set_common(struct ce_transfer *t)
{
    struct ce_engine *e = t->engine;
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, e);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
    SET(CURLOPT_CLOSESOCKETDATA, e);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);               /* secrets in headers and bodies would travel (pitfall 14) */
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);     /* would become Basic authentication (pitfall 31) */
    SET(CURLOPT_PATH_AS_IS, 1L);                   /* the path was encoded by us; leave it so */
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);                /* a create is silent for half a minute */
    SET(CURLOPT_PIPEWAIT, 1L);                     /* HTTP/2: share a connection, do not open 64 */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
#if LIBCURL_VERSION_NUM >= 0x074100
    SET(CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075000
    /* It may be compiled with a newer libcurl than the one that runs. */
    if (rc == CURLE_OK) {
        t->watched = curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_send) == CURLE_OK;
        (void)curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    }
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Without it a slow name server holds us for seconds past the deadline (pitfall 3).
     * An older libcurl at run time does not know it; then it stays slow. */
    if (rc == CURLE_OK)
        (void)curl_easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    return rc;
}

static CURLcode set_trust(struct ce_transfer *t, const char *file, const char *directory)
{
    CURLcode rc = CURLE_OK;

    /* Both, always: libcurl caches a parsed bundle only where no directory is set (pitfall 9). */
    SET(CURLOPT_CAINFO, file);
    if (rc == CURLE_OK) {
        rc = curl_easy_setopt(t->easy, CURLOPT_CAPATH, directory);
        if (rc == CURLE_NOT_BUILT_IN && directory == NULL)
            rc = CURLE_OK;   /* a TLS library that knows no directories has none set */
    }
    if (rc == CURLE_OK) {
        (void)curl_easy_setopt(t->easy, CURLOPT_PROXY_CAINFO, file);
        (void)curl_easy_setopt(t->easy, CURLOPT_PROXY_CAPATH, directory);
    }
    return rc;
}

static int is_https(const struct ce_settings *s)
{
    return curl_strnequal(s->base_url.data, "https:", 6);
}

/* Where the path of a URL starts, or its end. */
static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://") + 3;

    return host + strcspn(host, "/");
}

/* Scheme, host and port, once for all calls of a client; what differs is the request's
 * target.  Given a URL, libcurl parses and prints it at each start, and writes its query
 * out character by character: together a fifth of all that it does for a call.  A target
 * it copies, as it does an origin that is parsed already. */
static CURLcode set_origin(struct ce_transfer *t, const struct ce_settings *s)
{
    CURLcode rc = CURLE_OK;

    if (ce_buf_add(&t->url, s->base_url.data, (size_t)(path_of(s->base_url.data) - s->base_url.data)) != CE_OK)
        return CURLE_OUT_OF_MEMORY;
#if LIBCURL_VERSION_NUM >= 0x073f00
    if (t->origin == NULL)
        t->origin = curl_url();
    if (t->origin == NULL)
        return CURLE_OUT_OF_MEMORY;
    if (curl_url_set(t->origin, CURLUPART_URL, t->url.data, 0) != CURLUE_OK)
        return CURLE_URL_MALFORMAT;
    SET(CURLOPT_CURLU, t->origin);
#else
    SET(CURLOPT_URL, t->url.data);
#endif
    ce_buf_clear(&t->url);
    return rc;
}

static CURLcode set_settings(struct ce_transfer *t, const struct ce_settings *s)
{
    CURLcode rc = CURLE_OK;

    /* Who may be asked by a proxy for plain HTTP, needs the whole URL each time. */
    t->by_target = is_https(s) || (s->has_proxy && s->proxy.len == 0);
    if (t->by_target)
        rc = set_origin(t, s);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, s->allow_http ? "http,https" : "https");
#else
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTPS | (s->allow_http ? CURLPROTO_HTTP : 0)));
#endif
    SET(CURLOPT_HTTP_VERSION, s->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, s->connect_timeout_ms);
    if (s->has_proxy)
        SET(CURLOPT_PROXY, s->proxy.len != 0 ? s->proxy.data : "");
    if (rc != CURLE_OK || !is_https(s))
        return rc;
    if (s->ca_file.len != 0)
        return set_trust(t, s->ca_file.data, NULL);
    switch (ce_engine_trust(t->engine)->kind) {
    case CE_TRUST_FILE:
        return set_trust(t, t->engine->trust.path, NULL);
    case CE_TRUST_DIRECTORY:
        return set_trust(t, NULL, t->engine->trust.path);
    case CE_TRUST_LIBCURL:
        break;
    }
    return CURLE_OK;
}

/* Does sending this method twice change nothing?  Then a libcurl that cannot be kept
 * from it may repeat it; every other call gets a connection of its own there. */
static int is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* Is a request of this method complete without a body?  The others say Content-Length: 0. */
static int is_bodiless(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "DELETE") == 0;
}

static CURLcode set_call(struct ce_transfer *t, const struct ce_call *call)
{
    const char *custom = call->method;
    int has_body = call->body != NULL;
    CURLcode rc = CURLE_OK;

    if (strcmp(custom, "GET") == 0 && !has_body) {
        SET(CURLOPT_HTTPGET, 1L);
        custom = NULL;
    } else if (strcmp(custom, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        custom = NULL;
    } else if (is_bodiless(custom) && !has_body) {
        SET(CURLOPT_HTTPGET, 1L);
    } else {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request_body.len);
        SET(CURLOPT_POSTFIELDS, t->request_body.data != NULL ? t->request_body.data : "");
        if (strcmp(custom, "POST") == 0)
            custom = NULL;
    }
    SET(CURLOPT_CUSTOMREQUEST, custom);
    if (call->compressed != t->compressed) {
        SET(CURLOPT_ACCEPT_ENCODING, call->compressed ? "" : NULL);   /* "": all that libcurl can undo */
        t->compressed = call->compressed;
    }
    if (t->by_target)
        SET(CURLOPT_REQUEST_TARGET, path_of(t->url.data));
    else
        SET(CURLOPT_URL, t->url.data);
    SET(CURLOPT_HTTPHEADER, t->nodes);
    SET(CURLOPT_TIMEOUT_MS, call->timeout_ms);
    /* Where nobody is asked before a request goes out again: the dearer way. */
    if (!t->watched)
        SET(CURLOPT_FRESH_CONNECT, is_safe(call->method) ? 0L : 1L);
    return rc;
}

/* base URL, path and "?" query.  The path has been looked at: it starts with a slash and
 * is part of a URL as it is. */
static int join_url(struct ce_buf *url, const struct ce_settings *s, const struct ce_call *call)
{
    int rc = ce_buf_add(url, s->base_url.data, s->base_url.len);

    if (rc == CE_OK)
        rc = ce_buf_add(url, call->path, call->path_len);
    if (rc == CE_OK && call->query_len != 0)
        rc = ce_buf_add(url, "?", 1);
    if (rc == CE_OK)
        rc = ce_buf_add(url, call->query, call->query_len);
    return rc;
}

/* Appends one header line and its NUL; remembers where it starts. */
static int add_line(struct ce_transfer *t, size_t *starts, size_t *count, const char *line)
{
    if (*count == HEADERS_MAX)
        return CE_ETOOBIG;
    starts[(*count)++] = t->lines.len;
    return ce_buf_add(&t->lines, line, strlen(line) + 1);
}

static int add_authorization(struct ce_transfer *t, size_t *starts, size_t *count, const struct ce_settings *s,
                             const struct ce_call *call)
{
    struct ce_credentials with = { NULL, NULL, NULL };
    size_t start = t->lines.len;
    int rc;

    if (call->secrets & CE_SEND_USER)
        with.user = &s->user;
    if (call->secrets & CE_SEND_ORGANIZATION)
        with.organization = &s->organization;
    if (call->secrets & CE_SEND_ELEMENT)
        with.element = call->element;
    rc = ce_auth_header(&t->lines, &with);
    if (rc != CE_OK || t->lines.len == start)
        return rc;
    starts[(*count)++] = start;
    return ce_buf_add(&t->lines, "", 1);
}

static int has_header(const struct ce_call *call, const char *name)
{
    size_t n = strlen(name);
    size_t i;

    for (i = 0; i < call->nheaders; i++)
        if (curl_strnequal(call->headers[i], name, n) && (call->headers[i][n] == ':' || call->headers[i][n] == ';'))
            return 1;
    return 0;
}

/* Puts the request's header lines together.  libcurl wants a list of strings; ours
 * is an array of nodes over one buffer, so that nothing is left to free and the
 * Authorization line lies in one place that gets wiped. */
static int set_headers(struct ce_transfer *t, const struct ce_settings *s, const struct ce_call *call)
{
    size_t starts[HEADERS_MAX];
    size_t count = 0;
    size_t i;
    int rc = add_authorization(t, starts, &count, s, call);

    if (rc == CE_OK && !has_header(call, "Accept"))
        rc = add_line(t, starts, &count, "Accept: application/json");
    /* Without a body libcurl would still call a POST's nothing a form. */
    if (rc == CE_OK && !has_header(call, "Content-Type") && (call->body != NULL || !is_bodiless(call->method)))
        rc = add_line(t, starts, &count, call->body != NULL ? "Content-Type: application/json" : "Content-Type:");
    /* No pause of a second on large bodies (pitfall 50); libcurl leaves small ones alone. */
    if (rc == CE_OK && call->body_len > EXPECT_ABOVE)
        rc = add_line(t, starts, &count, "Expect:");
    if (rc == CE_OK && s->user_agent.len != 0 && !has_header(call, "User-Agent")) {
        starts[count++] = t->lines.len;
        rc = ce_buf_adds(&t->lines, "User-Agent: ");
        if (rc == CE_OK)
            rc = ce_buf_add(&t->lines, s->user_agent.data, s->user_agent.len + 1);
    }
    /* libcurl would name all it can undo, and write the line out twice. */
    if (rc == CE_OK && call->compressed && t->engine->gzip && !has_header(call, "Accept-Encoding"))
        rc = add_line(t, starts, &count, "Accept-Encoding: gzip");
    for (i = 0; rc == CE_OK && i < call->nheaders; i++)
        rc = add_line(t, starts, &count, call->headers[i]);
    if (rc != CE_OK)
        return rc;
    for (i = 0; i < count; i++) {
        t->nodes[i].data = t->lines.data + starts[i];
        t->nodes[i].next = i + 1 < count ? &t->nodes[i + 1] : NULL;
    }
    return CE_OK;
}

/* ---- the pools ----------------------------------------------------------- */

static int pool_open(struct ce_engine *e)
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
static void pool_close(struct ce_engine *e)
{
    struct shield shield;

    shield_up(e, &shield);
    (void)curl_multi_cleanup(e->pools[e->npools - 1].multi);   /* the poller is needed until here */
    shield_down(&shield);
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
        pool_close(e);
    if (http2)
        return best;
    for (i = 0; i < e->npools; i++) {
        if (e->pools[i].running < POOL_CALLS)
            return &e->pools[i];
        if (e->pools[i].running < best->running)
            best = &e->pools[i];
    }
    if (e->npools < POOLS_MAX && pool_open(e) == CE_OK)
        return &e->pools[e->npools - 1];
    return best;
}

static CURLcode join_pool(struct ce_engine *e, struct ce_transfer *t, int http2)
{
    struct pool *pool = pool_for(e, http2);

    if (curl_multi_add_handle(pool->multi, t->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    t->pool = pool;
    pool->running++;
    e->running++;
    return CURLE_OK;
}

static void leave_pool(struct ce_engine *e, struct ce_transfer *t)
{
    struct pool *pool = t->pool;
    struct shield shield;

    if (pool == NULL)
        return;
    shield_up(e, &shield);
    (void)curl_multi_remove_handle(pool->multi, t->easy);   /* may say goodbye to a server that is gone */
    shield_down(&shield);
    t->pool = NULL;
    e->running--;
    pool->running--;
    pool->rests_since = e->now;
}

/* When libcurl wants to be called; -1: no timer. */
static int64_t due(const struct ce_engine *e)
{
    int64_t first = -1;
    int i;

    for (i = 0; i < e->npools; i++)
        if (e->pools[i].due >= 0 && (first < 0 || e->pools[i].due < first))
            first = e->pools[i].due;
    return first;
}

/* ---- the life of a transfer ---------------------------------------------- */

static void transfer_destroy(struct ce_transfer *t)
{
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
#if LIBCURL_VERSION_NUM >= 0x073f00
    curl_url_cleanup(t->origin);
#endif
    ce_buf_wipe(&t->body);
    ce_buf_wipe(&t->answer_headers);
    ce_buf_wipe(&t->request_body);
    ce_buf_wipe(&t->url);
    ce_buf_wipe(&t->lines);
    free(t);
}

/* A handle from the idle ones, or a new one.  NULL: out of memory. */
static struct ce_transfer *transfer_take(struct ce_engine *e)
{
    struct ce_transfer *t = e->idle;

    if (t != NULL) {
        e->idle = t->next;
        e->nidle--;
        return t;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->engine = e;
    ce_buf_init(&t->body, CE_BODY_MAX);
    ce_buf_init(&t->answer_headers, CE_HEADER_MAX);
    ce_buf_init(&t->request_body, CE_BODY_MAX);
    ce_buf_init(&t->url, CE_URL_MAX);
    ce_buf_init(&t->lines, CE_HEADER_MAX);
    t->easy = curl_easy_init();
    if (t->easy == NULL) {
        transfer_destroy(t);
        return NULL;
    }
    return t;
}

static void enlist(struct ce_engine *e, struct ce_transfer *t)
{
    t->prev = NULL;
    t->next = e->live;
    if (e->live != NULL)
        e->live->prev = t;
    e->live = t;
}

static void delist(struct ce_engine *e, struct ce_transfer *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        e->live = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    t->prev = NULL;
    t->next = NULL;
}

static void queue_finished(struct ce_engine *e, struct ce_transfer *t)
{
    t->queued = 1;
    t->fnext = NULL;
    t->fprev = e->finished_last;
    if (e->finished_last != NULL)
        e->finished_last->fnext = t;
    else
        e->finished_first = t;
    e->finished_last = t;
}

static void unqueue_finished(struct ce_engine *e, struct ce_transfer *t)
{
    if (!t->queued)
        return;
    if (t->fprev != NULL)
        t->fprev->fnext = t->fnext;
    else
        e->finished_first = t->fnext;
    if (t->fnext != NULL)
        t->fnext->fprev = t->fprev;
    else
        e->finished_last = t->fprev;
    t->queued = 0;
}

/* Makes a transfer ready for its next call: nothing of the last one stays. */
static void transfer_clear(struct ce_transfer *t)
{
    ce_buf_clear(&t->body);
    ce_buf_clear(&t->answer_headers);
    ce_buf_clear(&t->request_body);
    ce_buf_clear(&t->url);
    ce_buf_clear(&t->lines);
    t->done = 0;
    t->offered = 0;
    t->repeat_refused = 0;
    t->head_whole = 0;
    t->unwatched = 0;
    t->too_large = 0;
    t->status = 0;
    t->error[0] = '\0';
}

int ce_transfer_start(struct ce_engine *e, const struct ce_settings *settings, const struct ce_call *call,
                      struct ce_transfer **out)
{
    struct ce_transfer *t = transfer_take(e);
    CURLcode code = CURLE_OK;
    int rc = CE_OK;

    if (t == NULL)
        return CE_ENOMEM;
    enlist(e, t);
    t->id = ++e->last_id;
    t->max_body = settings->max_body;
    t->body.max = settings->max_body;
    if (t->settings_id != settings->id) {
        curl_easy_reset(t->easy);
        t->settings_id = 0;
        t->compressed = 0;
        code = set_common(t);
        if (code == CURLE_OK)
            code = set_settings(t, settings);
        if (code == CURLE_OK)
            t->settings_id = settings->id;
    }
    if (call->body != NULL && code == CURLE_OK)
        rc = ce_buf_add(&t->request_body, call->body, call->body_len);
    if (rc == CE_OK && code == CURLE_OK)
        rc = join_url(&t->url, settings, call);
    if (rc == CE_OK && code == CURLE_OK)
        rc = set_headers(t, settings, call);
    if (rc == CE_OK && code == CURLE_OK)
        code = set_call(t, call);
    if (rc == CE_OK && code == CURLE_OK) {
        e->now = ce_clock_ms();
        code = join_pool(e, t, settings->http2);
    }
    if (rc == CE_OK && code != CURLE_OK)
        rc = code == CURLE_OUT_OF_MEMORY ? CE_ENOMEM : CE_ECURL;
    if (rc != CE_OK) {
        ce_transfer_free(t);
        return rc;
    }
    *out = t;
    return CE_OK;
}

void ce_transfer_free(struct ce_transfer *t)
{
    struct ce_engine *e;

    if (t == NULL)
        return;
    e = t->engine;
    if (e == NULL) {
        transfer_destroy(t);
        return;
    }
    if (!ce_engine_alive(e))
        return;   /* a forked child: it belongs to the parent, see ce_engine_close() */
    unqueue_finished(e, t);
    leave_pool(e, t);
    delist(e, t);
    transfer_clear(t);
    if (e->nidle == IDLE_MAX) {
        transfer_destroy(t);
        return;
    }
    t->next = e->idle;
    e->idle = t;
    e->nidle++;
}

int ce_transfer_done(const struct ce_transfer *t)
{
    return t->done || t->engine == NULL;
}

uint64_t ce_transfer_id(const struct ce_transfer *t)
{
    return t->id;
}

/* ---- how it ended --------------------------------------------------------- */

static const char *kind_of(const struct ce_transfer *t)
{
    if (t->too_large)
        return "too_large";
    switch (t->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "resolve";
    case CURLE_COULDNT_CONNECT:
        return "connect";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
#if LIBCURL_VERSION_NUM < 0x073e00
    case CURLE_SSL_CACERT:   /* since 7.62 another name of PEER_FAILED_VERIFICATION */
#endif
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return "tls";
    case CURLE_URL_MALFORMAT:
        return "config";
    case CURLE_UNSUPPORTED_PROTOCOL:
        return t->offered ? "network" : "config";   /* the answer's: it is not HTTP */
    case CURLE_BAD_CONTENT_ENCODING:
        return "decode";
    default:
        return "network";
    }
}

static int reached(CURL *easy, CURLINFO time)
{
    curl_off_t us = 0;

    return curl_easy_getinfo(easy, time, &us) == CURLE_OK && us > 0;
}

static int was_sent(const struct ce_transfer *t)
{
    long bytes = 0;

    if (t->watched || t->offered)
        return t->offered;   /* exact: a proxy's CONNECT does not count */
    return curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK && bytes > 0;
}

static const char *phase_of(const struct ce_transfer *t, int sent)
{
    curl_off_t up = 0;
    long port = 0;

    if (sent) {
        if (t->answer_headers.len != 0 || t->body.len != 0)
            return "receive";
        if (t->repeat_refused)
            return "wait";   /* how much of the body had left, libcurl has forgotten */
        (void)curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
        return (size_t)up < t->request_body.len ? "send" : "wait";
    }
    if (t->code == CURLE_COULDNT_CONNECT || t->code == CURLE_COULDNT_RESOLVE_HOST)
        return t->code == CURLE_COULDNT_CONNECT ? "connect" : "resolve";
    (void)curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port);
    if (port > 0)   /* CONNECT_TIME is written down only after the handshake */
        return "tls";
    return reached(t->easy, CURLINFO_NAMELOOKUP_TIME_T) ? "connect" : "resolve";
}

void ce_transfer_outcome(struct ce_transfer *t, struct ce_outcome *out)
{
    curl_off_t us = 0;
    long connects = 0;

    memset(out, 0, sizeof(*out));
    out->body = t->body.data != NULL ? t->body.data : "";
    out->body_len = t->body.len;
    out->headers = t->answer_headers.data != NULL ? t->answer_headers.data : "";
    out->headers_len = t->answer_headers.len;
    out->status = t->status;
    if (t->engine == NULL || !ce_engine_alive(t->engine) || !t->done) {
        out->code = CURLE_ABORTED_BY_CALLBACK;
        out->kind = "network";
        out->phase = t->offered ? "wait" : "connect";
        out->sent = t->offered;
        out->message = "the call was cut off before it ended";
        return;
    }
    (void)curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &us);
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    out->seconds = (double)us / 1e6;
    out->sent = was_sent(t);
    out->reused = out->sent && (connects == 0 || t->repeat_refused);
    if (t->code == CURLE_OK)
        return;
    out->code = (int)t->code;
    out->kind = kind_of(t);
    out->phase = phase_of(t, out->sent);
    if (t->repeat_refused)
        out->message = "the connection was closed before an answer came";
    else if (t->too_large)
        out->message = "the answer is larger than allowed";
    else
        out->message = t->error[0] != '\0' ? t->error : curl_easy_strerror(t->code);
}

/* ---- the engine ------------------------------------------------------------ */

struct ce_engine *ce_engine_open(void)
{
    struct ce_engine *e;

    if (pthread_once(&init_flag, init_once) != 0)
        return NULL;
    e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->generation = generation;
    e->now = ce_clock_ms();
    e->shield_sigpipe = curl_version_info(CURLVERSION_NOW)->version_num < 0x075700;
    e->gzip = (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_LIBZ) != 0;
    /* libcurl leaves the errors of a failed handshake in OpenSSL's queue, and nginx
     * reports them as its own (pitfall 40).  Looked up, not linked: one OpenSSL a process.
     * POSIX lets an object pointer become a function pointer, ISO C does not say so. */
    {
        void *address = dlsym(RTLD_DEFAULT, "ERR_clear_error");

        memcpy(&e->clear_tls_errors, &address, sizeof(address));
    }
    e->poller = ce_poller_open();
    if (e->poller == NULL || pool_open(e) != CE_OK) {
        ce_engine_close(e);
        return NULL;
    }
    return e;
}

int ce_engine_alive(const struct ce_engine *e)
{
    return e->generation == generation;
}

/* In a forked child: let go of the descriptors and of nothing else.  The memory of
 * libcurl stays behind; cleaning up would write to the parent's connections. */
static void abandon(struct ce_engine *e)
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

void ce_engine_close(struct ce_engine *e)
{
    struct ce_transfer *t;

    if (!ce_engine_alive(e)) {
        abandon(e);
        return;   /* transfers still point to e, so it stays too */
    }
    while ((t = e->live) != NULL) {
        unqueue_finished(e, t);
        leave_pool(e, t);
        delist(e, t);
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
        t->engine = NULL;   /* its owner frees the rest */
    }
    while ((t = e->idle) != NULL) {
        e->idle = t->next;
        transfer_destroy(t);
    }
    while (e->npools > 0)
        pool_close(e);
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

static void finish(struct ce_engine *e, struct ce_transfer *t, CURLcode code)
{
    t->code = code;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    leave_pool(e, t);
    t->done = 1;
    queue_finished(e, t);
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
        finish(pool->engine, t, code);
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
            finish(e, live, CURLE_OUT_OF_MEMORY);
            count++;
        }
    e->unwatched = 0;
    if (count != 0 && e->clear_tls_errors != NULL)
        e->clear_tls_errors();
    return count;
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

static void run_timers(struct ce_engine *e)
{
    int i;

    for (i = 0; i < e->npools; i++)
        run_timer(&e->pools[i]);
}

static int wait_ms(const struct ce_engine *e, int timeout_ms)
{
    int64_t then = due(e);
    int64_t until_due;

    if (then < 0)
        return timeout_ms;
    until_due = then <= e->now ? 0 : then - e->now;
    return until_due < timeout_ms ? (int)until_due : timeout_ms;
}

int ce_engine_step(struct ce_engine *e, int timeout_ms)
{
    struct ce_event events[EVENTS_MAX];
    struct shield shield;
    int running;
    int failed = 0;
    int n;
    int i;

    e->now = ce_clock_ms();
    shield_up(e, &shield);
    run_timers(e);
    /* With something finished there is no waiting, but the others get their turn. */
    n = ce_poller_wait(e->poller, events, EVENTS_MAX, harvest(e) != 0 ? 0 : wait_ms(e, timeout_ms));
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
    run_timers(e);
    (void)harvest(e);
    shield_down(&shield);
    errno = failed;
    return failed != 0 ? CE_ESYSTEM : CE_OK;
}

uint64_t ce_engine_finished(struct ce_engine *e)
{
    struct ce_transfer *t = e->finished_first;

    if (t == NULL)
        return 0;
    unqueue_finished(e, t);
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
    then = due(e);
    if (then < 0)
        return -1;
    left = then - ce_clock_ms();
    return left < 0 ? 0 : (long)left;
}

int ce_engine_running(const struct ce_engine *e)
{
    return e->running;
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
