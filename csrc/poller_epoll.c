/* poller_epoll.c -- the poller on Linux: a private epoll set.
 *
 * Owns the epoll descriptor and a table by descriptor number.  Does not own the
 * descriptors it watches. */
#include "poller.h"

#if defined(__linux__) && !defined(CE_USE_POLL)

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct watch {
    unsigned char wanted;    /* CE_POLL_ bits asked for */
    unsigned char applied;   /* CE_POLL_ bits the kernel knows; 0: not in the set */
    unsigned char listed;    /* stands in the list of changes */
};

struct ce_poller {
    int epfd;
    struct watch *watches;   /* by descriptor */
    int size;
    int *changes;            /* descriptors to look at before the next wait; room for size */
    int nchanges;
};

struct ce_poller *ce_poller_open(void)
{
    struct ce_poller *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epfd < 0) {
        free(p);
        return NULL;
    }
    return p;
}

void ce_poller_close(struct ce_poller *p)
{
    if (p == NULL)
        return;
    close(p->epfd);
    free(p->watches);
    free(p->changes);
    free(p);
}

static int grow(struct ce_poller *p, int fd)
{
    int size = p->size == 0 ? 64 : p->size;
    struct watch *watches;
    int *changes;

    while (size <= fd)
        size *= 2;
    changes = realloc(p->changes, (size_t)size * sizeof(*changes));
    if (changes == NULL)
        return CE_ENOMEM;
    p->changes = changes;
    watches = realloc(p->watches, (size_t)size * sizeof(*watches));
    if (watches == NULL)
        return CE_ENOMEM;
    memset(watches + p->size, 0, (size_t)(size - p->size) * sizeof(*watches));
    p->watches = watches;
    p->size = size;
    return CE_OK;
}

int ce_poller_want(struct ce_poller *p, int fd, int what)
{
    struct watch *w;

    if (fd >= p->size && grow(p, fd) != CE_OK)
        return CE_ENOMEM;
    w = &p->watches[fd];
    w->wanted = (unsigned char)what;
    if (!w->listed) {
        w->listed = 1;
        p->changes[p->nchanges++] = fd;
    }
    return CE_OK;
}

static int apply(struct ce_poller *p, int fd, struct watch *w)
{
    struct epoll_event ev;
    int op;

    if (w->wanted == w->applied)
        return 0;
    memset(&ev, 0, sizeof(ev));
    ev.data.fd = fd;
    if (w->wanted & CE_POLL_IN)
        ev.events |= EPOLLIN;
    if (w->wanted & CE_POLL_OUT)
        ev.events |= EPOLLOUT;
    op = w->wanted == 0 ? EPOLL_CTL_DEL : (w->applied == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
    if (epoll_ctl(p->epfd, op, fd, &ev) != 0) {
        /* Closed behind our back, by code that shares the process: the set has
         * dropped it already, and a new socket may have its number. */
        if (op == EPOLL_CTL_DEL && (errno == ENOENT || errno == EBADF)) {
            w->applied = 0;
            return 0;
        }
        if (op != EPOLL_CTL_MOD || errno != ENOENT || epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
            return -1;
    }
    w->applied = w->wanted;
    return 0;
}

int ce_poller_flush(struct ce_poller *p)
{
    while (p->nchanges > 0) {
        int fd = p->changes[--p->nchanges];
        struct watch *w = &p->watches[fd];

        w->listed = 0;
        /* A connection that rests between two calls stays in the set: it will be wanted
         * again.  Should it have something to say meanwhile, wait() takes it out. */
        if (w->wanted == 0)
            continue;
        if (apply(p, fd, w) != 0) {
            w->listed = 1;
            p->nchanges++;   /* still to be done */
            return -1;
        }
    }
    return 0;
}

void ce_poller_forget(struct ce_poller *p, int fd)
{
    if (fd >= p->size)
        return;
    p->watches[fd].wanted = 0;
    /* A copy of the socket in a forked child would keep it in the set: take it
     * out by hand and do not rely on close(). */
    (void)apply(p, fd, &p->watches[fd]);
    p->watches[fd].applied = 0;
}

int ce_poller_wait(struct ce_poller *p, struct ce_event *events, int max, int timeout_ms)
{
    struct epoll_event ready[64];
    int count = 0;
    int n;
    int i;

    if (ce_poller_flush(p) != 0)
        return -1;
    n = epoll_wait(p->epfd, ready, max < 64 ? max : 64, timeout_ms);
    if (n < 0)
        return -1;
    for (i = 0; i < n; i++) {
        struct watch *w = &p->watches[ready[i].data.fd];
        struct ce_event *event = &events[count];

        if (w->wanted == 0) {
            (void)apply(p, ready[i].data.fd, w);
            continue;
        }
        event->fd = ready[i].data.fd;
        event->what = 0;
        if (ready[i].events & EPOLLIN)
            event->what |= CE_POLL_IN;
        if (ready[i].events & EPOLLOUT)
            event->what |= CE_POLL_OUT;
        if (ready[i].events & (EPOLLERR | EPOLLHUP))
            event->what |= CE_POLL_ERR;
        count++;
    }
    return count;
}

int ce_poller_fd(const struct ce_poller *p)
{
    return p->epfd;
}

#else
typedef int ce_poller_epoll_is_not_built;   /* ISO C wants something in every file */
#endif
