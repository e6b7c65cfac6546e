// SPDX-License-Identifier: Apache-2.0
// Rows and items: a per-row scalar (n) against a tensor (n, item..).
#ifndef WEIR_FLOW_SHAPE_H
#define WEIR_FLOW_SHAPE_H

#include "weir/ops.h"

// (n) -> (n, 1, .., 1) of x's rank, ready to broadcast against x.
static inline weir_value *weir_rows_like(weir_value *per_row, weir_value *x)
{
    struct weir_shape shape = { .rank = weir_value_shape(x)->rank };
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i ? 1 : weir_dim(per_row, 0);
    return weir_reshape(per_row, shape);
}

// A scalar -> (n).
static inline weir_value *weir_per_row(weir_value *scalar, weir_value *x)
{
    return weir_broadcast(scalar, (struct weir_shape) { 1, { weir_dim(x, 0) } });
}

// (n, item..) -> (n, elements)
static inline weir_value *weir_flat(weir_value *x)
{
    return weir_reshape(x, (struct weir_shape) { 2, { weir_dim(x, 0), -1 } });
}

#endif
