/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/functions.h"

static uint64_t functions[FUNCTIONS];

void functions_set(const struct objects *objects)
{
	for (enum object_function i = 0; i < FUNCTIONS; i++) {
		if (objects->functions[i])
			__atomic_store_n(&functions[i], objects->functions[i], __ATOMIC_RELEASE);
	}
}

uint64_t functions_known(enum object_function function)
{
	return __atomic_load_n(&functions[function], __ATOMIC_ACQUIRE);
}

uint64_t functions_find(enum object_function function)
{
	uint64_t address = functions_known(function);
	struct objects objects;

	if (address)
		return address;
	objects_find(&objects);
	functions_set(&objects);
	return objects.functions[function];
}
