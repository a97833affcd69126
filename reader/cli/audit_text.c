/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/audit_text.h"

#include "cli/units.h"
#include "cli/utf8.h"

static void finding_json(struct json *json, const struct audit_finding *finding)
{
	json_object(json, NULL);
	json_string(json, "kind", audit_kind_name(finding->kind));
	json_bool(json, "doubt", finding->doubt);
	if (finding->address)
		json_hex(json, "address", finding->address);
	else
		json_null(json, "address");
	json_uint(json, "expected", finding->expected);
	json_uint(json, "found", finding->found);
	json_string(json, "message", finding->message);
	json_end(json);
}

void audit_json(struct json *json, const char *name, const struct audit *audit)
{
	json_object(json, name);
	json_bool(json, "ok", audit->ok);
	json_bool(json, "truncated", audit->truncated);
	if (audit->ok)
		json_null(json, "reason");
	else
		json_string(json, "reason", audit_reason(audit));
	json_array(json, "findings");
	for (size_t i = 0; i < audit->findings.count; i++)
		finding_json(json, &audit->findings.data[i]);
	json_end(json);
	json_end(json);
}

uint64_t audit_count(const struct audit *audit)
{
	uint64_t count = 0;

	for (unsigned int kind = 0; kind < AUDIT_KINDS; kind++)
		count += audit->counted[kind];
	return count;
}

void audit_text(struct output *output, const struct audit *audit, size_t max)
{
	const struct audit_findings *findings = &audit->findings;
	uint64_t count = audit_count(audit);

	if (audit->ok)
		output_text(output, "Audit: every byte accounted for");
	else
		output_text(output, "Audit: the numbers do not add up; what is shown is in doubt");
	if (!audit->ok)
		output_printf(output, ":\n  %s\n", audit_reason(audit));
	else
		output_text(output, count ? ", with remarks:\n" : ".\n");
	size_t shown = findings->count < max ? findings->count : max;
	for (size_t i = 0; i < shown; i++) {
		output_text(output, "  ");
		utf8_write_printable(output, findings->data[i].message);
		output_char(output, '\n');
	}
	if (count > shown)
		output_printf(output, "  and %s more\n", units_count(count - shown).text);
}
