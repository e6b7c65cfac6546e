// SPDX-License-Identifier: Apache-2.0
// Row groups.
#include "base/log.h"
#include "compile/body.h"

enum weir_status weir_write_row(struct weir_emit_state *c, const struct weir_group *g)
{
    return WEIR_UNSUPPORTED;
}
