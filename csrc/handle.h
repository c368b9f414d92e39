/* handle.h -- one call as libcurl's easy handle has it. */
#ifndef CE_HANDLE_H
#define CE_HANDLE_H

#include "engine_parts.h"

#include <curl/curl.h>

/* What is the same for all calls: limits, checks, and where the answer goes. */
CURLcode ce_handle_set_common(struct ce_transfer *t);

/* What is the same for all calls of a client. */
CURLcode ce_handle_set_settings(struct ce_transfer *t, const struct ce_settings *s);

/* What differs from call to call.  The transfer's URL, header lines and request body are
 * there already. */
CURLcode ce_handle_set_call(struct ce_transfer *t, const struct ce_call *call);

/* Appends the URL of a call; CE_OK, CE_ENOMEM or CE_ETOOBIG. */
int ce_handle_join_url(struct ce_buf *url, const struct ce_settings *s, const struct ce_call *call);

/* Puts the request's header lines together, for ce_handle_set_call() to use; likewise. */
int ce_handle_set_headers(struct ce_transfer *t, const struct ce_settings *s, const struct ce_call *call);

#endif
