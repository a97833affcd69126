/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of memtool. A new one is a file cmd_NAME.c that defines
 * `const struct command command_NAME`, and a line in COMMANDS.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

enum exit_status {
	STATUS_ANSWERED = 0,
	STATUS_FAILED = 2, /* one line on standard error says why */
	STATUS_USAGE = 64, /* EX_USAGE of sysexits.h */
	/* Of `memtool run`, as of env(1): the program could not be run, or was not found. */
	STATUS_NOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

struct command {
	const char *name;
	const char *summary; /* a line of memtool --help */
	/* argv[0] is "memtool NAME". Exits by itself for --help and on wrong usage. */
	enum exit_status (*run)(int argc, char **argv);
};

/* In the order of memtool --help. */
#define COMMANDS(X) \
	X(heap)     \
	X(chunks)   \
	X(chunk)    \
	X(arenas)   \
	X(bins)     \
	X(threads)  \
	X(thread)   \
	X(info)     \
	X(address)  \
	X(symbol)   \
	X(peek)     \
	X(reveal)   \
	X(string)   \
	X(maps)     \
	X(modules)  \
	X(run)      \
	X(ps)       \
	X(shell)

#define DECLARE_COMMAND(name) extern const struct command command_##name;
COMMANDS(DECLARE_COMMAND)
#undef DECLARE_COMMAND

#endif
