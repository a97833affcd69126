/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a process by number: ours, and the ones it knows itself by.
 *
 * In a container both differ; what the target wrote about itself is in its own numbers (NSpid in
 * proc_pid_status(5)). A list is true of the moment it was read only, unless the target is stopped.
 */
#ifndef TARGET_TASKS_H
#define TARGET_TASKS_H

#include "support/array.h"
#include "support/error.h"

#include <stdbool.h>
#include <sys/types.h>

struct task {
	pid_t tid; /* in our pid namespace */
	pid_t namespace_tid; /* in the innermost one of the target */
};

DEFINE_ARRAY(task_array, struct task)

/* By ascending tid. */
struct memtool_error *tasks_read(pid_t pid, struct task_array *ret);

/*
 * Whether thread tid can run the program's code: false for one that has exited (a leader stays in
 * the list as long as its threads), and for the kernel's workers in its name (io_uring).
 */
bool task_runs_program(pid_t tid);

/* The number by which process or thread pid knows itself. */
struct memtool_error *task_namespace_pid(pid_t pid, pid_t *ret);

#endif
