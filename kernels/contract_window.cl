// SPDX-License-Identifier: Apache-2.0
// Convolution (and its input gradient) for wide devices, reading an image without a border: one
// work-item computes CT_DOWN rows of pixels by CT_ACROSS panels of 16 CT_VECS channels. It copies
// the part of the image that their windows cover, with zeros left and right of it, and then runs
// tile after tile of CT_TILE_W pixels of a row over every panel. Terms above and below the image
// are left out.
//
// Rows are images and three spatial loops, terms three kernel loops and the channels. Along axis i,
// pixel r and kernel pixel t meet at r CT_STRIDE<i> + t CT_DILATION<i> + CT_ORIGIN<i>, which is
// inside from 0 to CT_IN<i> - 1; CT_A_PIXEL<i> is what a pixel is in a, CT_A_ROW0 an image. Channels
// lie side by side. b is packed as for contract_wide.cl.
//
// Batches are groups of channels, batch loop 5.
// Geometry: local 1; global = images x depths x blocks of rows, blocks of panels, batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "place.cl"
#include "contract_knobs.cl"
#ifndef CT_DOWN
#define CT_DOWN 1
#endif
#ifndef CT_A_PIXEL0
#define CT_A_PIXEL0 0
#define CT_A_PIXEL1 0
#define CT_A_PIXEL2 0
#endif
// The window's extents, and the pixel it begins at relative to that of its first row of results.
#define CT_REACH(i) ((CT_TERM##i - 1) * CT_DILATION##i)
#define CT_ABS(x) ((x) < 0 ? -(x) : (x))
#define CT_FIRST(i) (CT_ORIGIN##i + (CT_REACH(i) < 0 ? CT_REACH(i) : 0))
#define CT_WIN0 (CT_ABS(CT_REACH(0)) + 1)
#define CT_WIN1 ((CT_DOWN - 1) * CT_STRIDE1 + CT_ABS(CT_REACH(1)) + 1)
#define CT_WIN2 ((CT_ROW3 - 1) * CT_STRIDE2 + CT_ABS(CT_REACH(2)) + 1)
#define CT_C CT_TERM3

WEIR_KERNEL_LARGE
void CT_NAME(global const CT_A_T *p0, ulong o0, global const float *p1, ulong o1 CT_PARAMS WEIR_PLACE)
{
    CT_INT t = WEIR_AT(0);
    const CT_INT down = t % CT_DIV_UP(CT_ROW2, CT_DOWN) * CT_DOWN;
    t /= CT_DIV_UP(CT_ROW2, CT_DOWN);
    const CT_INT r1 = t % CT_ROW1, r0 = t / CT_ROW1;
    const CT_INT down_end = min((CT_INT)(down + CT_DOWN), (CT_INT)CT_ROW2);
    const CT_INT q_first = (CT_INT)WEIR_AT(1) * CT_ACROSS;
    const CT_INT q_end = min((CT_INT)(q_first + CT_ACROSS), (CT_INT)CT_PANELS);
    const CT_INT z = WEIR_AT(2);
    global const CT_A_T *a = p0 + o0 + CT_A + r0 * CT_A_ROW0 + z * CT_A_BATCH5;
    global const float *b = p1 + o1 + CT_B + z * CT_B_BATCH5;
    const CT_INT out = CT_O + r0 * CT_O_ROW0 + r1 * CT_O_ROW1 + z * CT_O_BATCH5;

    float window[CT_WIN0 * CT_WIN1 * CT_WIN2 * CT_C];
    const CT_INT d0 = r1 * CT_STRIDE0 + CT_FIRST(0), h0 = down * CT_STRIDE1 + CT_FIRST(1);
    const CT_INT rows = (down_end - down - 1) * CT_STRIDE1 + CT_ABS(CT_REACH(1)) + 1;
    for (CT_INT i = 0; i < CT_WIN0 * rows; i++) {
        const CT_INT d = d0 + i / rows, h = h0 + i % rows;
        if (!CT_INSIDE(0, d) || !CT_INSIDE(1, h))
            continue; // never read
        float *to = window + (i / rows * CT_WIN1 + i % rows) * (CT_WIN2 * CT_C);
        global const CT_A_T *from = a + d * CT_A_PIXEL0 + h * CT_A_PIXEL1;
        for (CT_INT w = CT_FIRST(2); w < CT_FIRST(2) + CT_WIN2; w++) {
            const bool inside = CT_INSIDE(2, w);
            int c = 0;
            for (; c + 16 <= CT_C; c += 16)
                WEIR_KEEP16(to + c, inside ? CT_A_LOAD16(from + w * CT_A_PIXEL2 + c)
                                           : (float16)(0.0f));
            for (; c < CT_C; c++)
                to[c] = inside ? CT_A_LOAD(from + w * CT_A_PIXEL2 + c) : 0.0f;
            to += CT_C;
        }
    }
    // The kernel pixels of one row of the window are one run where they lie side by side.
#if CT_DILATION2 == 1
#define CT_RUNS 1
#define CT_RUN (CT_TERM2 * CT_C)
#else
#define CT_RUNS CT_TERM2
#define CT_RUN CT_C
#endif
    for (CT_INT q = q_first; q < q_end; q++)
        for (CT_INT r2 = down; r2 < down_end; r2++)
            for (CT_INT tile = 0; tile < CT_ROW3; tile += CT_TILE_W) {
                const CT_INT r3 = min(tile, (CT_INT)(CT_ROW3 - CT_TILE_W));
                float16 acc[CT_TILE_W * CT_VECS], sum[CT_TILE_W * CT_VECS];
#pragma unroll
                for (int i = 0; i < CT_TILE_W * CT_VECS; i++) {
                    acc[i] = (float16)(0.0f);
                    sum[i] = (float16)(0.0f);
                }
                int left = CT_CUT(0), chunk = 0; // terms until the chunk ends
                for (CT_INT run = 0; run < CT_TERM0 * CT_TERM1 * CT_RUNS; run++) {
                    const CT_INT t2 = run % CT_RUNS, t1 = run / CT_RUNS % CT_TERM1;
                    const CT_INT t0 = run / (CT_RUNS * CT_TERM1);
                    const CT_INT d = CT_PIXEL(0, r1, t0), h = CT_PIXEL(1, r2, t1);
                    const bool inside = CT_INSIDE(0, d) && CT_INSIDE(1, h);
                    const float *pa = window + (((d - d0) * CT_WIN1 + h - h0) * CT_WIN2 +
                        CT_PIXEL(2, r3, t2) - CT_FIRST(2)) * CT_C;
                    global const float *pb = b + q * CT_PANEL + run * (CT_RUN * 16 * CT_VECS);
                    for (int k = 0; k < CT_RUN;) {
                        const int n = min(CT_RUN - k, left);
                        for (int i = inside ? 0 : n; i < n; i++) {
                            float16 bv[CT_VECS];
#pragma unroll
                            for (int v = 0; v < CT_VECS; v++)
                                bv[v] = WEIR_LOAD16(pb + (k + i) * (16 * CT_VECS) + 16 * v);
#pragma unroll
                            for (int r = 0; r < CT_TILE_W; r++) {
                                const float16 av = (float16)(pa[k + i + r * (CT_STRIDE2 * CT_C)]);
#pragma unroll
                                for (int v = 0; v < CT_VECS; v++)
                                    acc[r * CT_VECS + v] =
                                        CT_FMA16(av, bv[v], acc[r * CT_VECS + v]);
                            }
                        }
                        k += n;
                        left -= n;
                        if (left == 0) {
#pragma unroll
                            for (int i = 0; i < CT_TILE_W * CT_VECS; i++) {
                                sum[i] = sum[i] + acc[i];
                                acc[i] = (float16)(0.0f);
                            }
                            left = CT_CUT(chunk + 1) - CT_CUT(chunk);
                            chunk++;
                        }
                    }
                }
                const CT_INT o = out + r2 * CT_O_ROW2 + r3 * CT_O_ROW3 +
                    q * (16 * CT_VECS) * CT_O_COL3;
#pragma unroll
                for (int r = 0; r < CT_TILE_W; r++)
                    if (CT_ROW3 % CT_TILE_W == 0 || r >= tile - r3) {
#pragma unroll
                        for (int v = 0; v < CT_VECS; v++)
                            CT_STORE(sum[r * CT_VECS + v], o + r * CT_O_ROW3 + 16 * v * CT_O_COL3,
                                     CT_COL3 - q * (16 * CT_VECS) - 16 * v)
                    }
            }
}
#undef CT_REACH
#undef CT_ABS
#undef CT_FIRST
#undef CT_WIN0
#undef CT_WIN1
#undef CT_WIN2
#undef CT_C
#undef CT_RUNS
#undef CT_RUN
#include "contract_end.cl"
