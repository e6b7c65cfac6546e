// SPDX-License-Identifier: Apache-2.0
// Classifier-free guidance (Ho & Salimans 2022) and the divergence of a field.
#include "flow/shape.h"
#include "weir/flow.h"
#include "weir/grad.h"

weir_value *weir_guided(const struct weir_net *net, weir_value *x, weir_value *t, weir_value *label,
                        int null_label, double weight)
{
    if (!label || weight == 1)
        return net->fn(net->ctx, x, t, label);
    weir_value *null =
        weir_broadcast(weir_i32(weir_value_graph(x), null_label), *weir_value_shape(label));
    weir_value *xs[2] = { x, x }, *ts[2] = { t, t }, *labels[2] = { label, null };
    int64_t n = weir_dim(x, 0);
    weir_value *y =
        net->fn(net->ctx, weir_concat(xs, 2, 0), weir_concat(ts, 2, 0), weir_concat(labels, 2, 0));
    weir_value *c = weir_slice(y, 0, 0, n, 1), *u = weir_slice(y, 0, n, 2 * n, 1);
    return weir_add(u, weir_mul_c(weir_sub(c, u), weight));
}

// The e_i column of the identity, broadcast to x's shape.
static weir_value *unit(weir_value *x, int64_t i)
{
    struct weir_shape shape = *weir_value_shape(x), flat = { 2, { shape.dim[0], -1 } };
    flat.dim[1] = weir_dim(weir_flat(x), 1);
    weir_value *at = weir_iota(weir_value_graph(x), WEIR_I32, flat, 1);
    weir_value *one = weir_cast(weir_eq(at, weir_i32(weir_value_graph(x), (int32_t)i)), WEIR_F32);
    return weir_reshape(one, shape);
}

weir_value *weir_divergence(const struct weir_ode *ode, weir_value *x, weir_value *s,
                            weir_value *probe, weir_value **v)
{
    weir_value *y = ode->f(ode->ctx, x, s), *sum = NULL;
    if (v)
        *v = y;
    if (probe) {
        weir_value *tangent;
        weir_jvp(&y, &tangent, 1, &x, &probe, 1);
        return weir_sum(weir_flat(weir_mul(probe, tangent)), weir_axes(1), false);
    }
    int64_t d = weir_dim(weir_flat(x), 1);
    for (int64_t i = 0; i < d; i++) {
        weir_value *e = unit(x, i), *tangent;
        weir_jvp(&y, &tangent, 1, &x, &e, 1);
        weir_value *diagonal = weir_reshape(weir_slice(weir_flat(tangent), 1, i, i + 1, 1),
                                            weir_shape(weir_dim(x, 0)));
        sum = sum ? weir_add(sum, diagonal) : diagonal;
    }
    return sum;
}
