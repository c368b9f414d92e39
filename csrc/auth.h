/* auth.h -- the Authorization header of the platform. */
#ifndef CE_AUTH_H
#define CE_AUTH_H

#include "buf.h"

/* The three secrets a call can carry; one with len 0 is not sent.  Borrowed for
 * the length of the call. */
struct ce_credentials {
    const struct ce_buf *user;
    const struct ce_buf *organization;
    const struct ce_buf *element;
};

/* Appends "Authorization: User u, Organization o, Element e" with the parts that
 * are there, and nothing when none is.  The values go raw: they are base64 text
 * that the platform compares byte for byte (platform 2; pitfall 51).  On failure
 * out is as it was. */
int ce_auth_header(struct ce_buf *out, const struct ce_credentials *credentials);

#endif
