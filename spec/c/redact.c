/* redact.c -- secrets in random texts and codings; none may come out. */
#include "check.h"
#include "redact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int contains(const struct ce_buf *b, const char *text, size_t n)
{
    size_t i;

    for (i = 0; i + n <= b->len; i++)
        if (memcmp(b->data + i, text, n) == 0)
            return 1;
    return 0;
}

static size_t any_text(char *out, size_t max, const char *alphabet)
{
    size_t n = random_below((uint32_t)max);
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = alphabet[random_below((uint32_t)strlen(alphabet))];
    return n;
}

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char PROSE[] = "abc def ghi: jkl, \"mno\" <p> {\"q\":1} 42\n";

/* One byte of a secret, coded in way 0 to 5; way 6 picks one for each. */
static size_t code_byte(char *out, char c, unsigned int way)
{
    switch (way) {
    case 1: return (size_t)sprintf(out, "%%%02X", (unsigned int)(unsigned char)c);
    case 2: return (size_t)sprintf(out, "%%%02x", (unsigned int)(unsigned char)c);
    case 3: return (size_t)sprintf(out, "\\u%04x", (unsigned int)(unsigned char)c);
    case 4:
        if (c == '"' || c == '\\' || c == '/')
            return (size_t)sprintf(out, "\\%c", c);
        break;
    case 5: return (size_t)sprintf(out, "%%25%02X", (unsigned int)(unsigned char)c);
    default: break;
    }
    out[0] = c;
    return 1;
}

static void codings(void)
{
    int round;

    for (round = 0; round < 20000; round++) {
        unsigned int way = random_below(7);
        /* A mixture of codings is only clear where the secret holds no escape itself. */
        const char *alphabet = way == 6 ? LETTERS : (random_below(2) ? BASE64 : "ab\"\\/ <>'=#~!$(*@");
        char secret[64];
        char text[1200];
        char coded[400];
        size_t coded_len = 0;
        size_t n = any_text(text, 100, PROSE);
        size_t i;
        struct ce_needle needle;
        struct ce_buf out;

        needle.len = 6 + random_below(40);
        for (i = 0; i < needle.len; i++) {
            secret[i] = alphabet[random_below((uint32_t)strlen(alphabet))];
            coded_len += code_byte(coded + coded_len, secret[i], way == 6 ? random_below(6) : way);
        }
        needle.data = secret;
        memcpy(text + n, coded, coded_len);
        n += coded_len;
        n += any_text(text + n, 100, PROSE);
        ce_buf_init(&out, CE_TEXT_MAX);
        CHECK(ce_redact_values(&out, text, n, &needle, 1) == CE_OK);
        CHECK(!contains(&out, coded, coded_len));
        CHECK(contains(&out, CE_REDACTED, strlen(CE_REDACTED)));
        ce_buf_wipe(&out);
    }
}

static size_t base64(char *out, const char *text, size_t n)
{
    size_t made = 0;
    size_t i;

    for (i = 0; i < n; i += 3) {
        unsigned long v = (unsigned long)(unsigned char)text[i] << 16;

        if (i + 1 < n)
            v |= (unsigned long)(unsigned char)text[i + 1] << 8;
        if (i + 2 < n)
            v |= (unsigned char)text[i + 2];
        out[made++] = BASE64[v >> 18 & 63];
        out[made++] = BASE64[v >> 12 & 63];
        out[made++] = i + 1 < n ? BASE64[v >> 6 & 63] : '=';
        out[made++] = i + 2 < n ? BASE64[v & 63] : '=';
    }
    return made;
}

/* A secret somewhere in what was encoded as a whole. */
static void inside_base64(void)
{
    int round;

    for (round = 0; round < 10000; round++) {
        char plain[256];
        char coded[400];
        size_t before = any_text(plain, 60, PROSE);
        size_t first;
        size_t last;
        size_t n;
        size_t i;
        struct ce_needle needle;
        struct ce_buf out;

        needle.data = plain + before;
        needle.len = 6 + random_below(40);
        for (i = 0; i < needle.len; i++)
            plain[before + i] = (char)(random_below(2) ? BASE64[random_below(64)] : (char)(1 + random_below(255)));
        n = before + needle.len;
        n += any_text(plain + n, 60, PROSE);
        n = base64(coded, plain, n);
        if (random_below(2))   /* the alphabet for URLs */
            for (i = 0; i < n; i++)
                coded[i] = coded[i] == '+' ? '-' : (coded[i] == '/' ? '_' : coded[i]);
        first = (before * 8 + 5) / 6;
        last = (before + needle.len) * 8 / 6;
        ce_buf_init(&out, CE_TEXT_MAX);
        CHECK(ce_redact_values(&out, coded, n, &needle, 1) == CE_OK);
        CHECK(!contains(&out, coded + first, last - first));
        ce_buf_wipe(&out);
    }
}

/* More values than one pass takes. */
static void many(void)
{
    enum { COUNT = 100 };
    static char secrets[COUNT][16];
    struct ce_needle needles[COUNT];
    char text[COUNT * 20];
    size_t n = 0;
    int i;
    struct ce_buf out;

    for (i = 0; i < COUNT; i++) {
        needles[i].data = secrets[i];
        needles[i].len = (size_t)sprintf(secrets[i], "s%03dXyZ%d", i, i * 7);
        n += (size_t)sprintf(text + n, "%s,", secrets[i]);
    }
    ce_buf_init(&out, CE_TEXT_MAX);
    CHECK(ce_redact_values(&out, text, n, needles, COUNT) == CE_OK);
    for (i = 0; i < COUNT; i++)
        CHECK(!contains(&out, secrets[i], needles[i].len));
    ce_buf_wipe(&out);
}

/* What is no secret stays as it is. */
static void untouched(void)
{
    static const char *const texts[] = { "the server answered 500", "{\"message\":\"No element found with key hubspo\"}",
                                         "error: invalid_grant", "a code: 404, another code=12", "token: none",
                                         "Could not resolve host: x.example" };
    struct ce_needle needle = { "c0rrectHorse", 12 };
    struct ce_needle tiny = { "err", 3 };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct ce_buf by_value;
        struct ce_buf out;

        ce_buf_init(&by_value, CE_TEXT_MAX);
        ce_buf_init(&out, CE_TEXT_MAX);
        CHECK(ce_redact_values(&by_value, texts[i], strlen(texts[i]), &needle, 1) == CE_OK);
        CHECK(ce_redact_names(&out, by_value.data, by_value.len) == CE_OK);
        CHECK(strcmp(out.data, texts[i]) == 0);
        ce_buf_clear(&by_value, CE_BUF_SMALL);
        CHECK(ce_redact_values(&by_value, texts[i], strlen(texts[i]), &tiny, 1) == CE_OK);
        CHECK(strcmp(by_value.data, texts[i]) == 0);
        ce_buf_wipe(&by_value);
        ce_buf_wipe(&out);
    }
}

/* Any bytes, to be read up to their end and not beyond (each lies in a block of its
 * own size, for the address sanitizer). */
static void garbage(void)
{
    static const char likely[] = "%%\\\\\\\"\"''&&;=:+ 0aAfuU<>{}[]\n\rsecrettokenAuthorizationUserpasswordcode#x";
    int round;

    for (round = 0; round < 20000; round++) {
        size_t n = random_below(60);
        size_t len = 4 + random_below(8);
        char *text = malloc(n + 1);
        char *secret = malloc(len);
        struct ce_needle needle;
        struct ce_buf out;
        size_t i;

        if (text == NULL || secret == NULL)
            abort();
        for (i = 0; i < n; i++)
            text[i] = random_below(6) ? likely[random_below(sizeof(likely) - 1)] : (char)random_below(256);
        for (i = 0; i < len; i++)
            secret[i] = random_below(3) ? likely[random_below(sizeof(likely) - 1)] : (char)random_below(256);
        needle.data = secret;
        needle.len = len;
        ce_buf_init(&out, CE_TEXT_MAX);
        CHECK(ce_redact_values(&out, text, n, &needle, 1) == CE_OK);
        ce_buf_clear(&out, CE_BUF_SMALL);
        CHECK(ce_redact_names(&out, text, n) == CE_OK);
        (void)ce_name_is_secret(text, n);
        ce_buf_wipe(&out);
        free(text);
        free(secret);
    }
}

static void failing(void)
{
    static const char text[] = "a CANARY-SECRET and {\"password\":\"CANARY-OTHER1\"} ";
    struct ce_needle needle = { "CANARY-SECRET", 13 };
    long n;

    for (n = 1; n < 100; n++) {
        struct ce_buf by_value;
        struct ce_buf out;
        int rc;

        ce_buf_init(&by_value, CE_TEXT_MAX);
        ce_buf_init(&out, CE_TEXT_MAX);
        alloc_fail_at(n);
        rc = ce_redact_values(&by_value, text, sizeof(text) - 1, &needle, 1);
        if (rc == CE_OK)
            rc = ce_redact_names(&out, by_value.data, by_value.len);
        CHECK(rc == (alloc_failed() ? CE_ENOMEM : CE_OK));
        ce_buf_wipe(&by_value);
        ce_buf_wipe(&out);
        CHECK(alloc_live() == 0);
        if (rc == CE_OK)
            break;
    }
    alloc_fail_at(0);
    CHECK(n > 3 && n < 100);
}

int main(void)
{
    codings();
    inside_base64();
    many();
    untouched();
    garbage();
    alloc_forbid("CANARY");
    failing();
    return check_done();
}
