/* measure.c -- measure [-q] TIMES COMMAND...: what a command costs from its start to its end.
 *
 * Prints one line a run: seconds of CPU (user and system, of the process and what it
 * waited for), seconds of wall, KiB of memory at its peak.  Small on purpose: what a
 * child inherits before exec counts as the child's memory.  -q: its output is dropped. */
#define _GNU_SOURCE   /* wait4, environ */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double in_seconds(struct timeval tv)
{
    return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

/* 0 and what it cost, or -1. */
static int run(char **command, int quiet)
{
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    double start = now();
    int status;
    pid_t pid;
    int rc;

    posix_spawn_file_actions_init(&actions);
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    rc = posix_spawnp(&pid, command[0], &actions, NULL, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
        return -1;
    printf("run %.6f %.6f %ld\n", in_seconds(usage.ru_utime) + in_seconds(usage.ru_stime), now() - start,
           usage.ru_maxrss);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    int quiet = argc > 1 && strcmp(argv[1], "-q") == 0;
    long times;

    if (argc < 3 + quiet)
        return 2;
    for (times = atol(argv[1 + quiet]); times > 0; times--)
        if (run(argv + 2 + quiet, quiet) != 0) {
            fprintf(stderr, "measure: %s failed\n", argv[2 + quiet]);
            return 1;
        }
    return 0;
}
