/* url.c -- percent-encoding and paths against rules written down a second time. */
#include "check.h"
#include "url.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

    return c != '\0' && at != NULL ? (int)(at - digits) : -1;
}

/* 1 and the text behind the encoding, or 0. */
static int decode(const char *text, size_t n, char *out, size_t *len)
{
    size_t i;

    *len = 0;
    for (i = 0; i < n; i++) {
        if (text[i] != '%') {
            out[(*len)++] = text[i];
            continue;
        }
        if (i + 2 >= n || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
            return 0;
        out[(*len)++] = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
        i += 2;
    }
    return 1;
}

static size_t any_text(char *out, size_t max, const char *likely)
{
    size_t n = random_below((uint32_t)max);
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = random_below(2) ? (char)random_below(256) : likely[random_below((uint32_t)strlen(likely))];
    return n;
}

static void escaping(void)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    int round;

    for (round = 0; round < 3000; round++) {
        char text[200];
        char back[208];
        size_t len;
        size_t i;
        size_t n = any_text(text, sizeof(text), "aZ09-._~ %+/=&?#.");
        struct ce_buf out;

        ce_buf_init(&out, 4096);
        CHECK(ce_url_escape(&out, text, n) == CE_OK);
        for (i = 0; i < out.len; i++)
            CHECK(out.data[i] == '%' || strchr(kept, out.data[i]) != NULL);
        CHECK(decode(out.data, out.len, back, &len) && len == n && memcmp(back, text, n) == 0);
        ce_buf_clear(&out, CE_BUF_SMALL);
        if (n == 0) {
            CHECK(ce_url_segment(&out, text, n) == CE_EINVAL);
        } else {
            CHECK(ce_buf_adds(&out, "/a/") == CE_OK);
            CHECK(ce_url_segment(&out, text, n) == CE_OK);
            CHECK(ce_buf_adds(&out, "/b") == CE_OK);
            CHECK(ce_url_path_ok(out.data, out.len));
            CHECK(decode(out.data, out.len, back, &len) && len == n + 5 && memcmp(back + 3, text, n) == 0);
        }
        ce_buf_wipe(&out);
    }
}

/* The rule for paths, slowly. */
static int may_stand(const char *path, size_t n)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/";
    size_t start = 0;
    size_t i;

    if (n == 0 || path[0] != '/')
        return 0;
    for (i = 0; i < n; i++) {
        if (path[i] == '%' && i + 2 < n && hex(path[i + 1]) >= 0 && hex(path[i + 2]) >= 0)
            continue;
        if (path[i] == '\0' || strchr(legal, path[i]) == NULL)
            return 0;
    }
    for (i = 1; i <= n; i++) {
        if (i < n && path[i] != '/')
            continue;
        if (i - start == 2 && path[start + 1] == '.')
            return 0;
        if (i - start == 3 && path[start + 1] == '.' && path[start + 2] == '.')
            return 0;
        start = i;
    }
    return 1;
}

static void paths(void)
{
    long yes = 0;
    int round;

    for (round = 0; round < 200000; round++) {
        char path[24];
        size_t n = 1 + random_below(sizeof(path) - 1);
        size_t i;

        for (i = 0; i < n; i++)
            path[i] = random_below(60) == 0 ? (char)random_below(256) : "/./..ab%41~:@?"[random_below(random_below(8) ? 13 : 14)];
        path[0] = random_below(10) ? '/' : path[0];
        CHECK(ce_url_path_ok(path, n) == may_stand(path, n));
        yes += may_stand(path, n);
    }
    CHECK(yes > 1000);
    CHECK(!ce_url_path_ok("", 0) && ce_url_path_ok("/", 1) && !ce_url_path_ok("/\0", 2));
}

static void controls(void)
{
    int c;

    for (c = 0; c < 256; c++) {
        char text[3] = { 'a', (char)c, 'b' };

        CHECK(ce_text_control(text, 3) == (c < 32 || c == 127 ? 1u : 3u));
    }
    CHECK(ce_text_control("", 0) == 0);
}

static void failing(void)
{
    char text[600];
    long n;

    memset(text, '/', sizeof(text));
    for (n = 1; n < 100; n++) {
        struct ce_buf out;
        int rc;

        ce_buf_init(&out, 4096);
        alloc_fail_at(n);
        rc = ce_url_segment(&out, text, sizeof(text));
        CHECK(rc == (alloc_failed() ? CE_ENOMEM : CE_OK));
        CHECK(out.len == (rc == CE_OK ? 3 * sizeof(text) : 0));
        ce_buf_wipe(&out);
        if (rc == CE_OK)
            break;
    }
    alloc_fail_at(0);
    CHECK(n == 2);   /* it knows how much it needs, and asks once */
}

static void too_long(void)
{
    struct ce_buf out;

    ce_buf_init(&out, 5);
    CHECK(ce_buf_adds(&out, "ab") == CE_OK);
    CHECK(ce_url_escape(&out, "//", 2) == CE_ETOOBIG && out.len == 2);
    CHECK(ce_url_escape(&out, "/", 1) == CE_OK && strcmp(out.data, "ab%2F") == 0);
    ce_buf_wipe(&out);
}

int main(void)
{
    escaping();
    paths();
    controls();
    failing();
    too_long();
    return check_done();
}
