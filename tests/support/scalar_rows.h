// SPDX-License-Identifier: Apache-2.0
// The unary float functions of kernels/scalar.h, one row each, for every test that walks them:
// ROW(name, bound, below): |result - exact| <= bound ulp of the exact value for x >= 0, and <=
// below ulp for x < 0. There lgamma counts ulp of the largest of the value, lgamma(|x|) and 1, and
// digamma of the largest of the value, log |x| and 1, because both have zeros between all negative
// integers.
#ifndef WEIR_TESTS_SCALAR_ROWS_H
#define WEIR_TESTS_SCALAR_ROWS_H

#include <stdint.h>

#define SCALAR_UNARY(ROW)                                                                          \
    ROW(neg, 0.0, 0.0)                                                                             \
    ROW(abs, 0.0, 0.0)                                                                             \
    ROW(exp, 1.0, 1.0)                                                                             \
    ROW(expm1, 1.0, 1.0)                                                                           \
    ROW(log, 1.0, 1.0)                                                                             \
    ROW(log1p, 1.0, 1.0)                                                                           \
    ROW(sin, 1.0, 1.0)                                                                             \
    ROW(cos, 1.0, 1.0)                                                                             \
    ROW(tanh, 1.0, 1.0)                                                                            \
    ROW(erf, 1.0, 1.0)                                                                             \
    ROW(erfinv, 3.0, 3.0)                                                                          \
    ROW(sigmoid, 1.0, 1.0)                                                                         \
    ROW(softplus, 2.0, 2.0)                                                                        \
    ROW(sqrt, 0.5, 0.5)                                                                            \
    ROW(rsqrt, 1.5, 1.5)                                                                           \
    ROW(square, 0.5, 0.5)                                                                          \
    ROW(reciprocal, 0.5, 0.5)                                                                      \
    ROW(floor, 0.0, 0.0)                                                                           \
    ROW(ceil, 0.0, 0.0)                                                                            \
    ROW(rint, 0.0, 0.0)                                                                            \
    ROW(sign, 0.0, 0.0)                                                                            \
    ROW(lgamma, 2.0, 4.0)                                                                          \
    ROW(digamma, 3.0, 8.0)                                                                         \
    ROW(i0e, 4.0, 4.0)

struct scalar_row {
    const char *name;
    double bound[2]; // x >= 0, x < 0 (by sign bit)
};

extern const struct scalar_row scalar_rows[]; // in the order of SCALAR_UNARY
extern const int scalar_row_count;

float scalar_got(int row, float x);     // kernels/scalar.h in float
double scalar_exact(int row, double x); // the same in double

struct scalar_worst {
    double error; // in ulp; infinite where a sign, a NaN or an infinity is wrong
    uint32_t bits;
};

// The worst of row over one input from each run of 2^step bit patterns (step 0: all), and numbers
// with short fractions and their neighbours: worst[0] with the sign bit clear, worst[1] with it
// set.
void scalar_sweep(int row, int step, struct scalar_worst worst[2]);

// |got - exact| in ulp of a float of size `unit`; infinite where a sign, NaN or infinity is wrong.
double scalar_error(float got, double exact, double unit);

#endif
