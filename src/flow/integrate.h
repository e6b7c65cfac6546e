// SPDX-License-Identifier: Apache-2.0
// Runs a solver on a device: y from s0 to s1, the state resident, one program replayed a step.
#ifndef WEIR_FLOW_INTEGRATE_H
#define WEIR_FLOW_INTEGRATE_H

#include "weir/flow.h"

#define WEIR_INTEGRATOR_MAX_INPUTS 4

// Fed to the field in every evaluation: labels, probes, ...
struct weir_integrator_input {
    enum weir_dtype dtype;
    struct weir_shape shape;
    const char *name;
};

struct weir_integrator_params {
    struct weir_log log;
    weir_device *dev;
    const struct weir_solver *solver;
    struct weir_shape shape; // of y; axis 0 is the row
    // dy/ds; in[]: the extra inputs as values of y's graph.
    weir_value *(*field)(void *ctx, weir_value *y, weir_value *s, weir_value *const *in);
    // Where the last fixed step ends elsewhere than the grid: y after the grid's end, or NULL.
    weir_value *(*finish)(void *ctx, weir_value *y, weir_value *s, weir_value *const *in);
    void *ctx;
    int n_inputs;
    struct weir_integrator_input inputs[WEIR_INTEGRATOR_MAX_INPUTS];
    const double *grid; // steps + 1 values; adaptive solvers use the ends only
    int steps;
    double rtol, atol;  // adaptive
    // churn solvers: Karras et al. 2022, algorithm 2; noise drawn with the per-row seeds u32 (rows,
    // 2) that input 0 then is.
    double churn, churn_min, churn_max, churn_noise;
    enum weir_numerics numerics;
    const char *label, *dump_dir;
};

typedef struct weir_integrator weir_integrator;

enum weir_status weir_integrator_create(const struct weir_integrator_params *params,
                                        weir_integrator **out);
void weir_integrator_destroy(weir_integrator **integrator);

// y (host memory, row-major) is replaced by the solution. data[i]: the extra inputs. *nfe, if not
// NULL, receives the evaluations of the field (batch evaluations).
// Errors: NONFINITE when the field of an adaptive solver is not, or the end is not reached in 10000
// attempts.
enum weir_status weir_integrator_run(weir_integrator *integrator, float *y, const void *const *data,
                                     int64_t *nfe);

#endif
