/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/chunk_rows.h"

#include "cli/digits.h"

#include <string.h>

#define NONE UINT32_MAX

/* What is told of one chunk. */
struct row {
	uint64_t address;
	uint64_t user;
	uint64_t size;
	uint64_t usable;
	const char *state;
	uint32_t arena; /* NONE where it does not apply, and so below */
	uint32_t tid;
	uint32_t bin;
	bool orphan; /* of the tcache of a thread that is gone, and has no tid */
};

static struct row make_row(const struct heap *heap, const struct chunk *chunk)
{
	const struct heap_thread *thread =
		chunk->thread == CHUNK_NO_THREAD ? NULL : &heap->threads[chunk->thread];
	uint32_t bin;

	return (struct row){
		.address = chunk_address(chunk),
		.user = chunk_user(chunk),
		.size = chunk_size(chunk),
		.usable = heap_usable_size(heap, chunk),
		.state = chunk_state_name(chunk->state),
		.arena = chunk->arena == CHUNK_NO_ARENA ? NONE : chunk->arena,
		.tid = !thread || thread->orphan ? NONE : (uint32_t)thread->tid,
		.bin = heap_chunk_bin(chunk, &bin) ? bin : NONE,
		.orphan = thread && thread->orphan,
	};
}

/* No row of any format is longer. */
#define ROW_MAX 320

static char *put_json_row(char *p, const struct row *row)
{
	p = put_literal(p, "{\"address\":\"");
	p = put_hex(p, row->address);
	p = put_literal(p, "\",\"user\":\"");
	p = put_hex(p, row->user);
	p = put_literal(p, "\",\"size\":");
	p = put_decimal(p, row->size);
	p = put_literal(p, ",\"usable\":");
	p = put_decimal(p, row->usable);
	p = put_literal(p, ",\"state\":\"");
	p = put_text(p, row->state, strlen(row->state));
	p = put_literal(p, "\",\"arena\":");
	p = row->arena == NONE ? put_literal(p, "null") : put_decimal(p, row->arena);
	if (row->tid != NONE) {
		p = put_literal(p, ",\"thread\":");
		p = put_decimal(p, row->tid);
	}
	if (row->bin != NONE) {
		p = put_literal(p, ",\"bin\":");
		p = put_decimal(p, row->bin);
	}
	if (row->orphan)
		p = put_literal(p, ",\"orphan\":true");
	*p++ = '}';
	return p;
}

static char *put_jsonl_row(char *p, const struct row *row)
{
	p = put_json_row(p, row);
	*p++ = '\n';
	return p;
}

/* Behind a comma; nothing for NONE. */
static char *put_csv_number(char *p, uint32_t value)
{
	*p++ = ',';
	return value == NONE ? p : put_decimal(p, value);
}

static char *put_csv_row(char *p, const struct row *row)
{
	p = put_hex(p, row->address);
	*p++ = ',';
	p = put_hex(p, row->user);
	*p++ = ',';
	p = put_decimal(p, row->size);
	*p++ = ',';
	p = put_decimal(p, row->usable);
	*p++ = ',';
	p = put_text(p, row->state, strlen(row->state));
	p = put_csv_number(p, row->arena);
	p = put_csv_number(p, row->tid);
	p = put_csv_number(p, row->bin);
	*p++ = '\n';
	return p;
}

/* Moves [start, p) to the right end of width columns, and puts a space behind. */
static char *align_right(char *start, char *p, size_t width)
{
	size_t length = (size_t)(p - start);

	if (length < width) {
		memmove(start + width - length, start, length);
		memset(start, ' ', width - length);
		p = start + width;
	}
	*p++ = ' ';
	return p;
}

static char *put_cell(char *p, uint32_t value, size_t width)
{
	return align_right(p, value == NONE ? put_literal(p, "-") : put_decimal(p, value), width);
}

#define TEXT_HEADER \
	"ADDRESS        USER                SIZE   USABLE STATE         ARENA  THREAD BIN\n"

static char *put_text_row(char *p, const struct row *row)
{
	size_t state_length = strlen(row->state);

	p = align_right(p, put_hex(p, row->address), 14);
	p = align_right(p, put_hex(p, row->user), 14);
	p = align_right(p, put_decimal(p, row->size), 9);
	p = align_right(p, put_decimal(p, row->usable), 8);
	p = put_text(p, row->state, state_length);
	memset(p, ' ', 14);
	p += state_length < 13 ? 14 - state_length : 1;
	p = put_cell(p, row->arena, 5);
	if (row->orphan)
		p = align_right(p, put_literal(p, "orphan"), 7);
	else
		p = put_cell(p, row->tid, 7);
	p = put_cell(p, row->bin, 3);
	p[-1] = '\n';
	return p;
}

/* between is written between two rows. */
static void write_rows(const struct heap *heap, const struct chunk_selection *selection,
		       struct output *output, char *(*put_row)(char *, const struct row *),
		       const char *between)
{
	size_t between_length = strlen(between);
	uint64_t count = 0;

	for (size_t i = 0; i < heap->chunk_count && count < selection->limit; i++) {
		if (!selection->is_wanted(&heap->chunks[i], selection->context))
			continue;
		struct row row = make_row(heap, &heap->chunks[i]);
		char *p = output_reserve(output, ROW_MAX);
		if (count++ > 0)
			p = put_text(p, between, between_length);
		output_commit(output, put_row(p, &row));
		if (output_failed(output))
			break;
	}
}

void chunk_rows_write(const struct heap *heap, const struct chunk_selection *selection,
		      enum format format, struct output *output)
{
	switch (format) {
	case FORMAT_JSON:
		output_char(output, '\n');
		write_rows(heap, selection, output, put_json_row, ",\n");
		break;
	case FORMAT_JSONL:
		write_rows(heap, selection, output, put_jsonl_row, "");
		break;
	case FORMAT_CSV:
		output_text(output, "address,user,size,usable,state,arena,thread,bin\n");
		write_rows(heap, selection, output, put_csv_row, "");
		break;
	default:
		output_text(output, TEXT_HEADER);
		write_rows(heap, selection, output, put_text_row, "");
	}
}
