// SPDX-License-Identifier: Apache-2.0
// The matrix engine of NVIDIA's GPUs from compute capability 8.0 on, by inline PTX: mma.sync of a
// warp, 16 x 8 results of 8 terms of tf32, or of 16 of bf16 or f16. In a file of its own because no
// other compiler may see it. What contract_engine.cl wants of an engine stands there.
//
// Fragments, as the PTX ISA has them for m16n8k8 (tf32) and m16n8k16 (bf16, f16), with g = lane / 4
// and t = lane % 4; a word is one term of tf32 or two of 16 bits, so that both are alike:
//   a: words t of rows g and g + 8, words t + 4 of rows g and g + 8
//   b: words t and t + 4 of column g
//   results: row g columns 2t and 2t + 1, row g + 8 columns 2t and 2t + 1
#ifndef EN_TYPE
#define EN_TYPE 0
#define EN_LANES 32
#define EN_M 16
#define EN_N 8
#define EN_K 8
#endif
#if EN_LANES != 32 || EN_M != 16 || EN_N != 8 || EN_K != (EN_TYPE ? 16 : 8)
#error "mma.sync has no such shape"
#endif
#define EN_A_WORDS 4
#define EN_B_WORDS 2
#define EN_RESULTS 4
#define EN_ROW(lane, i) ((lane) / 4 + (i) / 2 * 8)
#define EN_COL(lane, i) ((lane) % 4 * 2 + (i) % 2)
#define EN_LOAD_A(to, p, pitch, lane) weir_mma_load_a(to, p, pitch, lane)
#define EN_LOAD_B(to, p, pitch, lane) weir_mma_load_b(to, p, pitch, lane)
#define EN_ROUND(x) weir_engine_tf32(x)
#ifndef EN_MAD
#if EN_TYPE == 0
#define EN_MAD(d, a, b) WEIR_MMA_SYNC("m16n8k8", "tf32", d, a, b)
#elif EN_TYPE == 1
#define EN_MAD(d, a, b) WEIR_MMA_SYNC("m16n8k16", "bf16", d, a, b)
#else
#define EN_MAD(d, a, b) WEIR_MMA_SYNC("m16n8k16", "f16", d, a, b)
#endif
#endif

#ifndef WEIR_MMA_SYNC
#define WEIR_MMA_SYNC(shape, type, d, a, b)                                                        \
    {                                                                                              \
        float r0, r1, r2, r3;                                                                      \
        __asm__ volatile("mma.sync.aligned." shape ".row.col.f32." type "." type ".f32 "           \
                         "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"     \
                         : "=f"(r0), "=f"(r1), "=f"(r2), "=f"(r3)                                  \
                         : "r"((a)[0]), "r"((a)[1]), "r"((a)[2]), "r"((a)[3]), "r"((b)[0]),        \
                           "r"((b)[1]), "f"((d)[0]), "f"((d)[1]), "f"((d)[2]), "f"((d)[3]));       \
        (d)[0] = r0, (d)[1] = r1, (d)[2] = r2, (d)[3] = r3;                                        \
    }
static inline void weir_mma_load_a(uint *to, local const uint *p, int pitch, int lane)
{
    local const uint *low = p + lane / 4 * pitch + lane % 4, *high = low + 8 * pitch;
    to[0] = low[0];
    to[1] = high[0];
    to[2] = low[4];
    to[3] = high[4];
}

static inline void weir_mma_load_b(uint *to, local const uint *p, int pitch, int lane)
{
    local const uint *column = p + lane / 4 * pitch + lane % 4;
    to[0] = column[0];
    to[1] = column[4];
}
#endif
