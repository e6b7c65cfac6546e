// SPDX-License-Identifier: Apache-2.0
// Contraction for grouped devices (GPUs): a work-group computes a tile of CT_TILE_ROWS x CT_TILE_COLS
// results, a work-item CT_PER_ROW x CT_PER_COL of them in registers. CT_STEP terms of both operands
// at a time are staged in local memory, while the next ones are on their way to registers; with two
// buffers a step costs one barrier. The same sums in the same order as contract_wide.cl, so the
// same bits: a term that is staged as 0 beyond the end of a chunk adds nothing.
//
// Both operands are read through their strides (knobs: contract_knobs.cl); nothing is packed. Lines
// of a tile are rows of a, columns of b. In local memory term s of line r lies at s * (lines + 4) +
// r: the 4 floats between keep stores of neighbouring terms in different banks. A work-item's lines
// come in quads, read as one vector: quad q of item y is q * (lines / quads) + 4 y .. + 3, so that
// neighbouring items read neighbouring vectors.
//
// CT_A_VECTOR, CT_B_VECTOR: how global memory is read. 0: float by float; 1: four terms of a line
// lie next to each other, everything else is a multiple of four apart; 2: so do four lines of a
// term. CT_O_VECTOR 1: four columns of the output do. Where the buffer's offset is not a multiple of
// four, vectors are read and written float by float.
// CT_RAGGED 0: chunks end where steps end. CT_RUN 1: moreover a step lies in one run of the
// innermost term loop. CT_UNROLL 1: all terms of a step are written out.
// Local memory: CT_BUFFERS x CT_STEP x (CT_TILE_ROWS + CT_TILE_COLS + 8) floats.
// Geometry: local CT_TILE_COLS / CT_PER_COL, CT_TILE_ROWS / CT_PER_ROW, 1; global = the same for
// each tile across, down; batches (x chunks). Any part of it, by an offset, is fine.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "contract_knobs.cl"
#ifndef CT_TILE_ROWS
#define CT_TILE_ROWS 16
#define CT_TILE_COLS 16
#define CT_STEP 16
#define CT_PER_ROW 4
#define CT_PER_COL 4
#define CT_BUFFERS 2
#define CT_A_VECTOR 0
#define CT_B_VECTOR 0
#define CT_O_VECTOR 0
#define CT_RAGGED 1
#define CT_RUN 0
#define CT_UNROLL 0
#endif
#define CT_SUMS (CT_CHUNKS > 1 && !CT_SPLIT)
#define CT_ITEMS_X (CT_TILE_COLS / CT_PER_COL)
#define CT_ITEMS_Y (CT_TILE_ROWS / CT_PER_ROW)
#define CT_ITEMS (CT_ITEMS_X * CT_ITEMS_Y)
#define CT_ROWS (CT_ROW0 * CT_ROW1 * CT_ROW2 * CT_ROW3)
#define CT_COLS (CT_COL0 * CT_COL1 * CT_COL2 * CT_COL3)
#define CT_ROW_QUADS (CT_PER_ROW / 4)
#define CT_COL_QUADS (CT_PER_COL / 4)
#define CT_QUAD(to, x)                  \
    {                                   \
        const float4 quad = x;          \
        (to)[0] = quad.s0;              \
        (to)[1] = quad.s1;              \
        (to)[2] = quad.s2;              \
        (to)[3] = quad.s3;              \
    }
// Floats, then loads, of each operand that a work-item stages in one step.
#define CT_A_FLOATS (CT_TILE_ROWS * CT_STEP / CT_ITEMS)
#define CT_B_FLOATS (CT_TILE_COLS * CT_STEP / CT_ITEMS)
#define CT_A_LOADS (CT_A_VECTOR ? CT_A_FLOATS / 4 : CT_A_FLOATS)
#define CT_B_LOADS (CT_B_VECTOR ? CT_B_FLOATS / 4 : CT_B_FLOATS)
#define CT_A_TILE (CT_STEP * (CT_TILE_ROWS + 4))
#define CT_B_TILE (CT_STEP * (CT_TILE_COLS + 4))

#include "contract_stage.cl"

// Load j of a stage: four floats or one, or zeros. Not vload4 where vectors are not aligned: compilers
// join the two into one load that is not either.
#define CT_FETCH(to, j, vector, load, load4, at, aligned, there)                    \
    if (vector) {                                                                   \
        float4 x = (float4)(0.0f);                                                  \
        if ((there) && (aligned))                                                   \
            x = load4(at);                                                          \
        else if (there)                                                             \
            x = (float4)(load(at), load((at) + 1), load((at) + 2), load((at) + 3)); \
        (to)[4 * (j)] = x.s0;                                                       \
        (to)[4 * (j) + 1] = x.s1;                                                   \
        (to)[4 * (j) + 2] = x.s2;                                                   \
        (to)[4 * (j) + 3] = x.s3;                                                   \
    } else {                                                                        \
        (to)[j] = (there) ? load(at) : 0.0f;                                        \
    }

#ifndef WEIR_STAGE
#define WEIR_STAGE
// What a load brought to its place in local memory.
static inline void weir_stash(const float *from, int j, int vector, local float *p, int line)
{
    if (vector == 2) {
        *(local float4 *)p =
            (float4)(from[4 * j], from[4 * j + 1], from[4 * j + 2], from[4 * j + 3]);
    } else if (vector == 1) {
        p[0] = from[4 * j];
        p[line] = from[4 * j + 1];
        p[2 * line] = from[4 * j + 2];
        p[3 * line] = from[4 * j + 3];
    } else {
        p[0] = from[j];
    }
}
#endif

kernel __attribute__((reqd_work_group_size(CT_ITEMS_X, CT_ITEMS_Y, 1)))
void CT_NAME(global const CT_A_T *p0, ulong o0, global const CT_B_T *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             )
{
    // one array, because then the two tiles cannot be placed so that banks are shared
    local float4 tiles[CT_BUFFERS * (CT_A_TILE + CT_B_TILE) / 4];
    const int lx = get_local_id(0), ly = get_local_id(1), id = ly * CT_ITEMS_X + lx;
    const CT_INT m0 = ((CT_INT)get_global_id(1) - ly) / CT_ITEMS_Y * CT_TILE_ROWS;
    const CT_INT n0 = ((CT_INT)get_global_id(0) - lx) / CT_ITEMS_X * CT_TILE_COLS;
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
    const bool a_aligned = o0 % 4 == 0, b_aligned = o1 % 4 == 0;

    CT_INT a_line[CT_A_LOADS], b_line[CT_B_LOADS];
#pragma unroll
    CT_STAGE_LINES(a_line, CT_A_LOADS, m0, CT_ROWS, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS, CT_ROW,
                   CT_A_ROW)
#pragma unroll
    CT_STAGE_LINES(b_line, CT_B_LOADS, n0, CT_COLS, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS, CT_COL,
                   CT_B_COL)
    float acc[CT_PER_ROW * CT_PER_COL];
// the canonical sum is 0 + P_0 + ..; where the chunks are not added here it is left to the fold
#if CT_SUMS
#define CT_RESULT(i) sum[i]
    float sum[CT_PER_ROW * CT_PER_COL];
#elif CT_SPLIT
#define CT_RESULT(i) acc[i]
#else
#define CT_RESULT(i) (0.0f + acc[i])
#endif
#pragma unroll
    for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++) {
        acc[i] = 0.0f;
#if CT_SUMS
        sum[i] = 0.0f;
#endif
    }

    // Each turn fetches a step, computes the one fetched before and puts the new one in its place.
    // One loop over all steps, because PoCL 3.1 hangs on barriers in a loop that may run no times.
    local float *const floats = (local float *)tiles;
    float a_next[CT_A_FLOATS], b_next[CT_B_FLOATS];
    int c = chunk, at = 0;
    CT_INT end = c < end_chunk ? CT_CUT(c) : 0;
    const CT_INT stop = c < end_chunk ? CT_CUT(end_chunk - 1) : 0;
    while (c < end_chunk - 1 && end == k) { // empty chunks add nothing
        c++;
        end = CT_CUT(c);
    }
    bool first = true, running = true;
#if CT_SUMS
    bool complete = false; // the step in local memory ends its chunk
#endif
    // Written out, the steps of a short sum would take more registers than there are.
#pragma unroll 1
    while (running) {
        running = k < stop;
        if (running) {
#pragma unroll
            for (int j = 0; j < CT_A_LOADS; j++) {
                const int s = CT_STAGE_TERM(id + j * CT_ITEMS, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS);
                global const CT_A_T *const from = a + a_line[j] + CT_TERM_AT(k, s, CT_A_TERM);
                CT_FETCH(a_next, j, CT_A_VECTOR, CT_A_LOAD, CT_A_LOAD4, from, a_aligned,
                         !CT_RAGGED || k + s < end)
            }
#pragma unroll
            for (int j = 0; j < CT_B_LOADS; j++) {
                const int s = CT_STAGE_TERM(id + j * CT_ITEMS, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS);
                global const CT_B_T *const from = b + b_line[j] + CT_TERM_AT(k, s, CT_B_TERM);
                CT_FETCH(b_next, j, CT_B_VECTOR, CT_B_LOAD, CT_B_LOAD4, from, b_aligned,
                         !CT_RAGGED || k + s < end)
            }
        }
        if (!first) {
            local const float4 *as = tiles + at + ly, *bs = tiles + at + CT_A_TILE / 4 + lx;
#if CT_UNROLL
#pragma unroll
#endif
            for (int s = 0; s < CT_STEP; s++) {
                float av[CT_PER_ROW], bv[CT_PER_COL];
#pragma unroll
                for (int q = 0; q < CT_ROW_QUADS; q++)
                    CT_QUAD(av + 4 * q, as[s * (CT_TILE_ROWS + 4) / 4 + q * CT_ITEMS_Y])
#pragma unroll
                for (int q = 0; q < CT_COL_QUADS; q++)
                    CT_QUAD(bv + 4 * q, bs[s * (CT_TILE_COLS + 4) / 4 + q * CT_ITEMS_X])
#pragma unroll
                for (int i = 0; i < CT_PER_ROW; i++)
#pragma unroll
                    for (int j = 0; j < CT_PER_COL; j++)
                        acc[i * CT_PER_COL + j] = CT_FMA(av[i], bv[j], acc[i * CT_PER_COL + j]);
            }
#if CT_SUMS
            if (complete) {
#pragma unroll
                for (int i = 0; i < CT_PER_ROW * CT_PER_COL; i++) {
                    sum[i] = sum[i] + acc[i];
                    acc[i] = 0.0f;
                }
            }
#endif
        }
#if CT_BUFFERS == 2
        at = (CT_A_TILE + CT_B_TILE) / 4 - at;
#else
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        if (running) {
#pragma unroll
            for (int j = 0; j < CT_A_LOADS; j++) {
                const int i = id + j * CT_ITEMS;
                weir_stash(a_next, j, CT_A_VECTOR,
                           floats + 4 * at +
                               CT_STAGE_TERM(i, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS) *
                                   (CT_TILE_ROWS + 4) +
                               CT_STAGE_LINE(i, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS),
                           CT_TILE_ROWS + 4);
            }
#pragma unroll
            for (int j = 0; j < CT_B_LOADS; j++) {
                const int i = id + j * CT_ITEMS;
                weir_stash(b_next, j, CT_B_VECTOR,
                           floats + 4 * at + CT_A_TILE +
                               CT_STAGE_TERM(i, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS) *
                                   (CT_TILE_COLS + 4) +
                               CT_STAGE_LINE(i, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS),
                           CT_TILE_COLS + 4);
            }
            k = min(k + CT_STEP, end);
#if CT_SUMS
            complete = k == end;
#endif
            while (c < end_chunk - 1 && end == k) {
                c++;
                end = CT_CUT(c);
            }
        }
        first = false;
        barrier(CLK_LOCAL_MEM_FENCE);
    }

#pragma unroll
    for (int i = 0; i < CT_PER_ROW; i++) {
        const CT_INT m = m0 + i / 4 * (4 * CT_ITEMS_Y) + 4 * ly + i % 4;
        if (CT_ROWS % CT_TILE_ROWS && m >= CT_ROWS)
            continue;
        const CT_INT row = out + CT_AT(m, CT_ROW, CT_O_ROW);
#pragma unroll
        for (int j = 0; j < CT_PER_COL; j += 4) {
            const CT_INT n = n0 + j * CT_ITEMS_X + 4 * lx;
#if CT_O_VECTOR
            if (CT_COLS % CT_TILE_COLS && n >= CT_COLS)
                continue;
            global float *to = p2 + o2 + row + CT_AT(n, CT_COL, CT_O_COL);
            const float4 x = (float4)(CT_RESULT(i * CT_PER_COL + j), CT_RESULT(i * CT_PER_COL + j + 1),
                                      CT_RESULT(i * CT_PER_COL + j + 2),
                                      CT_RESULT(i * CT_PER_COL + j + 3));
            if (o2 % 4 == 0)
                *(global float4 *)to = x;
            else
                to[0] = x.s0, to[1] = x.s1, to[2] = x.s2, to[3] = x.s3;
#else
#pragma unroll
            for (int l = 0; l < 4; l++)
                if (CT_COLS % CT_TILE_COLS == 0 || n + l < CT_COLS) {
                    CT_PUT(CT_RESULT(i * CT_PER_COL + j + l), row + CT_AT(n + l, CT_COL, CT_O_COL));
                }
#endif
        }
    }
}
#undef CT_RESULT
#undef CT_SUMS
#undef CT_TILE_ROWS
#undef CT_TILE_COLS
#undef CT_BUFFERS
#undef CT_A_VECTOR
#undef CT_B_VECTOR
#undef CT_O_VECTOR
#undef CT_RAGGED
#undef CT_RUN
#undef CT_UNROLL
#undef CT_ITEMS_X
#undef CT_ITEMS_Y
#undef CT_ITEMS
#undef CT_ROWS
#undef CT_COLS
#undef CT_ROW_QUADS
#undef CT_COL_QUADS
#undef CT_QUAD
#undef CT_FETCH
#undef CT_A_FLOATS
#undef CT_B_FLOATS
#undef CT_A_LOADS
#undef CT_B_LOADS
#undef CT_A_TILE
#undef CT_B_TILE
#include "contract_end.cl"
