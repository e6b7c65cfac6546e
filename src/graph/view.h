// SPDX-License-Identifier: Apache-2.0
// Views resolved: where the elements of a value lie in the memory of another.
#ifndef WEIR_GRAPH_VIEW_H
#define WEIR_GRAPH_VIEW_H

#include "graph/op.h"

// Element (i0, i1, ..) of the value is at offset + sum i_k stride[k] (elements) of `base`, which is
// not a view, or a view's argument that has to be made contiguous first (base->op is then a VIEW
// whose reshape strides cannot express: the caller materialises `base` contiguously).
struct weir_layout {
    weir_value *base;
    int64_t offset;
    int64_t stride[WEIR_MAX_RANK];
};

// Follows v through VIEW ops. `stop(ctx, value)` (may be NULL) says that a value has memory of its
// own although it is a view. A reshape that strides cannot express stops at its argument a: the
// result has base = a, and the layout is that of the reshape of a *contiguous* a.
void weir_layout_of(weir_value *v, bool (*stop)(void *ctx, const weir_value *v), void *ctx,
                    struct weir_layout *out);

// Row-major strides of a shape.
void weir_strides(const struct weir_shape *shape, int64_t *stride);

#endif
