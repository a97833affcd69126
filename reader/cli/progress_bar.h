/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line on the terminal behind standard error that tells how far the reading of a heap has come:
 * for a person who waits, so only from half a second on, and gone again when there is an answer.
 *
 * The target may stand still meanwhile, so nothing here may block: neither a terminal that is
 * halted by Ctrl-S, or whose emulator is the target itself, nor the one that stops a background job
 * which writes to it.
 */
#ifndef CLI_PROGRESS_BAR_H
#define CLI_PROGRESS_BAR_H

#include "session.h"

struct progress_bar {
	int fd; /* the terminal, opened anew so that writes do not block; -1: there is no bar */
	uint64_t start_ns; /* of this reading; 0 before it */
	uint64_t drawn_ns; /* when the line was last drawn; 0: it is not there */
	uint64_t bytes_read; /* at the last step */
};

/*
 * Has options tell bar of the progress, if fd is a terminal that can move its cursor and options
 * has nobody to tell yet. bar is used until options are no longer.
 */
void progress_bar_init(struct progress_bar *bar, int fd, struct session_options *options);
/* Takes the line away. */
void progress_bar_deinit(struct progress_bar *bar);

/* What the callback does, at a time of CLOCK_MONOTONIC. */
void progress_bar_step(struct progress_bar *bar, const struct memtool_progress *progress,
		       uint64_t now_ns);

#endif
