/* SPDX-License-Identifier: Apache-2.0 */
#include "session_malloc.h"

#include "session_roots.h"

#include <string.h>

/* libc_malloc_debug is glibc's, and nothing that the page tells of. */
static bool has_debug_library(const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		if (strstr(maps->data[i].name, "/libc_malloc_debug.so."))
			return true;
	}
	return false;
}

static struct memtool_error *find_malloc(struct session *session)
{
	struct memtool_error *error = NULL;

	if (!session->libc.module) {
		session->malloc.other =
			session->inventory && session->inventory->flags & INVENTORY_FOREIGN_MALLOC;
		if (!session->malloc.other && !has_debug_library(&session->maps))
			return NULL;
		error = session_load_libc(session);
	}
	if (!error)
		error = malloc_provider_find(session->modules, &session->process->memory,
					     &session->libc, &session->malloc);
	return error;
}

struct memtool_error *session_find_malloc(struct session *session)
{
	struct memtool_error *error = find_malloc(session);

	if (session_is_tolerable(error)) {
		memtool_error_destroy(error);
		error = NULL;
	}
	return error;
}

struct memtool_error *session_refuse_malloc(const struct session *session, const char *why)
{
	_cleanup_free_ char *who = malloc_provider_describe(&session->malloc);

	if (!who)
		return memtool_error_no_memory;
	return memtool_error_create(
		MEMTOOL_ERROR_NOT_GLIBC, "process %d uses %s, and glibc's heap %s; %s",
		session->process->pid, who, why,
		session->malloc.allocator ? session->malloc.allocator->remedy
					  : "memtool reads glibc's only; start the program "
					    "without that malloc");
}
