/* trust.c -- trust TIMES: what it costs to choose the trust store.
 *
 * Prints the seconds of CPU of one choice, the files being in the page cache, and
 * what was chosen. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../csrc/trust.h"

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    long times = argc > 1 ? atol(argv[1]) : 1;
    struct ce_trust trust;
    double start = now();
    long i;

    for (i = 0; i < times; i++)
        ce_trust_find(&trust, getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR"), NULL, NULL);
    printf("trust %.6f %s: %s\n", (now() - start) / (double)times, trust.path, trust.why);
    return 0;
}
