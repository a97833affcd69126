/* SPDX-License-Identifier: Apache-2.0 */
/* How long a process would stand still: what the estimate grows with, and what is chosen by it. */
#include "stop_child.h"

#include "target/pause.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MS  UINT64_C(1000000)

/* 1 GiB of heap, all of it in memory, in small pages. */
static const struct pause_facts plain = {
	.heap_bytes = GIB,
	.private_bytes = GIB,
	.table_bytes = 2 * MIB,
	.threads = 1,
	.mappings = 50,
	.presence_known = true,
};

static struct pause_facts with(uint64_t offset, uint64_t value)
{
	struct pause_facts facts = plain;

	*(uint64_t *)((char *)&facts + offset) = value;
	return facts;
}

#define WITH(field, value) with(offsetof(struct pause_facts, field), value)

static struct pause_estimate estimate(struct pause_facts facts)
{
	return pause_estimate(&facts);
}

/* 5 GB/s and 20 ms a GiB were measured; up to three times that is said. */
static void test_rates(void **state)
{
	const struct pause_estimate one = pause_estimate(&plain);

	(void)state;
	assert_in_range(one.stop_ns, 215 * MS, 3 * 215 * MS);
	assert_in_range(one.snapshot_ns, 20 * MS, 3 * 20 * MS);
	/* A small one. */
	const struct pause_facts small = { .heap_bytes = 132 * 1024,
					   .private_bytes = 300 * 1024,
					   .threads = 1,
					   .mappings = 25,
					   .presence_known = true };
	assert_in_range(estimate(small).stop_ns, MS / 4, MS);
	assert_in_range(estimate(small).snapshot_ns, MS / 2, 2 * MS);
	/* Nothing is known of it: still it takes some time. */
	assert_true(estimate((struct pause_facts){ 0 }).stop_ns > 0);
	assert_true(estimate((struct pause_facts){ 0 }).snapshot_ns > 0);
}

static void test_what_counts(void **state)
{
	const struct pause_estimate one = pause_estimate(&plain);

	(void)state;
	/* What is not malloc's is not read, but copied. */
	assert_int_equal(estimate(WITH(private_bytes, 4 * GIB)).stop_ns, one.stop_ns);
	assert_true(estimate(WITH(private_bytes, 4 * GIB)).snapshot_ns > 3 * one.snapshot_ns);
	/* What was never touched is neither, */
	assert_true(estimate(WITH(private_bytes, GIB / 2)).stop_ns < one.stop_ns);
	assert_int_equal(estimate(WITH(heap_bytes, 8 * GIB)).stop_ns, one.stop_ns);
	assert_int_equal(estimate(WITH(heap_bytes, UINT64_MAX)).stop_ns, one.stop_ns);
	/* Huge pages are one entry to copy, and as much to read. */
	assert_true(estimate(WITH(huge_bytes, GIB)).snapshot_ns < one.snapshot_ns / 4);
	assert_int_equal(estimate(WITH(huge_bytes, GIB)).stop_ns, one.stop_ns);
	/* What was swapped out is read back, slowly, and only its entries are copied. */
	assert_true(estimate(WITH(swapped_bytes, GIB)).stop_ns > 5 * one.stop_ns);
	assert_true(estimate(WITH(swapped_bytes, GIB)).snapshot_ns < 3 * one.snapshot_ns);
	/* Page tables of other memory than its own are not copied. */
	assert_in_range(estimate(WITH(table_bytes, 64 * MIB)).snapshot_ns, one.snapshot_ns,
			one.snapshot_ns + 40 * MS);
	assert_true(estimate(WITH(mappings, 50000)).snapshot_ns > one.snapshot_ns + 20 * MS);
	/* Each thread is to be stopped, whatever comes then. */
	const struct pause_estimate threads = estimate(WITH(threads, 1001));
	assert_in_range(threads.threads_ns, 20 * MS, 100 * MS);
	assert_int_equal(threads.stop_ns - one.stop_ns, threads.threads_ns - one.threads_ns);
	assert_int_equal(threads.snapshot_ns - one.snapshot_ns,
			 threads.threads_ns - one.threads_ns);
}

/* Where it cannot be told what was touched, all is read that malloc has. */
static void test_presence_unknown(void **state)
{
	struct pause_facts facts = WITH(heap_bytes, 8 * GIB);

	(void)state;
	facts.presence_known = false;
	assert_true(pause_estimate(&facts).stop_ns > 7 * pause_estimate(&plain).stop_ns);
	facts.heap_bytes = UINT64_MAX;
	assert_int_equal(pause_estimate(&facts).stop_ns, pause_estimate(&plain).stop_ns);
}

/* Numbers that no process has make it long, and not short again. */
static void test_huge_numbers(void **state)
{
	static const size_t offsets[] = {
		offsetof(struct pause_facts, heap_bytes),
		offsetof(struct pause_facts, private_bytes),
		offsetof(struct pause_facts, swapped_bytes),
		offsetof(struct pause_facts, table_bytes),
		offsetof(struct pause_facts, threads),
		offsetof(struct pause_facts, mappings),
	};
	struct pause_facts all = { .presence_known = false };

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct pause_estimate huge = estimate(with(offsets[i], UINT64_MAX));
		assert_true(huge.stop_ns >= pause_estimate(&plain).stop_ns);
		assert_true(huge.snapshot_ns >= pause_estimate(&plain).snapshot_ns);
		memset((char *)&all + offsets[i], 0xff, sizeof(uint64_t));
	}
	all.heap_bytes--;
	assert_true(pause_estimate(&all).stop_ns > UINT64_C(3600) * 1000 * MS);
	assert_true(pause_estimate(&all).stop_ns < UINT64_MAX / 2);
	assert_true(pause_estimate(&all).snapshot_ns > UINT64_C(3600) * 1000 * MS);
	assert_true(pause_estimate(&all).snapshot_ns < UINT64_MAX / 2);
}

static void test_choose(void **state)
{
	static const struct {
		uint64_t stop, snapshot, limit;
		enum pause_method either, snapshot_wanted;
	} cases[] = {
		/* Both fit: nothing is written where nothing need be. */
		{ 10, 20, 100, PAUSE_STOP, PAUSE_SNAPSHOT },
		{ 20, 10, 100, PAUSE_STOP, PAUSE_SNAPSHOT },
		/* One does, up to the very limit. */
		{ 100, 101, 100, PAUSE_STOP, PAUSE_NEITHER },
		{ 101, 100, 100, PAUSE_SNAPSHOT, PAUSE_SNAPSHOT },
		{ 101, 101, 100, PAUSE_NEITHER, PAUSE_NEITHER },
		/* Not even a moment; and no limit. */
		{ 1, 1, 0, PAUSE_NEITHER, PAUSE_NEITHER },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, PAUSE_STOP, PAUSE_SNAPSHOT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pause_estimate expected = { 0, cases[i].stop, cases[i].snapshot };
		assert_int_equal(pause_choose(&expected, cases[i].limit, false), cases[i].either);
		assert_int_equal(pause_choose(&expected, cases[i].limit, true),
				 cases[i].snapshot_wanted);
	}
}

#define CHILD_MIB 32

static void take_memory(struct shared *shared)
{
	char *memory = mmap(NULL, CHILD_MIB * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* A huge page, if there is one to be had, is told from others. */
	madvise(memory, CHILD_MIB * MIB, MADV_HUGEPAGE);
	for (size_t i = 0; i < CHILD_MIB * MIB; i += 4096)
		memory[i] = 1;
	start_thread(sleep_for_ever, shared);
	wait_for_ever(shared);
}

/* Of a real process. */
static void test_facts(void **state)
{
	_cleanup_(maps_deinit) struct maps maps = { 0 };
	struct child child = child_start(take_memory);
	struct process *process = open_child(&child);
	struct pause_facts facts;

	(void)state;
	assert_success(maps_read(process->pid, &maps));
	assert_success(pause_facts_read(process, &maps, &facts));
	assert_int_equal(facts.heap_bytes, UINT64_MAX);
	assert_int_equal(facts.threads, 2);
	assert_int_equal(facts.mappings, maps.count);
	assert_int_equal(facts.presence_known, process->pagemap_fd >= 0);
	/* The kernel counts in batches. */
	assert_in_range(facts.private_bytes + facts.swapped_bytes, (CHILD_MIB - 2) * MIB,
			2 * CHILD_MIB * MIB);
	assert_true(facts.table_bytes > 0);
	assert_int_equal(facts.huge_bytes, 0);
	pause_facts_read_huge(process, &facts);
	assert_true(facts.huge_bytes <= facts.private_bytes);
	child_end(&child);
	assert_error(pause_facts_read(process, &maps, &facts), MEMTOOL_ERROR_NO_PROCESS, "");
	process_close(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_presence_unknown),
		cmocka_unit_test(test_huge_numbers),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
