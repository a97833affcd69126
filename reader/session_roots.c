/* SPDX-License-Identifier: Apache-2.0 */
#include "session_roots.h"

#include "process_inventory.h"
#include "symbols/libc_structure.h"

#include <stdlib.h>
#include <string.h>

struct memtool_error *session_read_inventory(struct session *session, struct inventory *ret)
{
	return process_inventory(session->process, &session->maps, ret);
}

/* A missing page is no failure, and one that is refused only costs what it would have told. */
static struct memtool_error *load_inventory(struct session *session)
{
	struct inventory inventory;
	struct memtool_error *error = session_read_inventory(session, &inventory);

	if (!error) {
		session->inventory = malloc(sizeof(inventory));
		if (!session->inventory) {
			inventory_deinit(&inventory);
			return memtool_error_no_memory;
		}
		*session->inventory = inventory;
		return NULL;
	}
	if (session->options.source == ROOT_INVENTORY || error->code == MEMTOOL_ERROR_NO_MEMORY ||
	    error->code == MEMTOOL_ERROR_NO_PROCESS)
		return error;
	if (!memtool_error_catch(&error, MEMTOOL_ERROR_NO_SYMBOLS))
		session->inventory_error = error;
	return NULL;
}

/* Takes from the page what it knows. */
static void take_inventory(struct session *session)
{
	const struct inventory_header *header = &session->inventory->header;
	struct malloc_roots *roots = &session->roots;

	roots->main_arena = (struct root){ header->main_arena, ROOT_INVENTORY };
	roots->mp = (struct root){ header->mp, ROOT_INVENTORY };
	if (header->tcache_offset)
		roots->tcache = (struct root){ header->tcache_offset, ROOT_INVENTORY };
	if (header->thread_arena_offset)
		roots->thread_arena = (struct root){ header->thread_arena_offset, ROOT_INVENTORY };
	session->libc.traits = inventory_traits(session->inventory);
	memcpy(session->libc.version, header->glibc_version, sizeof(header->glibc_version));
	session->libc.version[sizeof(session->libc.version) - 1] = '\0';
}

struct memtool_error *session_load_modules(struct session *session)
{
	return session->modules ? NULL
				: modules_load(session->process, &session->maps, &session->modules);
}

struct memtool_error *session_load_libc(struct session *session)
{
	if (session->libc.module)
		return NULL;
	struct memtool_error *error = session_load_modules(session);
	if (!error)
		error = libc_find(session->modules, &session->process->memory, &session->libc);
	return error;
}

static struct memtool_error *take_structure(struct session *session)
{
	struct memtool_error *error = session_load_libc(session);

	if (error)
		return error;
	return libc_find_structure(&session->libc, &session->process->memory, &session->roots);
}

/* Fills in from symbols what is not known yet. */
static struct memtool_error *take_symbols(struct session *session)
{
	struct malloc_roots found = { 0 }, *roots = &session->roots;

	struct memtool_error *error = session_load_libc(session);
	if (!error)
		error = libc_find_roots(&session->libc, &session->process->memory, &found);
	if (error)
		return error;
	if (roots->main_arena.source == ROOT_UNKNOWN)
		roots->main_arena = found.main_arena;
	if (roots->mp.source == ROOT_UNKNOWN)
		roots->mp = found.mp;
	if (roots->tcache.source == ROOT_UNKNOWN)
		roots->tcache = found.tcache;
	if (roots->thread_arena.source == ROOT_UNKNOWN)
		roots->thread_arena = found.thread_arena;
	return NULL;
}

struct memtool_error *session_find_roots(struct session *session)
{
	enum root_source source = session->options.source;
	struct memtool_error *error = NULL;

	if (source == ROOT_STRUCTURE)
		return take_structure(session);
	if (source != ROOT_SYMBOLS)
		error = load_inventory(session);
	if (error)
		return error;
	if (!session->inventory)
		return take_symbols(session);

	take_inventory(session);
	if (source == ROOT_INVENTORY ||
	    (session->roots.tcache.source && session->roots.thread_arena.source))
		return NULL;
	/* The page lacks one. So be it, if there are no symbols: the audit will tell. */
	error = take_symbols(session);
	if (error && error->code != MEMTOOL_ERROR_NO_MEMORY) {
		memtool_error_destroy(error);
		error = NULL;
	}
	return error;
}
