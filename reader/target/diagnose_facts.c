/* SPDX-License-Identifier: Apache-2.0 */
#include "target/diagnose.h"

#include "target/procfs.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void gather_stat(pid_t tid, struct refusal_facts *facts)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	if (error)
		return;
	facts->state = stat.state;
	facts->kernel_thread = stat.flags & PROCFS_FLAG_KTHREAD;
}

static void gather_users(const char *status, struct refusal_facts *facts)
{
	const char *field = procfs_status_field(status, "Uid");
	unsigned real, effective, saved;

	if (!field || sscanf(field, "%u %u %u", &real, &effective, &saved) != 3)
		return;
	facts->uid = effective;
	facts->other_user = real != geteuid() || effective != geteuid() || saved != geteuid();

	/*
	 * Files of a process that is not dumpable belong to root (proc(5)), though not its
	 * directory. One of root's shows no difference.
	 */
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d/status", facts->pid);
	facts->not_dumpable = stat(path, &st) == 0 && st.st_uid != effective;
}

/* TracerPid is the id of a thread: the one that traces. */
static void gather_tracer(struct refusal_facts *facts)
{
	_cleanup_free_ char *status = NULL;
	const char *field;
	size_t length;
	_cleanup_error_ struct memtool_error *error =
		procfs_read(facts->tracer, "status", &status, &length);

	procfs_comm(facts->tracer, facts->tracer, facts->tracer_name);
	if (!error && (field = procfs_status_field(status, "Tgid")))
		facts->tracer = atoi(field);
}

static void gather_status(pid_t tid, struct refusal_facts *facts)
{
	_cleanup_free_ char *status = NULL;
	const char *field;
	size_t length;
	_cleanup_error_ struct memtool_error *error = procfs_read(tid, "status", &status, &length);

	if (error) {
		facts->hidden = kill(tid, 0) < 0 && errno == EPERM;
		return;
	}
	if ((field = procfs_status_field(status, "Tgid")))
		facts->pid = atoi(field);
	if ((field = procfs_status_field(status, "TracerPid")))
		facts->tracer = atoi(field);
	if (facts->tracer)
		gather_tracer(facts);
	gather_users(status, facts);
}

static void gather_ourselves(struct refusal_facts *facts)
{
	_cleanup_free_ char *status = NULL;
	const char *field;
	size_t length;
	_cleanup_error_ struct memtool_error *error =
		procfs_read(gettid(), "status", &status, &length);

	facts->self = getpid();
	facts->root = geteuid() == 0;
	if (error)
		return;
	if ((field = procfs_status_field(status, "CapEff")))
		facts->cap_sys_ptrace = strtoull(field, NULL, 16) >> CAP_SYS_PTRACE & 1;
	if ((field = procfs_status_field(status, "Seccomp")))
		facts->seccomp = *field == '2'; /* SECCOMP_MODE_FILTER */
}

static int read_yama_scope(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope;

	return file && fscanf(file, "%d", &scope) == 1 ? scope : -1;
}

struct memtool_error *diagnose_refusal(pid_t pid, enum refused what)
{
	struct refusal_facts facts = {
		.what = what,
		.pid = pid,
		.state = '?',
		.yama_scope = read_yama_scope(),
	};

	gather_stat(pid, &facts);
	gather_status(pid, &facts);
	gather_ourselves(&facts);
	return diagnose(&facts);
}
