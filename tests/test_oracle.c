/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: the exact set of live allocations of a program, as a preload recorder kept it, against
 * the set that memtool reads. Both must be the same, pointer by pointer, with the same usable sizes.
 * No allowance is made: the recorder sees the very first call, libc's and ld.so's own included, and
 * what glibc cuts from the heap without a call (the tcache structs) memtool reports as what it is.
 *
 * That holds for a child of a fork of several threads as well: what the other threads had in their
 * tcaches is marked in use for ever, but must be found as theirs, the same that they have in the
 * parent.
 *
 * Everything twice: by symbols, and by the page of the agent, which is then preloaded as well.
 *
 * Link: tests/test_oracle.c tests/records.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/oracle/storm, tests/oracle/recorder (a shared module, not linked), the
 * agent, tests/fixtures, MEMTOOL_BUILDDIR; python3, perl and sqlite3, each if it is there.
 */
#include "tests/agent_page.h"
#include "tests/records.h"
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"
#include "support/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What a test is given: words or a program, and where memtool shall take its roots from. */
struct subject {
	const void *what;
	enum root_source source;
};

/* What the tcaches of all threads but one hold, and these tcaches themselves. */
static struct record_set tcaches_of_others(const struct heap *heap, pid_t tid)
{
	struct record_set set = records_new(heap->chunk_count);

	for (size_t i = 0; i < heap->chunk_count; i++) {
		const struct chunk *chunk = &heap->chunks[i];
		if (chunk->thread != CHUNK_NO_THREAD && heap->threads[chunk->thread].tid != tid)
			records_add(&set, chunk_user(chunk), heap_usable_size(heap, chunk));
	}
	return set;
}

static size_t report_missing(const struct heap *heap, const struct record_set *from,
			     const struct record_set *in, const char *what)
{
	size_t missing = 0;

	for (size_t i = 0; i < from->count; i++) {
		if (records_contain(in, &from->data[i]))
			continue;
		if (missing++ < 10) {
			const struct chunk *chunk = heap_find(heap, from->data[i].user - 16);
			print_error("  %s: %#" PRIx64 ", %" PRIu64 " bytes; memtool has %s there "
				    "(user %#" PRIx64 ", %" PRIu64 " bytes)\n",
				    what, from->data[i].user, from->data[i].usable,
				    chunk ? chunk_state_name(chunk->state) : "nothing",
				    chunk ? chunk_user(chunk) : 0,
				    chunk ? heap_usable_size(heap, chunk) : 0);
		}
	}
	return missing;
}

static void compare(struct session *session, const struct heap *heap)
{
	struct record_set recorded = records_read(session), live = records_of_heap(heap);

	assert_true(recorded.count > 0);
	size_t missing = report_missing(heap, &recorded, &live, "missing");
	size_t too_many = report_missing(heap, &live, &recorded, "one too many");
	print_message("  %zu allocations: %zu missing, %zu too many\n", recorded.count, missing,
		      too_many);
	free(recorded.data);
	free(live.data);
	assert_int_equal(missing, 0);
	assert_int_equal(too_many, 0);
}

static void read_heap(pid_t pid, enum root_source source, struct session **ret_session,
		      struct heap **ret)
{
	truth_read(pid, &(struct session_options){ .source = source }, ret_session, ret);
	assert_int_equal((*ret)->roots.main_arena.source, source);
	assert_int_equal((*ret)->roots.tcache.source, source);
	truth_check_shape(*ret);
}

static void check(pid_t pid, enum root_source source)
{
	struct session *session;
	struct heap *heap;

	read_heap(pid, source, &session, &heap);
	compare(session, heap);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
}

/* Under the recorder, and before that the agent if its page is to be used. */
static struct spawned *start(const char *const *argv, const char *variable, enum root_source source)
{
	const char *preload = spawn_recorder();
	if (source == ROOT_INVENTORY)
		preload = agent_preload(NULL, preload + strlen("LD_PRELOAD="));
	const char *environment[] = { preload, variable, NULL };

	return spawn(&(struct spawn_how){ .argv = argv, .environment = environment });
}

static struct spawned *start_storm(const char *seed, const char *threads, const char *mode,
				   enum root_source source)
{
	const char *const argv[] = { spawn_path("tests/oracle/storm"), seed, threads, mode, NULL };

	return start(argv, NULL, source);
}

static void test_storm(void **state)
{
	const struct subject *subject = *state;
	const char *const *arguments = subject->what;
	struct spawned *child =
		start_storm(arguments[0], arguments[1], arguments[2], subject->source);
	struct session *session;
	struct heap *heap;

	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	check(child->pid, subject->source);

	read_heap(child->pid, subject->source, &session, &heap);
	truth_check_mallinfo(spawn_expect(child, "mallinfo2 "), heap);
	heap_destroy(heap);
	session_close(session);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static pid_t expect_grandchild(struct spawned *child)
{
	pid_t pid = atoi(spawn_expect(child, "child "));

	assert_true(pid > 0);
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	spawn_wait_at_rest(pid);
	return pid;
}

/* All that the parent's other threads had, and nothing else, is the orphans'. */
static void compare_orphans(const struct heap *heap, const struct record_set *parents, size_t count)
{
	struct record_set orphans = tcaches_of_others(heap, heap->threads[0].tid);

	print_message("  %zu orphans with %zu chunks\n", heap->orphan_count, orphans.count);
	assert_int_equal(heap->orphan_count, count);
	assert_int_equal(orphans.count, parents->count);
	assert_int_equal(report_missing(heap, parents, &orphans, "missing"), 0);
	free(orphans.data);
}

/* Both sides of a fork, after the child has gone on. */
static void test_fork(void **state)
{
	const struct subject *subject = *state;
	const char *const *arguments = subject->what;
	struct spawned *child = start_storm(arguments[0], arguments[1], "fork", subject->source);
	pid_t grandchild = expect_grandchild(child);
	struct session *session;
	struct heap *heap;

	read_heap(child->pid, subject->source, &session, &heap);
	compare(session, heap);
	assert_int_equal(heap->orphan_count, 0);
	struct record_set left = tcaches_of_others(heap, child->pid);
	heap_destroy(heap);
	session_close(session);

	read_heap(grandchild, subject->source, &session, &heap);
	assert_int_equal(heap->thread_count, 1);
	assert_null(session->orphans_unknown);
	compare(session, heap);
	compare_orphans(heap, &left, (size_t)atoi(arguments[1]) - 1);
	truth_check_audit(heap);
	heap_destroy(heap);
	session_close(session);
	free(left.data);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

/* Every fixture of one of these kinds, under the recorder as well. */
static void test_fixture(void **state)
{
	const struct subject *subject = *state;
	const char *const *argv = subject->what;
	const char *words[8] = { NULL };
	char path[100] = "tests/fixtures/";

	strcat(path, argv[0]);
	words[0] = spawn_path(path);
	for (size_t i = 1; argv[i]; i++)
		words[i] = argv[i];
	struct spawned *child = start(words, NULL, subject->source);
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	check(child->pid, subject->source);
}

struct program {
	const char *const *argv;
	const char *variable;
	const char *input; /* written to it; NULL for none */
};

static void test_program(void **state)
{
	const struct subject *subject = *state;
	const struct program *program = subject->what;

	if (!spawn_has_program(program->argv[0]))
		skip();
	struct spawned *child = start(program->argv, program->variable, subject->source);
	if (program->input)
		spawn_write(child, program->input);
	spawn_expect(child, "ready");
	spawn_wait_at_rest(child->pid);
	check(child->pid, subject->source);
	spawn_close_input(child);
	assert_int_equal(spawn_wait(child), 0);
}

static const char python_work[] =
	"import collections, decimal, json, random, re, sys, threading\n"
	"random.seed(7)\n"
	"table = {}\n"
	"for i in range(20000):\n"
	"    table['key %d' % i] = [random.random()] * random.randrange(1, 40)\n"
	"for i in range(0, 20000, 3):\n"
	"    del table['key %d' % i]\n"
	"text = json.dumps(table)\n"
	"again = json.loads(text)\n"
	"words = collections.Counter(re.findall(r'[0-9]{4}', text))\n"
	"sums = [decimal.Decimal(i).sqrt() for i in range(2000)]\n"
	"blobs = [bytes(random.randrange(1, 300000)) for i in range(200)]\n"
	"random.shuffle(blobs)\n"
	"del blobs[:120], text\n"
	"stop = threading.Event()\n"
	"began = threading.Barrier(5)\n"
	"def work():\n"
	"    mine = [str(i) * random.randrange(1, 50) for i in range(5000)]\n"
	"    del mine[::2]\n"
	"    began.wait()\n"
	"    stop.wait()\n"
	"for i in range(4):\n"
	"    threading.Thread(target=work, daemon=True).start()\n"
	"began.wait()\n"
	"print('ready', flush=True)\n"
	"sys.stdin.read()\n";

static const char perl_work[] =
	"my %table; srand 7;\n"
	"for my $i (1 .. 60000) { $table{\"key $i\"} = 'x' x int rand 400 }\n"
	"for my $i (1 .. 20000) { delete $table{\"key \" . $i * 3} }\n"
	"my @sorted = sort { $table{$a} cmp $table{$b} } keys %table;\n"
	"my $text = join ',', @sorted; my %seen; $seen{$1}++ while $text =~ /(\\d+)/g;\n"
	"my @nested = map { [ map { { n => $_ } } 1 .. $_ ] } 1 .. 200; splice @nested, 50, 100;\n"
	"my $big = 'y' x 3000000; undef $big; undef $text;\n"
	"$| = 1; print \"ready\\n\"; <STDIN>;\n";

static const char sqlite_work[] =
	"CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, data BLOB);\n"
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)\n"
	"  INSERT INTO t SELECT i, 'name ' || (i * 7919 % 30011), zeroblob(i % 700) FROM n;\n"
	"CREATE INDEX by_name ON t(name);\n"
	"DELETE FROM t WHERE id % 3 = 0;\n"
	"UPDATE t SET data = zeroblob(3000) WHERE id % 100 = 1;\n"
	"CREATE TABLE u AS SELECT name, count(*) AS c FROM t GROUP BY substr(name, 1, 7);\n"
	"SELECT count(*) FROM t JOIN u ON t.name > u.name WHERE t.id < 50;\n"
	"DROP TABLE u;\n"
	".system echo ready\n";

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TESTS_MAX    64

static struct CMUnitTest tests[TESTS_MAX];
static size_t test_count;

static void add_test(const char *name, CMUnitTestFunction function, const void *what,
		     enum root_source source)
{
	static struct subject subjects[TESTS_MAX];
	struct subject *subject = &subjects[test_count];

	assert_true(test_count < TESTS_MAX);
	*subject = (struct subject){ what, source };
	tests[test_count++] = (struct CMUnitTest){ name, function, NULL, spawn_teardown, subject };
}

int main(void)
{
	static const char *const storms[][3] = {
		{ "1", "1" },         { "2", "1" },        { "3", "1", "mmap" },
		{ "4", "8" },         { "5", "8" },        { "6", "8", "mmap" },
		{ "7", "8", "mmap" }, { "8", "8", "end" }, { "9", "8", "end" },
	};
	static const char *const forks[][2] = { { "10", "1" }, { "11", "8" }, { "12", "8" } };
	static const char *const fixtures[][4] = { { "mmapped", "thread" },
						   { "multi_heap" },
						   { "multi_heap", "30" },
						   { "ended", "3" },
						   { "cross" },
						   { "many", "100" },
						   { "brk", "blocked" },
						   { "brk", "between", "0x1238" } };
	static const char *const python[] = { "python3", "-c", python_work, NULL };
	static const char *const perl[] = { "perl", "-e", perl_work, NULL };
	static const char *const sqlite[] = { "sqlite3", ":memory:", NULL };
	static const struct program programs[] = { { python, "PYTHONMALLOC=malloc", NULL },
						   { python, NULL, NULL },
						   { perl, NULL, NULL },
						   { sqlite, NULL, sqlite_work } };
	static const char *const names[] = { "python3, with malloc for all", "python3", "perl",
					     "sqlite3" };
	static const enum root_source sources[] = { ROOT_SYMBOLS, ROOT_INVENTORY };

	spawn_watchdog(600);
	for (size_t i = 0; i < COUNT(sources); i++) {
		for (size_t j = 0; j < COUNT(storms); j++)
			add_test("storm", test_storm, storms[j], sources[i]);
		for (size_t j = 0; j < COUNT(forks); j++)
			add_test("fork", test_fork, forks[j], sources[i]);
		for (size_t j = 0; j < COUNT(fixtures); j++)
			add_test(fixtures[j][0], test_fixture, fixtures[j], sources[i]);
		for (size_t j = 0; j < COUNT(programs); j++)
			add_test(names[j], test_program, &programs[j], sources[i]);
	}
	return _cmocka_run_group_tests("oracle", tests, test_count, NULL, NULL);
}
