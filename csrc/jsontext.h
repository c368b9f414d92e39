/* jsontext.h -- where JSON text needs more care than lua-cjson gives it. */
#ifndef CE_JSONTEXT_H
#define CE_JSONTEXT_H

#include "ce.h"

#include <stdint.h>

/* A byte that no UTF-8 text holds.  A string that begins with it is ours: it
 * stands for a value that lua-cjson cannot carry.  ljson.c puts such strings in
 * before lua-cjson works and takes them out after. */
#define CE_JSON_STANDIN '\xFF'

/* Length of the longest well-formed UTF-8 prefix: n when all of it is. */
size_t ce_utf8_prefix(const char *text, size_t n);

#define CE_JSON_DEPTH_MAX 128   /* more tables than this inside each other nobody reads */

enum ce_json_place {
    CE_JSON_END,            /* nothing more in the text */
    CE_JSON_FAULT,          /* not JSON, though lua-cjson lets it pass; why says what */
    CE_JSON_INTEGER,        /* an integer beyond 2^53, which a double rounds */
    CE_JSON_EMPTY,          /* an empty array, which old versions read as an empty table */

    /* And when the way is kept: */
    CE_JSON_NUMBER,         /* one that may be a double where an integer is wanted, or be infinite */
    CE_JSON_ARRAY,          /* that is not empty; it is the innermost table on the way */
    CE_JSON_EMPTY_OBJECT    /* that may have the name of an empty array before it */
};

/* From a table to one of its values. */
struct ce_json_step {
    const char *name;   /* of a member: as it is spelled in the text; of an item: NULL */
    size_t n;           /* the name's length; the item's index, from 1 on */
};

/* An open bracket. */
struct ce_json_level {
    struct ce_json_step step;   /* into its table, from the one around it */
    size_t item;                /* of an array: the index of the value that comes */
    int is_array;
};

/* Borrows the text, which has a NUL behind its end as texts of Lua do, for as long as it
 * is used; holds no memory. */
struct ce_json_scan {
    const char *at;      /* where the scan goes on; after the start: behind what is to be skipped (a BOM) */
    const char *end;
    const char *seen;    /* behind the 64 bytes that were looked at for quotes at once */
    uint64_t quotes;     /* and where these had some */
    int careful;         /* strings are to be looked into */
    int strict;          /* a person's file: no raw control characters, only UTF-8 */
    int keeps_way;       /* these two are to be set after the start, by who wants it */
    int whole_numbers;   /* are places too; if not, only numbers with a fraction or exponent */
    size_t members;      /* names followed by a colon so far */
    int has_empty_array;    /* seen so far */
    int has_empty_object;
    const char *place;   /* the place found last: [place, at) */
    const char *why;
    const char *name;    /* the name read last: [name, name_end) */
    const char *name_end;
    struct ce_json_step step;    /* to the value found last, from the innermost table */
    size_t depth;        /* brackets that are open: levels[1] to levels[depth] */
    size_t reached;      /* the caller's: how many of these it has gone into; less when one closes */
    struct ce_json_level levels[CE_JSON_DEPTH_MAX + 1];   /* the first is what is around it all */
};

void ce_json_scan_start(struct ce_json_scan *s, const char *text, size_t len, int strict);

/* Finds the next place.  Only the tokens are looked at: whether they are in a
 * sensible order is for lua-cjson to say. */
enum ce_json_place ce_json_scan_next(struct ce_json_scan *s);

/* Reads an optional minus and digits.  1 and *value when it fits 64 bits, else 0. */
int ce_json_integer(const char *digits, size_t n, long long *value);

#endif
