/* redact.h -- taking secrets out of a text before anybody sees it. */
#ifndef CE_REDACT_H
#define CE_REDACT_H

#include "buf.h"

/* What stands where a secret stood. */
#define CE_REDACTED "[redacted]"

/* A secret to look for; shorter than CE_NEEDLE_MIN it is not looked for, since it
 * would be found in the middle of words. */
#define CE_NEEDLE_MIN 4u

struct ce_needle {
    const char *data;   /* borrowed */
    size_t len;
};

/* Appends text to out without the values: each is found raw, percent-encoded (once
 * or twice, '+' for a space included), JSON-escaped, HTML-escaped, in any mixture of
 * these, and inside base64 at any of its three alignments. */
int ce_redact_values(struct ce_buf *out, const char *text, size_t n, const struct ce_needle *needles, size_t count);

/* Appends text to out without the values of names that sound secret:
 * "access_token":"...", apiSecret=..., Authorization: ..., User <secret>. */
int ce_redact_names(struct ce_buf *out, const char *text, size_t n);

/* Does a value under this name (a JSON key, a query name, a header) have to be
 * hidden?  Compared without case. */
int ce_name_is_secret(const char *name, size_t n);

#endif
