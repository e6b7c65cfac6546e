// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of `weir bench` share.
#ifndef WEIR_TOOLS_BENCH_H
#define WEIR_TOOLS_BENCH_H

#include <jansson.h>

#include "base/clock.h"
#include "train/train.h"
#include "tune.h"
#include "weir/device.h"
#include "weir/ops.h"
#include "weir/program.h"

enum { BENCH_SCHEMA = 2, BENCH_MAX_REPEATS = 1000, BENCH_MAX_WORDS = 256 };
#define BENCH_DRIFT .05 // between a row's first and last runs: more flags it

// What this device can do at most, measured; 0 = not measured (the host has no kernels of its own).
struct bench_roof {
    double flops;        // fused multiply-adds count two, a second
    double copy, cached; // bytes read and written a second: from memory, and inside the caches
    double launch;       // seconds a launch, many behind one another
    double latency;      // seconds from asking for one launch to knowing that it is done
};

struct bench_params {
    struct weir_log log;
    weir_device *dev;
    int repeats;        // timed runs; the median is reported
    const char *words[BENCH_MAX_WORDS]; // after the benchmark's name
    int n_words;
    const char *sets[64]; // changes of the recipe
    int n_sets;
    const char *numerics; // --numerics, or NULL
    struct weir_compile_params compile; // model: what --off turns off
    struct cli_tune tune;
    bool compile_only;  // in a worker of --tune full
    const char *out;    // export: the folder (NULL = this one)
    const char *svg;    // op: the picture to draw (NULL = none)
    struct bench_roof roof;
    json_t *rows;       // what was measured, for --json
};

// Of n <= BENCH_MAX_REPEATS times, which keep their order.
double bench_median(const double *s, int n);
double bench_spread(const double *s, int n); // (largest - smallest) / median
double bench_drift(const double *s, int n);  // last third over first third, less 1
// "  drifts by 7 %" or "": for the end of a row.
const char *bench_drift_note(const double *s, int n, char *dst, size_t size);
// Adds a row to p->rows: name, seconds of each timed run in their order, and more keys (taken, may be NULL).
void bench_add_row(const struct bench_params *p, const char *name, const double *s, int n, json_t *more);
// "name, 3 of 10" on a terminal, over the line before; NULL takes it away.
void bench_progress(const char *name, int i, int n);
// Clocks (MHz) and the highest temperature (degrees Celsius) where `root` (/sys) has them.
json_t *bench_system(const char *root);
// The recipe that words[0] names, with the changes of --set.
enum weir_status bench_recipe(const struct bench_params *p, struct weir_recipe *out);

// One training step of a recipe: time, memory, launches, and where the time goes.
enum weir_status bench_model(struct bench_params *p);
// The slowest kernel of a recipe's step, or the one that words[1] names, as files that need no Weir.
enum weir_status bench_export(struct bench_params *p);
// The ratios of two result files, words[0] and words[1]; needs no device.
enum weir_status bench_compare(struct bench_params *p);

// A training step of a recipe with a batch made up.
struct bench_step {
    struct weir_run_state run;
    weir_step *step;
    float *data[WEIR_STEP_MAX_ACCUMULATE];
    int32_t *label[WEIR_STEP_MAX_ACCUMULATE];
};
// Of the recipe words[0], compiled as p->compile says. Destroy it after an error too.
enum weir_status bench_step_create(struct bench_params *p, struct bench_step *s);
void bench_step_destroy(struct bench_step *s);
enum weir_status bench_step_run(struct bench_step *s, int64_t index); // waits

// A batch of samples of a recipe.
enum weir_status bench_sample(struct bench_params *p);
// Fills p->roof.
enum weir_status bench_measure_roof(struct bench_params *p);
// The same, shown and recorded.
enum weir_status bench_roofline(struct bench_params *p);
// Single operations beside the roofline.
enum weir_status bench_op(struct bench_params *p);
// Compiles them, no more.
enum weir_status bench_compile_ops(struct bench_params *p);
// The names of the single operations, as JSON on stdout.
void bench_list_ops(void);

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
// The same of i32, 0 .. limit - 1.
weir_value *bench_indices(struct bench_graph *b, struct weir_shape shape, int limit);
weir_value *bench_bytes(struct bench_graph *b, struct weir_shape shape); // of i8
// The same with these elements (taken; NULL is no memory).
weir_value *bench_given(struct bench_graph *b, enum weir_dtype dtype, struct weir_shape shape, void *data);
void bench_result(struct bench_graph *b, weir_value *v);
// The new value of operand i, in its place.
void bench_update(struct bench_graph *b, int i, weir_value *v);

// A row's rate is FLOP a second where it has `flop`, else bytes a second, and its work what the compiled graph
// counts (weir_program_info.flop), an instruction as two FLOP.
struct bench_row {
    const char *name; // "KIND " and a printf format over size[]
    void (*build)(struct bench_graph *b, const struct bench_row *row);
    double (*flop)(const struct bench_row *row);
    int size[7];
    bool gradients; // those of all operands too
};
// The sizes up to the first 0 as a shape.
struct weir_shape bench_shape(const struct bench_row *r);
// y as a result; where the row has gradients, those to x[0 .. n) too, given that of y as one more operand.
void bench_finish(struct bench_graph *b, const struct bench_row *r, weir_value *y, weir_value *const *x, int n);
struct bench_table {
    const char *group, *color;    // in the roofline's picture
    const struct bench_row *rows; // end with a NULL name
};
extern const struct bench_table bench_tables[]; // ends with a NULL group
extern const struct bench_row bench_gemm_rows[], bench_conv_rows[], bench_attention_rows[], bench_memory_rows[],
    bench_other_rows[];

// A row as measured, for the roofline's picture.
struct bench_point {
    char name[96];
    const struct bench_table *table;
    double work, bytes, s; // FLOP (an instruction counts two), bytes, seconds
};
enum weir_status bench_svg(const struct bench_params *p, const struct bench_point *points, int n);

#endif
