/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit as answers tell it: a JSON object, and lines for people.
 */
#ifndef CLI_AUDIT_TEXT_H
#define CLI_AUDIT_TEXT_H

#include "cli/json.h"
#include "glibc/audit.h"

/* {"ok":..,"truncated":..,"reason":..,"findings":[{"kind":..,"doubt":..,"message":..} ...]} */
void audit_json(struct json *json, const char *name, const struct audit *audit);

/* The verdict, and the first max of the findings. */
void audit_text(struct output *output, const struct audit *audit, size_t max);

/* All findings, those not kept too. */
uint64_t audit_count(const struct audit *audit);

#endif
