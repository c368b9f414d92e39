/* buf.h -- a growing byte buffer with a ceiling, wiped when it goes. */
#ifndef CE_BUF_H
#define CE_BUF_H

#include "ce.h"

/* data[0..len) is the content and data[len] is always NUL once anything was
 * added; data is NULL before that.  Owned by the buffer until ce_buf_wipe(). */
struct ce_buf {
    char *data;
    size_t len;
    size_t cap;   /* bytes allocated, the NUL included */
    size_t max;   /* content may not grow past this */
};

void ce_buf_init(struct ce_buf *b, size_t max);

/* Appends n bytes.  On failure the content is as it was. */
int ce_buf_add(struct ce_buf *b, const void *bytes, size_t n);
int ce_buf_adds(struct ce_buf *b, const char *text);

/* Makes room for n more bytes and returns where they go, or NULL.  The caller
 * writes at most n bytes there and then adds what it wrote to b->len. */
char *ce_buf_reserve(struct ce_buf *b, size_t n);

/* Overwrites the content and sets the length to 0.  Keeps the memory when it is at most
 * `keep` bytes, so that a buffer in a loop does not go back to the allocator. */
#define CE_BUF_SMALL ((size_t)16 * 1024)
void ce_buf_clear(struct ce_buf *b, size_t keep);

/* Overwrites the content and gives the memory back.  The buffer can be used again. */
void ce_buf_wipe(struct ce_buf *b);

/* Overwrites n bytes in a way that the compiler may not leave out. */
void ce_wipe(void *bytes, size_t n);

#endif
