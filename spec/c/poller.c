/* poller.c -- one contract for both pollers; built once with each. */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "poller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void open_pair(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        abort();
}

static void close_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

/* What is told about fd when nobody waits: CE_POLL_ bits. */
static int told(struct ce_poller *p, int fd)
{
    struct ce_event events[64];
    int n = ce_poller_wait(p, events, 64, 0);
    int what = 0;
    int i;

    CHECK(n >= 0);
    for (i = 0; i < n; i++)
        if (events[i].fd == fd)
            what |= events[i].what;
    return what;
}

static void wanting(void)
{
    struct ce_poller *p = ce_poller_open();

    open_pair();
    CHECK(p != NULL);
    CHECK(told(p, pair[0]) == 0);
    CHECK(ce_poller_want(p, pair[0], CE_POLL_OUT) == CE_OK);
    CHECK(told(p, pair[0]) == CE_POLL_OUT);
    CHECK(ce_poller_want(p, pair[0], CE_POLL_IN) == CE_OK);
    CHECK(told(p, pair[0]) == 0);
    CHECK(write(pair[1], "x", 1) == 1);
    CHECK(told(p, pair[0]) == CE_POLL_IN);
    CHECK(ce_poller_want(p, pair[0], CE_POLL_IN | CE_POLL_OUT) == CE_OK);
    CHECK(told(p, pair[0]) == (CE_POLL_IN | CE_POLL_OUT));
    CHECK(ce_poller_want(p, pair[0], 0) == CE_OK);
    CHECK(told(p, pair[0]) == 0);
    /* Taken back and asked for again before anybody waited: as if nothing had been. */
    CHECK(ce_poller_want(p, pair[0], CE_POLL_OUT) == CE_OK);
    CHECK(ce_poller_want(p, pair[0], 0) == CE_OK);
    CHECK(ce_poller_want(p, pair[0], CE_POLL_OUT) == CE_OK);
    CHECK(told(p, pair[0]) == CE_POLL_OUT);
    ce_poller_forget(p, pair[0]);
    CHECK(told(p, pair[0]) == 0);
    ce_poller_forget(p, pair[0]);
    ce_poller_forget(p, 100000);
    /* The other side has gone. */
    CHECK(ce_poller_want(p, pair[0], CE_POLL_IN) == CE_OK);
    close(pair[1]);
    CHECK((told(p, pair[0]) & (CE_POLL_IN | CE_POLL_ERR)) != 0);
    ce_poller_forget(p, pair[0]);
    close(pair[0]);
    ce_poller_close(p);
    ce_poller_close(NULL);
}

/* A number that is closed and comes back as another socket. */
static void reused(void)
{
    struct ce_poller *p = ce_poller_open();
    int fd;

    open_pair();
    fd = pair[0];
    CHECK(ce_poller_want(p, fd, CE_POLL_OUT) == CE_OK);
    CHECK(told(p, fd) == CE_POLL_OUT);
    ce_poller_forget(p, fd);
    close_pair();
    open_pair();
    CHECK(pair[0] == fd);
    CHECK(told(p, fd) == 0);
    CHECK(ce_poller_want(p, fd, CE_POLL_OUT) == CE_OK);
    CHECK(told(p, fd) == CE_POLL_OUT);
    /* Closed behind our back, and back again. */
    close_pair();
    open_pair();
    CHECK(pair[0] == fd);
    CHECK(ce_poller_want(p, fd, CE_POLL_IN | CE_POLL_OUT) == CE_OK);
    CHECK(told(p, fd) == CE_POLL_OUT);
    close_pair();
    CHECK(ce_poller_want(p, fd, 0) == CE_OK);
    CHECK(told(p, fd) == 0);
    ce_poller_close(p);
}

static void many(void)
{
    enum { COUNT = 150 };
    int ends[COUNT][2];
    struct ce_poller *p = ce_poller_open();
    struct ce_event events[COUNT];
    int i;
    int n;

    for (i = 0; i < COUNT; i++) {
        open_pair();
        ends[i][0] = pair[0];
        ends[i][1] = pair[1];
        CHECK(ce_poller_want(p, ends[i][0], CE_POLL_IN) == CE_OK);
    }
    for (i = 0; i < COUNT; i += 3)
        CHECK(write(ends[i][1], "x", 1) == 1);
    n = ce_poller_wait(p, events, COUNT, 0);
    CHECK(n == 50);
    for (i = 0; i < n; i++) {
        int k;

        for (k = 0; k < COUNT && ends[k][0] != events[i].fd; k++)
            ;
        CHECK(k < COUNT && k % 3 == 0 && events[i].what == CE_POLL_IN);
    }
    CHECK(ce_poller_wait(p, events, 7, 0) == 7);
    for (i = 0; i < COUNT; i += 2)
        ce_poller_forget(p, ends[i][0]);
    CHECK(ce_poller_wait(p, events, COUNT, 0) == 25);
    for (i = 0; i < COUNT; i++) {
        ce_poller_forget(p, ends[i][0]);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    CHECK(ce_poller_wait(p, events, COUNT, 0) == 0);
    ce_poller_close(p);
}

static void waiting(void)
{
    struct ce_poller *p = ce_poller_open();
    struct ce_event events[4];

    open_pair();
    CHECK(ce_poller_want(p, pair[0], CE_POLL_IN) == CE_OK);
    CHECK(ce_poller_wait(p, events, 4, 20) == 0);
    CHECK(ce_poller_flush(p) == 0);
    if (ce_poller_fd(p) >= 0) {
        /* Another loop can watch the whole set by one descriptor. */
        struct ce_poller *outer = ce_poller_open();

        CHECK(ce_poller_want(outer, ce_poller_fd(p), CE_POLL_IN) == CE_OK);
        CHECK(told(outer, ce_poller_fd(p)) == 0);
        CHECK(write(pair[1], "x", 1) == 1);
        CHECK(told(outer, ce_poller_fd(p)) == CE_POLL_IN);
        ce_poller_close(outer);
    }
    close_pair();
    ce_poller_close(p);
}

static void failing(void)
{
    struct ce_poller *p;
    int i;

    alloc_fail_at(1);
    CHECK(ce_poller_open() == NULL);
    alloc_fail_at(0);
    CHECK(alloc_live() == 0);
    open_pair();
    for (i = 1; i <= 2; i++) {
        int rc;

        p = ce_poller_open();
        CHECK(p != NULL);
        alloc_fail_at(i);
        rc = ce_poller_want(p, pair[0], CE_POLL_OUT);
        CHECK(rc == (alloc_failed() ? CE_ENOMEM : CE_OK));
        alloc_fail_at(0);
        CHECK(ce_poller_want(p, pair[0], CE_POLL_OUT) == CE_OK);
        CHECK(told(p, pair[0]) == CE_POLL_OUT);
        ce_poller_close(p);
        CHECK(alloc_live() == 0);
    }
    close_pair();
}

int main(void)
{
    wanting();
    reused();
    many();
    waiting();
    failing();
    return check_done();
}
