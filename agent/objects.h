/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared objects of this process: libc among them, and who defines the functions that matter.
 *
 * The agent looks symbols up itself: dlsym(3) may allocate, and linking to these functions would
 * bind it to the libc it was built with, or to libpthread.
 */
#ifndef AGENT_OBJECTS_H
#define AGENT_OBJECTS_H

#include "common/image.h"

#include <stdbool.h>

enum object_function {
	FUNCTION_MALLOC,
	FUNCTION_PTHREAD_CREATE,
	FUNCTION_THRD_CREATE,
	FUNCTION_KEY_CREATE,
	FUNCTION_TSS_CREATE,
	FUNCTION_KEY_DELETE,
	FUNCTION_SETSPECIFIC,
	FUNCTION_GETSPECIFIC,
	FUNCTIONS,
};

struct objects {
	struct image libc; /* what has the SONAME libc.so.6; without segments if there is none */
	const char *libc_path; /* as the dynamic linker has it; lasts */
	/* The agent stands before libc in the search order: its functions are the ones called. */
	bool interposes;
	/*
	 * Addresses of the first definition in search order, but for the agent's own; of the
	 * functions that the agent defines too, of the first behind it, if one is. 0 if there is
	 * none.
	 */
	uint64_t functions[FUNCTIONS];
};

/*
 * False if the program's libc is not found: in a process of another libc (musl), or when the agent
 * is in a namespace of its own (dlmopen(3)), whose libc has another heap. The functions are those
 * that go with the agent all the same. Takes the dynamic linker's lock.
 */
bool objects_find(struct objects *ret);

/* The function of libc itself, or 0. */
uint64_t objects_libc_function(const struct objects *objects, const char *name);

#endif
