// SPDX-License-Identifier: Apache-2.0
// One matrix engine's own text as C, of the instance that the EN_ knobs and ENGINE_TEXT say: what
// it makes of fragments becomes functions named after ENGINE_CASE. Included once a row by
// test_engine.c.
#define EN_MAD(d, a, b) // the instruction itself: engine_emulate.h
#include ENGINE_TEXT
#define ENGINE_NAME2(engine, what) engine##_##what
#define ENGINE_NAME1(engine, what) ENGINE_NAME2(engine, what)
#define ENGINE_NAME(what) ENGINE_NAME1(ENGINE_CASE, what)

static void ENGINE_NAME(load)(const uint *a_tile, const uint *b_tile, int pitch, uint *a, uint *b)
{
    for (int lane = 0; lane < EN_LANES; lane++) {
        EN_LOAD_A(a + lane * EN_A_WORDS, a_tile, pitch, lane);
        EN_LOAD_B(b + lane * EN_B_WORDS, b_tile, pitch, lane);
    }
}

static int ENGINE_NAME(row)(int lane, int i)
{
    return (void)lane, EN_ROW(lane, i);
}

static int ENGINE_NAME(col)(int lane, int i)
{
    return (void)i, EN_COL(lane, i);
}

static const struct engine_case ENGINE_CASE = {
    EN_TYPE,           EN_LANES,         EN_M,
    EN_N,              EN_K,             EN_RESULTS,
    ENGINE_NAME(load), ENGINE_NAME(row), ENGINE_NAME(col),
};
#undef ENGINE_CASE
#undef ENGINE_NAME
#undef ENGINE_NAME1
#undef ENGINE_NAME2
#include "engine_end.cl"
