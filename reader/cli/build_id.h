/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module's build-id as text.
 */
#ifndef CLI_BUILD_ID_H
#define CLI_BUILD_ID_H

#include "symbols/module.h"

struct build_id_text {
	char text[2 * BUILD_ID_MAX + 1]; /* "" if there is none */
};

struct build_id_text build_id_of(const struct module *module);

#endif
