/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols/open_file.h"

#include "support/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

/* Opens what path_fd, which is O_PATH or -1, stands for. */
static int reopen_regular(int path_fd)
{
	struct stat status;
	char path[64];

	if (path_fd < 0 || fstat(path_fd, &status) < 0 || !S_ISREG(status.st_mode))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int open_regular(const char *path)
{
	_cleanup_close_ int path_fd = open(path, O_PATH | O_CLOEXEC);

	return reopen_regular(path_fd);
}

static int open_below(int root, const char *path)
{
#ifdef SYS_openat2
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	/* Some sandboxes refuse system calls that they do not know with EPERM. */
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
#endif
	return openat(root, path + strspn(path, "/"), O_PATH | O_CLOEXEC);
}

int open_regular_of(pid_t pid, const char *path)
{
	char root_path[64];

	snprintf(root_path, sizeof(root_path), "/proc/%d/root", (int)pid);
	_cleanup_close_ int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1;
	_cleanup_close_ int path_fd = open_below(root, path);
	return reopen_regular(path_fd);
}
