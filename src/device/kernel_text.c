// SPDX-License-Identifier: Apache-2.0
// Finds an embedded kernel file by name.
#include "device/kernel_text.h"

#include <stddef.h>
#include <string.h>

const char *weir_kernel_text(const char *name)
{
    for (const struct weir_kernel_text *t = weir_kernel_texts; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t->text;
    return NULL;
}
