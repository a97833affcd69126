/* SPDX-License-Identifier: Apache-2.0 */
#include "glibc/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *audit_kind_name(enum audit_kind kind)
{
	static const char *const names[AUDIT_KINDS] = {
		[AUDIT_UNREADABLE] = "unreadable",
		[AUDIT_BAD_CHUNK] = "bad-chunk",
		[AUDIT_BAD_ARENA] = "bad-arena",
		[AUDIT_BAD_SEGMENT] = "bad-segment",
		[AUDIT_BAD_LIST] = "bad-list",
		[AUDIT_BAD_THREAD] = "bad-thread",
		[AUDIT_STATE_CONFLICT] = "state-conflict",
		[AUDIT_COUNTER] = "counter",
		[AUDIT_SYSTEM_MEM] = "system-mem",
		[AUDIT_MMAPPED] = "mmapped",
		[AUDIT_LOCKED] = "locked",
		[AUDIT_INSIDE] = "inside-malloc",
	};
	return names[kind];
}

/* The others remark upon what may explain a doubt, or be nothing. */
static bool is_doubt(enum audit_kind kind)
{
	return kind != AUDIT_LOCKED && kind != AUDIT_INSIDE;
}

void audit_deinit(struct audit *audit)
{
	audit_findings_deinit(&audit->findings);
}

struct audit_mark audit_mark(const struct audit *audit)
{
	struct audit_mark mark = {
		.findings = audit->findings.count,
		.truncated = audit->truncated,
	};
	memcpy(mark.counted, audit->counted, sizeof(mark.counted));
	return mark;
}

void audit_rewind(struct audit *audit, const struct audit_mark *mark)
{
	audit->findings.count = mark->findings;
	audit->truncated = mark->truncated;
	memcpy(audit->counted, mark->counted, sizeof(audit->counted));
}

bool audit_doubts_since(const struct audit *audit, const struct audit_mark *mark)
{
	for (int kind = 0; kind < AUDIT_KINDS; kind++) {
		if (is_doubt(kind) && audit->counted[kind] > mark->counted[kind])
			return true;
	}
	return false;
}

uint64_t audit_doubts(const struct audit *audit)
{
	uint64_t count = 0;

	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		count += is_doubt(kind) ? audit->counted[kind] : 0;
	return count;
}

const char *audit_reason(const struct audit *audit)
{
	if (audit->ok)
		return NULL;
	if (audit->live && audit_doubts(audit) == audit->counted[AUDIT_BAD_THREAD])
		return "what some threads have cached could not be told without a stop";
	if (audit->live)
		return "the process ran while it was read, and what it changed meanwhile is torn";
	if (audit->counted[AUDIT_LOCKED] || audit->counted[AUDIT_INSIDE])
		return "a thread was inside malloc, and what it was changing is torn";
	if (audit->counted[AUDIT_UNREADABLE])
		return "a part of the heap could not be read";
	return "no thread was seen inside malloc: the heap may be damaged";
}

/* The next doubt at or behind findings[index], or NULL. */
static const struct audit_finding *next_doubt(const struct audit *audit, size_t *index)
{
	while (*index < audit->findings.count) {
		const struct audit_finding *finding = &audit->findings.data[(*index)++];
		if (finding->doubt)
			return finding;
	}
	return NULL;
}

bool audit_same_doubts(const struct audit *a, const struct audit *b)
{
	const struct audit_finding *x, *y;
	size_t i = 0, j = 0;

	for (int kind = 0; kind < AUDIT_KINDS; kind++) {
		if (is_doubt(kind) && a->counted[kind] != b->counted[kind])
			return false;
	}
	do {
		x = next_doubt(a, &i);
		y = next_doubt(b, &j);
		if (!x || !y)
			return x == y;
	} while (x->kind == y->kind && x->address == y->address && x->expected == y->expected &&
		 x->found == y->found && strcmp(x->message, y->message) == 0);
	return false;
}

void audit_conclude(struct audit *audit)
{
	const struct audit_mark start = { 0 };

	audit->ok = !audit_doubts_since(audit, &start);
}

/* Counts a finding of that kind; false if it is one too many to be kept. */
static bool count(struct audit *audit, enum audit_kind kind)
{
	if (audit->counted[kind]++ < AUDIT_KEEP)
		return true;
	audit->truncated = true;
	return false;
}

static void keep(struct audit *audit, const struct audit_finding *finding)
{
	if (!audit_findings_append(&audit->findings, finding))
		audit->truncated = true;
}

void audit_append(struct audit *audit, const struct audit *other)
{
	uint64_t kept[AUDIT_KINDS] = { 0 };

	for (size_t i = 0; i < other->findings.count; i++) {
		const struct audit_finding *finding = &other->findings.data[i];

		kept[finding->kind]++;
		if (count(audit, finding->kind))
			keep(audit, finding);
	}
	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		audit->counted[kind] += other->counted[kind] - kept[kind];
	audit->truncated |= other->truncated;
}

void audit_add(struct audit *audit, enum audit_kind kind, uint64_t address, uint64_t expected,
	       uint64_t found, const char *format, ...)
{
	struct audit_finding finding = {
		.kind = kind,
		.doubt = is_doubt(kind),
		.address = address,
		.expected = expected,
		.found = found,
	};
	va_list arguments;

	if (!count(audit, kind))
		return;
	va_start(arguments, format);
	vsnprintf(finding.message, sizeof(finding.message), format, arguments);
	va_end(arguments);
	keep(audit, &finding);
}
