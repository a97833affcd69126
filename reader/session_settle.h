/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting the threads of a stopped target out of malloc. Private to the session.
 *
 * A thread that was stopped inside malloc leaves an arena half changed. So those that are inside go
 * on for a moment while all others stay where they are, until each was met outside, or patience
 * ends. malloc waits for nothing but its own locks, which nobody outside holds, so this is short:
 * the target stands still a millisecond longer, not until a stop happens to catch all of them well.
 */
#ifndef SESSION_SETTLE_H
#define SESSION_SETTLE_H

#include "session.h"
#include "target/stop.h"

/*
 * Whether the thread is inside malloc, as far as that shows: it is in malloc's code, or in a system
 * call by which malloc gets memory and gives it back. *ret_name is where, NULL if not known.
 */
bool session_is_inside(const struct session *session, const struct stopped_thread *thread,
		       const char **ret_name);

/*
 * Bounded, also by allowed_ns, and no failure if some thread stays inside: that is for the audit to
 * tell.
 */
struct memtool_error *session_settle(struct session *session, struct stop *stop,
				     uint64_t allowed_ns);

/* Finds malloc's code where the libc was not looked at before; without it less shows. */
void session_load_malloc_code(struct session *session);

#endif
