/* SPDX-License-Identifier: Apache-2.0 */
#include "target/snapshot.h"

#include "target/inject.h"
#include "target/tracer.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

/* How often it is tried to collect the copy, and how long the process runs in between. */
#define ATTEMPTS 20
#define PAUSE_NS 2000000

struct snapshot {
	struct process *process;
	struct injection injection;
	pid_t clone; /* 0: there is none */
	pid_t namespace_pid; /* its number for the process */
	uint64_t stopped_ns; /* to collect it */
	sigset_t before; /* the signal mask of the caller */
	bool blocks; /* signals, until the copy has been ended */
};

/* By which a terminal, or somebody who is polite, ends us. */
static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Blocked, a signal would stay pending even if it is ignored (sig_ignored() in kernel/signal.c). */
static bool is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static void block_signals(struct snapshot *snapshot)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (!is_ignored(ending[i]))
			sigaddset(&set, ending[i]);
	pthread_sigmask(SIG_BLOCK, &set, &snapshot->before);
	snapshot->blocks = true;
}

static void unblock_signals(struct snapshot *snapshot)
{
	if (snapshot->blocks)
		pthread_sigmask(SIG_SETMASK, &snapshot->before, NULL);
	snapshot->blocks = false;
}

bool snapshot_shall_end(const struct snapshot *snapshot)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (sigismember(&pending, ending[i]) == 1 &&
		    sigismember(&snapshot->before, ending[i]) == 0)
			return true;
	return false;
}

struct memtool_error *snapshot_create(struct process *process, const struct maps *maps,
				      struct snapshot **ret)
{
	_cleanup_snapshot_ struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return memtool_error_no_memory;
	snapshot->process = process;
	snapshot->injection.memory = &process->memory;
	snapshot->injection.maps = maps;
	snapshot->injection.tid = process->pid;
	struct memtool_error *error = inject_check_running(process->pid);
	if (!error)
		error = inject_find_code(&process->memory, maps, &snapshot->injection.code);
	if (error)
		return error;
	*ret = no_cleanup_ptr(snapshot);
	return NULL;
}

void snapshot_destroy(struct snapshot *snapshot)
{
	free(snapshot);
}

static const struct tracee *find_main(const struct tracer *tracer)
{
	for (size_t i = 0; i < tracer->tracees.count; i++)
		if (tracer->tracees.data[i].thread.tid == tracer->pid)
			return &tracer->tracees.data[i];
	return NULL;
}

/* Whether the main thread can be made to do something. */
static struct memtool_error *check_main(const struct tracer *tracer)
{
	const struct tracee *tracee = find_main(tracer);

	if (!tracee || tracee->state != TRACEE_HELD)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "its main thread has ended");
	if (tracee->thread.suspended)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED, "it is suspended");
	return NULL;
}

static struct memtool_error *take(struct tracer *tracer, void *context)
{
	struct snapshot *snapshot = context;

	struct memtool_error *error = check_main(tracer);
	if (!error)
		error = inject_clone(&snapshot->injection, &snapshot->clone,
				     &snapshot->namespace_pid);
	if (!error || error->code != MEMTOOL_ERROR_UNSUPPORTED)
		return error;
	/* It may have taken a signal in between, and be elsewhere by now. */
	struct memtool_error *failure = tracer_hold(tracer);
	if (!failure)
		return error;
	memtool_error_destroy(error);
	return failure;
}

struct memtool_error *snapshot_take(struct snapshot *snapshot, struct stop *stop, uint64_t *ret_ns)
{
	block_signals(snapshot);
	struct memtool_error *error = stop_call(stop, take, snapshot);
	if (!error)
		error = stop_let_go(stop, ret_ns);
	if (error)
		unblock_signals(snapshot);
	return error;
}

struct memtool_error *snapshot_open(struct snapshot *snapshot, struct process **ret)
{
	struct memtool_error *error = process_open(snapshot->clone, ret);

	if (error)
		return error;
	process_set_held(*ret, snapshot->clone);
	/*
	 * process_vm_readv(2) pins pages, and a page that two processes share is copied before it
	 * is pinned (gup_must_unshare() in mm/internal.h, since Linux 5.19): all that is read would
	 * take memory once more. /proc/PID/mem does not pin.
	 */
	(*ret)->by_file = true;
	return NULL;
}

static void kill_clone(const struct snapshot *snapshot)
{
	siginfo_t info;

	/* It is our tracee, so that its number is not another's until we have waited for it. */
	kill(snapshot->clone, SIGKILL);
	waitid(P_PID, (id_t)snapshot->clone, &info, WEXITED | __WALL | __WNOTHREAD);
}

static struct memtool_error *collect_once(struct tracer *tracer, struct snapshot *snapshot)
{
	struct memtool_error *error = tracer_hold_one(tracer, tracer->pid);
	if (error)
		return error;
	process_set_held(snapshot->process, tracer->pid);
	error = process_check(snapshot->process);
	if (!error)
		error = check_main(tracer);
	if (!error)
		error = inject_wait(&snapshot->injection, snapshot->namespace_pid);
	process_set_held(snapshot->process, 0);
	if (error && error->code != MEMTOOL_ERROR_UNSUPPORTED)
		return error;
	struct memtool_error *left = tracer_release_and_stay(tracer);
	snapshot->stopped_ns += tracer->resumed_ns - tracer->stopped_ns;
	if (!error)
		return left;
	memtool_error_destroy(left);
	return error;
}

static struct memtool_error *end(struct tracer *tracer, void *context)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct snapshot *snapshot = context;
	struct memtool_error *error = NULL;

	kill_clone(snapshot);
	for (unsigned int attempt = 0; attempt < ATTEMPTS; attempt++) {
		memtool_error_destroy(error);
		error = collect_once(tracer, snapshot);
		if (!error || error->code != MEMTOOL_ERROR_UNSUPPORTED)
			break;
		nanosleep(&pause, NULL);
	}
	return error;
}

struct memtool_error *snapshot_end(struct snapshot *snapshot, struct stop *stop, uint64_t *ret_ns)
{
	struct memtool_error *error = stop_call(stop, end, snapshot);

	*ret_ns = snapshot->stopped_ns;
	unblock_signals(snapshot);
	return error;
}
