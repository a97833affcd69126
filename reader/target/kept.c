/* SPDX-License-Identifier: Apache-2.0 */
#include "target/kept.h"

#include "support/cleanup.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mapping's first line is as in maps; the names of its fields begin with a capital letter. */
static bool is_anonymous(const char *line)
{
	char permissions[5];
	uint64_t inode;

	return sscanf(line, "%*x-%*x %4s %*x %*s %" SCNu64, permissions, &inode) == 2 &&
	       permissions[3] == 'p' && inode == 0;
}

bool has_kept_memory(pid_t pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	bool anonymous = false;
	size_t capacity = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (getline(&line, &capacity, file) > 0) {
		if (!isupper((unsigned char)line[0]))
			anonymous = is_anonymous(line);
		else if (anonymous && strncmp(line, "VmFlags:", strlen("VmFlags:")) == 0 &&
			 (strstr(line, " dc") || strstr(line, " wf")))
			return true;
	}
	return false;
}
