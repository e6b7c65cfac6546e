// SPDX-License-Identifier: Apache-2.0
// Whether a matrix engine does what its file says: two sub-groups multiply matrices of small
// integers, whose products and sums are exact, and compare. p[o] = 1: every lane found all its
// results right. The text of the engine comes before; what it defines stands in contract_engine.cl.
// Geometry: one group of EN_LANES, 2, 1.
#include "engine_none.cl"
#define EN_WORD (EN_TYPE == 0 ? 1 : 2)
#define EN_PITCH (EN_K / EN_WORD + 4)

// Term k of a line: odd, with all the bits that the type has, or one of -1, 0, 1.
static inline int term(int wide, int line, int k)
{
    const int n = (line * 37 + k * 101 + 11) * 29 % (EN_TYPE == 1 ? 256 : 2048) | 1;
    return wide ? ((line ^ k) & 1 ? -n : n) : (line + 2 * k) % 3 - 1;
}

static inline uint bits_of(int n)
{
    ushort h;
    if (EN_TYPE == 0)
        return as_uint((float)n);
    if (EN_TYPE == 1)
        return as_uint((float)n) >> 16;
    vstore_half_rte((float)n, 0, (half *)&h);
    return h;
}

static inline void fill(local uint *to, int lines, int wide, int seed, int from)
{
    for (int i = from; i < lines * EN_K / EN_WORD; i += EN_LANES) {
        const int line = i / (EN_K / EN_WORD), k = i % (EN_K / EN_WORD) * EN_WORD;
        uint word = bits_of(term(wide, line + seed, k));
        if (EN_WORD == 2)
            word |= bits_of(term(wide, line + seed, k + 1)) << 16;
        to[line * EN_PITCH + i % (EN_K / EN_WORD)] = word;
    }
}

kernel __attribute__((reqd_work_group_size(EN_LANES, 2, 1))) EN_ATTRIBUTES void
probe(global float *p, ulong o)
{
    local uint tiles[2 * (EN_M + EN_N) * EN_PITCH];
    local int wrong[2 * EN_LANES];
    EN_LOCALS
    const int lane = EN_LANE, sub = EN_SUB, id = get_local_id(0) + EN_LANES * get_local_id(1);
    local uint *const a = tiles + sub * (EN_M + EN_N) * EN_PITCH, *const b = a + EN_M * EN_PITCH;
    int bad = lane < 0 || lane >= EN_LANES || sub < 0 || sub > 1;
    for (int wide = 0; wide < 2; wide++) {
        fill(a, EN_M, wide, 3 * sub, lane);
        fill(b, EN_N, !wide, 5 * sub, lane);
        barrier(CLK_LOCAL_MEM_FENCE);
        uint av[EN_A_WORDS], bv[EN_B_WORDS];
        float d[EN_RESULTS];
        EN_LOAD_A(av, a, EN_PITCH, lane);
        EN_LOAD_B(bv, b, EN_PITCH, lane);
        for (int i = 0; i < EN_RESULTS; i++)
            d[i] = (float)(3 * EN_ROW(lane, i) - EN_COL(lane, i));
        EN_MAD(d, av, bv);
        EN_MAD(d, av, bv);
        for (int i = 0; i < EN_RESULTS; i++) {
            int sum = 3 * EN_ROW(lane, i) - EN_COL(lane, i);
            for (int k = 0; k < EN_K; k++)
                sum += 2 * term(wide, EN_ROW(lane, i) + 3 * sub, k) *
                       term(!wide, EN_COL(lane, i) + 5 * sub, k);
            bad |= d[i] != (float)sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    wrong[id] = bad;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (id == 0) {
        int any = 0;
        for (int i = 0; i < 2 * EN_LANES; i++)
            any |= wrong[i];
        p[o] = any ? 0.0f : 1.0f;
    }
}
#include "engine_end.cl"
