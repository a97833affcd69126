/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key whose destructor tells of a thread's end, whether it returns, calls pthread_exit(3) or is
 * cancelled: its value is the thread's entry in the page.
 *
 * No program is to notice. nptl has room for the values of 32 keys in a thread and allocates for
 * more (PTHREAD_KEY_2NDLEVEL_SIZE of nptl's descr.h); ours is the last of the 32, as a program may
 * delete a key 0 that it never made. It is made with the first thread, and when the program makes
 * its 32nd itself, it gets the number of ours: pthread_key_create() and tss_create() of the agent
 * stand in front of libc's for that. From then on threads are not entered any more, and those that
 * are there stay in the page when they end.
 */
#ifndef AGENT_KEY_H
#define AGENT_KEY_H

#include <stdbool.h>

/* Whether there is a key; made with the first call. */
bool key_make(void);

/* The calling thread is in entry 0 of a new page. */
void key_own_first_entry(void);

/*
 * Enters the calling thread in the page, if it is not there; without a key the page says that it is
 * missing.
 */
void key_enter_thread(void);

#endif
