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
	};
	return names[kind];
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
		if (kind != AUDIT_LOCKED && audit->counted[kind] > mark->counted[kind])
			return true;
	}
	return false;
}

void audit_conclude(struct audit *audit)
{
	const struct audit_mark start = { 0 };

	audit->ok = !audit_doubts_since(audit, &start);
}

void audit_add(struct audit *audit, enum audit_kind kind, uint64_t address, uint64_t expected,
	       uint64_t found, const char *format, ...)
{
	struct audit_finding finding = {
		.kind = kind,
		.doubt = kind != AUDIT_LOCKED,
		.address = address,
		.expected = expected,
		.found = found,
	};
	va_list arguments;

	if (audit->counted[kind]++ >= AUDIT_KEEP) {
		audit->truncated = true;
		return;
	}
	va_start(arguments, format);
	vsnprintf(finding.message, sizeof(finding.message), format, arguments);
	va_end(arguments);
	if (!audit_findings_append(&audit->findings, &finding))
		audit->truncated = true;
}
