// SPDX-License-Identifier: Apache-2.0
// Compares each unary float function with its double over a grid of all bit patterns.
#include <math.h>
#include <string.h>

#include "scalar.h"

#include "scalar_rows.h"

#define GOT(name, bound, below)                                                                    \
    static float got_##name(float x)                                                               \
    {                                                                                              \
        return weir_##name##_f(x);                                                                 \
    }
SCALAR_UNARY(GOT)

#define GOT_ROW(name, bound, below) got_##name,
static float (*const gots[])(float) = {SCALAR_UNARY(GOT_ROW)};

#define INFO_ROW(name, bound, below) {#name, {bound, below}},
const struct scalar_row scalar_rows[] = {SCALAR_UNARY(INFO_ROW)};
const int scalar_row_count = sizeof(scalar_rows) / sizeof(scalar_rows[0]);

float scalar_got(int row, float x)
{
    return gots[row](x);
}

double scalar_error(float got, double exact, double unit)
{
    if (exact != exact || got != got)
        return exact != exact && got != got ? 0 : (double)INFINITY;
    if (exact == 0)
        return got == 0 && !signbit(got) == !signbit(exact) ? 0 : (double)INFINITY;
    if (!signbit(got) != !signbit(exact) && unit <= fabs(exact))
        return (double)INFINITY;
    // An infinity counts as 2^128: right where the exact value lies there or above.
    double y = isinf(got) ? copysign(0x1p128, got) : got;
    double x = fabs(exact) > 0x1p128 ? copysign(0x1p128, exact) : exact;
    if (y == x)
        return 0;
    int e = ilogb(unit < 0x1p127 ? unit : 0x1p127);
    return ldexp(fabs(y - x), 23 - (e < -126 ? -126 : e));
}

static double row_error(int row, float x)
{
    double exact = scalar_exact(row, x), unit = fabs(exact);
    if (x < 0 && !strcmp(scalar_rows[row].name, "lgamma"))
        unit = fmax(unit, fmax(1, fabs(scalar_exact(row, -(double)x))));
    if (x < 0 && !strcmp(scalar_rows[row].name, "digamma"))
        unit = fmax(unit, fmax(1, log(-(double)x)));
    return scalar_error(scalar_got(row, x), exact, unit);
}

static void look(int row, uint32_t bits, struct scalar_worst *worst)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    double error = row_error(row, x);
    if (error > worst->error)
        *worst = (struct scalar_worst){error, bits};
}

// The worst of `runs` inputs from bit pattern `first` on.
static struct scalar_worst sweep_half(int row, int step, uint32_t first, int64_t runs)
{
    struct scalar_worst worst = {-1, 0};
#pragma omp parallel
    {
        struct scalar_worst mine = {-1, 0};
#pragma omp for schedule(dynamic, 65536)
        for (int64_t i = 0; i < runs; i++) {
            // Within a run the low bits come from a hash of its number.
            uint32_t low = (uint32_t)i * 2654435761u;
            uint32_t bits = first + (uint32_t)(i << step) + (step ? low >> (32 - step) : 0);
            look(row, bits, &mine);
        }
        // The numbers with short fractions, where pieces meet, and their neighbours.
#pragma omp for schedule(dynamic, 4096)
        for (int64_t i = 0; i < 3 << 15; i++)
            look(row, first + (uint32_t)(i / 3 << 16) + (uint32_t)(i % 3) - (i > 0), &mine);
#pragma omp critical
        if (mine.error > worst.error)
            worst = mine;
    }
    return worst;
}

void scalar_sweep(int row, int step, struct scalar_worst worst[2])
{
    worst[0] = sweep_half(row, step, 0, (int64_t)1 << (31 - step));
    worst[1] = sweep_half(row, step, 0x80000000u, (int64_t)1 << (31 - step));
}
