/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that nobody here has written: each has a limit, and leaves no process behind. It may
 * fail, take hours, or leave the process it looks at stopped or dead; what it prints is of no
 * interest.
 */
#ifndef BENCH_COMMAND_H
#define BENCH_COMMAND_H

#include <sys/types.h>

enum command_end { COMMAND_DONE, COMMAND_FAILED, COMMAND_LATE };

struct command_run {
	enum command_end end;
	/* From fork to exit, or to the limit, and how long target was stopped meanwhile. */
	double wall_ms, stopped_ms;
	char why[64]; /* it failed */
};

/* To be called once, before any command: what a command leaves running becomes a child of ours. */
void command_init(void);

/*
 * Runs a command by sh(1). What is left of it when it ends, or after limit_ms, is killed, and
 * waited for. target is our only child, and goes on unless the command failed.
 */
void command_run(const char *command, pid_t target, double limit_ms, struct command_run *ret);

#endif
