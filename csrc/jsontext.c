/* jsontext.c -- where JSON text needs more care than lua-cjson gives it.
 *
 * Owns nothing and borrows the text it scans.  Knows the tokens of JSON but not
 * its grammar, and nothing of Lua. */
#include "jsontext.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(CE_NO_SSE2)
#define QUOTES_AT_ONCE 1
#include <emmintrin.h>
#else
#define QUOTES_AT_ONCE 0
#endif

#define EXACT 9007199254740992ull   /* 2^53: a double holds every integer up to here */

#define TOO_DEEP "nested more than 128 tables deep"

/* Length of the character at s, 0 when it is not well-formed (RFC 3629: nothing
 * overlong, no surrogates, nothing above U+10FFFF). */
static size_t utf8_char(const unsigned char *s, size_t n)
{
    unsigned char low, high;   /* what the second byte may be */
    size_t length, i;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (length > n)
        return 0;
    low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (i = 2; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

#define EACH_BYTE(c) (0x0101010101010101ull * (c))

size_t ce_utf8_prefix(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    uint64_t word;
    size_t i = 0, length;

    while (i < n) {
        if (n - i >= sizeof(word)) {              /* ASCII, eight at a time */
            memcpy(&word, s + i, sizeof(word));
            if ((word & EACH_BYTE(0x80)) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        length = s[i] < 0x80 ? 1 : utf8_char(s + i, n - i);
        if (length == 0)
            return i;
        i += length;
    }
    return n;
}

int ce_json_integer(const char *digits, size_t n, long long *value)
{
    unsigned long long sum = 0, limit = LLONG_MAX;
    size_t i = 0;

    if (n > 0 && digits[0] == '-') {
        limit++;
        i = 1;
    }
    for (; i < n; i++) {
        unsigned digit = (unsigned)(digits[i] - '0');

        if (sum > (limit - digit) / 10)
            return 0;
        sum = sum * 10 + digit;
    }
    if (digits[0] != '-')
        *value = (long long)sum;
    else if (sum == limit)
        *value = LLONG_MIN;
    else
        *value = -(long long)sum;
    return 1;
}

/* ---- what was found --------------------------------------------------------- */

/* From the innermost table to the value that comes. */
static struct ce_json_step next_step(const struct ce_json_scan *s)
{
    const struct ce_json_level *level = &s->levels[s->depth];
    struct ce_json_step item = { NULL, level->item }, member = { s->name, (size_t)(s->name_end - s->name) };

    return level->is_array ? item : member;
}

static enum ce_json_place found(struct ce_json_scan *s, enum ce_json_place what, const char *from, const char *to)
{
    s->place = from;
    s->at = to;
    if (s->keeps_way)
        s->step = next_step(s);
    return what;
}

static enum ce_json_place fault(struct ce_json_scan *s, const char *at, const char *why)
{
    s->why = why;
    return found(s, CE_JSON_FAULT, at, at + 1);
}

/* Nothing to tell: the scan goes on there. */
static enum ce_json_place go_on(struct ce_json_scan *s, const char *at)
{
    s->at = at;
    return CE_JSON_END;
}

/* ---- tokens --------------------------------------------------------------- */

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The NUL behind the end of the text stops these two. */
static const char *skip_spaces(const char *p)
{
    while (is_space(*p))
        p++;
    return p;
}

static const char *skip_digits(const char *p)
{
    while (is_digit(*p))
        p++;
    return p;
}

#if QUOTES_AT_ONCE
/* A bit for each of the 16 bytes from there on, the first one's lowest. */
static uint64_t quotes_in_16(const char *from)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);

    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
}

/* The same of 64. */
static uint64_t quotes_in(const char *from)
{
    return quotes_in_16(from) | quotes_in_16(from + 16) << 16 | quotes_in_16(from + 32) << 32 |
           quotes_in_16(from + 48) << 48;
}
#endif

/* From behind a string on; a name takes its colon with it. */
static const char *behind_string(struct ce_json_scan *s, const char *from, const char *end)
{
    const char *p = *end == ':' ? end : skip_spaces(end);

    if (*p != ':')
        return p;
    s->members++;
    s->name = from;
    s->name_end = end - 1;
    return p + 1;
}

/* The first quote from there on, or NULL.  Most strings are short, and a call of memchr() for
 * each takes half of the scan's time: where the machine can, 64 bytes are looked at at once. */
static const char *find_quote(struct ce_json_scan *s, const char *from)
{
#if QUOTES_AT_ONCE
    if (from < s->seen) {
        uint64_t quotes = s->quotes >> (64 - (s->seen - from));

        if (quotes != 0)
            return from + __builtin_ctzll(quotes);
        from = s->seen;
    }
    while (s->end - from >= 64) {
        s->seen = from + 64;
        s->quotes = quotes_in(from);
        if (s->quotes != 0)
            return from + __builtin_ctzll(s->quotes);
        from = s->seen;
    }
#endif
    return memchr(from, '"', (size_t)(s->end - from));
}

/* From a string's first character on, where nothing in it can be a fault.  An end that is
 * missing is left to lua-cjson. */
static const char *skip_string(struct ce_json_scan *s, const char *from)
{
    const char *p = from, *back;

    while ((p = find_quote(s, p)) != NULL) {
        for (back = p; back[-1] == '\\'; back--)   /* not beyond the opening quote */
            ;
        if ((p - back) % 2 == 0)   /* else the quote is escaped */
            return behind_string(s, from, p + 1);
        p++;
    }
    return s->end;
}

/* The same for one of which each character has to be looked at. */
static enum ce_json_place check_string(struct ce_json_scan *s, const char *from)
{
    const char *p = from;
    size_t length;

    while (p < s->end && *p != '"') {
        if (*p == '\\') {
            p = s->end - p > 2 ? p + 2 : s->end;
            continue;
        }
        length = utf8_char((const unsigned char *)p, (size_t)(s->end - p));
        if (length == 0 && (s->strict || *p == CE_JSON_STANDIN))
            return fault(s, p, "text that is not UTF-8");
        if ((unsigned char)*p < 0x20 && s->strict)
            return fault(s, p, "a control character inside a string");
        p += length != 0 ? length : 1;
    }
    return go_on(s, p < s->end ? behind_string(s, from, p + 1) : p);
}

/* Whether digits, without a minus, are an integer that a double may round. */
static int is_beyond_exact(const char *digits, size_t n)
{
    long long value;

    if (n < 16)
        return 0;
    return !ce_json_integer(digits, n, &value) || (unsigned long long)value > EXACT;
}

static enum ce_json_place number(struct ce_json_scan *s, const char *from)
{
    const char *digits = from + (*from == '-'), *p = skip_digits(digits), *next;
    size_t whole = (size_t)(p - digits);
    int sound = whole == 1 || (whole > 1 && *digits != '0'), integer = 1;

    if (*p == '.') {
        next = skip_digits(p + 1);
        sound = sound && next > p + 1;
        integer = 0;
        p = next;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-')
            p++;
        next = skip_digits(p);
        sound = sound && next > p;
        integer = 0;
        p = next;
    }
    if (!sound)
        return fault(s, from, "not a number as JSON writes it");
    if (integer && is_beyond_exact(digits, whole))
        return found(s, CE_JSON_INTEGER, from, p);
    if (s->keeps_way && (s->whole_numbers || !integer))
        return found(s, CE_JSON_NUMBER, from, p);
    return go_on(s, p);
}

/* From a character of true, false or null, or another, on. */
static const char *skip_word(const char *p, const char *end)
{
    if (end - p > 4 && (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0))
        return p + 4;
    if (end - p > 5 && memcmp(p, "false", 5) == 0)
        return p + 5;
    return p + 1;
}

/* ---- brackets ------------------------------------------------------------- */

/* Puts the table that opens there on the way; 0 when there are too many. */
static int enter(struct ce_json_scan *s, int is_array)
{
    struct ce_json_level *level = &s->levels[s->depth + 1];

    if (s->depth == CE_JSON_DEPTH_MAX)
        return 0;
    level->step = next_step(s);
    level->item = 1;
    level->is_array = is_array;
    s->depth++;
    return 1;
}

static enum ce_json_place array(struct ce_json_scan *s, const char *from)
{
    const char *p = skip_spaces(from + 1);

    if (*p == ']') {
        s->has_empty_array = 1;
        return found(s, CE_JSON_EMPTY, from, p + 1);
    }
    if (!s->keeps_way)
        return go_on(s, p);
    return enter(s, 1) ? found(s, CE_JSON_ARRAY, from, p) : fault(s, from, TOO_DEEP);
}

static enum ce_json_place object(struct ce_json_scan *s, const char *from)
{
    const char *p = skip_spaces(from + 1);

    if (*p == '}') {
        s->has_empty_object = 1;
        return s->keeps_way && s->has_empty_array ? found(s, CE_JSON_EMPTY_OBJECT, from, p + 1) : go_on(s, p + 1);
    }
    return !s->keeps_way || enter(s, 0) ? go_on(s, p) : fault(s, from, TOO_DEEP);
}

static void leave(struct ce_json_scan *s)
{
    if (s->depth == 0)
        return;   /* no way is kept, or the bracket closes nothing, which lua-cjson refuses */
    s->depth--;
    if (s->reached > s->depth)
        s->reached = s->depth;
}

/* ---- the scan ------------------------------------------------------------- */

void ce_json_scan_start(struct ce_json_scan *s, const char *text, size_t len, int strict)
{
    memset(s, 0, offsetof(struct ce_json_scan, levels) + sizeof(s->levels[0]));
    s->at = text;
    s->seen = text;
    s->end = text + len;
    s->strict = strict;
    s->careful = strict || memchr(text, CE_JSON_STANDIN, len) != NULL;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)   /* a byte order mark, as Windows editors write it */
        s->at = text + 3;
}

static enum ce_json_place token(struct ce_json_scan *s, const char *p)
{
    switch (*p) {
    case '"':
        return check_string(s, p + 1);
    case '{':
        return object(s, p);
    case '[':
        return array(s, p);
    case '}':
    case ']':
        leave(s);
        return go_on(s, p + 1);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        return number(s, p);
    case ':':   /* or a stand-in could become a name */
        return fault(s, p, "a colon that does not follow a name in quotes");
    case '\0':   /* lua-cjson takes it for the end of the text */
        return fault(s, p, "a NUL byte");
    default:
        return go_on(s, skip_word(p, s->end));
    }
}

enum ce_json_place ce_json_scan_next(struct ce_json_scan *s)
{
    const char *p = s->at;
    enum ce_json_place place;

    for (;;) {   /* most of a text are strings, commas, words and spaces, which have a short way */
        if (*p == '"' && !s->careful) {
            p = skip_string(s, p + 1);
        } else if (*p == ',') {
            s->levels[s->depth].item++;
            p++;
        } else if (*p >= 'a' && *p <= 'z') {
            p = skip_word(p, s->end);
        } else if (is_space(*p)) {
            p = skip_spaces(p + 1);
        } else if (p == s->end) {
            s->at = p;
            return CE_JSON_END;
        } else {
            place = token(s, p);
            if (place != CE_JSON_END)
                return place;
            p = s->at;
        }
    }
}
