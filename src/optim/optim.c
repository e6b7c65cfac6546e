// SPDX-License-Identifier: Apache-2.0
// The list of optimizers and the learning-rate schedules.
#include <string.h>

#include "base/dmath.h"
#include "weir/optim.h"

const struct weir_optimizer *const weir_optimizers[] = {
    &weir_optimizer_adamw,
    &weir_optimizer_sgd,
    NULL,
};

const struct weir_optimizer *weir_optimizer_find(const char *name)
{
    for (const struct weir_optimizer *const *o = weir_optimizers; *o; o++)
        if (!strcmp((*o)->name, name))
            return *o;
    return NULL;
}

double weir_schedule_factor(enum weir_schedule schedule, int64_t step, int64_t steps,
                            int64_t warmup, double floor)
{
    if (step < warmup)
        return (double)(step + 1) / (double)warmup;
    if (schedule == WEIR_SCHEDULE_CONSTANT || steps <= warmup)
        return 1;
    double at = (double)(step - warmup) / (double)(steps - warmup);
    at = at > 1 ? 1 : at;
    return floor + (1 - floor) * .5 * (1 + weir_d_cos(3.141592653589793 * at));
}
