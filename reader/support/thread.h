/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that work for the one that calls, and on how many processors. What a library may do in
 * somebody else's program: the threads take no signals, and end before the call does that made
 * them, or with the object that they belong to.
 */
#ifndef SUPPORT_THREAD_H
#define SUPPORT_THREAD_H

#include <pthread.h>

/* How many processors this thread may use, by its affinity; 1 if that is not known. */
unsigned int usable_processors(void);

/*
 * pthread_create(3) with all signals blocked: they are for the threads that the program has itself.
 */
int thread_start(pthread_t *ret, void *(*run)(void *), void *argument);

#endif
