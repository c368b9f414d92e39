/* transfer.h -- the life of a transfer, for the engine that it is in; for all others there
 * is ce_transfer_start() and its like in engine.h. */
#ifndef CE_TRANSFER_H
#define CE_TRANSFER_H

#include "engine_parts.h"

#include <curl/curl.h>

/* It has ended: takes it out of its pool and puts it among the finished. */
void ce_transfer_finish(struct ce_engine *e, struct ce_transfer *t, CURLcode code);

/* Takes it from among the finished, where it is there. */
void ce_transfer_unqueue(struct ce_engine *e, struct ce_transfer *t);

/* Takes it from among the live ones. */
void ce_transfer_delist(struct ce_engine *e, struct ce_transfer *t);

/* Wipes and frees one that is in no pool and no list. */
void ce_transfer_destroy(struct ce_transfer *t);

#endif
