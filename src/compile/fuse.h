// SPDX-License-Identifier: Apache-2.0
// Fusion of values into groups.
#ifndef WEIR_COMPILE_FUSE_H
#define WEIR_COMPILE_FUSE_H

#include "compile/compile.h"

// Fills c->scope.groups in an order of execution and clears has_memory of the values that stay in
// registers. Views that need a copy are marked already. Errors: NOMEM.
enum weir_status weir_fuse(struct weir_emit_state *c);

#endif
