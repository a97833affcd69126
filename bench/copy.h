/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a heap is measured against: process_vm_readv(2) of every page of it in 2 MiB pieces,
 * by one thread, into a buffer that is there already.
 */
#ifndef BENCH_COPY_H
#define BENCH_COPY_H

#include <sys/types.h>

/* How many ms it takes to copy all of pid's [heap], and how many bytes that is. */
double copy_heap(pid_t pid, double *ret_bytes);

#endif
