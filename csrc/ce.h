/* ce.h -- what every C file of celements agrees on.
 *
 * Result codes, limits and the two attributes we use.  Knows nothing of Lua or
 * libcurl; every pure file includes it first. */
#ifndef CE_H
#define CE_H

#include <stddef.h>

/* Every fallible pure function returns one of these.  The order is part of no
 * interface; compare by name. */
enum ce_result {
    CE_OK = 0,
    CE_ENOMEM,    /* the allocator said no */
    CE_ETOOBIG,   /* a buffer met its ceiling */
    CE_EINVAL,    /* bytes that may not go where they were meant to go */
    CE_ESYSTEM,   /* a system call failed; errno says which way */
    CE_ECURL      /* libcurl refused; the caller holds its code */
};

/* Ceilings, in bytes.  A buffer is born with the one that fits its use. */
#define CE_URL_MAX      (64u * 1024u)           /* longer URLs are cut by servers anyway */
#define CE_HEADER_MAX   (64u * 1024u)           /* all request headers, or all answer headers (pitfall 30) */
#define CE_TEXT_MAX     (1024u * 1024u)         /* a message, redacted or not */
#define CE_BODY_MAX     (512u * 1024u * 1024u)  /* a request body; answers have their own limit */

#if defined(__GNUC__)
#define CE_EXPORT __attribute__((visibility("default")))
#define CE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CE_EXPORT
#define CE_PRINTF(fmt, args)
#endif

#endif
