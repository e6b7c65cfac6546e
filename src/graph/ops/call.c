// SPDX-License-Identifier: Apache-2.0
// Row of the host call: a user's function on host memory in the middle of a program. Programs and
// weir_eval call it themselves, so the row has no loop nest.
#include <string.h>

#include "graph/ops/rows.h"

static const char *infer_host_call(weir_value *v)
{
    return v->attrs.call.fn ? NULL : "the function is NULL"; // weir_host_call sets the type
}

weir_value *weir_host_call(weir_graph *g, weir_host_call_fn *fn, void *ctx, weir_value *const *in,
                           int n_in, enum weir_dtype dtype, struct weir_shape shape)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.call.fn = fn;
    attrs.call.ctx = ctx;
    if ((unsigned)dtype >= WEIR_N_DTYPES || shape.rank < 0 || shape.rank > WEIR_MAX_RANK)
        return weir_graph_fail(g, "host_call: bad result type");
    for (int a = 0; a < shape.rank; a++)
        if (shape.dim[a] < 0)
            return weir_graph_fail(g, "host_call: negative extent");
    weir_value *v = weir_op_make(g, &weir_op_host_call, in, n_in, &attrs);
    if (weir_is_poison(v))
        return v;
    v->type.dtype = dtype;
    v->type.shape.rank = shape.rank; // entries beyond the rank stay 0: types compare with memcmp
    memcpy(v->type.shape.dim, shape.dim, (size_t)shape.rank * sizeof(shape.dim[0]));
    return v;
}

const struct weir_op weir_op_host_call = {
    .name = "host_call",
    .desc = "host work inside a program",
    .arity = -1,
    .cls = WEIR_OP_CALL,
    .infer = infer_host_call,
};
