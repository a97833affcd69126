/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspection.h"

#include "cli/message.h"
#include "cli/snapshot_note.h"

#include <unistd.h>

/* Whether an error leaves something to be told of the process. */
static bool is_passing(const struct memtool_error *error)
{
	return error->code != MEMTOOL_ERROR_NO_MEMORY && error->code != MEMTOOL_ERROR_NO_PROCESS &&
	       error->code != MEMTOOL_ERROR_INTERRUPTED && error->code != MEMTOOL_ERROR_TOO_LONG;
}

/* Where it is not glibc, or one that cannot be told, that is no error. */
static struct memtool_error *find_libc(struct inspection *inspection)
{
	struct session *session = inspection->session;
	struct memtool_error *error = NULL;

	inspection->libc = &session->libc;
	if (session->libc.module)
		return NULL;
	error = libc_find(inspection->modules, &inspection->process->memory, &inspection->own_libc);
	inspection->libc = error ? NULL : &inspection->own_libc;
	if (!error || !is_passing(error))
		return error;
	memtool_error_destroy(error);
	return NULL;
}

struct memtool_error *inspection_load_modules(struct inspection *inspection)
{
	if (inspection->modules)
		return NULL;
	struct memtool_error *error = session_load_modules(inspection->session);
	if (error)
		return error;
	inspection->modules = inspection->session->modules;
	return find_libc(inspection);
}

/* The threads that the heap was read with. */
static struct memtool_error *take_threads(struct inspection *inspection)
{
	const struct malloc_roots *roots = &inspection->heap->roots;

	for (size_t i = 0; i < roots->thread_count; i++) {
		if (!root_threads_append(&inspection->threads, &roots->threads[i]))
			return memtool_error_no_memory;
	}
	return NULL;
}

static struct memtool_error *read_heap(struct inspection *inspection, bool quiet)
{
	struct memtool_error *error = session_locate(inspection->session);

	if (!error && !quiet)
		snapshot_note_before(inspection->session);
	if (!error)
		error = session_read_heap(inspection->session, &inspection->heap,
					  &inspection->stopped_ns);
	progress_bar_deinit(&inspection->bar);
	if (!error || !is_passing(error))
		return error;
	inspection->missing = error;
	return NULL;
}

/* The threads of a process whose heap could not be read, if they can be had. */
static struct memtool_error *read_threads(struct inspection *inspection)
{
	struct memtool_error *error = session_list_threads(
		inspection->session, &inspection->threads, &inspection->stopped_ns);

	if (!error || !is_passing(error))
		return error;
	memtool_error_destroy(error);
	return NULL;
}

static struct memtool_error *load_heap(struct inspection *inspection, bool quiet)
{
	struct memtool_error *error = read_heap(inspection, quiet);

	if (!error)
		error = inspection_load_modules(inspection);
	if (!error)
		error = inspection->heap ? take_threads(inspection) : read_threads(inspection);
	if (!error)
		error = thread_memory_find(inspection->process, inspection->modules,
					   inspection->libc, &inspection->threads,
					   &inspection->thread_memory);
	return error;
}

#define _cleanup_inspection_ _cleanup_(cleanup_inspection)
static void cleanup_inspection(struct inspection **inspection)
{
	inspection_close(*inspection);
}

struct memtool_error *inspection_open(const struct common_options *common, enum inspect_level level,
				      struct inspection **ret)
{
	_cleanup_inspection_ struct inspection *inspection = calloc(1, sizeof(*inspection));

	if (!inspection)
		return memtool_error_no_memory;
	struct session_options options = common->session;
	inspection->bar.fd = -1;
	if (!common->quiet)
		progress_bar_init(&inspection->bar, STDERR_FILENO, &options);
	struct memtool_error *error = session_attach(common->pid, &options, &inspection->session);
	if (error)
		return error;
	inspection->process = inspection->session->process;
	if (level == INSPECT_MODULES)
		error = inspection_load_modules(inspection);
	else if (level == INSPECT_HEAP)
		error = load_heap(inspection, common->quiet);
	if (!error)
		error = maps_read(inspection->process->pid, &inspection->maps);
	if (error)
		return error;
	*ret = no_cleanup_ptr(inspection);
	return NULL;
}

void inspection_close(struct inspection *inspection)
{
	if (!inspection)
		return;
	progress_bar_deinit(&inspection->bar);
	thread_memory_deinit(&inspection->thread_memory);
	root_threads_deinit(&inspection->threads);
	heap_destroy(inspection->heap);
	memtool_error_destroy(inspection->missing);
	session_close(inspection->session);
	maps_deinit(&inspection->maps);
	free(inspection);
}

static struct memtool_error *give(const struct inspect_answer *answer,
				  struct common_options *settings)
{
	_cleanup_inspection_ struct inspection *inspection = NULL;
	struct memtool_error *error = inspection_open(settings, answer->level, &inspection);

	if (!error && answer->find)
		error = answer->find(inspection, settings);
	if (error)
		return error;
	if (!settings->quiet)
		snapshot_note(inspection->session);
	if (inspection->missing && !settings->quiet)
		message_note("nothing is told of the heap: %s", inspection->missing->message);

	_cleanup_output_ struct output *output = NULL;
	error = output_open(settings->output, &output);
	if (error)
		return error;
	error = answer->writers[settings->format](inspection, settings, output);
	if (error)
		return error;
	return output_finish(output);
}

enum exit_status inspect_give(const struct inspect_answer *answer, struct common_options *settings)
{
	_cleanup_error_ struct memtool_error *error = give(answer, settings);

	if (!error)
		return STATUS_ANSWERED;
	message_error(error);
	return STATUS_FAILED;
}
