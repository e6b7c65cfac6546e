// SPDX-License-Identifier: Apache-2.0
// The one count of arithmetic; see flop.h.
#include "graph/flop.h"

#include "graph/ops/rows.h"

static double elements(const weir_value *v)
{
    return (double)weir_shape_size(&v->type.shape);
}

// Elements of a convolution's weights that one output channel has.
static double per_channel(const weir_value *w)
{
    return w->type.shape.dim[0] > 0 ? elements(w) / (double)w->type.shape.dim[0] : 0;
}

static double contraction(const weir_value *v)
{
    if (v->op == &weir_op_conv)
        return 2 * elements(v) * per_channel(v->arg[1]);
    if (v->op == &weir_op_conv_input_grad)
        return 2 * elements(v->arg[0]) * per_channel(v->arg[1]);
    if (v->op == &weir_op_conv_weight_grad)
        return 2 * elements(v->arg[1]) * per_channel(v);
    const struct weir_shape *a = &v->arg[0]->type.shape;
    return 2 * elements(v) * (double)a->dim[a->rank - (v->attrs.matmul.ta ? 2 : 1)];
}

double weir_value_flop(const weir_value *v)
{
    switch (v->op->cls) {
    case WEIR_OP_MAP:
    case WEIR_OP_GEN:
        return v->op->instructions * elements(v);
    case WEIR_OP_REDUCE:
        return elements(v->arg[0]);
    case WEIR_OP_CONTRACT:
        return v->op->flop ? v->op->flop(v) : contraction(v);
    default:
        return 0;
    }
}
