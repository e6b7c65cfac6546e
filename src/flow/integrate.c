// SPDX-License-Identifier: Apache-2.0
// The solver driver: a state y on the device and up to three programs (first slope, step, finish).
// Fixed steps get s and h as inputs. Adaptive steps keep s, h, error and slope per row on the
// device; a row that is done is held by select, so the host may look at the flag late without
// changing bits.
#include "flow/integrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flow/shape.h"

enum { LOOK_EVERY = 4, MAX_ATTEMPTS = 10000 };
enum { ST_Y, ST_S, ST_H, ST_K1, ST_ERR, ST_REJECTED, N_STATES };

// One program with the inputs it was built on.
struct part {
    weir_graph *graph;
    weir_program *program;
    weir_value *in[WEIR_INTEGRATOR_MAX_INPUTS];
    weir_value *scalars, *index; // f32 (4): s, h, noise scale; u32: step number
};

struct weir_integrator {
    struct weir_integrator_params p;
    double *grid;
    weir_state *state[N_STATES];
    struct part first, step, finish;
};

struct field_ctx {
    const struct weir_integrator_params *p;
    const struct part *part;
};

static weir_value *call_field(void *ctx, weir_value *y, weir_value *s)
{
    struct field_ctx *c = ctx;
    return c->p->field(c->p->ctx, y, s, c->part->in);
}

static enum weir_status begin(const weir_integrator *it, struct part *part)
{
    enum weir_status status = weir_graph_create(&it->p.log, &part->graph);
    if (status)
        return status;
    for (int i = 0; i < it->p.n_inputs; i++)
        part->in[i] = weir_input(part->graph, it->p.inputs[i].dtype, it->p.inputs[i].shape,
                                 it->p.inputs[i].name);
    return WEIR_OK;
}

static enum weir_status end(const weir_integrator *it, struct part *part, weir_value *output,
                            const char *label)
{
    struct weir_compile_params cp = { .dump_dir = it->p.dump_dir,
                                      .label = label,
                                      .numerics = it->p.numerics };
    return weir_compile(it->p.dev, &output, 1, &cp, &part->program);
}

static weir_value *scalar(const struct part *part, int i)
{
    return weir_reshape(weir_slice(part->scalars, 0, i, i + 1, 1), weir_scalar_shape);
}

static enum weir_status build_fixed(weir_integrator *it)
{
    struct part *part = &it->step;
    enum weir_status status = begin(it, part);
    if (status)
        return status;
    struct field_ctx ctx = { &it->p, part };
    struct weir_ode ode = { call_field, &ctx };
    weir_value *y = weir_state_value(part->graph, it->state[ST_Y]);
    part->scalars = weir_input(part->graph, WEIR_F32, weir_shape(4), "scalars");
    if (it->p.solver->churn) {
        part->index = weir_input(part->graph, WEIR_U32, weir_scalar_shape, "step");
        weir_value *noise = weir_random_normal(part->in[0], part->index, weir_u32(part->graph, 0),
                                               it->p.shape, "churn");
        y = weir_add(y, weir_mul(noise, weir_broadcast(scalar(part, 2), it->p.shape)));
    }
    weir_value *next =
        weir_rk_step(it->p.solver->tableau, &ode, y, scalar(part, 0), scalar(part, 1));
    weir_assign(it->state[ST_Y], next);
    return end(it, part, weir_f32(part->graph, 0), "solver-step");
}

static struct weir_adaptive_config adaptive_config(const weir_integrator *it)
{
    return (struct weir_adaptive_config) {
        .s0 = it->grid[0], .s1 = it->grid[it->p.steps], .rtol = it->p.rtol, .atol = it->p.atol
    };
}

static enum weir_status build_adaptive(weir_integrator *it)
{
    struct weir_adaptive_config config = adaptive_config(it);
    enum weir_status status = begin(it, &it->first);
    if (!status)
        status = begin(it, &it->step);
    if (status)
        return status;
    weir_graph *g = it->first.graph;
    struct field_ctx ctx = { &it->p, &it->first };
    struct weir_shape rows = weir_shape(it->p.shape.dim[0]);
    weir_value *s = weir_broadcast(weir_f32(g, config.s0), rows);
    weir_assign(it->state[ST_K1], call_field(&ctx, weir_state_value(g, it->state[ST_Y]), s));
    weir_assign(it->state[ST_S], s);
    weir_assign(it->state[ST_H],
                weir_broadcast(weir_f32(g, fabs(config.s1 - config.s0) * .05), rows));
    weir_assign(it->state[ST_ERR], weir_broadcast(weir_f32(g, 1e-4), rows));
    weir_assign(it->state[ST_REJECTED], weir_broadcast(weir_f32(g, 0), rows));
    status = end(it, &it->first, weir_f32(g, 0), "solver-first");
    if (status)
        return status;
    g = it->step.graph;
    ctx.part = &it->step;
    weir_value *v[N_STATES];
    for (int i = 0; i < N_STATES; i++)
        v[i] = weir_state_value(g, it->state[i]);
    struct weir_adaptive a = { .y = v[ST_Y],
                               .s = v[ST_S],
                               .h = v[ST_H],
                               .k1 = v[ST_K1],
                               .err = v[ST_ERR],
                               .rejected = v[ST_REJECTED] };
    a = weir_adaptive_step(it->p.solver->tableau, &(struct weir_ode) { call_field, &ctx }, &config,
                           a);
    weir_assign(it->state[ST_Y], a.y);
    weir_assign(it->state[ST_S], a.s);
    weir_assign(it->state[ST_H], a.h);
    weir_assign(it->state[ST_K1], a.k1);
    weir_assign(it->state[ST_ERR], a.err);
    weir_assign(it->state[ST_REJECTED], a.rejected);
    weir_value *left =
        weir_reduce_max(weir_abs(weir_sub(a.s, weir_f32(g, config.s1))), weir_all_axes, false);
    return end(it, &it->step, left, "solver-step");
}

static enum weir_status build_finish(weir_integrator *it)
{
    struct part *part = &it->finish;
    enum weir_status status = begin(it, part);
    if (status)
        return status;
    weir_value *y = weir_state_value(part->graph, it->state[ST_Y]);
    weir_value *s = weir_broadcast(weir_f32(part->graph, it->grid[it->p.steps]),
                                   weir_shape(it->p.shape.dim[0]));
    weir_assign(it->state[ST_Y], it->p.finish(it->p.ctx, y, s, part->in));
    return end(it, part, weir_f32(part->graph, 0), "solver-finish");
}

static enum weir_status create_states(weir_integrator *it)
{
    static const char *const names[N_STATES] = { "y", "s", "h", "slope", "error", "rejected" };
    enum weir_status status = WEIR_OK;
    int n = it->p.solver->adaptive ? N_STATES : 1;
    for (int i = 0; i < n && !status; i++) {
        bool whole = i == ST_Y || i == ST_K1;
        status = weir_state_create(it->p.dev, WEIR_F32,
                                   whole ? it->p.shape : weir_shape(it->p.shape.dim[0]), names[i],
                                   &it->state[i]);
    }
    return status;
}

enum weir_status weir_integrator_create(const struct weir_integrator_params *params,
                                        weir_integrator **out)
{
    enum weir_status status;
    weir_integrator *it = calloc(1, sizeof(*it));
    if (!it)
        return weir_fail(&params->log, WEIR_NOMEM, "no memory for a solver");
    it->p = *params;
    it->grid = calloc((size_t)params->steps + 1, sizeof(double));
    if (!it->grid) {
        status = weir_fail(&params->log, WEIR_NOMEM, "no memory for a solver's grid");
        goto error;
    }
    memcpy(it->grid, params->grid, ((size_t)params->steps + 1) * sizeof(double));
    status = create_states(it);
    if (!status)
        status = params->solver->adaptive ? build_adaptive(it) : build_fixed(it);
    if (!status && params->finish)
        status = build_finish(it);
    if (status)
        goto error;
    *out = it;
    return WEIR_OK;
error:
    weir_integrator_destroy(&it);
    return status;
}

void weir_integrator_destroy(weir_integrator **integrator)
{
    weir_integrator *it = *integrator;
    if (!it)
        return;
    struct part *parts[] = { &it->first, &it->step, &it->finish };
    for (size_t i = 0; i < WEIR_COUNT(parts); i++) {
        weir_program_destroy(&parts[i]->program);
        weir_graph_destroy(&parts[i]->graph);
    }
    for (int i = 0; i < N_STATES; i++)
        weir_state_destroy(&it->state[i]);
    free(it->grid);
    free(it);
    *integrator = NULL;
}

static int bind_inputs(const weir_integrator *it, const struct part *part, const void *const *data,
                       struct weir_binding *b)
{
    int n = 0;
    for (; n < it->p.n_inputs; n++)
        b[n] = (struct weir_binding) { part->in[n], data[n] };
    return n;
}

static enum weir_status run_fixed(weir_integrator *it, const void *const *data)
{
    const struct weir_integrator_params *p = &it->p;
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < p->steps && !status; i++) {
        double s = it->grid[i], hat = s, scale = 0;
        if (p->solver->churn && s >= p->churn_min && s <= p->churn_max) {
            double gamma = p->churn / p->steps, most = sqrt(2) - 1;
            hat = s * (1 + (gamma < most ? gamma : most));
            scale = sqrt(hat * hat - s * s) * p->churn_noise;
        }
        float scalars[4] = { (float)hat, (float)(it->grid[i + 1] - hat), (float)scale };
        uint32_t index = (uint32_t)i;
        struct weir_binding b[WEIR_INTEGRATOR_MAX_INPUTS + 2];
        int n = bind_inputs(it, &it->step, data, b);
        b[n++] = (struct weir_binding) { it->step.scalars, scalars };
        if (it->step.index)
            b[n++] = (struct weir_binding) { it->step.index, &index };
        status = weir_run(it->step.program, b, n);
    }
    return status;
}

static enum weir_status run_adaptive(weir_integrator *it, const void *const *data, int64_t *nfe)
{
    struct weir_binding b[WEIR_INTEGRATOR_MAX_INPUTS];
    int n = bind_inputs(it, &it->first, data, b);
    enum weir_status status = weir_run(it->first.program, b, n);
    float left = 1;
    *nfe = 1;
    for (int i = 0; left != 0 && !status; i += LOOK_EVERY) {
        if (i >= MAX_ATTEMPTS)
            return weir_fail(&it->p.log, WEIR_NONFINITE,
                             "%s: not at the end after %d attempts (%g left): the tolerance is "
                             "out of reach",
                             it->p.label, MAX_ATTEMPTS, (double)left);
        n = bind_inputs(it, &it->step, data, b);
        for (int k = 0; k < LOOK_EVERY && !status; k++)
            status = weir_run(it->step.program, b, n);
        *nfe += LOOK_EVERY * (it->p.solver->tableau->stages - 1);
        if (!status)
            status = weir_read(it->step.program, 0, &left);
        if (!status && isnan(left))
            status = weir_fail(&it->p.log, WEIR_NONFINITE, "%s: the field is not finite", it->p.label);
    }
    return status;
}

enum weir_status weir_integrator_run(weir_integrator *it, float *y, const void *const *data,
                                     int64_t *nfe)
{
    int64_t count = (int64_t)it->p.steps * it->p.solver->tableau->stages;
    enum weir_status status = weir_state_write(it->state[ST_Y], y);
    if (!status)
        status = it->p.solver->adaptive ? run_adaptive(it, data, &count) : run_fixed(it, data);
    if (!status && it->p.finish) {
        struct weir_binding b[WEIR_INTEGRATOR_MAX_INPUTS];
        int n = bind_inputs(it, &it->finish, data, b);
        status = weir_run(it->finish.program, b, n);
        count++;
    }
    if (!status)
        status = weir_state_read(it->state[ST_Y], y);
    if (nfe)
        *nfe = count;
    return status;
}
