/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose malloc the process uses, and whether there is more than one of glibc's, for text, JSON and
 * notes: what is shown may not be all there is.
 */
#ifndef CLI_MALLOC_TEXT_H
#define CLI_MALLOC_TEXT_H

#include "cli/json.h"
#include "cli/output.h"
#include "session.h"

/* "jemalloc", "glibc"; "unknown" for one that is not known. */
const char *malloc_name(const struct session *session);

/* A line, prefix in front; nothing where malloc is glibc's without more ado. */
void malloc_text(struct output *output, const char *prefix, const struct session *session);

/* The glibcs of the process, if there are several, as an array and as text. */
void glibcs_json(struct json *json, const char *name, const struct session *session);
void glibcs_text(struct output *output, const struct session *session);

/* An object of that name. */
void malloc_json(struct json *json, const char *name, const struct session *session);

/* Notes on standard error, where the answer is not about all that malloc gave to the program. */
void malloc_note(const struct session *session);

#endif
