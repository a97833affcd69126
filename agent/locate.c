/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/locate.h"

#include "agent/libc_file.h"
#include "agent/system.h"
#include "common/glibc_layout.h"
#include "common/glibc_scan.h"

#include <malloc.h>
#include <string.h>

/* More arenas than any process has, against a ring that does not close. */
#define ARENAS_MAX 4096

/* Of malloc_state: `top` is 16 bytes before `bins`, and those 2048 before `next`. */
#define TOP_TO_NEXT (2048 + 16)

static void take_version(const struct objects *objects, char *ret, size_t size)
{
	uint64_t address = objects_libc_function(objects, "gnu_get_libc_version");

	if (!address)
		return;
	const char *version = ((const char *(*)(void))address)();
	for (size_t i = 0; i + 1 < size && version[i]; i++)
		ret[i] = version[i];
}

/*
 * main_arena and mp_ as they lie in memory, where they are at start-up unless a tunable has changed
 * mp_; otherwise as in the file.
 */
static bool locate_globals(const struct objects *objects, struct located *ret)
{
	struct glibc_scan_arena arena;
	struct glibc_scan_par par;

	if (!glibc_scan_main_arena(&objects->libc, &arena) ||
	    !glibc_scan_mp(&objects->libc, &par)) {
		if (!libc_file_scan(objects, &arena, &par))
			return false;
	}
	ret->main_arena = arena.address;
	ret->malloc_state_next = arena.next;
	ret->mp = par.address;
	ret->malloc_par_n_mmaps_max = par.n_mmaps_max;
	return true;
}

/* The offset from the thread pointer, out of the GOT where ld.so has put it; 0 if impossible. */
static int64_t slot_offset(const struct image *libc, const struct glibc_tls_slot *slot)
{
	int64_t offset;

	/* Static TLS lies below the thread pointer (x86-64: TLS variant II). */
	if (!image_read(libc, slot->got, &offset, sizeof(offset)) || offset >= 0 ||
	    offset < INT32_MIN || offset % 8)
		return 0;
	return offset;
}

/* What this thread has there. */
static uint64_t slot_value(int64_t offset)
{
	return *(const uint64_t *)(uintptr_t)(thread_pointer() + (uint64_t)offset);
}

/* Whether an arena is there: main_arena, or another of the ring that begins with it. */
static bool in_ring(const struct image *libc, const struct located *located, uint64_t address)
{
	uint64_t arena = located->main_arena;

	if (address == arena)
		return true;
	if (!image_read(libc, arena + located->malloc_state_next, &arena, sizeof(arena)))
		return false;
	for (int i = 0; i < ARENAS_MAX && arena != located->main_arena; i++) {
		if (arena == address)
			return true;
		if (!system_peek(arena + located->malloc_state_next, &arena))
			break;
	}
	return false;
}

struct slots {
	struct glibc_tls_slot slots[GLIBC_TLS_SLOTS];
	size_t count;
};

/* Takes the slot whose value in this thread is an arena out of slots; 0 if none is one. */
static int64_t take_thread_arena(const struct image *libc, const struct located *located,
				 struct slots *slots)
{
	for (size_t i = 0; i < slots->count; i++) {
		int64_t offset = slot_offset(libc, &slots->slots[i]);
		uint64_t value = offset ? slot_value(offset) : 0;
		if (!value || value % GLIBC_MALLOC_ALIGNMENT || !in_ring(libc, located, value))
			continue;
		slots->slots[i] = slots->slots[--slots->count];
		return offset;
	}
	return 0;
}

/*
 * Up to 2.41 malloc sets thread_arena (and all of main_arena) when it is first used. mallinfo()
 * does nothing else, as long as there is nothing to count: no memory is allocated, and the first
 * malloc() later finds what it would have made itself.
 */
static void initialise_malloc(const struct objects *objects, const struct located *located)
{
	uint64_t top, address = objects_libc_function(objects, "mallinfo");

	if (!address || located->foreign_malloc ||
	    !image_read(&objects->libc,
			located->main_arena + located->malloc_state_next - TOP_TO_NEXT, &top,
			sizeof(top)) ||
	    top != 0)
		return;
	((struct mallinfo(*)(void))address)();
}

/*
 * Whether the word of this thread can be its `tcache`: none yet, the dummy, or a chunk of malloc.
 */
static bool is_plausible_tcache(const struct image *libc, uint64_t value)
{
	uint64_t size_field;

	if (value == 0)
		return true;
	const struct image_segment *segment = image_segment(libc, value, 1);
	if (segment)
		return !(segment->flags & PF_W);
	return value % GLIBC_MALLOC_ALIGNMENT == 0 &&
	       system_peek(value - GLIBC_SIZE_SZ, &size_field) && glibc_is_tcache_chunk(size_field);
}

static void locate_tls(const struct objects *objects, struct located *ret)
{
	const struct image *libc = &objects->libc;
	struct slots slots;
	size_t index;

	slots.count = glibc_scan_tls(libc, slots.slots);
	ret->thread_arena_offset = take_thread_arena(libc, ret, &slots);
	if (!ret->thread_arena_offset) {
		initialise_malloc(objects, ret);
		ret->thread_arena_offset = take_thread_arena(libc, ret, &slots);
	}
	if (!glibc_scan_tcache(libc, slots.slots, slots.count, &index))
		return;
	int64_t offset = slot_offset(libc, &slots.slots[index]);
	if (offset && is_plausible_tcache(libc, slot_value(offset)))
		ret->tcache_offset = offset;
}

bool locate(const struct objects *objects, struct located *ret)
{
	uint64_t libc_malloc = objects_libc_function(objects, "malloc");

	memset(ret, 0, sizeof(*ret));
	take_version(objects, ret->version, sizeof(ret->version));
	ret->foreign_malloc = objects->functions[FUNCTION_MALLOC] != libc_malloc;
	if (!locate_globals(objects, ret))
		return false;
	locate_tls(objects, ret);
	return true;
}
