// SPDX-License-Identifier: Apache-2.0
// One optimizer update as one program: forward, backward, accumulation, clipping, optimizer, moving
// average. What changes from step to step comes in as inputs.
#ifndef WEIR_TRAIN_STEP_H
#define WEIR_TRAIN_STEP_H

#include "train/recipe.h"
#include "train/scaler.h"
#include "weir/program.h"

#define WEIR_STEP_MAX_ACCUMULATE 16

// A recipe made concrete: rows found, configs filled. Borrowed rows are static.
struct weir_setup {
    struct weir_recipe recipe;
    const struct weir_model *model;
    struct weir_model_config config;
    const struct weir_objective *objective;
    struct weir_objective_config objective_config;
    const struct weir_optimizer *optimizer;
    struct weir_optimizer_config optimizer_config;
    const struct weir_solver *solver;
    enum weir_schedule schedule;
    enum weir_numerics numerics;
    enum weir_dtype precision; // F32, BF16 or F16
    int classes; // 0 when the network gets no label
};

// Checks the recipe against the data (item shape, number of classes) and fills `out`.
enum weir_status weir_setup_init(const struct weir_log *log, const struct weir_recipe *recipe,
                                 const struct weir_shape *item, int classes, struct weir_setup *out);

// What recipe->numerics says. Errors: INVALID (neither exact nor fast).
enum weir_status weir_recipe_numerics(const struct weir_log *log, const struct weir_recipe *recipe,
                                      enum weir_numerics *out);

typedef struct weir_step weir_step;

// `params` is allocated on `dev`, with ema when recipe.train.ema > 0 and the optimizer's slots. `compile`
// may be NULL; its label and numerics are not used.
enum weir_status weir_step_create(const struct weir_log *log, weir_device *dev, const struct weir_setup *setup,
                                  weir_params *params, const struct weir_compile_params *compile,
                                  weir_step **out);
void weir_step_destroy(weir_step **step);

// Enqueues update number `index` on `accumulate` microbatches: data[i] (batch, item..), label[i] (batch).
enum weir_status weir_step_run(weir_step *step, int64_t index, const float *const *data, const int32_t *const *label);

// With f16 the loss is scaled: the scaler's state goes on from here.
enum weir_status weir_step_set_scaler(weir_step *step, const struct weir_scaler_state *state);

struct weir_step_result {
    float loss, grad_norm;
    bool ok;          // every update so far had a finite loss and gradient
    int64_t bad_step; // the first that had not, else -1
    struct weir_scaler_state scaler; // f16, else zeros: there a gradient that is not finite skips the step, which is ok
};
// Of the last update; waits for it.
enum weir_status weir_step_result(weir_step *step, struct weir_step_result *out);
// Row of the parameter table whose gradient is not finite in the last update, or -1.
int weir_step_bad_param(weir_step *step);
const struct weir_program_info *weir_step_info(const weir_step *step);
weir_program *weir_step_program(weir_step *step); // to time its launches

#endif
