/* mallocs.c -- preloaded into a program, prints how often it asked for memory.
 *
 * glibc only: its own names for the real functions are used. */
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *at, size_t n);

static unsigned long asked;

void *malloc(size_t n)
{
    __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    return __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, n);
}

/* Lua frees by realloc(at, 0) in no version: each call here asks for memory. */
void *realloc(void *at, size_t n)
{
    __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    return __libc_realloc(at, n);
}

__attribute__((destructor)) static void report(void)
{
    fprintf(stderr, "mallocs %lu\n", asked);
}
