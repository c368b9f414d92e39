/* check.h -- for the C tests: saying what holds, and an allocator that fails on demand
 * and looks at what it is given back.  Only the files under test use that allocator
 * (the linker puts it in their way), not libc or libcurl. */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

/* Counts and, when it does not hold, prints. */
#define CHECK(holds) check_that((holds) != 0, #holds, __FILE__, __LINE__)
void check_that(int holds, const char *what, const char *file, int line);

/* Prints the sum; main() returns it. */
int check_done(void);

/* The n-th allocation from now on fails, and all behind it; 0: none. */
void alloc_fail_at(long n);

/* Did one fail since then? */
int alloc_failed(void);

/* Allocations that were not given back. */
long alloc_live(void);

/* From now on nothing that is given back may hold this text.  NULL: anything may. */
void alloc_forbid(const char *text);

/* A random number below n; the same ones in each run. */
uint32_t random_below(uint32_t n);

#endif
