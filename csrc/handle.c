/* handle.c -- one call as libcurl's easy handle has it: its options, its header lines, and
 * the callbacks that take in the answer.
 *
 * Owns nothing: what it makes and fills is the transfer's, and lent to its handle until the
 * call has ended.  Knows nothing of when a call starts, in which pool it is, or what
 * its end means. */
#include "handle.h"

#include <curl/curl.h>
#include <string.h>

#include "auth.h"
#include "pool.h"

#define EXPECT_ABOVE  1024    /* bytes of body from which some libcurl asks "Expect: 100-continue" */

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

CURLcode ce_handle_set_common(struct ce_transfer *t)
{
    struct ce_engine *e = t->engine;
    CURLcode rc = CURLE_OK;

    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_OPENSOCKETFUNCTION, ce_socket_open);
    SET(CURLOPT_OPENSOCKETDATA, e);
    SET(CURLOPT_CLOSESOCKETFUNCTION, ce_socket_close);
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
    if (curl_url_set(t->origin, CURLUPART_URL, t->url.data, CURLU_DISALLOW_USER) != CURLUE_OK)
        return CURLE_URL_MALFORMAT;
    SET(CURLOPT_CURLU, t->origin);
#else
    SET(CURLOPT_URL, t->url.data);
#endif
    ce_buf_clear(&t->url, CE_BUF_SMALL);
    return rc;
}

CURLcode ce_handle_set_settings(struct ce_transfer *t, const struct ce_settings *s)
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
    if (s->has_proxy && s->proxy.len == 0)
        SET(CURLOPT_NOPROXY, "*");   /* or libcurl would ask the environment at each call */
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

CURLcode ce_handle_set_call(struct ce_transfer *t, const struct ce_call *call)
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
int ce_handle_join_url(struct ce_buf *url, const struct ce_settings *s, const struct ce_call *call)
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
int ce_handle_set_headers(struct ce_transfer *t, const struct ce_settings *s, const struct ce_call *call)
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
