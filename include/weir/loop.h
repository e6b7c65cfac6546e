// SPDX-License-Identifier: Apache-2.0
// Loops of a fixed number of iterations inside a graph.
//
// carry_0 = carry;  (carry_{i+1}, y_i) = body(carry_i, xs[i]);  gives carry_n and all y_i stacked
//
// The body is called once an iteration while the graph is built, so whatever can be differentiated,
// nested or recomputed elsewhere can be so in it. The graph grows with n, kernels whose texts are
// equal are compiled once: meant for up to a few hundred iterations. What the body is given never
// counts as a product node for the contraction of weir_add (docs/numerics.md): an
// iteration's bits do not depend on the one before. Data-dependent exit: hold finished rows by
// weir_select.
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include "weir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// Builds one iteration from carry (n_carry) and x (n_xs: slice i of each xs, without its first
// axis): sets next (n_carry, types of carry) and y (n_ys, the same types in every iteration).
typedef void weir_loop_fn(void *ctx, weir_value *const *carry, weir_value *const *x,
                          weir_value **next, weir_value **y);

struct weir_loop_params {
    int64_t n;                // iterations, at least 1
    weir_value *const *carry; // initial values
    int n_carry;              // 0 is fine
    weir_value *const *xs;    // each (n, ...)
    int n_xs;                 // 0 is fine, but not of both
    int n_ys;                 // results stacked to (n, ...); 0 is fine
    weir_loop_fn *body;
    void *ctx;                // for body
};

// carry (n_carry) and ys (n_ys) receive the results; NULL where there are none. Errors stick to the
// graph: INVALID (no iterations, extents or types that differ); the results are then poisoned.
void weir_loop(const struct weir_loop_params *params, weir_value **carry, weir_value **ys);

#ifdef __cplusplus
}
#endif
#endif
