// SPDX-License-Identifier: Apache-2.0
// Attention for grouped devices (GPUs): a work-group computes a block of queries of one batch,
// whose scores stay in local memory. Knobs: attention_knobs.cl; the shape of it all:
// attention_group_parts.cl.
//
//   s = (q kT) c, masked: -inf    m = max s    p = exp(s - m)    l = sum p    o = (p v) / l
//
// Keys go by in tiles of 64, twice: first for m, then for p, l and o. Scores are kept in between
// (AT_KEEP 1), or computed again. So p of a key is in the lane of the row rule that its place in
// the tile is, and a work-item sums the lanes that are its own columns. The rounded scores decide
// m; without a mask p takes the product unrounded: exp(fma(q kT, c, -m)). Rows beyond the last
// query repeat it and are not stored.
//
// A tile of keys that is masked for all queries of the block is left out. Its scores are -inf,
// which no maximum but one of nothing notices; its p are +0 (NaN where m is: then l and all o are
// NaN anyway), so its products with v are zeros, which change the sign of a zero sum at most, and
// 0 + P, with which every sum ends, has none. Only where v is not finite a product is NaN: such
// columns are noted.
// Local memory: AT_FLOATS floats.
// Geometry: local AT_X, AT_Y, 1; global = AT_X; AT_Y for each block of AT_ROWS queries; batches.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "attention_knobs.cl"
#include "attention_group_parts.cl"
#define AT_TILES ((AT_KEYS + 63) / 64)
#define AT_STRIP ((AT_KEEP ? AT_TILES : 1) * 64 * AT_LINE)
#define AT_HELD (AT_PADDED(AT_DEPTH) * AT_LINE)
// Beside the floats: which tiles have a key, which those are, and columns of v that are not finite.
#define AT_BAD (AT_OWN * AT_X)
#define AT_INTS (AT_MASKED ? 2 * AT_TILES + AT_BAD : 0)
#define AT_FLOATS (AT_HELD + AT_STRIP + AT_STAGE + AT_ROWS + AT_INTS)
#define AT_OWN AT_ACROSS(AT_WIDTH)
#define AT_IS_KEY(key) (AT_KEYS % 64 == 0 || (key) < AT_KEYS)

#if AT_MASKED
// Lists the tiles that have an unmasked key, at least one, and notes columns of v that are not
// finite in the other ones. Returns how many there are.
static inline int AT_FN(list)(global const uchar *mask, global const float *v, int first, int lx,
                              int ly, local int *seen, local int *tiles, local int *bad)
{
    const int id = ly * AT_X + lx;
    for (int i = id; i < AT_TILES; i += AT_ITEMS)
        seen[i] = 0;
    for (int i = id; i < AT_BAD; i += AT_ITEMS)
        bad[i] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < AT_TILES; i++) {
        int any = 0;
        for (int j = id; j < AT_ROWS * 64; j += AT_ITEMS) {
            const int key = 64 * i + j % 64;
            any |= AT_IS_KEY(key) && AT_FN(sees)(mask, first + j / 64, key);
        }
        if (any)
            atomic_or(&seen[i], 1);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    int n = 0;
    for (int i = 0; i < AT_TILES; i++)
        if (seen[i]) {
            if (id == 0)
                tiles[n] = i;
            n++;
        } else {
            for (int e = lx; e < AT_WIDTH; e += AT_X) {
                int finite = 1;
                for (int key = 64 * i + ly; key < min(64 * i + 64, AT_KEYS); key += AT_Y)
                    finite &= weir_is_finite_f(v[(AT_INT)key * AT_V_ROW + e * AT_V_COL]);
                if (!finite)
                    atomic_or(&bad[e], 1);
            }
        }
    if (n == 0 && id == 0)
        tiles[0] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    return max(n, 1);
}
#endif

kernel __attribute__((reqd_work_group_size(AT_X, AT_Y, 1)))
void AT_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1,
             global const float *p2, ulong o2,
#if AT_MASKED
             global const uchar *p3, ulong o3,
#endif
             global float *p4, ulong o4, global float *p5, ulong o5, global float *p6, ulong o6)
{
    // one array, because some compilers place several ones badly
    local float4 memory[(AT_FLOATS + 3) / 4];
    local float *const held = (local float *)memory, *const strip = held + AT_HELD;
    local float *const stage = strip + AT_STRIP, *const tops = stage + AT_STAGE;
    const int lx = get_local_id(0), ly = get_local_id(1), id = ly * AT_X + lx;
    const AT_INT z = get_global_id(2);
    const int first = ((int)get_global_id(1) - ly) / AT_Y * AT_ROWS;
    global const float *k = p1 + o1 + AT_K_BATCH(z);
    global const float *v = p2 + o2 + AT_V_BATCH(z);
    float s[4 * AT_PER], top[4];
#if AT_MASKED
    global const uchar *const mask = p3 + o3 + AT_M_BATCH(z);
    local int *const bad = (local int *)(tops + AT_ROWS), *const tiles = bad + AT_BAD;
    const int n_tiles = AT_FN(list)(mask, v, first, lx, ly, tiles + AT_TILES, tiles, bad);
#define AT_TILE(i) tiles[i]
#else
    const int n_tiles = AT_TILES;
#define AT_TILE(i) (i)
#endif

    AT_FN(hold_depth)(p0 + o0 + AT_Q_BATCH(z), first, AT_QUERIES, AT_Q_ROW, AT_Q_COL, id, held);
#pragma unroll
    for (int r = 0; r < 4; r++)
        top[r] = -INFINITY;
    // Ended by a flag, as PoCL 3.1 hangs on barriers in a loop that may run no times.
    int turn = 0;
    bool running = true;
#pragma unroll 1
    while (running) {
        const int first_key = 64 * AT_TILE(turn);
        AT_FN(products_depth)(held, k, first_key, AT_KEYS, AT_K_ROW, AT_K_COL, lx, ly, stage, s);
#pragma unroll
        for (int c = 0; c < AT_PER; c++) {
            const int key = first_key + AT_COLUMN(c);
#pragma unroll
            for (int r = 0; r < 4; r++) {
                float x = s[AT_AT(r, c)] * AT_SCALE;
#if AT_MASKED
                x = AT_FN(sees)(mask, first + 4 * ly + r, key) ? x : -INFINITY;
                s[AT_AT(r, c)] = x;
#endif
                top[r] = AT_IS_KEY(key) ? weir_max_f(top[r], x) : top[r];
            }
#if AT_KEEP
            AT_PUT_QUAD(strip + key * AT_LINE + 4 * ly, s + AT_AT(0, c));
#endif
        }
        running = ++turn < n_tiles;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    AT_PUT_QUAD(stage + lx * AT_ROWS + 4 * ly, top);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < AT_X; i++) {
        float other[4];
        AT_QUAD(other, stage + i * AT_ROWS + 4 * ly)
#pragma unroll
        for (int r = 0; r < 4; r++)
            top[r] = weir_max_f(top[r], other[r]);
    }
#if AT_MASKED
#pragma unroll
    for (int r = 0; r < 4; r++)
        top[r] = top[r] == -INFINITY ? 0.0f : top[r];
#endif

    // Read again for each tile: Intel's CPU compiler (2026.2) takes one row's for all if they stay
    // in registers.
    if (lx == 0)
        AT_PUT_QUAD(tops + 4 * ly, top);
    barrier(CLK_LOCAL_MEM_FENCE);

    float lane[4 * AT_PER], acc[4 * AT_OWN], sum[4 * AT_OWN];
#pragma unroll
    for (int i = 0; i < 4 * AT_PER; i++)
        lane[i] = -0.0f;
#pragma unroll
    for (int i = 0; i < 4 * AT_OWN; i++)
        acc[i] = sum[i] = 0.0f;
    int chunk = 0;
    turn = 0;
    running = true;
#pragma unroll 1
    while (running) {
        const int first_key = 64 * AT_TILE(turn);
        float m[4];
        local float *const weight = strip + (AT_KEEP ? first_key * AT_LINE : 0);
#if !AT_KEEP
        AT_FN(products_depth)(held, k, first_key, AT_KEYS, AT_K_ROW, AT_K_COL, lx, ly, stage, s);
#endif
        AT_QUAD(m, tops + 4 * ly)
#pragma unroll
        for (int c = 0; c < AT_PER; c++) {
            const int key = first_key + AT_COLUMN(c);
            local float *const at = weight + AT_COLUMN(c) * AT_LINE + 4 * ly;
            float p[4];
#if AT_KEEP
            AT_QUAD(s + AT_AT(0, c), at)
#endif
#pragma unroll
            for (int r = 0; r < 4; r++) {
                const float x = s[AT_AT(r, c)];
#if !AT_MASKED
                p[r] = weir_exp_f(AT_FMA(x, AT_SCALE, -m[r]));
#elif AT_KEEP
                p[r] = weir_exp_f(x - m[r]);
#else
                const bool seen = AT_FN(sees)(mask, first + 4 * ly + r, key);
                p[r] = weir_exp_f((seen ? x * AT_SCALE : -INFINITY) - m[r]);
#endif
                p[r] = AT_IS_KEY(key) ? p[r] : 0.0f;
                lane[AT_AT(r, c)] = AT_IS_KEY(key) ? lane[AT_AT(r, c)] + p[r] : lane[AT_AT(r, c)];
            }
            AT_PUT_QUAD(at, p);
        }
        if (AT_KEYS > 512 && first_key / 512 != chunk)
            AT_FN(next_chunk)(acc, sum, 4 * AT_OWN);
        chunk = first_key / 512;
        AT_FN(add_width)(weight, v, first_key, AT_KEYS, AT_V_ROW, AT_V_COL, lx, ly, stage, acc);
        running = ++turn < n_tiles;
    }
    AT_FN(next_chunk)(acc, sum, 4 * AT_OWN);

    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int c = 0; c < AT_PER; c++)
        AT_PUT_QUAD(strip + AT_COLUMN(c) * AT_LINE + 4 * ly, lane + AT_AT(0, c));
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int apart = 32; apart > 0; apart /= 2) {
        for (int i = id; i < apart * AT_Y; i += AT_ITEMS) {
            local float4 *const to = (local float4 *)(strip + i / AT_Y * AT_LINE + 4 * (i % AT_Y));
            to[0] = to[0] + to[apart * AT_LINE / 4];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    float total[4];
    AT_QUAD(total, strip + 4 * ly)
#pragma unroll
    for (int r = 0; r < 4; r++) {
        const int query = first + 4 * ly + r;
#if AT_MASKED
        total[r] = total[r] == 0.0f ? 1.0f : total[r];
#endif
        if (lx == 0 && query < AT_QUERIES) {
            p5[o5 + z * AT_QUERIES + query] = top[r];
            p6[o6 + z * AT_QUERIES + query] = total[r];
        }
    }
#pragma unroll
    for (int i = 0; i < 4 * AT_OWN; i++)
        sum[i] = weir_div_f(sum[i], total[i % 4]);
#if AT_MASKED
#pragma unroll
    for (int i = 0; i < 4 * AT_OWN; i++)
        sum[i] = bad[AT_FN(result_width)(i / 4, lx)] ? NAN : sum[i];
#endif
    AT_FN(store_width)(sum, p4 + o4 + z * AT_QUERIES * AT_WIDTH, first, AT_QUERIES, lx, ly);
}
#undef AT_TILES
#undef AT_STRIP
#undef AT_HELD
#undef AT_INTS
#undef AT_BAD
#undef AT_FLOATS
#undef AT_OWN
#undef AT_IS_KEY
#undef AT_TILE
#include "attention_end.cl"
