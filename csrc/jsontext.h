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

#define CE_JSON_DEPTH_MAX 128   /* more tables than this inside each other nobody reads */

enum ce_json_place {
    CE_JSON_END,       /* nothing more in the text */
    CE_JSON_FULL,      /* there may be no room for the next notes: ce_json_scan_room() */
    CE_JSON_INTEGER,   /* an integer beyond 2^53, which a double rounds */
    CE_JSON_EMPTY,     /* an empty array, which old versions read as an empty table */
    CE_JSON_FAULT      /* not JSON, though lua-cjson lets it pass; why says what */
};

/* The way to the values that lua-cjson may have left wanting, so that whoever sets them
 * right need not visit all the others.  It is a walk: into a table, to some of its values,
 * out again; tables without such values are not entered. */
enum ce_json_step {
    CE_JSON_INTO_OBJECT,
    CE_JSON_INTO_ARRAY,   /* one that is not empty, and is to be marked */
    CE_JSON_OUT,
    CE_JSON_NUMBER,
    CE_JSON_NOTHING       /* an empty array */
};

#define CE_JSON_ITEM ((size_t)-1)

struct ce_json_note {
    enum ce_json_step step;
    size_t at;    /* of a member: where its name is in the text; of an item: its index, from 1 on */
    size_t len;   /* of the name, or CE_JSON_ITEM */
};

/* An open bracket on the way. */
struct ce_json_level {
    struct ce_json_note note;   /* how to get in */
    int written;                /* that is among the notes */
    int is_array;
    size_t item;                /* of an array: the index of the value that comes */
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
    struct ce_json_note *notes;   /* the caller's; NULL: none are wanted */
    size_t nnotes;
    size_t room;
    int whole_numbers;   /* to be noted too; if not, only those with a fraction or exponent */
    int lost;            /* the notes are not enough to find all */
    size_t name;         /* the name read last, as in a note */
    size_t name_len;
    size_t depth;
    struct ce_json_level levels[CE_JSON_DEPTH_MAX];   /* depth of them, the outermost first */
};

void ce_json_scan_start(struct ce_json_scan *s, const char *text, size_t len, int strict);

/* Room for as many notes, the first nnotes of them with what was written so far.  Asked for
 * right after the start, it makes the scan take notes; and again when it is FULL. */
void ce_json_scan_room(struct ce_json_scan *s, struct ce_json_note *notes, size_t room);

/* Notes that can be made between two looks at the room: the way in, a value, the way out. */
#define CE_JSON_NOTES_MIN (2 * CE_JSON_DEPTH_MAX + 1)

/* Finds the next place.  Only the tokens are looked at: whether they are in a
 * sensible order is for lua-cjson to say. */
enum ce_json_place ce_json_scan_next(struct ce_json_scan *s);

/* Reads an optional minus and digits.  1 and *value when it fits 64 bits, else 0. */
int ce_json_integer(const char *digits, size_t n, long long *value);

#endif
