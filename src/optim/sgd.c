// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with momentum, in the order PyTorch computes it:
//   g += wd p;  b = mu b + g;  p -= lr b   (Nesterov: p -= lr (g + mu b))
// The buffer starts at zero, so the first step uses g itself, as PyTorch does.
#include "weir/optim.h"

static void scalars(const struct weir_optimizer_config *c, int64_t step, double lr, double *out)
{
    out[0] = lr;
}

static void update(const struct weir_optimizer_config *c, weir_value *p, weir_value *g,
                   weir_value *const *slot, weir_value *const *scalar, bool decay,
                   weir_value **new_p, weir_value **new_slot)
{
    if (decay && c->weight_decay != 0)
        g = weir_add(g, weir_mul_c(p, c->weight_decay));
    weir_value *b = weir_add(weir_mul_c(slot[0], c->momentum), g);
    weir_value *d = c->nesterov ? weir_add(g, weir_mul_c(b, c->momentum)) : b;
    *new_p = weir_sub(p, weir_mul(scalar[0], d));
    new_slot[0] = b;
}

const struct weir_optimizer weir_optimizer_sgd = {
    .name = "sgd",
    .desc = "stochastic gradient descent; momentum, nesterov, weight_decay",
    .defaults = { .momentum = .9 },
    .n_slots = 1,
    .slots = { "momentum_buffer" },
    .n_scalars = 1,
    .scalars = scalars,
    .update = update,
};
