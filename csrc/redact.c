/* redact.c -- taking secrets out of a text before anybody sees it (pitfall 5).
 *
 * By value for what the client and the call know, by name for what only the
 * platform or the provider knows.  Owns nothing; the text with its secrets stays
 * the caller's to wipe.  Knows nothing of Lua. */
#include "redact.h"

#include <string.h>

/* ---- by value ------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int hex_byte_at(const char *text, size_t n)
{
    int high;
    int low;

    if (n < 2)
        return -1;
    high = hex_value(text[0]);
    low = hex_value(text[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static int starts(const char *text, size_t n, const char *with)
{
    size_t len = strlen(with);

    return n >= len && memcmp(text, with, len) == 0;
}

/* A JSON escape at text, which starts with a backslash: the byte it stands for into
 * *byte and its length as the result, or 0. */
static size_t json_escape(const char *text, size_t n, unsigned char *byte)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    const char *found;
    int code;

    if (n < 2 || text[1] == '\0')
        return 0;
    found = strchr(names, text[1]);
    if (found != NULL) {
        *byte = (unsigned char)bytes[found - names];
        return 2;
    }
    if (n < 6 || text[1] != 'u' || text[2] != '0' || text[3] != '0')
        return 0;
    code = hex_byte_at(text + 4, n - 4);
    if (code < 0)
        return 0;
    *byte = (unsigned char)code;
    return 6;
}

static size_t html_escape(const char *text, size_t n, unsigned char *byte)
{
    static const struct {
        const char *name;
        unsigned char byte;
    } known[] = { { "&amp;", '&' },  { "&lt;", '<' },   { "&gt;", '>' },   { "&quot;", '"' },
                  { "&#39;", '\'' }, { "&#34;", '"' },  { "&#43;", '+' },  { "&#47;", '/' },
                  { "&#61;", '=' },  { "&#x2B;", '+' }, { "&#x2F;", '/' }, { "&#x3D;", '=' } };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (starts(text, n, known[i].name)) {
            *byte = known[i].byte;
            return strlen(known[i].name);
        }
    }
    return 0;
}

/* How many bytes at text are an escape that stands for byte; 0: none is there. */
static size_t match_escape(const char *text, size_t n, unsigned char byte)
{
    unsigned char meant = 0;
    size_t length = 0;
    int coded;

    switch (text[0]) {
    case '%':
        coded = hex_byte_at(text + 1, n - 1);
        if (coded == '%' && n > 3 && hex_byte_at(text + 3, n - 3) == byte)
            return 5;   /* encoded twice: %253D */
        return coded == byte ? 3 : 0;
    case '+':
        return byte == ' ' ? 1 : 0;
    case '\\':
        length = json_escape(text, n, &meant);
        break;
    case '&':
        length = html_escape(text, n, &meant);
        break;
    default:
        return 0;
    }
    return length != 0 && meant == byte ? length : 0;
}

/* How many bytes at text stand for byte, in whatever way; 0: they do not.  A secret
 * with a backslash in it reads "\\\\" raw and escaped alike, so the order matters. */
static size_t match_byte(const char *text, size_t n, unsigned char byte, int escapes_first)
{
    size_t length;

    if (n == 0)
        return 0;
    if (escapes_first) {
        length = match_escape(text, n, byte);
        if (length != 0)
            return length;
    }
    if ((unsigned char)text[0] == byte)
        return 1;
    return match_escape(text, n, byte);
}

static unsigned int hex_unit(const char *text)
{
    return (unsigned int)(hex_byte_at(text, 2) * 256 + hex_byte_at(text + 2, 2));
}

/* Is there \uXXXX at text? */
static int is_unit(const char *text, size_t n)
{
    return n >= 6 && text[0] == '\\' && text[1] == 'u' && hex_byte_at(text + 2, 2) >= 0 && hex_byte_at(text + 4, 2) >= 0;
}

/* A character beyond ASCII as JSON escapes it, one unit or a pair, into UTF-8: how many
 * bytes, and in *used how much of the text it takes; 0: there is none. */
static size_t unicode_escape(const char *text, size_t n, unsigned char bytes[4], size_t *used)
{
    unsigned int code;

    if (!is_unit(text, n))
        return 0;
    code = hex_unit(text + 2);
    *used = 6;
    if (code >= 0xD800 && code < 0xDC00 && is_unit(text + 6, n - 6)) {
        code = 0x10000 + ((code - 0xD800) << 10) + ((hex_unit(text + 8) - 0xDC00) & 0x3FF);
        *used = 12;
    }
    if (code < 0x80)
        return 0;
    if (code < 0x800) {
        bytes[0] = (unsigned char)(0xC0 | code >> 6);
        bytes[1] = (unsigned char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        bytes[0] = (unsigned char)(0xE0 | code >> 12);
        bytes[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
        bytes[2] = (unsigned char)(0x80 | (code & 0x3F));
        return 3;
    }
    bytes[0] = (unsigned char)(0xF0 | code >> 18);
    bytes[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
    bytes[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
    bytes[3] = (unsigned char)(0x80 | (code & 0x3F));
    return 4;
}

static size_t match_in_order(const char *text, size_t n, const struct ce_needle *needle, int base64, int escapes_first)
{
    size_t at = 0;
    size_t i;

    for (i = 0; i < needle->len; i++) {
        unsigned char byte = (unsigned char)needle->data[i];
        unsigned char bytes[4];
        size_t used = 0;
        size_t wide = byte < 0x80 ? 0 : unicode_escape(text + at, n - at, bytes, &used);
        size_t length;

        if (wide != 0 && wide <= needle->len - i && memcmp(needle->data + i, bytes, wide) == 0) {
            at += used;
            i += wide - 1;
            continue;
        }
        length = match_byte(text + at, n - at, byte, escapes_first);

        if (length == 0 && base64 && (byte == '+' || byte == '/'))
            length = match_byte(text + at, n - at, byte == '+' ? '-' : '_', escapes_first);   /* the URL alphabet */
        if (length == 0)
            return 0;
        at += length;
    }
    return at;
}

/* The length of the text that stands for all of the needle, or 0. */
static size_t match(const char *text, size_t n, const struct ce_needle *needle, int base64)
{
    size_t raw;
    size_t escaped;

    /* Nearly every place is ruled out by its first byte. */
    if (text[0] != needle->data[0] && strchr("%+\\&", text[0]) == NULL && !(base64 && (text[0] == '-' || text[0] == '_')))
        return 0;
    raw = match_in_order(text, n, needle, base64, 0);
    escaped = match_in_order(text, n, needle, base64, 1);
    return escaped > raw ? escaped : raw;
}

/* The characters of base64(before + secret + after) that the secret alone decides,
 * when `before` has `offset` (0..2) bytes in the last group. */
static int base64_core(struct ce_buf *out, const struct ce_needle *secret, size_t offset)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t first = (offset * 8 + 5) / 6;
    size_t last = (offset + secret->len) * 8 / 6;
    size_t i;
    int rc = CE_OK;

    for (i = first; rc == CE_OK && i < last; i++) {
        size_t bit = i * 6 - offset * 8;
        unsigned int two = (unsigned int)(unsigned char)secret->data[bit / 8] << 8;
        char c;

        if (bit / 8 + 1 < secret->len)
            two |= (unsigned char)secret->data[bit / 8 + 1];
        c = alphabet[(two >> (10 - bit % 8)) & 63];
        rc = ce_buf_add(out, &c, 1);
    }
    return rc;
}

/* The longest match at text of any needle, raw or inside base64; 0: none. */
static size_t match_any(const char *text, size_t n, const struct ce_needle *needles, const struct ce_needle *coded, size_t count)
{
    size_t longest = 0;
    size_t i;
    size_t k;

    for (i = 0; i < count; i++) {
        size_t length = match(text, n, &needles[i], 0);

        if (length > longest)
            longest = length;
        for (k = 0; k < 3; k++) {
            const struct ce_needle *core = &coded[i * 3 + k];

            if (core->len < CE_NEEDLE_MIN)
                continue;
            length = match(text, n, core, 1);
            if (length > longest)
                longest = length;
        }
    }
    return longest;
}

/* At most this many values at a time; more are done in several passes. */
#define PASS 32

static int redact_pass(struct ce_buf *out, const char *text, size_t n, const struct ce_needle *needles, size_t count)
{
    struct ce_needle coded[PASS * 3];
    struct ce_buf cores;
    size_t starts_at[PASS * 3 + 1];
    size_t i;
    size_t at;
    size_t kept = 0;
    int rc = CE_OK;

    ce_buf_init(&cores, CE_BODY_MAX);
    for (i = 0; rc == CE_OK && i < count * 3; i++) {
        starts_at[i] = cores.len;
        rc = base64_core(&cores, &needles[i / 3], i % 3);
    }
    if (rc != CE_OK)
        goto done;
    starts_at[count * 3] = cores.len;
    for (i = 0; i < count * 3; i++) {
        coded[i].data = cores.data != NULL ? cores.data + starts_at[i] : "";
        coded[i].len = starts_at[i + 1] - starts_at[i];
    }
    for (at = 0; rc == CE_OK && at < n;) {
        size_t length = match_any(text + at, n - at, needles, coded, count);

        if (length == 0) {
            at++;
            continue;
        }
        rc = ce_buf_add(out, text + kept, at - kept);
        if (rc == CE_OK)
            rc = ce_buf_adds(out, CE_REDACTED);
        at += length;
        kept = at;
    }
    if (rc == CE_OK)
        rc = ce_buf_add(out, text + kept, n - kept);
done:
    ce_buf_wipe(&cores);
    return rc;
}

int ce_redact_values(struct ce_buf *out, const char *text, size_t n, const struct ce_needle *needles, size_t count)
{
    struct ce_needle usable[PASS];
    struct ce_buf between;
    size_t taken = 0;
    size_t i;
    int rc = CE_OK;

    /* Passes go through `between`; the last one goes to out. */
    ce_buf_init(&between, CE_TEXT_MAX * 2);
    rc = ce_buf_add(&between, text, n);
    for (i = 0; rc == CE_OK && i < count; i++) {
        if (needles[i].len >= CE_NEEDLE_MIN)
            usable[taken++] = needles[i];
        if (taken == PASS || (i + 1 == count && taken != 0)) {
            struct ce_buf next;

            ce_buf_init(&next, CE_TEXT_MAX * 2);
            rc = redact_pass(&next, between.data, between.len, usable, taken);
            ce_buf_wipe(&between);
            between = next;
            taken = 0;
        }
    }
    if (rc == CE_OK)
        rc = ce_buf_add(out, between.data, between.len);
    ce_buf_wipe(&between);
    return rc;
}

/* ---- by name ---------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int is_alnum(char c)
{
    c = lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int is_name_char(char c)
{
    return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

/* Does name, without case and without punctuation, contain word (only letters)? */
static int contains(const char *name, size_t n, const char *word)
{
    size_t i;

    for (i = 0; i < n; i++) {
        size_t at = i;
        const char *w = word;

        while (*w != '\0' && at < n) {
            if (!is_alnum(name[at])) {
                at++;
                continue;
            }
            if (lower(name[at]) != *w)
                break;
            at++;
            w++;
        }
        if (*w == '\0')
            return 1;
    }
    return 0;
}

/* Does name end with word as a whole word: "code", "authorization_code", "oauth.code"? */
static int ends_with_word(const char *name, size_t n, const char *word)
{
    size_t len = strlen(word);
    size_t i;

    if (n < len || (n > len && is_alnum(name[n - len - 1])))
        return 0;
    for (i = 0; i < len; i++)
        if (lower(name[n - len + i]) != word[i])
            return 0;
    return 1;
}

/* Longer runs are rules and dashes; their end is looked at, and the time is bounded. */
#define NAME_MAX_LEN 128u

int ce_name_is_secret(const char *name, size_t n)
{
    static const char *const words[] = { "secret",     "token",     "passw",   "passphrase",  "authorization", "apikey",
                                         "privatekey", "accesskey", "secretkey", "credential", "signature",     "verifier",
                                         "cookie",     "sessionid", "pwd",      "clientkey",  "consumerkey" };
    size_t i;

    if (n > NAME_MAX_LEN) {
        name += n - NAME_MAX_LEN;
        n = NAME_MAX_LEN;
    }
    /* It says where a list goes on, not who may read it. */
    if (contains(name, n, "nextpagetoken"))
        return 0;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (contains(name, n, words[i]))
            return 1;
    return ends_with_word(name, n, "code") || ends_with_word(name, n, "denied");
}

static size_t skip_spaces(const char *text, size_t n, size_t at)
{
    while (at < n && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return at;
}

/* A quote at text[at]: its length, an escaped one counting its backslashes, or 0. */
static size_t quote_at(const char *text, size_t n, size_t at)
{
    size_t i = at;

    while (i < n && text[i] == '\\')
        i++;
    if (i < n && (text[i] == '"' || (text[i] == '\'' && i == at)))
        return i - at + 1;
    return 0;
}

/* Where a value in quotes ends: at the same quote again, or at n. */
static size_t quoted_end(const char *text, size_t n, size_t from, const char *quote, size_t length)
{
    size_t i;

    for (i = from; i < n; i++) {
        if (length == 1 && text[i] == '\\') {
            i++;   /* the escaped character is part of the value */
            continue;
        }
        if (i + length <= n && memcmp(text + i, quote, length) == 0)
            return i;
    }
    return n;
}

static size_t bare_end(const char *text, size_t n, size_t from)
{
    size_t i = from;

    while (i < n && (unsigned char)text[i] > ' ' && strchr("&,;\"'<>)}]\\", text[i]) == NULL)
        i++;
    return i;
}

/* Prose has words behind a colon; a secret has digits or is long. */
static int looks_random(const char *value, size_t n)
{
    size_t i;

    if (n >= 20)
        return 1;
    if (n < 6)
        return 0;
    for (i = 0; i < n; i++)
        if (value[i] >= '0' && value[i] <= '9')
            return 1;
    return 0;
}

/* "code" also names what went wrong: 404, invalid_grant. */
static int is_harmless_code(const char *name, size_t name_len, const char *value, size_t n)
{
    size_t digits = 0;
    size_t letters = 0;
    size_t i;

    if (!ends_with_word(name, name_len, "code"))
        return 0;
    for (i = 0; i < n; i++) {
        if (value[i] >= '0' && value[i] <= '9')
            digits++;
        else if (is_alnum(value[i]) || value[i] == '_' || value[i] == ' ')
            letters++;
        else
            return 0;
    }
    return (digits == n && n <= 4) || (letters == n && n <= 40 && memchr(value, '_', n) != NULL);
}

static int is_plain_literal(const char *value, size_t n)
{
    return (n == 4 && memcmp(value, "null", 4) == 0) || (n == 4 && memcmp(value, "true", 4) == 0) ||
           (n == 5 && memcmp(value, "false", 5) == 0);
}

struct span {
    size_t from;
    size_t to;
};

/* The value that belongs to the secret name text[name, name_end): where it stands, or
 * an empty span when none does. */
static struct span value_of(const char *text, size_t n, size_t name, size_t name_end)
{
    struct span none = { 0, 0 };
    struct span value;
    size_t at = name_end;
    size_t quote = quote_at(text, n, at);
    int separator;

    at = skip_spaces(text, n, at + quote);
    if (at >= n || (text[at] != '=' && text[at] != ':'))
        return none;
    separator = text[at];
    at = skip_spaces(text, n, at + 1);
    quote = quote_at(text, n, at);
    value.from = at + quote;
    if (quote != 0) {
        value.to = quoted_end(text, n, value.from, text + at, quote);
    } else if (contains(text + name, name_end - name, "authorization") || contains(text + name, name_end - name, "cookie")) {
        for (value.to = at; value.to < n && text[value.to] != '\r' && text[value.to] != '\n'; value.to++)
            ;
    } else {
        value.to = bare_end(text, n, value.from);
        if (separator == ':' && !looks_random(text + value.from, value.to - value.from))
            return none;
    }
    if (is_plain_literal(text + value.from, value.to - value.from))
        return none;
    if (is_harmless_code(text + name, name_end - name, text + value.from, value.to - value.from))
        return none;
    return value;
}

static int is_base64_char(char c)
{
    return is_alnum(c) || c == '+' || c == '/' || c == '=' || c == '-' || c == '_';
}

/* "User <secret>", "Element <token>", "Bearer <token>": the secret behind the scheme
 * name text[name, name_end). */
static struct span scheme_value(const char *text, size_t n, size_t name, size_t name_end)
{
    static const char *const schemes[] = { "User", "Organization", "Element", "Bearer", "Basic" };
    struct span none = { 0, 0 };
    struct span value;
    size_t i;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strlen(schemes[i]) == name_end - name && memcmp(text + name, schemes[i], name_end - name) == 0)
            break;
    if (i == sizeof(schemes) / sizeof(schemes[0]) || name_end >= n || text[name_end] != ' ')
        return none;
    value.from = name_end + 1;
    for (value.to = value.from; value.to < n && is_base64_char(text[value.to]); value.to++)
        ;
    return value.to - value.from >= 16 ? value : none;
}

int ce_redact_names(struct ce_buf *out, const char *text, size_t n)
{
    size_t at = 0;
    size_t kept = 0;
    int rc = CE_OK;

    while (rc == CE_OK && at < n) {
        struct span value = { 0, 0 };
        size_t name = at;

        while (at < n && is_name_char(text[at]))
            at++;
        if (at == name) {
            at++;
            continue;
        }
        if (at - name > NAME_MAX_LEN)
            name = at - NAME_MAX_LEN;
        if (ce_name_is_secret(text + name, at - name))
            value = value_of(text, n, name, at);
        else
            value = scheme_value(text, n, name, at);
        if (value.to <= value.from)
            continue;
        rc = ce_buf_add(out, text + kept, value.from - kept);
        if (rc == CE_OK)
            rc = ce_buf_adds(out, CE_REDACTED);
        at = value.to;
        kept = at;
    }
    if (rc == CE_OK)
        rc = ce_buf_add(out, text + kept, n - kept);
    return rc;
}
