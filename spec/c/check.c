/* check.c -- see check.h. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long checks;
static long failures;
static long left;         /* allocations until one fails; 0: none does */
static int failed;
static long live;
static const char *forbidden;

void check_that(int holds, const char *what, const char *file, int line)
{
    checks++;
    if (holds)
        return;
    failures++;
    if (failures <= 20)
        printf("%s:%d: %s\n", file, line, what);
}

int check_done(void)
{
    CHECK(live == 0);
    printf("%ld checks, %ld failed\n", checks, failures);
    return failures != 0;
}

void alloc_fail_at(long n)
{
    left = n;
    failed = 0;
}

int alloc_failed(void)
{
    return failed;
}

long alloc_live(void)
{
    return live;
}

void alloc_forbid(const char *text)
{
    forbidden = text;
}

uint32_t random_below(uint32_t n)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 16) % n);
}

/* ---- what the linker puts in place of malloc() and its like --------------- */

void *__real_malloc(size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

#define HEAD 16   /* bytes before each block, where its size stands */

void *__wrap_malloc(size_t n)
{
    char *block;

    if (failed || (left > 0 && --left == 0)) {
        failed = 1;
        return NULL;
    }
    block = __real_malloc(n + HEAD);
    if (block == NULL)
        abort();
    memcpy(block, &n, sizeof(n));
    live++;
    return block + HEAD;
}

void __wrap_free(void *p)
{
    char *block = p;
    size_t n;
    size_t i;
    size_t len = forbidden != NULL ? strlen(forbidden) : 0;

    if (p == NULL)
        return;
    memcpy(&n, block - HEAD, sizeof(n));
    for (i = 0; len != 0 && i + len <= n; i++)
        CHECK(memcmp(block + i, forbidden, len) != 0);
    live--;
    __real_free(block - HEAD);
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *p = __wrap_malloc(count * size);

    if (p != NULL)
        memset(p, 0, count * size);
    return p;
}

void *__wrap_realloc(void *p, size_t n)
{
    void *grown = __wrap_malloc(n);
    size_t had = 0;

    if (p == NULL || grown == NULL)
        return grown;
    memcpy(&had, (char *)p - HEAD, sizeof(had));
    memcpy(grown, p, had < n ? had : n);
    __wrap_free(p);
    return grown;
}
