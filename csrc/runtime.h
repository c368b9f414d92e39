/* runtime.h -- what the engine asks of the process that it runs in. */
#ifndef CE_RUNTIME_H
#define CE_RUNTIME_H

#include "engine_parts.h"

#include <signal.h>

/* Starts libcurl and the count of forks, once for all.  CE_OK or CE_ESYSTEM. */
int ce_runtime_start(void);

/* How many forks lie between this process and the one that loaded us. */
unsigned int ce_runtime_generation(void);

/* CURLOPT_NOSIGNAL takes libcurl's own shield against SIGPIPE away.  From 7.87 on
 * TLS writes go through send(MSG_NOSIGNAL); before that OpenSSL calls write(). */
struct shield {
    sigset_t before;
    int raised;   /* the mask was changed and is ours to restore */
};

/* Around what may write to a connection: a server that is gone raises no SIGPIPE. */
void ce_shield_up(const struct ce_engine *e, struct shield *s);
void ce_shield_down(const struct shield *s);

#endif
