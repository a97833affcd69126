/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_id.h"

#include <stdio.h>

struct build_id_text build_id_of(const struct module *module)
{
	struct build_id_text id = { "" };

	for (size_t i = 0; i < module->build_id_size && i < BUILD_ID_MAX; i++)
		snprintf(id.text + 2 * i, 3, "%02x", module->build_id[i]);
	return id;
}
