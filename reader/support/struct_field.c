/* SPDX-License-Identifier: Apache-2.0 */
#include "support/struct_field.h"

#include <string.h>

void struct_type_deinit(struct struct_type *type)
{
	for (size_t i = 0; i < type->fields.count; i++) {
		free(type->fields.data[i].name);
		free(type->fields.data[i].type);
	}
	struct_fields_deinit(&type->fields);
	*type = (struct struct_type){ 0 };
}

bool struct_type_add(struct struct_type *type, const struct struct_field *field)
{
	struct struct_field copy = *field;

	copy.name = strdup(field->name);
	copy.type = strdup(field->type);
	if (copy.name && copy.type && struct_fields_append(&type->fields, &copy))
		return true;
	free(copy.name);
	free(copy.type);
	return false;
}
