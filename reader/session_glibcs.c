/* SPDX-License-Identifier: Apache-2.0 */
#include "session_glibcs.h"

#include "session_layout.h"
#include "session_malloc.h"
#include "session_roots.h"
#include "symbols/libc_structure.h"

#include <string.h>

/* As for the program's own: by symbols, by structure where there are none or it is asked for. */
static struct memtool_error *find_roots(struct session *session, struct session_glibc *glibc)
{
	struct memory *memory = &session->process->memory;

	if (session->options.source == ROOT_STRUCTURE)
		return libc_find_structure(&glibc->libc, memory, &glibc->roots);
	struct memtool_error *error = libc_find_roots(&glibc->libc, memory, &glibc->roots);
	if (session->options.source != ROOT_SYMBOLS &&
	    memtool_error_catch(&error, MEMTOOL_ERROR_NO_SYMBOLS))
		error = libc_find_structure(&glibc->libc, memory, &glibc->roots);
	return error;
}

/* Whether memory was ever taken from it. */
static struct memtool_error *find_use(struct session *session, struct session_glibc *glibc)
{
	const struct glibc_layout *layout = &glibc->layout;
	struct memory *memory = &session->process->memory;
	uint64_t top, next, arena = glibc->roots.main_arena.value;
	uint32_t n_mmaps;

	struct memtool_error *error =
		memory_read_u64(memory, arena + layout->malloc_state.top, "main_arena", &top);
	if (!error)
		error = memory_read_u64(memory, arena + layout->malloc_state.next, "main_arena",
					&next);
	if (!error)
		error = memory_read(memory, glibc->roots.mp.value + layout->malloc_par.n_mmaps,
				    &n_mmaps, sizeof(n_mmaps), "mp_");
	if (error)
		return error;
	/* From 2.42 on top is in the arena itself before its first use. */
	glibc->in_use =
		n_mmaps || next != arena || (top && top - arena >= layout->malloc_state.size);
	return NULL;
}

/* malloc/malloc-debug.c of glibc has malloc.c compiled in without tcache. */
static void leave_out_tcache(struct glibc_layout *layout)
{
	memset(&layout->tcache, 0, sizeof(layout->tcache));
	layout->malloc_par.size = layout->malloc_par.sbrk_base + sizeof(uint64_t);
	layout->malloc_par.tcache_bins = GLIBC_ABSENT;
	layout->malloc_par.tcache_max_bytes = GLIBC_ABSENT;
	layout->malloc_par.tcache_count = GLIBC_ABSENT;
}

/* As for the program's own, and as if it were that. */
static struct memtool_error *find_layout(struct session *session, struct session_glibc *glibc)
{
	const struct session saved = *session;

	session->libc = glibc->libc;
	struct memtool_error *error = session_find_layout(session);
	glibc->layout = session->layout;
	*session = saved;
	return error;
}

/* What can be had of another one; why not is in glibc->error. */
static struct memtool_error *examine(struct session *session, struct session_glibc *glibc,
				     bool debug)
{
	struct memtool_error *error = find_roots(session, glibc);

	if (!error && debug) {
		glibc->layout = session->layout;
		leave_out_tcache(&glibc->layout);
	} else if (!error) {
		error = find_layout(session, glibc);
	}
	if (!error)
		error = find_use(session, glibc);
	if (!session_is_tolerable(error))
		return error;
	glibc->error = error;
	return NULL;
}

static struct memtool_error *add_other(struct session *session, const struct libc *libc, bool debug)
{
	struct session_glibc glibc = { .libc = *libc };
	struct memtool_error *error = examine(session, &glibc, debug);

	if (!error && !session_glibcs_append(&session->glibcs, &glibc)) {
		memtool_error_destroy(glibc.error);
		error = memtool_error_no_memory;
	}
	return error;
}

/*
 * Whether it is worth while to look at all modules: a libc is loaded by its SONAME, so that its
 * file bears that name, or, up to 2.33, that is a link to libc-2.33.so.
 */
static bool has_several(const struct maps *maps)
{
	size_t count = 0;

	for (size_t i = 0; i < maps->count; i++) {
		const char *name = strrchr(maps->data[i].name, '/');

		if (name && maps->data[i].offset == 0 &&
		    (strcmp(name, "/libc.so.6") == 0 || strncmp(name, "/libc-2.", 8) == 0))
			count++;
	}
	return count > 1;
}

/* The program's, of which all is known; if its main_arena cannot be read, the audit tells. */
static struct memtool_error *add_own(struct session *session)
{
	struct session_glibc own = {
		.libc = session->libc,
		.roots = session->roots,
		.layout = session->layout,
	};
	struct memtool_error *error = find_use(session, &own);

	if (memtool_error_catch(&error, MEMTOOL_ERROR_FAULT) || !error)
		return session_glibcs_append(&session->glibcs, &own) ? NULL
								     : memtool_error_no_memory;
	return error;
}

static struct memtool_error *add_others(struct session *session)
{
	_cleanup_(libc_array_deinit) struct libc_array others = { 0 };
	struct memtool_error *error = libc_find_others(session->modules, &session->process->memory,
						       &session->libc, &others);

	for (size_t i = 0; i < others.count && !error; i++)
		error = add_other(session, &others.data[i], false);
	return error;
}

void session_forget_glibcs(struct session *session)
{
	for (size_t i = 0; i < session->glibcs.count; i++)
		memtool_error_destroy(session->glibcs.data[i].error);
	session_glibcs_deinit(&session->glibcs);
}

static struct memtool_error *list_glibcs(struct session *session)
{
	struct memtool_error *error = NULL;
	bool several = has_several(&session->maps);

	if (several)
		error = session_load_libc(session);
	/* With the page alone, one can do without. */
	if (session_is_tolerable(error)) {
		memtool_error_destroy(error);
		error = NULL;
		several = false;
	}
	if (!error)
		error = add_own(session);
	if (!error && several)
		error = add_others(session);
	if (!error && session->malloc.debug) {
		struct libc debug = session->libc;
		debug.module = session->malloc.debug;
		error = add_other(session, &debug, true);
	}
	return error;
}

/* The first one is what the session has found already. */
static struct memtool_error *show(struct session *session, size_t index)
{
	const struct session_glibc *glibc = &session->glibcs.data[index];

	session->shown = index;
	if (index == 0)
		return NULL;
	session->roots = glibc->roots;
	if (glibc->libc.module != session->malloc.debug) {
		session->libc = glibc->libc;
		return session_find_layout(session);
	}
	/* The threads are those of the program's libc. Its layout but for the tcache is known. */
	session->layout = glibc->layout;
	session->other_count = 0;
	session->layout_unconfirmed = false;
	return NULL;
}

struct memtool_error *session_choose_glibc(struct session *session)
{
	unsigned int wanted = session->options.libc;

	session_forget_glibcs(session);
	struct memtool_error *error = list_glibcs(session);
	if (error)
		return error;

	const struct session_glibcs *glibcs = &session->glibcs;
	if (wanted > glibcs->count)
		return memtool_error_create(
			MEMTOOL_ERROR_INVALID,
			"there is no glibc %u: process %d has %zu, numbered from 1", wanted,
			session->process->pid, glibcs->count);
	if (wanted == 0) {
		/* libc_malloc_debug, which comes last, serves if it is used at all. */
		const struct session_glibc *last = &glibcs->data[glibcs->count - 1];
		bool checked = session->malloc.debug && !last->error && last->in_use;
		wanted = checked ? (unsigned int)glibcs->count : 1;
	}
	struct session_glibc *chosen = &session->glibcs.data[wanted - 1];
	if (chosen->error) {
		error = chosen->error;
		chosen->error = NULL;
		return error;
	}
	if (session->malloc.other && !chosen->in_use)
		return session_refuse_malloc(session, "was never used");
	return show(session, wanted - 1);
}

struct memtool_error *session_other_books(const struct session *session,
					  struct other_books_array *ret)
{
	for (size_t i = 0; i < session->glibcs.count; i++) {
		const struct session_glibc *glibc = &session->glibcs.data[i];
		const struct other_books books = {
			.mp = glibc->roots.mp.value,
			.n_mmaps = glibc->layout.malloc_par.n_mmaps,
			.mmapped_mem = glibc->layout.malloc_par.mmapped_mem,
		};

		if (i == session->shown || glibc->error)
			continue;
		if (!other_books_array_append(ret, &books))
			return memtool_error_no_memory;
	}
	return NULL;
}
