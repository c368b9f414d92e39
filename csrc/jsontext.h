/* jsontext.h -- where JSON text needs more care than lua-cjson gives it. */
#ifndef CE_JSONTEXT_H
#define CE_JSONTEXT_H

#include "ce.h"

/* A byte that no UTF-8 text holds.  A string that begins with it is ours: it
 * stands for a value that lua-cjson cannot carry.  ljson.c puts such strings in
 * before lua-cjson works and takes them out after. */
#define CE_JSON_STANDIN '\xFF'

/* Length of the longest well-formed UTF-8 prefix: n when all of it is. */
size_t ce_utf8_prefix(const char *text, size_t n);

enum ce_json_place {
    CE_JSON_END,       /* nothing more in the text */
    CE_JSON_INTEGER,   /* an integer beyond 2^53, which a double rounds */
    CE_JSON_EMPTY,     /* an empty array, which old versions read as an empty table */
    CE_JSON_FAULT      /* not JSON, though lua-cjson lets it pass; why says what */
};

/* Borrows the text, which has a NUL behind its end as texts of Lua do, for as long as it
 * is used; holds no memory. */
struct ce_json_scan {
    const char *text;
    size_t len;
    size_t at;           /* where the scan goes on; after the start: what to skip (a BOM) */
    int careful;         /* strings are to be looked into */
    int strict;          /* a person's file: no raw control characters, only UTF-8 */
    size_t members;      /* names followed by a colon so far */
    int has_array;       /* seen so far: an array */
    int has_empty_object;
    int has_number;
    int has_fraction;    /* or an exponent: it may be too large for a double */
    size_t place;        /* the place found last: [place, place + place_len) */
    size_t place_len;
    const char *why;
};

void ce_json_scan_start(struct ce_json_scan *s, const char *text, size_t len, int strict);

/* Finds the next place.  Only the tokens are looked at: whether they are in a
 * sensible order is for lua-cjson to say. */
enum ce_json_place ce_json_scan_next(struct ce_json_scan *s);

/* Reads an optional minus and digits.  1 and *value when it fits 64 bits, else 0. */
int ce_json_integer(const char *digits, size_t n, long long *value);

#endif
