// SPDX-License-Identifier: Apache-2.0
// Sampling: noise from per-row seeds, the objective's field through guidance, a solver.
#include "train/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/integrate.h"

struct net_ctx {
    const struct weir_setup *setup;
    weir_params *params;
    bool use_ema;
    double guidance;
};

static weir_value *call_net(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct net_ctx *c = ctx;
    struct weir_nn nn = { c->params, weir_value_graph(x), c->use_ema };
    return c->setup->model->build(&nn, &c->setup->config, x, t, label);
}

static weir_value *call_guided(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct net_ctx *c = ctx;
    struct weir_net net = { call_net, c };
    return weir_guided(&net, x, t, label, c->setup->classes, c->guidance);
}

// Inputs of the integrator: 0 the seeds, 1 the labels (if the net takes any).
static weir_value *field(void *ctx, weir_value *y, weir_value *s, weir_value *const *in)
{
    struct net_ctx *c = ctx;
    struct weir_net net = { call_guided, c };
    return c->setup->objective->field(&c->setup->objective_config, &net, y, s, in[1]);
}

static weir_value *finish(void *ctx, weir_value *y, weir_value *s, weir_value *const *in)
{
    struct net_ctx *c = ctx;
    struct weir_net net = { call_guided, c };
    return c->setup->objective->denoise(&c->setup->objective_config, &net, y, s, in[1]);
}

static struct weir_shape batch_shape(const struct weir_setup *setup, int64_t batch)
{
    struct weir_shape shape = { .rank = setup->config.item.rank + 1, .dim = { batch } };
    memcpy(&shape.dim[1], setup->config.item.dim,
           (size_t)setup->config.item.rank * sizeof(shape.dim[0]));
    return shape;
}

// A program that turns seeds into the noise samples start from.
struct noise {
    weir_graph *graph;
    weir_program *program;
    weir_value *seeds;
};

static enum weir_status noise_create(const struct weir_log *log, weir_device *dev,
                                     const struct weir_setup *setup, int64_t batch,
                                     const char *dump_dir, struct noise *out)
{
    enum weir_status status = weir_graph_create(log, &out->graph);
    if (status)
        return status;
    weir_graph *g = out->graph;
    out->seeds = weir_input(g, WEIR_U32, weir_shape(batch, 2), "seeds");
    weir_value *x = weir_random_normal(out->seeds, weir_u32(g, 0), weir_u32(g, 0),
                                       batch_shape(setup, batch), "sample");
    double std = setup->objective->prior_std(&setup->objective_config);
    if (std != 1)
        x = weir_mul_c(x, std);
    return weir_compile(dev, &x, 1,
                        &(struct weir_compile_params) {
                            .label = "noise", .dump_dir = dump_dir, .numerics = setup->numerics },
                        &out->program);
}

static enum weir_status create_integrator(const struct weir_log *log, weir_device *dev,
                                          const struct weir_setup *setup, struct net_ctx *ctx,
                                          int64_t batch, const char *dump_dir,
                                          weir_integrator **out)
{
    int steps = (int)setup->recipe.sample.steps;
    double *grid = calloc((size_t)steps + 1, sizeof(*grid));
    if (!grid)
        return weir_fail(log, WEIR_NOMEM, "no memory for the sampling grid");
    setup->objective->grid(&setup->objective_config, steps, grid);
    struct weir_integrator_params p = {
        .dev = dev,
        .solver = setup->solver,
        .shape = batch_shape(setup, batch),
        .field = field,
        .finish = setup->objective->denoise ? finish : NULL,
        .ctx = ctx,
        .n_inputs = setup->classes ? 2 : 1,
        .inputs = { { WEIR_U32, weir_shape(batch, 2), "seeds" },
                    { WEIR_I32, weir_shape(batch), "labels" } },
        .grid = grid,
        .steps = steps,
        .rtol = setup->recipe.sample.rtol,
        .atol = setup->recipe.sample.atol,
        .churn = setup->recipe.sample.churn,
        .churn_min = setup->recipe.sample.churn_min,
        .churn_max = setup->recipe.sample.churn_max,
        .churn_noise = setup->recipe.sample.churn_noise,
        .numerics = setup->numerics,
        .label = "sampling",
        .dump_dir = dump_dir,
    };
    if (log)
        p.log = *log;
    enum weir_status status = weir_integrator_create(&p, out);
    free(grid);
    return status;
}

static int64_t batch_of(const struct weir_setup *setup, int64_t n)
{
    return setup->recipe.sample.batch < n ? setup->recipe.sample.batch : n;
}

enum weir_status weir_sample_dump(const struct weir_log *log, weir_device *dev,
                                  const struct weir_setup *setup, weir_params *params, bool use_ema,
                                  const char *dump_dir)
{
    int64_t batch = batch_of(setup, setup->recipe.sample.n);
    struct net_ctx ctx = { setup, params, use_ema, setup->recipe.sample.guidance_scale };
    struct noise noise = { 0 };
    weir_integrator *it = NULL;
    enum weir_status status = noise_create(log, dev, setup, batch, dump_dir, &noise);
    if (!status)
        status = create_integrator(log, dev, setup, &ctx, batch, dump_dir, &it);
    weir_integrator_destroy(&it);
    weir_program_destroy(&noise.program);
    weir_graph_destroy(&noise.graph);
    return status;
}

enum weir_status weir_sample(const struct weir_log *log, weir_device *dev,
                             const struct weir_setup *setup, weir_params *params,
                             const struct weir_sample_params *p, float *dst, int64_t *nfe)
{
    int64_t batch = batch_of(setup, p->n), item = weir_shape_size(&setup->config.item), total = 0;
    struct net_ctx ctx = { setup, params, p->use_ema, setup->recipe.sample.guidance_scale };
    struct noise noise = { 0 };
    weir_integrator *it = NULL;
    uint32_t *seeds = calloc((size_t)batch, 2 * sizeof(*seeds));
    int32_t *labels = calloc((size_t)batch, sizeof(*labels));
    float *y = calloc((size_t)(batch * item), sizeof(*y));
    enum weir_status status =
        seeds && labels && y
            ? WEIR_OK
            : weir_fail(log, WEIR_NOMEM, "no memory for %lld samples", (long long)batch);
    if (!status)
        status = noise_create(log, dev, setup, batch, NULL, &noise);
    if (!status)
        status = create_integrator(log, dev, setup, &ctx, batch, NULL, &it);
    for (int64_t at = 0; at < p->n && !status; at += batch) {
        int64_t count = p->n - at < batch ? p->n - at : batch, used = 0;
        for (int64_t i = 0; i < batch; i++) { // a short batch is filled up with its last row
            int64_t k = at + (i < count ? i : count - 1);
            seeds[2 * i] = (uint32_t)p->seeds[k];
            seeds[2 * i + 1] = (uint32_t)(p->seeds[k] >> 32);
            labels[i] = p->labels ? p->labels[k] : setup->classes;
        }
        status = weir_run(noise.program, &(struct weir_binding) { noise.seeds, seeds }, 1);
        if (!status)
            status = weir_read(noise.program, 0, y);
        if (!status)
            status = weir_integrator_run(it, y, (const void *const[]) { seeds, labels }, &used);
        memcpy(dst + at * item, y, (size_t)(count * item) * sizeof(*y));
        total += used;
        if (p->progress && !status)
            p->progress(p->cookie, at + count, p->n);
    }
    if (nfe)
        *nfe = total;
    weir_integrator_destroy(&it);
    weir_program_destroy(&noise.program);
    weir_graph_destroy(&noise.graph);
    free(seeds);
    free(labels);
    free(y);
    return status;
}
