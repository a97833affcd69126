/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool run: becomes PROGRAM, with the agent preloaded.
 */
#include "cli/command.h"
#include "cli/message.h"
#include "cli/own_file.h"

#include <argp.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define AGENT "libmemtool-agent.so"

/* ld.so would only say that it ignores it, and the program would run without. */
static struct memtool_error *check_agent(const char *path)
{
	Elf64_Ehdr header = { 0 };

	/*
	 * ld.so(8) splits LD_PRELOAD at the first two and replaces $LIB; there is no way to quote.
	 */
	if (strpbrk(path, " :$"))
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "cannot preload %s: LD_PRELOAD takes no path with a "
					    "space, a colon or a dollar sign",
					    path);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &header, sizeof(header)) < 0)
		return memtool_error_os(errno, "cannot preload %s", path);
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
		return memtool_error_create(MEMTOOL_ERROR_UNSUPPORTED,
					    "cannot preload %s: it is no shared library for x86-64",
					    path);
	return NULL;
}

static struct memtool_error *find_agent(char **ret)
{
	_cleanup_free_ char *path = NULL;

	/* Where libtool leaves it in a build tree. */
	struct memtool_error *error = own_file_find("agent/.libs/" AGENT, AGENT, &path);
	if (!error)
		error = check_agent(path);
	if (error)
		return error;
	*ret = no_cleanup_ptr(path);
	return NULL;
}

/* Whether it is in LD_PRELOAD already: memtool run itself may have been run so. */
static bool is_preloaded(const char *preload, const char *agent)
{
	const size_t length = strlen(agent);

	for (const char *at = preload; *at; at += strspn(at, " :")) {
		size_t size = strcspn(at, " :");
		if (size == length && memcmp(at, agent, length) == 0)
			return true;
		at += size;
	}
	return false;
}

/* The agent first, then what the caller preloads. */
static struct memtool_error *set_preload(void)
{
	const char *before = getenv("LD_PRELOAD");
	_cleanup_free_ char *agent = NULL, *value = NULL;

	struct memtool_error *error = find_agent(&agent);
	if (error)
		return error;
	if (before && is_preloaded(before, agent))
		return NULL;
	if (asprintf(&value, "%s%s%s", agent, before && *before ? ":" : "", before ? before : "") <
	    0)
		return memtool_error_no_memory;
	if (setenv("LD_PRELOAD", value, 1) < 0)
		return memtool_error_os(errno, "cannot set LD_PRELOAD");
	return NULL;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	char ***program = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_ARG:
		/* The rest is the program's. */
		*program = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a program is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARGUMENT...]",
		.doc = "Runs PROGRAM with memtool's agent preloaded, so that it is read fastest "
		       "later, and without symbols.\vPROGRAM takes this process's place: "
		       "everything else of it is as if it had been started directly. The agent "
		       "is put in front of what LD_PRELOAD has already, and goes on to the "
		       "programs that PROGRAM starts. Exit status: PROGRAM's; 2 if the agent is "
		       "not found, 126 or 127 if PROGRAM cannot be run or is not found.",
	};
	char **program = NULL;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &program);
	_cleanup_error_ struct memtool_error *error = set_preload();
	if (error) {
		message_error(error);
		return STATUS_FAILED;
	}
	execvp(program[0], program);
	int errnum = errno;
	error = memtool_error_os(errnum, "cannot run %s", program[0]);
	message_error(error);
	return errnum == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
}

const struct command command_run = { "run", "run a program with the agent preloaded", run };
