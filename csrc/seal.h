/* seal.h -- texts that only the holder of a key can read or make. */
#ifndef CE_SEAL_H
#define CE_SEAL_H

#include "buf.h"

#define CE_SEAL_SECRET_MIN  32u              /* bytes of what a key is made from */
#define CE_SEAL_MAX         (1024u * 1024u)  /* bytes of a plaintext */
#define CE_SEAL_CONTEXT_MAX (64u * 1024u)
#define CE_SEAL_TOKEN_MAX   256u             /* random bytes at a time */
#define CE_SEAL_HASH_TEXT   43u              /* characters that ce_seal_hash appends */

#define CE_SEAL_ID_BYTES  4u
#define CE_SEAL_KEY_BYTES 32u

/* A key, and the short name under which a sealed text calls for it. */
struct ce_seal_key {
    unsigned char id[CE_SEAL_ID_BYTES];
    unsigned char bytes[CE_SEAL_KEY_BYTES];
};

enum ce_seal_verdict {
    CE_SEAL_OPENED = 0,
    CE_SEAL_MALFORMED,     /* not a sealed text */
    CE_SEAL_UNKNOWN_KEY,   /* sealed with a key that is not among these */
    CE_SEAL_FORGED,        /* changed since, or sealed for another context */
    CE_SEAL_FAILED         /* out of memory */
};

/* Before anything else, as often as one likes.  Any thread may. */
int ce_seal_start(void);

/* Derives a key from a secret of at least CE_SEAL_SECRET_MIN bytes, which is a password's
 * better: nothing here slows down who guesses. */
int ce_seal_key(struct ce_seal_key *out, const char *secret, size_t n);

/* Appends the sealed text (A-Z a-z 0-9 - _) to out.  CE_ETOOBIG for a plaintext or a
 * context past its ceiling.  On failure out is as it was. */
int ce_seal(struct ce_buf *out, const struct ce_seal_key *key, const char *plaintext, size_t n, const char *context,
            size_t context_n);

/* Appends the plaintext to out.  Whatever text holds, out is only touched when it is
 * CE_SEAL_OPENED. */
enum ce_seal_verdict ce_seal_open(struct ce_buf *out, const struct ce_seal_key *keys, size_t count, const char *text,
                                  size_t n, const char *context, size_t context_n);

/* Appends n random bytes (at most CE_SEAL_TOKEN_MAX) as text. */
int ce_seal_token(struct ce_buf *out, size_t n);

/* Appends the hash of some bytes as text. */
int ce_seal_hash(struct ce_buf *out, const char *bytes, size_t n);

#endif
