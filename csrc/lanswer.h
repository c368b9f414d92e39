/* lanswer.h -- what a call brought, as a table for Lua. */
#ifndef CE_LANSWER_H
#define CE_LANSWER_H

#include "engine.h"
#include "lcompat.h"

/* Makes the metatable of answers, once per Lua state. */
void ce_answer_class(lua_State *L);

/* Pushes {status, head, request_id, warning, seconds, reused, headers} for a whole
 * answer.  head has its header lines as they came; headers, by lower-case name, is made of
 * them when it is first read.  The strings are Lua's. */
void ce_push_answer(lua_State *L, const struct ce_outcome *o);

/* Pushes {kind, message, phase, sent, reused, seconds, code, status} for any other end. */
void ce_push_failure(lua_State *L, const struct ce_outcome *o);

#endif
