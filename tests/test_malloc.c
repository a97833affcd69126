/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose malloc it is: another allocator's process is refused and the allocator is named, unless
 * glibc's heap is in use beside it; what only stands in front of glibc's malloc is no reason to
 * refuse. And whose of several mallocs of glibc's: libc_malloc_debug's, and those of dlmopen(3).
 *
 * The real allocators are those of Debian's libjemalloc2, libtcmalloc-minimal4 and libmimalloc2.0;
 * a case without its library is skipped.
 */
#include "tests/agent_page.h"
#include "tests/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A fixture with these preloaded, when it is ready; preload and variable may be NULL. */
static struct spawned *start_in(const char *variable, const char *name, const char *mode,
				const char *preload, bool agent)
{
	char path[100], preloads[1024];
	snprintf(path, sizeof(path), "tests/fixtures/%s", name);
	snprintf(preloads, sizeof(preloads), "LD_PRELOAD=%s", preload ? preload : "");
	const char *const argv[] = { spawn_path(path), mode, NULL };
	const char *const environment[] = { agent ? agent_preload(NULL, preload) : preloads,
					    variable, NULL };
	struct spawned *child = spawn(&(struct spawn_how){
		.argv = argv,
		.environment = environment,
	});

	spawn_expect(child, "ready");
	return child;
}

static struct spawned *start(const char *name, const char *mode, const char *preload, bool agent)
{
	return start_in(NULL, name, mode, preload, agent);
}

static bool has_mapped(pid_t pid, const char *name)
{
	char path[32], line[512];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *maps = fopen(path, "re");
	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, name);
	fclose(maps);
	return found;
}

/* Every command, whatever its way of reading. */
static void expect_refused(pid_t pid, const char *allocator, const char *module, bool agent)
{
	static const char *const commands[] = {
		"heap",    "chunks --format=csv", "arenas",         "bins",
		"threads", "info --format=json",  "heap --no-stop", "info --source=structure",
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		command_refused(commands[i], pid, allocator);
		command_refused(commands[i], pid, module);
		command_refused(commands[i], pid, "; ");
	}
	if (agent)
		command_refused("heap --source=inventory", pid, allocator);
}

/* How many lines that begin with word tell of chunks that are in use, and of ones that are not. */
static void count_blocks(const char *text, const char *word, const char *chunks, size_t *ret_live,
			 size_t *ret_others)
{
	*ret_live = *ret_others = 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		char user[32], live[64], mmapped[64];

		line += *line == '\n';
		if (strncmp(line, word, strlen(word)) != 0 || line[strlen(word)] != ' ')
			continue;
		assert_int_equal(sscanf(line + strlen(word), " %31s", user), 1);
		snprintf(live, sizeof(live), "\"user\":\"0x%s\"", user);
		const char *found = strstr(chunks, live);
		snprintf(live, sizeof(live), "\"state\":\"in-use\"");
		snprintf(mmapped, sizeof(mmapped), "\"state\":\"mmapped\"");
		const char *state = found ? strstr(found, "\"state\"") : NULL;
		if (state && (strncmp(state, live, strlen(live)) == 0 ||
			      strncmp(state, mmapped, strlen(mmapped)) == 0))
			++*ret_live;
		else
			++*ret_others;
	}
}

/* All blocks of that name are live chunks, or none is; 0: there are none. */
static void expect_blocks(const struct spawned *child, const char *word, const char *chunks,
			  bool are_live)
{
	size_t live, others;

	count_blocks(child->text, word, chunks, &live, &others);
	assert_true(live + others > 0);
	assert_int_equal(are_live ? others : live, 0);
}

#define GLIBC_JSON "\"provider\": \"glibc\""

static void test_glibc(void **state)
{
	(void)state;
	for (int agent = 0; agent < 2; agent++) {
		struct spawned *child = start("served", NULL, NULL, agent);
		const char *json = command_answer("info --format=json", child->pid);
		assert_non_null(strstr(json, GLIBC_JSON));
		assert_non_null(strstr(json, "\"through\": null"));
		assert_non_null(
			strstr(command_answer("heap --format=json", child->pid), GLIBC_JSON));
		assert_null(strstr(command_answer("info", child->pid), "\nmalloc:"));
		expect_blocks(child, "taken", command_answer("chunks --format=jsonl", child->pid),
			      true);
		expect_blocks(child, "given", command_answer("chunks --format=jsonl", child->pid),
			      false);
	}
}

static char *library(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "tests/fixtures/.libs/%s.so", name);
	return realpath(spawn_path(path), NULL);
}

static void test_unknown(void **state)
{
	(void)state;
	char *other = library("other_malloc");

	for (int agent = 0; agent < 2; agent++) {
		struct spawned *child = start("served", NULL, other, agent);
		expect_refused(child->pid, "an unknown malloc", other, agent);
		spawn_close_input(child);
		assert_int_equal(spawn_wait(child), 0);
	}
	free(other);
}

/* By the symbol that only it has, not by the name of the file. */
static void test_known(void **state)
{
	(void)state;
	char *pretended = library("pretended");
	struct spawned *child = start("served", NULL, pretended, false);

	expect_refused(child->pid, "rpmalloc (", pretended, false);
	free(pretended);
}

static void test_own(void **state)
{
	(void)state;
	struct spawned *child = start("served-own", NULL, NULL, false);

	expect_refused(child->pid, "an unknown malloc", "served-own", false);
}

/*
 * A program that is not PIE has an entry of its own PLT for malloc's address, as Debian's python3
 * and node do: it is neither another malloc nor in front of one.
 */
static void test_no_pie(void **state)
{
	(void)state;
	char *other = library("other_malloc");
	struct spawned *child = start("served-no-pie", NULL, NULL, false);

	assert_non_null(
		strstr(command_answer("info --format=json", child->pid), "\"through\": null"));
	assert_null(strstr(command_answer("info", child->pid), "\nmalloc:"));
	expect_blocks(child, "taken", command_answer("chunks --format=jsonl", child->pid), true);
	child = start("served-no-pie", NULL, strchr(spawn_recorder(), '=') + 1, false);
	assert_non_null(strstr(command_answer("info", child->pid), "recorder.so"));
	child = start("served-no-pie", NULL, other, false);
	expect_refused(child->pid, "an unknown malloc", other, false);
	free(other);
}

static void test_static(void **state)
{
	(void)state;
	struct spawned *child = start("served-static", NULL, NULL, false);

	command_refused("heap", child->pid, "jemalloc");
	command_refused("heap", child->pid, "served-static");
}

static void test_sanitizer(void **state)
{
	(void)state;
	if (access(spawn_path("tests/fixtures/served-asan"), X_OK) != 0)
		skip();
	struct spawned *child = start("served-asan", NULL, NULL, false);
	expect_refused(child->pid, "AddressSanitizer", "(", false);
}

static void real(const char *file, const char *allocator)
{
	for (int agent = 0; agent < 2; agent++) {
		struct spawned *child = start("served", NULL, file, agent);
		if (!has_mapped(child->pid, strtok(strdupa(file), "."))) {
			print_message("  there is no %s\n", file);
			skip();
		}
		expect_refused(child->pid, allocator, strtok(strdupa(file), "."), agent);
	}
}

static void test_jemalloc(void **state)
{
	(void)state;
	real("libjemalloc.so.2", "jemalloc (");
}

static void test_tcmalloc(void **state)
{
	(void)state;
	real("libtcmalloc_minimal.so.4", "tcmalloc (");
}

static void test_mimalloc(void **state)
{
	(void)state;
	real("libmimalloc.so.2", "mimalloc (");
}

/* Glibc's heap is shown then, and it is told that this is not all. */
static void beside(const char *preload, const char *provider, bool agent)
{
	static const char *const ways[] = { "chunks --format=jsonl",
					    "chunks --format=jsonl --no-stop" };
	struct spawned *child = start("served", "beside", preload, agent);
	const char *json = command_answer("info --format=json", child->pid);

	assert_non_null(strstr(json, provider));
	assert_non_null(strstr(json, preload));
	assert_non_null(strstr(command_answer("heap --format=json", child->pid), provider));
	assert_non_null(strstr(command_answer("info", child->pid), preload));
	assert_null(strstr(command_run("info --format=csv", child->pid)->out, ",glibc\n"));
	assert_non_null(strstr(command_answer("heap", child->pid), preload));
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct spawn_result *result = command_run(ways[i], child->pid);
		assert_int_equal(spawn_exit_code(result), 0);
		assert_int_equal(command_count(result->err, "\n"), 1);
		assert_non_null(strstr(result->err, preload));
		expect_blocks(child, "beside", result->out, true);
		expect_blocks(child, "returned", result->out, false);
		expect_blocks(child, "taken", result->out, false);
	}
	command_answer("chunks --quiet", child->pid);
}

static void test_beside(void **state)
{
	(void)state;
	char *other = library("other_malloc"), *pretended = library("pretended");

	beside(other, "\"provider\": null", false);
	beside(other, "\"provider\": null", true);
	beside(pretended, "\"provider\": \"rpmalloc\"", false);
	free(other);
	free(pretended);
}

static void through(const char *preload, bool agent)
{
	struct spawned *child = start("served", NULL, preload, agent);
	const char *json = command_answer("info --format=json", child->pid);

	assert_non_null(strstr(json, GLIBC_JSON));
	assert_null(strstr(json, "\"through\": null"));
	assert_non_null(strstr(json, preload));
	assert_non_null(strstr(command_answer("heap", child->pid), preload));
	expect_blocks(child, "taken", command_answer("chunks --format=jsonl", child->pid), true);
}

/* What passes on to glibc is no other malloc, and nothing is missing. */
static void test_through(void **state)
{
	(void)state;
	char *passing = library("passing");

	for (int agent = 0; agent < 2; agent++) {
		through(strchr(spawn_recorder(), '=') + 1, agent);
		through(passing, agent);
	}
	free(passing);
}

/* What passes on to another malloc leads to that one. */
static void test_through_to_other(void **state)
{
	char both[1024];

	(void)state;
	char *other = library("other_malloc");
	snprintf(both, sizeof(both), "%s:%s", strchr(spawn_recorder(), '=') + 1, other);
	struct spawned *child = start("served", NULL, both, false);
	expect_refused(child->pid, "an unknown malloc", other, false);
	free(other);
}

/* C code in a Go program uses glibc's malloc. */
static void test_go(void **state)
{
	(void)state;
	struct spawned *child = start("served-go", NULL, NULL, false);
	const struct spawn_result *result = command_run("chunks --format=jsonl", child->pid);

	assert_int_equal(spawn_exit_code(result), 0);
	assert_int_equal(command_count(result->err, "\n"), 1);
	assert_non_null(strstr(result->err, "the heap of Go"));
	expect_blocks(child, "taken", result->out, true);
	const char *json = command_answer("info --format=json", child->pid);
	assert_non_null(strstr(json, GLIBC_JSON));
	assert_null(strstr(json, "\"go\": null"));
}

#define DEBUG_LIBRARY "libc_malloc_debug.so.0"

/* Under glibc 2.34 or later, or the test is skipped. */
static struct spawned *start_debug(const char *variable, const char *mode, bool agent)
{
	struct spawned *child = start_in(variable, "served", mode, DEBUG_LIBRARY, agent);

	if (!has_mapped(child->pid, DEBUG_LIBRARY))
		skip();
	return child;
}

static void expect_debug(struct spawned *child, const char *options)
{
	char words[100];

	snprintf(words, sizeof(words), "info --format=json%s", options);
	const char *json = command_answer(words, child->pid);
	assert_non_null(strstr(json, GLIBC_JSON));
	assert_non_null(strstr(json, "\"ok\": true"));
	snprintf(words, sizeof(words), "chunks --format=jsonl%s", options);
	const char *chunks = command_answer(words, child->pid);
	expect_blocks(child, "taken", chunks, true);
	expect_blocks(child, "given", chunks, false);
	assert_null(strstr(chunks, "\"tcache\""));
}

/*
 * The first block that is kept has 40 bytes, which is all malloc_usable_size() would tell of it
 * here.
 */
static void expect_room(struct spawned *child)
{
	char user[32], begin[64];
	uint64_t size, usable;

	assert_int_equal(sscanf(strstr(child->text, "taken "), "taken %31s", user), 1);
	snprintf(begin, sizeof(begin), "\"user\":\"0x%s\"", user);
	const char *chunk = strstr(command_answer("chunks --format=jsonl", child->pid), begin);
	assert_non_null(chunk);
	assert_int_equal(sscanf(chunk + strlen(begin), ",\"size\":%" SCNu64 ",\"usable\":%" SCNu64,
				&size, &usable),
			 2);
	assert_int_equal(usable, size - 8);
	assert_true(usable > 40);
}

/* libc_malloc_debug serves, from a heap of its own. */
static void test_check(void **state)
{
	static const char *const options[] = { "", " --no-stop", " --source=symbols",
					       " --source=structure", " --layout=dwarf" };

	(void)state;
	for (int agent = 0; agent < 2; agent++) {
		struct spawned *child = start_debug("MALLOC_CHECK_=3", NULL, agent);
		for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
			expect_debug(child, options[i]);
		assert_non_null(strstr(command_answer("heap", child->pid), DEBUG_LIBRARY));
		expect_room(child);
	}
}

/* It only passes on, unless it is told to check. */
static void test_no_check(void **state)
{
	(void)state;
	struct spawned *child = start_debug(NULL, NULL, false);

	expect_blocks(child, "taken", command_answer("chunks --format=jsonl", child->pid), true);
	assert_non_null(strstr(command_answer("info", child->pid), "glibc's, through"));
	assert_non_null(strstr(command_answer("chunks --format=jsonl", child->pid), "\"tcache\""));
}

/* Answers with a note that there is more; what it printed. */
static const char *answer_of_several(const char *words, pid_t pid)
{
	const struct spawn_result *result = command_run(words, pid);

	assert_int_equal(spawn_exit_code(result), 0);
	assert_int_equal(command_count(result->err, "\n"), 1);
	assert_non_null(strstr(result->err, "--libc=N"));
	return result->out;
}

/* All but the mmapped ones, which do not show whose they are and are there in either case. */
static void expect_alone(struct spawned *child, const char *chunks, const char *shown,
			 const char *hidden)
{
	size_t live, others;

	expect_blocks(child, shown, chunks, true);
	count_blocks(child->text, hidden, chunks, &live, &others);
	assert_int_equal(live, 1);
	assert_true(others > 1);
}

/* Each of two heaps, and each of both whole. */
static void expect_two(struct spawned *child, const char *first, const char *second)
{
	static const char *const options[] = { "", " --no-stop", " --source=structure" };
	char words[100];

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		for (int shown = 1; shown <= 2; shown++) {
			snprintf(words, sizeof(words), "chunks --format=jsonl --libc=%d%s", shown,
				 options[i]);
			expect_alone(child, answer_of_several(words, child->pid),
				     shown == 1 ? first : second, shown == 1 ? second : first);
			snprintf(words, sizeof(words), "info --format=json --libc=%d%s", shown,
				 options[i]);
			const char *json = command_answer(words, child->pid);
			assert_non_null(strstr(json, "\"ok\": true"));
			assert_int_equal(command_count(json, "\"in_use\": true"), 2);
			assert_int_equal(command_count(json, "\"shown\": true"), 1);
		}
	}
	assert_non_null(strstr(command_answer("info", child->pid), "\nglibcs:   2\n"));
	command_refused("heap --libc=3", child->pid, "there is no glibc 3");
}

static void test_check_beside(void **state)
{
	(void)state;
	struct spawned *child = start_debug("MALLOC_CHECK_=3", "beside", false);

	expect_alone(child, answer_of_several("chunks --format=jsonl", child->pid), "taken",
		     "beside");
	expect_two(child, "beside", "taken");
}

static void test_namespace(void **state)
{
	(void)state;
	for (int agent = 0; agent < 2; agent++) {
		struct spawned *child = start("served", "namespace", NULL, agent);
		expect_alone(child, answer_of_several("chunks --format=jsonl", child->pid), "taken",
			     "second");
		expect_two(child, "taken", "second");
	}
}

/* Of the same shape, so that a part of one's heap would do for another's. */
static void test_namespaces(void **state __attribute__((__unused__)))
{
	struct spawned *child = spawn_program(spawn_path("tests/fixtures/served"), "namespaces");
	char words[60];

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	for (int shown = 1; shown <= 4; shown++) {
		snprintf(words, sizeof(words), "info --quiet --format=json --libc=%d", shown);
		assert_non_null(strstr(command_answer(words, child->pid), "\"ok\": true"));
	}
	assert_non_null(
		strstr(command_answer("arenas --quiet --libc=4", child->pid), "not contiguous"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_glibc, spawn_teardown),
		cmocka_unit_test_teardown(test_unknown, spawn_teardown),
		cmocka_unit_test_teardown(test_known, spawn_teardown),
		cmocka_unit_test_teardown(test_own, spawn_teardown),
		cmocka_unit_test_teardown(test_no_pie, spawn_teardown),
		cmocka_unit_test_teardown(test_static, spawn_teardown),
		cmocka_unit_test_teardown(test_sanitizer, spawn_teardown),
		cmocka_unit_test_teardown(test_jemalloc, spawn_teardown),
		cmocka_unit_test_teardown(test_tcmalloc, spawn_teardown),
		cmocka_unit_test_teardown(test_mimalloc, spawn_teardown),
		cmocka_unit_test_teardown(test_beside, spawn_teardown),
		cmocka_unit_test_teardown(test_through, spawn_teardown),
		cmocka_unit_test_teardown(test_through_to_other, spawn_teardown),
		cmocka_unit_test_teardown(test_go, spawn_teardown),
		cmocka_unit_test_teardown(test_check, spawn_teardown),
		cmocka_unit_test_teardown(test_no_check, spawn_teardown),
		cmocka_unit_test_teardown(test_check_beside, spawn_teardown),
		cmocka_unit_test_teardown(test_namespace, spawn_teardown),
		cmocka_unit_test_teardown(test_namespaces, spawn_teardown),
	};

	spawn_watchdog(300);
	return cmocka_run_group_tests_name("malloc", tests, NULL, NULL);
}
