/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memtool reveal: pointers as safe-linking stores them, and what they are.
 */
#include "cli/address_view.h"
#include "cli/csv.h"
#include "cli/json.h"
#include "cli/message.h"
#include "cli/place.h"
#include "cli/utf8.h"
#include "glibc/chunk.h"

#include <inttypes.h>

struct link {
	uint64_t address;
	uint64_t stored;
	uint64_t revealed;
	char *to; /* NULL: nothing is mapped there */
};

struct settings {
	struct common_options common;
	struct place_operands places;
	bool demangle;
	struct link *links; /* one for each */
};

static struct memtool_error *find_link(struct inspection *inspection,
				       const struct settings *settings, const struct place *place,
				       struct link *link)
{
	struct memtool_error *error = place_find(place, inspection, &link->address);

	if (!error)
		error = memory_read_u64(&inspection->process->memory, link->address, "a pointer",
					&link->stored);
	if (error)
		return error;
	link->revealed = reveal_pointer(link->address, link->stored);
	return address_brief(inspection, link->revealed, settings->demangle, &link->to);
}

static struct memtool_error *find(struct inspection *inspection, void *settings_)
{
	struct settings *settings = settings_;
	struct memtool_error *error = NULL;

	for (size_t i = 0; i < settings->places.count && !error; i++)
		error = find_link(inspection, settings, &settings->places.data[i],
				  &settings->links[i]);
	return error;
}

static struct memtool_error *write_text(const struct inspection *inspection
					__attribute__((__unused__)),
					const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->places.count; i++) {
		const struct link *link = &settings->links[i];
		output_printf(output,
			      "0x%" PRIx64 "  stored 0x%" PRIx64 "  revealed 0x%" PRIx64 "  ",
			      link->address, link->stored, link->revealed);
		if (link->revealed == 0)
			output_text(output, "the end of a list");
		else
			utf8_write_printable(output, link->to ? link->to : "not mapped");
		output_char(output, '\n');
	}
	return NULL;
}

static void link_json(const struct link *link, struct json *json)
{
	json_object(json, NULL);
	json_hex(json, "address", link->address);
	json_hex(json, "stored", link->stored);
	json_hex(json, "revealed", link->revealed);
	if (link->to)
		json_string(json, "to", link->to);
	else
		json_null(json, "to");
	json_end(json);
}

static struct memtool_error *write_json(const struct inspection *inspection, const void *settings_,
					struct output *output)
{
	const struct settings *settings = settings_;
	struct json json = json_start(output, 2);

	json_object(&json, NULL);
	json_int(&json, "pid", inspection->process->pid);
	json_array(&json, "pointers");
	for (size_t i = 0; i < settings->places.count; i++)
		link_json(&settings->links[i], &json);
	json_end(&json);
	json_end(&json);
	return NULL;
}

static struct memtool_error *write_jsonl(const struct inspection *inspection
					 __attribute__((__unused__)),
					 const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;

	for (size_t i = 0; i < settings->places.count; i++) {
		struct json json = json_start(output, 0);
		link_json(&settings->links[i], &json);
	}
	return NULL;
}

static struct memtool_error *write_csv(const struct inspection *inspection
				       __attribute__((__unused__)),
				       const void *settings_, struct output *output)
{
	const struct settings *settings = settings_;
	struct csv csv = csv_start(output, "address,stored,revealed,to");

	for (size_t i = 0; i < settings->places.count; i++) {
		csv_hex(&csv, settings->links[i].address);
		csv_hex(&csv, settings->links[i].stored);
		csv_hex(&csv, settings->links[i].revealed);
		csv_string(&csv, settings->links[i].to ? settings->links[i].to : "");
		csv_end_row(&csv);
	}
	return NULL;
}

static const struct argp_option argp_options[] = {
	OPTION_DEMANGLE,
	{ 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &settings->common;
		return 0;
	case 'C':
		settings->demangle = true;
		return 0;
	default:
		return place_operands_parse(key, argument, state, &settings->common,
					    &settings->places);
	}
}

static enum exit_status run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "PID ADDRESS...",
		.doc = "Loads the pointers at some addresses, undoes glibc's safe-linking, and "
		       "shows "
		       "what they are then: the next chunks of a tcache or fastbin."
		       "\v" PLACE_HELP
		       " Since 2.32 glibc stores such a pointer xor its own address "
		       "shifted right by 12 bits; of another pointer what is revealed is nonsense. "
		       "jsonl and csv have a line for each address.",
		.children = common_children,
	};
	static const struct inspect_answer answer = {
		.level = INSPECT_HEAP,
		.find = find,
		.writers = { [FORMAT_TEXT] = write_text,
			     [FORMAT_JSON] = write_json,
			     [FORMAT_JSONL] = write_jsonl,
			     [FORMAT_CSV] = write_csv },
	};
	_cleanup_free_ struct place *places = calloc((size_t)argc + 1, sizeof(*places));
	_cleanup_free_ struct link *links = calloc((size_t)argc + 1, sizeof(*links));
	struct settings settings = {
		.places = { .data = places, .max = (size_t)argc },
		.links = links,
	};

	if (!places || !links) {
		message_error(memtool_error_no_memory);
		return STATUS_FAILED;
	}
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	enum exit_status status = inspect_give(&answer, &settings.common);
	for (size_t i = 0; i < settings.places.count; i++)
		free(links[i].to);
	return status;
}

const struct command command_reveal = { "reveal", "what a safe-linked pointer leads to", run };
