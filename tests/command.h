/* SPDX-License-Identifier: Apache-2.0 */
/* memtool's commands, as a user runs them on a process, for tests of what they print. */
#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

#include "tests/spawn.h"

/* "info --format=json" and the like, with the pid behind it; no pid if that is 0. */
const struct spawn_result *command_run(const char *words, pid_t pid);

/*
 * The same as user nobody; and skips the test where that cannot be done: by who is not root, or
 * with a build tree that nobody may read.
 */
#define COMMAND_NOBODY 65534
const struct spawn_result *command_run_as_nobody(const char *words, pid_t pid);
void command_skip_without_nobody(void);

/* As command_run(), but it must succeed without a word on standard error; what it printed. */
const char *command_answer(const char *words, pid_t pid);

/* Must fail with 2, print nothing, and say why in one line, in which that word is. */
void command_refused(const char *words, pid_t pid, const char *word);

/* That stands in text; where the test fails, both are shown. */
void command_expect(const char *text, const char *what);

/* How often that stands in text. */
size_t command_count(const char *text, const char *word);

#endif
