/* engine.h -- many HTTP transfers, one descriptor to watch. */
#ifndef CE_ENGINE_H
#define CE_ENGINE_H

#include <stdint.h>

#include "auth.h"
#include "trust.h"

struct ce_engine;
struct ce_transfer;

/* What all calls of a client have in common.  Lent to ce_transfer_start(), which
 * copies what outlives it. */
struct ce_settings {
    uint64_t id;                    /* differs for settings that differ; a handle
                                       that had the same id last keeps its options */
    struct ce_buf base_url;         /* scheme, host and path prefix, no slash at the end */
    struct ce_buf user;             /* secrets, free of control characters */
    struct ce_buf organization;
    struct ce_buf user_agent;       /* len 0: none is sent */
    struct ce_buf ca_file;          /* len 0: the system's trust store */
    struct ce_buf proxy;            /* see has_proxy */
    int has_proxy;                  /* 0: the environment decides; 1: proxy, "" for none */
    int http2;                      /* ask for HTTP/2 over TLS */
    int allow_http;                 /* plain http is allowed */
    long connect_timeout_ms;
    size_t max_body;                /* bytes of an answer after decompression */
};

/* Which secrets go with a call: the settings' two and the call's token. */
enum { CE_SEND_USER = 1, CE_SEND_ORGANIZATION = 2, CE_SEND_ELEMENT = 4 };

/* One call.  Borrowed for the length of ce_transfer_start(). */
struct ce_call {
    const char *method;             /* upper case */
    const char *path;               /* below the base URL, encoded */
    size_t path_len;
    const char *query;              /* encoded, without "?" */
    size_t query_len;               /* 0: none */
    const void *body;               /* NULL: none */
    size_t body_len;
    int secrets;                    /* CE_SEND_ bits */
    const struct ce_buf *element;   /* the instance's token, for CE_SEND_ELEMENT */
    const char *const *headers;     /* "Name: value" lines, free of control characters */
    size_t nheaders;
    int compressed;                 /* ask for a compressed answer */
    long timeout_ms;                /* for this attempt; above 0 */
};

/* How a transfer ended.  The names of the kinds are those of celements.Error. */
struct ce_outcome {
    int code;                       /* CURLcode; 0: a whole answer came */
    const char *kind;               /* NULL when code is 0; static text */
    const char *phase;              /* how far it came; static text */
    int sent;                       /* 0: certainly no byte of the request left */
    int reused;                     /* it went over a connection that was open already */
    long status;                    /* HTTP status, 0: none came */
    double seconds;
    const char *message;            /* NULL when code is 0; lent until the transfer is freed */
    const char *body;               /* lent until the transfer is freed; not NULL */
    size_t body_len;
    const char *headers;            /* the last answer's header lines, raw; lent likewise */
    size_t headers_len;
};

/* NULL: out of memory or descriptors. */
struct ce_engine *ce_engine_open(void);

/* Ends what is in flight and gives everything back.  In a forked child of the
 * process that opened it, it only closes descriptors: tidying up would say goodbye
 * to the parent's TLS sessions (pitfall 4). */
void ce_engine_close(struct ce_engine *e);

/* 0 once the process has forked since it was opened: open another one. */
int ce_engine_alive(const struct ce_engine *e);

/* Starts a call.  CE_OK and *out, owned by the caller until ce_transfer_free(). */
int ce_transfer_start(struct ce_engine *e, const struct ce_settings *settings, const struct ce_call *call,
                      struct ce_transfer **out);

/* Lets go of a transfer, finished or not; one in flight is cut off. */
void ce_transfer_free(struct ce_transfer *t);

int ce_transfer_done(const struct ce_transfer *t);

/* A small number, from 1 on, that no other transfer of the engine has until this one is let
 * go of: whoever keeps something by it can have an array. */
long ce_transfer_id(const struct ce_transfer *t);

void ce_transfer_outcome(struct ce_transfer *t, struct ce_outcome *out);

/* Does what there is to do, waiting up to timeout_ms for something to do.
 * CE_OK, or CE_ESYSTEM with errno; EINTR among them. */
int ce_engine_step(struct ce_engine *e, int timeout_ms);

/* The same until this transfer is done or timeout_ms have passed. */
int ce_engine_drive(struct ce_engine *e, const struct ce_transfer *t, int timeout_ms);

/* Sends what was started since the last step, and looks for nothing that came. */
void ce_engine_flush(struct ce_engine *e);

/* The id of a transfer that has finished since it was last asked for, or 0. */
long ce_engine_finished(struct ce_engine *e);

/* For an event loop: watch fd for reading, and step after timeout_ms (-1: no timer). */
int ce_engine_fd(struct ce_engine *e);
long ce_engine_timeout(const struct ce_engine *e);

/* How many transfers are in flight. */
int ce_engine_running(const struct ce_engine *e);

/* The trust store in use when a client names none. */
const struct ce_trust *ce_engine_trust(struct ce_engine *e);

/* What libcurl is at run time.  Static texts. */
struct ce_library {
    const char *version;    /* "7.88.1" */
    const char *tls;        /* "OpenSSL/3.0.19", "" without TLS */
    int http2;
    int async_dns;          /* names are looked up without holding everybody up */
    int quick_exit;         /* and a slow name server does not hold us past the deadline */
};

void ce_library_get(struct ce_library *out);

/* A clock that only goes forward. */
int64_t ce_clock_ms(void);
double ce_clock_seconds(void);

#endif
