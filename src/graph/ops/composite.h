// SPDX-License-Identifier: Apache-2.0
// The composite rows by name, and what their files share. A composite stands for a body of primitives,
// built when it is called; the body is its definition, to the order of every sum. A rule of its own
// only makes a better backward pass.
#ifndef WEIR_GRAPH_OPS_COMPOSITE_H
#define WEIR_GRAPH_OPS_COMPOSITE_H

#include "graph/op.h"

#define WEIR_COMPOSITE_ROWS(X)                                                                   \
    X(softmax) X(log_softmax) X(logsumexp) X(silu) X(relu) X(gelu) X(gelu_tanh) X(i1e)           \
    X(layer_norm) X(rms_norm) X(group_norm) X(instance_norm) X(attention)                        \
    X(mse) X(cross_entropy) X(one_hot) X(max_pool) X(mean_pool)                       \
    X(categorical) X(custom)

#define X(name) extern const struct weir_op weir_op_##name;
WEIR_COMPOSITE_ROWS(X)
#undef X

// Parts of attention's decompose in its backward pass, by which a compiler that claims the attention
// knows them; in all else they are their bodies. The row maximum m and sum l have one argument, the
// attention; the gradients to q, k and v (before broadcast axes are summed) have the attention, its
// cotangent, m, l and D.
extern const struct weir_op weir_op_attention_max, weir_op_attention_sum, weir_op_attention_dq,
    weir_op_attention_dk, weir_op_attention_dv;

// e^-|x| I1(x), the derivative's partner of i0e.
weir_value *weir_i1e(weir_value *x);

#endif
