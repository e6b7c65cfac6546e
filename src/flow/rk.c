// SPDX-License-Identifier: Apache-2.0
// Explicit Runge-Kutta steps as values: fixed steps, and attempts of adaptive ones per row.
#include <math.h>

#include "flow/shape.h"
#include "weir/flow.h"

enum { MAX_STAGES = 8 };

// y + h sum_j weight[j] k[j], skipping zero weights; h (n, 1, ..) or NULL for the sum alone.
static weir_value *combine(weir_value *y, weir_value *h, const double *weight, weir_value *const *k,
                           int n)
{
    weir_value *sum = NULL;
    for (int j = 0; j < n; j++) {
        if (weight[j] == 0)
            continue;
        weir_value *term = weir_mul_c(k[j], weight[j]);
        sum = sum ? weir_add(sum, term) : term;
    }
    if (!sum)
        return y;
    if (!h)
        return sum;
    return weir_add(y, weir_mul(weir_broadcast(h, *weir_value_shape(y)), sum));
}

// Fills k[first ..] of the tableau; s, h per row (n).
static void stages(const struct weir_tableau *t, const struct weir_ode *ode, weir_value *y,
                   weir_value *s, weir_value *h, weir_value **k, int first)
{
    weir_value *hy = weir_rows_like(h, y);
    for (int i = first; i < t->stages; i++) {
        weir_value *at = i ? combine(y, hy, t->a + i * t->stages, k, i) : y;
        k[i] = ode->f(ode->ctx, at, t->c[i] == 0 ? s : weir_add(s, weir_mul_c(h, t->c[i])));
    }
}

weir_value *weir_rk_step(const struct weir_tableau *tableau, const struct weir_ode *ode,
                         weir_value *y, weir_value *s, weir_value *h)
{
    weir_value *k[MAX_STAGES];
    weir_value *sr = weir_per_row(s, y), *hr = weir_per_row(h, y);
    stages(tableau, ode, y, sr, hr, k, 0);
    return combine(y, weir_rows_like(hr, y), tableau->b, k, tableau->stages);
}

// RMS over the items of error / (atol + rtol max(|y0|, |y1|)): (n).
static weir_value *error_norm(weir_value *error, weir_value *y0, weir_value *y1, double rtol,
                              double atol)
{
    weir_value *scale = weir_add_c(weir_mul_c(weir_max(weir_abs(y0), weir_abs(y1)), rtol), atol);
    weir_value *r = weir_flat(weir_div(error, scale));
    return weir_sqrt(weir_mean(weir_mul(r, r), weir_axes(1), false));
}

// The proportional-integral controller of Soederlind with (p, i) = (.4, .3): the factor of the next
// step.
static weir_value *growth(weir_value *e, weir_value *e_last, int order, weir_value *grow_ok)
{
    weir_graph *g = weir_value_graph(e);
    weir_value *tiny = weir_f32(g, 1e-10);
    weir_value *factor =
        weir_mul_c(weir_mul(weir_pow(weir_max(e, tiny), weir_f32(g, -.7 / order)),
                            weir_pow(weir_max(e_last, tiny), weir_f32(g, .4 / order))),
                   .9);
    weir_value *most = weir_select(grow_ok, weir_f32(g, 10), weir_f32(g, 1));
    factor = weir_min(weir_max(factor, weir_f32(g, .2)), most);
    return weir_select(weir_is_finite(e), factor, weir_f32(g, .2));
}

struct weir_adaptive weir_adaptive_step(const struct weir_tableau *tableau,
                                        const struct weir_ode *ode,
                                        const struct weir_adaptive_config *config,
                                        struct weir_adaptive in)
{
    weir_graph *g = weir_value_graph(in.y);
    weir_value *k[MAX_STAGES] = { in.k1 };
    double sign = config->s1 >= config->s0 ? 1 : -1, span = fabs(config->s1 - config->s0);
    double rtol = config->rtol > 0 ? config->rtol : 1e-5,
           atol = config->atol > 0 ? config->atol : 1e-5;
    double h_min = config->h_min > 0 ? config->h_min : span * 1e-5;
    weir_value *end = weir_f32(g, config->s1);
    weir_value *left = weir_abs(weir_sub(end, in.s)), *active = weir_gt(left, weir_f32(g, 0));
    weir_value *h = weir_max(in.h, weir_f32(g, h_min)), *last = weir_ge(h, left);
    h = weir_select(last, left, h);
    weir_value *step = weir_mul_c(h, sign);
    stages(tableau, ode, in.y, in.s, step, k, 1);
    weir_value *hy = weir_rows_like(step, in.y);
    weir_value *y1 = combine(in.y, hy, tableau->b, k, tableau->stages);
    double diff[MAX_STAGES];
    for (int i = 0; i < tableau->stages; i++)
        diff[i] = tableau->b[i] - tableau->b_low[i];
    weir_value *error = weir_mul(weir_broadcast(hy, *weir_value_shape(y1)),
                                 combine(in.y, NULL, diff, k, tableau->stages));
    weir_value *e = error_norm(error, in.y, y1, rtol, atol);
    weir_value *forced = weir_le(h, weir_f32(g, h_min));
    weir_value *finite = weir_is_finite(e), *enough = weir_le(e, weir_f32(g, 1));
    weir_value *good = weir_and(active, weir_or(weir_and(forced, finite), enough));
    weir_value *broken = weir_and(active, weir_and(forced, weir_not(finite)));
    weir_value *fresh = weir_le(in.rejected, weir_f32(g, 0));
    weir_value *next = weir_mul(h, growth(e, in.err, tableau->order, fresh));
    weir_value *goody = weir_rows_like(good, in.y);
    return (struct weir_adaptive) {
        .y = weir_select(goody, y1, in.y),
        .k1 = weir_select(goody, k[tableau->stages - 1], in.k1),
        .s = weir_select(broken, weir_f32(g, NAN),
                         weir_select(good, weir_select(last, end, weir_add(in.s, step)), in.s)),
        .h = weir_select(active, next, in.h),
        .err = weir_select(good, weir_max(e, weir_f32(g, 1e-4)), in.err),
        .rejected = weir_select(good, weir_f32(g, 0), weir_f32(g, 1)),
    };
}
