/* SPDX-License-Identifier: Apache-2.0 */
#include "target/stop.h"

#include "support/clock.h"
#include "target/process_memory.h"
#include "target/procfs.h"
#include "target/tasks.h"
#include "target/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

DEFINE_ARRAY(thread_array, struct stopped_thread)

struct stop {
	struct process *process;
	struct tracer tracer;
	pthread_t thread; /* the tracer's */
	pid_t tid; /* the same; 0 until it runs */
	sem_t settled; /* it holds every thread, or has failed */
	sem_t released; /* it shall go on: with a job, or let go, and end */
	stop_job *job; /* to do before it goes on; NULL: to let go */
	void *context;
	struct memtool_error *error; /* why it failed; the tracer's until it has settled or ended */
	struct thread_array threads;
	bool cancelled; /* the tracer hangs, and cannot be told to let go */
	bool unblock; /* SIGTSTP */
};

/* A call of PTRACE_SEIZE that takes this long hangs in an exec of the target. */
#define SEIZE_LIMIT_NS  500000000
#define CANCEL_AGAIN_NS 100000000

/*
 * A read of memory that takes two to three times this long, although the target stands still, or
 * perhaps since it does.
 */
#define READ_TICK_NS UINT64_C(1500000000)

/* A process that another memtool holds is tried again for about a second. */
#define RETRIES  30
#define RETRY_NS 25000000

static void add_ns(struct timespec *time, long ns)
{
	time->tv_nsec += ns;
	time->tv_sec += time->tv_nsec / 1000000000;
	time->tv_nsec %= 1000000000;
}

/* How reads stand: they hang if some had begun, and nothing has changed since twice before. */
struct read_watch {
	unsigned int begun, ended, same;
};

static bool reads_hang(struct read_watch *watch, const struct process *process)
{
	unsigned int ended = atomic_load(&process->reads_ended);
	unsigned int begun = atomic_load(&process->reads_begun);
	bool same = begun == watch->begun && ended == watch->ended && begun != ended;

	*watch = (struct read_watch){ begun, ended, same ? watch->same + 1 : 0 };
	return watch->same >= 2;
}

/*
 * Waits for what the tracer is to do next. A thread that reads may wait for what only the target
 * can do, or for what never comes: then the target goes on at once, and the read fails
 * (target/process.h).
 */
static void wait_for_order(struct stop *stop)
{
	uint64_t limit_ns = stop->tracer.limit_ns;
	uint64_t tick_ns = limit_ns / 4 < READ_TICK_NS ? limit_ns / 4 + 1 : READ_TICK_NS;
	struct read_watch watch = { 0 };

	for (;;) {
		struct timespec limit;
		clock_gettime(CLOCK_MONOTONIC, &limit);
		add_ns(&limit, (long)tick_ns);
		if (sem_clockwait(&stop->released, CLOCK_MONOTONIC, &limit) == 0)
			return;
		if (errno != ETIMEDOUT || !stop->process->held ||
		    !reads_hang(&watch, stop->process))
			continue;
		if (limit_ns < UINT64_MAX && clock_now_ns() - stop->tracer.stopped_ns < limit_ns)
			continue;
		atomic_store(&stop->process->let_go, true);
		memtool_error_destroy(tracer_release_and_stay(&stop->tracer));
	}
}

MAY_BE_CANCELLED static void *run_tracer(void *argument)
{
	struct stop *stop = argument;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	stop->tid = gettid();
	stop->error = tracer_hold(&stop->tracer);
	for (;;) {
		sem_post(&stop->settled);
		wait_for_order(stop);
		if (!stop->job)
			break;
		stop->error = stop->job(&stop->tracer, stop->context);
	}
	tracer_release(&stop->tracer);
	return NULL;
}

/* All signals are left to the program's other threads. */
static struct memtool_error *start_tracer(struct stop *stop)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int errnum = pthread_create(&stop->thread, NULL, run_tracer, stop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errnum ? memtool_error_os(errnum, "no thread could be started") : NULL;
}

/* Rather than only waits for a processor. */
static bool sleeps(pid_t tid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	return !error && stat.state == 'S';
}

/* False if the tracer hangs, and is to be cancelled. */
static bool wait_until_settled(struct stop *stop)
{
	for (unsigned seen = 0;;) {
		struct timespec limit;
		clock_gettime(CLOCK_MONOTONIC, &limit);
		add_ns(&limit, SEIZE_LIMIT_NS);
		if (sem_clockwait(&stop->settled, CLOCK_MONOTONIC, &limit) == 0)
			return true;
		if (errno != ETIMEDOUT)
			continue;

		unsigned seizing = atomic_load(&stop->tracer.seizing);
		if (seizing % 2 != 0 && seizing == seen && sleeps(stop->tid)) {
			stop->cancelled = true;
			return false;
		}
		seen = seizing;
	}
}

/*
 * The signal by which glibc cancels a thread was seen to be lost, on a busy machine: the thread
 * slept on in PTRACE_SEIZE, in the midst of being cancelled. So it is sent until the thread has
 * ended.
 */
static void cancel_tracer(struct stop *stop)
{
	struct timespec limit;

	do {
		pthread_cancel(stop->thread);
		clock_gettime(CLOCK_MONOTONIC, &limit);
		add_ns(&limit, CANCEL_AGAIN_NS);
	} while (pthread_clockjoin_np(stop->thread, NULL, CLOCK_MONOTONIC, &limit) == ETIMEDOUT);
}

/* The thread is joined while it still dies; only then does the kernel let go of its tracees. */
static void end_tracer(struct stop *stop)
{
	sem_post(&stop->released);
	if (stop->cancelled)
		cancel_tracer(stop);
	else
		pthread_join(stop->thread, NULL);
	while (tgkill(getpid(), stop->tid, 0) == 0)
		sched_yield();
}

/*
 * A terminal's stop signal would stop us with the target in our hands: it waits until we have let
 * go.
 */
static void set_terminal_stop(struct stop *stop, bool blocked)
{
	sigset_t tstp, before;

	if (!blocked && !stop->unblock)
		return;
	sigemptyset(&tstp);
	sigaddset(&tstp, SIGTSTP);
	pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &tstp, &before);
	stop->unblock = blocked && !sigismember(&before, SIGTSTP);
}

static void free_stop(struct stop *stop)
{
	memtool_error_destroy(stop->error);
	tracer_deinit(&stop->tracer);
	thread_array_deinit(&stop->threads);
	sem_destroy(&stop->settled);
	sem_destroy(&stop->released);
	free(stop);
}

static struct memtool_error *list_threads(struct stop *stop)
{
	const struct tracee_array *tracees = &stop->tracer.tracees;

	stop->threads.count = 0;
	for (size_t i = 0; i < tracees->count; i++)
		if (tracees->data[i].state == TRACEE_HELD &&
		    !thread_array_append(&stop->threads, &tracees->data[i].thread))
			return memtool_error_no_memory;
	return stop->threads.count ? NULL : process_gone(stop->process);
}

/* The tracer has settled: is all well, and is it still the process that was opened? */
static struct memtool_error *verify(struct stop *stop)
{
	/* That it has ended, or execs, explains any other failure. */
	struct memtool_error *error = process_check(stop->process);
	if (error)
		return error;
	if (stop->error)
		return no_cleanup_ptr(stop->error);
	error = list_threads(stop);
	if (error)
		return error;
	process_set_held(stop->process, stop->threads.data[0].tid);
	return NULL;
}

/* The error for a tracer that was told to end. */
static struct memtool_error *hangs(const struct stop *stop)
{
	return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS,
				    "process %d is about to run another program: try again",
				    stop->process->pid);
}

/* Waits until the tracer has done as it was told. */
static struct memtool_error *settle(struct stop *stop)
{
	return wait_until_settled(stop) ? verify(stop) : hangs(stop);
}

static struct memtool_error *try_stop(struct process *process, uint64_t limit_ns, struct stop **ret)
{
	/* Threads of a stranger are not even to be touched. */
	struct memtool_error *error = process_check(process);
	if (error)
		return error;

	struct stop *stop = calloc(1, sizeof(*stop));
	if (!stop)
		return memtool_error_no_memory;
	stop->process = process;
	sem_init(&stop->settled, 0, 0);
	sem_init(&stop->released, 0, 0);
	set_terminal_stop(stop, true);
	error = tracer_init(&stop->tracer, process->pid, limit_ns);
	if (!error)
		error = start_tracer(stop);
	if (error) {
		set_terminal_stop(stop, false);
		free_stop(stop);
		return error;
	}
	error = settle(stop);
	if (error) {
		stop_resume(stop, NULL);
		return error;
	}
	*ret = stop;
	return NULL;
}

/* Whether the tracer of a thread of pid is another process of our name: it will soon be done. */
static bool is_traced_by_our_like(pid_t pid)
{
	char own[16], name[16];
	_cleanup_(task_array_deinit) struct task_array tasks = { 0 };
	_cleanup_error_ struct memtool_error *error = tasks_read(pid, &tasks);

	if (error)
		return false;
	procfs_comm(getpid(), getpid(), own);
	for (size_t i = 0; i < tasks.count; i++) {
		_cleanup_free_ char *status = NULL;
		const char *field;
		size_t length;
		_cleanup_error_ struct memtool_error *unread =
			procfs_read(tasks.data[i].tid, "status", &status, &length);
		pid_t tracer = 0;
		if (!unread && (field = procfs_status_field(status, "TracerPid")))
			tracer = atoi(field);
		if (tracer == 0)
			continue;
		procfs_comm(tracer, tracer, name);
		return tgkill(getpid(), tracer, 0) < 0 && strcmp(own, name) == 0;
	}
	return false;
}

struct memtool_error *stop_threads_within(struct process *process, uint64_t limit_ns,
					  struct stop **ret)
{
	if (process->pid == getpid())
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "a process cannot stop itself: stop it from another");
	for (int attempt = 0;; attempt++) {
		/* Two that hinder each other shall not try again at the same moment. */
		const struct timespec pause = { .tv_nsec = RETRY_NS + getpid() % 16 * 1000000L };
		struct memtool_error *error = try_stop(process, limit_ns, ret);
		if (!error || error->code != MEMTOOL_ERROR_NOT_PERMITTED || attempt == RETRIES ||
		    !is_traced_by_our_like(process->pid))
			return error;
		memtool_error_destroy(error);
		nanosleep(&pause, NULL);
	}
}

struct memtool_error *stop_threads(struct process *process, struct stop **ret)
{
	return stop_threads_within(process, UINT64_MAX, ret);
}

uint64_t stop_began_ns(const struct stop *stop)
{
	return stop->tracer.stopped_ns;
}

const struct stopped_thread *stop_list(const struct stop *stop, size_t *ret_count)
{
	*ret_count = stop->threads.count;
	return stop->threads.data;
}

static void start_job(struct stop *stop, stop_job *job, void *context)
{
	stop->job = job;
	stop->context = context;
	sem_post(&stop->released);
}

struct moment {
	const bool *runs;
	uint64_t ns;
};

static struct memtool_error *hold_again(struct tracer *tracer, void *context)
{
	const struct moment *moment = context;

	return tracer_hold_again(tracer, moment->runs, moment->ns);
}

struct memtool_error *stop_again(struct stop *stop, const bool *runs, uint64_t moment_ns)
{
	struct moment moment = { runs, moment_ns };

	process_set_held(stop->process, 0);
	start_job(stop, hold_again, &moment);
	struct memtool_error *error = settle(stop);
	stop->job = NULL;
	return error;
}

struct memtool_error *stop_call(struct stop *stop, stop_job *job, void *context)
{
	start_job(stop, job, context);
	bool settled = wait_until_settled(stop);
	stop->job = NULL;
	if (!settled)
		return hangs(stop);
	struct memtool_error *error = no_cleanup_ptr(stop->error);
	struct memtool_error *failure = stop->threads.count ? list_threads(stop) : NULL;
	if (!failure)
		return error;
	memtool_error_destroy(error);
	return failure;
}

static struct memtool_error *let_go(struct tracer *tracer,
				    void *context __attribute__((__unused__)))
{
	return tracer_release_and_stay(tracer);
}

struct memtool_error *stop_let_go(struct stop *stop, uint64_t *ret_ns)
{
	process_set_held(stop->process, 0);
	stop->threads.count = 0;
	struct memtool_error *error = stop_call(stop, let_go, NULL);
	set_terminal_stop(stop, false);
	if (error)
		return error;
	*ret_ns = stop->tracer.resumed_ns - stop->tracer.stopped_ns;
	return NULL;
}

void stop_resume(struct stop *stop, uint64_t *ret_ns)
{
	if (!stop)
		return;
	process_set_held(stop->process, 0);
	end_tracer(stop);
	if (ret_ns)
		*ret_ns = stop->tracer.resumed_ns - stop->tracer.stopped_ns;
	set_terminal_stop(stop, false);
	free_stop(stop);
}
