/* url.c -- bytes that may stand in a URL or a header, and how the others get there.
 *
 * Owns nothing; appends to the caller's buffer.  Does not depend on the locale.
 * Knows nothing of what the values mean. */
#include "url.h"

#include <string.h>

/* What a byte may be in a URL. */
enum { UNRESERVED = 1, PATH = 2 };

static int class_of(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return UNRESERVED | PATH;
    if (c == '-' || c == '.' || c == '_' || c == '~')
        return UNRESERVED | PATH;
    if (c != '\0' && strchr("!$&'()*+,;=:@/", c) != NULL)
        return PATH;
    return 0;
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int ce_url_escape(struct ce_buf *out, const char *text, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t start = out->len;
    size_t i;

    for (i = 0; i < n;) {
        size_t run = i;
        int rc;

        while (run < n && (class_of((unsigned char)text[run]) & UNRESERVED) != 0)
            run++;
        rc = ce_buf_add(out, text + i, run - i);
        i = run;
        if (rc == CE_OK && i < n) {
            unsigned char c = (unsigned char)text[i];
            char coded[3];

            coded[0] = '%';
            coded[1] = digits[c >> 4];
            coded[2] = digits[c & 15];
            rc = ce_buf_add(out, coded, 3);
            i++;
        }
        if (rc != CE_OK) {
            out->len = start;
            return rc;
        }
    }
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
        if ((class_of((unsigned char)path[i]) & PATH) == 0)
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
