/* SPDX-License-Identifier: Apache-2.0 */
#include "target/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct memtool_error *procfs_error(int errnum, pid_t pid, const char *name)
{
	switch (errnum) {
	case ENOENT:
	case ESRCH:
		return memtool_error_create(MEMTOOL_ERROR_NO_PROCESS, "there is no process %d",
					    pid);
	case EACCES:
	case EPERM:
		return memtool_error_create(MEMTOOL_ERROR_NOT_PERMITTED,
					    "/proc/%d/%s may not be read", pid, name);
	default:
		return memtool_error_os(errnum, "/proc/%d/%s could not be read", pid, name);
	}
}

struct memtool_error *procfs_read(pid_t pid, const char *name, char **ret, size_t *ret_length)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return procfs_error(errno, pid, name);

	_cleanup_free_ char *text = NULL;
	size_t length = 0, capacity = 0;
	for (;;) {
		/* One byte stays free for the NUL. */
		if (capacity - length < 2) {
			capacity = capacity ? capacity * 2 : 4096;
			char *bigger = realloc(text, capacity);
			if (!bigger)
				return memtool_error_no_memory;
			text = bigger;
		}
		ssize_t count = read(fd, text + length, capacity - length - 1);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return procfs_error(errno, pid, name);
		if (count == 0)
			break;
		length += count;
	}
	text[length] = '\0';
	*ret = no_cleanup_ptr(text);
	*ret_length = length;
	return NULL;
}

const char *procfs_status_field(const char *status, const char *key)
{
	size_t length = strlen(key);

	/* A newline in comm is escaped there, so a line starts where it seems to. */
	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	}
	return NULL;
}

bool procfs_stat_parse(const char *text, struct procfs_stat *ret)
{
	/* comm, in parentheses, may hold anything, parentheses too: nothing after it does. */
	const char *rest = strrchr(text, ')');
	struct procfs_stat stat;

	if (!rest)
		return false;
	/* Fields 3, 4, 9, 22 and 28. */
	if (sscanf(rest + 1,
		   " %c %d %*s %*s %*s %*s %" SCNu32 " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		   " %*s %" SCNu64 " %*s %*s %*s %*s %*s %" SCNu64,
		   &stat.state, &stat.parent, &stat.flags, &stat.start_time,
		   &stat.start_stack) != 5)
		return false;
	*ret = stat;
	return true;
}

struct memtool_error *procfs_stat(pid_t pid, struct procfs_stat *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t length;
	struct memtool_error *error = procfs_read(pid, "stat", &text, &length);
	if (error)
		return error;
	if (!procfs_stat_parse(text, ret))
		return memtool_error_create(MEMTOOL_ERROR_CORRUPT, "/proc/%d/stat makes no sense",
					    pid);
	return NULL;
}

bool procfs_state_is_dead(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}

bool procfs_is_dead(pid_t tid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	return error ? error->code == MEMTOOL_ERROR_NO_PROCESS : procfs_state_is_dead(stat.state);
}

bool procfs_stat_is_alive(const struct procfs_stat *stat)
{
	return !procfs_state_is_dead(stat->state) && !(stat->flags & PROCFS_FLAG_EXITING);
}

static bool is_alive(pid_t tid)
{
	struct procfs_stat stat;
	_cleanup_error_ struct memtool_error *error = procfs_stat(tid, &stat);

	return !error && procfs_stat_is_alive(&stat);
}

pid_t procfs_live_thread(pid_t pid)
{
	if (is_alive(pid))
		return pid;

	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	_cleanup_closedir_ DIR *tasks = opendir(path);
	struct dirent *entry;
	while (tasks && (entry = readdir(tasks))) {
		pid_t tid = atoi(entry->d_name);
		if (tid > 0 && tid != pid && is_alive(tid))
			return tid;
	}
	return 0;
}

void procfs_comm(pid_t pid, pid_t tid, char ret[16])
{
	_cleanup_free_ char *text = NULL;
	char name[32];
	size_t length;
	snprintf(name, sizeof(name), "task/%d/comm", tid);
	_cleanup_error_ struct memtool_error *error = procfs_read(pid, name, &text, &length);

	if (error || length == 0) {
		strcpy(ret, "?");
		return;
	}
	if (text[length - 1] == '\n')
		text[length - 1] = '\0';
	snprintf(ret, 16, "%s", text);
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}
