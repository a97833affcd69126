/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that a test starts: talking to them, waiting for them, and ending them whatever happens.
 *
 * All of them are kept in one table. spawn_teardown() ends what a test left behind, also when a
 * failed assertion of cmocka jumped out of it, and spawn_watchdog() when the whole test takes
 * longer than it should. A child also dies with the thread that started it. Nothing here waits for
 * time to pass: it waits for a line, for a state in /proc, or for the end of a process, and fails
 * the test when that does not come in SPAWN_PATIENCE_S.
 *
 * Every function fails the test (cmocka's fail) where it cannot do what it is for.
 */
#ifndef TESTS_SPAWN_H
#define TESTS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPAWN_PATIENCE_S 60

/* Exit status of a test program that cannot be run here (Automake's convention). */
#define SPAWN_SKIP 77

struct spawned {
	pid_t pid; /* 0 once it has been waited for */
	int in; /* its standard input; -1 when closed */
	int out; /* its standard output; -1 at its end */
	char *text; /* what was read from out so far, NUL-terminated */
	size_t length;
};

struct spawn_how {
	const char *const *argv; /* argv[0] is a path, or a name to be looked for in PATH */
	const char *const *environment; /* "NAME=VALUE" to add, NULL-terminated; may be NULL */
	const char *root; /* if not NULL, the directory to chroot(2) into */
	int exec_fd; /* if not 0, the program to execute instead of argv[0] */
	uid_t uid; /* if not 0, the user (and group) to become */
	bool mute; /* its standard output goes to /dev/null; spawned.out is -1 */
};

struct spawned *spawn(const struct spawn_how *how);

/* The same for an argument list alone. */
#define spawn_program(...) \
	spawn(&(struct spawn_how){ .argv = (const char *const[]){ __VA_ARGS__, NULL } })

/* Reads until the program has printed a line that begins so; returns the rest of it, in text. */
const char *spawn_expect(struct spawned *child, const char *start);

/*
 * Until the main thread waits for standard input and every other thread is in some system call: a
 * program that does no more until it is told is at rest then.
 */
void spawn_wait_at_rest(pid_t pid);

/* Writes all of text to its standard input; or ends that. */
void spawn_write(struct spawned *child, const char *text);
void spawn_close_input(struct spawned *child);

/* SIGKILL, and waits for it. */
void spawn_end(struct spawned *child);

/* Waits for its end without a signal; returns the status of waitpid(2). */
int spawn_wait(struct spawned *child);

/* As a fixture for cmocka: ends all that are left. */
int spawn_teardown(void **state);

/* A program that ran to its end: what it printed and how it ended. Freed by spawn_teardown(). */
struct spawn_result {
	int status; /* of waitpid(2) */
	char *out;
	size_t out_length;
	char *err;
};

const struct spawn_result *spawn_run(const struct spawn_how *how);

/* Exit status, or 128 + the signal that ended it, as a shell has it. */
int spawn_exit_code(const struct spawn_result *result);

/*
 * The path of a program of the build tree, whose root the environment variable MEMTOOL_BUILDDIR
 * names ("." without it). The result lasts until the program ends.
 */
const char *spawn_path(const char *path_from_root);

/* "LD_PRELOAD=" and the path of the recorder, for spawn_how.environment. */
const char *spawn_recorder(void);

/* Whether execvp(3) would find it. */
bool spawn_has_program(const char *name);

/* The memtool command: MEMTOOL_COMMAND, or memtool in the root of the build tree. */
const char *spawn_memtool(void);

/*
 * State letter of a thread in /proc (proc_pid_stat(5)); 0 if it is gone. And its TracerPid.
 */
char spawn_thread_state(pid_t pid, pid_t tid);
pid_t spawn_tracer(pid_t tid);

/*
 * Until all threads are in that state. One that a tracer lets go runs for a moment before it is in
 * its group-stop again (ptrace(2)).
 */
void spawn_wait_state(pid_t pid, char state);

/* Until a thread has ended that stays in the list: the first, while there are others. */
void spawn_wait_ended(pid_t pid, pid_t tid);

/* The threads of a process; *ret_count of them, in memory that the caller frees. */
pid_t *spawn_threads(pid_t pid, size_t *ret_count);

/* Monotonic clock, in nanoseconds. */
uint64_t spawn_now_ns(void);

/* Call first in main(): after that many seconds all children are killed and the test fails. */
void spawn_watchdog(unsigned int seconds);

#endif
