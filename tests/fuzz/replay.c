/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of a fuzz target that is not linked with libFuzzer: runs it on the files that are named,
 * or on all that are kept for it. It has passed if it comes back.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size < 0)
		die(path);
	rewind(file);
	/* Exactly as long as the file, so that a sanitizer sees a read beyond it. */
	uint8_t *data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
		die(path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
}

/* Prints the file's name before it is run, so that the last one printed is the one that failed. */
static size_t run_directory(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);
	size_t ran = 0;

	if (count < 0)
		die(path);
	for (int i = 0; i < count; i++) {
		char *file;
		if (entries[i]->d_name[0] != '.') {
			if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
				die(path);
			printf("%s\n", entries[i]->d_name);
			fflush(stdout);
			run_file(file);
			free(file);
			ran++;
		}
		free(entries[i]);
	}
	free(entries);
	return ran;
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char corpus[4096];
	size_t ran;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
		return 0;
	}
	snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", source ? source : ".",
		 fuzz_target);
	ran = run_directory(corpus);
	printf("%zu inputs\n", ran);
	return ran ? 0 : 1;
}
