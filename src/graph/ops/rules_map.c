// SPDX-License-Identifier: Apache-2.0
// Derivatives of the elementwise rows. Each is written as products and sums of dy and plain values;
// where a product meets weir_add or weir_sub it contracts as anywhere else.
#include "graph/diff.h"
#include "graph/ops/composite.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

static weir_value *f32(const weir_value *v, double c)
{
    return weir_f32(v->graph, c);
}

// One argument: both rules are t -> f'(x) t. x: the argument; y: the result.
#define RULES1(name, expression)                                                                   \
    static weir_value *along_##name(weir_value *y, weir_value *x, weir_value *t)                   \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    void weir_vjp_##name(weir_value *v, weir_value *const *dy, weir_value **dx)                    \
    {                                                                                              \
        dx[0] = along_##name(v, v->arg[0], dy[0]);                                                 \
    }                                                                                              \
    void weir_jvp_##name(weir_value *v, weir_value *const *dx, weir_value **dy)                    \
    {                                                                                              \
        dy[0] = along_##name(v, v->arg[0], dx[0]);                                                 \
    }

RULES1(neg, weir_neg(t))
RULES1(abs, weir_mul(t, weir_sign(x)))
RULES1(exp, weir_mul(t, y))
RULES1(expm1, weir_mul(t, weir_add(y, f32(y, 1.0))))
RULES1(log, weir_div(t, x))
RULES1(log1p, weir_div(t, weir_add(x, f32(x, 1.0))))
RULES1(sin, weir_mul(t, weir_cos(x)))
RULES1(cos, weir_neg(weir_mul(t, weir_sin(x))))
RULES1(tanh, weir_mul(t, weir_sub(f32(y, 1.0), weir_mul(y, y))))
RULES1(erf, weir_mul(t, weir_mul_c(weir_exp(weir_neg(weir_mul(x, x))), 1.1283791670955126)))
RULES1(erfinv, weir_mul(t, weir_mul_c(weir_exp(weir_mul(y, y)), 0.8862269254527580)))
RULES1(sigmoid, weir_mul(t, weir_mul(y, weir_sub(f32(y, 1.0), y))))
RULES1(softplus, weir_mul(t, weir_sigmoid(x)))
RULES1(sqrt, weir_div(weir_mul_c(t, 0.5), y))
RULES1(rsqrt, weir_mul(t, weir_mul_c(weir_mul(y, weir_mul(y, y)), -0.5)))
RULES1(square, weir_mul(t, weir_mul_c(x, 2.0)))
RULES1(reciprocal, weir_neg(weir_mul(t, weir_mul(y, y))))
RULES1(lgamma, weir_mul(t, weir_digamma(x)))
// (e^-|x| I0)' = e^-|x| I1 - sign(x) e^-|x| I0
RULES1(i0e, weir_mul(t, weir_sub(weir_i1e(x), weir_mul(weir_sign(x), y))))

void weir_vjp_add(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = dy[0];
    dx[1] = dy[0];
}

void weir_jvp_add(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_accumulate(dx[0], dx[1]);
}

void weir_vjp_sub(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = dy[0];
    dx[1] = weir_neg(dy[0]);
}

void weir_jvp_sub(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = !dx[1] ? dx[0] : !dx[0] ? weir_neg(dx[1]) : weir_sub(dx[0], dx[1]);
}

void weir_vjp_mul(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_mul(dy[0], v->arg[1]);
    dx[1] = weir_mul(dy[0], v->arg[0]);
}

// da·b + a·db; either may be absent.
static weir_value *product_rule(weir_value *a, weir_value *b, weir_value *da, weir_value *db)
{
    return weir_accumulate(da ? weir_mul(da, b) : NULL, db ? weir_mul(db, a) : NULL);
}

void weir_jvp_mul(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = product_rule(v->arg[0], v->arg[1], dx[0], dx[1]);
}

void weir_vjp_div(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_div(dy[0], v->arg[1]);
    dx[1] = weir_neg(weir_mul(dx[0], v));
}

void weir_jvp_div(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *t = dx[1] ? weir_neg(weir_mul(dx[1], v)) : NULL;
    dy[0] = weir_div(weir_accumulate(dx[0], t), v->arg[1]);
}

// min, max, select: `first` is true where the result is argument a. A tie goes to the first
// operand.
static void choose_vjp(weir_value *first, weir_value *dy, weir_value **da, weir_value **db)
{
    weir_value *zero = f32(dy, 0.0);
    *da = weir_select(first, dy, zero);
    *db = weir_select(first, zero, dy);
}

static weir_value *choose_jvp(weir_value *first, weir_value *da, weir_value *db)
{
    return weir_select(first, weir_or_zeros(da, first), weir_or_zeros(db, first));
}

void weir_vjp_max(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    choose_vjp(weir_not(weir_lt(v->arg[0], v->arg[1])), dy[0], &dx[0], &dx[1]);
}

void weir_jvp_max(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = choose_jvp(weir_not(weir_lt(v->arg[0], v->arg[1])), dx[0], dx[1]);
}

void weir_vjp_min(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    choose_vjp(weir_not(weir_gt(v->arg[0], v->arg[1])), dy[0], &dx[0], &dx[1]);
}

void weir_jvp_min(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = choose_jvp(weir_not(weir_gt(v->arg[0], v->arg[1])), dx[0], dx[1]);
}

void weir_vjp_select(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    choose_vjp(v->arg[0], dy[0], &dx[1], &dx[2]);
}

void weir_jvp_select(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = choose_jvp(v->arg[0], dx[1], dx[2]);
}

// a - floor(a/b) b, the floor being constant almost everywhere.
void weir_vjp_mod(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = dy[0];
    dx[1] = weir_neg(weir_mul(dy[0], weir_floor(weir_div(v->arg[0], v->arg[1]))));
}

void weir_jvp_mod(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *t =
        dx[1] ? weir_neg(weir_mul(dx[1], weir_floor(weir_div(v->arg[0], v->arg[1])))) : NULL;
    dy[0] = weir_accumulate(dx[0], t);
}

// b a^(b-1), 0 where b = 0.
static weir_value *pow_by_base(const weir_value *v)
{
    weir_value *a = v->arg[0], *b = v->arg[1], *zero = f32(v, 0.0);
    weir_value *slope = weir_mul(b, weir_pow(a, weir_sub(b, f32(v, 1.0))));
    return weir_select(weir_eq(b, zero), zero, slope);
}

// a^b log a, 0 where a = 0 (the logarithm never sees the 0, so no NaN arises from 0·inf).
static weir_value *pow_by_exponent(weir_value *v)
{
    weir_value *a = v->arg[0];
    weir_value *safe = weir_select(weir_eq(a, f32(v, 0.0)), f32(v, 1.0), a);
    return weir_mul(v, weir_log(safe));
}

void weir_vjp_pow(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_mul(dy[0], pow_by_base(v));
    dx[1] = weir_mul(dy[0], pow_by_exponent(v));
}

void weir_jvp_pow(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_accumulate(dx[0] ? weir_mul(dx[0], pow_by_base(v)) : NULL,
                            dx[1] ? weir_mul(dx[1], pow_by_exponent(v)) : NULL);
}

// d atan2(a, b) = (b da - a db) / (a² + b²)
void weir_vjp_atan2(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *a = v->arg[0], *b = v->arg[1];
    weir_value *t = weir_div(dy[0], weir_add(weir_mul(a, a), weir_mul(b, b)));
    dx[0] = weir_mul(t, b);
    dx[1] = weir_neg(weir_mul(t, a));
}

void weir_jvp_atan2(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *a = v->arg[0], *b = v->arg[1];
    weir_value *t = weir_accumulate(dx[0] ? weir_mul(dx[0], b) : NULL,
                                    dx[1] ? weir_neg(weir_mul(dx[1], a)) : NULL);
    dy[0] = weir_div(t, weir_add(weir_mul(a, a), weir_mul(b, b)));
}

// dP(a, x)/dx = x^(a-1) e^-x / gamma(a); no gradient in a.
static weir_value *igamma_slope(const weir_value *v)
{
    weir_value *a = v->arg[0], *x = v->arg[1];
    weir_value *log_power = weir_mul(weir_sub(a, f32(v, 1.0)), weir_log(x));
    return weir_exp(weir_sub(weir_sub(log_power, x), weir_lgamma(a)));
}

void weir_vjp_igamma(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[1] = weir_mul(dy[0], igamma_slope(v));
}

void weir_jvp_igamma(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    if (dx[1])
        dy[0] = weir_mul(dx[1], igamma_slope(v));
}

void weir_vjp_fma(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_mul(dy[0], v->arg[1]);
    dx[1] = weir_mul(dy[0], v->arg[0]);
    dx[2] = dy[0];
}

void weir_jvp_fma(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = dx[2];
    if (dx[0])
        dy[0] = weir_accumulate(dy[0], weir_mul(dx[0], v->arg[1]));
    if (dx[1])
        dy[0] = weir_accumulate(dy[0], weir_mul(dx[1], v->arg[0]));
}

// Rounding to a storage type counts as the identity.
void weir_vjp_cast(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    if (weir_is_float(v->arg[0]->type.dtype))
        dx[0] = dy[0];
}

void weir_jvp_cast(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    if (weir_is_float(v->type.dtype))
        dy[0] = dx[0];
}
