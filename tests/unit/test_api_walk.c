/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool_walk_heap(): the public walk on memory and symbols of the caller's, and the heap of it.
 */
#include "heap_builder.h"

#include "memtool.h"
#include "support/error.h"

#include <string.h>

struct world {
	struct heap_builder *b;
	struct memory_buffer memory;
	const char *hidden; /* a symbol that the caller does not know */
	bool greedy; /* the callback claims more bytes than it was asked for */
};

static size_t read_image(void *context, uint64_t address, void *buffer, size_t length)
{
	struct world *world = context;
	size_t count = 0;

	assert_null(memory_read_some(&world->memory.memory, address, buffer, length, &count));
	return world->greedy && count == length ? SIZE_MAX : count;
}

static bool find_symbol(void *context, const char *name, uint64_t *ret_address, uint64_t *ret_size)
{
	const struct world *world = context;
	const struct heap_builder *b = world->b;
	const struct {
		const char *name;
		uint64_t address, size;
	} symbols[] = {
		{ "main_arena", b->roots.main_arena.value, b->layout->malloc_state.size },
		{ "mp_", b->roots.mp.value, b->layout->malloc_par.size },
		{ "tcache", b->roots.tcache.value, 8 },
		{ "thread_arena", b->roots.thread_arena.value, 8 },
	};

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		if (strcmp(symbols[i].name, name) != 0)
			continue;
		*ret_address = symbols[i].address;
		*ret_size = symbols[i].size;
		return !world->hidden || strcmp(world->hidden, name) != 0;
	}
	fail_msg("asked for %s", name);
	return false;
}

/* Everything the image has, as a caller of the library would say it. */
struct request {
	struct world world;
	struct memtool_walk_thread threads[BUILDER_THREADS];
	struct memtool_range ranges[BUILDER_REGIONS];
	char glibc[8];
	struct memtool_walk walk;
};

static void make_request(struct heap_builder *b, struct request *ret)
{
	*ret = (struct request){ .world = { .b = b } };
	ret->world.memory = memory_buffer(b->regions, b->region_count);
	for (uint32_t i = 0; i < b->thread_count; i++)
		ret->threads[i] = (struct memtool_walk_thread){ b->root_threads[i].tid,
								b->root_threads[i].fs_base };
	for (size_t i = 0; i < b->anonymous_count; i++)
		ret->ranges[i] =
			(struct memtool_range){ b->anonymous[i].start, b->anonymous[i].end };
	/* The last one: where two rows have a version, the first of them is the tarball's. */
	snprintf(ret->glibc, sizeof(ret->glibc), "2.%d", b->layout->last_version % 100);
	ret->walk = (struct memtool_walk){
		.size = sizeof(ret->walk),
		.context = &ret->world,
		.read = read_image,
		.find_symbol = find_symbol,
		.glibc = ret->glibc,
		.threads = ret->threads,
		.thread_count = b->thread_count,
		.anonymous = ret->ranges,
		.anonymous_count = b->anonymous_count,
	};
}

static struct memtool_heap *walk(const struct request *request)
{
	struct memtool_heap *heap;
	struct memtool_error *error = memtool_walk_heap(&request->walk, &heap);

	if (error)
		fail_msg("%s", memtool_error_message(error));
	return heap;
}

static void expect_error(const struct request *request, enum memtool_error_code code,
			 const char *part)
{
	struct memtool_heap *heap = (struct memtool_heap *)1;
	struct memtool_error *error = memtool_walk_heap(&request->walk, &heap);

	assert_non_null(error);
	assert_int_equal(memtool_error_code(error), code);
	assert_non_null(strstr(memtool_error_message(error), part));
	assert_ptr_equal(heap, (struct memtool_heap *)1);
	memtool_error_destroy(error);
}

/* Two arenas, a tcache in each thread, a binned chunk, and an mmapped one. */
static void build(struct heap_builder *b)
{
	struct builder_arena *main_arena = builder_sbrk(b, BUILDER_SBRK, BUILDER_SBRK + 0x21000);
	struct builder_arena *arena = builder_arena(b, BUILDER_HEAPS, 0x21000);
	struct builder_thread *first = builder_thread(b, 100, main_arena);
	struct builder_thread *second = builder_thread(b, 101, arena);

	builder_tcache_struct(first, main_arena);
	builder_tcache_struct(second, arena);
	builder_tcache(first, builder_chunk(main_arena, 0x30));
	builder_chunk(main_arena, 0x500);
	uint64_t hole = builder_hole(main_arena, 0x420);
	builder_link(main_arena, hole, 1);
	builder_chunk(main_arena, 0x20);
	builder_tcache(second, builder_chunk(arena, 0x30));
	builder_tcache(second, builder_chunk(arena, 0x30));
	builder_chunk(arena, 0x40);
	builder_top(main_arena);
	builder_top(arena);
	builder_mmapped(b, BUILDER_MMAP, 0x22000, 0, false);
}

/* The same heap, item by item, as struct heap has it. */
static void test_same(void **state)
{
	struct heap_builder *b = *state;
	struct request request;

	build(b);
	builder_read(b);
	builder_assert_clean(b);
	make_request(b, &request);
	struct memtool_heap *heap = walk(&request);

	assert_true(memtool_heap_audit_ok(heap));
	assert_int_equal(memtool_heap_finding_count(heap), 0);
	assert_int_equal(memtool_heap_chunk_count(heap), b->heap->chunk_count);
	for (size_t i = 0; i < b->heap->chunk_count; i++) {
		const struct chunk *expected = &b->heap->chunks[i];
		struct memtool_chunk chunk = memtool_heap_chunk(heap, i);
		assert_int_equal(chunk.address, chunk_address(expected));
		assert_int_equal(chunk.user, chunk_user(expected));
		assert_int_equal(chunk.size, chunk_size(expected));
		assert_int_equal(chunk.usable, heap_usable_size(b->heap, expected));
		assert_int_equal(chunk.state, expected->state);
		assert_int_equal(memtool_heap_find(heap, chunk.address), i);
		assert_int_equal(memtool_heap_find(heap, chunk.address + chunk.size - 1), i);
		assert_string_equal(memtool_chunk_state_name(chunk.state),
				    chunk_state_name(expected->state));
	}
	assert_int_equal(memtool_heap_find(heap, 8), SIZE_MAX);
	assert_int_equal(memtool_heap_info(heap).main_arena, b->roots.main_arena.value);
	assert_int_equal(memtool_heap_info(heap).main_arena_source, MEMTOOL_SOURCE_SYMBOLS);
	assert_int_equal(memtool_heap_info(heap).mmapped_count, 1);
	assert_string_equal(memtool_heap_info(heap).glibc, request.glibc);
	assert_string_equal(memtool_heap_info(heap).layout, b->layout->name);
	memtool_heap_destroy(heap);
}

/* Which thread, arena and list a chunk is of. */
static void test_books(void **state)
{
	struct heap_builder *b = *state;
	struct request request;
	size_t cached = 0;

	build(b);
	make_request(b, &request);
	struct memtool_heap *heap = walk(&request);

	assert_int_equal(memtool_heap_arena_count(heap), 2);
	assert_int_equal(memtool_heap_arena(heap, 1).system_mem, 0x21000);
	assert_int_equal(memtool_heap_segment_count(heap), 2);
	assert_int_equal(memtool_heap_segment(heap, 0).start, BUILDER_SBRK);
	assert_int_equal(memtool_heap_segment(heap, 1).arena, 1);
	assert_int_equal(memtool_heap_thread_count(heap), 2);
	assert_int_equal(memtool_heap_thread(heap, 1).tid, 101);
	assert_int_equal(memtool_heap_thread(heap, 1).arena, 1);
	for (size_t i = 0; i < memtool_heap_list_count(heap); i++) {
		struct memtool_list list = memtool_heap_list(heap, i);
		for (size_t j = 0; j < list.chunk_count; j++) {
			struct memtool_chunk chunk =
				memtool_heap_chunk(heap, memtool_heap_list_chunk(heap, i, j));
			assert_int_equal(chunk.state, list.state);
			assert_int_equal(chunk.tid, list.tid);
			assert_int_equal(chunk.bin,
					 list.state == MEMTOOL_CHUNK_UNSORTED ? 1 : list.bin);
			cached += chunk.tid != 0;
		}
		if (list.state == MEMTOOL_CHUNK_TCACHE) {
			assert_int_equal(list.arena, MEMTOOL_NONE);
			assert_int_equal(list.counter, list.chunk_count);
		}
	}
	assert_int_equal(cached, 3);
	assert_int_equal(memtool_heap_tally(heap, MEMTOOL_CHUNK_TCACHE, MEMTOOL_NONE).count, 3);
	assert_int_equal(memtool_heap_tally(heap, MEMTOOL_CHUNK_TCACHE, 1).bytes, 0x60);
	assert_int_equal(memtool_heap_tally(heap, MEMTOOL_CHUNK_TCACHE, 2).count, 0);
	assert_int_equal(memtool_heap_tally(heap, (enum memtool_chunk_state)99, 0).count, 0);
	memtool_heap_destroy(heap);
}

struct collected {
	size_t count, limit;
	uint64_t last;
};

static bool collect(void *context, const struct memtool_chunk *chunk)
{
	struct collected *collected = context;

	assert_true(chunk->address > collected->last);
	assert_true(chunk->state == MEMTOOL_CHUNK_IN_USE || chunk->state == MEMTOOL_CHUNK_MMAPPED);
	collected->last = chunk->address;
	return ++collected->count < collected->limit;
}

static void test_iteration(void **state)
{
	struct heap_builder *b = *state;
	struct collected all = { .limit = SIZE_MAX }, two = { .limit = 2 };
	struct request request;

	build(b);
	make_request(b, &request);
	struct memtool_heap *heap = walk(&request);
	assert_true(memtool_heap_chunks(heap, MEMTOOL_STATES_LIVE, collect, &all));
	assert_int_equal(all.count,
			 memtool_heap_tally(heap, MEMTOOL_CHUNK_IN_USE, MEMTOOL_NONE).count + 1);
	assert_false(memtool_heap_chunks(heap, MEMTOOL_STATES_LIVE, collect, &two));
	assert_int_equal(two.count, 2);
	assert_true(memtool_heap_chunks(heap, 0, collect, &two));
	memtool_heap_destroy(heap);
	memtool_heap_destroy(NULL);
}

/* Without what a caller may lack: the rest is there, and the audit says what is missing. */
static void test_partial(void **state)
{
	struct heap_builder *b = *state;
	struct request request;

	build(b);
	make_request(b, &request);
	request.world.hidden = "tcache";
	struct memtool_heap *heap = walk(&request);
	assert_int_equal(memtool_heap_tally(heap, MEMTOOL_CHUNK_TCACHE, MEMTOOL_NONE).count, 0);
	memtool_heap_destroy(heap);

	make_request(b, &request);
	request.walk.anonymous_count = 0;
	request.walk.anonymous = NULL;
	request.walk.threads = NULL;
	request.walk.thread_count = 0;
	heap = walk(&request);
	assert_false(memtool_heap_audit_ok(heap));
	assert_true(memtool_heap_finding_count(heap) > 0);
	struct memtool_finding finding = memtool_heap_finding(heap, 0);
	assert_true(strlen(finding.kind) > 0 && strlen(finding.message) > 0);
	memtool_heap_destroy(heap);

	/* A callback that says more than it was asked for. */
	make_request(b, &request);
	request.world.greedy = true;
	heap = walk(&request);
	assert_true(memtool_heap_audit_ok(heap));
	memtool_heap_destroy(heap);
}

static void test_refused(void **state)
{
	struct heap_builder *b = *state;
	struct request request;

	build(b);
	make_request(b, &request);
	request.walk.size = 8;
	expect_error(&request, MEMTOOL_ERROR_INVALID, "size");

	make_request(b, &request);
	request.world.hidden = "main_arena";
	expect_error(&request, MEMTOOL_ERROR_NO_SYMBOLS, "main_arena");
	request.world.hidden = "mp_";
	expect_error(&request, MEMTOOL_ERROR_NO_SYMBOLS, "mp_");

	make_request(b, &request);
	request.walk.glibc = "2.10";
	expect_error(&request, MEMTOOL_ERROR_UNSUPPORTED, "2.10");

	make_request(b, &request);
	request.threads[1].tid = request.threads[0].tid;
	expect_error(&request, MEMTOOL_ERROR_INVALID, "threads");

	make_request(b, &request);
	request.ranges[0].end = request.ranges[0].start;
	expect_error(&request, MEMTOOL_ERROR_INVALID, "ranges");
}

int main(void)
{
	static const struct builder_test tests[] = {
		BUILDER_TEST(test_same),      BUILDER_TEST(test_books),
		BUILDER_TEST(test_iteration), BUILDER_TEST(test_partial),
		BUILDER_TEST(test_refused),
	};
	return builder_run("memtool_walk_heap", tests, sizeof(tests) / sizeof(tests[0]));
}
