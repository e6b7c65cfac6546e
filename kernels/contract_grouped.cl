// SPDX-License-Identifier: Apache-2.0
// Contraction for grouped devices (GPUs): a work-group of CT_GROUP x CT_GROUP computes a tile of
// CT_GROUP CT_PER_ROW rows by CT_GROUP CT_PER_COL columns; CT_STEP terms of both operands at a time
// are staged in local memory. The same sums in the same order as contract_wide.cl, so the same
// bits: a term that is staged as 0 beyond an edge or the end of a chunk adds nothing.
//
// Both operands are read through their strides (knobs: contract_knobs.cl); nothing is packed. All
// loops around barriers have bounds that are the same for the whole group.
// Local memory: CT_STEP x (rows + columns of the tile) floats and an int for each row and column.
// Geometry: local CT_GROUP, CT_GROUP, 1; global = column tiles, row tiles, batches (x chunks).
#pragma OPENCL FP_CONTRACT OFF
#include "vector16.cl"
#include "contract_knobs.cl"
#ifndef CT_GROUP
#define CT_GROUP 8
#endif
#ifndef CT_PER_ROW
#define CT_PER_ROW 4
#endif
#ifndef CT_PER_COL
#define CT_PER_COL 4
#endif
#ifndef CT_STEP
#define CT_STEP 16
#endif
#define CT_TILE_ROWS (CT_GROUP * CT_PER_ROW)
#define CT_TILE_COLS (CT_GROUP * CT_PER_COL)
#define CT_ROWS (CT_ROW0 * CT_ROW1 * CT_ROW2 * CT_ROW3)
#define CT_COLS (CT_COL0 * CT_COL1 * CT_COL2 * CT_COL3)
// The offset of flat index i in a nest of four loops of extents X0..X3 and strides S0..S3.
#define CT_AT(i, X, S)                                                                    \
    ((i) % X##3 * S##3 + (i) / X##3 % X##2 * S##2 + (i) / (X##3 * X##2) % X##1 * S##1 +   \
     (i) / (X##3 * X##2 * X##1) * S##0)

kernel __attribute__((reqd_work_group_size(CT_GROUP, CT_GROUP, 1)))
void CT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             )
{
    local float as[CT_STEP * CT_TILE_ROWS];
    local float bs[CT_STEP * CT_TILE_COLS];
    local CT_INT a_row[CT_TILE_ROWS];
    local CT_INT b_col[CT_TILE_COLS];
    const int lx = get_local_id(0), ly = get_local_id(1), id = ly * CT_GROUP + lx;
    const CT_INT m0 = (CT_INT)get_group_id(1) * CT_TILE_ROWS;
    const CT_INT n0 = (CT_INT)get_group_id(0) * CT_TILE_COLS;
    CT_INT t = get_global_id(2);
#if CT_SPLIT
    const int chunk = t / CT_BATCHES + first_chunk, end_chunk = chunk + 1;
    CT_INT k = chunk ? CT_CUT(chunk - 1) : 0;
    const CT_INT partial = (chunk - first_chunk) * (CT_INT)CT_PARTIAL;
#else
    const int chunk = 0, end_chunk = CT_CHUNKS;
    CT_INT k = 0;
    const CT_INT partial = 0;
#endif
    const CT_INT z5 = t % CT_BATCH5, z4 = t / CT_BATCH5 % CT_BATCH4;
    t /= CT_BATCH5 * CT_BATCH4;
    const CT_INT z3 = t % CT_BATCH3, z2 = t / CT_BATCH3 % CT_BATCH2;
    t /= CT_BATCH3 * CT_BATCH2;
    const CT_INT z1 = t % CT_BATCH1, z0 = t / CT_BATCH1 % CT_BATCH0;
    global const float *a = p0 + o0 + CT_A + z0 * CT_A_BATCH0 + z1 * CT_A_BATCH1 +
        z2 * CT_A_BATCH2 + z3 * CT_A_BATCH3 + z4 * CT_A_BATCH4 + z5 * CT_A_BATCH5;
    global const float *b = p1 + o1 + CT_B + z0 * CT_B_BATCH0 + z1 * CT_B_BATCH1 +
        z2 * CT_B_BATCH2 + z3 * CT_B_BATCH3 + z4 * CT_B_BATCH4 + z5 * CT_B_BATCH5;
    const CT_INT out = CT_O + z0 * CT_O_BATCH0 + z1 * CT_O_BATCH1 + z2 * CT_O_BATCH2 +
        z3 * CT_O_BATCH3 + z4 * CT_O_BATCH4 + z5 * CT_O_BATCH5 + partial;
    // Rows and columns beyond the edge repeat the last one; their results are not stored.
    for (int i = id; i < CT_TILE_ROWS; i += CT_GROUP * CT_GROUP) {
        const CT_INT m = min(m0 + i, (CT_INT)(CT_ROWS - 1));
        a_row[i] = CT_AT(m, CT_ROW, CT_A_ROW);
    }
    for (int i = id; i < CT_TILE_COLS; i += CT_GROUP * CT_GROUP) {
        const CT_INT n = min(n0 + i, (CT_INT)(CT_COLS - 1));
        b_col[i] = CT_AT(n, CT_COL, CT_B_COL);
    }
    float acc[CT_PER_ROW * CT_PER_COL], sum[CT_PER_ROW * CT_PER_COL];
    for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++)
        acc[i] = sum[i] = 0.0f;
    barrier(CLK_LOCAL_MEM_FENCE);

    // One loop over all steps, because PoCL 3.1 hangs on barriers in a loop that may run no times.
    int c = chunk;
    CT_INT end = c < end_chunk ? CT_CUT(c) : 0;
    const CT_INT stop = c < end_chunk ? CT_CUT(end_chunk - 1) : 0;
    while (k < stop) {
        for (int i = id; i < CT_STEP * CT_TILE_ROWS; i += CT_GROUP * CT_GROUP) {
#if CT_A_TERM3 == 1
            const int s = i % CT_STEP, r = i / CT_STEP;
#else
            const int s = i / CT_TILE_ROWS, r = i % CT_TILE_ROWS;
#endif
            const CT_INT q = k + s;
            as[s * CT_TILE_ROWS + r] =
                q < end ? a[a_row[r] + CT_AT(q, CT_TERM, CT_A_TERM)] : 0.0f;
        }
        for (int i = id; i < CT_STEP * CT_TILE_COLS; i += CT_GROUP * CT_GROUP) {
#if CT_B_TERM3 == 1
            const int s = i % CT_STEP, n = i / CT_STEP;
#else
            const int s = i / CT_TILE_COLS, n = i % CT_TILE_COLS;
#endif
            const CT_INT q = k + s;
            bs[s * CT_TILE_COLS + n] =
                q < end ? b[b_col[n] + CT_AT(q, CT_TERM, CT_B_TERM)] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int s = 0; s < CT_STEP; s++) {
            float bv[CT_PER_COL];
#pragma unroll
            for (int j = 0; j < CT_PER_COL; j++)
                bv[j] = bs[s * CT_TILE_COLS + j * CT_GROUP + lx];
#pragma unroll
            for (int i = 0; i < CT_PER_ROW; i++) {
                const float av = as[s * CT_TILE_ROWS + i * CT_GROUP + ly];
#pragma unroll
                for (int j = 0; j < CT_PER_COL; j++)
                    acc[i * CT_PER_COL + j] = CT_FMA(av, bv[j], acc[i * CT_PER_COL + j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        k = min(k + CT_STEP, end);
        if (k == end) { // the chunk is complete; empty ones after it add nothing
#pragma unroll
            for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++) {
                sum[i] = sum[i] + acc[i];
                acc[i] = 0.0f;
            }
            while (c < end_chunk - 1 && end == k) {
                c++;
                end = CT_CUT(c);
            }
        }
    }
    for (int i = 0; i < CT_PER_ROW; i++) {
        const CT_INT m = m0 + i * CT_GROUP + ly;
        for (int j = 0; j < CT_PER_COL; j++) {
            const CT_INT n = n0 + j * CT_GROUP + lx;
            if (m < CT_ROWS && n < CT_COLS) {
                CT_PUT(sum[i * CT_PER_COL + j],
                       out + CT_AT(m, CT_ROW, CT_O_ROW) + CT_AT(n, CT_COL, CT_O_COL));
            }
        }
    }
}
#undef CT_GROUP
#undef CT_TILE_ROWS
#undef CT_TILE_COLS
#undef CT_ROWS
#undef CT_COLS
#undef CT_AT
#include "contract_end.cl"
