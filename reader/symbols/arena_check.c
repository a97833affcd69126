/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/arena_check.h"

#include "common/glibc_layout.h"

#include <string.h>

#define BINS       (GLIBC_NBINS - 1)
#define PAGE       4096
#define MOST(some) ((some) / 2 + 1)

/* malloc_state from `top` on, which is the same in all releases. */
struct state {
	uint64_t top, last_remainder;
	uint64_t bins[BINS][2];
	uint32_t binmap[GLIBC_NBINS / 32];
	uint64_t next, next_free, attached_threads, system_mem;
};

#define STATE_TO_NEXT offsetof(struct state, next)
_Static_assert(STATE_TO_NEXT == 2064, "no padding");

/* An arena that is not main_arena stands behind the heap_info that begins its first heap. */
static struct memtool_error *is_in_heap(struct memory *memory, uint64_t arena, bool *ret_ok)
{
	uint64_t owner;

	*ret_ok = false;
	if (arena % PAGE != 32 && arena % PAGE != 48)
		return NULL;
	struct memtool_error *error =
		memory_peek(memory, arena - arena % PAGE, &owner, sizeof(owner), ret_ok);
	*ret_ok = *ret_ok && owner == arena;
	return error;
}

static struct memtool_error *check_ring(struct memory *memory, const struct glibc_scan_arena *arena,
					uint64_t next, bool *ret_ok)
{
	uint64_t mark = 0;
	size_t lap = 1, steps = 0;

	*ret_ok = true;
	while (next != arena->address && *ret_ok) {
		/* Brent's cycle guard: a ring that never comes back meets its own mark. */
		if (++steps == lap) {
			mark = next;
			lap *= 2;
			steps = 0;
		}
		struct memtool_error *error = is_in_heap(memory, next, ret_ok);
		if (!error && *ret_ok)
			error = memory_peek(memory, next + arena->next, &next, sizeof(next),
					    ret_ok);
		if (error)
			return error;
		*ret_ok = *ret_ok && next != mark;
	}
	return NULL;
}

/* Whether the first and the last chunk of a bin, which is itself at bin, lead back to it. */
static struct memtool_error *is_linked(struct memory *memory, const uint64_t *links, uint64_t bin,
				       bool *ret_ok)
{
	uint64_t back = bin, forth = bin;

	*ret_ok = true;
	if (links[0] == bin && links[1] == bin)
		return NULL;
	struct memtool_error *error =
		memory_peek(memory, links[0] + 24, &back, sizeof(back), ret_ok);
	if (!error && *ret_ok)
		error = memory_peek(memory, links[1] + 16, &forth, sizeof(forth), ret_ok);
	*ret_ok = *ret_ok && back == bin && forth == bin;
	return error;
}

static struct memtool_error *check_bins(struct memory *memory, const struct state *state,
					uint64_t bins, bool *ret_ok)
{
	static const uint64_t unset[BINS][2];
	uint64_t last = bins + (BINS - 1) * UINT64_C(16) - GLIBC_CHUNK_HDR_SZ;
	size_t linked = 0;

	*ret_ok = true;
	if (memcmp(state->bins, unset, sizeof(unset)) == 0)
		return NULL;
	*ret_ok = state->bins[BINS - 1][0] == last && state->bins[BINS - 1][1] == last;
	for (size_t i = 0; i < BINS && *ret_ok; i++) {
		bool ok;
		struct memtool_error *error =
			is_linked(memory, state->bins[i], bins + i * 16 - GLIBC_CHUNK_HDR_SZ, &ok);
		if (error)
			return error;
		linked += ok;
	}
	*ret_ok = *ret_ok && linked >= MOST(BINS);
	return NULL;
}

static struct memtool_error *check_top(struct memory *memory, const struct glibc_scan_arena *arena,
				       const struct state *state, bool *ret_ok,
				       struct arena_facts *ret)
{
	uint64_t size, flags, top = state->top; /* flags: above the mutex */

	*ret_ok = true;
	/* Not used yet: 0, or from 2.42 on a bin of its own. */
	if (top == 0 || top - arena->address < arena->next)
		return NULL;
	*ret_ok = top % GLIBC_MALLOC_ALIGNMENT == 0;
	if (!*ret_ok)
		return NULL;
	struct memtool_error *error =
		memory_peek(memory, top + GLIBC_SIZE_SZ, &size, sizeof(size), ret_ok);
	if (!error && *ret_ok)
		error = memory_peek(memory, arena->address, &flags, sizeof(flags), ret_ok);
	if (error || !*ret_ok)
		return error;
	/* do_check_malloc_state() of malloc.c; what was not in one piece lost the connection. */
	if (!(flags >> 32 & GLIBC_NONCONTIGUOUS_BIT))
		*ret = (struct arena_facts){
			.sbrk_base = top + (size & ~(uint64_t)GLIBC_SIZE_BITS) - state->system_mem,
			.top = top,
		};
	return NULL;
}

#define CHECKS_NEEDED 2

struct memtool_error *arena_check(struct memory *memory, const struct glibc_scan_arena *arena,
				  bool *ret_ok, struct arena_facts *ret)
{
	uint64_t start = arena->address + arena->next - STATE_TO_NEXT;
	struct arena_facts facts = { 0 };
	struct state state;
	bool ring = false, bins = false, top = false;
	size_t count;

	struct memtool_error *error =
		memory_read_some(memory, start, &state, sizeof(state), &count);
	if (!error && count == sizeof(state)) {
		error = check_ring(memory, arena, state.next, &ring);
		if (!error)
			error = check_bins(memory, &state, start + offsetof(struct state, bins),
					   &bins);
		if (!error)
			error = check_top(memory, arena, &state, &top, &facts);
	}
	if (error)
		return error;
	*ret_ok = ring + bins + top >= CHECKS_NEEDED;
	*ret = facts;
	return NULL;
}

struct memtool_error *arena_check_mp(struct memory *memory, const struct glibc_scan_par *par,
				     const struct arena_facts *facts, bool *ret_ok)
{
	/* n_mmaps_max, max_n_mmaps, no_dyn_threshold, mmapped_mem, max_mmapped_mem, sbrk_base */
	uint64_t at = par->address + ((par->n_mmaps_max + 12 + 7) & ~7U) + 16, sbrk_base;

	struct memtool_error *error =
		memory_peek(memory, at, &sbrk_base, sizeof(sbrk_base), ret_ok);
	/* Of any alignment: up to 2.33 ld.so takes the text of GLIBC_TUNABLES from brk before. */
	if (!error && *ret_ok)
		*ret_ok = facts->top == 0 || sbrk_base <= facts->top;
	return error;
}
