/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a segment while its program changes it.
 *
 * It is walked in stretches. Before each one is noted how far everything had got; where a stretch
 * comes out with a doubt, the walk goes back there and walks it anew, with fresh bytes. The chunk
 * it begins with may itself be gone by then (it was cut off a larger one that is whole again, or
 * become part of one), so each further attempt begins earlier. What is torn time and again, because
 * it changes faster than it can be read, is for the audit to tell, and the walk goes on behind it.
 */
#include "glibc/walk.h"

/* How often a stretch is walked before it is left torn. */
#define ATTEMPTS 7
/* The first few attempts begin where the stretch does, each further one twice as far back. */
#define IN_PLACE 3
#define MARKS    ((1 << (ATTEMPTS - 1 - IN_PLACE)) + 1)

/* How far everything that a walk fills had got. */
struct mark {
	bool started; /* the structs at the segment's start are walked */
	uint64_t address; /* then: where a chunk is */
	struct heap_segment segment;
	struct walk_last last;
	size_t chunks, single_links, double_links, segments;
	uint64_t gap_bytes;
	uint64_t average;
	struct audit_mark audit;
};

struct live_walk {
	struct walk *walk;
	bool started; /* as in struct mark, and address */
	uint64_t address;
	struct heap_segment whole; /* as it is by now; walk->segment may be a part of it */
	struct mark marks[MARKS]; /* the newest last */
	size_t mark_count;
};

static void push_mark(struct live_walk *self)
{
	const struct walk *walk = self->walk;
	const struct heap_copy *copy = walk->copy;

	if (self->mark_count == MARKS)
		memmove(self->marks, self->marks + 1, --self->mark_count * sizeof(*self->marks));
	self->marks[self->mark_count++] = (struct mark){
		.started = self->started,
		.address = self->address,
		.segment = walk->segment,
		.last = walk->last,
		.chunks = copy->chunks.count,
		.single_links = copy->single_links.count,
		.double_links = copy->double_links.count,
		.segments = walk->done.count,
		.gap_bytes = copy->arenas.data[walk->segment.arena].gap_bytes,
		.average = walk->average,
		.audit = audit_mark(&copy->heap->audit),
	};
}

/* To the count-th newest mark, or the oldest there is; drops it and those behind it. */
static void go_back(struct live_walk *self, size_t count)
{
	struct walk *walk = self->walk;
	struct heap_copy *copy = walk->copy;

	self->mark_count -= count < self->mark_count ? count : self->mark_count;
	const struct mark *mark = &self->marks[self->mark_count];
	self->started = mark->started;
	self->address = mark->address;
	walk->segment = mark->segment;
	walk->last = mark->last;
	copy->chunks.count = mark->chunks;
	copy->single_links.count = mark->single_links;
	copy->double_links.count = mark->double_links;
	walk->done.count = mark->segments;
	copy->arenas.data[walk->segment.arena].gap_bytes = mark->gap_bytes;
	walk->average = mark->average;
	audit_rewind(&copy->heap->audit, &mark->audit);
	walk->window.range = (struct range){ 0 };
	walk->search.range = (struct range){ 0 };
}

/* Where the segment ends by now, and top is. Never before what was walked already. */
static struct memtool_error *bound_again(struct live_walk *self)
{
	struct walk *walk = self->walk;

	struct memtool_error *error = refresh_segment(walk->copy, &self->whole);
	if (error)
		return error;
	walk->segment.range.end = self->whole.range.end;
	if (walk->segment.range.end < self->address) {
		audit_add(&walk->copy->heap->audit, AUDIT_BAD_SEGMENT, self->whole.range.start,
			  self->address, self->whole.range.end,
			  "the heap at 0x%" PRIx64 " shrank to 0x%" PRIx64 " while it was read",
			  self->whole.range.start, self->whole.range.end);
		walk->segment.range.end = self->address;
	}
	walk_bound(walk);
	return NULL;
}

/* One stretch, or the structs at the start. The end moves, so near it that is looked at again. */
static struct memtool_error *walk_stretch(struct live_walk *self, bool again)
{
	struct walk *walk = self->walk;
	uint64_t stop = self->address + WALK_LIVE_PIECE;
	struct memtool_error *error = NULL;

	if (again || !self->started || stop >= walk->top || stop >= walk->segment.range.end)
		error = bound_again(self);
	if (error)
		return error;
	if (!self->started) {
		self->started = true;
		return walk_start(walk, &self->address);
	}
	return walk_chunks(walk, &self->address, stop);
}

struct memtool_error *walk_live_segment(struct walk *walk, const struct heap_segment *segment)
{
	const struct audit *audit = &walk->copy->heap->audit;
	struct live_walk self = {
		.walk = walk,
		.address = segment->range.start,
		.whole = *segment,
	};
	struct memtool_error *error = NULL;
	uint64_t torn_end = 0;
	int attempt = 1;

	walk_begin(walk, segment);
	walk->window.range = (struct range){ 0 };
	walk->search.range = (struct range){ 0 };
	while (!error && self.address < walk->segment.range.end) {
		const uint64_t start = self.address;

		push_mark(&self);
		walk->walked_again = attempt < ATTEMPTS;
		error = walk_stretch(&self, attempt > 1);
		if (!error && !audit_doubts_since(audit, &self.marks[self.mark_count - 1].audit)) {
			if (self.address >= torn_end)
				attempt = 1;
		} else if (!error && attempt == ATTEMPTS) {
			/* It stays torn. Never back before it, lest the walk not get on. */
			self.mark_count = 0;
			attempt = 1;
		} else if (!error) {
			if (start + WALK_LIVE_PIECE > torn_end)
				torn_end = start + WALK_LIVE_PIECE;
			go_back(&self, attempt <= IN_PLACE ? 1 : 1u << (attempt - IN_PLACE));
			attempt++;
		}
	}
	walk->walked_again = false;
	return error ? error : walk_end(walk, self.whole.mapped_end);
}
