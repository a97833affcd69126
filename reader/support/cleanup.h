/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope guards: release a local variable whatever way its scope is left.
 *
 * Each guard is a no-op for its empty value (NULL, or -1 for a descriptor), so a value is handed
 * on by emptying the variable: return_ptr(p), or no_cleanup_ptr(p) in the middle of an expression.
 * A type that needs a guard of its own defines it beside its destroy function, the same way.
 */
#ifndef SUPPORT_CLEANUP_H
#define SUPPORT_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((__cleanup__(function)))

#define no_cleanup_ptr(p)               \
	({                              \
		__auto_type ptr_ = (p); \
		(p) = NULL;             \
		ptr_;                   \
	})
#define return_ptr(p) return no_cleanup_ptr(p)

/* The same for a descriptor: its value, and -1 left in the variable. */
#define no_cleanup_fd(fd)       \
	({                      \
		int fd_ = (fd); \
		(fd) = -1;      \
		fd_;            \
	})

#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#endif
