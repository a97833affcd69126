/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mapping as it is shown.
 */
#ifndef CLI_MAPPING_VIEW_H
#define CLI_MAPPING_VIEW_H

#include "cli/json.h"
#include "cli/output.h"
#include "target/maps.h"

struct permissions_text {
	char text[5]; /* "rwxp" as the kernel writes it */
};

struct permissions_text mapping_permissions(const struct mapping *mapping);

struct device_text {
	char text[24]; /* "fe:01" */
};

struct device_text mapping_device(const struct mapping *mapping);

/* Its members, into an object that is open. */
void mapping_json(struct json *json, const struct mapping *mapping);

#endif
