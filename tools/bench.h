// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of `weir bench` share.
#ifndef WEIR_TOOLS_BENCH_H
#define WEIR_TOOLS_BENCH_H

#include <jansson.h>

#include "train/recipe.h"
#include "weir/device.h"

struct bench_params {
    struct weir_log log;
    weir_device *dev;
    int repeats;   // timed runs; the median is reported
    const char *filter; // op: only rows whose name contains it (NULL = all)
    json_t *rows;       // what was measured, for --json
};

double bench_now(void); // seconds, monotonic
// Sorts `s` and returns its median; *spread receives (largest - smallest) / median.
double bench_median(double *s, int n, double *spread);
// Adds a row to p->rows: name, seconds of each timed run (borrowed), and more keys (taken, may be NULL).
void bench_add_row(const struct bench_params *p, const char *name, const double *s, int n, json_t *more);

// One training step of a recipe: time, memory, launches, and where the time goes.
enum weir_status bench_model(const struct bench_params *p, const struct weir_recipe *recipe);
// Single contractions, the shapes people compare.
enum weir_status bench_op(const struct bench_params *p);

#endif
