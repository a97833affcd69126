/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool info: where the answers come from, and how far they can be trusted.
 */
#include "cli/answer.h"
#include "cli/audit_text.h"
#include "cli/build_id.h"
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/malloc_text.h"
#include "cli/units.h"
#include "cli/utf8.h"

#include <inttypes.h>

/* One word for all the roots that are known. */
static const char *source_of(const struct malloc_roots *roots)
{
	const struct root *others[] = { &roots->mp, &roots->tcache, &roots->thread_arena };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i]->source != ROOT_UNKNOWN &&
		    others[i]->source != roots->main_arena.source)
			return "mixed";
	return root_source_name(roots->main_arena.source);
}

static void address_text(struct output *output, const char *name, const struct root *root)
{
	if (root->source == ROOT_UNKNOWN)
		output_printf(output, "  %-12s  not known\n", name);
	else
		output_printf(output, "  %-12s  0x%" PRIx64 "  %s\n", name, root->value,
			      root_source_name(root->source));
}

static void tls_text(struct output *output, const char *name, const struct root *root)
{
	if (root->source == ROOT_UNKNOWN)
		output_printf(output, "  %-12s  not known\n", name);
	else if (root->value == 0)
		output_printf(output, "  %-12s  set in no thread yet  %s\n", name,
			      root_source_name(root->source));
	else
		output_printf(output, "  %-12s  fs_base%+" PRId64 "  %s\n", name,
			      (int64_t)root->value, root_source_name(root->source));
}

/* Why libc's file cannot be had; NULL: it can, or the page alone has told all. */
static const char *file_missing(const struct session *session)
{
	return session->libc.module ? module_file_missing(session->libc.module) : NULL;
}

#define FINDINGS_SHOWN 100

/* A line of text that may have in it what the target has chosen. */
static void line_text(struct output *output, const char *prefix, const char *text)
{
	output_text(output, prefix);
	utf8_write_printable(output, text);
	output_char(output, '\n');
}

static void glibc_text(const struct session *session, const struct heap *heap,
		       struct output *output)
{
	output_printf(output, "glibc:    %s\n",
		      *session->libc.version ? session->libc.version : "of unknown version");
	output_text(output, "libc:     ");
	utf8_write_printable(output, session->libc_name);
	output_printf(output, "%s\n", session->libc_deleted ? " (deleted)" : "");
	if (file_missing(session))
		output_printf(output, "          read from memory, as the file cannot be had: %s\n",
			      file_missing(session));
	if (session->libc.module)
		output_printf(output, "build-id: %s\n",
			      session->libc.module->build_id_size
				      ? build_id_of(session->libc.module).text
				      : "none");
	output_printf(output, "layout:   %s", layout_source_name(session->layout_source));
	if (session->layout_source == LAYOUT_TABLE)
		output_printf(output, ", of glibc %s", heap->layout.name);
	output_char(output, '\n');
	if (session->layout_note[0])
		line_text(output, "          ", session->layout_note);
}

static void source_text(const struct session *session, const struct heap *heap,
			struct output *output)
{
	output_printf(output, "source:   %s\n", source_of(&heap->roots));
	address_text(output, "main_arena", &heap->roots.main_arena);
	address_text(output, "mp_", &heap->roots.mp);
	tls_text(output, "tcache", &heap->roots.tcache);
	tls_text(output, "thread_arena", &heap->roots.thread_arena);
	malloc_text(output, "malloc:   ", session);
	glibcs_text(output, session);
	if (session->inventory_error)
		line_text(output, "refused:  ", session->inventory_error->message);
}

static void counts_text(const struct session *session, const struct heap *heap,
			struct output *output)
{
	output_printf(output, "threads:  %s\n", units_count(heap->thread_count).text);
	if (session->orphans_unknown)
		line_text(output, "orphans:  not looked for: ", session->orphans_unknown->message);
	else if (heap->orphan_count)
		output_printf(output, "orphans:  %s, tcaches of threads that a fork left behind\n",
			      units_count(heap->orphan_count).text);
	output_printf(output, "arenas:   %s\n", units_count(heap->arena_count).text);
	output_printf(output, "chunks:   %s\n", units_count(heap->chunk_count).text);
}

static struct memtool_error *write_text(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	const struct session *session = reading->session;
	const struct heap *heap = reading->heap;

	output_printf(output, "Process:  %d", (int)session->process->pid);
	line_text(output, "  ", reading->command);
	glibc_text(session, heap, output);
	source_text(session, heap, output);
	counts_text(session, heap, output);
	output_text(output, "stopped:  ");
	output_milliseconds(output, reading->stopped_ns);
	if (session->stops > 1)
		output_printf(output, " ms, in %u stops\n", session->stops);
	else
		output_text(output, " ms\n");
	output_printf(output, "method:   %s\n", read_method_name(session->method));
	audit_text(output, &heap->audit, FINDINGS_SHOWN);
	return NULL;
}

static void libc_json(const struct session *session, struct json *json)
{
	const struct module *module = session->libc.module;

	json_object(json, "libc");
	json_string(json, "path", session->libc_name);
	json_bool(json, "deleted", session->libc_deleted);
	if (module && module->build_id_size)
		json_string(json, "build_id", build_id_of(module).text);
	else
		json_null(json, "build_id");
	if (file_missing(session))
		json_string(json, "file_missing", file_missing(session));
	json_end(json);
}

static void address_json(struct json *json, const char *name, const struct root *root)
{
	json_object(json, name);
	json_string(json, "source", root_source_name(root->source));
	if (root->source != ROOT_UNKNOWN)
		json_hex(json, "address", root->value);
	json_end(json);
}

static void tls_json(struct json *json, const char *name, const struct root *root)
{
	json_object(json, name);
	json_string(json, "source", root_source_name(root->source));
	if (root->source != ROOT_UNKNOWN && root->value == 0)
		json_null(json, "fs_base_offset");
	else if (root->source != ROOT_UNKNOWN)
		json_int(json, "fs_base_offset", (int64_t)root->value);
	json_end(json);
}

static void info_json(const struct reading *reading, struct json *json)
{
	const struct session *session = reading->session;
	const struct heap *heap = reading->heap;

	json_object(json, NULL);
	json_int(json, "pid", session->process->pid);
	json_string(json, "command", reading->command);
	json_string(json, "glibc", session->libc.version);
	libc_json(session, json);
	json_string(json, "source", source_of(&heap->roots));
	json_object(json, "roots");
	address_json(json, "main_arena", &heap->roots.main_arena);
	address_json(json, "mp_", &heap->roots.mp);
	tls_json(json, "tcache", &heap->roots.tcache);
	tls_json(json, "thread_arena", &heap->roots.thread_arena);
	json_end(json);
	malloc_json(json, "malloc", session);
	glibcs_json(json, "glibcs", session);
	if (session->inventory_error)
		json_string(json, "inventory_refused", session->inventory_error->message);
	json_string(json, "layout", layout_source_name(session->layout_source));
	json_string(json, "layout_name", heap->layout.name);
	if (session->layout_note[0])
		json_string(json, "layout_note", session->layout_note);
	json_uint(json, "threads", heap->thread_count);
	if (session->orphans_unknown)
		json_null(json, "orphans");
	else
		json_uint(json, "orphans", heap->orphan_count);
	json_uint(json, "arenas", heap->arena_count);
	json_uint(json, "chunks", heap->chunk_count);
	json_string(json, "method", read_method_name(session->method));
	json_milliseconds(json, "stopped_ms", reading->stopped_ns);
	json_uint(json, "stops", session->stops);
	audit_json(json, "audit", &heap->audit);
	json_end(json);
}

static struct memtool_error *write_json(const struct reading *reading,
					const void *settings __attribute__((__unused__)),
					struct output *output)
{
	struct json json = json_start(output, 3);

	info_json(reading, &json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct reading *reading,
					 const void *settings __attribute__((__unused__)),
					 struct output *output)
{
	struct json json = json_start(output, 0);

	info_json(reading, &json);
	return NULL;
}

static struct memtool_error *write_csv(const struct reading *reading,
				       const void *settings __attribute__((__unused__)),
				       struct output *output)
{
	const struct session *session = reading->session;
	const struct heap *heap = reading->heap;
	struct csv csv = csv_start(output, "pid,command,glibc,libc,build_id,source,layout,threads,"
					   "arenas,chunks,stopped_ms,audit_ok,audit_findings,stops,"
					   "malloc,method");

	csv_uint(&csv, (uint64_t)session->process->pid);
	csv_string(&csv, reading->command);
	csv_string(&csv, session->libc.version);
	csv_string(&csv, session->libc_name);
	csv_string(&csv, session->libc.module ? build_id_of(session->libc.module).text : "");
	csv_string(&csv, source_of(&heap->roots));
	csv_string(&csv, layout_source_name(session->layout_source));
	csv_uint(&csv, heap->thread_count);
	csv_uint(&csv, heap->arena_count);
	csv_uint(&csv, heap->chunk_count);
	csv_milliseconds(&csv, reading->stopped_ns);
	csv_bool(&csv, heap->audit.ok);
	csv_uint(&csv, audit_count(&heap->audit));
	csv_uint(&csv, session->stops);
	csv_string(&csv, malloc_name(session));
	csv_string(&csv, read_method_name(session->method));
	csv_end_row(&csv);
	return NULL;
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp =
		COMMON_ARGP("Shows the glibc of a process, where the addresses came from that its "
			    "heap was read by, how long the process was stopped for that, and "
			    "whether the numbers add up with glibc's own books.\vjsonl is the "
			    "object of json on one line; csv has one row.");
	static const struct answer answer = {
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
		.tells_audit = 1u << FORMAT_TEXT | 1u << FORMAT_JSON | 1u << FORMAT_JSONL,
	};
	struct common_options settings = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	return answer_give(&answer, &settings);
}

const struct command command_info = { "info", "glibc, sources of addresses, pause, audit", run };
