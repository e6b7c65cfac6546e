// SPDX-License-Identifier: Apache-2.0
// The list of objectives and their defaults.
#include <string.h>

#include "weir/flow.h"

const struct weir_objective_config weir_objective_defaults = {
    .time_mean = 0,
    .time_std = 1,
    .p_mean = -1.2,
    .p_std = 1.2,
    .sigma_data = .5,
    .sigma_min = .002,
    .sigma_max = 80,
    .rho = 7,
};

const struct weir_objective *const weir_objectives[] = {
    &weir_objective_cfm,
    &weir_objective_edm,
    NULL,
};

const struct weir_objective *weir_objective_find(const char *name)
{
    for (const struct weir_objective *const *o = weir_objectives; *o; o++)
        if (!strcmp((*o)->name, name))
            return *o;
    return NULL;
}
