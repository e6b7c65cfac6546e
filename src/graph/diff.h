// SPDX-License-Identifier: Apache-2.0
// What the two walks (grad.c, jvp.c) and the derivative rules (ops/rules_*.c) share.
//
// A rule is linear in dy (vjp) or dx (jvp) and builds ordinary values, so it can be differentiated
// again. vjp: dy[k] is the cotangent of the k-th result, NULL if absent; dx[i] is NULL on entry and
// stays so where there is no gradient. jvp: dx[i] is the tangent of argument i, NULL if zero (at
// least one is not); dy[k] likewise. Cotangents and tangents of f16 and bf16 values are f32.
#ifndef WEIR_GRAPH_DIFF_H
#define WEIR_GRAPH_DIFF_H

#include "graph/ops/composite.h"

bool weir_is_float(enum weir_dtype dtype);
bool weir_has_float_result(const weir_value *v);

// f32 zeros, as a broadcast view of one constant.
weir_value *weir_zeros(weir_graph *g, struct weir_shape shape);
// x, or zeros of `like`'s shape where x is NULL.
weir_value *weir_or_zeros(weir_value *x, const weir_value *like);
// sum + term by weir_add; the other one where either is NULL.
weir_value *weir_accumulate(weir_value *sum, weir_value *term);
// The adjoint of broadcasting to dy's shape: one sum that declares all axes along which `shape` was
// repeated, then the reshape to `shape`.
weir_value *weir_unbroadcast(weir_value *dy, const struct weir_shape *shape);
struct weir_axes weir_axes_of(uint32_t mask); // bit a = axis a

// weir_vjp without checks; dx[i] stays NULL where y does not depend on x[i].
void weir_vjp_absent(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
                     weir_value **dx, int n_x);
// weir_jvp without checks; dy[j] stays NULL where y[j] does not move.
void weir_jvp_absent(weir_value *const *y, weir_value **dy, int n_y, weir_value *const *x,
                     weir_value *const *dx, int n_x);

// Whether the results of v are read through weir_part.
static inline bool weir_in_parts(const weir_value *v)
{
    return v->n_parts > 1 || v->op->cls == WEIR_OP_LOOP;
}

#endif
