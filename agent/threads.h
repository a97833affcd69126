/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of the process: each enters itself in the page when it starts, and leaves when it
 * ends, whether it returns, calls pthread_exit(3) or is cancelled.
 *
 * pthread_create() and thrd_create() of the agent stand in front of libc's. A thread runs through a
 * function of ours that ends in a jump to its own: nothing of the agent is on its stack.
 */
#ifndef AGENT_THREADS_H
#define AGENT_THREADS_H

#include "agent/objects.h"

/* Takes note of where the functions are. */
void threads_set_functions(const struct objects *objects);

/* The calling thread is in entry 0 of a new page. */
void threads_own_first_entry(void);

#endif
