/* SPDX-License-Identifier: Apache-2.0 */
#include "session_orphans.h"

#include "session_roots.h"
#include "symbols/thread_list.h"

/* The list may change under us, as threads of the target begin and end. */
#define LIST_ATTEMPTS 5
/* glibc itself keeps 40 MiB of stacks; the rest are of threads at the time of the fork. */
#define ORPHANS_MAX 65536

static struct memtool_error *read_list(struct session *session, struct listed_threads *ret)
{
	struct memtool_error *error = session_load_libc(session);

	for (int attempt = 1; !error; attempt++) {
		error = libc_list_cached_stacks(&session->libc, session->modules,
						&session->process->memory, ret);
		if (!error || attempt == LIST_ATTEMPTS ||
		    !memtool_error_catch(&error, MEMTOOL_ERROR_CORRUPT))
			break;
	}
	return error;
}

struct memtool_error *session_list_orphans(struct session *session, struct fs_base_array *ret)
{
	_cleanup_(listed_threads_deinit) struct listed_threads stacks = { 0 };

	memtool_error_destroy(session->orphans_unknown);
	session->orphans_unknown = NULL;
	if (!session->process->forked)
		return NULL;
	struct memtool_error *error = read_list(session, &stacks);
	if (error &&
	    (error->code == MEMTOOL_ERROR_NO_MEMORY || error->code == MEMTOOL_ERROR_NO_PROCESS))
		return error;
	session->orphans_unknown = error;
	for (size_t i = 0; i < stacks.count && i < ORPHANS_MAX; i++) {
		if (!fs_base_array_append(ret, &stacks.data[i].fs_base))
			return memtool_error_no_memory;
	}
	return NULL;
}
