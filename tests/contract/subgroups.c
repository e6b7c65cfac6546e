// SPDX-License-Identifier: Apache-2.0
// The kernel of sub-groups, with each of a few tiles, sums together and split: broadcasts where the device
// has them (Intel's CPU runtime), elsewhere the same text for sub-groups of one work-item.
#include <stdio.h>
#include <string.h>

#include "contract/contract.h"

static const struct {
    const char *text;
    int least; // kernels: split only where the sum has several chunks and is no phase
} tiles[] = {{"subgroup", 5},
             {"subgroup:rows=3,cols=2,subs=2,split=0", 5},
             {"subgroup:rows=4,cols=1,subs=3,split=1", 1},
             {"subgroup:rows=16,cols=2,subs=1", 5}};

// All cases, if `every`; else some with edges, several chunks, strided operands, phases.
START_TEST(subgroups)
{
    // clang-format off
    static const struct spec few[] = {
        {MATMUL, .m = 29, .k = 1537, .n = 49, .ta = true, .tb = true},
        {MATMUL, .batch_a = {2, 1}, .batch_b = {0, 3}, .m = 4, .k = 5, .n = 19, .epilogue = true},
        {MATMUL, .m = 3, .k = 0, .n = 2},
        {MATMUL, .m = 33, .k = 64, .n = 64},
        EACH(.images = 2, .in = {5, 6}, .cin = 3, .cout = 20, .ker = {3, 3}, .p = {.stride = {2, 1}, .pad_lo = {1, 1}, .pad_hi = {1, 1}})
    };
    // clang-format on
    weir_device *dev = contract_device(WEIR_CAP_WIDE);
    struct weir_caps *caps = &dev->info.caps;
    if (!(caps->features & WEIR_CAP_SUBGROUPS)) {
        printf("# no sub-groups: by one work-item each\n");
        caps->features |= WEIR_CAP_SUBGROUPS;
        caps->sub_group = 1;
    }
    ck_assert(
        weir_candidate_parse(weir_contract_kernels, tiles[_i].text, &contract.forced.candidate));
    contract.is_forced = true;
    contract.subgroup_kernels = 0;
    if (contract.every)
        contract_run(dev, contract_specs, contract_n_specs, NULL);
    else
        contract_run(dev, few, (int)WEIR_COUNT(few), NULL);
    ck_assert_msg(contract.subgroup_kernels >= tiles[_i].least, "%s: %d kernels", tiles[_i].text,
                  contract.subgroup_kernels);
    contract.is_forced = false;
    weir_device_close(&dev);
}
END_TEST

void contract_subgroups_tests(Suite *suite)
{
    TCase *tc = tcase_create("subgroups");
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, subgroups, 0, (int)WEIR_COUNT(tiles));
    suite_add_tcase(suite, tc);
}
