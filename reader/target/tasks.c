/* SPDX-License-Identifier: Apache-2.0 */
#include "target/tasks.h"

#include "target/procfs.h"

#include <errno.h>
#include <stdio.h>

/* NSpid has one number a namespace, outermost first; kernels before 4.1 do not show it. */
static struct memtool_error *read_namespace_pid(pid_t pid, pid_t *ret, bool *ret_nested)
{
	_cleanup_free_ char *status = NULL;
	size_t length, count = 0;
	pid_t number = pid;
	struct memtool_error *error = procfs_read(pid, "status", &status, &length);
	if (error)
		return error;

	const char *field = procfs_status_field(status, "NSpid");
	while (field && *field && *field != '\n') {
		char *end;
		long value = strtol(field, &end, 10);
		if (end == field)
			break;
		number = (pid_t)value;
		count++;
		field = end;
	}
	*ret = number;
	*ret_nested = count > 1;
	return NULL;
}

struct memtool_error *task_namespace_pid(pid_t pid, pid_t *ret)
{
	bool nested;

	return read_namespace_pid(pid, ret, &nested);
}

/* PF_IO_WORKER and PF_USER_WORKER of the kernel's sched.h. */
#define WORKER_FLAGS UINT32_C(0x4010)

bool task_runs_program(pid_t tid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	return !error && !procfs_state_is_dead(stat.state) && !(stat.flags & WORKER_FLAGS);
}

static int compare_tasks(const void *a, const void *b)
{
	const struct task *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct memtool_error *add_task(struct task_array *tasks, pid_t tid, bool translate)
{
	struct task task = { .tid = tid, .namespace_tid = tid };
	struct memtool_error *error = NULL;

	if (translate)
		error = task_namespace_pid(tid, &task.namespace_tid);
	/* It has exited meanwhile. */
	if (memtool_error_catch(&error, MEMTOOL_ERROR_NO_PROCESS))
		return NULL;
	if (!error && !task_array_append(tasks, &task))
		error = memtool_error_no_memory;
	return error;
}

struct memtool_error *tasks_read(pid_t pid, struct task_array *ret)
{
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	char path[64];
	struct dirent *entry;
	pid_t namespace_pid;
	bool nested;

	struct memtool_error *error = read_namespace_pid(pid, &namespace_pid, &nested);
	if (error)
		return error;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	_cleanup_closedir_ DIR *directory = opendir(path);
	if (!directory)
		return procfs_error(errno, pid, "task");
	while ((entry = readdir(directory))) {
		pid_t tid = atoi(entry->d_name);
		if (tid <= 0)
			continue;
		error = add_task(&tasks, tid, nested);
		if (error)
			return error;
	}
	if (tasks.count)
		qsort(tasks.data, tasks.count, sizeof(*tasks.data), compare_tasks);
	*ret = tasks;
	tasks = (struct task_array){ 0 };
	return NULL;
}
