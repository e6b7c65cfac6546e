// SPDX-License-Identifier: Apache-2.0
// Functions of kernels/scalar.h in double that are not unary (those: scalar_rows.h).
#ifndef WEIR_TESTS_SCALAR_REF_H
#define WEIR_TESTS_SCALAR_REF_H

#include <stdint.h>

double scalar_pow(double x, double y);
double scalar_atan2(double y, double x);
double scalar_mod(double a, double b);
double scalar_igamma(double a, double x);
double scalar_random_normal(uint32_t elem, uint32_t row, uint32_t step, uint32_t stream,
                            uint32_t k0, uint32_t k1);

#endif
