/* SPDX-License-Identifier: Apache-2.0 */
/* target/diagnose.h: each decision, and that the facts of real processes are seen. */
#include "child.h"

#include "target/diagnose.h"

struct decision {
	struct refusal_facts facts; /* without pid; state 'S' if not said */
	enum memtool_error_code code;
	const char *cause;
	const char *remedy;
};

#define DENIED MEMTOOL_ERROR_NOT_PERMITTED

static const struct decision decisions[] = {
	{ { .kernel_thread = true, .state = 'I', .yama_scope = 3 },
	  MEMTOOL_ERROR_UNSUPPORTED,
	  "kernel thread",
	  "user process" },
	{ { .state = 'Z', .other_user = true }, MEMTOOL_ERROR_NO_PROCESS, "zombie", "" },
	{ { .what = REFUSED_STOP, .tracer = 815, .tracer_name = "gdb", .other_user = true },
	  DENIED,
	  "traced by process 815 (gdb)",
	  "detach that one first, or use --no-stop" },
	{ { .what = REFUSED_STOP, .tracer = 99, .self = 99, .tracer_name = "memtool" },
	  DENIED,
	  "this program traces",
	  "let go" },
	/* Who only reads is not refused because of a tracer. */
	{ { .what = REFUSED_READ, .tracer = 815, .other_user = true, .uid = 33 },
	  DENIED,
	  "another user (user id 33)",
	  "as root or as that user" },
	{ { .other_user = true, .uid = 0, .yama_scope = 1 }, DENIED, "(user id 0)", "as root" },
	{ { .hidden = true, .state = '?' }, DENIED, "/proc hides it", "as root" },
	{ { .not_dumpable = true, .yama_scope = 1 }, DENIED, "PR_SET_DUMPABLE", "as root" },
	{ { .yama_scope = 1 }, DENIED, "ptrace_scope is 1", "as root" },
	{ { .yama_scope = 2 }, DENIED, "ptrace_scope is 2", "as root" },
	{ { .yama_scope = 3 }, DENIED, "ptrace_scope is 3", "at boot" },
	/* Scope 3 stops root, too; scopes 1 and 2 do not. */
	{ { .yama_scope = 3, .cap_sys_ptrace = true, .root = true },
	  DENIED,
	  "ptrace_scope is 3",
	  "at boot" },
	{ { .yama_scope = 2, .cap_sys_ptrace = true, .root = true },
	  DENIED,
	  "security policy",
	  "root of the host" },
	{ { .cap_sys_ptrace = true, .seccomp = true }, DENIED, "seccomp", "outside" },
	{ { .cap_sys_ptrace = true, .other_user = true, .uid = 7 },
	  DENIED,
	  "security policy",
	  "root of the host" },
	{ { .root = true, .other_user = true, .yama_scope = 1 },
	  DENIED,
	  "without CAP_SYS_PTRACE",
	  "--cap-add=SYS_PTRACE" },
	{ { .seccomp = true }, DENIED, "seccomp", "--cap-add=SYS_PTRACE" },
	{ { .yama_scope = 0 }, DENIED, "without CAP_SYS_PTRACE", "as root" },
	{ { .yama_scope = -1 }, DENIED, "without CAP_SYS_PTRACE", "as root" },
};

static void test_decisions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(decisions) / sizeof(*decisions); i++) {
		struct refusal_facts facts = decisions[i].facts;
		facts.pid = 4711;
		if (!facts.state)
			facts.state = 'S';
		struct memtool_error *error = diagnose(&facts);
		assert_non_null(strstr(error->message, "4711"));
		if (!strstr(error->message, decisions[i].remedy))
			fail_msg("no \"%s\": %s", decisions[i].remedy, error->message);
		assert_error(error, decisions[i].code, decisions[i].cause);
	}
}

static void stay_undumpable(struct shared *shared)
{
	prctl(PR_SET_NAME, "odd)\n(Z 0");
	if (geteuid() == 0 && setuid(1234))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	child_ready(shared);
	for (;;)
		pause();
}

/* Runs as the user uid, and passes diagnose_refusal()'s message on. */
static void diagnose_as(uid_t uid, pid_t pid, char *message, size_t size)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		if (setuid(uid))
			_exit(1);
		struct memtool_error *error = diagnose_refusal(pid, REFUSED_READ);
		_exit(write(ends[1], error->message, strlen(error->message) + 1) < 0);
	}
	close(ends[1]);
	ssize_t count = read(ends[0], message, size - 1);
	assert_true(count > 0);
	message[count] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* As the kernel shows them, here and now. */
static void test_facts(void **state)
{
	(void)state;
	char message[512];

	if (geteuid() != 0)
		skip();
	struct child child = child_start(stay_undumpable);
	diagnose_as(1234, child.pid, message, sizeof(message));
	assert_non_null(strstr(message, "PR_SET_DUMPABLE"));
	diagnose_as(4321, child.pid, message, sizeof(message));
	assert_non_null(strstr(message, "(user id 1234)"));
	child_end(&child);

	pid_t zombie = fork();
	if (zombie == 0)
		_exit(0);
	await_state(zombie, 'Z');
	assert_error(diagnose_refusal(zombie, REFUSED_STOP), MEMTOOL_ERROR_NO_PROCESS, "zombie");
	assert_int_equal(waitpid(zombie, NULL, 0), zombie);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
