/* url.c -- bytes that may stand in a URL or a header, and how the others get there.
 *
 * Owns nothing; appends to the caller's buffer.  Does not depend on the locale.
 * Knows nothing of what the values mean. */
#include "url.h"

#include <stdint.h>
#include <string.h>

/* RFC 3986, 2.3: letters, digits and "-._~".  A bit for each byte, as this is asked twice for
 * every byte of a query. */
static int is_unreserved(unsigned char c)
{
    static const uint32_t unreserved[8] = { 0, 0x03FF6000, 0x87FFFFFE, 0x47FFFFFE };

    return (int)(unreserved[c >> 5] >> (c & 31) & 1);
}

static int is_path(unsigned char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("!$&'()*+,;=:@/", c) != NULL);
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int ce_url_escape(struct ce_buf *out, const char *text, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t room = out->max - out->len;
    size_t coded = 0;
    size_t i;
    char *to;

    for (i = 0; i < n; i++)
        coded += (size_t)!is_unreserved((unsigned char)text[i]);
    if (n > room || coded > (room - n) / 2)
        return CE_ETOOBIG;
    to = ce_buf_reserve(out, n + 2 * coded);
    if (to == NULL)
        return CE_ENOMEM;
    out->len += n + 2 * coded;
    if (coded == 0) {
        memcpy(to, text, n);
        to[n] = '\0';
        return CE_OK;
    }
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (is_unreserved(c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    *to = '\0';
    return CE_OK;
}

int ce_url_segment(struct ce_buf *out, const char *text, size_t n)
{
    if (n == 0)
        return CE_EINVAL;
    if (n == 1 && text[0] == '.')
        return ce_buf_adds(out, "%2E");
    if (n == 2 && text[0] == '.' && text[1] == '.')
        return ce_buf_adds(out, "%2E%2E");
    return ce_url_escape(out, text, n);
}

static int is_dots(const char *segment, size_t n)
{
    return (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.');
}

int ce_url_path_ok(const char *path, size_t n)
{
    size_t segment = 1;
    size_t i;

    if (n == 0 || path[0] != '/')
        return 0;
    for (i = 1; i < n; i++) {
        if (path[i] == '%') {
            if (i + 2 >= n || !is_hex(path[i + 1]) || !is_hex(path[i + 2]))
                return 0;
            i += 2;
            continue;
        }
        if (!is_path((unsigned char)path[i]))
            return 0;
        if (path[i] == '/') {
            if (is_dots(path + segment, i - segment))
                return 0;
            segment = i + 1;
        }
    }
    return !is_dots(path + segment, n - segment);
}

size_t ce_text_control(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            return i;
    }
    return n;
}
