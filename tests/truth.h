/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth that a fixture printed (fixtures/fixture.h has its lines), held against a struct heap.
 *
 * Every fact has to hold, and nothing may be left over: each chunk of the heap that is live or free
 * must be one that the fixture named. All differences are printed before the test fails.
 */
#ifndef TESTS_TRUTH_H
#define TESTS_TRUTH_H

#include "glibc/heap.h"
#include "session.h"
#include "target/memory.h"
#include "tests/spawn.h"

/*
 * Reads the heap of pid; fails the test with the error's message where that cannot be done, or if
 * not all came from where options want it.
 */
void truth_read(pid_t pid, const struct session_options *options, struct session **ret_session,
		struct heap **ret);

/* Fails the test if error is one. */
void truth_must(struct memtool_error *error);

/*
 * All of what is below, of a fixture that was started: waits until it is ready, reads it, and sees
 * it exit unharmed when its input ends.
 */
void truth_check_fixture(struct spawned *child, const struct session_options *options);

/* text as the fixture wrote it; memory is for the "bytes" lines. */
void truth_check(const char *text, const struct heap *heap, struct memory *memory);

/* Fails the test if the heap contradicts itself (heap_shape.h). */
void truth_check_shape(const struct heap *heap);

/* The ten numbers of a "mallinfo2" line against what memtool makes of the heap. */
void truth_check_mallinfo(const char *numbers, const struct heap *heap);

/* Fails with all findings unless the audit has none that is a doubt. */
void truth_check_audit(const struct heap *heap);

#endif
