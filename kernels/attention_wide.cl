// SPDX-License-Identifier: Apache-2.0
// Attention for wide devices (CPUs): one work-item computes a strip of 16 AT_VECS queries of one batch,
// whose scores never leave it; no local memory, no barriers. Knobs: attention_knobs.cl.
//
//   s = (q kT) c, masked: -inf    m = max s    p = exp(s - m)    l = sum p    o = (p v) / l
//
// The strip is kept with the queries in the lanes (key, query), so that maximum and sum of a row are
// sums of whole vectors, lane by lane of the row rule, and no row is folded sideways. The rounded
// scores decide m; without a mask p takes the product unrounded: exp(fma(q kT, c, -m)). Lanes beyond
// the last query repeat it and are not stored.
// Geometry: local 1; global = strips, batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "turn16.cl"
#include "attention_knobs.cl"
#include "attention_parts.cl"
#define AT_LIMIT (AT_KEYS < 64 ? AT_KEYS : 64)

kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void AT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
             global const float *p2, ulong o2,
#if AT_MASKED
             global const uchar *p3, ulong o3,
#endif
             global float *p4, ulong o4, global float *p5, ulong o5, global float *p6, ulong o6)
{
    const AT_INT z = get_global_id(1);
    const int first = AT_FIRST + (int)get_global_id(0) * AT_LANES;
    const int left = min(AT_LANES, AT_QUERIES - first);
    global const float *q = p0 + o0 + AT_Q_BATCH(z);
    global const float *k = p1 + o1 + AT_K_BATCH(z);
    global const float *v = p2 + o2 + AT_V_BATCH(z);
    float16 turned[AT_DEPTH * AT_VECS]; // (column of q, query)
    float16 strip[AT_KEYS * AT_VECS];   // (key, query)
    float16 lane[64 * AT_VECS], top[AT_VECS];

    AT_FN(turn)(q, first, AT_Q_ROW, AT_Q_COL, AT_DEPTH, turned);
    for (int t = 0; t < AT_VECS; t++)
        top[t] = (float16)(-INFINITY);

    for (int start = 0; start < AT_KEYS; start += AT_TILE_KEYS) {
        const int key = min(start, AT_KEYS - AT_TILE_KEYS); // the last tile does some keys again
        float16 *to = strip + key * AT_VECS;
        AT_FN(products)(k + (AT_INT)key * AT_K_ROW, AT_K_ROW, AT_K_COL, AT_DEPTH, turned, to);
        for (int r = 0; r < AT_TILE_KEYS; r++)
#pragma unroll
            for (int t = 0; t < AT_VECS; t++) {
                float16 s = to[r * AT_VECS + t] * AT_SCALE;
#if AT_MASKED
                global const uchar *pm = p3 + o3 + AT_M_BATCH(z) + (key + r) * AT_M_COL;
                s = weir_load_boolv(AT_MASK16(pm, first + 16 * t)) ? s : (float16)(-INFINITY);
                to[r * AT_VECS + t] = s;
#endif
                top[t] = weir_max_fv(top[t], s);
            }
    }
#if AT_MASKED
    for (int t = 0; t < AT_VECS; t++)
        top[t] = top[t] == -INFINITY ? (float16)(0.0f) : top[t];
#endif

    for (int i = 0; i < AT_LIMIT; i++) {
        float16 sum[AT_VECS];
#pragma unroll
        for (int t = 0; t < AT_VECS; t++)
            sum[t] = (float16)(-0.0f);
        for (int key = i; key < AT_KEYS; key += 64)
#pragma unroll
            for (int t = 0; t < AT_VECS; t++) {
                const float16 s = strip[key * AT_VECS + t];
#if AT_MASKED
                const float16 p = weir_exp_fv(s - top[t]);
#else
                const float16 p = weir_exp_fv(AT_FMA16(s, (float16)(AT_SCALE), -top[t]));
#endif
                strip[key * AT_VECS + t] = p;
                sum[t] = sum[t] + p;
            }
#pragma unroll
        for (int t = 0; t < AT_VECS; t++)
            lane[i * AT_VECS + t] = sum[t];
    }
    for (int i = AT_LIMIT * AT_VECS; i < 64 * AT_VECS; i++)
        lane[i] = (float16)(-0.0f);
    for (int apart = 32 * AT_VECS; apart >= AT_VECS; apart /= 2)
        for (int i = 0; i < apart; i++)
            lane[i] = lane[i] + lane[i + apart];
#if AT_MASKED
    for (int t = 0; t < AT_VECS; t++)
        lane[t] = lane[t] == 0.0f ? (float16)(1.0f) : lane[t];
#endif

    const float *total = (const float *)lane, *most = (const float *)top;
    for (int r = 0; r < left; r++) {
        p5[o5 + z * AT_QUERIES + first + r] = most[r];
        p6[o6 + z * AT_QUERIES + first + r] = total[r];
    }
    for (int row = 0; row < left; row += AT_TILE_ROWS)
        for (int e = 0; e < AT_WIDTH; e += 16 * AT_TILE_VECS) {
            float16 acc[AT_TILE_ROWS * AT_TILE_VECS], sum[AT_TILE_ROWS * AT_TILE_VECS];
#pragma unroll
            for (int i = 0; i < AT_TILE_ROWS * AT_TILE_VECS; i++)
                sum[i] = (float16)(0.0f);
            for (int key = 0; key < AT_KEYS; key += 512) {
                AT_FN(weigh)((const float *)(strip + key * AT_VECS) + row,
                             v + (AT_INT)key * AT_V_ROW + e * AT_V_COL, AT_V_ROW, AT_V_COL,
                             min(512, AT_KEYS - key), acc);
#pragma unroll
                for (int i = 0; i < AT_TILE_ROWS * AT_TILE_VECS; i++)
                    sum[i] = sum[i] + acc[i];
            }
            global float *po = p4 + o4 + (z * AT_QUERIES + first + row) * AT_WIDTH + e;
#pragma unroll
            for (int r = 0; r < AT_TILE_ROWS; r++)
                if (row + r < left) {
                    const float16 l = (float16)(total[row + r]);
#pragma unroll
                    for (int t = 0; t < AT_TILE_VECS; t++)
                        WEIR_STORE16(po + r * AT_WIDTH + 16 * t,
                                     weir_div_fv(sum[r * AT_TILE_VECS + t], l));
                }
        }
}
#undef AT_LIMIT
#include "attention_end.cl"
