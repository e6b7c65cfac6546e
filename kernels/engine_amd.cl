// SPDX-License-Identifier: Apache-2.0
// The matrix engines of AMD's GPUs by clang's builtins: WMMA of gfx11, a wave of 32 lanes with bf16
// or f16, and MFMA of gfx90a, a wave of 64 lanes with f32, bf16 or f16; 16 x 16 results of 16 terms
// (f32: 4). In a file of its own because no other compiler may see it. What contract_engine.cl
// wants of an engine stands there.
//
// Fragments, as AMD's matrix instruction calculator and the ISA manuals have them, with x = lane %
// 16 and y = lane / 16 (a word is one term of f32 or two of 16 bits):
//   WMMA: a row x, b column x, all 8 words in both halves; results rows 2i + y of column x
//   MFMA: a row x, b column x, two words from 2y on (f32: word y); results rows 4y + i, column x
#ifndef EN_TYPE
#define EN_TYPE 1
#define EN_LANES 32
#define EN_M 16
#define EN_N 16
#define EN_K 16
#endif
#if EN_M != 16 || EN_N != 16 || EN_K != (EN_TYPE ? 16 : 4) || (EN_LANES == 32 && EN_TYPE == 0)
#error "there is no such instruction"
#endif
#define EN_A_WORDS (EN_LANES == 32 ? 8 : EN_TYPE ? 2 : 1)
#define EN_B_WORDS EN_A_WORDS
#define EN_RESULTS (EN_LANES == 32 ? 8 : 4)
#define EN_ROW(lane, i) (EN_LANES == 32 ? 2 * (i) + (lane) / 16 : 4 * ((lane) / 16) + (i))
#define EN_COL(lane, i) ((lane) % 16)
#define EN_ROUND(x) (x)
#define EN_LOAD_A(to, p, pitch, lane)                                                              \
    weir_wave_load(to,                                                                             \
                   (p) + (lane) % 16 * (pitch) + (EN_LANES == 32 ? 0 : (lane) / 16 * EN_A_WORDS),  \
                   EN_A_WORDS)
#define EN_LOAD_B(to, p, pitch, lane) EN_LOAD_A(to, p, pitch, lane)
#ifndef EN_MAD
#if EN_LANES == 32 && EN_TYPE == 1
#define EN_MAD(d, a, b) weir_wmma_bf16(d, a, b)
#elif EN_LANES == 32
#define EN_MAD(d, a, b) weir_wmma_f16(d, a, b)
#elif EN_TYPE == 0
#define EN_MAD(d, a, b) weir_mfma_f32(d, a, b)
#elif EN_TYPE == 1
#define EN_MAD(d, a, b) weir_mfma_bf16(d, a, b)
#else
#define EN_MAD(d, a, b) weir_mfma_f16(d, a, b)
#endif
#endif

#ifndef WEIR_WAVE_LOAD
#define WEIR_WAVE_LOAD
static inline void weir_wave_load(uint *to, local const uint *p, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = p[i];
}

// Which of them there are depends on the GPU that the program is compiled for.
#ifdef __has_builtin
#if __has_builtin(__builtin_amdgcn_wmma_f32_16x16x16_bf16_w32)
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
typedef union {
    uint words[8];
    short16 bf16;
    half16 f16;
} weir_wmma_operand;

static inline weir_wmma_operand weir_wmma_take(const uint *words)
{
    weir_wmma_operand x;
    for (int i = 0; i < 8; i++)
        x.words[i] = words[i];
    return x;
}

static inline void weir_wmma_bf16(float *d, const uint *a, const uint *b)
{
    vstore8(__builtin_amdgcn_wmma_f32_16x16x16_bf16_w32(weir_wmma_take(a).bf16,
                                                        weir_wmma_take(b).bf16, vload8(0, d)),
            0, d);
}

static inline void weir_wmma_f16(float *d, const uint *a, const uint *b)
{
    vstore8(__builtin_amdgcn_wmma_f32_16x16x16_f16_w32(weir_wmma_take(a).f16, weir_wmma_take(b).f16,
                                                       vload8(0, d)),
            0, d);
}
#endif
#if __has_builtin(__builtin_amdgcn_mfma_f32_16x16x16bf16_1k)
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
typedef union {
    uint words[2];
    short4 bf16;
    half4 f16;
} weir_mfma_operand;

static inline weir_mfma_operand weir_mfma_take(const uint *words)
{
    weir_mfma_operand x;
    x.words[0] = words[0];
    x.words[1] = words[1];
    return x;
}

static inline void weir_mfma_f32(float *d, const uint *a, const uint *b)
{
    vstore4(
        __builtin_amdgcn_mfma_f32_16x16x4f32(as_float(a[0]), as_float(b[0]), vload4(0, d), 0, 0, 0),
        0, d);
}

static inline void weir_mfma_bf16(float *d, const uint *a, const uint *b)
{
    vstore4(__builtin_amdgcn_mfma_f32_16x16x16bf16_1k(
                weir_mfma_take(a).bf16, weir_mfma_take(b).bf16, vload4(0, d), 0, 0, 0),
            0, d);
}

static inline void weir_mfma_f16(float *d, const uint *a, const uint *b)
{
    vstore4(__builtin_amdgcn_mfma_f32_16x16x16f16(weir_mfma_take(a).f16, weir_mfma_take(b).f16,
                                                  vload4(0, d), 0, 0, 0),
            0, d);
}
#endif
#endif
#endif
