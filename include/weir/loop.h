// SPDX-License-Identifier: Apache-2.0
// Loops of a fixed number of iterations inside a graph.
//
// carry_0 = carry;  (carry_{i+1}, y_i) = body(carry_i, xs[i]);  gives carry_n and all y_i stacked
//
// The body is called once, while the graph is built, compiled once and replayed n times: graph,
// kernels and memory beside xs and ys do not grow with n. It may use any value made before (which
// it captures), hold loops, and differentiate. What an iteration is given never counts as a product
// node for the contraction of weir_add, captured values as they were built (docs/numerics.md).
// Values made in a body cannot be used outside of it; weir_assign does not belong in one.
//
// Derivatives are loops again (docs/numerics.md, section 10). The gradient keeps the carried values
// of each iteration and computes the iteration itself anew; a loop of loops keeps those of the
// outer one, and of the inner one at hand: about 2 sqrt(n) instead of n for n = sqrt(n) sqrt(n)
// iterations. Data-dependent exit: hold finished rows by weir_select.
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include "weir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// Builds an iteration from carry (n_carry) and x (n_xs: slice i of each xs, without its first
// axis): sets next (n_carry, types of carry) and y (n_ys).
typedef void weir_loop_fn(void *ctx, weir_value *const *carry, weir_value *const *x,
                          weir_value **next, weir_value **y);

struct weir_loop_params {
    int64_t n;                // iterations; 0 is fine
    weir_value *const *carry; // initial values
    int n_carry;              // 0 is fine
    weir_value *const *xs;    // each (n, ...)
    int n_xs;                 // 0 is fine, but not of both
    int n_ys;                 // results stacked to (n, ...); 0 is fine
    weir_loop_fn *body;
    void *ctx;                // for body
};

// carry (n_carry) and ys (n_ys) receive the results; NULL where there are none. Errors stick to the
// graph: INVALID (extents or types that differ, no results); the results are then poisoned.
void weir_loop(const struct weir_loop_params *params, weir_value **carry, weir_value **ys);

// The number of the iteration, 0 .. n-1, u32 scalar, of the loop in whose body v was made: the step
// of a random stream, say. v: a carried value, a slice, or anything built from them there.
weir_value *weir_loop_index(weir_value *v);

#ifdef __cplusplus
}
#endif
#endif
