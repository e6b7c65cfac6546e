// SPDX-License-Identifier: Apache-2.0
// Template body (scalar.h): fast mode's functions (WEIR_FAST), by the driver's builtins, and behind
// them the one table of what takes the place of what in kernels. The error bounds are OpenCL's own
// (docs/numerics.md, section 15), so the full builtins are taken: native_ ones promise nothing.
//
// Only what is in the table changes, and in it is what no driver at hand does slower than scalar.h:
// PoCL 3.1 takes twice the time for erf and expm1, four times for pow. Functions that call others inside scalar.h (gamma functions,
// normal numbers, casts) keep the exact ones, which rely on a sum being no fma: so contraction is
// switched on behind them. Infinities and NaN keep their rules, which is why no relaxed-math option
// is given to the compiler.

WEIR_FN VF VN(fast_exp_f)(VF x)
{
    return exp(x);
}

WEIR_FN VF VN(fast_log_f)(VF x)
{
    return log(x);
}

WEIR_FN VF VN(fast_sin_f)(VF x)
{
    return sin(x);
}

WEIR_FN VF VN(fast_cos_f)(VF x)
{
    return cos(x);
}

WEIR_FN VF VN(fast_tanh_f)(VF x)
{
    return tanh(x);
}

WEIR_FN VF VN(fast_atan2_f)(VF y, VF x)
{
    return atan2(y, x);
}

WEIR_FN VF VN(fast_sigmoid_f)(VF x)
{
    return 1.0f / (1.0f + exp(-x));
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
WEIR_FN VF VN(fast_softplus_f)(VF x)
{
    VF y = log1p(exp(-VN(abs_f)(x)));
    return x > 0.0f ? x + y : y;
}

// NaN is made by a select, as in sqrt_f.
WEIR_FN VF VN(fast_rsqrt_f)(VF x)
{
    VI ok = x >= 0.0f;
    VF r = rsqrt(ok ? x : KF(1.0f));
    return ok ? r : VN(nan_f)();
}

// fmod is exact, so it needs no correctly rounded division.
WEIR_FN VF VN(fast_mod_f)(VF a, VF b)
{
    VF r = fmod(a, b);
    VI differ = (AS_I(a) ^ AS_I(b)) < 0;
    r = (differ & (r != 0.0f)) ? r + b : r;
    return r == 0.0f ? VN(copysign_f)(r, b) : r;
}

// Where fma is slow, a product and a sum.
WEIR_FN VF VN(fast_fma_f)(VF a, VF b, VF c)
{
#ifdef FP_FAST_FMAF
    return fma(a, b, c);
#else
    return a * b + c;
#endif
}

#if WEIR_V == 16

#define weir_exp_f weir_fast_exp_f
#define weir_exp_fv weir_fast_exp_fv
#define weir_log_f weir_fast_log_f
#define weir_log_fv weir_fast_log_fv
#define weir_sin_f weir_fast_sin_f
#define weir_sin_fv weir_fast_sin_fv
#define weir_cos_f weir_fast_cos_f
#define weir_cos_fv weir_fast_cos_fv
#define weir_tanh_f weir_fast_tanh_f
#define weir_tanh_fv weir_fast_tanh_fv
#define weir_atan2_f weir_fast_atan2_f
#define weir_atan2_fv weir_fast_atan2_fv
#define weir_sigmoid_f weir_fast_sigmoid_f
#define weir_sigmoid_fv weir_fast_sigmoid_fv
#define weir_softplus_f weir_fast_softplus_f
#define weir_softplus_fv weir_fast_softplus_fv
#define weir_rsqrt_f weir_fast_rsqrt_f
#define weir_rsqrt_fv weir_fast_rsqrt_fv
#define weir_mod_f weir_fast_mod_f
#define weir_mod_fv weir_fast_mod_fv
#define weir_fma_f weir_fast_fma_f
#define weir_fma_fv weir_fast_fma_fv

#pragma OPENCL FP_CONTRACT ON

#endif
