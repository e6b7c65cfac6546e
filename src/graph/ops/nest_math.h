// SPDX-License-Identifier: Apache-2.0
// What the loop nests of contractions, scans and linear algebra share: one fused multiply-add a
// name, and the canonical sum of products (chunks of 512 terms, docs/numerics.md).
#ifndef WEIR_GRAPH_OPS_NEST_MATH_H
#define WEIR_GRAPH_OPS_NEST_MATH_H

#include <math.h>
#include <string.h>

#include "graph/nest.h"

enum { WEIR_K_CHUNK = 512 };

#ifdef WEIR_REAL_DOUBLE
#define real_fma fma
#define real_sqrt sqrt
#else
#define real_fma fmaf // an instruction where the instruction set has one
#define real_sqrt sqrtf
#endif

// sum a[i sa] b[i sb] over i < n by the contraction rule.
static inline weir_real real_dot(const weir_real *a, int64_t sa, const weir_real *b, int64_t sb,
                                 int64_t n)
{
    weir_real sum = 0;
    for (int64_t i0 = 0; i0 < n; i0 += WEIR_K_CHUNK) {
        int64_t end = i0 + WEIR_K_CHUNK < n ? i0 + WEIR_K_CHUNK : n;
        weir_real chain = 0;
        for (int64_t i = i0; i < end; i++)
            chain = real_fma(a[i * sa], b[i * sb], chain);
        sum += chain;
    }
    return sum;
}

#endif
