/* engine_parts.h -- the engine, its pools and its transfers, for the files behind engine.h.
 *
 * Those are engine.c, transfer.c, handle.c, pool.c and runtime.c, each of which calls only
 * those that come after it.  All others have engine.h, where these structs have no content. */
#ifndef CE_ENGINE_PARTS_H
#define CE_ENGINE_PARTS_H

#include "engine.h"

#include <curl/curl.h>
#include <sys/types.h>

struct ce_poller;

#if LIBCURL_VERSION_NUM < 0x073d00
#error "celements needs libcurl 7.61 or later (Debian: apt-get install libcurl4-openssl-dev; Alpine: apk add curl-dev; Homebrew: brew install curl)"
#endif

#define HEADERS_MAX   64      /* request header lines of one call */
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
    long id;                           /* its own for good; the next call with the handle has it too */
    uint64_t settings_id;              /* whose options the handle holds; 0: nobody's */
    struct ce_transfer *prev, *next;   /* in engine->live, or next alone in engine->idle */
    struct ce_transfer *fprev, *fnext; /* in engine->finished */
    int queued;                        /* stands in engine->finished */
    int done;
    int http2;                         /* asked for: it may share its connection */
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
    long connects;                     /* connections opened for the call; 0: it had a kept one */
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
    int handshakes;                    /* since it was called last, or something failed */
    int64_t now;
    int running;
    long last_id;
    struct ce_transfer *live;
    struct ce_transfer *idle;
    int nidle;
    struct ce_transfer *finished_first, *finished_last;
    struct sock *sockets;              /* by descriptor */
    int nsockets;
    curl_socket_t shared;              /* the last connection for HTTP/2, or CURL_SOCKET_BAD */
    curl_socket_t held;                /* what is written to it waits, or CURL_SOCKET_BAD */
    int joined;                        /* calls for HTTP/2 since libcurl could last send */
};

#endif
