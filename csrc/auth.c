/* auth.c -- the Authorization header of the platform.
 *
 * Owns nothing: the line goes into the caller's buffer, which wipes itself.
 * Knows neither Lua nor libcurl; whether a secret may stand in a header was
 * checked when the secret was made. */
#include "auth.h"

static int add_part(struct ce_buf *out, const char **lead, const char *scheme, const struct ce_buf *secret)
{
    int rc;

    if (secret == NULL || secret->len == 0)
        return CE_OK;
    rc = ce_buf_adds(out, *lead);
    if (rc == CE_OK)
        rc = ce_buf_adds(out, scheme);
    if (rc == CE_OK)
        rc = ce_buf_add(out, secret->data, secret->len);
    *lead = ", ";
    return rc;
}

int ce_auth_header(struct ce_buf *out, const struct ce_credentials *credentials)
{
    const char *lead = "Authorization: ";
    size_t start = out->len;
    int rc;

    rc = add_part(out, &lead, "User ", credentials->user);
    if (rc == CE_OK)
        rc = add_part(out, &lead, "Organization ", credentials->organization);
    if (rc == CE_OK)
        rc = add_part(out, &lead, "Element ", credentials->element);
    if (rc != CE_OK) {
        ce_wipe(out->data + start, out->len - start);
        out->len = start;
    }
    return rc;
}
