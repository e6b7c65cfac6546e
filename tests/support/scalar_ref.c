// SPDX-License-Identifier: Apache-2.0
// kernels/scalar.h in double, behind a table: it cannot share a file with the float variant.
#define WEIR_REAL_DOUBLE
#include "scalar.h"

#include "scalar_ref.h"
#include "scalar_rows.h"

#define REF(name, bound, below)                                                                    \
    static double ref_##name(double x)                                                             \
    {                                                                                              \
        return weir_##name##_f(x);                                                                 \
    }
SCALAR_UNARY(REF)

#define REF_ROW(name, bound, below) ref_##name,
static double (*const refs[])(double) = {SCALAR_UNARY(REF_ROW)};

double scalar_exact(int row, double x)
{
    return refs[row](x);
}

double scalar_pow(double x, double y)
{
    return weir_pow_f(x, y);
}

double scalar_atan2(double y, double x)
{
    return weir_atan2_f(y, x);
}

double scalar_mod(double a, double b)
{
    return weir_mod_f(a, b);
}

double scalar_igamma(double a, double x)
{
    return weir_igamma_f(a, x);
}

double scalar_random_normal(uint32_t elem, uint32_t row, uint32_t step, uint32_t stream,
                            uint32_t k0, uint32_t k1)
{
    return weir_random_normal_f(elem, row, step, stream, k0, k1);
}
