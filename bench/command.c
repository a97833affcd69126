/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/command.h"

#include "bench/bench.h"
#include "bench/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void command_init(void)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		bench_fail("cannot become a subreaper");
}

/* False if pid is still there after limit_ms. */
static bool ends_within(pid_t pid, double limit_ms)
{
	struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	int count = end.fd < 0 ? -1 : poll(&end, 1, (int)limit_ms);
	if (count < 0)
		bench_fail("cannot wait for process %d: %s", (int)pid, strerror(errno));
	close(end.fd);
	return count > 0;
}

/* The first of our children that is not spared; 0: there is none. */
static pid_t next_child(pid_t spared)
{
	char path[64];
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *children = fopen(path, "re");
	if (!children)
		bench_fail("%s cannot be read", path);
	while (fscanf(children, "%d", &pid) == 1 && pid == spared)
		pid = 0;
	fclose(children);
	return pid;
}

/*
 * All that a command started: debuggers give what they run a process group of its own, but whose
 * parent ends becomes our child. The status of pid: as it was, if it had ended before.
 */
static int end_all(pid_t pid, pid_t target)
{
	int status = 0;

	for (pid_t child = pid; child; child = next_child(target)) {
		kill(child, SIGKILL);
		if (waitpid(child, child == pid ? &status : NULL, 0) != child)
			bench_fail("process %d is not there", (int)child);
	}
	return status;
}

/* Fills in end and why. late: it was killed. */
static void judge(int status, bool late, pid_t target, struct command_run *run)
{
	char state = bench_state(target);

	run->end = COMMAND_FAILED;
	if (!strchr("RSD", state))
		snprintf(run->why, sizeof(run->why), "left it in state %c", state);
	else if (late)
		run->end = COMMAND_LATE;
	else if (WIFSIGNALED(status))
		snprintf(run->why, sizeof(run->why), "failed: signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(run->why, sizeof(run->why), "failed: status %d", WEXITSTATUS(status));
	else
		run->end = COMMAND_DONE;
}

void command_run(const char *command, pid_t target, double limit_ms, struct command_run *ret)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	struct watch watch;

	watch_begin(&watch, target);
	double before = bench_now_ms();
	pid_t pid = bench_start(argv);
	bool late = !ends_within(pid, limit_ms);
	ret->wall_ms = bench_now_ms() - before;
	ret->stopped_ms = watch_end(&watch);
	int status = end_all(pid, target);
	/* It may be stopped by a SIGSTOP, even one that a debugger was about to take back. */
	if (late)
		kill(target, SIGCONT);
	judge(status, late, target, ret);
}
