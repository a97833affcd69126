/* SPDX-License-Identifier: Apache-2.0 */
#include "target/pause.h"

#include "target/procfs.h"

#include <stdlib.h>

/*
 * Measured on the machine of doc/benchmarks.md, which is given here in brackets, and about doubled.
 */
#define STOP_NS            UINT64_C(500000) /* whatever it is like [270000] */
#define SNAPSHOT_NS        UINT64_C(1000000) /* the same, and to collect the copy [560000] */
#define THREAD_NS          UINT64_C(40000) /* [25000] */
#define READ_BYTES_PER_US  UINT64_C(2200) /* [5200; 1600 of chunks of 32 bytes] */
#define FIRST_BYTES_PER_US UINT64_C(1000) /* besides, while our own memory is new to us */
#define SWAPPED_PER_US     UINT64_C(100) /* read back from a disk that is no bad one */
#define PAGE_NS            UINT64_C(150) /* copied as for fork(2) [74] */
#define HUGE_PAGE_NS       UINT64_C(4000) /* [1000 to 2000] */
#define TABLE_NS           UINT64_C(1000) /* one page of the page tables */
#define MAPPING_NS         UINT64_C(2000)

/* As much as is read at once. */
#define FIRST_BYTES (UINT64_C(2) << 20)

#define PAGE      UINT64_C(4096)
#define HUGE_PAGE (UINT64_C(2) << 20)

/* As much as a process can have: whatever is said to be more, sums do not overflow. */
#define BYTES_MAX (UINT64_C(1) << 47)
#define COUNT_MAX (UINT64_C(1) << 32)

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The number behind a field's key, of no unit or in kB; 0 if there is none. */
static uint64_t field(const char *text, const char *key)
{
	const char *value = procfs_status_field(text, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

static uint64_t field_bytes(const char *text, const char *key)
{
	return least(field(text, key), BYTES_MAX >> 10) << 10;
}

struct memtool_error *pause_facts_read(const struct process *process, const struct maps *maps,
				       struct pause_facts *ret)
{
	_cleanup_free_ char *status = NULL;
	size_t length;

	struct memtool_error *error = procfs_read(process->pid, "status", &status, &length);
	if (error)
		return error;
	*ret = (struct pause_facts){
		.heap_bytes = UINT64_MAX,
		/* Pages of hugetlbfs are counted apart from all others. */
		.private_bytes =
			field_bytes(status, "RssAnon") + field_bytes(status, "HugetlbPages"),
		.huge_bytes = field_bytes(status, "HugetlbPages"),
		.swapped_bytes = field_bytes(status, "VmSwap"),
		.table_bytes = field_bytes(status, "VmPTE"),
		.threads = field(status, "Threads"),
		.mappings = maps->count,
		.presence_known = process->pagemap_fd >= 0,
	};
	return NULL;
}

void pause_facts_read_huge(const struct process *process, struct pause_facts *facts)
{
	_cleanup_free_ char *rollup = NULL;
	size_t length;

	struct memtool_error *error = procfs_read(process->pid, "smaps_rollup", &rollup, &length);
	if (!error)
		facts->huge_bytes += field_bytes(rollup, "AnonHugePages");
	memtool_error_destroy(error);
}

/* What a stop reads, at most. */
static uint64_t bytes_read(const struct pause_facts *facts)
{
	uint64_t present = least(facts->private_bytes + facts->swapped_bytes, BYTES_MAX);

	return facts->presence_known || facts->heap_bytes == UINT64_MAX
		       ? least(facts->heap_bytes, present)
		       : least(facts->heap_bytes, BYTES_MAX);
}

static uint64_t read_ns(const struct pause_facts *facts)
{
	uint64_t bytes = bytes_read(facts);
	uint64_t swapped = least(bytes, facts->swapped_bytes);

	return bytes * 1000 / READ_BYTES_PER_US +
	       least(bytes, FIRST_BYTES) * 1000 / FIRST_BYTES_PER_US +
	       swapped * 1000 / SWAPPED_PER_US;
}

/* Page tables of what is shared, or of files, are not copied: no more than there can be others. */
static uint64_t copy_ns(const struct pause_facts *facts)
{
	uint64_t total = least(facts->private_bytes, BYTES_MAX);
	uint64_t huge = least(facts->huge_bytes, total);
	uint64_t pages = (total - huge + least(facts->swapped_bytes, BYTES_MAX)) / PAGE;
	uint64_t tables = least(facts->table_bytes / PAGE, pages);

	return pages * PAGE_NS + huge / HUGE_PAGE * HUGE_PAGE_NS + tables * TABLE_NS +
	       least(facts->mappings, COUNT_MAX) * MAPPING_NS;
}

struct pause_estimate pause_estimate(const struct pause_facts *facts)
{
	uint64_t threads_ns = least(facts->threads, COUNT_MAX) * THREAD_NS;

	return (struct pause_estimate){
		.threads_ns = threads_ns,
		.stop_ns = STOP_NS + threads_ns + read_ns(facts),
		.snapshot_ns = SNAPSHOT_NS + threads_ns + copy_ns(facts),
	};
}

enum pause_method pause_choose(const struct pause_estimate *estimate, uint64_t limit_ns,
			       bool snapshot)
{
	if (!snapshot && estimate->stop_ns <= limit_ns)
		return PAUSE_STOP;
	return estimate->snapshot_ns <= limit_ns ? PAUSE_SNAPSHOT : PAUSE_NEITHER;
}
