/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library's target is inside. memtool.h tells what is promised of it.
 */
#ifndef API_TARGET_H
#define API_TARGET_H

#include "memtool.h"
#include "session.h"

struct memtool_target {
	struct session *session;
	struct stop *stop; /* NULL: it runs */
	char *symbol_name; /* what memtool_locate() handed out last */
};

#endif
