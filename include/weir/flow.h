// SPDX-License-Identifier: Apache-2.0
// Flow matching and diffusion: objectives, solvers, guidance, likelihood. One row each; networks
// come in as callbacks. Axis 0 of every tensor is the row (the sample).
//
// Time. Flows: t = 0 is noise, t = 1 is data. Diffusion (edm): the variable is the noise level
// sigma, from sigma_max down to 0.
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "weir/ops.h"
#include "weir/program.h"

#ifdef __cplusplus
extern "C" {
#endif

// A network: x (n, item..), t f32 (n), label i32 (n) or NULL -> (n, item..).
struct weir_net {
    weir_value *(*fn)(void *ctx, weir_value *x, weir_value *t, weir_value *label);
    void *ctx;
};

// Where randomness of a graph comes from: docs/numerics.md, "Random".
struct weir_random {
    weir_value *seed; // u32 (2), or (rows, 2): then a row's numbers depend on its own seed only
    weir_value *step; // u32 scalar
    weir_value *row0; // u32 scalar: global number of row 0
};

enum weir_times { WEIR_TIMES_UNIFORM, WEIR_TIMES_LOGIT_NORMAL };

struct weir_objective_config {
    enum weir_times times;           // cfm
    double time_mean, time_std;      // logit-normal: t = sigmoid(mean + std n)
    double p_mean, p_std;            // edm: ln sigma = mean + std n
    double sigma_data, sigma_min, sigma_max, rho;
};
extern const struct weir_objective_config weir_objective_defaults; // Karras et al. 2022 for edm

// A loss for training and the field its samplers integrate.
struct weir_objective {
    const char *name, *desc;
    // Scalar mean loss of a batch.
    weir_value *(*loss)(const struct weir_objective_config *c, const struct weir_net *net,
                        const struct weir_random *r, weir_value *data, weir_value *label);
    // dx/ds at x, s (n), where s runs from s0 to s1; samples start as std0 times standard normal.
    weir_value *(*field)(const struct weir_objective_config *c, const struct weir_net *net,
                         weir_value *x, weir_value *s, weir_value *label);
    // Grid of `steps` steps: steps + 1 values s[0] .. s[steps].
    void (*grid)(const struct weir_objective_config *c, int steps, double *s);
    double (*prior_std)(const struct weir_objective_config *c);
    // The denoised image at x, s: the last step to the data end where the field cannot go (or
    // NULL).
    weir_value *(*denoise)(const struct weir_objective_config *c, const struct weir_net *net,
                           weir_value *x, weir_value *s, weir_value *label);
};
extern const struct weir_objective weir_objective_cfm; // Lipman et al. 2023, linear path
extern const struct weir_objective weir_objective_edm; // Karras et al. 2022
extern const struct weir_objective *const weir_objectives[]; // NULL-ended
const struct weir_objective *weir_objective_find(const char *name);

// An ordinary differential equation dy/ds = f(y, s), y (n, ..), s f32 (n).
struct weir_ode {
    weir_value *(*f)(void *ctx, weir_value *y, weir_value *s);
    void *ctx;
};

// Explicit Runge-Kutta: a is strictly lower triangular, row-major stages x stages.
struct weir_tableau {
    int stages, order;
    const double *a, *b, *c;
    const double *b_low; // embedded weights of the error estimate, or NULL
    bool fsal;           // the last stage is the next step's first
};

struct weir_solver {
    const char *name, *desc;
    const struct weir_tableau *tableau;
    bool adaptive; // per row: every sample has its own step
    bool churn;    // EDM's stochastic Heun (edm only)
};
extern const struct weir_solver *const weir_solvers[]; // NULL-ended
const struct weir_solver *weir_solver_find(const char *name);

// y after one step of length h from s (both scalars of the graph).
weir_value *weir_rk_step(const struct weir_tableau *tableau, const struct weir_ode *ode,
                         weir_value *y, weir_value *s, weir_value *h);

// One attempt of an adaptive step, a value in, a value out; all per row (n), k1 = f(y, s). A row whose
// error is not finite even at the smallest step has s = NaN from there on, and changes no more.
struct weir_adaptive {
    weir_value *y, *s, *h, *k1, *err, *rejected; // err: of the last accepted step; rejected: 1
                                                 // after a reject
};
struct weir_adaptive_config {
    double s0, s1;     // from, to (s1 < s0 integrates backwards)
    double rtol, atol; // 0 = 1e-5
    double h_min;      // steps this small are accepted whatever the error (0 = |s1 - s0| 1e-5)
};
struct weir_adaptive weir_adaptive_step(const struct weir_tableau *tableau,
                                        const struct weir_ode *ode,
                                        const struct weir_adaptive_config *config,
                                        struct weir_adaptive in);

// Classifier-free guidance: u + weight (c - u), the network called once on both halves. The null
// label is `null_label`. weight 1 = the conditional network.
weir_value *weir_guided(const struct weir_net *net, weir_value *x, weir_value *t, weir_value *label,
                        int null_label, double weight);

// Divergence of a field v(x) (n, item..) along its items: (n). `exact` takes one jvp a dimension;
// otherwise Hutchinson's eᵀ J e with the given probe e (shape of x).
weir_value *weir_divergence(const struct weir_ode *ode, weir_value *x, weir_value *s,
                            weir_value *probe, weir_value **v);

#ifdef __cplusplus
}
#endif
#endif
