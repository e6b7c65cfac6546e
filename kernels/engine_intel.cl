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
#define WEIR_MATRIX_MAD_A (int8)(a_[0], a_[1], a_[2], a_[3], a_[4], a_[5], a_[6], a_[7])
#else
#define WEIR_MATRIX_MAD_A (short8)(a_[0], a_[1], a_[2], a_[3], a_[4], a_[5], a_[6], a_[7])
#endif
#define WEIR_MATRIX_MAD(mad, d, a, b)                                                              \
    {                                                                                              \
        const uint *a_ = (a), *b_ = (b);                                                           \
        const int8 b8 = (int8)(b_[0], b_[1], b_[2], b_[3], b_[4], b_[5], b_[6], b_[7]);            \
        vstore8(mad(WEIR_MATRIX_MAD_A, b8, vload8(0, (d))), 0, (d));                               \
    }
#define WEIR_MATRIX_MAD_TF32(d, a, b)                                                              \
    {                                                                                              \
        const uint4 a4 = vload4(0, (a));                                                           \
        const uint8 b8 = vload8(0, (b));                                                           \
        vstore8(                                                                                   \
            intel_sub_group_tf32_tf32_matrix_mad_k8(as_float4(a4), as_float8(b8), vload8(0, (d))), \
            0, (d));                                                                               \
    }
static inline void weir_matrix_mad_load_a_tf32(uint *to, local const uint *p, int pitch, int lane)
{
    for (int i = 0; i < 4; i++)
        to[i] = p[(2 * i + lane / 8) * pitch + lane % 8];
}

static inline void weir_matrix_mad_load_a_x8(uint *to, local const uint *p, int pitch, int lane)
{
    for (int i = 0; i < 8; i++)
        to[i] = p[i * pitch + lane];
}

static inline void weir_matrix_mad_load_a_x16(uint *to, local const uint *p, int pitch, int lane)
{
    local const ushort *terms = (local const ushort *)p;
    for (int i = 0; i < 8; i++)
        to[i] = terms[2 * i * pitch + lane];
}

static inline void weir_matrix_mad_load_b(uint *to, local const uint *p, int pitch, int lane)
{
    for (int i = 0; i < 8; i++)
        to[i] = p[lane * pitch + i];
}
#endif
