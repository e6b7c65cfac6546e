// SPDX-License-Identifier: Apache-2.0
// Contraction for wide devices (CPUs): one work-item computes a tile of CT_TILE_H x CT_TILE_W rows
// by 16 CT_VECS columns in registers; no local memory, no barriers. The knobs are in
// contract_knobs.cl.
//
// a is read by scalars at literal distances from one pointer; b by whole vectors: column c of the
// innermost loop is lane c % 16 of vector c / 16 % CT_VECS of panel c / (16 CT_VECS); panels are
// CT_PANEL elements apart and zero-padded. The last tile of a row of tiles is moved back to end on
// the last row and stores only what its neighbour does not, so every output is stored exactly once.
// CT_BLOCK tiles of rows go through all panels before the next ones: their part of a, and a panel,
// stay in the cache of a core.
// A work-item takes CT_REPEAT tiles, one after the other, where a tile alone is little work.
// CT_OWN_PANEL: a column's terms lie next to each other in b, and a work-item that takes all tiles of a
// panel turns it round first, into private memory; whole squares of 16 terms, one term loop.
// Geometry: local 1; global = (tiles of rows x panels) / CT_REPEAT rounded up, outer columns,
// batches (x chunks if CT_SPLIT).
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "place.cl"
#include "contract_knobs.cl"
#ifndef CT_TILE_H
#define CT_TILE_H 1
#endif
#ifndef CT_REPEAT
#define CT_REPEAT 1
#endif
#ifndef CT_BLOCK
#define CT_BLOCK 1
#endif
#ifdef CT_OWN_PANEL
#include "turn16.cl"
#define CT_B_TYPE private const float16
#define CT_B_STEP CT_VECS
#define CT_B_VECTOR(p, v) (p)[v]
#define CT_B_RUN(k0, k1, k2, k3) own + (k3) * CT_VECS
#else
#define CT_B_TYPE global const CT_B_T
#define CT_B_STEP CT_B_TERM3
#define CT_B_VECTOR(p, v) CT_B_LOAD16((p) + 16 * (v))
#define CT_B_RUN(k0, k1, k2, k3) \
    b + (k0) * CT_B_TERM0 + (k1) * CT_B_TERM1 + (k2) * CT_B_TERM2 + (k3) * CT_B_TERM3
#endif
#define CT_TILE (CT_TILE_H * CT_TILE_W)
#define CT_TILES                                                                          \
    (CT_ROW0 * CT_ROW1 * CT_DIV_UP(CT_ROW2, CT_TILE_H) * CT_DIV_UP(CT_ROW3, CT_TILE_W))
#define CT_A_AT(r) ((r) / CT_TILE_W * CT_A_ROW2 + (r) % CT_TILE_W * CT_A_ROW3)
#define CT_O_AT(r) ((r) / CT_TILE_W * CT_O_ROW2 + (r) % CT_TILE_W * CT_O_ROW3)

WEIR_KERNEL_LARGE
void CT_NAME(global const float *p0, ulong o0, global const CT_B_T *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             WEIR_PLACE)
{
    CT_INT t = WEIR_AT(1);
    const CT_INT c2 = t % CT_COL2, c1 = t / CT_COL2 % CT_COL1, c0 = t / (CT_COL2 * CT_COL1);
    const CT_INT z = WEIR_AT(2);
    CT_BATCH_OF(z);
    global const float *a0 = p0 + o0 + CT_A + CT_AT_BATCH(A);
    global const CT_B_T *b0 = p1 + o1 + CT_B + c0 * CT_B_COL0 + c1 * CT_B_COL1 + c2 * CT_B_COL2 +
        CT_AT_BATCH(B);
    CT_INT out0 = CT_O + c0 * CT_O_COL0 + c1 * CT_O_COL1 + c2 * CT_O_COL2 + CT_AT_BATCH(O);
#if CT_SPLIT
    const int chunk = z / CT_BATCHES + first_chunk, end_chunk = chunk + 1;
    out0 += (chunk - first_chunk) * CT_PARTIAL;
#else
    const int chunk = 0, end_chunk = CT_CHUNKS;
#endif
    const CT_INT from = (CT_INT)WEIR_AT(0) * CT_REPEAT, all = (CT_INT)CT_TILES * CT_PANELS;
#ifdef CT_OWN_PANEL
    float16 own[CT_TERMS * CT_VECS];
    const int left = CT_COL3 - (int)WEIR_AT(0) * (16 * CT_VECS);
    b0 += (CT_INT)WEIR_AT(0) * (16 * CT_VECS) * CT_B_COL3;
    for (int v = 0; v < CT_VECS; v++)
        for (int i = 0; i < CT_TERMS; i += 16) {
            float16 r[16];
#pragma unroll
            for (int n = 0; n < 16; n++)
                r[n] = 16 * v + n < left ? CT_B_LOAD16(b0 + (16 * v + n) * CT_B_COL3 + i)
                                         : (float16)(0.0f);
            weir_turn16(r);
#pragma unroll
            for (int j = 0; j < 16; j++)
                own[(i + j) * CT_VECS + v] = r[j];
        }
#endif
    for (CT_INT item = from; item < min(from + CT_REPEAT, all); item++) {
        const CT_INT first = item / (CT_BLOCK * CT_PANELS) * CT_BLOCK;
        const CT_INT tiles = min((CT_INT)CT_BLOCK, (CT_INT)CT_TILES - first);
        const CT_INT panel = (item - first * CT_PANELS) / tiles;
        t = first + (item - first * CT_PANELS) % tiles;
        const CT_INT tw = t % CT_DIV_UP(CT_ROW3, CT_TILE_W);
        t /= CT_DIV_UP(CT_ROW3, CT_TILE_W);
        const CT_INT th = t % CT_DIV_UP(CT_ROW2, CT_TILE_H);
        t /= CT_DIV_UP(CT_ROW2, CT_TILE_H);
        const CT_INT r1 = t % CT_ROW1, r0 = t / CT_ROW1;
        const CT_INT r3 = min((CT_INT)(tw * CT_TILE_W), (CT_INT)(CT_ROW3 - CT_TILE_W));
        const CT_INT r2 = min(th * CT_TILE_H, (CT_INT)(CT_ROW2 - CT_TILE_H));
        global const float *a =
            a0 + r0 * CT_A_ROW0 + r1 * CT_A_ROW1 + r2 * CT_A_ROW2 + r3 * CT_A_ROW3;
#ifndef CT_OWN_PANEL
        global const CT_B_T *b = b0 + panel * CT_PANEL;
#endif
        const CT_INT out = out0 + r0 * CT_O_ROW0 + r1 * CT_O_ROW1 + r2 * CT_O_ROW2 + r3 * CT_O_ROW3 +
            panel * (16 * CT_VECS) * CT_O_COL3;

        float16 acc[CT_TILE * CT_VECS];
#pragma unroll
        for (int i = 0; i < CT_TILE * CT_VECS; i++)
            acc[i] = (float16)(0.0f);
#if CT_SPLIT
        CT_INT k = chunk ? CT_CUT(chunk - 1) : 0;
        CT_INT k3 = k % CT_TERM3, k2 = k / CT_TERM3 % CT_TERM2;
        CT_INT k1 = k / (CT_TERM3 * CT_TERM2) % CT_TERM1, k0 = k / (CT_TERM3 * CT_TERM2 * CT_TERM1);
#else
        CT_INT k = 0;
        CT_INT k3 = 0, k2 = 0, k1 = 0, k0 = 0;
        float16 sum[CT_TILE * CT_VECS];
#pragma unroll
        for (int i = 0; i < CT_TILE * CT_VECS; i++)
            sum[i] = (float16)(0.0f);
#endif
        for (int c = chunk; c < end_chunk; c++) {
            const CT_INT end = CT_CUT(c);
            // A run is the part of the innermost term loop that lies in this chunk.
            while (k < end) {
                const int run = min((CT_INT)(CT_TERM3 - k3), end - k);
                global const float *pa =
                    a + k0 * CT_A_TERM0 + k1 * CT_A_TERM1 + k2 * CT_A_TERM2 + k3 * CT_A_TERM3;
                CT_B_TYPE *pb = CT_B_RUN(k0, k1, k2, k3);
                for (int i = 0; i < run; i++) {
                    float16 bv[CT_VECS];
#pragma unroll
                    for (int v = 0; v < CT_VECS; v++)
                        bv[v] = CT_B_VECTOR(pb, v);
#pragma unroll
                    for (int r = 0; r < CT_TILE; r++) {
                        const float16 av = (float16)(pa[CT_A_AT(r)]);
#pragma unroll
                        for (int v = 0; v < CT_VECS; v++)
                            acc[r * CT_VECS + v] = CT_FMA16(av, bv[v], acc[r * CT_VECS + v]);
                    }
                    pa += CT_A_TERM3;
                    pb += CT_B_STEP;
                }
                k += run;
                k3 += run;
                if (k3 == CT_TERM3) {
                    k3 = 0;
                    k2++;
                }
                if (k2 == CT_TERM2) {
                    k2 = 0;
                    k1++;
                }
                if (k1 == CT_TERM1) {
                    k1 = 0;
                    k0++;
                }
            }
#if !CT_SPLIT
#pragma unroll
            for (int i = 0; i < CT_TILE * CT_VECS; i++) {
                sum[i] = sum[i] + acc[i];
                acc[i] = (float16)(0.0f);
            }
#endif
        }
#if CT_SPLIT
#define CT_RESULT acc
#else
#define CT_RESULT sum
#endif
        const int skip_w = tw * CT_TILE_W - r3, skip_h = th * CT_TILE_H - r2;
#pragma unroll
        for (int r = 0; r < CT_TILE; r++) {
            if (CT_ROW3 % CT_TILE_W && r % CT_TILE_W < skip_w)
                continue;
            if (CT_ROW2 % CT_TILE_H && r / CT_TILE_W < skip_h)
                continue;
#pragma unroll
            for (int v = 0; v < CT_VECS; v++) {
                const int left = CT_COL3 - panel * (16 * CT_VECS) - 16 * v;
                CT_STORE(CT_RESULT[r * CT_VECS + v], out + CT_O_AT(r) + 16 * v * CT_O_COL3, left)
            }
        }
    }
}
#undef CT_RESULT
#undef CT_TILE
#undef CT_TILES
#undef CT_A_AT
#undef CT_O_AT
#undef CT_OWN_PANEL
#undef CT_B_TYPE
#undef CT_B_STEP
#undef CT_B_VECTOR
#undef CT_B_RUN
#include "contract_end.cl"
