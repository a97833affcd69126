/* SPDX-License-Identifier: Apache-2.0 */
#include "target/tracer.h"

#include "support/clock.h"
#include "target/diagnose.h"
#include "target/procfs.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

/*
 * How long it may take until one more thread stops, and until all have; the rest of the target
 * stands still meanwhile.
 */
#define PATIENCE_NS       UINT64_C(2000000000)
#define PATIENCE_TOTAL_NS UINT64_C(10000000000)

/* Most threads stop within microseconds: so often we only let others run before we sleep. */
#define EAGER_ROUNDS 100

struct memtool_error *tracer_init(struct tracer *tracer, pid_t pid, uint64_t limit_ns)
{
	char path[64];

	*tracer = (struct tracer){
		.pid = pid,
		.limit_ns = limit_ns < PATIENCE_TOTAL_NS ? limit_ns : PATIENCE_TOTAL_NS,
	};
	/* Room for most programs, so that the tracer's thread need not make a malloc arena. */
	if (!tracee_array_reserve(&tracer->tracees, 64))
		return memtool_error_no_memory;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tracer->tasks = opendir(path);
	if (!tracer->tasks)
		return procfs_error(errno, pid, "task");
	return NULL;
}

void tracer_deinit(struct tracer *tracer)
{
	if (tracer->tasks)
		closedir(tracer->tasks);
	tracee_array_deinit(&tracer->tracees);
}

static int compare_tracees(const void *a, const void *b)
{
	const struct tracee *x = a, *y = b;

	return (x->thread.tid > y->thread.tid) - (x->thread.tid < y->thread.tid);
}

static void sort_tracees(struct tracee_array *tracees)
{
	if (tracees->count > 1)
		qsort(tracees->data, tracees->count, sizeof(struct tracee), compare_tracees);
}

/* Among the first count tracees, which are sorted. */
static bool is_known(const struct tracer *tracer, size_t count, pid_t tid)
{
	struct tracee key = { .thread.tid = tid };

	return count > 0 &&
	       bsearch(&key, tracer->tracees.data, count, sizeof(key), compare_tracees);
}

static struct memtool_error *add(struct tracer *tracer, pid_t tid, enum tracee_state state)
{
	struct tracee tracee = { .thread.tid = tid, .state = state };

	return tracee_array_append(&tracer->tracees, &tracee) ? NULL : memtool_error_no_memory;
}

/*
 * No options: PTRACE_O_TRACEEXIT would make every exit wait for us, and PTRACE_O_TRACECLONE spares
 * nothing, since a thread with an interrupt upon it starts one more thread at most.
 */
MAY_BE_CANCELLED static int ptrace_seize(struct tracer *tracer, pid_t tid)
{
	int state, type;

	/*
	 * In this order: a cancellation that came before is acted upon as the type is set, while
	 * glibc 2.36 forgets it when the state is set last.
	 */
	atomic_fetch_add(&tracer->seizing, 1);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	int result = ptrace(PTRACE_SEIZE, tid, NULL, 0) < 0 ? errno : 0;
	pthread_setcanceltype(type, NULL);
	pthread_setcancelstate(state, NULL);
	atomic_fetch_add(&tracer->seizing, 1);
	return result;
}

/* Adds nothing if the thread has exited by now. */
MAY_BE_CANCELLED static struct memtool_error *seize(struct tracer *tracer, pid_t tid)
{
	int errnum = ptrace_seize(tracer, tid);

	/*
	 * In an exec the leader dies, and then the thread that execs has its tid. Seizing that one
	 * waits for the exec to end, so that what it says then is about the new program.
	 */
	if (errnum == EPERM && !procfs_is_dead(tid))
		errnum = ptrace_seize(tracer, tid);
	switch (errnum) {
	case 0:
		return add(tracer, tid, TRACEE_SEIZED);
	case ESRCH:
		return NULL;
	case EPERM:
		if (!procfs_is_dead(tid))
			return diagnose_refusal(tid, REFUSED_STOP);
		/* A leader that has exited stays in the list for as long as its threads. */
		return tid == tracer->pid ? add(tracer, tid, TRACEE_DEAD) : NULL;
	default:
		return memtool_error_os(errnum, "thread %d of process %d could not be seized", tid,
					tracer->pid);
	}
}

/*
 * One pass over the threads there are. *ret_complete if every one of them was known, and none
 * escaped the list: it ends early when the thread that it has reached exits under it. The link
 * count of /proc/PID/task is that of an empty directory, two, and the number of threads
 * (proc_task_getattr() in the kernel's fs/proc/base.c).
 */
MAY_BE_CANCELLED static struct memtool_error *seize_new(struct tracer *tracer, bool *ret_complete)
{
	size_t known = tracer->tracees.count, listed = 0;
	bool complete = true;
	struct dirent *entry;
	struct stat st;

	rewinddir(tracer->tasks);
	while ((entry = readdir(tracer->tasks))) {
		pid_t tid = atoi(entry->d_name);
		if (tid <= 0)
			continue;
		listed++;
		if (is_known(tracer, known, tid))
			continue;
		complete = false;
		struct memtool_error *error = seize(tracer, tid);
		if (error)
			return error;
	}
	if (fstat(dirfd(tracer->tasks), &st) < 0)
		return procfs_error(errno, tracer->pid, "task");
	sort_tracees(&tracer->tracees);
	*ret_complete = complete && st.st_nlink == listed + 2;
	return NULL;
}

static void interrupt_seized(struct tracer *tracer)
{
	if (tracer->stopped_ns == 0)
		tracer->stopped_ns = clock_now_ns();
	for (size_t i = 0; i < tracer->tracees.count; i++) {
		struct tracee *tracee = &tracer->tracees.data[i];
		if (tracee->state != TRACEE_SEIZED)
			continue;
		/* It fails if the thread has exited, which waiting shows, too. */
		ptrace(PTRACE_INTERRUPT, tracee->thread.tid, NULL, NULL);
		tracee->state = TRACEE_AWAITED;
	}
}

/*
 * A thread other than the leader is nobody's child, but its zombie stays until its tracer takes it,
 * and an exec of the target waits for that.
 */
static void reap(const struct tracer *tracer, pid_t tid)
{
	siginfo_t info;

	if (tid != tracer->pid)
		waitid(P_PID, tid, &info, WEXITED | WNOHANG | __WALL | __WNOTHREAD);
}

static void observe(struct tracer *tracer, struct tracee *tracee)
{
	pid_t tid = tracee->thread.tid;
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, tid, &info,
		   WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL | __WNOTHREAD) < 0) {
		tracee->state = TRACEE_DEAD;
		return;
	}
	if (info.si_pid == 0)
		return;
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
		tracee->state = TRACEE_DEAD;
		reap(tracer, tid);
	} else if (info.si_status >> 8 == PTRACE_EVENT_STOP) {
		/* Our interrupt, or the stop of a process that was stopped before. */
		tracee->state = TRACEE_HELD;
		tracee->thread.suspended = (info.si_status & 0xff) != SIGTRAP;
	} else {
		/*
		 * It has met a signal before our interrupt. The thread takes it (which sets up the
		 * frame of its handler, or ends or stops the process), and then stops for us.
		 */
		ptrace(PTRACE_CONT, tid, NULL, info.si_status);
	}
}

/* How many threads have yet to stop. thorough: sees the death of those that had, too. */
static size_t observe_all(struct tracer *tracer, bool thorough)
{
	size_t awaited = 0, kept = 0;

	for (size_t i = 0; i < tracer->tracees.count; i++) {
		struct tracee *tracee = &tracer->tracees.data[i];
		if (tracee->state == TRACEE_AWAITED || (thorough && tracee->state == TRACEE_HELD))
			observe(tracer, tracee);
		/*
		 * waitid is silent about a leader that exited before its threads. Of any other one
		 * that has just died it will tell: that has to be reaped before it is forgotten.
		 */
		if (thorough && tracee->state == TRACEE_AWAITED &&
		    tracee->thread.tid == tracer->pid && procfs_is_dead(tracer->pid))
			tracee->state = TRACEE_DEAD;
		awaited += tracee->state == TRACEE_AWAITED;
		/* Once dead, it is forgotten, since its tid may come again; the leader's cannot. */
		if (tracee->state != TRACEE_DEAD || tracee->thread.tid == tracer->pid)
			tracer->tracees.data[kept++] = *tracee;
	}
	tracer->tracees.count = kept;
	return awaited;
}

/* After that time. */
static struct memtool_error *lost_patience(const struct tracer *tracer, uint64_t ns)
{
	struct procfs_stat stat = { .state = '?' };
	struct memtool_error *error;
	pid_t tid = 0;
	char name[16];

	for (size_t i = 0; i < tracer->tracees.count && !tid; i++)
		if (tracer->tracees.data[i].state == TRACEE_AWAITED)
			tid = tracer->tracees.data[i].thread.tid;
	if (!tid) {
		error = memtool_error_create(MEMTOOL_ERROR_OS,
					     "process %d starts threads faster than they can be "
					     "stopped: try again",
					     tracer->pid);
	} else {
		procfs_comm(tracer->pid, tid, name);
		memtool_error_destroy(procfs_stat(tid, &stat));
		error = memtool_error_create(
			MEMTOOL_ERROR_OS,
			"thread %d (%s) of process %d did not stop within %llu ms, its state is "
			"%c%s: try again when it has gone on",
			tid, name, tracer->pid, (unsigned long long)ns / 1000000, stat.state,
			stat.state == 'D' ? ", an uninterruptible wait" : "");
	}
	if (error != memtool_error_no_memory)
		error->errnum = ETIMEDOUT;
	return error;
}

static struct memtool_error *await_all(struct tracer *tracer)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };

	uint64_t progress_ns = clock_now_ns();
	size_t before = SIZE_MAX, awaited;

	for (unsigned round = 0; (awaited = observe_all(tracer, round > EAGER_ROUNDS)) > 0;
	     round++) {
		uint64_t now = clock_now_ns();
		if (awaited < before)
			progress_ns = now;
		before = awaited;
		if (now - progress_ns > PATIENCE_NS)
			return lost_patience(tracer, PATIENCE_NS);
		if (now - tracer->stopped_ns > tracer->limit_ns)
			return lost_patience(tracer, tracer->limit_ns);
		if (round < EAGER_ROUNDS)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	}
	return NULL;
}

static struct memtool_error *stop_seized(struct tracer *tracer)
{
	interrupt_seized(tracer);
	return await_all(tracer);
}

/*
 * PTRACE_GETREGS always shows x86-64 registers; those of PTRACE_GETREGSET would be the i386 ones
 * for a thread that is just in 32-bit code, as Wine's are.
 */
static void read_registers(struct tracee *tracee)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, tracee->thread.tid, NULL, &registers) < 0) {
		/* It was killed. Until it is reaped, it stays in the list like a new one. */
		tracee->state = TRACEE_AWAITED;
		return;
	}
	tracee->thread.sp = registers.rsp;
	tracee->thread.pc = registers.rip;
	tracee->thread.system_call = (int64_t)registers.orig_rax;
	/*
	 * A worker of io_uring never runs in user space: the kernel zeroes these two for it
	 * (copy_thread() in arch/x86/kernel/process.c), and its FS base is its creator's.
	 */
	if (registers.rsp != 0 || registers.rip != 0)
		tracee->thread.fs_base = registers.fs_base;
}

MAY_BE_CANCELLED struct memtool_error *tracer_hold(struct tracer *tracer)
{
	for (bool complete = false;;) {
		struct memtool_error *error = seize_new(tracer, &complete);
		if (error)
			return error;
		if (complete)
			break;
		if (tracer->stopped_ns && clock_now_ns() - tracer->stopped_ns > tracer->limit_ns)
			return lost_patience(tracer, tracer->limit_ns);
		error = stop_seized(tracer);
		if (error)
			return error;
	}
	for (size_t i = 0; i < tracer->tracees.count; i++)
		if (tracer->tracees.data[i].state == TRACEE_HELD)
			read_registers(&tracer->tracees.data[i]);
	return NULL;
}

/* They stay seized, so that to hold them again takes no more than an interrupt. */
static void let_run(struct tracer *tracer, const bool *runs)
{
	for (size_t i = 0, held = 0; i < tracer->tracees.count; i++) {
		struct tracee *tracee = &tracer->tracees.data[i];
		if (tracee->state != TRACEE_HELD || !runs[held++] || tracee->thread.suspended)
			continue;
		/* It fails if the thread was killed, which waiting shows, too. */
		ptrace(PTRACE_CONT, tracee->thread.tid, NULL, NULL);
		tracee->state = TRACEE_SEIZED;
	}
}

MAY_BE_CANCELLED struct memtool_error *tracer_hold_again(struct tracer *tracer, const bool *runs,
							 uint64_t moment_ns)
{
	const struct timespec moment = {
		.tv_sec = (time_t)(moment_ns / 1000000000),
		.tv_nsec = (long)(moment_ns % 1000000000),
	};

	let_run(tracer, runs);
	nanosleep(&moment, NULL);
	struct memtool_error *error = stop_seized(tracer);
	return error ? error : tracer_hold(tracer);
}

MAY_BE_CANCELLED struct memtool_error *tracer_hold_one(struct tracer *tracer, pid_t tid)
{
	tracer->tracees.count = 0;
	tracer->stopped_ns = 0;
	struct memtool_error *error = seize(tracer, tid);
	if (!error)
		error = stop_seized(tracer);
	if (!error && (tracer->tracees.count != 1 || tracer->tracees.data[0].state != TRACEE_HELD))
		error = memtool_error_create(MEMTOOL_ERROR_NO_PROCESS, "thread %d has ended", tid);
	if (!error)
		read_registers(&tracer->tracees.data[0]);
	return error;
}

/* How many threads could not be let go of. */
static size_t detach_all(struct tracer *tracer)
{
	size_t left = 0;

	for (size_t i = 0; i < tracer->tracees.count; i++)
		if (tracer->tracees.data[i].state == TRACEE_HELD)
			left += ptrace(PTRACE_DETACH, tracer->tracees.data[i].thread.tid, NULL,
				       NULL) < 0;
	tracer->resumed_ns = clock_now_ns();
	return left;
}

void tracer_release(struct tracer *tracer)
{
	/* It fails if a thread was killed; the end of our own lets go of that one. */
	detach_all(tracer);
}

struct memtool_error *tracer_release_and_stay(struct tracer *tracer)
{
	size_t left = detach_all(tracer);

	tracer->tracees.count = 0;
	if (left)
		return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS,
					    "threads of process %d were killed", tracer->pid);
	return NULL;
}
