/* SPDX-License-Identifier: Apache-2.0 */
#include "session_roots.h"

#include "process_inventory.h"
#include "session_threads.h"
#include "symbols/libc_structure.h"

#include <stdlib.h>
#include <string.h>

struct memtool_error *session_read_inventory(struct session *session, struct inventory *ret)
{
	return process_inventory(session->process, &session->maps, ret);
}

void session_forget_inventory(struct session *session)
{
	if (session->inventory)
		inventory_deinit(session->inventory);
	free(session->inventory);
	session->inventory = NULL;
	memtool_error_destroy(session->inventory_error);
	session->inventory_error = NULL;
}

/* A missing page is no failure, and one that is refused only costs what it would have told. */
static struct memtool_error *load_inventory(struct session *session)
{
	struct inventory inventory;

	/* It may be there of an attempt that failed for another reason. */
	session_forget_inventory(session);
	struct memtool_error *error = session_read_inventory(session, &inventory);

	if (!error) {
		session->inventory = malloc(sizeof(inventory));
		if (!session->inventory) {
			inventory_deinit(&inventory);
			return memtool_error_no_memory;
		}
		session_sort_published(&inventory.threads);
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

/* What a binary shows by one way, and what is known of it by another. */
static void add_traits(struct glibc_traits *traits, const struct glibc_traits *more)
{
	if (!traits->version)
		traits->version = more->version;
	if (!traits->malloc_state_size)
		traits->malloc_state_size = more->malloc_state_size;
	if (!traits->malloc_state_next)
		traits->malloc_state_next = more->malloc_state_next;
	if (!traits->malloc_par_size)
		traits->malloc_par_size = more->malloc_par_size;
	if (!traits->malloc_par_n_mmaps_max)
		traits->malloc_par_n_mmaps_max = more->malloc_par_n_mmaps_max;
}

struct memtool_error *session_load_libc(struct session *session)
{
	struct libc libc;

	if (session->libc.module)
		return NULL;
	struct memtool_error *error = session_load_modules(session);
	if (!error)
		error = libc_find(session->modules, &session->process->memory, &libc);
	if (error)
		return error;
	add_traits(&libc.traits, &session->libc.traits);
	session->libc = libc;
	return NULL;
}

/* Fills in what is not known yet. */
static void add_roots(struct malloc_roots *roots, const struct malloc_roots *found)
{
	struct root *own[] = { &roots->main_arena, &roots->mp, &roots->tcache,
			       &roots->thread_arena };
	const struct root *more[] = { &found->main_arena, &found->mp, &found->tcache,
				      &found->thread_arena };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (own[i]->source == ROOT_UNKNOWN)
			*own[i] = *more[i];
	}
	if (roots->tls.size == 0)
		roots->tls = found->tls;
}

static struct memtool_error *take_symbols(struct session *session)
{
	struct malloc_roots found = { 0 };

	struct memtool_error *error = session_load_libc(session);
	if (!error)
		error = libc_find_roots(&session->libc, &session->process->memory, &found);
	if (!error)
		add_roots(&session->roots, &found);
	return error;
}

static struct memtool_error *take_structure(struct session *session)
{
	struct malloc_roots found = { 0 };

	struct memtool_error *error = session_load_libc(session);
	if (!error)
		error = libc_find_structure(&session->libc, &session->process->memory, &found);
	if (!error)
		add_roots(&session->roots, &found);
	return error;
}

/* Says why no source gave main_arena and mp_, and what would make each do so. */
static struct memtool_error *no_source(const struct memtool_error *symbols,
				       const struct memtool_error *structure)
{
	if (symbols->code == MEMTOOL_ERROR_NOT_GLIBC)
		return memtool_error_create(symbols->code, "%s", symbols->message);
	return memtool_error_create(
		MEMTOOL_ERROR_NO_SYMBOLS,
		"%s; without symbols, %s; or start the program with `memtool run`, which needs "
		"neither",
		symbols->message, structure->message);
}

/*
 * Symbols, then structure, for what the page lacks, or all; each may fail as long as main_arena and
 * mp_ come out. That a libc with symbols has no `tcache` is known then, not a gap.
 */
static struct memtool_error *take_rest(struct session *session)
{
	_cleanup_error_ struct memtool_error *structure = NULL;
	struct malloc_roots *roots = &session->roots;

	_cleanup_error_ struct memtool_error *symbols = take_symbols(session);
	if (!symbols)
		return NULL;
	if (session_is_tolerable(symbols) && symbols->code != MEMTOOL_ERROR_NOT_GLIBC)
		structure = take_structure(session);
	if (!session_is_tolerable(symbols))
		return no_cleanup_ptr(symbols);
	if (structure && !session_is_tolerable(structure))
		return no_cleanup_ptr(structure);
	if (roots->main_arena.source != ROOT_UNKNOWN && roots->mp.source != ROOT_UNKNOWN)
		return NULL;
	return no_source(symbols, structure);
}

/* Who asked for symbols alone is told that there are other ways. */
static struct memtool_error *insist_on_symbols(struct session *session)
{
	_cleanup_error_ struct memtool_error *error = take_symbols(session);

	if (!error || error->code != MEMTOOL_ERROR_NO_SYMBOLS)
		return no_cleanup_ptr(error);
	return memtool_error_create(error->code,
				    "%s; --source=structure does without, and so does "
				    "--source=inventory for a program started with `memtool run`",
				    error->message);
}

struct memtool_error *session_find_roots(struct session *session)
{
	const enum root_source source = session->options.source;
	const struct malloc_roots *roots = &session->roots;

	if (source == ROOT_STRUCTURE)
		return take_structure(session);
	if (source == ROOT_SYMBOLS)
		return insist_on_symbols(session);
	struct memtool_error *error = load_inventory(session);
	if (error)
		return error;
	if (session->inventory)
		take_inventory(session);
	if (source == ROOT_INVENTORY ||
	    (session->inventory && roots->tcache.source != ROOT_UNKNOWN &&
	     roots->thread_arena.source != ROOT_UNKNOWN))
		return NULL;
	return take_rest(session);
}
