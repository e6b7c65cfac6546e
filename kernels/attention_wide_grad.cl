// SPDX-License-Identifier: Apache-2.0
// The gradients of attention for wide devices (CPUs): one work-item computes all three of one batch,
// strip by strip of 16 AT_VECS queries; no local memory, no barriers. Knobs: attention_knobs.cl.
//
//   p = exp(s - m) / l    dp = t vT    ds = (p (dp - D)) c    dq = ds k    dk = dsT q    dv = pT t
//
// with t the output's gradient, m and l from the forward pass, D = sum(t o). Scores are computed again,
// a tile of keys at a time, queries in the lanes. dk and dv sum over queries: they lie in memory between
// two strips (AT_SPLIT 0: in their results, 1: beside them, as these hold the sum of the chunks before),
// so each is one chain of multiply-adds a chunk. ds is kept for a chunk of keys, over which dq sums.
// Lanes beyond the last query repeat it and are not used.
// Geometry: local 1; global = batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "turn16.cl"
#include "attention_knobs.cl"
#include "attention_parts.cl"
#define AT_CHUNK (AT_KEYS < 512 ? AT_KEYS : 512)
#define AT_MARGIN AT_TILE_KEYS // a chunk's last tile may begin before it

// Adds weights (key, lane) times `left` rows of x to AT_TILE_KEYS rows of n sums at `acc`. The first
// strip of a chunk begins at 0, the last one's sums go to `out`, to those of the chunks before. Rows
// before `skip` are another tile's.
static inline void AT_FN(add)(const float *weight, global const float *x, AT_INT row, AT_INT col,
                              int n, int first, int left, int skip, global float *acc_at,
                              global float *out)
{
    const bool begins = first % 512 == 0, ends = (first + left) % 512 == 0 || first + left == AT_QUERIES;
    for (int e = 0; e < n; e += 16 * AT_SUM_VECS) {
        const float *pw = weight;
        global const float *px = x + e * col;
        float16 acc[AT_TILE_KEYS * AT_SUM_VECS];
#pragma unroll
        for (int r = 0; r < AT_TILE_KEYS; r++)
#pragma unroll
            for (int t = 0; t < AT_SUM_VECS; t++)
                acc[r * AT_SUM_VECS + t] =
                    begins ? (float16)(0.0f) : WEIR_LOAD16(acc_at + r * n + e + 16 * t);
        for (int i = 0; i < left; i++) {
            float16 xv[AT_SUM_VECS];
#pragma unroll
            for (int t = 0; t < AT_SUM_VECS; t++)
                xv[t] = AT_LOAD16(px + 16 * t * col, col);
#pragma unroll
            for (int r = 0; r < AT_TILE_KEYS; r++) {
                const float16 w = (float16)(pw[r * AT_LANES]);
#pragma unroll
                for (int t = 0; t < AT_SUM_VECS; t++)
                    acc[r * AT_SUM_VECS + t] = AT_FMA16(w, xv[t], acc[r * AT_SUM_VECS + t]);
            }
            pw++;
            px += row;
        }
#pragma unroll
        for (int r = 0; r < AT_TILE_KEYS; r++)
            if ((AT_KEYS <= 512 && AT_KEYS % AT_TILE_KEYS == 0) || r >= skip) {
#pragma unroll
                for (int t = 0; t < AT_SUM_VECS; t++) {
                    float16 sum = acc[r * AT_SUM_VECS + t];
                    const AT_INT at = r * n + e + 16 * t;
                    if (ends && first < 512)
                        sum = 0.0f + sum;
                    else if (ends)
                        sum = WEIR_LOAD16(out + at) + sum;
                    WEIR_STORE16((ends ? out : acc_at) + at, sum);
                }
            }
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void AT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
             global const float *p2, ulong o2,
#if AT_MASKED
             global const uchar *p3, ulong o3,
#endif
             global const float *p4, ulong o4, global const float *p5, ulong o5,
             global const float *p6, ulong o6, global const float *p7, ulong o7,
             global float *p8, ulong o8, global float *p9, ulong o9, global float *p10, ulong o10
#if AT_SPLIT
             , global float *p11, ulong o11, global float *p12, ulong o12
#endif
             )
{
    const AT_INT z = get_global_id(0);
    global const float *q = p0 + o0 + AT_Q_BATCH(z), *k = p1 + o1 + AT_K_BATCH(z);
    global const float *v = p2 + o2 + AT_V_BATCH(z), *g = p4 + o4 + AT_G_BATCH(z);
    global float *dq = p8 + o8 + z * AT_QUERIES * AT_DEPTH;
    global float *dk = p9 + o9 + z * AT_KEYS * AT_DEPTH, *dv = p10 + o10 + z * AT_KEYS * AT_WIDTH;
#if AT_SPLIT
    global float *dk_acc = p11 + o11 + z * AT_KEYS * AT_DEPTH;
    global float *dv_acc = p12 + o12 + z * AT_KEYS * AT_WIDTH;
#else
    global float *dk_acc = dk, *dv_acc = dv;
#endif
    float16 q_turned[AT_DEPTH * AT_VECS], g_turned[AT_WIDTH * AT_VECS]; // (column, query)
    float16 p[AT_TILE_KEYS * AT_VECS], ds[(AT_MARGIN + AT_CHUNK) * AT_VECS]; // (key, query)

    for (int first = 0; first < AT_QUERIES; first += AT_LANES) {
        const int left = min(AT_LANES, AT_QUERIES - first);
        AT_FN(turn)(q, first, AT_Q_ROW, AT_Q_COL, AT_DEPTH, q_turned);
        AT_FN(turn)(g, first, AT_G_ROW, AT_G_COL, AT_WIDTH, g_turned);
        float16 most[AT_VECS], total[AT_VECS], shift[AT_VECS];
        for (int i = 0; i < AT_LANES; i++) {
            const AT_INT row = min(first + i, AT_QUERIES - 1);
            ((float *)most)[i] = p5[o5 + AT_TOP_BATCH(z) + row * AT_TOP_ROW];
            ((float *)total)[i] = p6[o6 + AT_TOTAL_BATCH(z) + row * AT_TOTAL_ROW];
            ((float *)shift)[i] = p7[o7 + AT_SHIFT_BATCH(z) + row * AT_SHIFT_ROW];
        }
        for (int chunk = 0; chunk < AT_KEYS; chunk += 512) {
            const int end = min(chunk + 512, AT_KEYS);
            for (int start = chunk; start < end; start += AT_TILE_KEYS) {
                const int key = min(start, end - AT_TILE_KEYS), skip = start - key;
                float16 *to = ds + (AT_MARGIN + key - chunk) * AT_VECS;
                float16 s[AT_TILE_KEYS * AT_VECS];
                AT_FN(products)(k + (AT_INT)key * AT_K_ROW, AT_K_ROW, AT_K_COL, AT_DEPTH, q_turned, s);
                for (int r = 0; r < AT_TILE_KEYS; r++)
#pragma unroll
                    for (int t = 0; t < AT_VECS; t++) {
                        const int i = r * AT_VECS + t;
                        const float16 m = most[t];
#if AT_MASKED
                        global const uchar *pm = p3 + o3 + AT_M_BATCH(z) + (key + r) * AT_M_COL;
                        const float16 x = weir_load_boolv(AT_MASK16(pm, first + 16 * t))
                            ? s[i] * AT_SCALE : (float16)(-INFINITY);
                        const float16 e = weir_exp_fv(x - m);
#else
                        const float16 e = weir_exp_fv(AT_FMA16(s[i], (float16)(AT_SCALE), -m));
#endif
                        p[i] = weir_div_fv(e, total[t]);
                    }
                AT_FN(add)((const float *)p, g + (AT_INT)first * AT_G_ROW, AT_G_ROW, AT_G_COL, AT_WIDTH,
                           first, left, skip, dv_acc + (AT_INT)key * AT_WIDTH,
                           dv + (AT_INT)key * AT_WIDTH);
                AT_FN(products)(v + (AT_INT)key * AT_V_ROW, AT_V_ROW, AT_V_COL, AT_WIDTH, g_turned, s);
                for (int r = 0; r < AT_TILE_KEYS; r++)
#pragma unroll
                    for (int t = 0; t < AT_VECS; t++) {
                        const int i = r * AT_VECS + t;
                        to[i] = (p[i] * (s[i] - shift[t])) * AT_SCALE;
                    }
                AT_FN(add)((const float *)to, q + (AT_INT)first * AT_Q_ROW, AT_Q_ROW, AT_Q_COL,
                           AT_DEPTH, first, left, skip, dk_acc + (AT_INT)key * AT_DEPTH,
                           dk + (AT_INT)key * AT_DEPTH);
            }
            for (int row = 0; row < left; row += AT_TILE_ROWS)
                for (int e = 0; e < AT_DEPTH; e += 16 * AT_TILE_VECS) {
                    float16 acc[AT_TILE_ROWS * AT_TILE_VECS];
                    AT_FN(weigh)((const float *)(ds + AT_MARGIN * AT_VECS) + row,
                                 k + (AT_INT)chunk * AT_K_ROW + e * AT_K_COL, AT_K_ROW, AT_K_COL,
                                 end - chunk, acc);
                    global float *to = dq + (AT_INT)(first + row) * AT_DEPTH + e;
#pragma unroll
                    for (int r = 0; r < AT_TILE_ROWS; r++)
                        if (row + r < left) {
#pragma unroll
                            for (int t = 0; t < AT_TILE_VECS; t++) {
                                const float16 sum = acc[r * AT_TILE_VECS + t];
                                global float *at = to + (AT_INT)r * AT_DEPTH + 16 * t;
                                WEIR_STORE16(at, chunk ? WEIR_LOAD16(at) + sum : 0.0f + sum);
                            }
                        }
                }
        }
    }
}
#undef AT_CHUNK
#undef AT_MARGIN
#include "attention_end.cl"
