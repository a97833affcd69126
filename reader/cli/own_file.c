/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/own_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The directory of this program, without a slash behind it. */
static struct memtool_error *own_directory(char ret[static PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", ret, PATH_MAX);

	if (length < 0)
		return memtool_error_os(errno, "cannot find out where memtool is");
	if (length == PATH_MAX)
		return memtool_error_os(ENAMETOOLONG, "cannot find out where memtool is");
	char *slash = memrchr(ret, '/', (size_t)length);
	ret[slash ? slash - ret : 0] = '\0';
	return NULL;
}

/* How much of the directory is the root that BINDIR lies below; 0 also if it is not BINDIR. */
static int root_length(const char *directory)
{
	size_t length = strlen(directory), below = strlen(BINDIR);

	if (length < below || strcmp(directory + length - below, BINDIR) != 0)
		return 0;
	return (int)(length - below);
}

struct memtool_error *own_file_find(const char *in_build_tree, const char *name, char **ret)
{
	_cleanup_free_ char *built = NULL, *installed = NULL;
	char directory[PATH_MAX];

	struct memtool_error *error = own_directory(directory);
	if (error)
		return error;
	if (asprintf(&built, "%s/%s", directory, in_build_tree) < 0) {
		built = NULL;
		return memtool_error_no_memory;
	}
	if (access(built, R_OK) == 0) {
		*ret = no_cleanup_ptr(built);
		return NULL;
	}
	if (asprintf(&installed, "%.*s" PKGLIBDIR "/%s", root_length(directory), directory, name) <
	    0) {
		installed = NULL;
		return memtool_error_no_memory;
	}
	if (access(installed, R_OK) < 0)
		return memtool_error_os(errno, "%s is missing, a part of memtool", installed);
	*ret = no_cleanup_ptr(installed);
	return NULL;
}
