/* transfer.c -- one transfer: from its start to how it ended.
 *
 * Owns the easy handle, the bytes of the request, secrets among them, and those of the
 * answer; lends the latter until ce_transfer_free().  Keeps the engine's lists of the live,
 * the finished and the idle ones.  Knows nothing of descriptors and of waiting, and nothing
 * of single options: those are handle.c's. */
#include "transfer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"
#include "pool.h"

#define LARGE_ANSWER ((size_t)1024 * 1024)   /* bytes that one idle transfer may keep */

/* ---- the life of a transfer ---------------------------------------------- */

void ce_transfer_destroy(struct ce_transfer *t)
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
    t->id = ++e->last_id;
    ce_buf_init(&t->body, CE_BODY_MAX);
    ce_buf_init(&t->answer_headers, CE_HEADER_MAX);
    ce_buf_init(&t->request_body, CE_BODY_MAX);
    ce_buf_init(&t->url, CE_URL_MAX);
    ce_buf_init(&t->lines, CE_HEADER_MAX);
    t->easy = curl_easy_init();
    if (t->easy == NULL) {
        ce_transfer_destroy(t);
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

void ce_transfer_delist(struct ce_engine *e, struct ce_transfer *t)
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

void ce_transfer_unqueue(struct ce_engine *e, struct ce_transfer *t)
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

/* Makes a transfer ready for its next call: nothing of the last one stays.  While it is the
 * only idle one it keeps the room of a large answer: the pages of a list come through it one
 * after the other, and going back to the allocator for each costs a twentieth of a page.
 * After a burst others are taken before it, and a list pays that. */
static void transfer_clear(struct ce_transfer *t, int is_alone)
{
    ce_buf_clear(&t->body, is_alone ? LARGE_ANSWER : CE_BUF_SMALL);
    ce_buf_clear(&t->answer_headers, CE_BUF_SMALL);
    ce_buf_clear(&t->request_body, CE_BUF_SMALL);
    ce_buf_clear(&t->url, CE_BUF_SMALL);
    ce_buf_clear(&t->lines, CE_BUF_SMALL);
    t->done = 0;
    t->offered = 0;
    t->repeat_refused = 0;
    t->head_whole = 0;
    t->unwatched = 0;
    t->too_large = 0;
    t->status = 0;
    t->connects = 0;
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
    t->max_body = settings->max_body;
    t->body.max = settings->max_body;
    if (t->settings_id != settings->id) {
        curl_easy_reset(t->easy);
        t->settings_id = 0;
        t->compressed = 0;
        code = ce_handle_set_common(t);
        if (code == CURLE_OK)
            code = ce_handle_set_settings(t, settings);
        if (code == CURLE_OK)
            t->settings_id = settings->id;
    }
    if (call->body != NULL && code == CURLE_OK)
        rc = ce_buf_add(&t->request_body, call->body, call->body_len);
    if (rc == CE_OK && code == CURLE_OK)
        rc = ce_handle_join_url(&t->url, settings, call);
    if (rc == CE_OK && code == CURLE_OK)
        rc = ce_handle_set_headers(t, settings, call);
    if (rc == CE_OK && code == CURLE_OK)
        code = ce_handle_set_call(t, call);
    if (rc == CE_OK && code == CURLE_OK) {
        e->now = ce_clock_ms();
        code = ce_pool_join(e, t, settings->http2);
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
        ce_transfer_destroy(t);
        return;
    }
    if (!ce_engine_alive(e))
        return;   /* a forked child: it belongs to the parent, see ce_engine_close() */
    ce_transfer_unqueue(e, t);
    ce_pool_leave(e, t);
    ce_transfer_delist(e, t);
    transfer_clear(t, e->nidle == 0);
    if (e->nidle == IDLE_MAX) {
        ce_transfer_destroy(t);
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

long ce_transfer_id(const struct ce_transfer *t)
{
    return t->id;
}

void ce_transfer_finish(struct ce_engine *e, struct ce_transfer *t, CURLcode code)
{
    t->code = code;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &t->connects);
    if (code != CURLE_OK || t->connects != 0)
        e->handshakes = 1;
    ce_pool_leave(e, t);
    t->done = 1;
    queue_finished(e, t);
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
    out->seconds = (double)us / 1e6;
    out->sent = was_sent(t);
    out->reused = out->sent && (t->connects == 0 || t->repeat_refused);
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
