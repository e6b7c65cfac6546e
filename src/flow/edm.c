// SPDX-License-Identifier: Apache-2.0
// edm: denoising with the preconditioning of Karras et al. 2022 (table 1, last column):
//   D(x, s) = c_skip x + c_out F(c_in x, ln(s)/4)
//   loss = mean (s² + d²)/(s d)² |D(y + s n, s) - y|²
// Sampling: dx/ds = (x - D(x, s)) / s from sigma_max to sigma_min on their grid, then x = D.
#include <math.h>

#include "base/dmath.h"
#include "flow/shape.h"
#include "weir/flow.h"

static weir_value *denoise(const struct weir_objective_config *c, const struct weir_net *net,
                           weir_value *x, weir_value *s, weir_value *label)
{
    double d = c->sigma_data;
    weir_value *s2 = weir_add_c(weir_mul(s, s), d * d);
    weir_value *inv = weir_rsqrt(s2);
    weir_value *skip = weir_mul_c(weir_reciprocal(s2), d * d);
    weir_value *out = weir_mul(weir_mul_c(s, d), inv);
    weir_value *noise = weir_mul_c(weir_log(s), .25);
    weir_value *f = net->fn(net->ctx, weir_mul(x, weir_rows_like(inv, x)), noise, label);
    return weir_add(weir_mul(x, weir_rows_like(skip, x)), weir_mul(f, weir_rows_like(out, x)));
}

static weir_value *loss(const struct weir_objective_config *c, const struct weir_net *net,
                        const struct weir_random *r, weir_value *data, weir_value *label)
{
    double d = c->sigma_data;
    weir_value *z =
        weir_random_normal(r->seed, r->step, r->row0, weir_shape(weir_dim(data, 0)), "time");
    weir_value *s = weir_exp(weir_add_c(weir_mul_c(z, c->p_std), c->p_mean));
    weir_value *noise =
        weir_random_normal(r->seed, r->step, r->row0, *weir_value_shape(data), "noise");
    weir_value *x = weir_add(
        data, weir_mul(noise, weir_broadcast(weir_rows_like(s, data), *weir_value_shape(data))));
    weir_value *error = weir_sub(denoise(c, net, x, s, label), data);
    weir_value *sd = weir_mul_c(s, d);
    weir_value *weight = weir_div(weir_add_c(weir_mul(s, s), d * d), weir_mul(sd, sd));
    return weir_mean(weir_mul(weir_mul(error, error), weir_rows_like(weight, data)), weir_all_axes,
                     false);
}

static weir_value *field(const struct weir_objective_config *c, const struct weir_net *net,
                         weir_value *x, weir_value *s, weir_value *label)
{
    return weir_div(weir_sub(x, denoise(c, net, x, s, label)), weir_rows_like(s, x));
}

static void grid(const struct weir_objective_config *c, int steps, double *s)
{
    double hi = weir_d_pow(c->sigma_max, 1 / c->rho), lo = weir_d_pow(c->sigma_min, 1 / c->rho);
    for (int i = 0; i <= steps; i++)
        s[i] = weir_d_pow(hi + (double)i / steps * (lo - hi), c->rho);
    s[0] = c->sigma_max;
    s[steps] = c->sigma_min;
}

static double prior_std(const struct weir_objective_config *c)
{
    return c->sigma_max;
}

const struct weir_objective weir_objective_edm = {
    .name = "edm",
    .desc = "denoising with EDM's preconditioning; p_mean, p_std, sigma_data, sigma_min, "
            "sigma_max, rho",
    .loss = loss,
    .field = field,
    .grid = grid,
    .prior_std = prior_std,
    .denoise = denoise,
};
