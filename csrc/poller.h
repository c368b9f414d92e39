/* poller.h -- a set of descriptors to wait on; epoll where there is one, poll elsewhere.
 *
 * What is wanted is written down at once and told to the kernel only when someone
 * waits: libcurl takes a socket back at the end of every call and asks for it again
 * at the start of the next, and two changes that cancel cost nothing. */
#ifndef CE_POLLER_H
#define CE_POLLER_H

#include "ce.h"

enum { CE_POLL_IN = 1, CE_POLL_OUT = 2, CE_POLL_ERR = 4 };

struct ce_event {
    int fd;
    int what;   /* CE_POLL_ bits */
};

struct ce_poller;

struct ce_poller *ce_poller_open(void);          /* NULL: errno says why */
void ce_poller_close(struct ce_poller *p);       /* NULL is fine */

/* From now on watch fd for what (CE_POLL_IN, CE_POLL_OUT or both); 0 stops. */
int ce_poller_want(struct ce_poller *p, int fd, int what);

/* fd is about to be closed: drop it now. */
void ce_poller_forget(struct ce_poller *p, int fd);

/* Waits up to timeout_ms (0: only looks) and fills events[0..max).  Returns how
 * many, or -1 with errno, EINTR among them. */
int ce_poller_wait(struct ce_poller *p, struct ce_event *events, int max, int timeout_ms);

/* Told to the kernel: all that is wanted, so that another loop can watch
 * ce_poller_fd().  Done by ce_poller_wait() itself. */
int ce_poller_flush(struct ce_poller *p);

/* One descriptor that is readable when any of the set is ready, or -1 where the
 * system has no such thing. */
int ce_poller_fd(const struct ce_poller *p);

#endif
