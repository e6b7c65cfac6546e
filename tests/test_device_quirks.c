// SPDX-License-Identifier: Apache-2.0
// Every row of the quirk table on a device made up for it, and on one that just misses; what
// applying does to a device; comparing driver versions.
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "device/quirks.h"
#include "support/support.h"

// In the order of weir_quirks. `miss` differs in one thing that the row asks for.
struct fake {
    const char *vendor, *platform, *name, *driver;
};
static const struct {
    struct fake hit, miss;
} rows[] = {
    {{"NVIDIA Corporation", "NVIDIA CUDA", "NVIDIA H100 80GB HBM3", "535.104.05"},
     {"Intel(R) Corporation", "Intel(R) OpenCL", "NVIDIA H100", "535.104.05"}},
    {{"NVIDIA Corporation", "NVIDIA CUDA", "NVIDIA GeForce RTX 4090", "550.54.14"},
     {"AMD", "AMD", "RTX", "550"}},
    {{"NVIDIA Corporation", "NVIDIA CUDA", "GeForce GTX 960", "390.157"},
     {"NVIDIA Corporation", "NVIDIA CUDA", "GeForce GTX 1080", "390.157"}},
    {{"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "gfx1010:xnack-",
      "3513.0 (HSA1.1,LC)"},
     {"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "gfx1030", "3513.0"}},
    {{"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "gfx90c", "3513.0"},
     {"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "gfx90a", "3513.0"}},
    {{"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "Tahiti", "2236.5"},
     {"Advanced Micro Devices, Inc.", "AMD Accelerated Parallel Processing", "Tahiti", "2237"}},
    {{"Intel(R) Corporation", "Intel(R) OpenCL HD Graphics", "Intel(R) Gen9 HD Graphics NEO",
      "20.09.15980"},
     {"Intel(R) Corporation", "Intel(R) OpenCL HD Graphics", "Intel(R) Gen9 HD Graphics NEO",
      "20.10.16087"}},
    {{"Intel(R) Corporation", "Intel(R) OpenCL", "AMD EPYC 7B13", "2026.22.10"},
     {"Intel(R) Corporation", "Intel(R) OpenCL Graphics", "Intel(R) Arc(TM) A770", "24.39"}},
    {{"Intel(R) Corporation", "Intel(R) OpenCL", "AMD EPYC 7B13", "2026.22.10"},
     {"Intel(R) Corporation", "Intel(R) OpenCL Graphics", "Intel(R) Arc(TM) A770", "24.39"}},
    {{"AuthenticAMD", "Portable Computing Language", "pthread-haswell", "3.1+debian"},
     {"AuthenticAMD", "Intel(R) OpenCL", "AMD EPYC", "2026.22"}},
    {{"AuthenticAMD", "Portable Computing Language", "pthread-haswell", "3.1+debian"},
     {"AuthenticAMD", "Intel(R) OpenCL", "AMD EPYC", "2026.22"}},
    {{"AuthenticAMD", "Portable Computing Language", "pthread-haswell", "3.1+debian"},
     {"AuthenticAMD", "Intel(R) OpenCL", "AMD EPYC", "2026.22"}},
    {{"Mesa/X.org", "rusticl", "AMD Radeon RX 580", "23.1.0"},
     {"Mesa/X.org", "Clover", "AMD Radeon RX 580", "23.1.0"}},
    {{"Mesa/X.org", "rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6"},
     {"Mesa/X.org", "zink", "llvmpipe", "22.3.6"}},
    {{"Mesa/X.org", "rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", "22.3.6"},
     {"Mesa/X.org", "rusticl", "AMD Radeon RX 580", "22.3.6"}},
    {{"Intel", "Intel Gen OCL Driver (Beignet)", "Intel HD Graphics", "1.3"},
     {"Intel", "Intel(R) OpenCL HD Graphics", "Intel HD Graphics", "1.3"}},
    {{"AMD", "Clover", "AMD TURKS", "20.3.5"}, {"AMD", "AMD", "AMD TURKS", "20.3.5"}},
    {{"Oclgrind", "Oclgrind", "Oclgrind Simulator", "Oclgrind 21.10"},
     {"AuthenticAMD", "Portable Computing Language", "pthread", "3.1"}},
    {{"Oclgrind", "Oclgrind", "Oclgrind Simulator", "Oclgrind 21.10"},
     {"Oracle", "Grind", "Simulator", "21.10"}},
    {{"QUALCOMM", "QUALCOMM Snapdragon(TM)", "QUALCOMM Adreno(TM) 740", "OpenCL 3.0"},
     {"ARM", "ARM Platform", "Mali-G78", "3.0"}},
};

static struct weir_device_info made_up(const struct fake *fake)
{
    struct weir_device_info info = { .caps.features = 0xffffffffu };
    snprintf(info.vendor, sizeof info.vendor, "%s", fake->vendor);
    snprintf(info.platform, sizeof info.platform, "%s", fake->platform);
    snprintf(info.name, sizeof info.name, "%s", fake->name);
    snprintf(info.driver, sizeof info.driver, "%s", fake->driver);
    return info;
}

START_TEST(every_row_matches_what_it_means)
{
    size_t n = 0;
    while (weir_quirks[n].vendor)
        n++;
    ck_assert_uint_eq(n, WEIR_COUNT(rows)); // a new row needs a line above
    const struct weir_quirk *quirk = &weir_quirks[_i];
    struct weir_device_info hit = made_up(&rows[_i].hit), miss = made_up(&rows[_i].miss);
    ck_assert_msg(weir_quirk_matches(quirk, &hit), "row %d: %s", _i, quirk->why);
    ck_assert_msg(!weir_quirk_matches(quirk, &miss), "row %d: %s", _i, quirk->why);
    ck_assert(quirk->why[0] && strncmp(quirk->link, "https://", 8) == 0);
    weir_device dev = { .info = hit };
    weir_quirks_apply(&dev);
    switch (quirk->action) {
    case WEIR_QUIRK_HIDE:
        ck_assert_uint_ne(quirk->caps, 0);
        ck_assert_uint_eq(dev.info.caps.features & quirk->caps, 0);
        break;
    case WEIR_QUIRK_POLL:
        ck_assert(dev.poll);
        break;
    case WEIR_QUIRK_OPTION:
        ck_assert_ptr_eq(dev.build_option, quirk->option);
        ck_assert_ptr_nonnull(quirk->option);
        break;
    case WEIR_QUIRK_NOTE:
        break;
    }
}
END_TEST

// A device that no row knows is left as it is.
START_TEST(others_are_left_alone)
{
    struct fake fake = { "ARM", "ARM Platform", "Mali-G78 r0p1", "3.0 v1.r32p1" };
    weir_device dev = { .info = made_up(&fake) };
    weir_quirks_apply(&dev);
    ck_assert_uint_eq(dev.info.caps.features, 0xffffffffu);
    ck_assert(!dev.poll && !dev.build_option);
}
END_TEST

START_TEST(versions_compare_by_number)
{
    static const struct {
        const char *a, *b;
        int sign;
    } cases[] = {
        { "3.1+debian", "3.1", 0 },        { "22.3.6", "22.3", 1 },  { "3.9", "3.10", -1 },
        { "Oclgrind 21.10", "21.9", 1 },   { "20.08.1", "20.08", 1 }, { "", "", 0 },
        { "", "1", -1 },                   { "2236", "2236.0", -1 }, { "010", "10", 0 },
        { "99999999999999999999", "1", 1 },
    };
    for (size_t i = 0; i < WEIR_COUNT(cases); i++) {
        int got = weir_quirk_version_cmp(cases[i].a, cases[i].b);
        ck_assert_msg((got > 0) - (got < 0) == cases[i].sign, "%s, %s: %d", cases[i].a, cases[i].b,
                      got);
        got = weir_quirk_version_cmp(cases[i].b, cases[i].a);
        ck_assert_int_eq((got > 0) - (got < 0), -cases[i].sign);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("device-quirks");
    TCase *tcase = tcase_create("table");
    tcase_add_loop_test(tcase, every_row_matches_what_it_means, 0, (int)WEIR_COUNT(rows));
    tcase_add_test(tcase, others_are_left_alone);
    tcase_add_test(tcase, versions_compare_by_number);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
