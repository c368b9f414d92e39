/* unload.c -- keeps LD_PRELOAD from the programs that a sanitized interpreter starts.
 *
 * Loaded with the sanitizers themselves, by the asan runs of spec/run. */
#include <stdlib.h>

__attribute__((constructor)) static void unload(void)
{
    unsetenv("LD_PRELOAD");
}
