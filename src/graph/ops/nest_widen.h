// SPDX-License-Identifier: Apache-2.0
// 16-bit operands of contractions as f32 copies in scratch memory, where a loop nest finds the same
// numbers at row-major strides. Only for files of loop nests.
#ifndef WEIR_GRAPH_OPS_NEST_WIDEN_H
#define WEIR_GRAPH_OPS_NEST_WIDEN_H

#include <scalar.h>

#include "graph/nest.h"

#ifdef WEIR_REAL_DOUBLE // the oracle's elements are doubles in any case
static inline void widen_operands(const struct weir_nest_call *c, void *const *ptr, struct weir_nd *nd,
                           void **to)
{
    for (int i = 0; i < 3; i++) {
        nd[i] = i < 2 ? c->in[i] : c->out[0];
        to[i] = ptr[i];
    }
}
#else
static void widen_run(const uint16_t *src, int64_t step, enum weir_dtype t, float *dst, int64_t n)
{
    if (t == WEIR_F16)
        for (int64_t i = 0; i < n; i++)
            dst[i] = weir_f16_to_f32(src[i * step]);
    else
        for (int64_t i = 0; i < n; i++)
            dst[i] = weir_bf16_to_f32(src[i * step]);
}

// A row-major copy of `from` as f32; axes that repeat their elements are repeated no more.
static void widen(struct weir_nd *nd, const uint16_t *src, float *dst, int threads)
{
    const struct weir_nd from = *nd;
    int64_t dim[WEIR_MAX_RANK], size = 1, n = from.dim[from.rank - 1];
    for (int a = from.rank - 1; a >= 0; a--) {
        dim[a] = from.stride[a] == 0 ? 1 : from.dim[a];
        nd->stride[a] = from.stride[a] == 0 ? 0 : size;
        size *= dim[a];
    }
    nd->dtype = WEIR_F32;
    n = dim[from.rank - 1];
#pragma omp parallel for num_threads(threads)
    for (int64_t row = 0; row < (n ? size / n : 0); row++) {
        int64_t at = 0, i = row;
        for (int a = from.rank - 2; a >= 0; a--) {
            at += i % dim[a] * from.stride[a];
            i /= dim[a];
        }
        widen_run(src + at, from.stride[from.rank - 1], from.dtype, dst + row * n, n);
    }
}

// The call's operands and result with every float as f32, copies being made in scratch.
static inline void widen_operands(const struct weir_nest_call *c, void *const *ptr, struct weir_nd *nd,
                           void **to)
{
    float *scratch = NULL;
    for (int i = 0; i < 3; i++) {
        nd[i] = i < 2 ? c->in[i] : c->out[0];
        to[i] = ptr[i];
        if (nd[i].dtype != WEIR_F16 && nd[i].dtype != WEIR_BF16)
            continue;
        int64_t n = 1;
        for (int a = 0; a < nd[i].rank; a++)
            n *= nd[i].dim[a];
        scratch = scratch ? scratch : ptr[3];
        widen(&nd[i], ptr[i], scratch, c->threads);
        to[i] = scratch;
        scratch += n;
    }
}
#endif

#endif
