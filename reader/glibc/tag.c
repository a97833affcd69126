/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tagging: follows every list in the copy and gives its chunks their state.
 *
 * Links are looked up among those the walk kept, which are sorted by address. A chunk is put in one
 * list at most; a list that meets one that is in a list already, be it itself, ends there with a
 * finding, so that no list is followed for ever.
 */
#include "glibc/chunk.h"
#include "glibc/copy.h"

#include <inttypes.h>
#include <stdlib.h>

DEFINE_ARRAY(list_array, struct heap_list)
DEFINE_ARRAY(index_array, uint32_t)

/*
 * How many chunks of a running target's list may be something else by the state of the moment when
 * the walk came by, and the list is followed on behind them all the same.
 */
#define PASSED_MAX 1000

struct tagger {
	struct heap_copy *copy;
	struct heap *heap;
	struct list_array lists;
	struct index_array listed;
	struct heap_list list; /* the one that is being followed */
};

/* "bin 3 of the tcache of thread 7", for messages. */
static void list_name(const struct tagger *tagger, char *buffer, size_t size)
{
	const struct heap_list *list = &tagger->list;

	switch (list->kind) {
	case LIST_TCACHE:
		snprintf(buffer, size, "tcache bin %" PRIu32 " of thread %d", list->bin,
			 tagger->heap->threads[list->owner].tid);
		break;
	case LIST_FASTBIN:
		snprintf(buffer, size, "fastbin %" PRIu32 " of arena %" PRIu32, list->bin,
			 list->owner);
		break;
	default:
		snprintf(buffer, size, "bin %" PRIu32 " of arena %" PRIu32, list->bin, list->owner);
	}
}

static void bad_list(struct tagger *tagger, uint64_t address, const char *what)
{
	char name[64];

	list_name(tagger, name, sizeof(name));
	audit_add(&tagger->heap->audit, AUDIT_BAD_LIST, address, 0, 0, "%s: 0x%" PRIx64 " %s", name,
		  address, what);
}

static void begin_list(struct tagger *tagger, enum list_kind kind, size_t owner, uint32_t bin,
		       int64_t counter)
{
	tagger->list = (struct heap_list){
		.kind = kind,
		.owner = (uint32_t)owner,
		.bin = bin,
		.first = (uint32_t)tagger->listed.count,
		.counter = counter,
	};
}

static bool end_list(struct tagger *tagger)
{
	struct heap_list *list = &tagger->list;
	char name[64];

	if (list->counter >= 0 && list->counter != list->count) {
		list_name(tagger, name, sizeof(name));
		audit_add(&tagger->heap->audit, AUDIT_COUNTER, 0, (uint64_t)list->counter,
			  list->count, "%s: %" PRIu32 " chunks, but its counter says %" PRId64,
			  name, list->count, list->counter);
	}
	return (list->count == 0 && list->counter <= 0) || list_array_append(&tagger->lists, list);
}

/* Says if a chunk that is in the list can only be there by mistake: glibc's lists are strict. */
static void judge_member(struct tagger *tagger, const struct chunk *chunk)
{
	const struct heap_list *list = &tagger->list;
	uint32_t bin;

	if (list->kind != LIST_TCACHE && chunk->arena != list->owner)
		bad_list(tagger, chunk_address(chunk), "is of another arena");
	if (heap_chunk_bin(chunk, &bin) && bin != list->bin)
		bad_list(tagger, chunk_address(chunk), "has the size of another bin");
}

/* Puts chunks[index] into the list; false when out of memory. */
static bool put(struct tagger *tagger, uint64_t index, enum chunk_state state)
{
	struct chunk *chunk = &tagger->heap->chunks[index];
	uint32_t element = (uint32_t)index;

	chunk->state = state;
	if (tagger->list.kind == LIST_TCACHE)
		chunk->thread = tagger->list.owner;
	judge_member(tagger, chunk);
	tagger->list.count++;
	return index_array_append(&tagger->listed, &element);
}

/*
 * Why address cannot be the next chunk of a tcache or fastbin list; NULL if it can, and is
 * chunks[*ret_index]. link is what was kept of it, or NULL: it saves a search through all chunks.
 */
static const char *judge_cached(const struct tagger *tagger, uint64_t address,
				const struct single_link *link, uint64_t *ret_index)
{
	const struct chunk *chunk = NULL;

	if (!link)
		chunk = heap_find(tagger->heap, address);
	else if (link->index != SINGLE_LINK_NO_CHUNK)
		chunk = &tagger->heap->chunks[link->index];
	if (!chunk || chunk_address(chunk) != address)
		return "is no chunk";
	*ret_index = (uint64_t)(chunk - tagger->heap->chunks);
	switch (chunk->state) {
	case CHUNK_IN_USE:
		return NULL;
	case CHUNK_MMAPPED:
		return tagger->list.kind == LIST_TCACHE ? NULL : "has a mapping of its own";
	case CHUNK_TCACHE:
	case CHUNK_FASTBIN:
		return "is in a list already";
	case CHUNK_UNLISTED:
		return "is free already, says the chunk behind it";
	default:
		return "can be in no list";
	}
}

/*
 * Whether a tcache's list is longer than any is: what leads on may be of another list by now, in
 * which the chunk is that was in this one.
 */
static bool is_too_long(const struct tagger *tagger)
{
	return tagger->copy->live && tagger->list.kind == LIST_TCACHE &&
	       tagger->list.count >= tagger->heap->params.tcache_count;
}

/*
 * Follows a tcache or fastbin list. Its pointers are bias bytes behind the chunks they mean: 16 in
 * a tcache, 0 in a fastbin.
 */
static bool follow_cached(struct tagger *tagger, uint64_t head, uint64_t bias,
			  enum chunk_state state)
{
	uint64_t next = head;
	unsigned int passed = 0;

	while (next != 0) {
		uint64_t address = next - bias, index;

		if (is_too_long(tagger)) {
			bad_list(tagger, address, "is one more than a tcache takes");
			return true;
		}
		const struct single_link *link =
			find_single_link(tagger->copy, tagger->list.kind, address);
		const char *wrong = judge_cached(tagger, address, link, &index);

		if (wrong) {
			/* A tcache holds only chunks in use; one that denies it is in doubt. */
			bad_list(tagger, address, wrong);
			if (!tagger->copy->live || !link || ++passed > PASSED_MAX)
				return true;
			next = single_link_next(link);
			continue;
		}
		if (!put(tagger, index, state))
			return false;
		if (!link) {
			bad_list(tagger, address, "has a next pointer that leads nowhere");
			return true;
		}
		next = single_link_next(link);
	}
	return true;
}

int64_t tcache_counter(const struct heap *heap, const uint8_t *tcache, uint32_t bin)
{
	const struct glibc_layout *layout = &heap->layout;
	const uint8_t *at = tcache + layout->tcache.counts + bin * layout->tcache.count_size;
	uint64_t counter = layout->tcache.count_size == 1 ? at[0] : at[0] | at[1] << 8;

	if (!layout->tcache.counts_down)
		return (int64_t)counter;
	if (heap->params.tcache_count > UINT16_MAX || counter > heap->params.tcache_count)
		return -1;
	return (int64_t)(heap->params.tcache_count - counter);
}

static bool tag_tcache(struct tagger *tagger, const struct tcache_bytes *tcache)
{
	const struct glibc_layout *layout = tagger->copy->layout;

	for (uint32_t bin = 0; bin < layout->tcache.bins; bin++) {
		uint64_t head = load_u64(tcache->bytes + layout->tcache.entries + bin * 8);

		int64_t counter = tcache_counter(tagger->heap, tcache->bytes, bin);

		begin_list(tagger, LIST_TCACHE, tcache->thread, bin, counter);
		if (counter < 0)
			audit_add(&tagger->heap->audit, AUDIT_COUNTER, 0,
				  tagger->heap->params.tcache_count, 0,
				  "tcache bin %" PRIu32 " of thread %d: its counter does not fit "
				  "mp_.tcache_count, which is %" PRIu64,
				  bin, tagger->heap->threads[tcache->thread].tid,
				  tagger->heap->params.tcache_count);
		if (!follow_cached(tagger, head, GLIBC_CHUNK_HDR_SZ, CHUNK_TCACHE) ||
		    !end_list(tagger))
			return false;
	}
	return true;
}

/* The chunk that holds a thread's tcache itself. */
static void tag_tcache_struct(struct tagger *tagger, const struct tcache_bytes *tcache)
{
	const struct heap_thread *thread = &tagger->heap->threads[tcache->thread];
	uint64_t address = thread->tcache - GLIBC_CHUNK_HDR_SZ;
	const struct chunk *found = heap_find(tagger->heap, address);

	/* With an mmap_threshold below its size it has a mapping of its own. */
	if (!found || chunk_address(found) != address || !chunk_is_live(found) ||
	    heap_usable_size(tagger->heap, found) < tagger->copy->layout->tcache.size) {
		audit_add(&tagger->heap->audit, AUDIT_BAD_THREAD, thread->tcache, 0, 0,
			  "thread %d: its tcache 0x%" PRIx64 " is in no chunk of its size",
			  thread->tid, thread->tcache);
		return;
	}
	struct chunk *chunk = &tagger->heap->chunks[found - tagger->heap->chunks];
	chunk->state = CHUNK_TCACHE_STRUCT;
	chunk->thread = tcache->thread;
}

static bool tag_fastbins(struct tagger *tagger, size_t arena)
{
	const uint8_t *state = tagger->copy->arena_bytes.data[arena].bytes;
	uint16_t offset = tagger->copy->layout->malloc_state.fastbinsY;

	if (offset == GLIBC_ABSENT)
		return true;
	for (uint32_t bin = 0; bin < GLIBC_NFASTBINS; bin++) {
		begin_list(tagger, LIST_FASTBIN, arena, bin, -1);
		if (!follow_cached(tagger, load_u64(state + offset + bin * 8), 0, CHUNK_FASTBIN) ||
		    !end_list(tagger))
			return false;
	}
	return true;
}

/* Follows one bin by fd from its head, checking each bk. */
static bool follow_bin(struct tagger *tagger, uint64_t head, uint64_t first, uint64_t last,
		       enum chunk_state state)
{
	uint64_t before = head;

	for (uint64_t address = first; address != head;) {
		const struct double_link *link = find_double_link(tagger->copy, address);

		if (!link) {
			bad_list(tagger, address, "is no free chunk");
			return true;
		}
		if (tagger->heap->chunks[link->index].state != CHUNK_UNLISTED) {
			bad_list(tagger, address, "is in a list already");
			return true;
		}
		if (link->bk != before)
			bad_list(tagger, address, "has a bk that is not the chunk before it");
		if (!put(tagger, link->index, state))
			return false;
		before = address;
		address = link->fd;
	}
	if (last != before)
		bad_list(tagger, last, "is bk of its head, but not the last chunk");
	return true;
}

static bool tag_bins(struct tagger *tagger, size_t arena)
{
	const struct glibc_layout *layout = tagger->copy->layout;
	const uint8_t *bins =
		tagger->copy->arena_bytes.data[arena].bytes + layout->malloc_state.bins;
	uint64_t address = tagger->heap->arenas[arena].address + layout->malloc_state.bins;

	for (uint32_t bin = UNSORTED_BIN; bin <= LAST_BIN; bin++) {
		/* bin_at(): the head poses as a chunk, so that its fd is the array's element. */
		uint64_t head = address + (bin - 1) * 16 - GLIBC_CHUNK_HDR_SZ;
		uint64_t first = load_u64(bins + (bin - 1) * 16);
		uint64_t last = load_u64(bins + (bin - 1) * 16 + 8);
		enum list_kind kind = LIST_SMALLBIN;
		enum chunk_state state = CHUNK_SMALLBIN;

		/* Up to 2.41 the bins are zero until the first malloc. */
		if (first == 0 && last == 0)
			continue;
		if (bin == UNSORTED_BIN) {
			kind = LIST_UNSORTED;
			state = CHUNK_UNSORTED;
		} else if (bin >= FIRST_LARGE_BIN) {
			kind = LIST_LARGEBIN;
			state = CHUNK_LARGEBIN;
		}
		begin_list(tagger, kind, arena, bin, -1);
		if (!follow_bin(tagger, head, first, last, state) || !end_list(tagger))
			return false;
	}
	return true;
}

/* Those from tcaches[first] on. Keeps the orphans whose tcache is whole. */
static bool tag_orphans(struct tagger *tagger, size_t first)
{
	struct heap *heap = tagger->heap;

	heap->orphan_count = 0;
	for (size_t i = first; i < tagger->copy->tcaches.count; i++) {
		struct tcache_bytes *tcache = &tagger->copy->tcaches.data[i];
		size_t index = heap->thread_count + heap->orphan_count;
		if (!orphan_is_whole(tagger->copy, tcache))
			continue;
		heap->threads[index] = heap->threads[tcache->thread];
		heap->orphan_count++;
		tcache->thread = (uint32_t)index;
		tag_tcache_struct(tagger, tcache);
		if (!tag_tcache(tagger, tcache))
			return false;
	}
	return true;
}

static bool tag_tcaches(struct tagger *tagger)
{
	const struct tcache_bytes_array *tcaches = &tagger->copy->tcaches;
	size_t threads = 0;

	/* The structs first: no list may hold one. */
	while (threads < tcaches->count &&
	       tcaches->data[threads].thread < tagger->heap->thread_count)
		tag_tcache_struct(tagger, &tcaches->data[threads++]);
	for (size_t i = 0; i < threads; i++) {
		if (!tag_tcache(tagger, &tcaches->data[i]))
			return false;
	}
	return tag_orphans(tagger, threads);
}

static bool tag_all(struct tagger *tagger)
{
	if (!tag_tcaches(tagger))
		return false;
	for (size_t i = 0; i < tagger->heap->arena_count; i++) {
		if (!tag_fastbins(tagger, i) || !tag_bins(tagger, i))
			return false;
	}
	return true;
}

struct memtool_error *tag_lists(struct heap_copy *copy)
{
	struct tagger tagger = { .copy = copy, .heap = copy->heap };
	bool done = tag_all(&tagger);

	copy->heap->lists = tagger.lists.data;
	copy->heap->list_count = tagger.lists.count;
	copy->heap->listed = tagger.listed.data;
	copy->heap->listed_count = tagger.listed.count;
	return done ? NULL : memtool_error_no_memory;
}
