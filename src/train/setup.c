// SPDX-License-Identifier: Apache-2.0
// From a recipe's words to rows and configurations, checked against each other.
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "train/step.h"

// Logs "model.name: no such model 'unett' (did you mean 'unet'?)".
static enum weir_status no_such(const struct weir_log *log, const char *key, const char *name,
                                const char *const *known)
{
    return weir_fail(log, WEIR_INVALID, "%s: there is no '%s' (did you mean '%s'?)", key, name,
                     weir_nearest(name, known));
}

#define FIND(field, key, text, find, list)                                     \
    do {                                                                       \
        out->field = find(text);                                               \
        if (!out->field) {                                                     \
            const char *known[32] = { NULL };                                  \
            for (int i_ = 0; list[i_] && i_ < 31; i_++)                        \
                known[i_] = list[i_]->name;                                    \
            return no_such(log, key, text, known);                             \
        }                                                                      \
    } while (0)

static enum weir_status choose(const struct weir_log *log, const char *key, const char *text,
                               const char *const *known, int *out)
{
    for (int i = 0; known[i]; i++)
        if (!strcmp(known[i], text)) {
            *out = i;
            return WEIR_OK;
        }
    return no_such(log, key, text, known);
}

enum weir_status weir_recipe_numerics(const struct weir_log *log, const struct weir_recipe *recipe,
                                      enum weir_numerics *out)
{
    static const char *const names[] = { [WEIR_NUMERICS_EXACT] = "exact", [WEIR_NUMERICS_FAST] = "fast", NULL };
    int chosen = 0;
    enum weir_status status = choose(log, "numerics", recipe->numerics, names, &chosen);
    if (!status)
        *out = (enum weir_numerics)chosen;
    return status;
}

static enum weir_status init_model(const struct weir_log *log, const struct weir_shape *item, int classes,
                                   struct weir_setup *out)
{
    const struct weir_recipe *r = &out->recipe;
    if (r->model.class_conditional && !classes)
        return weir_fail(log, WEIR_INVALID, "model.class_conditional: data '%s' has no labels", r->data.name);
    out->classes = r->model.class_conditional ? classes : 0;
    struct weir_model_config *c = &out->config;
    *c = (struct weir_model_config) {
        .item = *item,
        .classes = out->classes,
        .width = (int)r->model.width,
        .depth = (int)r->model.depth,
        .layers = (int)r->model.layers,
        .groups = (int)r->model.groups,
        .heads = (int)r->model.heads,
        .patch = (int)r->model.patch,
        .learned_positions = r->model.learned_positions,
        .zero_init = r->model.zero_init,
    };
    for (int i = 0; i < 8; i++)
        c->mult[i] = (int)r->model.mult[i];
    const char *wrong = out->model->configure(c);
    if (wrong)
        return weir_fail(log, WEIR_INVALID, "model: %s", wrong);
    return WEIR_OK;
}

static enum weir_status init_precision(const struct weir_log *log, struct weir_setup *out)
{
    static const enum weir_dtype known[] = { WEIR_F32, WEIR_BF16, WEIR_F16 };
    const struct weir_recipe *r = &out->recipe;
    int exponent;
    if (frexp(r->train.loss_scale, &exponent) != .5)
        return weir_fail(log, WEIR_INVALID, "train.loss_scale: %g is not a power of two", r->train.loss_scale);
    for (size_t i = 0; i < WEIR_COUNT(known); i++)
        if (!strcmp(weir_dtype_name(known[i]), r->train.precision)) {
            out->precision = known[i];
            return WEIR_OK;
        }
    return weir_fail(log, WEIR_INVALID, "train.precision: there is no '%s'; every model and every device has f32, bf16 and f16",
                     r->train.precision);
}

enum weir_status weir_setup_init(const struct weir_log *log, const struct weir_recipe *recipe,
                                 const struct weir_shape *item, int classes, struct weir_setup *out)
{
    static const char *const times[] = { "uniform", "logit-normal", NULL };
    static const char *const schedules[] = { "constant", "cosine", NULL };
    int chosen_times = 0, chosen_schedule = 0;
    memset(out, 0, sizeof(*out));
    out->recipe = *recipe;
    const struct weir_recipe *r = &out->recipe;
    FIND(model, "model.name", r->model.name, weir_model_find, weir_models);
    FIND(objective, "objective.name", r->objective.name, weir_objective_find, weir_objectives);
    FIND(optimizer, "optimizer.name", r->optimizer.name, weir_optimizer_find, weir_optimizers);
    FIND(solver, "sample.solver", r->sample.solver, weir_solver_find, weir_solvers);
    enum weir_status status = choose(log, "objective.times", r->objective.times, times, &chosen_times);
    if (!status)
        status = weir_recipe_numerics(log, r, &out->numerics);
    if (!status)
        status = choose(log, "optimizer.schedule", r->optimizer.schedule, schedules, &chosen_schedule);
    if (!status)
        status = init_precision(log, out);
    if (status)
        return status;
    if (r->train.accumulate & (r->train.accumulate - 1))
        return weir_fail(log, WEIR_INVALID, "train.accumulate: %lld is not a power of two",
                         (long long)r->train.accumulate);
    if (out->solver->churn && !out->objective->denoise)
        return weir_fail(log, WEIR_INVALID, "sample.solver: %s needs an objective that denoises, and %s does not", r->sample.solver,
                         r->objective.name);
    out->schedule = (enum weir_schedule)chosen_schedule;
    out->objective_config = (struct weir_objective_config) {
        .times = (enum weir_times)chosen_times,
        .time_mean = r->objective.time_mean,
        .time_std = r->objective.time_std,
        .p_mean = r->objective.p_mean,
        .p_std = r->objective.p_std,
        .sigma_data = r->objective.sigma_data,
        .sigma_min = r->objective.sigma_min,
        .sigma_max = r->objective.sigma_max,
        .rho = r->objective.rho,
    };
    out->optimizer_config = (struct weir_optimizer_config) {
        .beta1 = r->optimizer.beta1,
        .beta2 = r->optimizer.beta2,
        .eps = r->optimizer.eps,
        .weight_decay = r->optimizer.weight_decay,
        .momentum = r->optimizer.momentum,
        .nesterov = r->optimizer.nesterov,
    };
    return init_model(log, item, classes, out);
}
