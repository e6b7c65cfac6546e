// SPDX-License-Identifier: Apache-2.0
// The gradients of attention for grouped devices (GPUs). AT_OF_KEYS 0: a work-group computes dq of a
// block of queries, keys going by in tiles of 64. AT_OF_KEYS 1: dk and dv of a block of keys,
// queries going by. Knobs: attention_knobs.cl; the shape of it all: attention_group_parts.cl.
//
//   p = exp(s - m) / l    dp = t vT    ds = (p (dp - D)) c    dq = ds k    dk = dsT q    dv = pT t
//
// with t the output's gradient, m and l from the forward pass, D = sum(t o). Both compute the scores
// and dp again, as chains over the same columns in the same order, whichever of the two matrices is
// held. Each gradient is a sum over all tiles in order. None is left out where a mask makes its p
// zero: m, l, t, D or a product that overflows may make it NaN all the same.
// Local memory: AT_FLOATS floats.
// Geometry: local AT_X, AT_Y, 1; global = AT_X; AT_Y for each block of AT_ROWS rows; batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "attention_knobs.cl"
#include "attention_group_parts.cl"
// What blocks are of and what goes by, and of element (r, c) of an item the query, the key, and the
// place of what is known of the query.
#if AT_OF_KEYS
#define AT_BLOCKS AT_KEYS
#define AT_STREAM AT_QUERIES
#define AT_QUERY(r, c) (at + AT_COLUMN(c))
#define AT_KEY(r, c) (first + 4 * ly + (r))
#define AT_KNOWN AT_PER
#define AT_PLACE(r, c) (c)
#else
#define AT_BLOCKS AT_QUERIES
#define AT_STREAM AT_KEYS
#define AT_QUERY(r, c) (first + 4 * ly + (r))
#define AT_KEY(r, c) (at + AT_COLUMN(c))
#define AT_KNOWN 4
#define AT_PLACE(r, c) (r)
#endif
#define AT_HELD_G (AT_PADDED(AT_DEPTH) * AT_LINE)
#define AT_STRIP (AT_HELD_G + AT_PADDED(AT_WIDTH) * AT_LINE)
#define AT_FLOATS (AT_STRIP + 64 * AT_LINE + AT_STAGE)
#define AT_OWN_DEPTH (4 * AT_ACROSS(AT_DEPTH))
#define AT_OWN_WIDTH (4 * AT_ACROSS(AT_WIDTH))

kernel __attribute__((reqd_work_group_size(AT_X, AT_Y, 1)))
void AT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
             global const float *p2, ulong o2,
#if AT_MASKED
             global const uchar *p3, ulong o3,
#endif
             global const float *p4, ulong o4, global const float *p5, ulong o5,
             global const float *p6, ulong o6, global const float *p7, ulong o7,
             global float *p8, ulong o8
#if AT_OF_KEYS
             , global float *p9, ulong o9
#endif
             )
{
    // one array, because some compilers place several ones badly
    local float4 memory[AT_FLOATS / 4];
    local float *const held = (local float *)memory, *const held_g = held + AT_HELD_G;
    local float *const strip = held + AT_STRIP, *const stage = strip + 64 * AT_LINE;
    const int lx = get_local_id(0), ly = get_local_id(1), id = ly * AT_X + lx;
    const AT_INT z = get_global_id(2);
    const int first = ((int)get_global_id(1) - ly) / AT_Y * AT_ROWS;
    global const float *const q = p0 + o0 + AT_Q_BATCH(z), *const k = p1 + o1 + AT_K_BATCH(z);
    global const float *const v = p2 + o2 + AT_V_BATCH(z), *const g = p4 + o4 + AT_G_BATCH(z);
#if AT_MASKED
    global const uchar *const mask = p3 + o3 + AT_M_BATCH(z);
#endif
    float most[AT_KNOWN], total[AT_KNOWN], shift[AT_KNOWN];
    float acc[AT_OWN_DEPTH], sum[AT_OWN_DEPTH];
#pragma unroll
    for (int i = 0; i < AT_OWN_DEPTH; i++)
        acc[i] = sum[i] = 0.0f;
#if AT_OF_KEYS
    float acc_v[AT_OWN_WIDTH], sum_v[AT_OWN_WIDTH];
#pragma unroll
    for (int i = 0; i < AT_OWN_WIDTH; i++)
        acc_v[i] = sum_v[i] = 0.0f;
    AT_FN(hold_depth)(k, first, AT_KEYS, AT_K_ROW, AT_K_COL, id, held);
    AT_FN(hold_width)(v, first, AT_KEYS, AT_V_ROW, AT_V_COL, id, held_g);
#else
    AT_FN(hold_depth)(q, first, AT_QUERIES, AT_Q_ROW, AT_Q_COL, id, held);
    AT_FN(hold_width)(g, first, AT_QUERIES, AT_G_ROW, AT_G_COL, id, held_g);
#endif

#pragma unroll 1
    for (int at = 0; at < AT_STREAM; at += 64) {
        float s[4 * AT_PER], d[4 * AT_PER];
#if AT_OF_KEYS
        AT_FN(products_depth)(held, q, at, AT_QUERIES, AT_Q_ROW, AT_Q_COL, lx, ly, stage, s);
        AT_FN(products_width)(held_g, g, at, AT_QUERIES, AT_G_ROW, AT_G_COL, lx, ly, stage, d);
#else
        AT_FN(products_depth)(held, k, at, AT_KEYS, AT_K_ROW, AT_K_COL, lx, ly, stage, s);
        AT_FN(products_width)(held_g, v, at, AT_KEYS, AT_V_ROW, AT_V_COL, lx, ly, stage, d);
#endif
#pragma unroll
        for (int i = 0; i < AT_KNOWN; i++) {
            const AT_INT query = min(AT_QUERY(i, i), AT_QUERIES - 1);
            most[i] = p5[o5 + AT_TOP_BATCH(z) + query * AT_TOP_ROW];
            total[i] = p6[o6 + AT_TOTAL_BATCH(z) + query * AT_TOTAL_ROW];
            shift[i] = p7[o7 + AT_SHIFT_BATCH(z) + query * AT_SHIFT_ROW];
        }
#pragma unroll
        for (int i = 0; i < 4 * AT_PER; i++) {
            const int r = i % 4, c = i / 4, n = AT_PLACE(r, c);
#if AT_MASKED
            const bool seen = AT_FN(sees)(mask, AT_QUERY(r, c), AT_KEY(r, c));
            const float x = seen ? s[i] * AT_SCALE : -INFINITY;
            const float e = weir_exp_f(x - most[n]);
#else
            const float e = weir_exp_f(AT_FMA(s[i], AT_SCALE, -most[n]));
#endif
            const float p = weir_div_f(e, total[n]), ds = (p * (d[i] - shift[n])) * AT_SCALE;
            const bool is = AT_STREAM % 64 == 0 || at + AT_COLUMN(c) < AT_STREAM;
            s[i] = is ? p : 0.0f;
            d[i] = is ? ds : 0.0f;
        }
        if (AT_STREAM > 512 && at > 0 && at % 512 == 0) {
            AT_FN(next_chunk)(acc, sum, AT_OWN_DEPTH);
#if AT_OF_KEYS
            AT_FN(next_chunk)(acc_v, sum_v, AT_OWN_WIDTH);
#endif
        }
#if AT_OF_KEYS
#pragma unroll
        for (int c = 0; c < AT_PER; c++)
            AT_PUT_QUAD(strip + AT_COLUMN(c) * AT_LINE + 4 * ly, s + AT_AT(0, c));
        AT_FN(add_width)(strip, g, at, AT_QUERIES, AT_G_ROW, AT_G_COL, lx, ly, stage, acc_v);
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
#pragma unroll
        for (int c = 0; c < AT_PER; c++)
            AT_PUT_QUAD(strip + AT_COLUMN(c) * AT_LINE + 4 * ly, d + AT_AT(0, c));
#if AT_OF_KEYS
        AT_FN(add_depth)(strip, q, at, AT_QUERIES, AT_Q_ROW, AT_Q_COL, lx, ly, stage, acc);
#else
        AT_FN(add_depth)(strip, k, at, AT_KEYS, AT_K_ROW, AT_K_COL, lx, ly, stage, acc);
#endif
    }
    AT_FN(next_chunk)(acc, sum, AT_OWN_DEPTH);
    AT_FN(store_depth)(sum, p8 + o8 + z * AT_BLOCKS * AT_DEPTH, first, AT_BLOCKS, lx, ly);
#if AT_OF_KEYS
    AT_FN(next_chunk)(acc_v, sum_v, AT_OWN_WIDTH);
    AT_FN(store_width)(sum_v, p9 + o9 + z * AT_BLOCKS * AT_WIDTH, first, AT_BLOCKS, lx, ly);
#endif
}
#undef AT_BLOCKS
#undef AT_STREAM
#undef AT_QUERY
#undef AT_KEY
#undef AT_KNOWN
#undef AT_PLACE
#undef AT_HELD_G
#undef AT_STRIP
#undef AT_FLOATS
#undef AT_OWN_DEPTH
#undef AT_OWN_WIDTH
#include "attention_end.cl"
