/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes inputs for fuzz_heap out of heaps that are well:
 *
 *	make_heap_seed builder DIRECTORY	one of each row of the layout table
 *(unit/hostile_image.h) make_heap_seed process PID FILE		the heap of a process that
 *keeps still
 *
 * Of a process only the words are kept that a walk looks at, so that an input is small and nearly
 * every word of it matters. Each input is read back, and must be the heap that it was made from.
 */
#include "session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/heap_image.h"
#include "tests/unit/hostile_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE HEAP_IMAGE_PAGE

const char fuzz_target[] = "make_heap_seed";

static void must(struct memtool_error *error)
{
	if (error)
		fuzz_fail("%s", error->message);
}

static void write_input(const struct heap_image *image, const char *path)
{
	static uint8_t data[HEAP_IMAGE_BYTES];
	size_t size = heap_image_encode(image, data, sizeof(data));
	FILE *file = fopen(path, "wb");

	if (!size || !file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
		fuzz_fail("%s cannot be written", path);
}

static uint8_t row_of(const struct glibc_layout *layout)
{
	size_t count;
	const struct glibc_layout *rows = glibc_layout_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (!glibc_layout_difference(layout, &rows[i]))
			return (uint8_t)i;
	}
	fuzz_fail("the layout is not in the table");
}

static void check_same(struct heap_image *image, const struct heap *heap)
{
	static struct heap_image_memory memory;
	struct heap *again = NULL;

	must(heap_image_walk(image, &memory, &again));
	if (again->chunk_count != heap->chunk_count || again->listed_count != heap->listed_count ||
	    memcmp(again->tally, heap->tally, sizeof(heap->tally)) != 0 ||
	    again->audit.ok != heap->audit.ok) {
		for (size_t i = 0; i < again->audit.findings.count; i++)
			fprintf(stderr, "%s\n", again->audit.findings.data[i].message);
		fuzz_fail("the input has %zu chunks, the heap %zu", again->chunk_count,
			  heap->chunk_count);
	}
	heap_destroy(again);
}

/* Parts of the address space, before they are made regions. */
struct part {
	struct range range;
	enum heap_region_kind kind;
};

struct seed {
	struct heap_image *image;
	const struct heap *heap;
	struct memory *memory;
	struct part parts[256];
	size_t part_count;
};

static void add_part(struct seed *seed, uint64_t start, uint64_t end, enum heap_region_kind kind)
{
	if (seed->part_count == sizeof(seed->parts) / sizeof(seed->parts[0]))
		fuzz_fail("the heap is in too many pieces for an input");
	seed->parts[seed->part_count++] =
		(struct part){ { align_down(start, PAGE), align_up(end, PAGE) }, kind };
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->range.start > y->range.start) - (x->range.start < y->range.start);
}

static void make_regions(struct seed *seed)
{
	struct part *parts = seed->parts;

	qsort(parts, seed->part_count, sizeof(parts[0]), compare_parts);
	for (size_t i = 0; i < seed->part_count;) {
		struct range range = parts[i].range;
		size_t next = i + 1;
		for (; next < seed->part_count && parts[next].range.start <= range.end &&
		       parts[next].kind == parts[i].kind;
		     next++) {
			if (parts[next].range.end > range.end)
				range.end = parts[next].range.end;
		}
		if (!heap_image_add(seed->image, range.start, range_size(range), parts[i].kind))
			fuzz_fail("no room for 0x%" PRIx64 " bytes at 0x%" PRIx64,
				  range_size(range), range.start);
		i = next;
	}
}

static void keep(struct seed *seed, uint64_t address, size_t length)
{
	uint8_t *at = heap_image_at(seed->image, address, length);

	if (!at)
		fuzz_fail("0x%" PRIx64 " is in no region", address);
	must(memory_read(seed->memory, address, at, length, "the heap"));
}

/* Of a chunk its header, and the links of a free one. */
static void keep_chunk(struct seed *seed, const struct chunk *chunk)
{
	uint64_t address = chunk_address(chunk);

	if (chunk_is_bare(chunk))
		return;
	if (chunk->state == CHUNK_TCACHE || chunk->state == CHUNK_FASTBIN)
		keep(seed, address, GLIBC_CHUNK_HDR_SZ + 8);
	else if (chunk_is_free(chunk))
		keep(seed, address, GLIBC_CHUNK_HDR_SZ + 16);
	else
		keep(seed, address, GLIBC_CHUNK_HDR_SZ);
}

static uint64_t mapping_start(struct seed *seed, const struct chunk *chunk, uint64_t *ret_end)
{
	bool apart = seed->heap->layout.mmapped_header_apart;
	uint64_t prev_size;

	must(memory_read_u64(seed->memory, chunk_address(chunk), "a chunk", &prev_size));
	*ret_end = chunk_end(chunk) + (apart ? GLIBC_CHUNK_HDR_SZ : 0);
	return chunk_address(chunk) - (prev_size & ~(uint64_t)apart);
}

/* What lies between two segments in one mapping belongs to the heap, too. */
static void add_segments(struct seed *seed, const struct maps *maps)
{
	for (size_t i = 0; i < seed->heap->segment_count; i++) {
		const struct heap_segment *segment = &seed->heap->segments[i];
		uint64_t start = segment->range.start;
		if (i && maps_find(maps, start) == maps_find(maps, segment[-1].range.start))
			start = segment[-1].range.end;
		add_part(seed, start, segment->range.end, REGION_ANONYMOUS);
	}
}

static void add_parts(struct seed *seed, const struct maps *maps)
{
	const struct heap *heap = seed->heap;
	uint64_t end;

	add_part(seed, heap->roots.main_arena.value,
		 heap->roots.main_arena.value + heap->layout.malloc_state.size, REGION_FILE);
	add_part(seed, heap->roots.mp.value, heap->roots.mp.value + heap->layout.malloc_par.size,
		 REGION_FILE);
	add_segments(seed, maps);
	for (size_t i = 0; i < heap->chunk_count; i++) {
		if (heap->chunks[i].arena != CHUNK_NO_ARENA)
			continue;
		uint64_t start = mapping_start(seed, &heap->chunks[i], &end);
		add_part(seed, start, end, REGION_ANONYMOUS);
	}
	for (size_t i = 0; i < heap->thread_count; i++) {
		uint64_t fs_base = heap->threads[i].fs_base;
		add_part(seed, fs_base + heap->roots.tcache.value, fs_base + 24, REGION_ANONYMOUS);
		add_part(seed, fs_base + heap->roots.thread_arena.value, fs_base + 24,
			 REGION_ANONYMOUS);
		heap_image_add_thread(seed->image, fs_base);
	}
}

static void keep_thread(struct seed *seed, const struct heap_thread *thread)
{
	uint64_t tcache_slot = thread->fs_base + seed->heap->roots.tcache.value;

	keep(seed, thread->fs_base, 24);
	keep(seed, tcache_slot, 8);
	keep(seed, thread->fs_base + seed->heap->roots.thread_arena.value, 8);
	if (thread->tcache)
		keep(seed, thread->tcache, seed->heap->layout.tcache.size);
	else
		/* No __tcache_dummy: what it points to is not in the input. */
		memset(heap_image_at(seed->image, tcache_slot, 8), 0, 8);
}

static void keep_words(struct seed *seed)
{
	const struct heap *heap = seed->heap;
	uint64_t end;

	keep(seed, heap->roots.mp.value, heap->layout.malloc_par.size);
	for (size_t i = 0; i < heap->arena_count; i++)
		keep(seed, heap->arenas[i].address, heap->layout.malloc_state.size);
	for (size_t i = 0; i < heap->segment_count; i++) {
		if (heap->segments[i].arena)
			keep(seed, heap->segments[i].range.start, heap->layout.heap_info.size);
	}
	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		keep_chunk(seed, chunk);
		if (chunk->arena == CHUNK_NO_ARENA)
			keep(seed, mapping_start(seed, chunk, &end), GLIBC_CHUNK_HDR_SZ);
	}
	for (size_t i = 0; i < heap->thread_count; i++)
		keep_thread(seed, &heap->threads[i]);
}

static void seed_from_process(pid_t pid, const char *path)
{
	static struct heap_image image;
	static struct seed seed;
	const struct session_options options = { 0 };
	struct session *session;
	struct heap *heap;
	uint64_t stopped_ns;

	must(session_open(pid, &options, &session));
	must(session_read_heap(session, &heap, &stopped_ns));
	heap_image_clear(&image);
	image.row = row_of(&heap->layout);
	image.roots.main_arena = heap->roots.main_arena;
	image.roots.mp = heap->roots.mp;
	image.roots.tcache = heap->roots.tcache;
	image.roots.thread_arena = heap->roots.thread_arena;
	seed = (struct seed){ &image, heap, &session->process->memory, { { { 0 }, 0 } }, 0 };
	add_parts(&seed, &session->maps);
	make_regions(&seed);
	keep_words(&seed);
	check_same(&image, heap);
	write_input(&image, path);
	printf("%s: glibc %s, %zu chunks, audit %s\n", path, heap->layout.name, heap->chunk_count,
	       heap->audit.ok ? "ok" : "not ok");
	heap_destroy(heap);
	session_close(session);
}

/* The builder's mappings; what it has made unreadable stays out. */
static void seed_from_builder(const struct glibc_layout *row, const char *path)
{
	static struct heap_builder builder;
	static struct heap_image image;
	struct image parts;

	heap_builder_init(&builder, row);
	hostile_build(&builder, &parts);
	heap_image_clear(&image);
	image.row = row_of(row);
	image.roots.main_arena = builder.roots.main_arena;
	image.roots.mp = builder.roots.mp;
	image.roots.tcache = builder.roots.tcache;
	image.roots.thread_arena = builder.roots.thread_arena;
	for (size_t i = 0; i < builder.thread_count; i++)
		heap_image_add_thread(&image, builder.threads[i].fs_base);
	for (size_t i = 0; i < builder.region_count; i++) {
		const struct memory_region *region = &builder.regions[i];
		enum heap_region_kind kind = REGION_FILE;
		for (size_t k = 0; k < builder.anonymous_count; k++) {
			if (range_contains(builder.anonymous[k], region->address))
				kind = REGION_ANONYMOUS;
		}
		struct heap_region *added =
			heap_image_add(&image, region->address, region->length, kind);
		if (!added)
			fuzz_fail("no room for what was built");
		memcpy(added->bytes, region->bytes, region->length);
	}
	check_same(&image, builder_read(&builder));
	write_input(&image, path);
	heap_builder_deinit(&builder);
}

int main(int argc, char **argv)
{
	size_t count;
	const struct glibc_layout *rows = glibc_layout_table(&count);

	if (argc == 3 && strcmp(argv[1], "builder") == 0) {
		for (size_t i = 0; i < count; i++) {
			char path[4096];
			snprintf(path, sizeof(path), "%s/builder-%s", argv[2], rows[i].name);
			seed_from_builder(&rows[i], path);
		}
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "process") == 0) {
		seed_from_process((pid_t)atoi(argv[2]), argv[3]);
		return 0;
	}
	fprintf(stderr, "usage: make_heap_seed builder DIRECTORY | process PID FILE\n");
	return 64;
}
