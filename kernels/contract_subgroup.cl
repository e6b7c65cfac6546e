// SPDX-License-Identifier: Apache-2.0
// Contraction for grouped devices whose work-items share registers (sub-groups): a sub-group computes
// CT_PER_ROW rows of SG_LANES x CT_PER_COL columns, its lanes side by side. For each row a lane reads one
// of the next SG_LANES terms of a, which then go round by broadcasts; b is read by columns, which are
// neighbours. No local memory, no barriers; CT_SUBS sub-groups of a work-group have rows below each other
// and read the same columns of b from the cache. The same sums in the same order as contract_wide.cl, so
// the same bits: a term that is 0 beyond the end of a chunk adds nothing.
//
// Both operands are read through their strides (contract_knobs.cl). CT_RAGGED 0: chunks end where steps
// of SG_LANES terms end. CT_RUN 1: moreover a step lies in one run of the innermost term loop.
// Geometry: local SG_LANES, CT_SUBS, 1; global = the same for each tile across, down; batches (x chunks).
// Any part of it, by an offset, is fine.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "contract_knobs.cl"
#include "subgroup.cl"
#ifndef CT_PER_ROW
#define CT_PER_ROW 4
#define CT_PER_COL 1
#define CT_SUBS 1
#define CT_RAGGED 1
#define CT_RUN 0
#endif
#define CT_SUMS (CT_CHUNKS > 1 && !CT_SPLIT)
#define CT_ROWS (CT_ROW0 * CT_ROW1 * CT_ROW2 * CT_ROW3)
#define CT_COLS (CT_COL0 * CT_COL1 * CT_COL2 * CT_COL3)
#include "contract_stage.cl"

kernel SG_ATTRIBUTES __attribute__((reqd_work_group_size(SG_LANES, CT_SUBS, 1)))
void CT_NAME(global const CT_A_T *p0, ulong o0, global const CT_B_T *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             )
{
    const int lane = SG_LANE;
    const CT_INT m0 = ((CT_INT)get_global_id(1) - (CT_INT)get_local_id(1) + SG_SUB) * CT_PER_ROW;
    const CT_INT n0 = ((CT_INT)get_global_id(0) - (CT_INT)get_local_id(0)) * CT_PER_COL + lane;
    const CT_INT t = get_global_id(2);
#if CT_SPLIT
    const int chunk = t / CT_BATCHES + first_chunk, end_chunk = chunk + 1;
    CT_INT k = chunk ? CT_CUT(chunk - 1) : 0;
    const CT_INT partial = (chunk - first_chunk) * (CT_INT)CT_PARTIAL;
#else
    const int chunk = 0, end_chunk = CT_CHUNKS;
    CT_INT k = 0;
    const CT_INT partial = 0;
#endif
    CT_BATCH_OF(t);
    global const CT_A_T *a = p0 + o0 + CT_A + CT_AT_BATCH(A);
    global const CT_B_T *b = p1 + o1 + CT_B + CT_AT_BATCH(B);
    const CT_INT out = CT_O + CT_AT_BATCH(O) + partial;

    // Rows and columns beyond the edge repeat the last ones; their results are not stored.
    CT_INT a_row[CT_PER_ROW], b_col[CT_PER_COL];
#pragma unroll
    for (int i = 0; i < CT_PER_ROW; i++) {
        const CT_INT m = min(m0 + i, (CT_INT)(CT_ROWS - 1));
        a_row[i] = CT_AT(m, CT_ROW, CT_A_ROW);
    }
#pragma unroll
    for (int j = 0; j < CT_PER_COL; j++) {
        const CT_INT n = min(n0 + j * SG_LANES, (CT_INT)(CT_COLS - 1));
        b_col[j] = CT_AT(n, CT_COL, CT_B_COL);
    }
    float acc[CT_PER_ROW * CT_PER_COL];
// the canonical sum is 0 + P_0 + ..; where the chunks are not added here it is left to the fold
#if CT_SUMS
#define CT_RESULT(i) sum[i]
    float sum[CT_PER_ROW * CT_PER_COL];
#pragma unroll
    for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++)
        sum[i] = 0.0f;
#elif CT_SPLIT
#define CT_RESULT(i) acc[i]
#else
#define CT_RESULT(i) (0.0f + acc[i])
#endif
#pragma unroll
    for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++)
        acc[i] = 0.0f;

    for (int c = chunk; c < end_chunk; c++) {
        const CT_INT end = CT_CUT(c);
        for (; k < end; k += SG_LANES) {
            float av[CT_PER_ROW];
            const bool there = !CT_RAGGED || k + lane < end;
            const CT_INT term = CT_TERM_AT(k, lane, CT_A_TERM);
#pragma unroll
            for (int i = 0; i < CT_PER_ROW; i++)
                av[i] = there ? CT_A_LOAD(a + a_row[i] + term) : 0.0f;
#pragma unroll
            for (int s = 0; s < SG_LANES; s++) {
                float bv[CT_PER_COL];
#pragma unroll
                for (int j = 0; j < CT_PER_COL; j++)
                    bv[j] = !CT_RAGGED || k + s < end
                        ? CT_B_LOAD(b + b_col[j] + CT_TERM_AT(k, s, CT_B_TERM)) : 0.0f;
#pragma unroll
                for (int i = 0; i < CT_PER_ROW; i++) {
                    const float x = SG_BROADCAST(av[i], s);
#pragma unroll
                    for (int j = 0; j < CT_PER_COL; j++)
                        acc[i * CT_PER_COL + j] = CT_FMA(x, bv[j], acc[i * CT_PER_COL + j]);
                }
            }
        }
        k = end;
#if CT_SUMS
#pragma unroll
        for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++) {
            sum[i] = sum[i] + acc[i];
            acc[i] = 0.0f;
        }
#endif
    }

#pragma unroll
    for (int i = 0; i < CT_PER_ROW; i++) {
        if (CT_ROWS % (CT_PER_ROW * CT_SUBS) && m0 + i >= CT_ROWS)
            continue;
        const CT_INT row = out + CT_AT(m0 + i, CT_ROW, CT_O_ROW);
#pragma unroll
        for (int j = 0; j < CT_PER_COL; j++) {
            const CT_INT n = n0 + j * SG_LANES;
            if (CT_COLS % (CT_PER_COL * SG_LANES) == 0 || n < CT_COLS) {
                CT_PUT(CT_RESULT(i * CT_PER_COL + j), row + CT_AT(n, CT_COL, CT_O_COL));
            }
        }
    }
}
#undef CT_RESULT
#undef CT_SUMS
#undef CT_SUBS
#undef CT_RAGGED
#undef CT_RUN
#undef CT_ROWS
#undef CT_COLS
#undef SG_LANES
#include "contract_end.cl"
