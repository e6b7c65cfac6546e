// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of `weir bench` share.
#ifndef WEIR_TOOLS_BENCH_H
#define WEIR_TOOLS_BENCH_H

#include "train/recipe.h"
#include "weir/device.h"

struct bench_params {
    struct weir_log log;
    weir_device *dev;
    int repeats;   // timed runs; the median is reported
    const char *filter; // op: only rows whose name contains it (NULL = all)
};

double bench_now(void); // seconds, monotonic
// Sorts `s` and returns its median; *spread receives (largest - smallest) / median.
double bench_median(double *s, int n, double *spread);

// One training step of a recipe: time, memory, launches, and where the time goes.
enum weir_status bench_model(const struct bench_params *p, const struct weir_recipe *recipe);
// Single contractions, the shapes people compare.
enum weir_status bench_op(const struct bench_params *p);

#endif
