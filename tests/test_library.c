/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmemtool as its users have it: nothing of the reader but memtool.h, and the shared library.
 *
 * Link: tests/test_library.c tests/command.c tests/spawn.c, libmemtool, cmocka.
 * Needs at run time: memtool, tests/fixtures, MEMTOOL_BUILDDIR.
 */
#include "tests/command.h"
#include "tests/spawn.h"

#include "memtool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A program of tests/fixtures that is ready; "subject" says so in its own way. */
static struct spawned *start(const char *name, const char *argument)
{
	char path[100];

	snprintf(path, sizeof(path), "tests/fixtures/%s", name);
	struct spawned *child = spawn_program(spawn_path(path), argument);
	spawn_expect(child, strcmp(name, "subject") == 0 ? "subject" : "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

static void must(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", memtool_error_message(error));
}

static struct memtool_target *open_target(const struct spawned *child)
{
	struct memtool_target *target;

	must(memtool_open(child->pid, NULL, &target));
	assert_int_equal(memtool_pid(target), child->pid);
	return target;
}

/* Ends the error, which has to be one. */
static void expect_error(struct memtool_error *error, enum memtool_error_code code)
{
	assert_non_null(error);
	if (memtool_error_code(error) != code)
		fail_msg("code %d: %s", (int)memtool_error_code(error),
			 memtool_error_message(error));
	assert_null(strchr(memtool_error_message(error), '\n'));
	memtool_error_destroy(error);
}

static void test_options(void **state)
{
	struct memtool_target *none = NULL, *target = none;
	struct {
		struct memtool_options known;
		uint64_t later;
	} newer = { .later = 0 };
	struct memtool_options options;

	(void)state;
	struct spawned *child = start("idle", NULL);
	memtool_options_init(&options);
	assert_int_equal(options.size, sizeof(options));
	expect_error(memtool_open(0, &options, &target), MEMTOOL_ERROR_INVALID);
	expect_error(memtool_open(-1, &options, &target), MEMTOOL_ERROR_INVALID);
	options.source = (enum memtool_source)77;
	expect_error(memtool_open(child->pid, &options, &target), MEMTOOL_ERROR_INVALID);
	options.source = MEMTOOL_SOURCE_AUTO;
	options.layout = (enum memtool_layout)77;
	expect_error(memtool_open(child->pid, &options, &target), MEMTOOL_ERROR_INVALID);
	memtool_options_init(&options);
	options.no_stop = options.snapshot = true;
	expect_error(memtool_open(child->pid, &options, &target), MEMTOOL_ERROR_INVALID);
	memtool_options_init(&options);
	options.no_stop = true;
	options.max_pause_ns = 1000000000;
	expect_error(memtool_open(child->pid, &options, &target), MEMTOOL_ERROR_INVALID);
	options.size = 0;
	expect_error(memtool_open(child->pid, &options, &target), MEMTOOL_ERROR_INVALID);
	assert_ptr_equal(target, none);

	/* What a program has that was built with an older header, or a newer one. */
	options.size = sizeof(options.size);
	must(memtool_open(child->pid, &options, &target));
	memtool_close(target);
	memtool_options_init(&newer.known);
	newer.known.size = sizeof(newer);
	must(memtool_open(child->pid, &newer.known, &target));
	memtool_close(target);
	newer.later = 1;
	expect_error(memtool_open(child->pid, &newer.known, &target), MEMTOOL_ERROR_INVALID);
	memtool_close(NULL);
}

static void test_no_process(void **state)
{
	struct memtool_target *target;

	(void)state;
	struct spawned *child = start("idle", NULL);
	pid_t pid = child->pid;
	target = open_target(child);
	spawn_end(child);

	char byte;
	struct memtool_heap *heap;
	expect_error(memtool_read(target, 4096, &byte, 1), MEMTOOL_ERROR_NO_PROCESS);
	expect_error(memtool_stop(target), MEMTOOL_ERROR_NO_PROCESS);
	expect_error(memtool_refresh(target), MEMTOOL_ERROR_NO_PROCESS);
	expect_error(memtool_read_heap(target, NULL, &heap), MEMTOOL_ERROR_NO_PROCESS);
	assert_false(memtool_is_stopped(target));
	memtool_close(target);
	expect_error(memtool_open(pid, NULL, &target), MEMTOOL_ERROR_NO_PROCESS);
}

struct threads {
	int tids[8];
	uint64_t fs_bases[8];
	size_t count, stopped;
};

static bool add_thread(void *context, const struct memtool_thread *thread)
{
	struct threads *threads = context;

	assert_true(threads->count < 8);
	assert_true(threads->count == 0 || threads->tids[threads->count - 1] < thread->tid);
	assert_true(strlen(thread->name) > 0);
	assert_int_equal(thread->stopped, thread->sp != 0 && thread->pc != 0);
	threads->tids[threads->count] = thread->tid;
	threads->fs_bases[threads->count++] = thread->fs_base;
	threads->stopped += thread->stopped;
	return true;
}

static bool stop_at_first(void *context, const struct memtool_thread *thread)
{
	(void)thread;
	++*(size_t *)context;
	return false;
}

static void test_stop_and_threads(void **state)
{
	struct threads running = { .count = 0 }, held = { .count = 0 };
	size_t calls = 0;

	(void)state;
	struct spawned *child = start("subject", NULL);
	spawn_write(child, "start 3\n");
	spawn_expect(child, "start");
	struct memtool_target *target = open_target(child);

	must(memtool_threads(target, add_thread, &running));
	assert_int_equal(running.count, 4);
	assert_int_equal(running.stopped, 0);
	must(memtool_stop(target));
	must(memtool_stop(target));
	assert_true(memtool_is_stopped(target));
	assert_int_equal(spawn_thread_state(child->pid, child->pid), 't');
	must(memtool_threads(target, add_thread, &held));
	assert_int_equal(held.stopped, 4);
	for (size_t i = 0; i < 4; i++) {
		char line[64];
		assert_int_equal(held.tids[i], running.tids[i]);
		snprintf(line, sizeof(line), "thread %d %" PRIx64 "\n", held.tids[i],
			 held.fs_bases[i]);
		assert_true(i == 0 || strstr(child->text, line));
	}
	must(memtool_threads(target, stop_at_first, &calls));
	assert_int_equal(calls, 1);

	struct memtool_heap *heap;
	uint64_t stopped_ns = 1;
	must(memtool_read_heap(target, &stopped_ns, &heap));
	assert_int_equal(stopped_ns, 0); /* it stands still for longer yet */
	assert_int_equal(memtool_heap_thread_count(heap), 4);
	assert_int_equal(spawn_thread_state(child->pid, child->pid), 't');
	memtool_heap_destroy(heap);

	assert_true(memtool_resume(target) > 0);
	assert_int_equal(memtool_resume(target), 0);
	assert_false(memtool_is_stopped(target));
	assert_int_equal(spawn_tracer(child->pid), 0);
	/* Closing lets go as well. */
	must(memtool_stop(target));
	memtool_close(target);
	assert_int_equal(spawn_tracer(child->pid), 0);
	spawn_write(child, "return\n");
	spawn_expect(child, "return");
}

struct names {
	uint64_t last;
	size_t count, executables, libcs, heaps;
	size_t limit;
};

static bool add_mapping(void *context, const struct memtool_mapping *mapping)
{
	struct names *names = context;

	assert_true(mapping->start >= names->last && mapping->start < mapping->end);
	names->last = mapping->end;
	names->heaps += strcmp(mapping->name, "[heap]") == 0;
	assert_true(mapping->inode == 0 || mapping->name[0] == '/');
	return ++names->count < names->limit;
}

static bool add_module(void *context, const struct memtool_module *module)
{
	struct names *names = context;

	assert_true(module->start >= names->last && module->start < module->end);
	names->last = module->end;
	names->executables += module->executable;
	if (strstr(module->name, "/libc.so.6")) {
		names->libcs++;
		assert_int_equal(module->build_id_size, 20);
		assert_int_equal(module->bias, module->start);
	}
	return ++names->count < names->limit;
}

static void test_maps_and_modules(void **state)
{
	struct names mappings = { .limit = SIZE_MAX }, few = { .limit = 2 };
	struct names modules = { .limit = SIZE_MAX }, again = { .limit = SIZE_MAX };

	(void)state;
	struct spawned *child = start("subject", NULL);
	struct memtool_target *target = open_target(child);
	must(memtool_mappings(target, add_mapping, &mappings));
	assert_int_equal(mappings.heaps, 0); /* it has used no malloc */
	must(memtool_mappings(target, add_mapping, &few));
	assert_int_equal(few.count, 2);
	must(memtool_modules(target, add_module, &modules));
	assert_int_equal(modules.executables, 1);
	assert_int_equal(modules.libcs, 1);

	spawn_write(child, "load libm.so.6\n");
	spawn_expect(child, "load");
	must(memtool_refresh(target));
	must(memtool_modules(target, add_module, &again));
	assert_int_equal(again.count, modules.count + 1);
	memtool_close(target);
}

/* "NAME ADDRESS", as the fixture idle says it. */
static uint64_t told(const struct spawned *child, const char *name)
{
	const char *at = strstr(child->text, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 16);
}

static bool find_stack(void *context, const struct memtool_mapping *mapping)
{
	if (strcmp(mapping->name, "[stack]") == 0)
		*(uint64_t *)context = mapping->end;
	return true;
}

static uint64_t stack_end(struct memtool_target *target)
{
	uint64_t end = 0;

	must(memtool_mappings(target, find_stack, &end));
	assert_true(end > 0);
	return end;
}

static void test_memory(void **state)
{
	char bytes[64] = { 0 };
	uint64_t length;
	bool ended;
	size_t count;

	(void)state;
	struct spawned *child = start("idle", NULL);
	struct memtool_target *target = open_target(child);
	uint64_t fs_base = told(child, "fs_base "), word = 0, end = stack_end(target);

	must(memtool_read(target, fs_base, &word, sizeof(word)));
	assert_int_equal(word, fs_base); /* tcbhead_t begins with its own address */
	struct memtool_error *error = memtool_read(target, end - 8, bytes, 16);
	assert_non_null(error);
	assert_int_equal(memtool_error_code(error), MEMTOOL_ERROR_FAULT);
	assert_int_equal(memtool_error_address(error), end);
	assert_int_equal(memtool_error_errno(error), 0);
	memtool_error_destroy(error);
	must(memtool_read_some(target, end - 8, bytes, 16, &count));
	assert_int_equal(count, 8);
	must(memtool_read_some(target, UINT64_MAX - 4, bytes, 16, &count));
	assert_int_equal(count, 0);

	/* The path, and behind it eight bytes of zeroes. */
	const char *path = spawn_path("tests/fixtures/idle");
	uint64_t start_of_path = end - 8 - strlen(path) - 1;
	must(memtool_string_length(target, start_of_path, UINT64_MAX, &length, &ended));
	assert_int_equal(length, strlen(path));
	assert_true(ended);
	must(memtool_read(target, start_of_path, bytes, 8));
	assert_memory_equal(bytes, path, 8);
	must(memtool_string_length(target, start_of_path, 5, &length, &ended));
	assert_int_equal(length, 5);
	assert_false(ended);
	must(memtool_string_length(target, 0, 100, &length, &ended));
	assert_int_equal(length, 0);
	assert_false(ended);
	must(memtool_string_length(target, end - 8, 100, &length, NULL));
	assert_int_equal(length, 0);
	memtool_close(target);
}

struct found {
	struct memtool_symbol symbols[4];
	size_t count, limit;
};

static bool add_symbol(void *context, const struct memtool_symbol *symbol)
{
	struct found *found = context;

	if (found->count < 4)
		found->symbols[found->count] = *symbol;
	return ++found->count < found->limit;
}

#define NAME(text) text, sizeof(text) - 1

static void test_symbols(void **state)
{
	struct found found = { .limit = SIZE_MAX };
	struct memtool_location location;
	uint64_t address = 1;

	(void)state;
	struct spawned *child = start("idle", NULL);
	struct memtool_target *target = open_target(child);

	/* The name is counted: what follows it is not looked at. */
	must(memtool_symbol_address(target, "gnu_get_libc_version and more", 20, &address));
	assert_int_equal(address, told(child, "libc "));
	must(memtool_symbol_address(target, NAME("idle_variable"), &address));
	assert_int_equal(address, told(child, "variable "));
	must(memtool_symbol_address(target, NAME("no such symbol"), &address));
	assert_int_equal(address, 0);
	must(memtool_symbol_address(target, NAME("idle_variable\0"), &address));
	assert_int_equal(address, 0);
	must(memtool_symbol_address(target, "", 0, &address));
	assert_int_equal(address, 0);
	/* Thread-local: it has no address. */
	must(memtool_symbol_address(target, NAME("errno"), &address));
	assert_int_equal(address, 0);
	must(memtool_symbols(target, NAME("errno"), add_symbol, &found));
	assert_true(found.count > 0 && found.symbols[0].tls);
	found = (struct found){ .limit = 1 };
	must(memtool_symbols(target, NAME("main"), add_symbol, &found));
	assert_int_equal(found.count, 1);
	assert_false(found.symbols[0].tls);
	assert_true(found.symbols[0].size > 0);

	must(memtool_locate(target, told(child, "variable ") + 1, true, &location));
	assert_non_null(strstr(location.module, "/idle"));
	assert_string_equal(location.symbol, "idle_variable");
	assert_int_equal(location.symbol_offset, 1);
	must(memtool_locate(target, told(child, "libc "), false, &location));
	assert_non_null(strstr(location.module, "libc.so.6"));
	assert_int_equal(location.symbol_offset, 0);
	assert_true(location.module_offset > 0);
	must(memtool_locate(target, 8, false, &location));
	assert_null(location.module);
	assert_null(location.symbol);
	memtool_close(target);
}

/* errno of a thread, whose address the program told. */
static void test_tls(void **state)
{
	struct threads threads = { .count = 0 };
	uint64_t running, held;

	(void)state;
	struct spawned *child = start("subject", NULL);
	spawn_write(child, "start 2\n");
	spawn_expect(child, "start");
	struct memtool_target *target = open_target(child);
	must(memtool_stop(target));
	must(memtool_threads(target, add_thread, &threads));
	assert_int_equal(threads.count, 3);
	for (size_t i = 0; i < threads.count; i++) {
		uint64_t address;
		must(memtool_tls_address(target, NAME("errno"), threads.tids[i], &address));
		/* Below the thread pointer, and at the same place in each thread. */
		assert_true(address < threads.fs_bases[i]);
		if (i > 0)
			assert_int_equal(threads.fs_bases[i] - address,
					 threads.fs_bases[i - 1] - held);
		held = address;
	}
	expect_error(memtool_tls_address(target, NAME("errno"), 1, &running),
		     MEMTOOL_ERROR_UNSUPPORTED);
	must(memtool_tls_address(target, NAME("no_such_variable"), threads.tids[0], &running));
	assert_int_equal(running, 0);
	memtool_resume(target);
	/* Of a running one by glibc's own list, which is there from 2.34 on. */
	must(memtool_tls_address(target, NAME("errno"), threads.tids[2], &running));
	assert_int_equal(running, held);
	memtool_close(target);
}

struct listing {
	const char *text; /* what is left of the command's */
	size_t count;
};

/* One line a chunk, in the same order. */
static bool compare_line(void *context, const struct memtool_chunk *chunk)
{
	struct listing *listing = context;
	char line[256];
	int length = snprintf(line, sizeof(line),
			      "{\"address\":\"0x%" PRIx64 "\",\"user\":\"0x%" PRIx64
			      "\",\"size\":%" PRIu64 ",\"usable\":%" PRIu64 ",\"state\":\"%s\",",
			      chunk->address, chunk->user, chunk->size, chunk->usable,
			      memtool_chunk_state_name(chunk->state));
	const char *end = strchr(listing->text, '\n');

	assert_non_null(end);
	if (strncmp(listing->text, line, (size_t)length) != 0)
		fail_msg("%s instead of %.*s", line, (int)(end - listing->text), listing->text);
	char tail[64];
	snprintf(tail, sizeof(tail), "\"bin\":%" PRIu32 "}", chunk->bin);
	const char *bin = strstr(listing->text, "\"bin\"");
	if (chunk->bin == MEMTOOL_NONE)
		assert_true(!bin || bin > end);
	else
		assert_true(bin && bin < end && strncmp(bin, tail, strlen(tail)) == 0);
	listing->text = end + 1;
	listing->count++;
	return true;
}

/* The library and the command say the same. */
static void test_heap(void **state)
{
	static const char *const fixtures[][2] = { { "many", "40" },
						   { "multi_heap", NULL },
						   { "mmapped", "thread" } };

	(void)state;
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		struct spawned *child = start(fixtures[i][0], fixtures[i][1]);
		struct listing listing = {
			.text = command_answer("chunks --format=jsonl", child->pid),
		};
		struct memtool_target *target = open_target(child);
		struct memtool_heap *heap;
		uint64_t stopped_ns = 0;

		must(memtool_read_heap(target, &stopped_ns, &heap));
		memtool_close(target);
		assert_true(stopped_ns > 0);
		assert_int_equal(spawn_tracer(child->pid), 0);
		assert_true(memtool_heap_audit_ok(heap));
		assert_true(memtool_heap_chunks(heap, MEMTOOL_STATES_ALL, compare_line, &listing));
		assert_int_equal(listing.count, memtool_heap_chunk_count(heap));
		assert_string_equal(listing.text, "");
		assert_true(strncmp(memtool_heap_info(heap).glibc, "2.", 2) == 0);
		memtool_heap_destroy(heap);
		spawn_end(child);
	}
}

struct watch {
	struct memtool_progress last;
	size_t calls, limit;
};

static bool watch_progress(void *context, const struct memtool_progress *progress)
{
	struct watch *watch = context;

	assert_true(progress->bytes_read > watch->last.bytes_read);
	assert_true(progress->chunks >= watch->last.chunks);
	watch->last = *progress;
	return ++watch->calls < watch->limit;
}

static void test_progress(void **state)
{
	struct watch watch = { .limit = SIZE_MAX };
	struct memtool_options options;
	struct memtool_target *target;
	struct memtool_heap *heap;

	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/oracle/storm"), "1", "1");
	spawn_expect(child, "ready");
	memtool_options_init(&options);
	options.progress = watch_progress;
	options.progress_context = &watch;
	must(memtool_open(child->pid, &options, &target));
	must(memtool_read_heap(target, NULL, &heap));
	assert_true(watch.calls > 2);
	assert_true(watch.last.bytes_total > 0); /* an estimate */
	memtool_heap_destroy(heap);

	watch = (struct watch){ .limit = 2 };
	expect_error(memtool_read_heap(target, NULL, &heap), MEMTOOL_ERROR_INTERRUPTED);
	assert_int_equal(watch.calls, 2);
	assert_int_equal(spawn_tracer(child->pid), 0);
	memtool_close(target);
}

static void test_snapshot(void **state)
{
	struct memtool_options options;
	struct memtool_target *target;
	struct memtool_heap *stopped, *snapshot;
	uint64_t stopped_ns = 0;

	(void)state;
	struct spawned *child = start("mmapped", "thread");
	target = open_target(child);
	must(memtool_read_heap(target, NULL, &stopped));
	memtool_close(target);
	memtool_options_init(&options);
	options.snapshot = true;
	must(memtool_open(child->pid, &options, &target));
	must(memtool_read_heap(target, &stopped_ns, &snapshot));
	assert_true(stopped_ns > 0);
	assert_int_equal(memtool_heap_chunk_count(snapshot), memtool_heap_chunk_count(stopped));
	memtool_heap_destroy(snapshot);
	memtool_heap_destroy(stopped);
	memtool_close(target);
}

/* Of a limit that is passed while the heap is read, though that was not to be expected. */
struct slow_reader {
	uint64_t limit_ns;
	size_t calls;
};

static bool read_slowly(void *context, const struct memtool_progress *progress)
{
	struct slow_reader *reader = context;
	uint64_t began_ns = spawn_now_ns();

	(void)progress;
	if (reader->calls++ == 0)
		while (spawn_now_ns() - began_ns < reader->limit_ns)
			sched_yield();
	return true;
}

static void test_max_pause(void **state)
{
	struct slow_reader reader = { .limit_ns = 1000000000 };
	struct memtool_options options;
	struct memtool_target *target;
	struct memtool_heap *heap;
	uint64_t stopped_ns;

	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/oracle/storm"), "1", "1");
	spawn_expect(child, "ready");
	/* Nothing is that short. */
	memtool_options_init(&options);
	options.max_pause_ns = 1;
	must(memtool_open(child->pid, &options, &target));
	expect_error(memtool_read_heap(target, NULL, &heap), MEMTOOL_ERROR_TOO_LONG);
	/* What the caller has stopped is read all the same. */
	must(memtool_stop(target));
	must(memtool_read_heap(target, NULL, &heap));
	memtool_heap_destroy(heap);
	memtool_close(target);

	options.max_pause_ns = reader.limit_ns;
	options.progress = read_slowly;
	options.progress_context = &reader;
	must(memtool_open(child->pid, &options, &target));
	expect_error(memtool_read_heap(target, NULL, &heap), MEMTOOL_ERROR_TOO_LONG);
	assert_int_equal(reader.calls, 1);
	assert_int_equal(spawn_tracer(child->pid), 0);
	/* It was not the target's fault. */
	must(memtool_read_heap(target, &stopped_ns, &heap));
	assert_true(reader.calls > 1);
	memtool_heap_destroy(heap);
	memtool_close(target);
}

/* The examples, as a user runs them. */
static void test_examples(void **state)
{
	char pid[16];

	(void)state;
	struct spawned *child = start("mmapped", "thread");
	snprintf(pid, sizeof(pid), "%d", child->pid);
	const struct spawn_result *largest = spawn_run(
		&(struct spawn_how){ .argv = (const char *const[]){
					     spawn_path("examples/largest-chunks"), pid, NULL } });
	const struct spawn_result *inspect = spawn_run(&(struct spawn_how){
		.argv = (const char *const[]){ spawn_path("examples/swift-inspect-heap"), pid,
					       NULL } });
	assert_int_equal(spawn_exit_code(largest), 0);
	assert_int_equal(spawn_exit_code(inspect), 0);
	assert_string_equal(largest->err, "");
	assert_string_equal(inspect->err, "");
	assert_int_equal(command_count(largest->out, "\n"), 10);

	/* The first line tells of the rest; then one line for each live chunk. */
	const char *live =
		command_answer("chunks --format=jsonl --state=in-use,mmapped", child->pid);
	const char *line = strchr(inspect->out, '\n');
	assert_non_null(line);
	assert_non_null(strstr(inspect->out, " readable, string at 8: 0\n"));
	assert_int_equal(command_count(line + 1, "\n"), command_count(live, "\n"));
	uint64_t last = UINT64_MAX;
	for (line = largest->out; *line; line = strchr(line, '\n') + 1) {
		char row[64];
		int length = (int)strcspn(line, "\n");
		uint64_t usable = strtoull(strchr(line, ' '), NULL, 10);
		snprintf(row, sizeof(row), "\n%.*s\n", length, line);
		assert_non_null(strstr(inspect->out, row));
		assert_true(usable <= last);
		last = usable;
	}
}

/* What is no glibc program can be looked at all the same. */
static void test_no_glibc(void **state)
{
	struct names modules = { .limit = SIZE_MAX };
	struct memtool_heap *heap;

	(void)state;
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/bare"));
	spawn_expect(child, "bare");
	struct memtool_target *target = open_target(child);
	must(memtool_modules(target, add_module, &modules));
	assert_int_equal(modules.count, 1);
	expect_error(memtool_read_heap(target, NULL, &heap), MEMTOOL_ERROR_NOT_GLIBC);
	memtool_close(target);
}

#define TEST(function) cmocka_unit_test_teardown(function, spawn_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_options),          TEST(test_no_process), TEST(test_stop_and_threads),
		TEST(test_maps_and_modules), TEST(test_memory),     TEST(test_heap),
		TEST(test_symbols),          TEST(test_tls),        TEST(test_progress),
		TEST(test_snapshot),         TEST(test_max_pause),  TEST(test_examples),
		TEST(test_no_glibc),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
