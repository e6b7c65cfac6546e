// SPDX-License-Identifier: Apache-2.0
// Helpers for the case functions of op rows.
#include "graph/ops/rows.h"

void weir_case_input(struct weir_op_case *c, enum weir_dtype dtype, enum weir_fill fill,
                     const int64_t *dims)
{
    struct weir_type *t = &c->in[c->n_in];
    t->dtype = dtype;
    t->shape = (struct weir_shape) { 0 };
    while (*dims >= 0)
        t->shape.dim[t->shape.rank++] = *dims++;
    c->fill[c->n_in++] = fill;
}
