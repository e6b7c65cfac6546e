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

// Parts of attention's decompose in its backward pass: the row maximum m and sum l. A compiler that
// claims the attention takes them from there; in all else they are their bodies. Argument: the attention.
extern const struct weir_op weir_op_attention_max, weir_op_attention_sum;

// e^-|x| I1(x), the derivative's partner of i0e.
weir_value *weir_i1e(weir_value *x);

#endif
