/* jsontext.c -- where JSON text needs more care than lua-cjson gives it.
 *
 * Owns nothing and borrows the text it scans.  Knows the tokens of JSON but not
 * its grammar, and nothing of Lua. */
#include "jsontext.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EXACT 9007199254740992ull   /* 2^53: a double holds every integer up to here */

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

static enum ce_json_place found(struct ce_json_scan *s, enum ce_json_place what, size_t from, size_t to)
{
    s->place = from;
    s->place_len = to - from;
    s->at = to;
    return what;
}

static enum ce_json_place fault(struct ce_json_scan *s, size_t at, const char *why)
{
    s->why = why;
    return found(s, CE_JSON_FAULT, at, at + 1);
}

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t skip_digits(const struct ce_json_scan *s, size_t i)
{
    while (i < s->len && is_digit(s->text[i]))
        i++;
    return i;
}

/* ---- notes ---------------------------------------------------------------- */

/* Where the value that comes is: a note of it. */
static struct ce_json_note note_here(const struct ce_json_scan *s, enum ce_json_step step)
{
    struct ce_json_note note = { step, s->name, s->name_len };

    if (s->depth != 0 && s->levels[s->depth - 1].is_array) {
        note.at = s->levels[s->depth - 1].item;
        note.len = CE_JSON_ITEM;
    }
    return note;
}

/* A name with an escape is not spelled in the text as it is in the table. */
static void write_note(struct ce_json_scan *s, struct ce_json_note note)
{
    if (note.len != CE_JSON_ITEM && memchr(s->text + note.at, '\\', note.len) != NULL)
        s->lost = 1;
    s->notes[s->nnotes++] = note;
}

/* Notes how to get to where the scan is, as far as that was not done yet. */
static void write_way(struct ce_json_scan *s)
{
    size_t from = s->depth;

    while (from > 0 && !s->levels[from - 1].written)
        from--;
    for (; from < s->depth; from++) {
        write_note(s, s->levels[from].note);
        s->levels[from].written = 1;
    }
}

static void take_note(struct ce_json_scan *s, enum ce_json_step step)
{
    if (s->notes == NULL)
        return;
    if (s->depth == 0)
        s->lost = 1;   /* the whole text is that value: there is no way to it */
    write_way(s);
    write_note(s, note_here(s, step));
}

static void enter(struct ce_json_scan *s, int is_array)
{
    struct ce_json_level *level;

    if (s->depth == CE_JSON_DEPTH_MAX) {
        s->notes = NULL;
        s->lost = 1;
    }
    if (s->notes == NULL)
        return;
    level = &s->levels[s->depth];
    level->note = note_here(s, is_array ? CE_JSON_INTO_ARRAY : CE_JSON_INTO_OBJECT);
    level->written = 0;
    level->is_array = is_array;
    level->item = 1;
    s->depth++;
    if (is_array)
        write_way(s);
}

static void leave(struct ce_json_scan *s)
{
    static const struct ce_json_note out = { CE_JSON_OUT, 0, CE_JSON_ITEM };

    if (s->notes == NULL || s->depth == 0)
        return;   /* depth 0: of no table, and lua-cjson will refuse it */
    s->depth--;
    if (s->levels[s->depth].written)
        write_note(s, out);
}

/* ---- tokens --------------------------------------------------------------- */

/* A string's characters from i on, each looked at: where its closing quote is, len when
 * there is none, or where a fault is, with s->why. */
static size_t check_string(struct ce_json_scan *s, size_t i)
{
    const unsigned char *text = (const unsigned char *)s->text;
    size_t length;

    while (i < s->len && text[i] != '"') {
        if (text[i] == '\\') {
            i = i + 2 < s->len ? i + 2 : s->len;
            continue;
        }
        if (text[i] < 0x20 && s->strict)
            s->why = "a control character inside a string";
        length = utf8_char(text + i, s->len - i);
        if (length == 0 && (s->strict || s->text[i] == CE_JSON_STANDIN))
            s->why = "text that is not UTF-8";
        if (s->why != NULL)
            break;
        i += length != 0 ? length : 1;
    }
    return i;
}

/* The same where nothing in it can be a fault. */
static size_t skip_string(const struct ce_json_scan *s, size_t i)
{
    const char *from = s->text + i, *end = s->text + s->len, *quote = from, *back;

    while ((quote = memchr(quote, '"', (size_t)(end - quote))) != NULL) {
        for (back = quote; back > from && back[-1] == '\\'; back--)
            ;
        if ((quote - back) % 2 == 0)   /* else the quote is escaped */
            return (size_t)(quote - s->text);
        quote++;
    }
    return s->len;
}

/* One character, and the letters and spaces behind it. */
static void skip_word(struct ce_json_scan *s)
{
    do
        s->at++;
    while ((s->text[s->at] >= 'a' && s->text[s->at] <= 'z') || s->text[s->at] == ' ');
}

/* From the opening quote to after the closing one, and after the colon that makes it a
 * name.  An end that is missing is left to lua-cjson. */
static enum ce_json_place string(struct ce_json_scan *s)
{
    size_t from = s->at + 1, i = s->careful ? check_string(s, from) : skip_string(s, from), end = i;

    if (s->why != NULL)
        return fault(s, i, s->why);
    if (i < s->len)
        i++;
    while (is_space(s->text[i]))
        i++;
    if (s->text[i] == ':') {
        s->members++;
        s->name = from;
        s->name_len = end - from;
        i++;
    }
    s->at = i;
    return CE_JSON_END;
}

/* A number from its first character on; CE_JSON_END when there is nothing to tell. */
static enum ce_json_place number(struct ce_json_scan *s)
{
    const char *text = s->text;
    size_t from = s->at, digits = from + (text[from] == '-'), i = skip_digits(s, digits), next;
    size_t whole = i - digits;
    long long value;
    int sound = whole == 1 || (whole > 1 && text[digits] != '0'), integer = 1;

    if (i < s->len && text[i] == '.') {
        next = skip_digits(s, i + 1);
        sound = sound && next > i + 1;
        integer = 0;
        i = next;
    }
    if (i < s->len && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < s->len && (text[i] == '+' || text[i] == '-'))
            i++;
        next = skip_digits(s, i);
        sound = sound && next > i;
        integer = 0;
        i = next;
    }
    if (!sound)
        return fault(s, from, "not a number as JSON writes it");
    s->has_number = 1;
    s->has_fraction = s->has_fraction || !integer;
    s->at = i;
    if (s->whole_numbers || !integer)
        take_note(s, CE_JSON_NUMBER);
    if (!integer || whole < 16)
        return CE_JSON_END;
    if (ce_json_integer(text + digits, whole, &value) && (unsigned long long)value <= EXACT)
        return CE_JSON_END;
    return found(s, CE_JSON_INTEGER, from, i);
}

void ce_json_scan_start(struct ce_json_scan *s, const char *text, size_t len, int strict)
{
    memset(s, 0, offsetof(struct ce_json_scan, levels));
    s->text = text;
    s->len = len;
    s->strict = strict;
    s->careful = strict || memchr(text, CE_JSON_STANDIN, len) != NULL;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)   /* a byte order mark, as Windows editors write it */
        s->at = 3;
}

void ce_json_scan_room(struct ce_json_scan *s, struct ce_json_note *notes, size_t room)
{
    s->notes = notes;
    s->room = room;
}

/* From an opening bracket on: where it closes when there is nothing in it, else 0. */
static size_t end_of_nothing(const struct ce_json_scan *s, char closing)
{
    size_t i = s->at + 1;

    while (is_space(s->text[i]))
        i++;
    return s->text[i] == closing ? i + 1 : 0;
}

static enum ce_json_place array(struct ce_json_scan *s)
{
    size_t end = end_of_nothing(s, ']');

    s->has_array = 1;
    if (end != 0) {
        take_note(s, CE_JSON_NOTHING);
        return found(s, CE_JSON_EMPTY, s->at, end);
    }
    enter(s, 1);
    s->at++;
    return CE_JSON_END;
}

static enum ce_json_place object(struct ce_json_scan *s)
{
    if (end_of_nothing(s, '}') != 0)
        s->has_empty_object = 1;
    enter(s, 0);
    s->at++;
    return CE_JSON_END;
}

static int is_full(const struct ce_json_scan *s)
{
    return s->notes != NULL && s->room - s->nnotes < CE_JSON_NOTES_MIN;
}

enum ce_json_place ce_json_scan_next(struct ce_json_scan *s)
{
    enum ce_json_place place = CE_JSON_END;

    while (place == CE_JSON_END && s->at < s->len) {
        switch (s->text[s->at]) {
        case '"':
            place = string(s);
            break;
        case '[':
            place = is_full(s) ? CE_JSON_FULL : array(s);
            break;
        case '{':
            place = object(s);
            break;
        case '}':
        case ']':
            leave(s);
            s->at++;
            break;
        case ',':
            if (s->depth != 0)
                s->levels[s->depth - 1].item++;
            s->at++;
            break;
        case '-':
            place = is_full(s) ? CE_JSON_FULL : number(s);
            break;
        case ':':   /* or a stand-in could become a name */
            return fault(s, s->at, "a colon that does not follow a name in quotes");
        case '\0':   /* lua-cjson takes it for the end of the text */
            return fault(s, s->at, "a NUL byte");
        default:   /* a space, a letter of true, false or null */
            if (is_digit(s->text[s->at]))
                place = is_full(s) ? CE_JSON_FULL : number(s);
            else
                skip_word(s);
        }
    }
    return place;
}
