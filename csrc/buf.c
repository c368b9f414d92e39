/* buf.c -- a growing byte buffer with a ceiling, wiped when it goes.
 *
 * Owns its memory.  Growing copies into fresh memory and wipes the old, since
 * realloc() would leave a copy of a secret behind.  Knows nothing of what the
 * bytes mean. */
#include "buf.h"

#include <stdlib.h>
#include <string.h>

void ce_wipe(void *bytes, size_t n)
{
    if (n == 0)
        return;
    memset(bytes, 0, n);
#if defined(__GNUC__)
    __asm__ __volatile__("" : : "r"(bytes) : "memory");   /* the stores are wanted */
#endif
}

void ce_buf_init(struct ce_buf *b, size_t max)
{
    b->data = NULL;
    b->len = 0;
    b->cap = 0;
    b->max = max;
}

char *ce_buf_reserve(struct ce_buf *b, size_t n)
{
    size_t cap;
    char *grown;

    if (n > b->max - b->len)
        return NULL;
    if (b->cap > b->len && n <= b->cap - b->len - 1)
        return b->data + b->len;
    cap = b->cap < 64 ? 128 : b->cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;   /* no more than can ever be used */
    if (cap < b->len + n + 1)
        cap = b->len + n + 1;
    grown = malloc(cap);
    if (grown == NULL)
        return NULL;
    if (b->len != 0)
        memcpy(grown, b->data, b->len);
    if (b->data != NULL) {
        ce_wipe(b->data, b->len);
        free(b->data);
    }
    grown[b->len] = '\0';
    b->data = grown;
    b->cap = cap;
    return b->data + b->len;
}

int ce_buf_add(struct ce_buf *b, const void *bytes, size_t n)
{
    char *at;

    if (n > b->max - b->len)
        return CE_ETOOBIG;
    at = ce_buf_reserve(b, n);
    if (at == NULL)
        return CE_ENOMEM;
    if (n != 0)
        memcpy(at, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
    return CE_OK;
}

int ce_buf_adds(struct ce_buf *b, const char *text)
{
    return ce_buf_add(b, text, strlen(text));
}

void ce_buf_clear(struct ce_buf *b, size_t keep)
{
    if (b->cap > keep) {
        ce_buf_wipe(b);
        return;
    }
    if (b->data != NULL) {
        ce_wipe(b->data, b->len);
        b->data[0] = '\0';
    }
    b->len = 0;
}

void ce_buf_wipe(struct ce_buf *b)
{
    if (b->data != NULL) {
        ce_wipe(b->data, b->len);
        free(b->data);
    }
    ce_buf_init(b, b->max);
}
