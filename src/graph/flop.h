// SPDX-License-Identifier: Apache-2.0
// How much arithmetic a value is: what weighs computing again against keeping, and a kernel against
// the roofline.
#ifndef WEIR_GRAPH_FLOP_H
#define WEIR_GRAPH_FLOP_H

#include "graph/op.h"

// To compute v once from its arguments: two for each term of a contraction, padding's too (a fused
// multiply-add), one for each term of a reduction, and the row's `instructions` for each element of
// what is elementwise. Views and what only moves data are none; so is what nobody counted: opaque
// operations, composites, loops, host calls.
double weir_value_flop(const weir_value *v);

#endif
