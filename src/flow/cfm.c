// SPDX-License-Identifier: Apache-2.0
// cfm: conditional flow matching on the linear path (Lipman et al. 2023; Liu et al. 2023).
//   x_t = (1 - t) x0 + t x1, x0 noise, x1 data;  loss = mean |net(x_t, t) - (x1 - x0)|²
#include "flow/shape.h"
#include "weir/flow.h"

static weir_value *times(const struct weir_objective_config *c, const struct weir_random *r,
                         int64_t n)
{
    if (c->times == WEIR_TIMES_UNIFORM)
        return weir_random_uniform(r->seed, r->step, r->row0, weir_shape(n), "time");
    weir_value *z = weir_random_normal(r->seed, r->step, r->row0, weir_shape(n), "time");
    return weir_sigmoid(weir_add_c(weir_mul_c(z, c->time_std), c->time_mean));
}

static weir_value *loss(const struct weir_objective_config *c, const struct weir_net *net,
                        const struct weir_random *r, weir_value *data, weir_value *label)
{
    weir_value *t = times(c, r, weir_dim(data, 0)), *tb = weir_rows_like(t, data);
    weir_value *noise =
        weir_random_normal(r->seed, r->step, r->row0, *weir_value_shape(data), "noise");
    weir_value *target = weir_sub(data, noise);
    weir_value *x = weir_add(noise, weir_mul(weir_broadcast(tb, *weir_value_shape(data)), target));
    return weir_mse(net->fn(net->ctx, x, t, label), target);
}

static weir_value *field(const struct weir_objective_config *c, const struct weir_net *net,
                         weir_value *x, weir_value *s, weir_value *label)
{
    return net->fn(net->ctx, x, s, label);
}

static void grid(const struct weir_objective_config *c, int steps, double *s)
{
    for (int i = 0; i <= steps; i++)
        s[i] = (double)i / steps;
}

static double prior_std(const struct weir_objective_config *c)
{
    return 1;
}

const struct weir_objective weir_objective_cfm = {
    .name = "cfm",
    .desc = "conditional flow matching, linear path; times uniform or logit-normal",
    .loss = loss,
    .field = field,
    .grid = grid,
    .prior_std = prior_std,
};
