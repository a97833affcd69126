/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs with the agent, read by its page: the source of every address, what is done about a page
 * that is damaged or lacks a thread, and the same heap as without.
 */
#include "tests/agent_page.h"
#include "tests/command.h"
#include "tests/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>

static struct spawned *start(const char *name, const char *first, const char *second, bool agent)
{
	char path[100];
	snprintf(path, sizeof(path), "tests/fixtures/%s", name);
	const char *const argv[] = {
		spawn_memtool(), "run", spawn_path(path), first, second, NULL
	};
	struct spawned *child = spawn(&(struct spawn_how){ .argv = argv + (agent ? 0 : 2) });

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	return child;
}

/* The source of each of the four roots, and of all together. */
static void expect_source(const char *json, const char *source)
{
	char text[64];

	snprintf(text, sizeof(text), "\"source\": \"%s\"", source);
	if (command_count(json, text) != 5)
		fail_msg("not all from %s: %s", source, json);
	assert_non_null(strstr(json, "\"ok\": true"));
}

static void test_inventory(void **state)
{
	(void)state;
	struct spawned *child = start("pattern", "tcache", "2", true);

	const char *json = command_answer("info --format=json", child->pid);
	expect_source(json, "inventory");
	assert_null(strstr(json, "inventory_refused"));
	assert_non_null(strstr(json, "\"layout\": \"table\""));
	/* No ELF file was looked at. */
	assert_non_null(strstr(json, "\"build_id\": null"));
	expect_source(command_answer("info --format=json --source=inventory", child->pid),
		      "inventory");
	expect_source(command_answer("info --format=json --source=symbols", child->pid), "symbols");
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static void test_no_page(void **state)
{
	static const char *const commands[] = {
		"info --source=inventory",           "heap --source=inventory",
		"chunks --source=inventory",         "threads --source=inventory",
		"bins --source=inventory",           "arenas --source=inventory",
		"info --source=inventory --no-stop",
	};

	(void)state;
	struct spawned *child = start("pattern", "tcache", "2", false);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		command_refused(commands[i], child->pid, "memtool run");
	const char *json = command_answer("info --format=json", child->pid);
	expect_source(json, "symbols");
	assert_null(strstr(json, "inventory_refused"));
}

/* Under limits that leave the agent no memfd, its page is anonymous, and is found all the same. */
static void expect_anonymous(const char *limit)
{
	static struct agent_page page;
	const char *const argv[] = { spawn_path("tests/fixtures/confined"), limit,
				     spawn_path("tests/fixtures/subject"), NULL };
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = argv,
		.environment = (const char *const[]){ agent_preload(NULL, NULL), NULL } });

	spawn_expect(child, "subject ");
	agent_command(child, "values");
	agent_command(child, "start 3");
	agent_read_page(child->pid, &page);
	assert_true(page.anonymous);
	expect_source(command_answer("info --format=json --source=inventory", child->pid),
		      "inventory");
}

static void test_anonymous_page_seccomp(void **state)
{
	(void)state;
	expect_anonymous("EPERM");
}

static void test_anonymous_page_file_size(void **state)
{
	(void)state;
	expect_anonymous("FSIZE");
}

#define HEADER_BYTE(field) offsetof(struct inventory_header, field)
#define ENTRY_BYTE(field) \
	(sizeof(struct inventory_header) + offsetof(struct inventory_thread, field))

/* One bit of the byte at place; sealed: and what belongs to it, so that the header is whole. */
static void damage(pid_t pid, const struct inventory_header *header, size_t place, bool sealed)
{
	struct inventory_header changed = *header;
	uint8_t byte;

	if (sealed) {
		((uint8_t *)&changed)[place] ^= 4;
		changed.check = inventory_header_check(&changed);
		agent_poke(pid, header->address, &changed, sizeof(changed));
		return;
	}
	agent_peek(pid, header->address + place, &byte, 1);
	byte ^= 4;
	agent_poke(pid, header->address + place, &byte, 1);
}

static void test_damaged_page(void **state)
{
	static const struct {
		size_t place;
		bool sealed;
	} damages[] = {
		{ HEADER_BYTE(magic), false },
		{ HEADER_BYTE(abi_major), false },
		{ HEADER_BYTE(map_size) + 3, false },
		{ HEADER_BYTE(main_arena), false },
		{ HEADER_BYTE(tcache_offset), false },
		{ HEADER_BYTE(check), false },
		{ HEADER_BYTE(flags), false },
		{ HEADER_BYTE(thread_high), false },
		{ ENTRY_BYTE(state), false },
		{ ENTRY_BYTE(fs_base), false },
		{ ENTRY_BYTE(check), false },
		{ HEADER_BYTE(abi_major), true },
		{ HEADER_BYTE(header_size), true },
		{ HEADER_BYTE(map_size) + 3, true },
		{ HEADER_BYTE(pid), true },
		{ HEADER_BYTE(start_time), true },
		{ HEADER_BYTE(address) + 2, true },
		{ HEADER_BYTE(main_arena), true },
		{ HEADER_BYTE(main_arena) + 7, true },
	};
	static struct agent_page page;

	(void)state;
	struct spawned *child = start("pattern", "bins", "2", true);
	char *chunks = strdup(command_answer("chunks --format=csv", child->pid));
	agent_read_page(child->pid, &page);
	const uint64_t entry = page.header.address + sizeof(page.header);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damage(child->pid, &page.header, damages[i].place, damages[i].sealed);
		const char *json = command_answer("info --format=json", child->pid);
		if (!strstr(json, "\"inventory_refused\": \""))
			fail_msg("damage %zu is not told: %s", i, json);
		expect_source(json, "symbols");
		command_refused("info --source=inventory", child->pid, "inventory page");
		assert_string_equal(command_answer("chunks --format=csv", child->pid), chunks);
		agent_poke(child->pid, page.header.address, &page.header, sizeof(page.header));
		agent_poke(child->pid, entry, &page.threads[0], sizeof(page.threads[0]));
	}
	expect_source(command_answer("info --format=json", child->pid), "inventory");
	free(chunks);
}

/* With registers at hand, nothing depends on the table. */
static void test_thread_missing(void **state)
{
	size_t count;

	(void)state;
	struct spawned *child = start("pattern", "tcache", "3", true);
	char *threads = strdup(command_answer("threads --format=csv", child->pid));
	char *chunks = strdup(command_answer("chunks --format=csv", child->pid));
	pid_t *tids = spawn_threads(child->pid, &count);
	assert_int_equal(count, 4);
	for (size_t i = 0; i < count; i++) {
		agent_unlist(child->pid, tids[i]);
		assert_string_equal(
			command_answer("threads --format=csv --source=inventory", child->pid),
			threads);
		assert_string_equal(
			command_answer("chunks --format=csv --source=inventory", child->pid),
			chunks);
	}
	expect_source(command_answer("info --format=json", child->pid), "inventory");
	free(tids);
	free(chunks);
	free(threads);
}

/* Of threads that no library made, the agent knows nothing; their registers tell. */
static void test_raw_threads(void **state)
{
	static struct agent_page page;
	char row[64];

	(void)state;
	struct spawned *child = start("raw_thread", NULL, NULL, true);
	pid_t shared = (pid_t)agent_number(child->text, "shared", 10);
	pid_t own = (pid_t)agent_number(child->text, "own", 10);
	uint64_t fs_base;
	assert_int_equal(sscanf(spawn_expect(child, "own "), "%*d %" SCNx64, &fs_base), 1);

	agent_read_page(child->pid, &page);
	assert_int_equal(page.count, 1);
	const char *csv = command_answer("threads --format=csv --source=inventory", child->pid);
	assert_int_equal(command_count(csv, "\n"), 4);
	snprintf(row, sizeof(row), "\n%d,raw_thread,0x%" PRIx64 ",,0,0,,false\n", own, fs_base);
	assert_non_null(strstr(csv, row));
	snprintf(row, sizeof(row), "\n%d,raw_thread,0x%" PRIx64 ",", shared,
		 page.threads[0].fs_base);
	const char *found = strstr(csv, row);
	assert_non_null(found);
	assert_memory_equal(strchr(found + 1, '\n') - strlen(",true"), ",true", strlen(",true"));
	expect_source(command_answer("info --format=json --source=inventory", child->pid),
		      "inventory");
}

struct same_case {
	const char *name, *first, *second;
	/*
	 * It calls malloc never. The agent has malloc initialise itself: then the thread has an
	 * arena.
	 */
	bool untouched;
};

struct view {
	struct spawned *child;
	struct session *session;
	struct heap *heap;
};

/* At the same addresses each time. */
static struct view view_of(const struct same_case *what, bool agent)
{
	const int persona = personality(0xffffffff);
	struct view view;

	assert_true(persona >= 0);
	assert_true(personality((unsigned long)persona | ADDR_NO_RANDOMIZE) >= 0);
	view.child = start(what->name, what->first, what->second, agent);
	personality((unsigned long)persona);
	truth_read(view.child->pid,
		   &(struct session_options){ .source = agent ? ROOT_INVENTORY : ROOT_SYMBOLS },
		   &view.session, &view.heap);
	truth_check_shape(view.heap);
	if (!what->untouched || !agent)
		truth_check(view.child->text, view.heap, &view.session->process->memory);
	truth_check_audit(view.heap);
	return view;
}

static void end_view(struct view *view)
{
	heap_destroy(view->heap);
	session_close(view->session);
}

/*
 * brk's memory begins where the program ends, with the agent and without. A heap of another arena,
 * and main_arena itself, are where the kernel puts them beside what else is mapped.
 */
static uint64_t base_of(const struct heap *heap, const struct chunk *chunk)
{
	for (size_t i = 0; i < heap->segment_count; i++) {
		const struct heap_segment *segment = &heap->segments[i];
		if (range_contains(segment->range, chunk_address(chunk)))
			return chunk->arena == 0 ? 0 : segment->range.start;
	}
	return chunk_address(chunk) & ~UINT64_C(4095);
}

static void test_same_chunks(void **state)
{
	struct view with = view_of(*state, true), without = view_of(*state, false);

	assert_int_equal(with.heap->roots.main_arena.source, ROOT_INVENTORY);
	assert_int_equal(without.heap->roots.main_arena.source, ROOT_SYMBOLS);
	assert_int_equal(with.heap->chunk_count, without.heap->chunk_count);
	assert_int_equal(with.heap->arena_count, without.heap->arena_count);
	assert_int_equal(with.heap->segment_count, without.heap->segment_count);
	for (size_t i = 0; i < with.heap->chunk_count; i++) {
		const struct chunk *a = &with.heap->chunks[i], *b = &without.heap->chunks[i];
		assert_int_equal(chunk_address(a) - base_of(with.heap, a),
				 chunk_address(b) - base_of(without.heap, b));
		assert_int_equal(chunk_size(a), chunk_size(b));
		assert_int_equal(a->state, b->state);
		assert_int_equal(a->arena, b->arena);
		assert_int_equal(a->thread, b->thread);
	}
	end_view(&with);
	end_view(&without);
}

/* Whatever fails once the program is another one, that is why. */
static void test_exec_meanwhile(void **state)
{
	static const enum root_source sources[] = { ROOT_UNKNOWN, ROOT_INVENTORY, ROOT_SYMBOLS,
						    ROOT_STRUCTURE };

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		const struct session_options options = { .source = sources[i] };
		struct spawned *child = spawn_program(
			"sh", "-c", "echo first; read x; exec sh -c 'echo second; read x'");
		struct session *session;

		spawn_expect(child, "first");
		truth_must(session_attach(child->pid, &options, &session));
		spawn_write(child, "\n");
		spawn_expect(child, "second");
		struct memtool_error *error = session_locate(session);
		assert_non_null(error);
		assert_int_equal(error->code, MEMTOOL_ERROR_NO_PROCESS);
		memtool_error_destroy(error);
		session_close(session);
		spawn_end(child);
	}
}

int main(void)
{
	static const struct same_case same[] = {
		/* Of more threads than two, any may be the first to have an arena. */
		{ "pattern", "no-frees", "0", false }, { "pattern", "tcache", "1", false },
		{ "pattern", "fastbin", "1", false },  { "pattern", "bins", "1", false },
		{ "bins", NULL, NULL, false },         { "bins", "thread", NULL, false },
		{ "multi_heap", "20", NULL, false },   { "ended", "1", NULL, false },
		{ "brk", "before", "0x1238", false },  { "empty", NULL, NULL, true },
		{ "empty", "0x5000", NULL, true },
	};
	struct CMUnitTest tests[32] = {
		cmocka_unit_test_teardown(test_inventory, spawn_teardown),
		cmocka_unit_test_teardown(test_no_page, spawn_teardown),
		cmocka_unit_test_teardown(test_anonymous_page_seccomp, spawn_teardown),
		cmocka_unit_test_teardown(test_anonymous_page_file_size, spawn_teardown),
		cmocka_unit_test_teardown(test_damaged_page, spawn_teardown),
		cmocka_unit_test_teardown(test_thread_missing, spawn_teardown),
		cmocka_unit_test_teardown(test_raw_threads, spawn_teardown),
		cmocka_unit_test_teardown(test_exec_meanwhile, spawn_teardown),
	};
	size_t count = 0;

	while (tests[count].test_func)
		count++;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		tests[count++] = (struct CMUnitTest){ "same_chunks", test_same_chunks, NULL,
						      spawn_teardown, (void *)&same[i] };
	spawn_watchdog(300);
	return _cmocka_run_group_tests("source", tests, count, NULL, NULL);
}
