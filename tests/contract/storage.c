// SPDX-License-Identifier: Apache-2.0
// 16-bit operands: a case of each way in which kernels read them.
#include "contract/contract.h"

// clang-format off
// What reads operands in a way of its own: packed or not, copied because they lie so, parts of
// something larger, turned, windows, borders, phases.
static const struct spec storage_specs[] = {
    {MATMUL, .m = 13, .k = 513, .n = 48},
    {MATMUL, .m = 131, .k = 65, .n = 33, .tb = true},
    {MATMUL, .m = 52, .k = 4200, .n = 144, .ta = true},
    {MATMUL, .m = 32, .k = 40, .n = 64, .views = true},
    {MATMUL, .batch_a = {2, 1}, .batch_b = {0, 3}, .m = 4, .k = 5, .n = 19, .epilogue = true},
    {MATMUL, .m = 7, .k = 0, .n = 5},
    EACH(.images = 3, .in = {9, 11}, .cin = 32, .cout = 40, .ker = {3, 2}, .p = {.stride = {2, 1}, .dilation = {1, 2}, .pad_lo = {1, 2}, .pad_hi = {0, 1}, .groups = 2})
    EACH(.images = 3, .in = {14, 15}, .cin = 16, .cout = 32, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
    EACH(.images = 2, .in = {6, 5}, .cin = 20, .cout = 17, .ker = {1, 1})
    EACH(.images = 3, .in = {7, 9}, .cin = 17, .cout = 19, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}}, .views = true)
    EACH(.images = 9, .in = {28, 28}, .cin = 1, .cout = 16, .ker = {3, 3}, .p = {.pad_lo = {1, 1}, .pad_hi = {1, 1}})
};
// clang-format on

// 16-bit operands of both types in both forms; test_ops_device has some in the fast suites.
START_TEST(storage_types)
{
    contract.storage = _i % 2 ? WEIR_F16 : WEIR_BF16;
    weir_device *dev = contract_device((_i ^ _i / 2) % 2 ? WEIR_CAP_WIDE : 0);
    dev->info.caps.compute_units = 1; // windows are not too few
    contract_run(dev, storage_specs, (int)WEIR_COUNT(storage_specs), NULL);
    weir_device_close(&dev);
    contract.storage = WEIR_F32;
}
END_TEST

void contract_storage_tests(Suite *suite)
{
    if (!contract.every)
        return;
    TCase *types = tcase_create("storage");
    tcase_set_timeout(types, 280);
    tcase_add_loop_test(types, storage_types, 0, 4);
    suite_add_tcase(suite, types);
}
