/* seal.c -- texts that only the holder of a key can read or make: XChaCha20-Poly1305.
 *
 * Owns nothing: keys lie with the caller, results go into the caller's buffer.
 * What it needs in between is wiped.  Knows nothing of Lua, or of what is sealed.
 *
 * A sealed text is base64url without padding of
 *     1 byte    the version of this form
 *     4 bytes   the id of the key
 *    24 bytes   the nonce, random
 *               the ciphertext, with its tag of 16 bytes
 * and the first five bytes and the context are authenticated along with it. */
#include "seal.h"

#include <sodium.h>
#include <string.h>

#if SODIUM_LIBRARY_VERSION_MAJOR < 10 /* 1.0.14 brought what is used here; the minor number does not tell */
#error "celements.seal needs libsodium 1.0.14 or later (Debian: apt-get install libsodium-dev; Alpine: apk add libsodium-dev; Homebrew: brew install libsodium)"
#endif

#define VERSION 1u

#define HEAD  (1u + CE_SEAL_ID_BYTES)
#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define PLAIN_AT (HEAD + NONCE)
#define SEALED_MAX (PLAIN_AT + CE_SEAL_MAX + TAG)
#define HASH 32u

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* What keeps our use of a secret apart from any other use of the same secret: 16 bytes. */
static const unsigned char FOR_KEYS[crypto_generichash_blake2b_PERSONALBYTES] = "celements sealk";
static const unsigned char FOR_IDS[crypto_generichash_blake2b_PERSONALBYTES] = "celements seali";

int ce_seal_start(void)
{
    return sodium_init() < 0 ? CE_ESYSTEM : CE_OK;
}

static int derive(unsigned char *out, size_t out_n, const char *secret, size_t n, const unsigned char *purpose)
{
    int rc = crypto_generichash_blake2b_salt_personal(out, out_n, (const unsigned char *)secret, n, NULL, 0, NULL, purpose);

    return rc == 0 ? CE_OK : CE_EINVAL;
}

int ce_seal_key(struct ce_seal_key *out, const char *secret, size_t n)
{
    unsigned char id[crypto_generichash_blake2b_BYTES_MIN];
    int rc;

    if (n < CE_SEAL_SECRET_MIN)
        return CE_EINVAL;
    rc = derive(out->bytes, sizeof(out->bytes), secret, n, FOR_KEYS);
    if (rc == CE_OK)
        rc = derive(id, sizeof(id), secret, n, FOR_IDS);
    if (rc != CE_OK) {
        ce_wipe(out, sizeof(*out));
        return rc;
    }
    memcpy(out->id, id, sizeof(out->id));
    return CE_OK;
}

static int add_base64(struct ce_buf *out, const void *bytes, size_t n)
{
    size_t with_nul = sodium_base64_ENCODED_LEN(n, BASE64);
    char *at;

    if (with_nul - 1 > out->max - out->len)
        return CE_ETOOBIG;
    at = ce_buf_reserve(out, with_nul - 1);   /* and a NUL, which each buffer has room for */
    if (at == NULL)
        return CE_ENOMEM;
    sodium_bin2base64(at, with_nul, bytes, n, BASE64);
    out->len += with_nul - 1;
    return CE_OK;
}

/* What is authenticated along: the head, whose length is always the same, and the context. */
static int build_along(struct ce_buf *along, const void *head, const char *context, size_t n)
{
    int rc = ce_buf_add(along, head, HEAD);

    return rc == CE_OK ? ce_buf_add(along, context, n) : rc;
}

/* Room for n bytes, of which the caller writes every one. */
static unsigned char *fill(struct ce_buf *b, size_t n)
{
    char *at = ce_buf_reserve(b, n);

    if (at != NULL)
        b->len += n;
    return (unsigned char *)at;
}

int ce_seal(struct ce_buf *out, const struct ce_seal_key *key, const char *plaintext, size_t n, const char *context,
            size_t context_n)
{
    struct ce_buf along;
    struct ce_buf sealed;
    unsigned char *at;
    int rc;

    if (n > CE_SEAL_MAX || context_n > CE_SEAL_CONTEXT_MAX)
        return CE_ETOOBIG;
    ce_buf_init(&along, HEAD + CE_SEAL_CONTEXT_MAX);
    ce_buf_init(&sealed, SEALED_MAX);
    rc = CE_ENOMEM;
    at = fill(&sealed, PLAIN_AT + n + TAG);
    if (at == NULL)
        goto done;
    at[0] = VERSION;
    memcpy(at + 1, key->id, sizeof(key->id));
    randombytes_buf(at + HEAD, NONCE);
    rc = build_along(&along, at, context, context_n);
    if (rc != CE_OK)
        goto done;
    crypto_aead_xchacha20poly1305_ietf_encrypt(at + PLAIN_AT, NULL, (const unsigned char *)plaintext, n,
                                               (const unsigned char *)along.data, along.len, NULL, at + HEAD, key->bytes);
    rc = add_base64(out, sealed.data, sealed.len);
done:
    ce_buf_wipe(&sealed);
    ce_buf_wipe(&along);
    return rc;
}

/* libsodium 1.0.18 reads every byte past ASCII as if it were '_', so that one sealed text
 * could be written in many ways. */
static int is_ascii(const char *text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if ((unsigned char)text[i] >= 0x80)
            return 0;
    return 1;
}

/* The bytes of a sealed text into *sealed; at least head, nonce and tag, of our version. */
static enum ce_seal_verdict unpack(struct ce_buf *sealed, const char *text, size_t n)
{
    size_t max = n / 4 * 3 + 2;
    unsigned char *at;
    size_t got;

    if (n > sodium_base64_ENCODED_LEN(SEALED_MAX, BASE64) - 1 || max < PLAIN_AT + TAG || !is_ascii(text, n))
        return CE_SEAL_MALFORMED;
    at = fill(sealed, max);
    if (at == NULL)
        return CE_SEAL_FAILED;
    if (sodium_base642bin(at, max, text, n, NULL, &got, NULL, BASE64) != 0)
        return CE_SEAL_MALFORMED;
    sealed->len = got;
    return got < PLAIN_AT + TAG || at[0] != VERSION ? CE_SEAL_MALFORMED : CE_SEAL_OPENED;
}

/* Tries one key; *plain has room. */
static int opens(unsigned char *plain, const struct ce_seal_key *key, const struct ce_buf *sealed, const struct ce_buf *along)
{
    const unsigned char *bytes = (const unsigned char *)sealed->data;

    return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, bytes + PLAIN_AT, sealed->len - PLAIN_AT,
                                                      (const unsigned char *)along->data, along->len, bytes + HEAD,
                                                      key->bytes) == 0;
}

/* Two keys may have the same id, so each that has it is tried. */
static enum ce_seal_verdict try_keys(struct ce_buf *out, const struct ce_seal_key *keys, size_t count,
                                     const struct ce_buf *sealed, const struct ce_buf *along)
{
    enum ce_seal_verdict verdict = CE_SEAL_UNKNOWN_KEY;
    size_t plain_n = sealed->len - PLAIN_AT - TAG;
    char *plain = ce_buf_reserve(out, plain_n);
    size_t i;

    if (plain == NULL)
        return CE_SEAL_FAILED;
    for (i = 0; i < count; i++) {
        if (memcmp(keys[i].id, sealed->data + 1, CE_SEAL_ID_BYTES) != 0)
            continue;
        verdict = CE_SEAL_FORGED;
        if (opens((unsigned char *)plain, &keys[i], sealed, along)) {
            out->len += plain_n;
            verdict = CE_SEAL_OPENED;
            break;
        }
    }
    out->data[out->len] = '\0';
    return verdict;
}

enum ce_seal_verdict ce_seal_open(struct ce_buf *out, const struct ce_seal_key *keys, size_t count, const char *text,
                                  size_t n, const char *context, size_t context_n)
{
    struct ce_buf along;
    struct ce_buf sealed;
    enum ce_seal_verdict verdict;

    ce_buf_init(&along, HEAD + CE_SEAL_CONTEXT_MAX);
    ce_buf_init(&sealed, SEALED_MAX + 2);
    verdict = unpack(&sealed, text, n);
    if (verdict != CE_SEAL_OPENED)
        goto done;
    verdict = CE_SEAL_FORGED;
    if (context_n > CE_SEAL_CONTEXT_MAX)
        goto done;   /* nothing was ever sealed for it */
    verdict = CE_SEAL_FAILED;
    if (build_along(&along, sealed.data, context, context_n) != CE_OK)
        goto done;
    verdict = try_keys(out, keys, count, &sealed, &along);
done:
    ce_buf_wipe(&sealed);
    ce_buf_wipe(&along);
    return verdict;
}

int ce_seal_token(struct ce_buf *out, size_t n)
{
    unsigned char bytes[CE_SEAL_TOKEN_MAX];
    int rc;

    if (n == 0 || n > sizeof(bytes))
        return CE_EINVAL;
    randombytes_buf(bytes, n);
    rc = add_base64(out, bytes, n);
    ce_wipe(bytes, sizeof(bytes));
    return rc;
}

int ce_seal_hash(struct ce_buf *out, const char *bytes, size_t n)
{
    unsigned char hash[HASH];

    if (crypto_generichash(hash, sizeof(hash), (const unsigned char *)bytes, n, NULL, 0) != 0)
        return CE_EINVAL;
    return add_base64(out, hash, sizeof(hash));
}
