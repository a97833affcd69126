/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixtures that print their own truth, as command lines: which of them there are, and a line
 * taken apart. Where the programs are and what they run under is the test's affair.
 */
#ifndef TESTS_FIXTURE_COMMAND_H
#define TESTS_FIXTURE_COMMAND_H

#include <stddef.h>

#define FIXTURE_WORDS_MAX 8

/*
 * Each a program of tests/fixtures and its arguments; a first word with a '=' is for its
 * environment.
 */
extern const char *const fixture_commands[];
extern const size_t fixture_command_count;

struct fixture_command {
	const char *variable; /* "NAME=VALUE", or NULL */
	const char *argv[FIXTURE_WORDS_MAX]; /* the name and the arguments; NULL-terminated */
	char words[200]; /* what they point into */
};

/* Fails the test if there are too many words. */
void fixture_command_parse(const char *command, struct fixture_command *ret);

#endif
