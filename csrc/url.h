/* url.h -- bytes that may stand in a URL or a header, and how the others get there. */
#ifndef CE_URL_H
#define CE_URL_H

#include "buf.h"

/* Appends text percent-encoded: RFC 3986 unreserved characters stay, all else
 * becomes %XX, a space %20 and never '+'. */
int ce_url_escape(struct ce_buf *out, const char *text, size_t n);

/* Appends one path segment.  "." and ".." are encoded too, since libcurl and
 * servers fold them away (pitfall 31).  CE_EINVAL for an empty segment. */
int ce_url_segment(struct ce_buf *out, const char *text, size_t n);

/* Is this a path we may put behind a base URL: starts with '/', holds nothing but
 * characters legal in a path, well-formed %XX, no "." or ".." segment? */
int ce_url_path_ok(const char *path, size_t n);

/* The position of the first control character (CR, LF, NUL, DEL, ...), or n.  Such a
 * byte in a header would start a second one (pitfall 31). */
size_t ce_text_control(const char *text, size_t n);

#endif
