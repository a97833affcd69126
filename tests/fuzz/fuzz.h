/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share.
 *
 * A target is a function from bytes to a verdict, in the form that libFuzzer calls. Configured with
 * --enable-fuzzers it is linked with libFuzzer and makes up its own input; else with replay.c, and
 * runs what is kept in corpus/, as a test of make check. What makes an input readable for people
 * and worth mutating (heap_image.h, sparse.h) is the target's own matter; every byte string means
 * something to each.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The target's name: its kept inputs are in corpus/NAME. */
extern const char fuzz_target[];

/* libFuzzer's interface; the last two are optional. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* A finding: prints it and aborts. */
void fuzz_fail(const char *format, ...) __attribute__((__noreturn__, __format__(__printf__, 1, 2)));

/*
 * How much memory was in use at most since fuzz_meter_start(), beyond what was in use then. Always
 * 0 in a build without sanitizers, which have the hooks for it.
 */
void fuzz_meter_start(void);
uint64_t fuzz_meter_peak(void);

#endif
