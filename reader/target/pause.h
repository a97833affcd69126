/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a process would stand still to have its heap read: told before anything is stopped, from
 * what the kernel says of its memory.
 *
 * Two ways are weighed: to stop it and read, which grows with the bytes of the heap, and to stop it
 * and copy it (target/snapshot.h), which grows with the pages of the whole process. Both grow with
 * its threads. The rates are those of a machine of no great speed, so that an estimate is rather
 * too long: by two to three times on the one of doc/benchmarks.md. More so for a heap of blocks
 * much larger than a page, most of which is passed over. One of the smallest chunks alone is the
 * exception: it may take half as long again as is said.
 */
#ifndef TARGET_PAUSE_H
#define TARGET_PAUSE_H

#include "support/error.h"
#include "target/maps.h"
#include "target/process.h"

#include <stdbool.h>
#include <stdint.h>

struct pause_facts {
	uint64_t heap_bytes; /* of what malloc has, as far as it is read; UINT64_MAX: not known */
	uint64_t private_bytes; /* of its own pages in memory, huge ones among them */
	uint64_t huge_bytes; /* of the huge ones among them; 0 also if that is not known */
	uint64_t swapped_bytes; /* of those swapped out */
	uint64_t table_bytes; /* of its page tables */
	uint64_t threads;
	uint64_t mappings;
	bool presence_known; /* it shows which pages are there, and the others are not read */
};

/*
 * All but heap_bytes and huge_bytes, which cost more: from /proc/PID/status (proc_pid_status(5)).
 * What that does not say is 0. maps may be older.
 */
struct memtool_error *pause_facts_read(const struct process *process, const struct maps *maps,
				       struct pause_facts *ret);

/*
 * huge_bytes, from /proc/PID/smaps_rollup: the kernel looks at every page for that, while the
 * process runs. Nothing changes where that is not to be had.
 */
void pause_facts_read_huge(const struct process *process, struct pause_facts *facts);

struct pause_estimate {
	uint64_t threads_ns; /* to stop the threads and let them go, a part of the others */
	uint64_t stop_ns;
	uint64_t snapshot_ns;
};

struct pause_estimate pause_estimate(const struct pause_facts *facts);

enum pause_method { PAUSE_STOP, PAUSE_SNAPSHOT, PAUSE_NEITHER };

/*
 * The gentlest that takes no longer than limit_ns, UINT64_MAX for no limit: a stop writes nothing
 * into the process, so it comes first, unless a snapshot is wanted. Then there is that or nothing.
 */
enum pause_method pause_choose(const struct pause_estimate *estimate, uint64_t limit_ns,
			       bool snapshot);

#endif
