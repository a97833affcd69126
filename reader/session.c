/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "session_glibcs.h"
#include "session_layout.h"
#include "session_malloc.h"
#include "session_roots.h"

#include <stdlib.h>

const char *layout_source_name(enum layout_source source)
{
	static const char *const names[] = {
		[LAYOUT_AUTO] = "auto",
		[LAYOUT_TABLE] = "table",
		[LAYOUT_DWARF] = "dwarf",
	};
	return names[source];
}

const char *read_method_name(enum read_method method)
{
	static const char *const names[] = {
		[READ_STOPPED] = "stop",
		[READ_SNAPSHOT] = "snapshot",
		[READ_RUNNING] = "no-stop",
	};
	return names[method];
}

static void name_libc(struct session *session)
{
	const struct mapping *mapping = maps_find(&session->maps, session->roots.main_arena.value);

	session->libc_name = mapping ? mapping->name : "";
	session->libc_deleted = mapping && mapping->deleted;
	if (session->libc.module) {
		session->libc_name = session->libc.module->name;
		session->libc_deleted = session->libc.module->deleted;
	}
}

/* The roots, and whose malloc it is: that is the better answer where the roots cannot be had. */
static struct memtool_error *find_roots(struct session *session)
{
	struct memtool_error *failure = session_find_roots(session);

	if (failure && !session->libc.module)
		return failure;
	struct memtool_error *error = session_find_malloc(session);
	if (!error && failure && session->malloc.other)
		error = session_refuse_malloc(session, "cannot be read");
	if (!error)
		return failure;
	memtool_error_destroy(failure);
	return error;
}

struct memtool_error *session_attach(pid_t pid, const struct session_options *options,
				     struct session **ret)
{
	_cleanup_session_ struct session *session = calloc(1, sizeof(*session));
	if (!session)
		return memtool_error_no_memory;
	session->options = *options;

	struct memtool_error *error = process_open(pid, &session->process);
	if (!error)
		error = maps_read(session->process->pid, &session->maps);
	if (error)
		return error;
	*ret = no_cleanup_ptr(session);
	return NULL;
}

/* What fails while the process ends or runs another program, fails for that. */
static struct memtool_error *explain_failure(const struct session *session,
					     struct memtool_error *failure)
{
	struct memtool_error *error = process_check(session->process);

	if (!error || error->code != MEMTOOL_ERROR_NO_PROCESS) {
		memtool_error_destroy(error);
		return failure;
	}
	memtool_error_destroy(failure);
	return error;
}

struct memtool_error *session_locate(struct session *session)
{
	if (session->located)
		return NULL;
	struct memtool_error *error = find_roots(session);
	if (!error)
		error = session_find_layout(session);
	if (!error)
		error = session_choose_glibc(session);
	if (error)
		return explain_failure(session, error);
	name_libc(session);
	session->located = true;
	return NULL;
}

struct memtool_error *session_open(pid_t pid, const struct session_options *options,
				   struct session **ret)
{
	_cleanup_session_ struct session *session = NULL;

	struct memtool_error *error = session_attach(pid, options, &session);
	if (!error)
		error = session_locate(session);
	if (error)
		return error;
	*ret = no_cleanup_ptr(session);
	return NULL;
}

/* All that was found out, but for the process. */
static void forget(struct session *session)
{
	session_forget_inventory(session);
	memtool_error_destroy(session->orphans_unknown);
	session->orphans_unknown = NULL;
	memtool_error_destroy(session->snapshot_refused);
	session->snapshot_refused = NULL;
	modules_destroy(session->modules);
	session->modules = NULL;
	session->libc = (struct libc){ 0 };
	session->malloc_code = (struct malloc_code){ 0 };
	session->libc_name = NULL;
	session->roots = (struct malloc_roots){ 0 };
	session->other_count = 0;
	session->malloc = (struct malloc_provider){ 0 };
	session_forget_glibcs(session);
	session->located = false;
}

struct memtool_error *session_refresh(struct session *session)
{
	struct maps maps;
	struct memtool_error *error = process_check(session->process);

	if (!error)
		error = maps_read(session->process->pid, &maps);
	if (error)
		return error;
	forget(session);
	maps_deinit(&session->maps);
	session->maps = maps;
	return NULL;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	forget(session);
	maps_deinit(&session->maps);
	process_close(session->process);
	free(session);
}
