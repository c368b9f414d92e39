/* poller_poll.c -- the poller where there is no epoll: plain poll().
 *
 * Owns the array of descriptors to watch, kept dense; looking one up is a walk,
 * which is as good as anything below a few hundred transfers.  Does not own the
 * descriptors.  Built on Linux too with -DCE_USE_POLL, for the tests. */
#include "poller.h"

#if !defined(__linux__) || defined(CE_USE_POLL)

#include <poll.h>
#include <stdlib.h>

struct ce_poller {
    struct pollfd *fds;
    size_t count;
    size_t cap;
};

struct ce_poller *ce_poller_open(void)
{
    return calloc(1, sizeof(struct ce_poller));
}

void ce_poller_close(struct ce_poller *p)
{
    if (p == NULL)
        return;
    free(p->fds);
    free(p);
}

static struct pollfd *find(struct ce_poller *p, int fd)
{
    size_t i;

    for (i = 0; i < p->count; i++)
        if (p->fds[i].fd == fd)
            return &p->fds[i];
    return NULL;
}

void ce_poller_forget(struct ce_poller *p, int fd)
{
    struct pollfd *entry = find(p, fd);

    if (entry != NULL)
        *entry = p->fds[--p->count];
}

int ce_poller_want(struct ce_poller *p, int fd, int what)
{
    struct pollfd *entry = find(p, fd);

    if (what == 0) {
        ce_poller_forget(p, fd);
        return CE_OK;
    }
    if (entry == NULL) {
        if (p->count == p->cap) {
            size_t cap = p->cap == 0 ? 16 : p->cap * 2;
            struct pollfd *grown = realloc(p->fds, cap * sizeof(*grown));

            if (grown == NULL)
                return CE_ENOMEM;
            p->fds = grown;
            p->cap = cap;
        }
        entry = &p->fds[p->count++];
        entry->fd = fd;
    }
    entry->events = (short)(((what & CE_POLL_IN) ? POLLIN : 0) | ((what & CE_POLL_OUT) ? POLLOUT : 0));
    entry->revents = 0;
    return CE_OK;
}

int ce_poller_flush(struct ce_poller *p)
{
    (void)p;
    return 0;
}

int ce_poller_wait(struct ce_poller *p, struct ce_event *events, int max, int timeout_ms)
{
    int filled = 0;
    int ready = poll(p->fds, (nfds_t)p->count, timeout_ms);
    size_t i;

    if (ready < 0)
        return -1;
    for (i = 0; i < p->count && filled < max && filled < ready; i++) {
        short got = p->fds[i].revents;

        if (got == 0)
            continue;
        events[filled].fd = p->fds[i].fd;
        events[filled].what = ((got & POLLIN) ? CE_POLL_IN : 0) | ((got & POLLOUT) ? CE_POLL_OUT : 0) |
                              ((got & (POLLERR | POLLHUP | POLLNVAL)) ? CE_POLL_ERR : 0);
        filled++;
    }
    return filled;
}

int ce_poller_fd(const struct ce_poller *p)
{
    (void)p;
    return -1;
}

#else
typedef int ce_poller_poll_is_not_built;   /* ISO C wants something in every file */
#endif
