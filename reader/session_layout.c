/* SPDX-License-Identifier: Apache-2.0 */
#include "session_layout.h"

#include "session_roots.h"

#include <stdio.h>

static const char *version_name(const struct session *session)
{
	return session->libc.version[0] ? session->libc.version : "of unknown version";
}

static struct memtool_error *take_dwarf(struct session *session)
{
	struct memtool_error *error = session_load_libc(session);

	if (!error)
		error = libc_dwarf_layout(&session->libc, &session->layout);
	if (error)
		return error;
	session->layout_source = LAYOUT_DWARF;
	session->other_count = 0;
	/* No type shows safe-linking, but what came later does. */
	if (session->layout_unconfirmed && session->layout.malloc_par.hp_pagesize == GLIBC_ABSENT) {
		session->plain_or_mangled = session->layout;
		session->plain_or_mangled.safe_linking = !session->layout.safe_linking;
		session->other_layouts[session->other_count++] = &session->plain_or_mangled;
	}
	return NULL;
}

static void take_rows(struct session *session, const struct glibc_layout *const *rows, size_t count)
{
	session->layout = *rows[0];
	session->layout_source = LAYOUT_TABLE;
	session->other_count = count - 1;
	for (size_t i = 1; i < count; i++)
		session->other_layouts[i - 1] = rows[i];
}

static struct memtool_error *not_in_table(const struct session *session)
{
	const struct glibc_traits *traits = &session->libc.traits;

	if (traits->malloc_state_size)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "glibc %s, with a malloc_state of %llu and a "
					    "malloc_par of %llu bytes, is not "
					    "in the table of layouts; use --layout=dwarf",
					    version_name(session),
					    (unsigned long long)traits->malloc_state_size,
					    (unsigned long long)traits->malloc_par_size);
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "the malloc of glibc %s is like none in the table of layouts; "
				    "use --layout=dwarf",
				    version_name(session));
}

/*
 * Whether to ask the debug information first, which takes long, and may take very long in a
 * program.
 */
static bool prefers_dwarf(const struct session *session)
{
	return session->layout_unconfirmed &&
	       !(session->libc.traits.version == 0 && session->libc.module &&
		 session->libc.module->executable);
}

struct memtool_error *session_find_layout(struct session *session)
{
	const enum layout_source source = session->options.layout;
	const struct glibc_layout *rows[GLIBC_LAYOUTS];
	size_t own, count = glibc_layout_fitting(&session->libc.traits, rows, &own);

	session->layout_unconfirmed = own == 0;
	if (source == LAYOUT_DWARF)
		return take_dwarf(session);
	if (source == LAYOUT_AUTO && (count == 0 || prefers_dwarf(session))) {
		struct memtool_error *error = take_dwarf(session);
		if (!error || count == 0 || error->code == MEMTOOL_ERROR_NO_MEMORY ||
		    error->code == MEMTOOL_ERROR_NO_PROCESS)
			return error;
		memtool_error_destroy(error);
	}
	if (count == 0)
		return not_in_table(session);
	take_rows(session, rows, count);
	return NULL;
}

struct memtool_error *session_replace_layout(struct session *session, struct memtool_error *error)
{
	if (error->code != MEMTOOL_ERROR_UNSUPPORTED || !session->layout_unconfirmed ||
	    session->options.layout != LAYOUT_AUTO || session->layout_source == LAYOUT_DWARF)
		return error;
	struct memtool_error *no_dwarf = take_dwarf(session);
	if (no_dwarf) {
		memtool_error_destroy(no_dwarf);
		return error;
	}
	memtool_error_destroy(error);
	return NULL;
}

/* "borne out in memory by main_arena tcache" */
static void print_evidence(const struct layout_evidence *evidence, char *buffer, size_t size)
{
	if (!evidence->bins && !evidence->heap_info && !evidence->tcache_chunk &&
	    !evidence->links) {
		snprintf(buffer, size, "nothing in memory bears it out yet");
		return;
	}
	snprintf(buffer, size, "borne out in memory by%s%s%s%s",
		 evidence->bins ? " main_arena" : "", evidence->heap_info ? " heap_info" : "",
		 evidence->tcache_chunk ? " tcache" : "", evidence->links ? " links" : "");
}

/* Whether the layout is that of the version, and so needs no further word. */
static bool is_by_version(const struct session *session, const struct heap *heap)
{
	unsigned int version = session->libc.traits.version;

	if (session->layout_unconfirmed || session->layout_source == LAYOUT_DWARF)
		return !session->layout_unconfirmed;
	return version >= heap->layout.first_version && version <= heap->layout.last_version;
}

void session_note_layout(struct session *session, const struct heap *heap)
{
	char said[64] = "the version is not known; ", told[80], evidence[96];

	session->layout_note[0] = '\0';
	if (is_by_version(session, heap))
		return;
	if (session->libc.version[0])
		snprintf(said, sizeof(said), "the version says %s, but ", session->libc.version);
	if (session->layout_source == LAYOUT_DWARF)
		snprintf(told, sizeof(told), "malloc's structs are taken from debug information");
	else
		snprintf(told, sizeof(told), "malloc's structs are those of %s", heap->layout.name);
	print_evidence(&heap->evidence, evidence, sizeof(evidence));
	snprintf(session->layout_note, sizeof(session->layout_note), "%s%s, %s", said, told,
		 evidence);
}
