/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit: do the numbers of the walk add up with glibc's own books?
 *
 * A finding says that something does not, where, and by how much. None means that every byte of
 * every arena was accounted for, each list agrees with its counter and with the chunks' own bits,
 * and all mmapped chunks that glibc counts were found.
 */
#ifndef GLIBC_AUDIT_H
#define GLIBC_AUDIT_H

#include "support/array.h"

#include <stdbool.h>
#include <stdint.h>

enum audit_kind {
	AUDIT_UNREADABLE, /* memory that belongs to the heap could not be read */
	AUDIT_BAD_CHUNK, /* a size field that cannot be; the walk stopped or resumed further on */
	AUDIT_BAD_ARENA, /* an arena whose books cannot be */
	AUDIT_BAD_SEGMENT, /* a heap_info that cannot be */
	AUDIT_BAD_LIST, /* a list that leaves the heap, runs in circles, or whose links disagree */
	AUDIT_BAD_THREAD, /* a thread's TLS does not look like one */
	AUDIT_STATE_CONFLICT, /* a chunk is in a list that its own bits, or another list, deny */
	AUDIT_COUNTER, /* a list is longer or shorter than its counter says */
	AUDIT_SYSTEM_MEM, /* the bytes of an arena do not add up to system_mem */
	AUDIT_MMAPPED, /* count or bytes of mmapped chunks differ from mp_ */
	AUDIT_LOCKED, /* an arena was locked: a thread was inside malloc */
	AUDIT_INSIDE, /* a thread was inside malloc, by its program counter or by what it left
			 undone */
	AUDIT_KINDS
};

/* "bad-chunk" */
const char *audit_kind_name(enum audit_kind kind);

struct audit_finding {
	enum audit_kind kind;
	/* Whether the answer is doubtful for it: true for all kinds but the last two. */
	bool doubt;
	uint64_t address; /* where; 0 if nowhere in particular */
	uint64_t expected; /* of kinds that compare numbers */
	uint64_t found;
	char message[192]; /* one line for a person, with all of the above in it */
};

DEFINE_ARRAY(audit_findings, struct audit_finding)

/* At most this many findings of one kind are kept; the rest are counted. */
#define AUDIT_KEEP 64

struct audit {
	struct audit_findings findings;
	uint64_t counted[AUDIT_KINDS]; /* also those not kept */
	bool ok; /* no finding is a doubt */
	bool live; /* the target ran while it was read */
	bool truncated; /* some were not kept, or memory ran out for one */
};

void audit_deinit(struct audit *audit);

/* Adds the findings of another one to the end, as if they had been made here. */
void audit_append(struct audit *audit, const struct audit *other);

/* A point in the making of an audit, to go back to when a part is done over. */
struct audit_mark {
	size_t findings;
	uint64_t counted[AUDIT_KINDS];
	bool truncated;
};

struct audit_mark audit_mark(const struct audit *audit);

/* Forgets all that was added since. */
void audit_rewind(struct audit *audit, const struct audit_mark *mark);

/* Whether anything doubtful was added since. */
bool audit_doubts_since(const struct audit *audit, const struct audit_mark *mark);

/* How many doubts there are, also those not kept. */
uint64_t audit_doubts(const struct audit *audit);

/* Why it may be that the numbers do not add up, in one sentence for a person; NULL if they do. */
const char *audit_reason(const struct audit *audit);

/*
 * Whether both have the very same doubts, as of a heap that is damaged rather than caught midway.
 */
bool audit_same_doubts(const struct audit *a, const struct audit *b);

/* Sets ok from the findings; the last step of making a heap. */
void audit_conclude(struct audit *audit);

/* Adds a finding. Never fails: what cannot be kept is counted and sets truncated. */
void audit_add(struct audit *audit, enum audit_kind kind, uint64_t address, uint64_t expected,
	       uint64_t found, const char *format, ...)
	__attribute__((__format__(__printf__, 6, 7)));

#endif
