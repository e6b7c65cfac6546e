// SPDX-License-Identifier: Apache-2.0
// Activations, and i1e (the partner that i0e's derivative needs). One elementwise chain each,
// forward and backward, so both ways fuse into whatever is around them.
#include <stdio.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

#define SQRT_HALF 0.70710678118654752
#define INV_SQRT_2PI 0.39894228040143268
#define SQRT_2_PI 0.79788456080286536

static weir_value *f32(const weir_value *v, double c)
{
    return weir_f32(v->graph, c);
}

static weir_value *make(const struct weir_op *op, weir_value *x, weir_value *body)
{
    return weir_op_make_composite(op, &x, 1, NULL, body);
}

// --- silu = x sigmoid(x) ---

weir_value *weir_silu(weir_value *x)
{
    return weir_is_poison(x) ? x : make(&weir_op_silu, x, weir_mul(x, weir_sigmoid(x)));
}

// s (1 + x (1 - s)) as y (1 - s) + s
static weir_value *silu_along(weir_value *y, weir_value *x, weir_value *t)
{
    weir_value *s = weir_sigmoid(x);
    return weir_mul(t, weir_fma(y, weir_sub(f32(x, 1.0), s), s));
}

// --- relu = max(x, 0), slope 0 at 0 ---

weir_value *weir_relu(weir_value *x)
{
    return weir_is_poison(x) ? x : make(&weir_op_relu, x, weir_max(x, f32(x, 0.0)));
}

static weir_value *relu_along(weir_value *y, weir_value *x, weir_value *t)
{
    return weir_select(weir_gt(x, f32(x, 0.0)), t, f32(x, 0.0));
}

// --- gelu = x c(x), c = (1 + erf(x / sqrt 2)) / 2 ---

static weir_value *normal_cdf(weir_value *x)
{
    weir_value *half = f32(x, 0.5);
    return weir_fma(weir_erf(weir_mul_c(x, SQRT_HALF)), half, half);
}

weir_value *weir_gelu(weir_value *x)
{
    return weir_is_poison(x) ? x : make(&weir_op_gelu, x, weir_mul(x, normal_cdf(x)));
}

// c + x exp(-x²/2) / sqrt(2 pi)
static weir_value *gelu_along(weir_value *y, weir_value *x, weir_value *t)
{
    weir_value *density = weir_mul_c(weir_exp(weir_mul(weir_mul_c(x, -0.5), x)), INV_SQRT_2PI);
    return weir_mul(t, weir_fma(x, density, normal_cdf(x)));
}

// --- gelu_tanh = h (1 + tanh u), h = x / 2, u = sqrt(2 / pi) (x + 0.044715 x³) ---

static weir_value *tanh_u(weir_value *x, weir_value *x2)
{
    weir_value *u = weir_mul_c(x, SQRT_2_PI);
    return weir_tanh(weir_mul(u, weir_fma(x2, f32(x, 0.044715), f32(x, 1.0))));
}

weir_value *weir_gelu_tanh(weir_value *x)
{
    if (weir_is_poison(x))
        return x;
    weir_value *h = weir_mul_c(x, 0.5);
    weir_value *t = tanh_u(x, weir_mul(x, x));
    return make(&weir_op_gelu_tanh, x, weir_fma(h, t, h));
}

// (1 + T) / 2 + h (1 - T²) u',  T = tanh u,  u' = sqrt(2 / pi) (1 + 0.134145 x²)
static weir_value *gelu_tanh_along(weir_value *y, weir_value *x, weir_value *t)
{
    weir_value *x2 = weir_mul(x, x), *tanh = tanh_u(x, x2);
    weir_value *half = f32(x, 0.5);
    weir_value *slope = weir_fma(x2, f32(x, SQRT_2_PI * 3 * 0.044715), f32(x, SQRT_2_PI));
    weir_value *flank = weir_sub(f32(x, 1.0), weir_mul(tanh, tanh));
    weir_value *rest = weir_mul(weir_mul_c(x, 0.5), weir_mul(flank, slope));
    return weir_mul(t, weir_add(weir_fma(tanh, half, half), rest));
}

// --- i1e = e^-|x| I1(x) ---

// Chebyshev sum in y (|y| <= 2) by Clenshaw's recurrence; c[0] belongs to the highest degree.
// Coefficients: Cephes i1f.c (S. Moshier), errors below 1.5e-7 relative.
static weir_value *chebyshev(weir_value *y, const double *c, int n)
{
    weir_value *b0 = weir_broadcast(f32(y, c[0]), y->type.shape);
    weir_value *b1 = weir_zeros(y->graph, y->type.shape), *b2 = b1;
    for (int i = 1; i < n; i++) {
        b2 = b1;
        b1 = b0;
        b0 = weir_fma(y, b1, weir_sub(f32(y, c[i]), b2));
    }
    return weir_mul_c(weir_sub(b0, b2), 0.5);
}

static const double i1e_near[] = {
    9.38153738649577178388e-9,  -4.44505912879632808065e-8, 2.00329475355213526229e-7,
    -8.56872026469545474066e-7, 3.47025130813767847674e-6,  -1.32731636560394358279e-5,
    4.78156510755005422638e-5,  -1.61760815825896745588e-4, 5.12285956168575772895e-4,
    -1.51357245063125314899e-3, 4.15642294431288815669e-3,  -1.05640848946261981558e-2,
    2.47264490306265168283e-2,  -5.29459812080949914269e-2, 1.02643658689847095384e-1,
    -1.76416518357834055153e-1, 2.52587186443633654823e-1};
static const double i1e_far[] = {-3.83538038596423702205e-9, -2.63146884688951950684e-8,
                                 -2.51223623787020892529e-7, -3.88256480887769039346e-6,
                                 -1.10588938762623716291e-4, -9.76109749136146840777e-3,
                                 7.78576235018280120474e-1};

weir_value *weir_i1e(weir_value *x)
{
    if (weir_is_poison(x))
        return x;
    weir_value *z = weir_abs(x), *eight = f32(x, 8.0);
    weir_value *near_x = weir_min(z, eight), *far_x = weir_max(z, eight);
    weir_value *near_y = weir_fma(near_x, f32(x, 0.5), f32(x, -2.0));
    weir_value *near = weir_mul(chebyshev(near_y, i1e_near, (int)WEIR_COUNT(i1e_near)), near_x);
    weir_value *far_y = weir_sub(weir_div(f32(x, 32.0), far_x), f32(x, 2.0));
    weir_value *far =
        weir_div(chebyshev(far_y, i1e_far, (int)WEIR_COUNT(i1e_far)), weir_sqrt(far_x));
    weir_value *y = weir_select(weir_gt(z, eight), far, near);
    return make(&weir_op_i1e, x, weir_mul(weir_sign(x), y));
}

// I1' = I0 - I1 / x, so i1e' = i0e - i1e (sign(x) + 1 / x), 1/2 at 0.
static weir_value *i1e_along(weir_value *y, weir_value *x, weir_value *t)
{
    weir_value *at_zero = weir_eq(x, f32(x, 0.0));
    weir_value *safe = weir_select(at_zero, f32(x, 1.0), x);
    weir_value *ratio = weir_select(at_zero, f32(x, 0.5), weir_div(y, safe));
    weir_value *slope = weir_sub(weir_sub(weir_i0e(x), ratio), weir_mul(y, weir_sign(x)));
    return weir_mul(t, slope);
}

// --- rows ---

#define ROW(name_, desc_)                                                                          \
    static void name_##_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)                 \
    {                                                                                              \
        dx[0] = name_##_along(v, v->arg[0], dy[0]);                                                \
    }                                                                                              \
    static void name_##_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)                 \
    {                                                                                              \
        dy[0] = name_##_along(v, v->arg[0], dx[0]);                                                \
    }                                                                                              \
    static weir_value *build_##name_(weir_graph *g, weir_value *const *in,                         \
                                     const struct weir_op_case *c)                                 \
    {                                                                                              \
        return weir_##name_(in[0]);                                                                \
    }                                                                                              \
    static bool cases_##name_(int idx, struct weir_op_case *c)                                     \
    {                                                                                              \
        c->build = build_##name_;                                                                  \
        return activation_case(idx, c);                                                            \
    }                                                                                              \
    const struct weir_op weir_op_##name_ = {.name = #name_,                                        \
                                            .desc = desc_,                                         \
                                            .arity = 1,                                            \
                                            .cls = WEIR_OP_COMPOSITE,                              \
                                            .vjp = name_##_vjp,                                    \
                                            .jvp = name_##_jvp,                                    \
                                            .cases = cases_##name_};

static bool activation_case(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][3] = {{257, -1}, {1, -1}, {0, 3, -1}, {2311, -1}};
    if (idx >= 4)
        return false;
    snprintf(c->label, sizeof(c->label), "shape %d", idx);
    c->no_grad = idx == 3;
    weir_case_input(c, WEIR_F32, idx == 3 ? WEIR_FILL_EXTREME : WEIR_FILL_NORMAL, dims[idx]);
    return true;
}

ROW(silu, "x sigmoid(x)")
ROW(relu, "max(x, 0)")
ROW(gelu, "x (1 + erf(x / sqrt 2)) / 2")
ROW(gelu_tanh, "gelu with tanh in place of erf")
ROW(i1e, "e^-|x| I1(x), modified Bessel function")
