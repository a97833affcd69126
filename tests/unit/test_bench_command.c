/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that the benchmarks run beside memtool: what is said of those that fail or take too
 * long, and that nothing of them stays.
 */
#include "child.h"

#include "bench/command.h"

#define LONG  600000.0
#define SHORT 50.0

static struct child start_target(void)
{
	struct child target = child_start(wait_for_ever);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)target.pid);
	setenv("PID", pid, 1);
	return target;
}

static void expect_only_child(pid_t target)
{
	char path[64];
	int first = 0, second = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "re");
	assert_non_null(children);
	assert_int_equal(fscanf(children, "%d %d", &first, &second), 1);
	fclose(children);
	assert_int_equal(first, target);
}

static void done(void **state)
{
	struct child target = start_target();
	struct command_run run;

	(void)state;
	command_run("kill -0 $PID", target.pid, LONG, &run);
	assert_int_equal(run.end, COMMAND_DONE);
	assert_true(run.wall_ms > 0);
	child_end(&target);
}

static void stopped(void **state)
{
	struct child target = start_target();
	struct command_run run;

	(void)state;
	/* Until it is seen, which a busy machine may delay. */
	do {
		command_run("kill -STOP $PID; sleep 0.05; kill -CONT $PID", target.pid, LONG, &run);
		assert_int_equal(run.end, COMMAND_DONE);
	} while (run.stopped_ms <= 0);
	assert_true(run.stopped_ms <= run.wall_ms);
	child_end(&target);
}

static void expect_failure(const char *command, const char *why)
{
	struct child target = start_target();
	struct command_run run;

	command_run(command, target.pid, LONG, &run);
	assert_int_equal(run.end, COMMAND_FAILED);
	assert_string_equal(run.why, why);
	expect_only_child(target.pid);
	kill(target.pid, SIGKILL);
	waitpid(target.pid, NULL, 0);
	child_free(&target);
}

static void failed(void **state)
{
	(void)state;
	expect_failure("exit 3", "failed: status 3");
	expect_failure("kill -9 $$", "failed: signal 9");
	expect_failure("kill -STOP $PID", "left it in state T");
	/* Its state shows only once it has died. */
	expect_failure("kill -9 $PID; until grep -q 'State:.Z' /proc/$PID/status; do :; done",
		       "left it in state Z");
}

/* Those it started are in other process groups and sessions, and theirs too. */
static void leaves_nothing(void **state)
{
	struct child target = start_target();
	struct command_run run;

	(void)state;
	command_run("setsid sh -c 'sleep 1000 & sleep 1000' & sleep 1000 & :", target.pid, LONG,
		    &run);
	assert_int_equal(run.end, COMMAND_DONE);
	expect_only_child(target.pid);
	child_end(&target);
}

static void late(void **state)
{
	struct child target = start_target();
	struct command_run run;

	(void)state;
	command_run("setsid sleep 1000 & sleep 1000 | sleep 1000", target.pid, SHORT, &run);
	assert_int_equal(run.end, COMMAND_LATE);
	assert_true(run.wall_ms >= SHORT);
	await_state(target.pid, 'S');
	expect_only_child(target.pid);
	child_end(&target);
}

/* What it stopped goes on, as it can do that no more. */
static void late_and_stopped(void **state)
{
	struct child target = start_target();
	struct command_run run;
	double limit = SHORT;

	(void)state;
	do {
		command_run("kill -STOP $PID; exec sleep 1000", target.pid, limit, &run);
		assert_int_equal(run.end, COMMAND_LATE);
		limit *= 2;
	} while (run.stopped_ms <= 0);
	await_state(target.pid, 'S');
	expect_only_child(target.pid);
	child_end(&target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(done),   cmocka_unit_test(stopped),
		cmocka_unit_test(failed), cmocka_unit_test(leaves_nothing),
		cmocka_unit_test(late),   cmocka_unit_test(late_and_stopped),
	};

	command_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
