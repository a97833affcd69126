/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An inventory page as an agent would make it, for tests of who reads it. Room for four threads:
 * one, one that has ended, one whose tcache_slot is not known, and one place that was never used;
 * then 64 bytes that belong to nothing. INVENTORY_LATE.
 */
#ifndef TESTS_INVENTORY_PAGE_H
#define TESTS_INVENTORY_PAGE_H

#include "common/inventory.h"

#define ADDRESS    UINT64_C(0x7f2a10000000)
#define MAIN_ARENA UINT64_C(0x7f2a0fdd6c60)
#define PID        4242
#define START_TIME 123456789
#define NEXT       2160 /* of malloc_state, glibc 2.35 to 2.41 */

#define HEADER   sizeof(struct inventory_header)
#define ENTRY    sizeof(struct inventory_thread)
#define CAPACITY 4
#define USED     3
#define TAIL     64
#define PAGE     (HEADER + CAPACITY * ENTRY + TAIL)

struct page {
	struct inventory_header header;
	struct inventory_thread threads[CAPACITY];
	uint8_t tail[TAIL];
};

_Static_assert(sizeof(struct page) == PAGE, "no padding");

static inline void seal(struct inventory_header *header)
{
	header->check = inventory_header_check(header);
}

static inline struct inventory_thread live(int32_t tid, uint64_t fs_base, uint64_t tcache_slot)
{
	struct inventory_thread thread = { INVENTORY_THREAD_LIVE, tid, fs_base, tcache_slot, 0 };

	thread.check = inventory_thread_check(&thread);
	return thread;
}

/* Threads 4242 and 4250, between them a place that 4243 has left. */
static inline struct page make_page(void)
{
	struct page page = {
		.header = { .magic = INVENTORY_MAGIC,
			    .abi_major = 1,
			    .header_size = HEADER,
			    .map_size = PAGE,
			    .thread_size = ENTRY,
			    .thread_capacity = CAPACITY,
			    .pid = PID,
			    .start_time = START_TIME,
			    .address = ADDRESS,
			    .main_arena = MAIN_ARENA,
			    .mp = 0x7f2a0fdd6340,
			    .tcache_offset = -72,
			    .thread_arena_offset = -56,
			    .malloc_state_next = NEXT,
			    .malloc_par_n_mmaps_max = 84,
			    .glibc_version = "2.36",
			    .flags = inventory_guard(INVENTORY_LATE),
			    .thread_high = inventory_guard(USED) },
		.threads = { live(4242, 0x7f2a0fbe7740, 0x7f2a0fbe76f8),
			     live(4243, 0x7f2a0f3e66c0, 0x7f2a0f3e6678),
			     live(4250, 0x7f2a0ebe56c0, 0) },
	};

	page.threads[1].state = INVENTORY_THREAD_FREE;
	seal(&page.header);
	return page;
}

#endif
