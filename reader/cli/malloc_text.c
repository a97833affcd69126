/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/malloc_text.h"

#include "cli/message.h"
#include "cli/utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether the heap that is shown is that of libc_malloc_debug. */
static bool shows_debug(const struct session *session)
{
	return session->malloc.debug &&
	       session->glibcs.data[session->shown].libc.module == session->malloc.debug;
}

/* How many other glibcs memory was taken from. */
static size_t count_hidden(const struct session *session)
{
	size_t count = 0;

	for (size_t i = 0; i < session->glibcs.count; i++)
		count += i != session->shown && session->glibcs.data[i].in_use;
	return count;
}

/* Freed by the caller; NULL: nothing to say, or no memory to say it with. */
static char *sentence(const struct session *session)
{
	const struct malloc_provider *malloc = &session->malloc;
	_cleanup_free_ char *who = malloc->other ? malloc_provider_describe(malloc) : NULL;
	char *text = NULL;
	int length = -1;

	if (who)
		length = asprintf(&text,
				  "the program uses %s; shown is glibc's heap, which is in use "
				  "beside it",
				  who);
	else if (shows_debug(session))
		length = asprintf(&text, "glibc's second one, with its checks, in %s",
				  malloc->debug->name);
	else if (malloc->debug)
		length = asprintf(&text, "glibc's, through %s", malloc->debug->name);
	else if (malloc->go)
		length = asprintf(&text,
				  "glibc's, for C code; the heap of Go, which is in %s, is "
				  "another and not shown",
				  malloc->go->name);
	else if (malloc->through)
		length = asprintf(&text, "glibc's, through %s%s", malloc->through->name,
				  session->glibcs.data[session->shown].in_use
					  ? ""
					  : ", as it seems, but its heap was never used");
	return length < 0 ? NULL : text;
}

const char *malloc_name(const struct session *session)
{
	if (!session->malloc.other)
		return "glibc";
	return session->malloc.allocator ? session->malloc.allocator->name : "unknown";
}

void malloc_text(struct output *output, const char *prefix, const struct session *session)
{
	_cleanup_free_ char *text = sentence(session);

	if (!text)
		return;
	output_text(output, prefix);
	utf8_write_printable(output, text);
	output_char(output, '\n');
}

static void name_json(struct json *json, const char *name, const char *value)
{
	if (value)
		json_string(json, name, value);
	else
		json_null(json, name);
}

void malloc_json(struct json *json, const char *name, const struct session *session)
{
	const struct malloc_provider *malloc = &session->malloc;
	const char *module = malloc->module ? malloc->module->name : NULL;

	json_object(json, name);
	if (malloc->other) {
		name_json(json, "provider", malloc->allocator ? malloc->allocator->name : NULL);
		name_json(json, "module", module);
	} else {
		json_string(json, "provider", "glibc");
		json_string(json, "module", session->libc_name);
	}
	name_json(json, "through", malloc->through ? malloc->through->name : NULL);
	name_json(json, "go", malloc->go ? malloc->go->name : NULL);
	json_end(json);
}

static const char *path_of(const struct session *session, const struct session_glibc *glibc)
{
	return glibc->libc.module ? glibc->libc.module->name : session->libc_name;
}

void glibcs_json(struct json *json, const char *name, const struct session *session)
{
	json_array(json, name);
	for (size_t i = 0; i < session->glibcs.count; i++) {
		const struct session_glibc *glibc = &session->glibcs.data[i];

		json_object(json, NULL);
		json_string(json, "path", path_of(session, glibc));
		if (glibc->error)
			json_null(json, "main_arena");
		else
			json_hex(json, "main_arena", glibc->roots.main_arena.value);
		json_bool(json, "in_use", glibc->in_use);
		json_bool(json, "shown", i == session->shown);
		json_end(json);
	}
	json_end(json);
}

void glibcs_text(struct output *output, const struct session *session)
{
	if (session->glibcs.count < 2)
		return;
	output_printf(output, "glibcs:   %zu\n", session->glibcs.count);
	for (size_t i = 0; i < session->glibcs.count; i++) {
		const struct session_glibc *glibc = &session->glibcs.data[i];

		output_printf(output, "  %zu  ", i + 1);
		utf8_write_printable(output, path_of(session, glibc));
		if (glibc->error) {
			output_text(output, "  not known: ");
			utf8_write_printable(output, glibc->error->message);
		} else {
			output_text(output, i == session->shown ? "  shown"
					    : glibc->in_use     ? "  in use, not shown"
								: "  unused");
		}
		output_char(output, '\n');
	}
	if (count_hidden(session))
		output_text(output, "  --libc=N shows another\n");
}

void malloc_note(const struct session *session)
{
	if (count_hidden(session))
		message_note("another glibc of this process is in use; memtool info lists it, and "
			     "--libc=N shows it");

	_cleanup_free_ char *text =
		session->malloc.other || session->malloc.go ? sentence(session) : NULL;

	if (text)
		message_note("malloc: %s", text);
}
