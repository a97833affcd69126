/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mp_ and the ring of arenas. Every arena ever made stays in the ring, also one that no thread uses
 * (malloc/arena.c).
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <inttypes.h>

/* As many as a look at the ring alone follows: 8 for each of 512 processors. */
#define RING_MAX 4096

static struct memtool_error *add_other_books(struct heap_copy *copy)
{
	struct heap_params *params = &copy->heap->params;

	for (size_t i = 0; i < copy->other_books_count; i++) {
		const struct other_books *other = &copy->other_books[i];
		uint64_t bytes = 0;
		uint32_t count = 0;
		bool ok;

		struct memtool_error *error = copy_bytes(copy, other->mp + other->n_mmaps, &count,
							 sizeof(count), "mp_", &ok);
		if (!error && ok)
			error = copy_bytes(copy, other->mp + other->mmapped_mem, &bytes,
					   sizeof(bytes), "mp_", &ok);
		if (error)
			return error;
		if (ok) {
			params->n_mmaps += count;
			params->mmapped_mem += bytes;
		}
	}
	return NULL;
}

struct memtool_error *copy_params(struct heap_copy *copy)
{
	const struct glibc_layout *layout = copy->layout;
	struct heap_params *params = &copy->heap->params;
	uint8_t mp[GLIBC_MALLOC_PAR_MAX];
	bool ok;

	params->heap_max = GLIBC_DEFAULT_HEAP_MAX;
	struct memtool_error *error = copy_bytes(copy, copy->heap->roots.mp.value, mp,
						 layout->malloc_par.size, "mp_", &ok);
	if (error || !ok)
		return error;

	params->n_mmaps = load_u32(mp + layout->malloc_par.n_mmaps);
	params->mmapped_mem = load_u64(mp + layout->malloc_par.mmapped_mem);
	params->sbrk_base = load_u64(mp + layout->malloc_par.sbrk_base);
	params->mmap_threshold = load_u64(mp + layout->malloc_par.mmap_threshold);
	if (layout->malloc_par.tcache_count != GLIBC_ABSENT) {
		params->tcache_count = load_u64(mp + layout->malloc_par.tcache_count);
		params->tcache_max_bytes = load_u64(mp + layout->malloc_par.tcache_max_bytes);
	}
	if (layout->malloc_par.hp_pagesize != GLIBC_ABSENT)
		params->hp_pagesize = load_u64(mp + layout->malloc_par.hp_pagesize);

	/*
	 * heap_max_size() of 2.35 to 2.41; a huge page is 2 MiB or 1 GiB, whatever else is there.
	 */
	if (layout->heap_max_follows_hugetlb &&
	    (params->hp_pagesize == UINT64_C(2) << 20 || params->hp_pagesize == UINT64_C(1) << 30))
		params->heap_max = 4 * params->hp_pagesize;
	return add_other_books(copy);
}

/* Fills in what the raw malloc_state says of the arena at its address. */
static void decode_arena(const struct glibc_layout *layout, const uint8_t *state,
			 struct heap_arena *arena)
{
	arena->top = load_u64(state + layout->malloc_state.top);
	arena->system_mem = load_u64(state + layout->malloc_state.system_mem);
	arena->max_system_mem = load_u64(state + layout->malloc_state.max_system_mem);
	arena->attached_threads = load_u64(state + layout->malloc_state.attached_threads);
	arena->locked = load_u32(state + layout->malloc_state.mutex) != 0;
	arena->noncontiguous =
		load_u32(state + layout->malloc_state.flags) & GLIBC_NONCONTIGUOUS_BIT;
	/* Without a first malloc top is 0, or from 2.42 on bin_at(1), inside the arena itself. */
	if (arena->top >= arena->address && arena->top < arena->address + layout->malloc_state.size)
		arena->top = 0;
}

/* Reads the malloc_state at address and appends it; *ret_next is the ring's next. */
static struct memtool_error *copy_arena(struct heap_copy *copy, uint64_t address, bool *ret_ok,
					uint64_t *ret_next)
{
	const struct glibc_layout *layout = copy->layout;
	struct heap_arena arena = { .address = address };
	struct arena_bytes state;

	struct memtool_error *error =
		copy_bytes(copy, address, state.bytes, layout->malloc_state.size, "arena", ret_ok);
	if (error || !*ret_ok)
		return error;
	decode_arena(layout, state.bytes, &arena);
	if (arena.locked)
		audit_add(&copy->heap->audit, AUDIT_LOCKED, address, 0, 0,
			  "arena %zu at 0x%" PRIx64 " is locked: a thread is inside malloc",
			  copy->arenas.count, address);

	*ret_next = load_u64(state.bytes + layout->malloc_state.next);
	if (!arena_array_append(&copy->arenas, &arena) ||
	    !arena_bytes_array_append(&copy->arena_bytes, &state))
		return memtool_error_no_memory;
	return NULL;
}

struct memtool_error *refresh_arena(struct heap_copy *copy, uint32_t index)
{
	struct heap_arena *arena = &copy->arenas.data[index];
	struct arena_bytes state;
	bool ok;

	struct memtool_error *error = copy_bytes(copy, arena->address, state.bytes,
						 copy->layout->malloc_state.size, "arena", &ok);
	if (error || !ok)
		return error;
	decode_arena(copy->layout, state.bytes, arena);
	copy->arena_bytes.data[index] = state;
	return NULL;
}

/*
 * Whether an arena other than main_arena can be at address: right behind the heap_info of a heap
 * that says it is this arena's.
 */
static struct memtool_error *check_arena_address(struct heap_copy *copy, uint64_t address,
						 bool *ret_ok)
{
	const struct glibc_layout *layout = copy->layout;
	uint64_t heap = align_down(address, copy->heap->params.heap_max);
	uint8_t info[8];

	*ret_ok = false;
	if (address - heap == layout->heap_info.size && copy_anonymous(copy, address)) {
		struct memtool_error *error = copy_bytes(copy, heap + layout->heap_info.ar_ptr,
							 info, sizeof(info), "heap_info", ret_ok);
		if (error)
			return error;
		if (*ret_ok)
			*ret_ok = load_u64(info) == address;
	}
	if (!*ret_ok)
		audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, address, 0, 0,
			  "the ring of arenas leads to 0x%" PRIx64 ", which is no arena", address);
	return NULL;
}

struct memtool_error *copy_arenas(struct heap_copy *copy)
{
	uint64_t main_arena = copy->heap->roots.main_arena.value;
	uint64_t next, mark;
	size_t lap = 1, steps = 0;
	bool ok;

	if (main_arena % GLIBC_MALLOC_ALIGNMENT ||
	    main_arena >= CHUNK_ADDRESS_END - GLIBC_MALLOC_STATE_MAX) {
		audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, main_arena, 0, 0,
			  "main_arena cannot be at 0x%" PRIx64, main_arena);
		return NULL;
	}
	struct memtool_error *error = copy_arena(copy, main_arena, &ok, &next);
	if (error || !ok)
		return error;

	/* Brent's cycle guard: a ring that never comes back to main_arena meets its own mark. */
	mark = main_arena;
	while (next != main_arena) {
		uint64_t address = next;
		if (address == mark || copy->arenas.count >= CHUNK_NO_ARENA) {
			audit_add(&copy->heap->audit, AUDIT_BAD_ARENA, address, 0, 0,
				  "the ring of arenas runs in a circle without main_arena at "
				  "0x%" PRIx64,
				  address);
			break;
		}
		if (++steps == lap) {
			mark = address;
			lap *= 2;
			steps = 0;
		}
		error = check_arena_address(copy, address, &ok);
		if (!error && ok)
			error = copy_arena(copy, address, &ok, &next);
		if (error)
			return error;
		if (!ok)
			break;
	}
	return NULL;
}

/*
 * A look at one arena: *ret is its word of that length at offset, *address goes on to the next. A
 * fault is no error: *ret_ok is false then.
 */
static struct memtool_error *look_at_arena(const struct heap_source *source, uint64_t *address,
					   uint16_t offset, void *ret, size_t length, bool *ret_ok)
{
	uint64_t next = *address + source->layout->malloc_state.next;

	struct memtool_error *error =
		memory_read(source->memory, *address + offset, ret, length, "arena");
	if (!error)
		error = memory_read(source->memory, next, address, sizeof(*address), "arena");
	*ret_ok = !error;
	memtool_error_catch(&error, MEMTOOL_ERROR_FAULT);
	return error;
}

struct memtool_error *heap_has_locked_arena(const struct heap_source *source, bool *ret)
{
	uint64_t main_arena = source->roots->main_arena.value, address = main_arena;
	uint32_t mutex = 0;
	bool ok = true;

	for (size_t i = 0; i < RING_MAX && ok && !mutex && (i == 0 || address != main_arena); i++) {
		struct memtool_error *error =
			look_at_arena(source, &address, source->layout->malloc_state.mutex, &mutex,
				      sizeof(mutex), &ok);
		if (error)
			return error;
	}
	*ret = mutex != 0;
	return NULL;
}

/* *ret_ok only if the ring comes back to main_arena. */
static struct memtool_error *add_system_mem(const struct heap_source *source, uint64_t *sum,
					    bool *ret_ok)
{
	uint64_t main_arena = source->roots->main_arena.value, address = main_arena;
	uint64_t bytes;
	bool ok = true;
	size_t i;

	for (i = 0; i < RING_MAX && (i == 0 || address != main_arena); i++) {
		struct memtool_error *error =
			look_at_arena(source, &address, source->layout->malloc_state.system_mem,
				      &bytes, sizeof(bytes), &ok);
		if (error || !ok || bytes > CHUNK_ADDRESS_END) {
			*ret_ok = false;
			return error;
		}
		*sum += bytes;
	}
	*ret_ok = address == main_arena;
	return NULL;
}

struct memtool_error *heap_expected_bytes(const struct heap_source *source, uint64_t *ret)
{
	uint64_t mp = source->roots->mp.value, bytes = 0;
	uint32_t mmapped = 0;
	bool ok;

	struct memtool_error *error = add_system_mem(source, &bytes, &ok);
	if (!error && ok) {
		error = memory_read(source->memory, mp + source->layout->malloc_par.n_mmaps,
				    &mmapped, sizeof(mmapped), "mp_");
		ok = !error;
		memtool_error_catch(&error, MEMTOOL_ERROR_FAULT);
	}
	if (error)
		return error;
	*ret = ok ? bytes + mmapped * MMAPPED_READ_COST : UINT64_MAX;
	return NULL;
}
