// SPDX-License-Identifier: Apache-2.0
// A training run: data, model, step, logs, checkpoints, sample grids.
#ifndef WEIR_TRAIN_TRAIN_H
#define WEIR_TRAIN_TRAIN_H

#include <signal.h>

#include "train/checkpoint.h"
#include "train/sample.h"
#include "train/step.h"
#include "weir/data.h"

// A recipe with its data and its network on a device.
struct weir_run_state {
    struct weir_setup setup;
    struct weir_dataset *data;
    weir_params *params;
};

// Opens the data, checks the recipe against it, declares and allocates the parameters. `training`:
// with the optimizer's slots. Errors leave `out` finished.
enum weir_status weir_run_init(const struct weir_log *log, weir_device *dev, const struct weir_recipe *recipe,
                               bool training, struct weir_run_state *out);
// The same for sampling, from what the checkpoint knows of the data: the data itself is opened only for
// a checkpoint that does not, otherwise out->data is NULL.
enum weir_status weir_run_init_sampling(const struct weir_log *log, weir_device *dev, const struct weir_recipe *recipe,
                                        const struct weir_checkpoint_info *info, struct weir_run_state *out);
void weir_run_finish(struct weir_run_state *run);

struct weir_progress {
    int64_t step, steps;
    double loss, grad_norm, learning_rate;
    double loss_scale; // f16, else 0
    int64_t skipped;   // steps, by loss scaling
    double seconds;  // since this process began to train
    double rate;     // steps a second, lately
};

struct weir_train_params {
    weir_device *dev;
    struct weir_recipe recipe;
    const char *out_dir;   // the run's folder
    bool resume;           // go on from its newest checkpoint
    bool any_numerics;     // resume what another numerics version, or the other mode, has trained
    const char *dump_dir;
    size_t memory;         // as weir_compile_params.memory, of the training step (0 = no limit)
    const volatile sig_atomic_t *stop; // non-zero: finish the step, save, return INTERRUPTED
    void (*progress)(void *cookie, const struct weir_progress *p); // each log row
    void (*note)(void *cookie, const char *text);                  // "sampling", "saved ..."
    void *cookie;
};

// Errors: INTERRUPTED (saved), NONFINITE (the state of the last good step was saved; the log names step
// and tensor), and those of the parts.
enum weir_status weir_train(const struct weir_log *log, const struct weir_train_params *params);

// Compiles the recipe's training step and its sampling and writes both to params->dump_dir; nothing runs,
// so `dev` may be a planned one. Uses dev, recipe, memory, dump_dir, note and its cookie of the params.
enum weir_status weir_train_dump(const struct weir_log *log, const struct weir_train_params *params);

// Renders n samples into PATH.png: a grid of images (one row a class when labelled), or for points in
// the plane a density picture.
enum weir_status weir_samples_png(const struct weir_log *log, const char *path, const struct weir_setup *setup,
                                  const float *samples, int64_t n);
// Labels of a grid: sample i gets class i / ceil(n / classes).
void weir_grid_labels(const struct weir_setup *setup, int64_t n, int32_t *labels);

#endif
