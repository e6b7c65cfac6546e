// SPDX-License-Identifier: Apache-2.0
// Matrix engines without a GPU: the kernel files' fragments, compiled as C for all lanes of a
// sub-group, go through the instruction as its maker documents it (engine_emulate.h); what comes
// out must be the product. That whole kernels do so too is tested with a driver (tests/contract/
// engines.c). Seed of all data: 7.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/engine.h"
#include "support/support.h"

// --- OpenCL C's words ---

typedef unsigned int uint;
typedef unsigned short ushort;
#define local
#define fma fmaf

static float as_float(uint bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static uint as_uint(float x)
{
    uint bits;
    memcpy(&bits, &x, 4);
    return bits;
}

#define ENGINE_WORDS const uint *
#define ENGINE_FN static
#include "engine_emulate.h"

struct engine_case {
    int type, lanes, m, n, k, results;
    void (*load)(const uint *a_tile, const uint *b_tile, int pitch, uint *a, uint *b);
    int (*row)(int lane, int i), (*col)(int lane, int i);
};

// --- the rows, in the table's order ---

#define ENGINE_CASE mma_tf32
#define ENGINE_TEXT "engine_nvidia.cl"
#define EN_TYPE 0
#define EN_LANES 32
#define EN_M 16
#define EN_N 8
#define EN_K 8
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE mma_bf16
#define ENGINE_TEXT "engine_nvidia.cl"
#define EN_TYPE 1
#define EN_LANES 32
#define EN_M 16
#define EN_N 8
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE mma_f16
#define ENGINE_TEXT "engine_nvidia.cl"
#define EN_TYPE 2
#define EN_LANES 32
#define EN_M 16
#define EN_N 8
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE xmx8_bf16
#define ENGINE_TEXT "engine_intel.cl"
#define EN_TYPE 1
#define EN_LANES 8
#define EN_M 8
#define EN_N 8
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE xmx8_f16
#define ENGINE_TEXT "engine_intel.cl"
#define EN_TYPE 2
#define EN_LANES 8
#define EN_M 8
#define EN_N 8
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE xmx16_bf16
#define ENGINE_TEXT "engine_intel.cl"
#define EN_TYPE 1
#define EN_LANES 16
#define EN_M 8
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE xmx16_f16
#define ENGINE_TEXT "engine_intel.cl"
#define EN_TYPE 2
#define EN_LANES 16
#define EN_M 8
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE xmx16_tf32
#define ENGINE_TEXT "engine_intel.cl"
#define EN_TYPE 0
#define EN_LANES 16
#define EN_M 8
#define EN_N 16
#define EN_K 8
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE wmma_bf16
#define ENGINE_TEXT "engine_amd.cl"
#define EN_TYPE 1
#define EN_LANES 32
#define EN_M 16
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE wmma_f16
#define ENGINE_TEXT "engine_amd.cl"
#define EN_TYPE 2
#define EN_LANES 32
#define EN_M 16
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE mfma_f32
#define ENGINE_TEXT "engine_amd.cl"
#define EN_TYPE 0
#define EN_LANES 64
#define EN_M 16
#define EN_N 16
#define EN_K 4
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE mfma_bf16
#define ENGINE_TEXT "engine_amd.cl"
#define EN_TYPE 1
#define EN_LANES 64
#define EN_M 16
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

#define ENGINE_CASE mfma_f16
#define ENGINE_TEXT "engine_amd.cl"
#define EN_TYPE 2
#define EN_LANES 64
#define EN_M 16
#define EN_N 16
#define EN_K 16
#include "engine_case.h"
#undef ENGINE_TEXT

static const struct engine_case *const cases[] = {
    &mma_tf32,   &mma_bf16,  &mma_f16,  &xmx8_bf16, &xmx8_f16,  &xmx16_bf16, &xmx16_f16,
    &xmx16_tf32, &wmma_bf16, &wmma_f16, &mfma_f32,  &mfma_bf16, &mfma_f16,
};

// --- the test ---

enum { MOST = 16, PITCH = 12 }; // rows, columns or terms; words from line to line

// A number that the type has, as its bits: all of them in use.
static uint random_term(int type, uint64_t *seed, double *value)
{
    const int n =
        (int)(test_next(seed) >> 40) % (type == 1 ? 256 : 2048) - (type == 1 ? 128 : 1024);
    const uint bits = as_uint((float)n);
    *value = n;
    if (type != 2)
        return type == 0 ? bits : bits >> 16;
    const uint exponent = (bits >> 23 & 255) - 112; // of a half; n = 0 has none
    return n == 0 ? 0 : (bits >> 16 & 0x8000u) | exponent << 10 | (bits >> 13 & 1023);
}

static void fill(const struct engine_case *c, int lines, uint *tile, double (*value)[MOST],
                 uint64_t *seed)
{
    memset(tile, 0xff, sizeof(uint) * MOST * PITCH); // a NaN wherever nothing is read
    for (int i = 0; i < lines; i++)
        for (int k = 0; k < c->k; k++) {
            const uint term = random_term(c->type, seed, &value[i][k]);
            uint *word = &tile[i * PITCH + (c->type ? k / 2 : k)];
            if (c->type == 0)
                *word = term;
            else
                *word = k % 2 ? (*word & 0xffffu) | term << 16 : (*word & 0xffff0000u) | term;
        }
}

// Integers below 2^11, of which 16 products and the start fit 24 bits only where one side is small:
// what is left is a rounding a term.
START_TEST(fragments)
{
    const struct engine_case *c = cases[_i];
    const struct weir_engine *row = &weir_engines[_i];
    const char *name = row->name;
    ck_assert_int_eq(c->type, row->dtype == WEIR_F32 ? 0 : row->dtype == WEIR_BF16 ? 1 : 2);
    ck_assert(c->lanes == row->lanes && c->m == row->m && c->n == row->n && c->k == row->k);
    ck_assert_msg(c->results * c->lanes == c->m * c->n, "%s: %d results a lane", name, c->results);
    uint a_tile[MOST * PITCH], b_tile[MOST * PITCH], a[64 * 8], b[64 * 8];
    double av[MOST][MOST], bv[MOST][MOST];
    int seen[MOST][MOST] = {{0}};
    uint64_t seed = 7;
    fill(c, c->m, a_tile, av, &seed);
    fill(c, c->n, b_tile, bv, &seed);
    c->load(a_tile, b_tile, PITCH, a, b);
    for (int lane = 0; lane < c->lanes; lane++) {
        float d[8];
        for (int i = 0; i < c->results; i++)
            d[i] = (float)(100 * c->row(lane, i) - c->col(lane, i));
        emulated_mad(c->m, c->n, c->lanes, c->type, a, b, d, lane);
        for (int i = 0; i < c->results; i++) {
            const int r = c->row(lane, i), o = c->col(lane, i);
            ck_assert_msg(r >= 0 && r < c->m && o >= 0 && o < c->n, "%s: lane %d has result %d, %d",
                          name, lane, r, o);
            double sum = 100 * r - o, size = fabs(sum);
            for (int k = 0; k < c->k; k++) {
                sum += av[r][k] * bv[o][k];
                size += fabs(av[r][k] * bv[o][k]);
            }
            ck_assert_msg(fabs(d[i] - sum) <= (c->k + 1) * 0x1p-24 * size,
                          "%s: %d, %d is %g, not %g", name, r, o, (double)d[i], sum);
            seen[r][o]++;
        }
    }
    for (int r = 0; r < c->m; r++)
        for (int o = 0; o < c->n; o++)
            ck_assert_msg(seen[r][o] == 1, "%s: %d lanes have result %d, %d", name, seen[r][o], r,
                          o);
}
END_TEST

START_TEST(table)
{
    int n = 0;
    while (weir_engines[n].name)
        n++;
    ck_assert_int_eq(n, sizeof(cases) / sizeof(cases[0]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tc = tcase_create("engine");
    tcase_add_test(tc, table);
    tcase_add_loop_test(tc, fragments, 0, sizeof(cases) / sizeof(cases[0]));
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
