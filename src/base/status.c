// SPDX-License-Identifier: Apache-2.0
// Names and texts of the status codes, all from the one list in status.h, and the version.
#include "weir/status.h"

#include <stddef.h>

#include "base/compiler.h"
#include "base/version.h" // written by meson

static const char *const names[] = {
#define X(name, text) "WEIR_" #name,
    WEIR_STATUS_MAP(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    WEIR_STATUS_MAP(X)
#undef X
};

const char *weir_status_name(enum weir_status status)
{
    return (size_t)status < WEIR_COUNT(names) ? names[status] : "WEIR_?";
}

const char *weir_status_text(enum weir_status status)
{
    return (size_t)status < WEIR_COUNT(texts) ? texts[status] : "unknown status";
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}
