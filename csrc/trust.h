/* trust.h -- which certificate authorities to trust, and where they lie. */
#ifndef CE_TRUST_H
#define CE_TRUST_H

#include "ce.h"

enum ce_trust_kind {
    CE_TRUST_LIBCURL,     /* nothing found: whatever libcurl was built with */
    CE_TRUST_DIRECTORY,   /* a directory hashed by subject: one file is read for each handshake */
    CE_TRUST_FILE         /* a bundle: read whole at the first handshake, then kept */
};

struct ce_trust {
    enum ce_trust_kind kind;
    char path[512];       /* "" for CE_TRUST_LIBCURL */
    const char *why;      /* a sentence for people; static text */
};

/* Finds the system's trust store.  bundle and directory are what libcurl was built
 * with, NULL for none; file and dir are SSL_CERT_FILE and SSL_CERT_DIR, NULL when
 * unset, and win.  The directory is taken only when it holds exactly the
 * certificates of the bundle, so that the two accept the same servers. */
void ce_trust_find(struct ce_trust *trust, const char *file, const char *dir, const char *bundle, const char *directory);

#endif
