/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the functions are that the agent calls but does not link to (objects.h says why not).
 */
#ifndef AGENT_FUNCTIONS_H
#define AGENT_FUNCTIONS_H

#include "agent/objects.h"

#include <stdint.h>

/* Takes note of where they are. */
void functions_set(const struct objects *objects);

/*
 * The address of one, or 0: looked for anew if it was not found before, as up to 2.33 libpthread
 * may come after we were started, and in another libc we were not started at all.
 */
uint64_t functions_find(enum object_function function);

/* The same of one that functions_find() has found before. */
uint64_t functions_known(enum object_function function);

#endif
