/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mapping_view.h"

#include <stdio.h>
#include <sys/sysmacros.h>

struct permissions_text mapping_permissions(const struct mapping *mapping)
{
	return (struct permissions_text){ {
		mapping->readable ? 'r' : '-',
		mapping->writable ? 'w' : '-',
		mapping->executable ? 'x' : '-',
		mapping->shared ? 's' : 'p',
		'\0',
	} };
}

struct device_text mapping_device(const struct mapping *mapping)
{
	struct device_text device;

	snprintf(device.text, sizeof(device.text), "%02x:%02x", major(mapping->device),
		 minor(mapping->device));
	return device;
}

void mapping_json(struct json *json, const struct mapping *mapping)
{
	json_hex(json, "start", mapping->range.start);
	json_hex(json, "end", mapping->range.end);
	json_uint(json, "size", range_size(mapping->range));
	json_string(json, "permissions", mapping_permissions(mapping).text);
	json_hex(json, "offset", mapping->offset);
	json_string(json, "device", mapping_device(mapping).text);
	json_uint(json, "inode", mapping->inode);
	json_string(json, "name", mapping->name);
	json_bool(json, "deleted", mapping->deleted);
}
