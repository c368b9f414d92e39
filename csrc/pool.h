/* pool.h -- the multi handles of an engine, each with some of its calls. */
#ifndef CE_POOL_H
#define CE_POOL_H

#include "engine_parts.h"

#include <curl/curl.h>

/* CE_OK: one more pool.  CE_ENOMEM. */
int ce_pool_open(struct ce_engine *e);

/* Closes the last pool, its connections with it. */
void ce_pool_close(struct ce_engine *e);

/* Starts the handle of a transfer in a pool; CURLE_OK or CURLE_OUT_OF_MEMORY. */
CURLcode ce_pool_join(struct ce_engine *e, struct ce_transfer *t, int http2);

/* Takes it out again, finished or not.  In no pool: nothing to do. */
void ce_pool_leave(struct ce_engine *e, struct ce_transfer *t);

/* When libcurl wants to be called; -1: no timer. */
int64_t ce_pools_due(const struct ce_engine *e);

/* Calls it where that time has come. */
void ce_pools_run_timers(struct ce_engine *e);

/* For a forked child: closes the descriptors and leaves libcurl alone. */
void ce_pools_abandon(struct ce_engine *e);

/* For each handle: CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION, with the
 * engine for data. */
curl_socket_t ce_socket_open(void *userp, curlsocktype purpose, struct curl_sockaddr *address);
int ce_socket_close(void *userp, curl_socket_t fd);

#endif
