// SPDX-License-Identifier: Apache-2.0
// The scalar maths of exact mode: one text for the C reference and for every OpenCL kernel, so that
// both compute the same bits. docs/numerics.md states the rules and each function's error bound.
//
//   C11         #include "scalar.h": static inline weir_<name>_<type>, type f (weir_f: float),
//               i (int32_t), u (uint32_t), b (a bool: int 0 or 1). Casts are weir_<from>2<to>.
//   OpenCL C    the same names on float, int, uint; and on 16 lanes with a v appended: float16,
//               int16, uint16; there a bool is an int16 of lanes 0 and -1.
//   C11 with    WEIR_REAL_DOUBLE: weir_f is double and the f functions are libm's or as exact: the
//               tests' oracle.
//
// Knobs of an OpenCL program, set by the device's self-test (as build options or #defines above):
//   WEIR_SOFT_FMA   the device's fma is not right for every input: scalar_fma.h has one made of
//                   + - * and bits
//   WEIR_SOFT_DIV   the device's / and sqrt are not correctly rounded: an integer routine corrects
//                   them (they may be off by up to 3 ulp, on normal inputs)
//   WEIR_FAST       fast mode: scalar_fast.h puts builtins in the place of some functions
//   WEIR_LOOPS_IN_ORDER   the device's compiler reorders sums when it vectorizes loops: loops.h
//
// The body is a template, included once for each width (WEIR_V); tools/embed expands #include "x"
// in place. C-only headers stand in <> so that it leaves them alone. Rules for the body: only
// + - * fma / sqrt rint, compares, ?:, integer and bit operations, and conversions of values that
// fit (never of NaN); fma, / and sqrt through WEIR_FMA, WEIR_DIV, WEIR_SQRT; no branches on data.
#ifndef WEIR_SCALAR_H
#define WEIR_SCALAR_H

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)

#define WEIR_OPENCL
#pragma OPENCL FP_CONTRACT OFF
#include "loops.h"

typedef float weir_f;
typedef int weir_i;
typedef uint weir_u;
typedef ushort weir_h;
typedef char weir_c;
typedef uchar weir_o;
typedef ulong weir_u64;

#define WEIR_FN static inline
#define weir_as_f(x) as_float(x)
#define weir_as_i(x) as_int(x)
#define weir_as_u(x) as_uint(x)
#define weir_mulhi(a, b) mul_hi(a, b)
#define weir_hw_fma(a, b, c) fma(a, b, c)
#define weir_hw_sqrt(x) sqrt(x)
#define weir_hw_rint(x) rint(x)

#else

#include <base/compiler.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef int32_t weir_i;
typedef uint32_t weir_u;
typedef uint16_t weir_h;
typedef int8_t weir_c;
typedef uint8_t weir_o;
typedef uint64_t weir_u64;

#define WEIR_FN static WEIR_INLINE

WEIR_FN float weir_as_f(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

WEIR_FN uint32_t weir_as_u(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    return u;
}

WEIR_FN int32_t weir_as_i(float f)
{
    int32_t i;
    memcpy(&i, &f, sizeof(i));
    return i;
}

#define weir_mulhi(a, b) ((weir_u)(((uint64_t)(a) * (b)) >> 32))
#define weir_hw_fma(a, b, c) fmaf(a, b, c)
#define weir_hw_sqrt(x) sqrtf(x)
#define weir_hw_rint(x) rintf(x)

#endif

// Their order is the order of definitions.
// clang-format off
#define WEIR_V 1
#include "scalar_width.h"
#include "scalar_int.h"
#include "scalar_random.h"
#if defined(WEIR_REAL_DOUBLE) && !defined(WEIR_OPENCL)
#include <scalar_real.h>
#else
#ifndef WEIR_OPENCL
typedef float weir_f;
#endif
#include "scalar_fma.h"
#include "scalar_soft.h"
#include "scalar_arith.h"
#include "scalar_exp.h"
#include "scalar_trig.h"
#include "scalar_erf.h"
#include "scalar_gamma.h"
#include "scalar_igamma.h"
#include "scalar_normal.h"
#endif
#undef WEIR_V

#ifdef WEIR_OPENCL
#define WEIR_V 16
#include "scalar_width.h"
#include "scalar_int.h"
#include "scalar_random.h"
#include "scalar_fma.h"
#include "scalar_arith.h"
#include "scalar_exp.h"
#include "scalar_trig.h"
#include "scalar_erf.h"
#include "scalar_gamma.h"
#include "scalar_igamma.h"
#include "scalar_normal.h"
#undef WEIR_V
#endif

#if defined(WEIR_OPENCL) && defined(WEIR_FAST)
#define WEIR_V 1
#include "scalar_width.h"
#include "scalar_fast.h"
#undef WEIR_V
#define WEIR_V 16
#include "scalar_width.h"
#include "scalar_fast.h"
#undef WEIR_V
#endif

#define WEIR_V 0
#include "scalar_width.h"
#undef WEIR_V
// clang-format on

#endif
