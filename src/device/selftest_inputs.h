// SPDX-License-Identifier: Apache-2.0
// Hard inputs for float arithmetic: triples (x, y, z) from a fixed seed.
#ifndef WEIR_DEVICE_SELFTEST_INPUTS_H
#define WEIR_DEVICE_SELFTEST_INPUTS_H

#include <stdint.h>

// Fills planes x, y, z of n floats each. By i mod 8: any bits; z cancels x*y; a subnormal factor
// and z near the product; products in the subnormal range; z half an ulp from rounding; x near a
// multiple of y; a table of edges crossed with itself; halves around rounding to integer.
void weir_selftest_fill(float *x, float *y, float *z, int n);

// Moderate arguments, most of them where exp, erf, sin and the like vary.
void weir_selftest_fill_usual(float *x, float *y, float *z, int n);

#endif
