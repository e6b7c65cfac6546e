// SPDX-License-Identifier: Apache-2.0
// Matrix engines, emulated on a driver that has none.
#include <string.h>

#include "contract/contract.h"

// Matrix engines, emulated on a driver that has none. If `every`, each of them with each tile: all
// kinds of gathers, edges, sums in one work-group and split; else one product with edges by a few,
// with small tiles.
static const char *const engine_few[][2] = {
    {"mma-tf32", "engine-16x16-4"}, {"xmx8-bf16", "engine-16x16-8"}, {"wmma-f16", "engine-16x16-8"},
};

static void force_engine(const struct weir_engine_tile *t)
{
    contract.forced.candidate.kernel = &weir_contract_engine;
    for (int i = 0; i < WEIR_MAX_KNOBS; i++)
        contract.forced.candidate.knob[i] = WEIR_AUTO;
    weir_engine_knobs(t, contract.forced.candidate.knob);
    contract.is_forced = true;
}

START_TEST(engines)
{
    static const struct spec all[] = {
        {MATMUL, .batch_a = {2}, .batch_b = {2}, .m = 36, .k = 76, .n = 41, .ta = true, .tb = true},
        {MATMUL, .m = 37, .k = 45, .n = 41, .epilogue = true},
        {MATMUL, .m = 5, .k = 1100, .n = 7, .views = true},
        {MATMUL, .m = 3, .k = 0, .n = 2},
        EACH(.images = 2, .in = {5, 6}, .cin = 3, .cout = 20, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
        EACH(.images = 1, .in = {4, 4}, .cin = 8, .cout = 4, .ker = {2, 2}, .p = {.groups = 2})
    }, product[] = {{MATMUL, .m = 13, .k = 1, .n = 19}};
    int n_tiles = 0;
    while (contract.every && weir_engine_tiles[n_tiles].name)
        n_tiles++;
    weir_device *dev = contract_device(WEIR_CAP_WIDE);
    const struct weir_engine *engine = weir_engines;
    while (contract.every ? engine < &weir_engines[_i]
                          : strcmp(engine->name, engine_few[_i][0]) != 0)
        engine++;
    contract.engine = engine;
    dev->info.caps.features |= engine->cap;
    for (int t = 0; t <= n_tiles; t++) {
        contract.is_forced = false;
        for (const struct weir_engine_tile *x = weir_engine_tiles; x->name; x++)
            if (contract.every ? x == &weir_engine_tiles[t]
                               : strcmp(x->name, engine_few[_i][1]) == 0)
                force_engine(x);
        contract.engine_kernels = 0;
        contract_run(dev, all, (int)(contract.every ? WEIR_COUNT(all) : 1), NULL);
        ck_assert_msg(contract.engine_kernels >= (contract.every ? 8 : 1), "%s: %d kernels",
                      engine->name, contract.engine_kernels);
    }
    // Two operands of tf32, each half a unit of its eleven bits off, and a product.
    if (engine->dtype == WEIR_F32 && contract.every) {
        contract.tolerance = engine->cap == WEIR_CAP_MFMA ? 0x1p-24f : 0x1p-10f + 0x1p-21f;
        contract_run(dev, product, 1, NULL);
        contract.tolerance = 0;
    }
    contract.engine = NULL;
    contract.is_forced = false;
    weir_device_close(&dev);
}
END_TEST

void contract_engines_tests(Suite *suite)
{
    TCase *matrix = tcase_create("engines");
    int n = 0;
    while (weir_engines[n].name)
        n++;
    tcase_set_timeout(matrix, contract.every ? 3600 : 280);
    tcase_add_loop_test(matrix, engines, 0, contract.every ? n : (int)WEIR_COUNT(engine_few));
    suite_add_tcase(suite, matrix);
}
