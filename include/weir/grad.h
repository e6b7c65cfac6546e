// SPDX-License-Identifier: Apache-2.0
// Differentiation: graph to graph, so results are ordinary values and any nesting works.
#ifndef WEIR_GRAD_H
#define WEIR_GRAD_H

#include "weir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// Reverse mode. y: n_y values; dy: their cotangents (NULL entry or dy NULL = ones, y scalar then).
// dx[i] receives the gradient with respect to x[i] (any values y was built from); zeros if y does
// not depend on it. Cotangents of a value are added in descending consumer order
// (docs/numerics.md).
void weir_vjp(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
              weir_value **dx, int n_x);
void weir_grad(weir_value *loss, weir_value *const *x, weir_value **dx, int n_x); // loss: scalar

// Forward mode: the tangents dy[j] of y[j] when x[i] moves along dx[i]. Zeros if independent.
void weir_jvp(weir_value *const *y, weir_value **dy, int n_y, weir_value *const *x,
              weir_value *const *dx, int n_x);

weir_value *weir_stop_gradient(weir_value *x);

// A value computed by `build(ctx, in)` whose reverse rule is `vjp(ctx, in, out, dout, din)` (din[i]
// may stay NULL: no gradient). Its jvp differentiates the body. Values that build captured beside
// `in` get no gradient (in a weir_checkpoint they do); vjp NULL differentiates the body.
typedef weir_value *weir_body_fn(void *ctx, weir_value *const *in);
typedef void weir_body_vjp_fn(void *ctx, weir_value *const *in, weir_value *out, weir_value *dout,
                              weir_value **din);
weir_value *weir_custom_vjp(weir_body_fn *build, weir_body_vjp_fn *vjp, void *ctx,
                            weir_value *const *in, int n_in);

// As build(ctx, in), but its inner values are recomputed in the backward pass instead of kept.
weir_value *weir_checkpoint(weir_body_fn *build, void *ctx, weir_value *const *in, int n_in);

#ifdef __cplusplus
}
#endif
#endif
