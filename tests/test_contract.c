// SPDX-License-Identifier: Apache-2.0
// Contraction kernels on the device that the program's first argument selects (default opencl:0; a second
// one, `every`, is for more cases of tiles and engines, and storage types): odd sizes, tiles and chunks
// +- 1, strides, dilation, groups, views, epilogues; wide and grouped. Exits 77 where there is no such device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"

// clang-format off
const struct spec contract_specs[] = {
    {MATMUL, .m = 1, .k = 1, .n = 1},
    {MATMUL, .m = 13, .k = 17, .n = 11},
    {MATMUL, .m = 14, .k = 511, .n = 32, .tb = true},
    {MATMUL, .m = 15, .k = 512, .n = 33},
    {MATMUL, .m = 13, .k = 513, .n = 31, .ta = true},
    {MATMUL, .m = 29, .k = 1537, .n = 49, .ta = true, .tb = true},
    {MATMUL, .m = 131, .k = 65, .n = 512},
    {MATMUL, .m = 3, .k = 5000, .n = 17, .ta = true},
    {MATMUL, .m = 7, .k = 0, .n = 5},
    {MATMUL, .m = 0, .k = 4, .n = 5},
    {MATMUL, .m = 33, .k = 40, .n = 65, .views = true},
    {MATMUL, .batch_a = {3}, .batch_b = {3}, .m = 49, .k = 32, .n = 49, .tb = true},
    {MATMUL, .batch_a = {2, 3}, .batch_b = {2, 3}, .m = 5, .k = 6, .n = 7, .views = true},
    {MATMUL, .batch_a = {2, 1}, .batch_b = {0, 3}, .m = 4, .k = 5, .n = 19},
    {MATMUL, .batch_a = {5, 3}, .m = 4, .k = 9, .n = 16, .epilogue = true},
    {MATMUL, .batch_b = {5, 3}, .m = 4, .k = 9, .n = 3, .ta = true},
    {MATMUL, .m = 21, .k = 600, .n = 45, .epilogue = true},
    {MATMUL, .m = 6, .k = 4500, .n = 21, .epilogue = true},
    {MATMUL, .m = 5, .k = 33, .n = 7, .i8 = true},
    {MATMUL, .batch_a = {2}, .batch_b = {1}, .m = 3, .k = 130, .n = 17, .ta = true, .tb = true, .i8 = true},
    {MATMUL, .m = 3, .k = 0, .n = 2, .i8 = true},
    EACH(.images = 1, .in = {1}, .cin = 1, .cout = 1, .ker = {1})
    EACH(.images = 2, .in = {9}, .cin = 3, .cout = 5, .ker = {3}, .p = {.stride = {2}, .pad_lo = {1}, .pad_hi = {1}})
    EACH(.images = 1, .in = {23}, .cin = 2, .cout = 3, .ker = {4}, .p = {.dilation = {3}, .pad_lo = {2}, .pad_hi = {5}})
    EACH(.images = 3, .in = {14, 15}, .cin = 16, .cout = 32, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {7, 7}, .cin = 64, .cout = 48, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, .epilogue = true)
    EACH(.images = 2, .in = {9, 7}, .cin = 61, .cout = 35, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 5, .in = {14, 13}, .cin = 20, .cout = 17, .ker = {3, 3}, .p = {.stride = {2, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {8, 9}, .cin = 4, .cout = 66, .ker = {2, 3}, .p = {.stride = {2, 3}, .dilation = {2, 1}, .pad_hi = {1, 2}, .groups = 2})
    EACH(.images = 2, .in = {8, 8}, .cin = 3, .cout = 120, .ker = {5, 5}, .p = {.stride = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}}, .epilogue = true)
    // phases whose first chunks are empty
    {INPUT_GRAD, .images = 2, .in = {8, 8}, .cin = 3, .cout = 128, .ker = {5, 5}, .p = {.stride = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}}},
    EACH(.images = 2, .in = {5, 6}, .cin = 6, .cout = 6, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}, .groups = 6})
    EACH(.images = 2, .in = {12, 12}, .cin = 3, .cout = 40, .ker = {4, 4}, .p = {.stride = {4, 4}})
    EACH(.images = 1, .in = {5, 5}, .cin = 2, .cout = 3, .ker = {1, 1}, .p = {.stride = {2, 2}})
    EACH(.images = 2, .in = {4, 5, 6}, .cin = 3, .cout = 18, .ker = {2, 3, 3}, .p = {.stride = {1, 2, 1}, .pad_lo = {1, 0, 1}, .pad_hi = {0, 1, 1}})
    EACH(.images = 2, .in = {6, 7}, .cin = 5, .cout = 4, .ker = {3, 2}, .p = {.pad_lo = {3, 0}, .pad_hi = {4, 2}}, .views = true)
    EACH(.images = 3, .in = {7, 9}, .cin = 17, .cout = 19, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}, .views = true)
    EACH(.images = 9, .in = {28, 28}, .cin = 1, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 0, .in = {4, 4}, .cin = 2, .cout = 3, .ker = {3, 3})
};
const int contract_n_specs = (int)WEIR_COUNT(contract_specs);
// What the kernels without a border take (contract_window.cl, contract_block.cl): windows that hang over
// every edge, or lie outside altogether; several chunks, parts of rows and panels; epilogues.
static const struct spec edge_specs[] = {
    EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 40, .ker = {3, 2}, .p = {.stride = {2, 1}, .dilation = {1, 2}, .pad_lo = {1, 2}, .pad_hi = {0, 1}, .groups = 2}, .epilogue = true)
    EACH(.images = 2, .in = {7, 7}, .cin = 32, .cout = 70, .ker = {3, 3}, .p = {.dilation = {2, 2}, .pad_lo = {2, 2}, .pad_hi = {2, 2}})
    EACH(.images = 2, .in = {5, 6, 7}, .cin = 16, .cout = 33, .ker = {3, 2, 3}, .p = {.pad_lo = {1, 0, 1}, .pad_hi = {1, 1, 1}})
    EACH(.images = 3, .in = {40}, .cin = 48, .cout = 17, .ker = {5}, .p = {.pad_lo = {4}})
    EACH(.images = 2, .in = {6, 6}, .cin = 160, .cout = 27, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}, .epilogue = true)
    EACH(.images = 3, .in = {3, 3}, .cin = 16, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {4, 4}, .pad_hi = {5, 3}})
    EACH(.images = 6, .in = {10, 17}, .cin = 16, .cout = 53, .ker = {3, 3}, .p = {.stride = {3, 2}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
    // whole chunks with several tiles in one work-item's copy
    {WEIGHT_GRAD, .images = 11, .in = {10, 10}, .cin = 16, .cout = 52, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}}},
    {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
    {MATMUL, .m = 37, .k = 4200, .n = 144, .ta = true, .epilogue = true},
    {MATMUL, .m = 2, .k = 4096, .n = 128, .ta = true},
};
// clang-format on

static void run_on(uint32_t hidden, int n)
{
    weir_device *dev = contract_device(hidden);
    contract_run(dev, contract_specs, n, NULL);
    weir_device_close(&dev);
}

START_TEST(wide)
{
    run_on(0, contract_n_specs);
}
END_TEST

// units: from how many the parts of a launch are cut, and whether a sum is split.
static void run_edges(int units)
{
    weir_device *dev = contract_device(0);
    dev->info.caps.compute_units = units;
    contract_run(dev, edge_specs, (int)WEIR_COUNT(edge_specs), NULL);
    weir_device_close(&dev);
}

START_TEST(edges)
{
    static const int least[] = {8, 6, 2};
    for (size_t i = 0; i < CONTRACT_SEEN; i++)
        contract_seen[i].n = 0;
    run_edges(1);
    for (size_t i = 0; i < CONTRACT_SEEN; i++)
        ck_assert_msg(contract_seen[i].n >= least[i], "%s in %d kernels", contract_seen[i].line,
                      contract_seen[i].n);
    run_edges(100);
}
END_TEST

// A row of windows too large to copy is left to the kernels that read an image with a border.
START_TEST(long_rows)
{
    static const struct spec rows[] = {
        EACH(.images = 9, .in = {1600}, .cin = 32, .cout = 32, .ker = {3}, .p = {.pad_lo = {1}, .pad_hi = {1}})
    };
    weir_device *dev = contract_device(0);
    dev->info.caps.compute_units = 1;
    contract_seen[SEEN_WINDOWS].n = 0;
    contract_run(dev, rows, 2, NULL); // the two that could have windows
    ck_assert_int_eq(contract_seen[SEEN_WINDOWS].n, 0);
    weir_device_close(&dev);
}
END_TEST

// A few of each kernel: what is looked for is text that needs 32 bits.
START_TEST(offsets_of_64_bits)
{
    static const struct spec few[] = {
        {MATMUL, .m = 29, .k = 513, .n = 49},
        {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
        EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 17, .ker = {3, 2}, .p = {.stride = {2, 1}, .pad_lo = {1, 2}, .pad_hi = {0, 1}})
    };
    contract.long_offsets = true;
    for (size_t i = 0; i < CONTRACT_SEEN; i++)
        contract_seen[i].n = 0;
    weir_device *dev = contract_device(_i ? WEIR_CAP_WIDE : 0);
    dev->info.caps.compute_units = 1;
    contract_run(dev, few, (int)WEIR_COUNT(few), NULL);
    for (size_t i = 0; i < CONTRACT_SEEN && !_i; i++)
        ck_assert_msg(contract_seen[i].n > 0, "%s nowhere",
                      contract_seen[i].line);
    weir_device_close(&dev);
    contract.long_offsets = false;
}
END_TEST

START_TEST(grouped)
{
    run_on(WEIR_CAP_WIDE, contract_n_specs);
}
END_TEST

// The group that a GPU gets, where the driver takes it for any kernel.
START_TEST(large_groups)
{
    weir_device *dev = contract_device(WEIR_CAP_WIDE);
    dev->info.caps.is_gpu = true;
    if (dev->info.caps.max_group >= 4096)
        contract_run(dev, contract_specs, contract_n_specs / 2, NULL);
    else
        printf("# skipped: groups of at most %d on this device\n", (int)dev->info.caps.max_group);
    weir_device_close(&dev);
}
END_TEST

START_TEST(plain_loads)
{
    run_on(WEIR_CAP_VECTOR_DEREF, contract_n_specs / 2);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        contract.selector = argv[1];
    contract.every = argc > 2 && strcmp(argv[2], "every") == 0;
    if (!contract_has_device()) {
        printf("1..0 # SKIP no device for %s\n", contract.selector);
        return TEST_SKIPPED;
    }
    Suite *suite = suite_create("contract");
    TCase *tc = tcase_create("wide"), *groups = tcase_create("grouped");
    tcase_set_timeout(tc, 280);
    tcase_add_test(tc, wide);
    tcase_add_test(tc, edges);
    tcase_add_test(tc, long_rows);
    tcase_add_loop_test(tc, offsets_of_64_bits, 0, 2); // wide, grouped
    tcase_add_test(tc, plain_loads);
    suite_add_tcase(suite, tc);
    contract_storage_tests(suite);
    tcase_set_timeout(groups, 280);
    tcase_add_test(groups, grouped);
    tcase_add_test(groups, large_groups);
    suite_add_tcase(suite, groups);
    contract_engines_tests(suite);
    contract_subgroups_tests(suite);
    contract_tiles_tests(suite);
    return test_main(suite);
}
