// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of `weir bench` share.
#ifndef WEIR_TOOLS_BENCH_H
#define WEIR_TOOLS_BENCH_H

#include <jansson.h>

#include "base/clock.h"
#include "train/recipe.h"
#include "weir/device.h"
#include "weir/ops.h"
#include "weir/program.h"

// What this device can do at most, measured; 0 = not measured (the host has no kernels of its own).
struct bench_roof {
    double flops;       // fused multiply-adds count two, a second
    double copy, cached; // bytes read and written a second: from memory, and inside the caches
    double launch;      // seconds a launch
};

struct bench_params {
    struct weir_log log;
    weir_device *dev;
    int repeats;        // timed runs; the median is reported
    const char *filter; // op: only rows whose name contains it (NULL = all)
    struct bench_roof roof;
    json_t *rows;       // what was measured, for --json
};

// Sorts `s` and returns its median; *spread receives (largest - smallest) / median.
double bench_median(double *s, int n, double *spread);
// Adds a row to p->rows: name, seconds of each timed run (borrowed), and more keys (taken, may be NULL).
void bench_add_row(const struct bench_params *p, const char *name, const double *s, int n, json_t *more);

// One training step of a recipe: time, memory, launches, and where the time goes.
enum weir_status bench_model(const struct bench_params *p, const struct weir_recipe *recipe);
// Fills p->roof; `print`: shows and records it too.
enum weir_status bench_roofline(struct bench_params *p, bool print);
// Single operations beside the roofline.
enum weir_status bench_op(struct bench_params *p);

// A graph of one operation being built. Operands are states, so that nothing is copied in.
enum { BENCH_STATES = 8, BENCH_OUTPUTS = 6 };
struct bench_graph {
    weir_device *dev;
    weir_graph *g;
    weir_state *state[BENCH_STATES];
    weir_value *out[BENCH_OUTPUTS];
    int n_states, n_out;
    double bytes; // of operands and results, each once
    enum weir_status status;
};
// The next operand, filled with numbers of size one. NULL when it cannot be made (status says why).
weir_value *bench_operand(struct bench_graph *b, struct weir_shape shape);
void bench_result(struct bench_graph *b, weir_value *v);
// The new value of operand i, in its place.
void bench_update(struct bench_graph *b, int i, weir_value *v);

struct bench_row {
    const char *name; // printf format over size[]
    void (*build)(struct bench_graph *b, const struct bench_row *row);
    double (*flop)(const struct bench_row *row); // NULL: bound by memory
    int size[7];
};
extern const struct bench_row bench_contract_rows[], bench_memory_rows[]; // end with a NULL name

#endif
