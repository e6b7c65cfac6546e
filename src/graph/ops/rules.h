// SPDX-License-Identifier: Apache-2.0
// The derivative rules of every differentiable row: weir_vjp_<name>(v, dy, dx) and
// weir_jvp_<name>(v, dx, dy), see struct weir_op. rules_*.c define them.
#ifndef WEIR_GRAPH_OPS_RULES_H
#define WEIR_GRAPH_OPS_RULES_H

#include "graph/op.h"

#define WEIR_RULES_MAP(X)                                                                        \
    X(neg) X(abs) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) X(tanh) X(erf) X(erfinv)         \
    X(sigmoid) X(softplus) X(sqrt) X(rsqrt) X(square) X(reciprocal) X(lgamma) X(i0e)             \
    X(add) X(sub) X(mul) X(div) X(min) X(max) X(mod) X(pow) X(atan2) X(igamma)                   \
    X(fma) X(select) X(cast)

#define WEIR_RULES_VIEW(X) X(reshape) X(permute) X(broadcast) X(slice)

#define WEIR_RULES_REDUCE(X) X(sum) X(reduce_max) X(reduce_min)

#define WEIR_RULES_OPAQUE(X)                                                                     \
    X(pad) X(concat) X(cumsum) X(take) X(take_along) X(scatter_add) X(scatter)                   \
    X(scatter_add_along) X(dynamic_slice) X(dynamic_update) X(sort) X(cholesky)                  \
    X(triangular_solve) X(lu) X(fft)                                                             \
    X(matmul) X(conv) X(conv_input_grad) X(conv_weight_grad) X(loop)

#define WEIR_RULES(X)                                                                            \
    WEIR_RULES_MAP(X) WEIR_RULES_VIEW(X) WEIR_RULES_REDUCE(X) WEIR_RULES_OPAQUE(X)

#define X(name)                                                                                  \
    void weir_vjp_##name(weir_value *v, weir_value *const *dy, weir_value **dx);                 \
    void weir_jvp_##name(weir_value *v, weir_value *const *dx, weir_value **dy);
WEIR_RULES(X)
#undef X

#endif
