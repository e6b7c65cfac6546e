// SPDX-License-Identifier: Apache-2.0
// Double maths with the same bits on every CPU: + - * / sqrt fma alone, never libm's functions,
// whose results differ between CPUs. For values that reach a device: grids, coefficients, learning
// rates, bias correction, toy data, initial values. Slow (some 100 ns a call) beside libm.
//
// Errors are below 1 ulp (measured against MPFR; docs/numerics.md lists them); edges as in C11
// Annex F. Pure functions: thread-safe.
#ifndef WEIR_BASE_DMATH_H
#define WEIR_BASE_DMATH_H

double weir_d_exp(double x);
double weir_d_expm1(double x);
double weir_d_log(double x);
double weir_d_log1p(double x);
double weir_d_pow(double x, double y);
double weir_d_sqrt(double x);
double weir_d_sin(double x); // full range reduction
double weir_d_cos(double x);
double weir_d_sinpi(double x); // sin(pi x), exact at multiples of 1/2
double weir_d_cospi(double x);
double weir_d_tanh(double x);
double weir_d_erf(double x);
double weir_d_erfinv(double x); // NaN outside [-1, 1]

#endif
