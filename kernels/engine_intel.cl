// SPDX-License-Identifier: Apache-2.0
// The matrix engine of Intel's GPUs by cl_intel_subgroup_matrix_multiply_accumulate: 8 rows and a
// column for each lane of a sub-group, which has 8 lanes (Arc A) or 16 (Xe2, data centre); 16 terms
// of bf16 or f16, and where there are 16 lanes, by .._tf32, 8 of tf32. In a file of its own because
// no other compiler may see it. What contract_engine.cl wants of an engine stands there.
//
// Fragments, as the extensions have them (a word is one term of tf32 or two of 16 bits):
//   a: of 16 bits, of each row the lane's share of 16 terms: a word of 8 lanes, one term of 16;
//      of tf32, rows 0, 2, 4, 6 in lanes 0 to 7 and rows 1, 3, 5, 7 in lanes 8 to 15, a term a lane
//   b: the lane's column, 8 words
//   results: the lane's column, 8 rows
#ifndef EN_TYPE
#define EN_TYPE 1
#define EN_LANES 8
#define EN_M 8
#define EN_N 8
#define EN_K 16
#endif
#if EN_M != 8 || EN_N != EN_LANES || EN_K != (EN_TYPE ? 16 : 8) || (EN_LANES == 8 && EN_TYPE == 0)
#error "there is no such matrix_mad"
#endif
#define EN_A_WORDS (EN_TYPE ? 8 : 4)
#define EN_B_WORDS 8
#define EN_RESULTS 8
#define EN_ROW(lane, i) (i)
#define EN_COL(lane, i) (lane)
#define EN_ROUND(x) weir_engine_tf32(x)
#ifndef EN_LANE
#define EN_LANE get_sub_group_local_id()
#define EN_SUB get_sub_group_id()
#define EN_ATTRIBUTES __attribute__((intel_reqd_sub_group_size(EN_LANES)))
#endif
#define EN_LOAD_B(to, p, pitch, lane) weir_matrix_mad_load_b(to, p, pitch, lane)
#if EN_TYPE == 0
#define EN_LOAD_A(to, p, pitch, lane) weir_matrix_mad_load_a_tf32(to, p, pitch, lane)
#elif EN_LANES == 8
#define EN_LOAD_A(to, p, pitch, lane) weir_matrix_mad_load_a_x8(to, p, pitch, lane)
#else
#define EN_LOAD_A(to, p, pitch, lane) weir_matrix_mad_load_a_x16(to, p, pitch, lane)
#endif
#ifndef EN_MAD
#if EN_TYPE == 0
#define EN_MAD(d, a, b) WEIR_MATRIX_MAD_TF32(d, a, b)
#elif EN_TYPE == 1
#define EN_MAD(d, a, b) WEIR_MATRIX_MAD(intel_sub_group_bf16_bf16_matrix_mad_k16, d, a, b)
#else
#define EN_MAD(d, a, b) WEIR_MATRIX_MAD(intel_sub_group_f16_f16_matrix_mad_k16, d, a, b)
#endif
#endif

#ifndef WEIR_MATRIX_MAD
#if EN_LANES == 8
#define WEIR_MATRIX_MAD_A WEIR_MATRIX_EIGHT(int8, a_)
#else
#define WEIR_MATRIX_MAD_A WEIR_MATRIX_EIGHT(short8, a_)
#endif
#define WEIR_MATRIX_EIGHT(type, x) (type)(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7])
// Element by element: IGC keeps in memory what vload8 and vstore8 are given.
#define WEIR_MATRIX_RESULT(d_, call)                                                               \
    {                                                                                              \
        const float8 r8 = call;                                                                    \
        d_[0] = r8.s0, d_[1] = r8.s1, d_[2] = r8.s2, d_[3] = r8.s3;                                \
        d_[4] = r8.s4, d_[5] = r8.s5, d_[6] = r8.s6, d_[7] = r8.s7;                                \
    }
#define WEIR_MATRIX_MAD(mad, d, a, b)                                                              \
    {                                                                                              \
        const uint *a_ = (a), *b_ = (b);                                                           \
        float *d_ = (d);                                                                           \
        WEIR_MATRIX_RESULT(d_, mad(WEIR_MATRIX_MAD_A, WEIR_MATRIX_EIGHT(int8, b_),                 \
                                   WEIR_MATRIX_EIGHT(float8, d_)))                                 \
    }
#define WEIR_MATRIX_MAD_TF32(d, a, b)                                                              \
    {                                                                                              \
        const uint *a_ = (a), *b_ = (b);                                                           \
        float *d_ = (d);                                                                           \
        WEIR_MATRIX_RESULT(d_, intel_sub_group_tf32_tf32_matrix_mad_k8(                            \
                                   as_float4((uint4)(a_[0], a_[1], a_[2], a_[3])),                 \
                                   as_float8(WEIR_MATRIX_EIGHT(uint8, b_)),                        \
                                   WEIR_MATRIX_EIGHT(float8, d_)))                                 \
    }
// Written out, because IGC keeps an array in memory that a loop goes through.
#define WEIR_MATRIX_TAKE(at) to[0] = at(0), to[1] = at(1), to[2] = at(2), to[3] = at(3)
#define WEIR_MATRIX_TAKE_MORE(at) to[4] = at(4), to[5] = at(5), to[6] = at(6), to[7] = at(7)
#define WEIR_MATRIX_A_TF32(i) p[(2 * (i) + lane / 8) * pitch + lane % 8]
#define WEIR_MATRIX_A_8(i) p[(i) * pitch + lane]
#define WEIR_MATRIX_A_16(i) terms[2 * (i) * pitch + lane]
#define WEIR_MATRIX_B(i) p[lane * pitch + (i)]
static inline void weir_matrix_mad_load_a_tf32(uint *to, local const uint *p, int pitch, int lane)
{
    WEIR_MATRIX_TAKE(WEIR_MATRIX_A_TF32);
}

static inline void weir_matrix_mad_load_a_x8(uint *to, local const uint *p, int pitch, int lane)
{
    WEIR_MATRIX_TAKE(WEIR_MATRIX_A_8);
    WEIR_MATRIX_TAKE_MORE(WEIR_MATRIX_A_8);
}

static inline void weir_matrix_mad_load_a_x16(uint *to, local const uint *p, int pitch, int lane)
{
    local const ushort *terms = (local const ushort *)p;
    WEIR_MATRIX_TAKE(WEIR_MATRIX_A_16);
    WEIR_MATRIX_TAKE_MORE(WEIR_MATRIX_A_16);
}

static inline void weir_matrix_mad_load_b(uint *to, local const uint *p, int pitch, int lane)
{
    WEIR_MATRIX_TAKE(WEIR_MATRIX_B);
    WEIR_MATRIX_TAKE_MORE(WEIR_MATRIX_B);
}
#endif
