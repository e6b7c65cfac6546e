// SPDX-License-Identifier: Apache-2.0
// Solvers: the tableaus, one row each, and the list.
#include <string.h>

#include "weir/flow.h"

#define TABLEAU(name, order_, stages_, low, same, ...)                                             \
    static const struct weir_tableau name = { .stages = stages_,                                   \
                                              .order = order_,                                     \
                                              .a = name##_a,                                       \
                                              .b = name##_b,                                       \
                                              .c = name##_c,                                       \
                                              .b_low = low,                                        \
                                              .fsal = same }

static const double euler_a[] = { 0 }, euler_b[] = { 1 }, euler_c[] = { 0 };
TABLEAU(euler, 1, 1, NULL, false);

static const double midpoint_a[] = { 0, 0, .5, 0 }, midpoint_b[] = { 0, 1 },
                    midpoint_c[] = { 0, .5 };
TABLEAU(midpoint, 2, 2, NULL, false);

static const double heun_a[] = { 0, 0, 1, 0 }, heun_b[] = { .5, .5 }, heun_c[] = { 0, 1 };
TABLEAU(heun, 2, 2, NULL, false);

static const double rk4_a[] = { 0, 0, 0, 0, .5, 0, 0, 0, 0, .5, 0, 0, 0, 0, 1, 0 };
static const double rk4_b[] = { 1. / 6, 1. / 3, 1. / 3, 1. / 6 }, rk4_c[] = { 0, .5, .5, 1 };
TABLEAU(rk4, 4, 4, NULL, false);

// Dormand & Prince 1980, table 2.
static const double dopri5_a[] = {
    0, 0, 0, 0, 0, 0, 0,
    1. / 5, 0, 0, 0, 0, 0, 0,
    3. / 40, 9. / 40, 0, 0, 0, 0, 0,
    44. / 45, -56. / 15, 32. / 9, 0, 0, 0, 0,
    19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729, 0, 0, 0,
    9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656, 0, 0,
    35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0,
};
static const double dopri5_b[] = {
    35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0
};
static const double dopri5_low[] = { 5179. / 57600,    0,           7571. / 16695, 393. / 640,
                                     -92097. / 339200, 187. / 2100, 1. / 40 };
static const double dopri5_c[] = { 0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1 };
TABLEAU(dopri5, 5, 7, dopri5_low, true);

static const struct weir_solver row_euler = { .name = "euler",
                                              .desc = "Euler, order 1, 1 evaluation a step",
                                              .tableau = &euler };
static const struct weir_solver row_midpoint = {
    .name = "midpoint",
    .desc = "explicit midpoint, order 2, 2 evaluations a step",
    .tableau = &midpoint
};
static const struct weir_solver row_heun = { .name = "heun",
                                             .desc = "Heun, order 2, 2 evaluations a step",
                                             .tableau = &heun };
static const struct weir_solver row_rk4 = {
    .name = "rk4", .desc = "classical Runge-Kutta, order 4, 4 evaluations a step", .tableau = &rk4
};
static const struct weir_solver row_dopri5 = {
    .name = "dopri5",
    .desc = "Dormand-Prince 5(4), every sample with its own steps",
    .tableau = &dopri5,
    .adaptive = true
};
static const struct weir_solver row_edm_heun = {
    .name = "edm-heun",
    .desc = "EDM's Heun with churn (Karras et al. 2022, algorithm 2)",
    .tableau = &heun,
    .churn = true
};

const struct weir_solver *const weir_solvers[] = {
    &row_euler, &row_midpoint, &row_heun, &row_rk4, &row_dopri5, &row_edm_heun, NULL,
};

const struct weir_solver *weir_solver_find(const char *name)
{
    for (const struct weir_solver *const *s = weir_solvers; *s; s++)
        if (!strcmp((*s)->name, name))
            return *s;
    return NULL;
}
