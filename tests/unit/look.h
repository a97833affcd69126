/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of reader/symbols/ look at: a process with its mappings and modules, one at a time. It
 * is closed by the test's teardown, so after a failure as well.
 */
#ifndef TESTS_LOOK_H
#define TESTS_LOOK_H

/* cmocka.h wants these four first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "symbols/module.h"

static struct process *process;
static struct maps maps;
static struct modules *modules;

static inline void no_error(struct memtool_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static inline void look_at(pid_t pid)
{
	no_error(process_open(pid, &process));
	no_error(maps_read(pid, &maps));
	no_error(modules_load(process, &maps, &modules));
}

static inline void look_away(void)
{
	modules_destroy(modules);
	modules = NULL;
	maps_deinit(&maps);
	process_close(process);
	process = NULL;
}

#endif
