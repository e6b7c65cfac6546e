// SPDX-License-Identifier: Apache-2.0
// AdamW (Loshchilov & Hutter 2019, algorithm 2), in the order PyTorch computes it:
//   p -= lr wd p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g²
//   p -= (lr / (1 - b1^t)) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
#include <math.h>

#include "base/dmath.h"
#include "weir/optim.h"

enum { STEP_SIZE, INV_SQRT_C2, DECAY, N_SCALARS };

static void scalars(const struct weir_optimizer_config *c, int64_t step, double lr, double *out)
{
    double t = (double)(step + 1);
    out[STEP_SIZE] = lr / (1 - weir_d_pow(c->beta1, t));
    out[INV_SQRT_C2] = 1 / sqrt(1 - weir_d_pow(c->beta2, t));
    out[DECAY] = 1 - lr * c->weight_decay;
}

static void update(const struct weir_optimizer_config *c, weir_value *p, weir_value *g,
                   weir_value *const *slot, weir_value *const *scalar, bool decay,
                   weir_value **new_p, weir_value **new_slot)
{
    weir_value *m = weir_add(weir_mul_c(slot[0], c->beta1), weir_mul_c(g, 1 - c->beta1));
    weir_value *v =
        weir_add(weir_mul_c(slot[1], c->beta2), weir_mul_c(weir_mul(g, g), 1 - c->beta2));
    weir_value *denominator = weir_add_c(weir_mul(weir_sqrt(v), scalar[INV_SQRT_C2]), c->eps);
    if (decay && c->weight_decay != 0)
        p = weir_mul(p, scalar[DECAY]);
    *new_p = weir_sub(p, weir_mul(scalar[STEP_SIZE], weir_div(m, denominator)));
    new_slot[0] = m;
    new_slot[1] = v;
}

const struct weir_optimizer weir_optimizer_adamw = {
    .name = "adamw",
    .desc = "Adam with decoupled weight decay; beta1, beta2, eps, weight_decay",
    .defaults = { .beta1 = .9, .beta2 = .999, .eps = 1e-8, .weight_decay = 0 },
    .n_slots = 2,
    .slots = { "exp_avg", "exp_avg_sq" },
    .n_scalars = N_SCALARS,
    .scalars = scalars,
    .update = update,
};
