/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of live allocations that the recorder kept in a process, against the set that memtool
 * reads of it: both must be the same, pointer by pointer, with the same usable sizes. No allowance
 * is made: the recorder sees the very first call, libc's and ld.so's own included, and what glibc
 * cuts from the heap without a call (the tcache structs) memtool reports as what it is.
 *
 * That holds for a child of a fork of several threads as well: what the other threads had in their
 * tcaches is marked in use for ever, but must be found as theirs, the same that they have in the
 * parent.
 *
 * All of these print the differences, and fail the test if there is one or the audit has a doubt.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include "session.h"
#include "tests/oracle/programs.h"
#include "tests/spawn.h"

/* A fixture, from its start on. It goes on waiting. */
void oracle_check_fixture(struct spawned *child, const struct session_options *options);

/* The program "storm", from its start to its end; the second with the word "fork". */
void oracle_check_storm(struct spawned *child, const struct session_options *options);
void oracle_check_fork(struct spawned *child, const struct session_options *options);

/* Has the program do its work; it has ended when this returns. */
void oracle_check_program(struct spawned *child, const struct oracle_program *program,
			  const struct session_options *options);

#endif
