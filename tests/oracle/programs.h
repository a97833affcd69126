/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that nobody here wrote, and work for them: when it is done they print "ready", and end
 * when their standard input does.
 */
#ifndef TESTS_PROGRAMS_H
#define TESTS_PROGRAMS_H

#include <stddef.h>

struct oracle_program {
	const char *name;
	const char *const *argv; /* argv[0] is to be looked for in PATH */
	const char *variable; /* "NAME=VALUE" for its environment; NULL for none */
	const char *input; /* written to it; NULL for none */
};

extern const struct oracle_program oracle_programs[];
extern const size_t oracle_program_count;

#endif
