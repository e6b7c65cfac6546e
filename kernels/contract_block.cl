// SPDX-License-Identifier: Apache-2.0
// Contraction for wide devices (CPUs) where the terms of a lie far apart (a transposed operand, a
// weight gradient): one work-item computes CT_ROWS rows by CT_ACROSS panels of 16 CT_VECS columns.
// For each chunk it copies its part of a once, term by term, and then runs tile after tile of
// CT_TILE_W rows over every panel; b is read where it lies.
//
// CT_BOUND 1: b is an image without a border and the terms are output pixels (image, and three
// spatial loops); the columns are kernel pixels (three loops) and channels. The terms of a kernel
// pixel that fall outside are left out: along axis i, term t and kernel pixel c meet at
// t CT_STRIDE<i> + c CT_DILATION<i> + CT_ORIGIN<i>, which is inside from 0 to CT_IN<i> - 1.
//
// Geometry: local 1; global = parts of rows, parts of panels, batches (x chunks if CT_SPLIT).
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "place.cl"
#include "contract_knobs.cl"
#ifndef CT_ROWS
#define CT_ROWS CT_TILE_W
#endif
#ifndef CT_BOUND
#define CT_BOUND 0
#endif
// Where a tile's copy begins: a vector stored for its last term reaches beyond it.
#define CT_AT(tile) ((tile) / CT_TILE_W * (512 * CT_TILE_W + 16))
#define CT_NEW_LIST (CT_BOUND ? 0 : -1) // the panel at which the terms change
#define CT_ALL_PANELS (CT_COL0 * CT_COL1 * CT_COL2 * CT_PANELS)

// For each run of terms k to k + run - 1 along the innermost loop, from term begin up to end:
// the body, with the run's coordinates k0 to k3.
#define CT_FOR_RUNS(begin, end)                                                             \
    for (CT_INT k = (begin), k3 = k % CT_TERM3, k2 = k / CT_TERM3 % CT_TERM2,               \
                k1 = k / (CT_TERM3 * CT_TERM2) % CT_TERM1,                                  \
                k0 = k / (CT_TERM3 * CT_TERM2 * CT_TERM1), run;                             \
         run = min((CT_INT)(CT_TERM3 - k3), (end) - k), k < (end);                          \
         k += run, k3 = 0, k2++, k1 += k2 == CT_TERM2, k2 = k2 == CT_TERM2 ? 0 : k2,        \
                k0 += k1 == CT_TERM1, k1 = k1 == CT_TERM1 ? 0 : k1)

WEIR_KERNEL_LARGE
void CT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             WEIR_PLACE)
{
    CT_INT t = WEIR_AT(0);
    const CT_INT part = t % CT_DIV_UP(CT_ROW3, CT_ROWS);
    t /= CT_DIV_UP(CT_ROW3, CT_ROWS);
    const CT_INT r2 = t % CT_ROW2, r1 = t / CT_ROW2 % CT_ROW1, r0 = t / (CT_ROW2 * CT_ROW1);
    const CT_INT r3 = min(part * CT_ROWS, (CT_INT)(CT_ROW3 - CT_ROWS));
    const int q_first = WEIR_AT(1) * CT_ACROSS;
    const int q_end = min(q_first + CT_ACROSS, (int)CT_ALL_PANELS);
    const CT_INT z = WEIR_AT(2);
    CT_BATCH_OF(z);
    global const float *a = p0 + o0 + CT_A + r0 * CT_A_ROW0 + r1 * CT_A_ROW1 + r2 * CT_A_ROW2 +
        r3 * CT_A_ROW3 + CT_AT_BATCH(A);
    // An offset, as the first pixel of a window may lie before the image.
    const CT_INT b = CT_B + CT_AT_BATCH(B);
    CT_INT out = CT_O + r0 * CT_O_ROW0 + r1 * CT_O_ROW1 + r2 * CT_O_ROW2 + r3 * CT_O_ROW3 +
        CT_AT_BATCH(O);
    p1 += o1;

    float at[CT_AT(CT_ROWS)]; // (tile, term, row)
    int at_of[512];    // where in at, and
    CT_INT b_of[512];  // where in b the terms lie that a panel has
#if CT_SPLIT
    const int first = z / CT_BATCHES + first_chunk, end_chunk = first + 1;
    out += (first - first_chunk) * CT_PARTIAL;
#else
    const int first = 0, end_chunk = CT_CHUNKS;
    float16 sum[CT_ACROSS * CT_ROWS * CT_VECS];
    for (int i = 0; i < CT_ACROSS * CT_ROWS * CT_VECS; i++)
        sum[i] = (float16)(0.0f);
#endif
    for (int chunk = first; chunk < end_chunk; chunk++) {
        const CT_INT begin = (CT_INT)chunk * 512, end = min(begin + 512, (CT_INT)CT_TERMS);
        CT_FOR_RUNS(begin, end) {
            global const float *src =
                a + k0 * CT_A_TERM0 + k1 * CT_A_TERM1 + k2 * CT_A_TERM2 + k3 * CT_A_TERM3;
            for (CT_INT i = k - begin; i < k - begin + run; i++) {
                float *to = at + i * CT_TILE_W;
#pragma unroll
                for (int tile = 0; tile < CT_ROWS; tile += CT_TILE_W) {
#if CT_A_ROW3 == 1
                    if (tile + 16 <= CT_ROWS) // what a tile does not have the next term overwrites
                        WEIR_KEEP16(to + CT_AT(tile), WEIR_LOAD16(src + tile));
                    else
#endif
#pragma unroll
                        for (int r = 0; r < CT_TILE_W; r++)
                            to[CT_AT(tile) + r] = src[(tile + r) * CT_A_ROW3];
                }
                src += CT_A_TERM3;
            }
        }
        int n = 0;
        for (int q = q_first; q < q_end; q++) {
            const CT_INT panel = q % CT_PANELS, c = q / CT_PANELS;
            const CT_INT c2 = c % CT_COL2, c1 = c / CT_COL2 % CT_COL1, c0 = c / (CT_COL2 * CT_COL1);
            if (q == q_first || panel == CT_NEW_LIST) {
                const CT_INT edge = CT_PIXEL(2, 0, c2);
                const CT_INT skip = CT_BOUND && edge < 0 ? CT_DIV_UP(-edge, CT_STRIDE2) : 0;
                const CT_INT stop =
                    CT_BOUND ? (CT_IN2 - 1 - edge + CT_STRIDE2) / CT_STRIDE2 : CT_TERM3;
                n = 0;
                CT_FOR_RUNS(begin, end) {
                    if (CT_BOUND && (!CT_INSIDE(0, CT_PIXEL(0, k1, c0)) ||
                                     !CT_INSIDE(1, CT_PIXEL(1, k2, c1))))
                        continue;
                    const CT_INT w0 = max(k3, skip), w1 = min(k3 + run, stop);
                    const CT_INT at_row = k - begin - k3;
                    const CT_INT row = k0 * CT_B_TERM0 + k1 * CT_B_TERM1 + k2 * CT_B_TERM2;
                    for (CT_INT w = w0; w < w1; w++) {
                        at_of[n + w - w0] = (int)(at_row + w) * CT_TILE_W;
                        b_of[n + w - w0] = row + w * CT_B_TERM3;
                    }
                    n += max(w1 - w0, (CT_INT)0);
                }
            }
            const CT_INT bq = b + c0 * CT_B_COL0 + c1 * CT_B_COL1 + c2 * CT_B_COL2 + panel * (16 * CT_VECS);
            for (int tile = 0; tile < CT_ROWS; tile += CT_TILE_W) {
                float16 acc[CT_TILE_W * CT_VECS];
#pragma unroll
                for (int i = 0; i < CT_TILE_W * CT_VECS; i++)
                    acc[i] = (float16)(0.0f);
                for (int i = 0; i < n; i++) {
                    const float *pa = at + CT_AT(tile) + at_of[i];
                    global const float *pb = p1 + (bq + b_of[i]);
                    float16 bv[CT_VECS];
#pragma unroll
                    for (int v = 0; v < CT_VECS; v++)
                        bv[v] = WEIR_LOAD16(pb + 16 * v);
#pragma unroll
                    for (int r = 0; r < CT_TILE_W; r++) {
                        const float16 av = (float16)(pa[r]);
#pragma unroll
                        for (int v = 0; v < CT_VECS; v++)
                            acc[r * CT_VECS + v] = CT_FMA16(av, bv[v], acc[r * CT_VECS + v]);
                    }
                }
#if CT_SPLIT
                CT_INT o = out + c0 * CT_O_COL0 + c1 * CT_O_COL1 + c2 * CT_O_COL2 +
                    panel * (16 * CT_VECS) * CT_O_COL3 + tile * CT_O_ROW3;
                const int left = CT_COL3 - panel * (16 * CT_VECS);
                const int skip_rows = part * CT_ROWS - r3 - tile;
#pragma unroll
                for (int r = 0; r < CT_TILE_W; r++)
                    if (CT_ROW3 % CT_ROWS == 0 || r >= skip_rows) {
#pragma unroll
                        for (int v = 0; v < CT_VECS; v++)
                            CT_STORE(acc[r * CT_VECS + v], o + r * CT_O_ROW3 + 16 * v * CT_O_COL3,
                                     left - 16 * v)
                    }
#else
                float16 *s = sum + ((q - q_first) * CT_ROWS + tile) * CT_VECS;
#pragma unroll
                for (int i = 0; i < CT_TILE_W * CT_VECS; i++)
                    s[i] = s[i] + acc[i];
#endif
            }
        }
    }
#if !CT_SPLIT
    for (int q = q_first; q < q_end; q++) {
        const CT_INT panel = q % CT_PANELS, c = q / CT_PANELS;
        const CT_INT o = out + c % CT_COL2 * CT_O_COL2 + c / CT_COL2 % CT_COL1 * CT_O_COL1 +
            c / (CT_COL2 * CT_COL1) * CT_O_COL0 + panel * (16 * CT_VECS) * CT_O_COL3;
        const int left = CT_COL3 - panel * (16 * CT_VECS);
        for (int r = CT_ROW3 % CT_ROWS ? part * CT_ROWS - r3 : 0; r < CT_ROWS; r++)
            for (int v = 0; v < CT_VECS; v++)
                CT_STORE(sum[((q - q_first) * CT_ROWS + r) * CT_VECS + v],
                         o + r * CT_O_ROW3 + 16 * v * CT_O_COL3, left - 16 * v)
    }
#endif
}
#undef CT_AT
#undef CT_NEW_LIST
#undef CT_ALL_PANELS
#undef CT_FOR_RUNS
#include "contract_end.cl"
