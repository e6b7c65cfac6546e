// SPDX-License-Identifier: Apache-2.0
// Optimizers: one row each. An update is a few values, so that the compiler fuses it and the whole
// step is one program; what changes from step to step comes in as scalars made on the host in exact
// double arithmetic.
#ifndef WEIR_OPTIM_H
#define WEIR_OPTIM_H

#include "weir/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_OPTIM_MAX_SCALARS 4

struct weir_optimizer_config {
    double beta1, beta2, eps, weight_decay, momentum;
    bool nesterov;
};

struct weir_optimizer {
    const char *name, *desc;
    struct weir_optimizer_config defaults;
    int n_slots;
    const char *slots[4]; // names of the per-parameter states, as PyTorch's optimizer calls them
    int n_scalars;
    // The scalars of update number `step` (0 = first) at learning rate lr.
    void (*scalars)(const struct weir_optimizer_config *c, int64_t step, double lr, double *out);
    // From parameter p, gradient g, slots and the scalars (rank 0): the new parameter and slots.
    void (*update)(const struct weir_optimizer_config *c, weir_value *p, weir_value *g,
                   weir_value *const *slot, weir_value *const *scalar, bool decay,
                   weir_value **new_p, weir_value **new_slot);
};

extern const struct weir_optimizer weir_optimizer_adamw; // Loshchilov & Hutter 2019, as PyTorch
                                                         // computes it
extern const struct weir_optimizer weir_optimizer_sgd;   // with (Nesterov) momentum, as PyTorch
                                                         // computes it
extern const struct weir_optimizer *const weir_optimizers[]; // NULL-ended
const struct weir_optimizer *weir_optimizer_find(const char *name);

// Learning-rate factor of update `step` of `steps`: linear warm-up over `warmup` updates, then
// constant or a half cosine down to `floor`.
enum weir_schedule { WEIR_SCHEDULE_CONSTANT, WEIR_SCHEDULE_COSINE };
double weir_schedule_factor(enum weir_schedule schedule, int64_t step, int64_t steps,
                            int64_t warmup, double floor);

#ifdef __cplusplus
}
#endif
#endif
