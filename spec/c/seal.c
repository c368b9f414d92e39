/* seal.c -- sealed texts: what opens and what does not, with memory that fails at each place. */
#include "check.h"
#include "seal.h"

#include <string.h>

static const char SECRET[] = "CANARY secret of more than 32 bytes";
static const char PLAIN[] = "CANARY plaintext";

static struct ce_seal_key key_of(const char *secret)
{
    struct ce_seal_key key;

    CHECK(ce_seal_key(&key, secret, strlen(secret)) == CE_OK);
    return key;
}

static void keys(void)
{
    struct ce_seal_key one = key_of(SECRET);
    struct ce_seal_key same = key_of(SECRET);
    struct ce_seal_key other = key_of("CANARY secret of more than 32 bytez");
    struct ce_seal_key none;

    CHECK(memcmp(&one, &same, sizeof(one)) == 0);
    CHECK(memcmp(one.bytes, other.bytes, sizeof(one.bytes)) != 0 && memcmp(one.id, other.id, sizeof(one.id)) != 0);
    CHECK(memcmp(one.bytes, SECRET, sizeof(one.bytes)) != 0);
    CHECK(memcmp(one.bytes, one.id, sizeof(one.id)) != 0);
    CHECK(ce_seal_key(&none, SECRET, CE_SEAL_SECRET_MIN - 1) == CE_EINVAL);
}

/* Every byte of the text, changed in every way that is one bit away. */
static void changed(void)
{
    struct ce_seal_key key = key_of(SECRET);
    struct ce_buf text;
    struct ce_buf plain;
    size_t i;
    int bit;

    ce_buf_init(&text, 1000);
    ce_buf_init(&plain, 1000);
    CHECK(ce_seal(&text, &key, PLAIN, strlen(PLAIN), "here", 4) == CE_OK);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, "here", 4) == CE_SEAL_OPENED);
    CHECK(plain.len == strlen(PLAIN) && strcmp(plain.data, PLAIN) == 0);
    ce_buf_clear(&plain, CE_BUF_SMALL);
    for (i = 0; i < text.len; i++)
        for (bit = 1; bit < 256; bit *= 2) {
            text.data[i] = (char)(text.data[i] ^ bit);
            CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, "here", 4) != CE_SEAL_OPENED && plain.len == 0);
            text.data[i] = (char)(text.data[i] ^ bit);
        }
    for (i = 0; i < text.len; i++)
        CHECK(ce_seal_open(&plain, &key, 1, text.data, i, "here", 4) != CE_SEAL_OPENED && plain.len == 0);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, "her", 3) == CE_SEAL_FORGED);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, "there", 5) == CE_SEAL_FORGED);
    CHECK(ce_seal_open(&plain, &key, 0, text.data, text.len, "here", 4) == CE_SEAL_UNKNOWN_KEY);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, "here", 4) == CE_SEAL_OPENED);
    ce_buf_wipe(&text);
    ce_buf_wipe(&plain);
}

/* Two keys that happen to have one id. */
static void same_id(void)
{
    struct ce_seal_key both[2];
    struct ce_buf text;
    struct ce_buf plain;

    both[0] = key_of("CANARY another one of more than 32 bytes");
    both[1] = key_of(SECRET);
    memcpy(both[0].id, both[1].id, sizeof(both[0].id));
    ce_buf_init(&text, 1000);
    ce_buf_init(&plain, 1000);
    CHECK(ce_seal(&text, &both[1], PLAIN, strlen(PLAIN), "", 0) == CE_OK);
    CHECK(ce_seal_open(&plain, both, 1, text.data, text.len, "", 0) == CE_SEAL_FORGED && plain.len == 0);
    CHECK(ce_seal_open(&plain, both, 2, text.data, text.len, "", 0) == CE_SEAL_OPENED);
    ce_buf_wipe(&text);
    ce_buf_wipe(&plain);
}

/* Random bytes, and random letters of the alphabet, of any length. */
static void garbage(void)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct ce_seal_key key = key_of(SECRET);
    int round;

    for (round = 0; round < 20000; round++) {
        char text[200];
        size_t n = random_below(sizeof(text));
        struct ce_buf plain;
        size_t i;

        for (i = 0; i < n; i++)
            text[i] = round % 2 ? (char)random_below(256) : alphabet[random_below(64)];
        ce_buf_init(&plain, 1000);
        CHECK(ce_seal_open(&plain, &key, 1, text, n, "", 0) != CE_SEAL_OPENED && plain.len == 0);
        ce_buf_wipe(&plain);
    }
}

static void limits(void)
{
    static char large[CE_SEAL_MAX + 1];
    struct ce_seal_key key = key_of(SECRET);
    struct ce_buf text;
    struct ce_buf plain;

    ce_buf_init(&text, CE_SEAL_MAX * 2);
    ce_buf_init(&plain, CE_SEAL_MAX);
    CHECK(ce_seal(&text, &key, large, CE_SEAL_MAX + 1, "", 0) == CE_ETOOBIG && text.len == 0);
    CHECK(ce_seal(&text, &key, large, 0, large, CE_SEAL_CONTEXT_MAX + 1) == CE_ETOOBIG && text.len == 0);
    CHECK(ce_seal(&text, &key, large, CE_SEAL_MAX, large, CE_SEAL_CONTEXT_MAX) == CE_OK);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, large, CE_SEAL_CONTEXT_MAX) == CE_SEAL_OPENED);
    CHECK(plain.len == CE_SEAL_MAX);
    ce_buf_wipe(&plain);
    CHECK(ce_seal_open(&plain, &key, 1, text.data, text.len, large, CE_SEAL_CONTEXT_MAX + 1) == CE_SEAL_FORGED);
    ce_buf_wipe(&text);
    text.max = 20;
    CHECK(ce_seal(&text, &key, "", 0, "", 0) == CE_ETOOBIG && text.len == 0);
    CHECK(ce_seal_token(&text, 16) == CE_ETOOBIG && text.len == 0);
    CHECK(ce_seal_token(&text, 15) == CE_OK && text.len == 20);
    ce_buf_wipe(&text);
    CHECK(ce_seal_token(&text, 0) == CE_EINVAL && ce_seal_token(&text, CE_SEAL_TOKEN_MAX + 1) == CE_EINVAL);
    text.max = CE_SEAL_HASH_TEXT;
    CHECK(ce_seal_hash(&text, "", 0) == CE_OK && text.len == CE_SEAL_HASH_TEXT);
    ce_buf_wipe(&text);
}

/* Memory that fails at each place in turn: told, and what was there is as it was. */
static void failing(void)
{
    struct ce_seal_key key = key_of(SECRET);
    long n;

    for (n = 1; n < 100; n++) {
        struct ce_buf text;
        struct ce_buf plain;
        enum ce_seal_verdict verdict = CE_SEAL_FAILED;
        int rc;
        int failed;

        ce_buf_init(&text, 1000);
        ce_buf_init(&plain, 1000);
        alloc_fail_at(n);
        rc = ce_seal(&text, &key, PLAIN, strlen(PLAIN), "here", 4);
        if (rc == CE_OK)
            verdict = ce_seal_open(&plain, &key, 1, text.data, text.len, "here", 4);
        failed = alloc_failed();
        alloc_fail_at(0);
        CHECK(rc == CE_OK || (rc == CE_ENOMEM && failed && text.len == 0));
        CHECK(verdict == (failed ? CE_SEAL_FAILED : CE_SEAL_OPENED));
        CHECK(!failed || plain.len == 0);
        ce_buf_wipe(&text);
        ce_buf_wipe(&plain);
        CHECK(alloc_live() == 0);
        if (!failed)
            break;
    }
    CHECK(n > 5 && n < 100);
}

int main(void)
{
    CHECK(ce_seal_start() == CE_OK && ce_seal_start() == CE_OK);
    alloc_forbid("CANARY");
    keys();
    changed();
    same_id();
    garbage();
    limits();
    failing();
    return check_done();
}
