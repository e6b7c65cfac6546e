// SPDX-License-Identifier: Apache-2.0
// The training step's graph. Every assign is selected on one sticky `ok`, so that a loss or gradient
// that is not finite never reaches a parameter: the state stays that of the last good step. With f16 the
// loss is scaled and a gradient that is not finite skips its step (scaler.h); a loss that is not still stops.
#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/grad.h"

enum { SUM_FAN_IN = 8 }; // so many parts are read in place by one kernel
enum { SCALAR_EMA = WEIR_OPTIM_MAX_SCALARS, N_SCALARS }; // optimizer's scalars, then ours
enum { OUT_LOSS, OUT_NORM, OUT_OK, OUT_BAD_STEP, OUT_SQUARES, N_OUTPUTS };

struct weir_step {
    struct weir_log log;
    const struct weir_setup *setup;
    weir_params *params;
    weir_graph *graph;
    weir_program *program;
    struct weir_scaler scaler; // f16
    weir_state *ok, *bad_step; // u32: 1 while all is finite; the first bad step + 1
    weir_value *data[WEIR_STEP_MAX_ACCUMULATE], *label[WEIR_STEP_MAX_ACCUMULATE];
    weir_value *scalars, *words; // f32 (N_SCALARS); u32 seed lo, seed hi, step
};

struct net_ctx {
    struct weir_nn nn;
    const struct weir_setup *setup;
};

static weir_value *call_net(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct net_ctx *c = ctx;
    return c->setup->model->build(&c->nn, &c->setup->config, x, t, label);
}

static weir_value *element(weir_value *v, int64_t i)
{
    return weir_reshape(weir_slice(v, 0, i, i + 1, 1), weir_scalar_shape);
}

// The label, replaced by the null label with probability label_drop.
static weir_value *drop_label(const weir_step *s, weir_value *label, const struct weir_random *r)
{
    double p = s->setup->recipe.objective.label_drop;
    if (p <= 0)
        return label;
    weir_value *u = weir_random_uniform(r->seed, r->step, r->row0, *weir_value_shape(label), "label-drop");
    return weir_select(weir_lt(u, weir_f32(s->graph, p)), weir_i32(s->graph, s->setup->classes), label);
}

static weir_value *microbatch_loss(weir_step *s, int i)
{
    const struct weir_setup *setup = s->setup;
    int64_t batch = setup->recipe.train.batch;
    struct weir_shape shape = { .rank = setup->config.item.rank + 1, .dim = { batch } };
    memcpy(&shape.dim[1], setup->config.item.dim, (size_t)setup->config.item.rank * sizeof(shape.dim[0]));
    struct weir_random random = {
        .seed = weir_slice(s->words, 0, 0, 2, 1),
        .step = element(s->words, 2),
        .row0 = weir_u32(s->graph, (uint32_t)(i * batch)),
    };
    struct net_ctx ctx = { { s->params, s->graph, false, setup->precision }, setup };
    struct weir_net net = { call_net, &ctx };
    s->data[i] = weir_input(s->graph, WEIR_F32, shape, "data");
    if (setup->classes)
        s->label[i] = weir_input(s->graph, WEIR_I32, weir_shape(batch), "label");
    weir_value *label = setup->classes ? drop_label(s, s->label[i], &random) : NULL;
    return setup->objective->loss(&setup->objective_config, &net, &random, s->data[i], label);
}

// Folds a[0 .. n) as a binary tree over the index (n is a power of two).
static weir_value *tree(weir_value **a, int n)
{
    for (; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            a[i] = weir_add(a[2 * i], a[2 * i + 1]);
    return a[0];
}

static bool scales(const weir_step *s)
{
    return s->setup->precision == WEIR_F16;
}

// Loss and gradients of all microbatches, folded and divided by their number (and by the loss scale).
static weir_value *loss_and_gradients(weir_step *s, weir_value **grad)
{
    int n = weir_params_count(s->params), m = (int)s->setup->recipe.train.accumulate;
    weir_value *loss[WEIR_STEP_MAX_ACCUMULATE];
    weir_value **all = calloc((size_t)(n * m + n), sizeof(*all)), **leaf = all + n * m;
    if (!all)
        return weir_f32(s->graph, NAN);
    for (int i = 0; i < m; i++) {
        loss[i] = microbatch_loss(s, i);
        for (int k = 0; k < n; k++)
            leaf[k] = weir_state_value(s->graph, weir_params_row(s->params, k)->state);
        weir_value *scale = scales(s) ? weir_scaler_scale(&s->scaler, s->graph) : NULL;
        weir_vjp(&loss[i], scale ? &scale : NULL, 1, leaf, all + i * n, n);
    }
    for (int k = 0; k < n; k++) {
        weir_value *part[WEIR_STEP_MAX_ACCUMULATE];
        for (int i = 0; i < m; i++)
            part[i] = all[i * n + k];
        grad[k] = m > 1 ? weir_mul_c(tree(part, m), 1.0 / m) : part[0];
        if (scales(s)) // the reciprocal of a power of two is exact
            grad[k] = weir_mul(grad[k], weir_reciprocal(weir_scaler_scale(&s->scaler, s->graph)));
    }
    weir_value *sum = tree(loss, m);
    free(all);
    return m > 1 ? weir_mul_c(sum, 1.0 / m) : sum;
}

// The squared norm of each gradient as one vector (n).
static weir_value *squares_of(weir_value *const *grad, int n)
{
    weir_value **v = calloc((size_t)n + 1, sizeof(*v));
    if (!v)
        return weir_f32(weir_value_graph(grad[0]), NAN);
    for (int k = 0; k < n; k++)
        v[k] = weir_reshape(weir_sum(weir_mul(grad[k], grad[k]), weir_all_axes, false), weir_shape(1));
    while (n > 1) { // concatenated in a tree of bounded fan-in: a kernel takes few buffers
        int m = 0;
        for (int k = 0; k < n; k += SUM_FAN_IN)
            v[m++] = weir_concat(v + k, n - k < SUM_FAN_IN ? n - k : SUM_FAN_IN, 0);
        n = m;
    }
    weir_value *all = v[0];
    free(v);
    return all;
}

static void update_param(weir_step *s, struct weir_param *row, weir_value *grad, weir_value *const *scalar, weir_value *ok)
{
    const struct weir_optimizer *optimizer = s->setup->optimizer;
    weir_value *slot[4] = { NULL }, *new_slot[4] = { NULL }, *new_p = NULL;
    weir_value *p = weir_state_value(s->graph, row->state);
    for (int k = 0; k < optimizer->n_slots; k++)
        slot[k] = weir_state_value(s->graph, row->slot[k]);
    optimizer->update(&s->setup->optimizer_config, p, grad, slot, scalar, row->decay, &new_p, new_slot);
    weir_assign(row->state, weir_select(ok, new_p, p));
    for (int k = 0; k < optimizer->n_slots; k++)
        weir_assign(row->slot[k], weir_select(ok, new_slot[k], slot[k]));
    if (row->ema) {
        weir_value *e = weir_state_value(s->graph, row->ema);
        weir_value *moved = weir_add(e, weir_mul(weir_sub(new_p, e), scalar[SCALAR_EMA]));
        weir_assign(row->ema, weir_select(ok, moved, e));
    }
}

// Builds the graph; fills out[N_OUTPUTS].
static void build(weir_step *s, weir_value **out, weir_value **grad)
{
    weir_graph *g = s->graph;
    int n = weir_params_count(s->params);
    double clip = s->setup->recipe.optimizer.clip;
    s->scalars = weir_input(g, WEIR_F32, weir_shape(N_SCALARS), "scalars");
    s->words = weir_input(g, WEIR_U32, weir_shape(3), "seed-step");
    weir_value *scalar[N_SCALARS];
    for (int i = 0; i < N_SCALARS; i++)
        scalar[i] = element(s->scalars, i);
    weir_value *loss = loss_and_gradients(s, grad);
    weir_value *squares = squares_of(grad, n);
    weir_value *norm = weir_sqrt(weir_sum(squares, weir_all_axes, false));
    weir_value *finite_norm = weir_is_finite(norm), *stays = finite_norm;
    if (scales(s)) // a smaller scale may do
        stays = weir_or(finite_norm, weir_scaler_may_shrink(&s->scaler, g));
    weir_value *finite = weir_and(weir_is_finite(loss), stays);
    weir_value *was_ok = weir_ne(weir_state_value(g, s->ok), weir_u32(g, 0));
    weir_value *ok = weir_and(was_ok, finite), *bad = weir_state_value(g, s->bad_step);
    weir_value *first_bad = weir_and(was_ok, weir_not(finite));
    if (clip > 0) {
        weir_value *factor = weir_min(weir_div(weir_f32(g, clip), weir_add_c(norm, 1e-6)), weir_f32(g, 1));
        for (int k = 0; k < n; k++)
            grad[k] = weir_mul(grad[k], factor);
    }
    for (int k = 0; k < n; k++)
        update_param(s, weir_params_row(s->params, k), grad[k], scalar, scales(s) ? weir_and(ok, finite_norm) : ok);
    if (scales(s))
        weir_scaler_update(&s->scaler, ok, finite_norm);
    weir_value *now_ok = weir_cast(ok, WEIR_U32);
    weir_value *now_bad = weir_select(first_bad, weir_add(element(s->words, 2), weir_u32(g, 1)), bad);
    weir_assign(s->ok, now_ok);
    weir_assign(s->bad_step, now_bad);
    out[OUT_LOSS] = loss;
    out[OUT_NORM] = norm;
    out[OUT_OK] = now_ok;
    out[OUT_BAD_STEP] = now_bad;
    out[OUT_SQUARES] = squares;
}

static enum weir_status create_flags(weir_step *s, weir_device *dev)
{
    const uint32_t one = 1;
    enum weir_status status = weir_state_create(dev, WEIR_U32, weir_scalar_shape, "ok", &s->ok);
    if (!status)
        status = weir_state_create(dev, WEIR_U32, weir_scalar_shape, "bad-step", &s->bad_step);
    if (!status)
        status = weir_state_write(s->ok, &one);
    const struct weir_scaler_state start = { .scale = (float)s->setup->recipe.train.loss_scale };
    if (!status && scales(s))
        status = weir_scaler_init(dev, &start, &s->scaler);
    return status;
}

enum weir_status weir_step_set_scaler(weir_step *step, const struct weir_scaler_state *state)
{
    return scales(step) ? weir_scaler_write(&step->scaler, state) : WEIR_OK;
}

enum weir_status weir_step_create(const struct weir_log *log, weir_device *dev, const struct weir_setup *setup,
                                  weir_params *params, const struct weir_compile_params *compile,
                                  weir_step **out)
{
    enum weir_status status;
    struct weir_compile_params as = compile ? *compile : (struct weir_compile_params) { 0 };
    int n = weir_params_count(params);
    weir_step *s = calloc(1, sizeof(*s));
    weir_value **grad = calloc((size_t)n + 1, sizeof(*grad)), *outputs[N_OUTPUTS];
    if (!s || !grad) {
        status = weir_fail(log, WEIR_NOMEM, "no memory for a training step");
        goto error;
    }
    if (log)
        s->log = *log;
    s->setup = setup;
    s->params = params;
    status = weir_graph_create(log, &s->graph);
    if (!status)
        status = create_flags(s, dev);
    if (status)
        goto error;
    build(s, outputs, grad);
    as.label = "train-step";
    as.numerics = setup->numerics;
    status = weir_compile(dev, outputs, N_OUTPUTS, &as, &s->program);
    if (status)
        goto error;
    free(grad);
    *out = s;
    return WEIR_OK;
error:
    free(grad);
    weir_step_destroy(&s);
    return status;
}

void weir_step_destroy(weir_step **step)
{
    weir_step *s = *step;
    if (!s)
        return;
    weir_program_destroy(&s->program);
    weir_graph_destroy(&s->graph);
    weir_scaler_finish(&s->scaler);
    weir_state_destroy(&s->ok);
    weir_state_destroy(&s->bad_step);
    free(s);
    *step = NULL;
}

// The moving average's decay warms up as (1 + n) / (10 + n), so that early samples are not the start.
static double ema_rate(const struct weir_recipe *r, int64_t index)
{
    double decay = (double)(1 + index) / (double)(10 + index);
    return 1 - (decay < r->train.ema ? decay : r->train.ema);
}

enum weir_status weir_step_run(weir_step *step, int64_t index, const float *const *data, const int32_t *const *label)
{
    const struct weir_setup *setup = step->setup;
    const struct weir_recipe *r = &setup->recipe;
    double factor = weir_schedule_factor(setup->schedule, index, r->train.steps, r->optimizer.warmup,
                                         r->optimizer.schedule_floor);
    double exact[WEIR_OPTIM_MAX_SCALARS] = { 0 };
    float scalars[N_SCALARS] = { 0 };
    setup->optimizer->scalars(&setup->optimizer_config, index, r->optimizer.learning_rate * factor, exact);
    for (int i = 0; i < WEIR_OPTIM_MAX_SCALARS; i++)
        scalars[i] = (float)exact[i];
    scalars[SCALAR_EMA] = (float)ema_rate(r, index);
    uint32_t words[3] = { (uint32_t)r->train.seed, (uint32_t)((uint64_t)r->train.seed >> 32), (uint32_t)index };
    struct weir_binding bind[2 + 2 * WEIR_STEP_MAX_ACCUMULATE] = { { step->scalars, scalars }, { step->words, words } };
    int n = 2;
    for (int i = 0; i < r->train.accumulate; i++) {
        bind[n++] = (struct weir_binding) { step->data[i], data[i] };
        if (step->label[i])
            bind[n++] = (struct weir_binding) { step->label[i], label[i] };
    }
    return weir_run(step->program, bind, n);
}

enum weir_status weir_step_result(weir_step *step, struct weir_step_result *out)
{
    uint32_t ok = 0, bad = 0;
    enum weir_status status = weir_read(step->program, OUT_LOSS, &out->loss);
    if (!status)
        status = weir_read(step->program, OUT_NORM, &out->grad_norm);
    if (!status)
        status = weir_read(step->program, OUT_OK, &ok);
    if (!status)
        status = weir_read(step->program, OUT_BAD_STEP, &bad);
    out->scaler = (struct weir_scaler_state) { 0 };
    if (!status && scales(step))
        status = weir_scaler_read(&step->scaler, &out->scaler);
    out->ok = ok != 0;
    out->bad_step = (int64_t)bad - 1;
    return status;
}

int weir_step_bad_param(weir_step *step)
{
    int n = weir_params_count(step->params), found = -1;
    float *squares = calloc((size_t)n + 1, sizeof(*squares));
    if (squares && !weir_read(step->program, OUT_SQUARES, squares))
        for (int k = n - 1; k >= 0; k--)
            if (!isfinite(squares[k]))
                found = k;
    free(squares);
    return found;
}

const struct weir_program_info *weir_step_info(const weir_step *step)
{
    return weir_program_info(step->program);
}

weir_program *weir_step_program(weir_step *step)
{
    return step->program;
}
