/* SPDX-License-Identifier: Apache-2.0 */
#include "target/diagnose.h"

#include "target/procfs.h"

#define refuse(...) memtool_error_create(MEMTOOL_ERROR_NOT_PERMITTED, __VA_ARGS__)

struct memtool_error *diagnose_zombie(pid_t pid)
{
	return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS,
				    "process %d is a zombie: it has ended, and its memory is gone",
				    pid);
}

struct memtool_error *diagnose_kernel_thread(pid_t pid)
{
	return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
				    "%d is a kernel thread: it has no memory of its own, so choose "
				    "a user process",
				    pid);
}

static struct memtool_error *diagnose_tracer(const struct refusal_facts *facts)
{
	if (facts->tracer == facts->self)
		return refuse("this program traces process %d already: it must let go of it first",
			      facts->pid);
	return refuse("process %d is already traced by process %d (%s), and only one tracer is "
		      "possible: detach that one first, or use --no-stop",
		      facts->pid, facts->tracer, facts->tracer_name);
}

/* With CAP_SYS_PTRACE, the kernel's own rules let us through: something on top of them does not. */
static struct memtool_error *diagnose_capable(const struct refusal_facts *facts)
{
	if (facts->seccomp)
		return refuse("a seccomp filter, as containers have, keeps memtool from process "
			      "%d: run memtool outside of the container",
			      facts->pid);
	return refuse("a security policy or the border of a container keeps memtool from process "
		      "%d, although it has CAP_SYS_PTRACE: run memtool as root of the host",
		      facts->pid);
}

/* Root is no remedy for root, which lost its capabilities as it does in a container. */
static struct memtool_error *diagnose_weak_root(const struct refusal_facts *facts)
{
	return refuse("process %d may not be looked into, since memtool runs as root without "
		      "CAP_SYS_PTRACE: start its container with --cap-add=SYS_PTRACE",
		      facts->pid);
}

static struct memtool_error *diagnose_incapable(const struct refusal_facts *facts)
{
	if (facts->hidden)
		return refuse("process %d belongs to another user, and /proc hides it: run memtool "
			      "as root",
			      facts->pid);
	if (facts->other_user)
		return refuse("process %d belongs to another user (user id %u): run memtool as "
			      "root or as that user",
			      facts->pid, facts->uid);
	if (facts->not_dumpable)
		return refuse("process %d does not let itself be looked into (it is set-user-ID, "
			      "or PR_SET_DUMPABLE is 0): run memtool as root",
			      facts->pid);
	if (facts->yama_scope >= 1)
		return refuse("kernel.yama.ptrace_scope is %d, so only %s may look into process "
			      "%d: run memtool as root",
			      facts->yama_scope,
			      facts->yama_scope == 1 ? "its ancestors" : "administrators",
			      facts->pid);
	if (facts->seccomp)
		return refuse("a seccomp filter, as containers have, keeps memtool from process "
			      "%d: start the container with --cap-add=SYS_PTRACE",
			      facts->pid);
	return refuse("process %d may not be looked into without CAP_SYS_PTRACE (it may have "
		      "capabilities or groups that memtool lacks): run memtool as root",
		      facts->pid);
}

struct memtool_error *diagnose(const struct refusal_facts *facts)
{
	if (facts->kernel_thread)
		return diagnose_kernel_thread(facts->pid);
	if (procfs_state_is_dead(facts->state))
		return diagnose_zombie(facts->pid);
	/* A second tracer is refused to anybody; readers may be many. */
	if (facts->what == REFUSED_STOP && facts->tracer != 0)
		return diagnose_tracer(facts);
	if (facts->yama_scope >= 3)
		return refuse("kernel.yama.ptrace_scope is %d, so nobody may look into process %d, "
			      "root neither: set it lower at boot, it cannot be lowered later",
			      facts->yama_scope, facts->pid);
	if (facts->cap_sys_ptrace)
		return diagnose_capable(facts);
	if (facts->root)
		return diagnose_weak_root(facts);
	return diagnose_incapable(facts);
}
