// SPDX-License-Identifier: Apache-2.0
// Every tile of the grouped kernels, whatever would be chosen, and their races.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"

// clang-format off
static const struct spec tile_specs[] = {
    {MATMUL, .m = 131, .k = 48, .n = 132},
    {MATMUL, .m = 36, .k = 1028, .n = 135, .ta = true, .tb = true, .epilogue = true},
};
// clang-format on

// That row of the table, and the sums split if the model says so.
static void force(const struct weir_grouped_tile *t)
{
    contract.forced.candidate.kernel = &weir_contract_grouped;
    for (int i = 0; i < WEIR_MAX_KNOBS; i++)
        contract.forced.candidate.knob[i] = WEIR_AUTO;
    weir_grouped_knobs(t, contract.forced.candidate.knob);
    contract.is_forced = true;
}

// Every tile of the table, whatever would be chosen: by all cases, its loops written out and not, if
// `every`; else by a few that have edges, both vector loads, several chunks.
START_TEST(each_tile)
{
    weir_device *dev = contract_device(WEIR_CAP_WIDE);
    const struct weir_grouped_tile *t = &weir_grouped_tiles[contract.every ? _i / 2 : _i];
    force(t);
    if (!weir_grouped_tile_fits(dev, t)) {
        printf("# skipped: tile %s does not fit the device\n", t->name);
    } else {
        dev->info.caps.is_gpu = _i % 2;
        contract_run(dev, contract.every ? contract_specs : tile_specs,
                     contract.every ? contract_n_specs : (int)WEIR_COUNT(tile_specs), NULL);
    }
    contract.is_forced = false;
    weir_device_close(&dev);
}
END_TEST

// Few enough instructions for Oclgrind, which looks for races and stray accesses: two steps of each tile
// (the large ones if `every`) with both vector loads or none; of the smallest ones chunks too,
// together and split.
START_TEST(races)
{
    static const struct spec steps[] = {
        {MATMUL, .m = 12, .k = 20, .n = 12},
        {MATMUL, .m = 5, .k = 17, .n = 7, .views = true},
        {INPUT_GRAD, .images = 1, .in = {3, 3}, .cin = 2, .cout = 4, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}},
    }, chunks[] = {
        {MATMUL, .m = 3, .k = 515, .n = 4},
        {MATMUL, .m = 1, .k = 1030, .n = 2},
    };
    weir_device *dev = contract_device(WEIR_CAP_WIDE);
    for (const struct weir_grouped_tile *t = weir_grouped_tiles; t->name; t++) {
        if (!contract.every && t->rows * t->cols > 1024)
            continue;
        force(t);
        ck_assert_msg(weir_grouped_tile_fits(dev, t), "tile %s does not fit the device", t->name);
        contract_run(dev, steps, (int)WEIR_COUNT(steps), NULL);
        if (t->rows * t->cols <= 256)
            contract_run(dev, chunks, (int)WEIR_COUNT(chunks), NULL);
    }
    contract.is_forced = false;
    weir_device_close(&dev);
}
END_TEST

void contract_tiles_tests(Suite *suite)
{
    TCase *tiles = tcase_create("tiles");
    int n = 0;
    while (weir_grouped_tiles[n].name)
        n++;
    tcase_set_timeout(tiles, 280);
    tcase_add_loop_test(tiles, each_tile, 0, contract.every ? 2 * n : n);
    suite_add_tcase(suite, tiles);
    const char *driver = getenv("WEIR_TEST_DRIVER");
    if (driver && strcmp(driver, "oclgrind") == 0) { // for others a few cases more of the same
        TCase *checked = tcase_create("races");
        tcase_set_timeout(checked, 600);
        tcase_add_test(checked, races);
        suite_add_tcase(suite, checked);
    }
}
