// SPDX-License-Identifier: Apache-2.0
// Samples and likelihoods of a trained network. A sample depends on its seed and label only: not on
// the batch it is computed in, nor on the device.
#ifndef WEIR_TRAIN_SAMPLE_H
#define WEIR_TRAIN_SAMPLE_H

#include "train/step.h"

struct weir_sample_params {
    int64_t n;
    const uint64_t *seeds;  // n
    const int32_t *labels;  // n, or NULL: unconditional (the null label where the net takes one)
    bool use_ema;
    void (*progress)(void *cookie, int64_t done, int64_t n); // or NULL
    void *cookie;
};

// dst: n items. Solver, steps, guidance and batch come from setup->recipe.sample.
enum weir_status weir_sample(const struct weir_log *log, weir_device *dev,
                             const struct weir_setup *setup, weir_params *params,
                             const struct weir_sample_params *p, float *dst, int64_t *nfe);

// Compiles what weir_sample would run for recipe.sample.n samples and writes it
// (weir_compile_params.dump_dir).
enum weir_status weir_sample_dump(const struct weir_log *log, weir_device *dev,
                                  const struct weir_setup *setup, weir_params *params, bool use_ema,
                                  const char *dump_dir);

struct weir_nll_params {
    int64_t n;
    const float *data;      // n items
    const int32_t *labels;  // or NULL
    bool exact;             // divergence by one jvp a dimension; else Hutchinson with one
                            // Rademacher probe
    bool use_ema;
    uint64_t seed;          // of the probes
};

// dst[i]: -ln p(data[i]) in nats along the objective's field, integrated by setup->recipe.sample's
// solver from the data's end of its grid to the prior's. Errors: INVALID (a solver that adds
// noise).
enum weir_status weir_nll(const struct weir_log *log, weir_device *dev,
                          const struct weir_setup *setup, weir_params *params,
                          const struct weir_nll_params *p, double *dst, int64_t *nfe);

#endif
