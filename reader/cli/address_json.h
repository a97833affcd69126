/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at an address, as a JSON object.
 */
#ifndef CLI_ADDRESS_JSON_H
#define CLI_ADDRESS_JSON_H

#include "cli/address_view.h"
#include "cli/json.h"

/* As an element of an array, or the outermost value. */
void address_json(const struct inspection *inspection, const struct address_view *view,
		  bool demangled, struct json *json);

#endif
