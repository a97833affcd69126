/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storm of malloc in four threads that never ends, read over and over. Every answer must be
 * either clean by its audit or say that it is torn, whatever the threads were at.
 *
 * That a clean answer is true shows by the recorder's set of live allocations. To have both of one
 * moment, the program is suspended (SIGSTOP): just as it is, or with its threads out of malloc as
 * session_settle() leaves them.
 *
 * Each test goes on for some seconds; with MEMTOOL_STORM_READS=N, for N readings. The rates are
 * printed.
 *
 * Link: tests/test_storm.c tests/records.c tests/truth.c tests/spawn.c, the reader, cmocka.
 * Needs at run time: tests/oracle/storm, the recorder and the agent, MEMTOOL_BUILDDIR.
 */
#include "tests/agent_page.h"
#include "tests/records.h"
#include "tests/spawn.h"
#include "tests/truth.h"

#include "session.h"
#include "session_settle.h"
#include "target/stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define THREADS       "4"
#define TEST_NS       UINT64_C(5000000000)
#define READS_AT_MOST 100000

/* How the answers of one test came out. */
struct rates {
	unsigned int clean; /* no finding at all */
	unsigned int remarked; /* no doubt, but somebody was inside malloc */
	unsigned int torn;
	unsigned int stops;
	uint64_t stopped_ns;
	uint64_t stopped_most_ns;
	uint64_t start_ns;
	unsigned int wanted; /* 0: for as long as there is time */
};

static unsigned int total(const struct rates *rates)
{
	return rates->clean + rates->remarked + rates->torn;
}

static struct rates begin(void)
{
	const char *wanted = getenv("MEMTOOL_STORM_READS");

	return (struct rates){
		.start_ns = spawn_now_ns(),
		.wanted = wanted ? (unsigned int)atoi(wanted) : 0,
	};
}

static bool goes_on(const struct rates *rates)
{
	if (rates->wanted)
		return total(rates) < rates->wanted;
	return total(rates) == 0 ||
	       (spawn_now_ns() - rates->start_ns < TEST_NS && total(rates) < READS_AT_MOST);
}

static void print(const struct rates *rates)
{
	double reads = total(rates);

	print_message("  %u readings: %.1f %% clean, %.1f %% clean with a remark, %.1f %% torn; "
		      "stopped %.2f times, for %.1f ms on average, %.1f ms at most\n",
		      total(rates), 100 * rates->clean / reads, 100 * rates->remarked / reads,
		      100 * rates->torn / reads, rates->stops / reads,
		      (double)rates->stopped_ns / reads / 1e6,
		      (double)rates->stopped_most_ns / 1e6);
}

/* Counts the answer. A clean one is in good shape; one that is not says what is wrong with it. */
static void judge(struct rates *rates, const struct heap *heap)
{
	bool doubt = false;

	for (size_t i = 0; i < heap->audit.findings.count; i++)
		doubt |= heap->audit.findings.data[i].doubt;
	assert_int_equal(doubt, !heap->audit.ok);
	if (doubt) {
		rates->torn++;
		return;
	}
	truth_check_shape(heap);
	if (heap->audit.findings.count)
		rates->remarked++;
	else
		rates->clean++;
}

static void add_pause(struct rates *rates, const struct session *session, uint64_t ns)
{
	rates->stops += session->stops;
	rates->stopped_ns += ns;
	if (ns > rates->stopped_most_ns)
		rates->stopped_most_ns = ns;
}

static struct spawned *start_storm(enum root_source source, bool recorder)
{
	const char *const argv[] = { spawn_path("tests/oracle/storm"), "1", THREADS, "endless",
				     NULL };
	const char *recording = spawn_recorder(), *preload = recorder ? recording : NULL;
	if (source == ROOT_INVENTORY)
		preload = agent_preload(NULL, recorder ? recording + strlen("LD_PRELOAD=") : NULL);
	const char *environment[] = { preload, NULL };
	struct spawned *child =
		spawn(&(struct spawn_how){ .argv = argv, .environment = environment });

	spawn_expect(child, "ready");
	return child;
}

static void read_storm(const struct session_options *options, struct rates *rates)
{
	struct spawned *child = start_storm(options->source, false);
	struct session *session;

	truth_must(session_open(child->pid, options, &session));
	for (*rates = begin(); goes_on(rates);) {
		struct heap *heap;
		uint64_t ns;
		truth_must(session_read_heap(session, &heap, &ns));
		judge(rates, heap);
		add_pause(rates, session, ns);
		heap_destroy(heap);
	}
	print(rates);
	session_close(session);
}

/* To be torn after a few attempts takes bad luck each time. */
static void test_stopped(void **state)
{
	const struct session_options options = { .source = *(enum root_source *)*state };
	struct rates rates;

	read_storm(&options, &rates);
	assert_true(rates.torn * 20 <= total(&rates));
}

static void test_running(void **state)
{
	const struct session_options options = {
		.source = *(enum root_source *)*state,
		.no_stop = true,
	};
	struct rates rates;

	read_storm(&options, &rates);
	assert_int_equal(rates.stops, 0);
}

static void suspend(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

static void go_on(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WCONTINUED), 0);
}

/* Suspends it with no thread inside malloc, or as good as that can be. */
static void suspend_settled(struct session *session)
{
	pid_t pid = session->process->pid;
	struct stop *stop;
	siginfo_t info;

	session_load_malloc_code(session);
	truth_must(stop_threads(session->process, &stop));
	truth_must(session_settle(session, stop, UINT64_MAX));
	/* Each thread meets the signal before anything else when it is let go. */
	assert_int_equal(kill(pid, SIGSTOP), 0);
	stop_resume(stop, NULL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

/*
 * What is recorded is there, and what is there is recorded, but for what threads are about to do.
 */
static void check_truth(struct session *session, const struct heap *heap, bool exact)
{
	struct record_set recorded = records_read(session), live = records_of_heap(heap);
	size_t missing = 0, surplus = 0;

	for (size_t i = 0; i < recorded.count; i++)
		missing += !records_contain(&live, &recorded.data[i]);
	for (size_t i = 0; i < live.count; i++)
		surplus += !records_contain(&recorded, &live.data[i]);
	free(recorded.data);
	free(live.data);
	/* In realloc() both the old and the new one are live, and neither is recorded. */
	if (missing || (exact && surplus > 2 * recorded.inside))
		fail_msg("%zu recorded allocations are missing, %zu are too many, with %zu "
			 "threads in the recorder",
			 missing, surplus, (size_t)recorded.inside);
}

static void compare(bool settled, struct rates *rates)
{
	struct spawned *child = start_storm(ROOT_SYMBOLS, true);
	struct session *session;

	truth_must(session_open(child->pid, &(struct session_options){ .source = ROOT_SYMBOLS },
				&session));
	for (*rates = begin(); goes_on(rates);) {
		struct heap *heap;
		uint64_t ns;
		if (settled)
			suspend_settled(session);
		else
			suspend(child->pid);
		truth_must(session_read_heap(session, &heap, &ns));
		judge(rates, heap);
		add_pause(rates, session, ns);
		if (heap->audit.ok)
			check_truth(session, heap, heap->audit.findings.count == 0);
		heap_destroy(heap);
		go_on(child->pid);
	}
	print(rates);
	session_close(session);
}

/* Caught anywhere, and there is nothing that waiting would change. */
static void test_truth_suspended(void **state)
{
	struct rates rates;

	(void)state;
	compare(false, &rates);
	assert_true(rates.torn < total(&rates));
}

static void test_truth_settled(void **state)
{
	struct rates rates;

	(void)state;
	compare(true, &rates);
	assert_true(rates.torn * 20 <= total(&rates));
}

int main(void)
{
	static enum root_source symbols = ROOT_SYMBOLS, inventory = ROOT_INVENTORY;
	const struct CMUnitTest tests[] = {
		{ "stopped, symbols", test_stopped, NULL, spawn_teardown, &symbols },
		{ "stopped, inventory", test_stopped, NULL, spawn_teardown, &inventory },
		{ "running, symbols", test_running, NULL, spawn_teardown, &symbols },
		{ "running, inventory", test_running, NULL, spawn_teardown, &inventory },
		cmocka_unit_test_teardown(test_truth_suspended, spawn_teardown),
		cmocka_unit_test_teardown(test_truth_settled, spawn_teardown),
	};

	spawn_watchdog(getenv("MEMTOOL_STORM_READS") ? 3600 : 300);
	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
