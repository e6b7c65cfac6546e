// SPDX-License-Identifier: Apache-2.0
// Likelihood by the instantaneous change of variables (Chen et al. 2018), along the objective's
// field v from its grid's data end s1 to the prior's s0:
//   d ln p / ds = -div v.  With y = (x, l), dl/ds = div v, l = 0 at s1:
//   ln p(x at s1) = ln N(x at s0; 0, prior_std²) + l(s0)   since l(s0) = -int_s0^s1 div v ds.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "flow/integrate.h"
#include "flow/shape.h"
#include "scalar.h"
#include "train/sample.h"

struct nll_ctx {
    const struct weir_setup *setup;
    weir_params *params;
    bool use_ema, exact;
    struct weir_shape shape; // of x
    int64_t item;
};

static weir_value *call_net(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct nll_ctx *c = ctx;
    struct weir_nn nn = { c->params, weir_value_graph(x), c->use_ema };
    return c->setup->model->build(&nn, &c->setup->config, x, t, label);
}

struct velocity_ctx {
    struct nll_ctx *nll;
    weir_value *label;
};

static weir_value *velocity(void *ctx, weir_value *x, weir_value *s)
{
    struct velocity_ctx *c = ctx;
    struct weir_net net = { call_net, c->nll };
    return c->nll->setup->objective->field(&c->nll->setup->objective_config, &net, x, s, c->label);
}

// Inputs: 0 the probes (n, item), 1 the labels.
static weir_value *field(void *ctx, weir_value *y, weir_value *s, weir_value *const *in)
{
    struct nll_ctx *c = ctx;
    struct velocity_ctx vc = { c, c->setup->classes ? in[1] : NULL };
    struct weir_ode ode = { velocity, &vc };
    weir_value *x = weir_reshape(weir_slice(y, 1, 0, c->item, 1), c->shape), *v;
    weir_value *div =
        weir_divergence(&ode, x, s, c->exact ? NULL : weir_reshape(in[0], c->shape), &v);
    weir_value *parts[2] = { weir_flat(v), weir_reshape(div, weir_shape(c->shape.dim[0], 1)) };
    return weir_concat(parts, 2, 1);
}

// Rademacher probes of rows at .. at + batch: +-1 by the low bit of a Philox word.
static void fill_probes(float *dst, uint64_t seed, int64_t at, int64_t batch, int64_t item)
{
    uint32_t stream = weir_hash32("probe");
    for (int64_t i = 0; i < batch * item; i++) {
        uint32_t w = weir_random_word((uint32_t)(i % item), (uint32_t)(at + i / item), 0, stream,
                                      (uint32_t)seed, (uint32_t)(seed >> 32));
        dst[i] = w & 1 ? 1.f : -1.f;
    }
}

static enum weir_status create(const struct weir_log *log, weir_device *dev, struct nll_ctx *ctx,
                               int64_t batch, weir_integrator **out)
{
    const struct weir_setup *setup = ctx->setup;
    int steps = (int)setup->recipe.sample.steps;
    double *grid = calloc((size_t)steps + 1, sizeof(*grid));
    if (!grid)
        return weir_fail(log, WEIR_NOMEM, "no memory for the grid");
    setup->objective->grid(&setup->objective_config, steps, grid);
    for (int i = 0; i < steps - i; i++) {
        double s = grid[i];
        grid[i] = grid[steps - i];
        grid[steps - i] = s;
    }
    struct weir_integrator_params p = {
        .dev = dev,
        .solver = setup->solver,
        .shape = weir_shape(batch, ctx->item + 1),
        .field = field,
        .ctx = ctx,
        .n_inputs = setup->classes ? 2 : 1,
        .inputs = { { WEIR_F32, weir_shape(batch, ctx->item), "probes" },
                    { WEIR_I32, weir_shape(batch), "labels" } },
        .grid = grid,
        .steps = steps,
        .rtol = setup->recipe.sample.rtol,
        .atol = setup->recipe.sample.atol,
        .numerics = setup->numerics,
        .label = "likelihood",
    };
    if (log)
        p.log = *log;
    enum weir_status status = weir_integrator_create(&p, out);
    free(grid);
    return status;
}

static double row_nll(const float *y, int64_t item, double std)
{
    double square = 0;
    for (int64_t k = 0; k < item; k++)
        square += (double)y[k] * y[k];
    // ln 2 pi
    double prior = -.5 * square / (std * std) - (double)item * (.5 * 1.8378770664093453 + log(std));
    return -(prior + y[item]);
}

enum weir_status weir_nll(const struct weir_log *log, weir_device *dev,
                          const struct weir_setup *setup, weir_params *params,
                          const struct weir_nll_params *p, double *dst, int64_t *nfe)
{
    int64_t item = weir_shape_size(&setup->config.item), total = 0;
    int64_t batch = setup->recipe.sample.batch < p->n ? setup->recipe.sample.batch : p->n;
    struct nll_ctx ctx = { setup, params, p->use_ema, p->exact, { 0 }, item };
    weir_integrator *it = NULL;
    double std = setup->objective->prior_std(&setup->objective_config);
    if (setup->solver->churn)
        return weir_fail(
            log, WEIR_INVALID,
            "likelihood: solver %s adds noise, which has no density to follow; another one, "
            "dopri5 say, integrates the same field",
            setup->solver->name);
    ctx.shape = (struct weir_shape) { .rank = setup->config.item.rank + 1, .dim = { batch } };
    memcpy(&ctx.shape.dim[1], setup->config.item.dim,
           (size_t)setup->config.item.rank * sizeof(ctx.shape.dim[0]));
    float *y = calloc((size_t)(batch * (item + 1)), sizeof(*y)),
          *probes = calloc((size_t)(batch * item), sizeof(*probes));
    int32_t *labels = calloc((size_t)batch, sizeof(*labels));
    enum weir_status status =
        y && probes && labels ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory for likelihoods");
    if (!status)
        status = create(log, dev, &ctx, batch, &it);
    for (int64_t at = 0; at < p->n && !status; at += batch) {
        int64_t count = p->n - at < batch ? p->n - at : batch, used = 0;
        for (int64_t i = 0; i < batch; i++) {
            int64_t k = at + (i < count ? i : count - 1);
            memcpy(y + i * (item + 1), p->data + k * item, (size_t)item * sizeof(*y));
            y[i * (item + 1) + item] = 0;
            labels[i] = p->labels ? p->labels[k] : setup->classes;
        }
        fill_probes(probes, p->seed, at, batch, item);
        status = weir_integrator_run(it, y, (const void *const[]) { probes, labels }, &used);
        for (int64_t i = 0; i < count; i++)
            dst[at + i] = row_nll(y + i * (item + 1), item, std);
        total += used;
    }
    if (nfe)
        *nfe = total;
    weir_integrator_destroy(&it);
    free(y);
    free(probes);
    free(labels);
    return status;
}
