/* lsecret.h -- the one thing other bindings need of a Secret. */
#ifndef CE_LSECRET_H
#define CE_LSECRET_H

#include "buf.h"
#include "lcompat.h"

/* The bytes of the Secret at index, lent while the userdata lives; raises otherwise. */
struct ce_buf *ce_check_secret(lua_State *L, int index);

#endif
