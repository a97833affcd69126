/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inventory page: what the agent publishes in its process and the reader finds there. Byte for
 * byte the contract between the two, which may be of different builds; doc/inventory.5 is its
 * description for others.
 *
 * The page is a header and a table of threads, in one private mapping of a sealed memfd named
 * INVENTORY_NAME, so that fork(2) copies it and the child has but to write its own into the copy;
 * where a memfd cannot be had (seccomp, RLIMIT_FSIZE), in shared anonymous memory, which the kernel
 * also shows as a mapping of its own, and which the child replaces. All fields are little-endian
 * and naturally aligned. This file does no I/O and no allocation.
 *
 * Versions: a field is added at the end of the header, in what was reserved or by a larger
 * header_size, and raises abi_minor; a reader ignores what it does not know. A field that changes
 * its meaning raises abi_major; a reader refuses a major it does not know.
 *
 * Publication: everything is filled in before magic, which is stored last, with release order; so
 * a header with the right magic is whole, at whatever instruction the process was stopped. Behind
 * check it changes later, one guarded word at a time. An entry of the table is filled, then its
 * state is stored with release order; a FREE entry may hold anything.
 *
 * Integrity: any one bit of the page that differs is either noticed (the header by check, its last
 * two words by their guards, an entry by its check) or means nothing.
 */
#ifndef COMMON_INVENTORY_H
#define COMMON_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INVENTORY_NAME "memtool-inventory"
/*
 * As it stands in /proc/PID/maps: of a memfd, and of shared anonymous memory, of which only the
 * size, which is exactly INVENTORY_SIZE, and magic tell it from the program's own.
 */
#define INVENTORY_MAPS_NAME "/memfd:" INVENTORY_NAME
#define INVENTORY_ZERO_NAME "/dev/zero"

/* "MEMTOOLI" in the order of bytes in memory. */
#define INVENTORY_MAGIC     UINT64_C(0x494c4f4f544d454d)
#define INVENTORY_ABI_MAJOR 1
#define INVENTORY_ABI_MINOR 0

#define INVENTORY_SIZE    (UINT32_C(64) << 10)
#define INVENTORY_THREADS 2044

enum inventory_flags {
	/* A thread could not be entered (the table was full, say), and is missing from it. */
	INVENTORY_OVERFLOW = 1 << 0,
	/*
	 * Loaded by dlopen(3), behind libc: of all threads only the one that did so, or that called
	 * fork(2) since, is in the table.
	 */
	INVENTORY_LATE = 1 << 1,
	/* malloc() of the program is not glibc's: another library, or the program, defines it. */
	INVENTORY_FOREIGN_MALLOC = 1 << 2,
};

#define INVENTORY_THREAD_FREE UINT32_C(0)
#define INVENTORY_THREAD_LIVE UINT32_C(0x4c495645)

struct inventory_thread {
	uint32_t state; /* INVENTORY_THREAD_FREE or INVENTORY_THREAD_LIVE */
	int32_t tid; /* in the process's own pid namespace */
	uint64_t fs_base;
	uint64_t tcache_slot; /* address of the thread's `tcache` variable; 0: not known */
	uint64_t check; /* inventory_thread_check() */
};

struct inventory_header {
	uint64_t magic;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t header_size; /* offset of the table */
	uint32_t map_size; /* of the whole mapping, table included */
	uint32_t thread_size; /* of one entry */
	uint32_t thread_capacity;
	int32_t pid; /* in the process's own pid namespace */
	/*
	 * Field 22 of /proc/PID/stat, clock ticks; 0: not known. It is in no register and in no
	 * memory, and to read a file at every start of a program costs more than the rest of the
	 * page: our agent leaves it out. The page goes with the memory that it is in, and pid tells
	 * it from a copy's. A page that has it is held to it.
	 */
	uint64_t start_time;
	uint64_t address; /* of this header in the process */
	uint64_t main_arena;
	uint64_t mp;
	int64_t tcache_offset; /* of `tcache` from fs_base; 0: not known */
	int64_t thread_arena_offset; /* of `thread_arena` from fs_base; 0: not known */
	uint32_t malloc_state_next; /* offset of `next` in malloc_state: tells its layout */
	uint32_t malloc_par_n_mmaps_max; /* offset of `n_mmaps_max` in malloc_par; 0: not known */
	char glibc_version[16]; /* gnu_get_libc_version(), NUL-padded */
	uint64_t check; /* inventory_header_check() */
	uint32_t flags; /* guarded; enum inventory_flags, only gains bits */
	uint32_t thread_high; /* guarded; entries from here on were never used */
	uint8_t reserved[8]; /* 0; means nothing yet */
};

/* A 16-bit value that changes later stands beside its complement. */
static inline uint32_t inventory_guard(uint16_t value)
{
	return value | (uint32_t)(uint16_t)~value << 16;
}

static inline bool inventory_guard_holds(uint32_t guarded)
{
	return guarded == inventory_guard((uint16_t)guarded);
}

/* FNV-1a over all that precedes check. Each step is a bijection, so one changed byte shows. */
static inline uint64_t inventory_header_check(const struct inventory_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct inventory_header, check); i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Each term is a bijection of its field, so one changed field shows. */
static inline uint64_t inventory_thread_check(const struct inventory_thread *thread)
{
	return (uint64_t)(uint32_t)thread->tid * UINT64_C(0x9e3779b97f4a7c15) +
	       (thread->fs_base ^ thread->fs_base >> 32) * UINT64_C(0xc2b2ae3d27d4eb4f) +
	       (thread->tcache_slot ^ thread->tcache_slot >> 32) * UINT64_C(0x165667b19e3779f9) + 1;
}

#define INVENTORY_OFFSET(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), "the page's ABI")

INVENTORY_OFFSET(inventory_thread, state, 0);
INVENTORY_OFFSET(inventory_thread, tid, 4);
INVENTORY_OFFSET(inventory_thread, fs_base, 8);
INVENTORY_OFFSET(inventory_thread, tcache_slot, 16);
INVENTORY_OFFSET(inventory_thread, check, 24);

INVENTORY_OFFSET(inventory_header, magic, 0);
INVENTORY_OFFSET(inventory_header, abi_major, 8);
INVENTORY_OFFSET(inventory_header, abi_minor, 10);
INVENTORY_OFFSET(inventory_header, header_size, 12);
INVENTORY_OFFSET(inventory_header, map_size, 16);
INVENTORY_OFFSET(inventory_header, thread_size, 20);
INVENTORY_OFFSET(inventory_header, thread_capacity, 24);
INVENTORY_OFFSET(inventory_header, pid, 28);
INVENTORY_OFFSET(inventory_header, start_time, 32);
INVENTORY_OFFSET(inventory_header, address, 40);
INVENTORY_OFFSET(inventory_header, main_arena, 48);
INVENTORY_OFFSET(inventory_header, mp, 56);
INVENTORY_OFFSET(inventory_header, tcache_offset, 64);
INVENTORY_OFFSET(inventory_header, thread_arena_offset, 72);
INVENTORY_OFFSET(inventory_header, malloc_state_next, 80);
INVENTORY_OFFSET(inventory_header, malloc_par_n_mmaps_max, 84);
INVENTORY_OFFSET(inventory_header, glibc_version, 88);
INVENTORY_OFFSET(inventory_header, check, 104);
INVENTORY_OFFSET(inventory_header, flags, 112);
INVENTORY_OFFSET(inventory_header, thread_high, 116);
INVENTORY_OFFSET(inventory_header, reserved, 120);

#undef INVENTORY_OFFSET

_Static_assert(sizeof(struct inventory_thread) == 32, "the page's ABI");
_Static_assert(sizeof(struct inventory_header) == 128, "the page's ABI");
_Static_assert(sizeof(struct inventory_header) +
			       INVENTORY_THREADS * sizeof(struct inventory_thread) <=
		       INVENTORY_SIZE,
	       "the table fits the mapping");

#endif
