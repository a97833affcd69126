/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: one target, from its pid to its heap. The front door of the reader.
 *
 * This is where the rooms meet: the process and its threads (target/), the agent's page and the
 * libc's symbols (glibc/inventory.h, symbols/), and the reading of the heap (glibc/).
 * session_open() does all that needs no stop; session_read_heap() stops the target, copies, lets it
 * run, and then thinks.
 */
#ifndef SESSION_H
#define SESSION_H

#include "glibc/heap.h"
#include "glibc/inventory.h"
#include "support/array.h"
#include "support/error.h"
#include "symbols/libc.h"
#include "symbols/malloc_code.h"
#include "symbols/malloc_provider.h"
#include "target/maps.h"
#include "target/pause.h"
#include "target/process.h"

struct stop;

enum layout_source { LAYOUT_AUTO, LAYOUT_TABLE, LAYOUT_DWARF };

/* "table", as in --layout and in output. */
const char *layout_source_name(enum layout_source source);

struct session_options {
	enum root_source source; /* ROOT_UNKNOWN: the best there is */
	enum layout_source layout;
	/* Which of session->glibcs, counted from 1; 0: the one that serves the program. */
	unsigned int libc;
	/* Reads while the target runs: no thread is stopped, and nothing is asked of ptrace. */
	bool no_stop;
	/*
	 * Reads a copy that the kernel makes of the target while it is stopped (target/snapshot.h).
	 * Where there can be none, the target is read while it is stopped, and snapshot_refused of
	 * struct session says why.
	 */
	bool snapshot;
	/*
	 * If not 0: session_read_heap() takes the way by which the target stands still no longer
	 * than that, a stop or a snapshot, or fails with MEMTOOL_ERROR_TOO_LONG before it stops
	 * anything. With snapshot, that is the only way, and a stop where there can be none. Of no
	 * meaning with no_stop and held.
	 */
	uint64_t max_pause_ns;
	/* If not NULL: holds the target already, and goes on to when the heap has been read. */
	const struct stop *held;
	/* Of heap_source in glibc/read.h. */
	memtool_progress_fn progress;
	void *progress_context;
};

enum read_method { READ_STOPPED, READ_SNAPSHOT, READ_RUNNING };

/* "stop", "snapshot" or "no-stop", as in output. */
const char *read_method_name(enum read_method method);

/* One malloc of glibc's: the program's libc, one that dlmopen(3) loaded, or libc_malloc_debug. */
struct session_glibc {
	struct libc libc; /* its module is NULL where the page alone has told all */
	struct malloc_roots roots; /* without threads */
	struct glibc_layout layout;
	bool in_use; /* memory was taken from it, as of session_open() */
	struct memtool_error
		*error; /* why it cannot be shown, and nothing but libc is known; or NULL */
};

DEFINE_ARRAY(session_glibcs, struct session_glibc)

struct session {
	struct process *process;
	struct maps maps; /* as of session_open() */
	struct session_options options;
	/*
	 * The agent's page, its threads by fs_base; NULL if there is none, or none to believe: then
	 * inventory_error says why.
	 */
	struct inventory *inventory;
	struct memtool_error *inventory_error;
	/* Loaded when symbols are needed; until then modules and libc.module are NULL. */
	struct modules *modules;
	struct libc libc;
	struct malloc_code malloc_code; /* empty as long as modules are not loaded */
	/*
	 * The file that main_arena is in: its path as the target sees it, and whether it is gone.
	 */
	const char *libc_name;
	bool libc_deleted;
	struct malloc_roots roots; /* without threads; of the glibc that is shown, as is layout */
	/* By far most processes have one, the program's, which is first; shown is an index. */
	struct session_glibcs glibcs;
	size_t shown;
	struct malloc_provider malloc; /* its module is NULL also where it is not told */
	/* The one to begin with: the heap's own is the one that memory showed. */
	struct glibc_layout layout;
	enum layout_source layout_source; /* not LAYOUT_AUTO: where layout came from */
	/* The others that the binary allows: rows of the table, or plain_or_mangled. */
	const struct glibc_layout *other_layouts[GLIBC_LAYOUTS];
	size_t other_count;
	struct glibc_layout plain_or_mangled; /* layout, with the other kind of links */
	/* The table has no row of this version that fits, or the version is not known. */
	bool layout_unconfirmed;
	/*
	 * One line on how the layout was told where it was not by version; "" until the heap is
	 * read.
	 */
	char layout_note[256];
	bool located; /* all from libc_name on is known */
	/*
	 * Why the caches of threads that a fork left behind could not be looked for; NULL: they
	 * were.
	 */
	struct memtool_error *orphans_unknown;
	enum read_method method; /* of the last session_read_heap() */
	struct memtool_error *snapshot_refused; /* or a copy was left: see session_read_heap() */
	unsigned int stops; /* how often the last session_read_heap() stopped the target */
};

/* The process alone, whatever its malloc is. */
struct memtool_error *session_attach(pid_t pid, const struct session_options *options,
				     struct session **ret);

/*
 * Finds glibc's malloc in it: roots and layout. Does nothing if that was done already. Where
 * another malloc serves, it fails with MEMTOOL_ERROR_NOT_GLIBC, naming that, unless glibc's heap is
 * in use beside it: session->malloc tells then.
 */
struct memtool_error *session_locate(struct session *session);

/* Both. */
struct memtool_error *session_open(pid_t pid, const struct session_options *options,
				   struct session **ret);

/*
 * The modules mapped when the session was opened, or last refreshed; loaded when first asked for.
 */
struct memtool_error *session_load_modules(struct session *session);

/* Looks anew at the mappings, and forgets all that was found by them. */
struct memtool_error *session_refresh(struct session *session);

/*
 * Threads that are inside malloc are let out of it before the target is read, and where the audit
 * fails all the same, the target is stopped and read anew, a few times; the reading with the least
 * doubt counts. *ret_stopped_ns is how long the target stood still in all; it runs on when this
 * returns. For a snapshot, session->snapshot_refused is set where there was none, or where what is
 * left of it could not be collected.
 */
struct memtool_error *session_read_heap(struct session *session, struct heap **ret,
					uint64_t *ret_stopped_ns);

/*
 * How long the target would stand still for that, as it is just now; it is located, and not
 * stopped.
 */
struct memtool_error *session_estimate_pause(const struct session *session,
					     struct pause_estimate *ret);

DEFINE_ARRAY(root_threads, struct root_thread)

/*
 * The threads alone, by ascending tid: from their registers, for which the target is stopped for a
 * moment unless it is held, or, with no_stop, as session_read_heap() knows them then.
 */
struct memtool_error *session_list_threads(struct session *session, struct root_threads *ret,
					   uint64_t *ret_stopped_ns);

/*
 * fs_base of a thread: out of its registers if stop, which may be NULL, holds the target; else as
 * the agent's page or glibc's own list of threads has it. MEMTOOL_ERROR_UNSUPPORTED if nothing
 * tells.
 */
struct memtool_error *session_thread_pointer(struct session *session, const struct stop *stop,
					     pid_t tid, uint64_t *ret);

/* NULL is fine. */
void session_close(struct session *session);

#define _cleanup_session_ _cleanup_(cleanup_session)
static inline void cleanup_session(struct session **session)
{
	session_close(*session);
}

#endif
