/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the text of /proc/PID/maps. What is taken for one is sorted and without overlaps,
 * and each address is found where the list has it.
 */
#include "target/maps.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* A mapping for each 24 bytes of text or more, in an array that doubles. */
#define MEMORY_FACTOR 16
#define MEMORY_FIXED  (64 << 10)

const char fuzz_target[] = "maps";

static void check_mapping(const struct maps *maps, size_t index, size_t length)
{
	const struct mapping *mapping = &maps->data[index];

	if (mapping->range.start >= mapping->range.end)
		fuzz_fail("a mapping is empty");
	if (index && mapping[-1].range.end > mapping->range.start)
		fuzz_fail("mappings overlap or are not in order");
	if (mapping->name < maps->text || mapping->name > maps->text + length ||
	    mapping->name + strlen(mapping->name) > maps->text + length)
		fuzz_fail("a name is not in the text");
	if (maps_find(maps, mapping->range.start) != mapping ||
	    maps_find(maps, mapping->range.end - 1) != mapping)
		fuzz_fail("a mapping is not found by its addresses");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct maps maps;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	size_t length = strlen(text);
	fuzz_meter_start();
	struct memtool_error *error = maps_parse(text, &maps);
	if (fuzz_meter_peak() > MEMORY_FACTOR * size + MEMORY_FIXED)
		fuzz_fail("%zu bytes of text take too much memory", size);
	if (error) {
		if (error->code != MEMTOOL_ERROR_CORRUPT || strchr(error->message, '\n'))
			fuzz_fail("not what is wrong with a list: %s", error->message);
		memtool_error_destroy(error);
		return 0;
	}
	for (size_t i = 0; i < maps.count; i++)
		check_mapping(&maps, i, length);
	maps_deinit(&maps);
	return 0;
}
