// SPDX-License-Identifier: Apache-2.0
// What `weir bench` makes of times and of /sys: medians, spread, drift, clocks and temperature.
#include <string.h>

#include "../tools/bench.h"
#include "base/files.h"
#include "support/support.h"

START_TEST(statistics)
{
    const double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 }, one[] = { 5 };
    ck_assert_double_eq(bench_median(odd, 3), 2);
    ck_assert_double_eq(bench_median(even, 4), 2.5);
    ck_assert_double_eq(bench_median(one, 1), 5);
    ck_assert_double_eq(odd[0], 3); // the order of the runs stays
    ck_assert_double_eq(bench_spread(odd, 3), 1);
    ck_assert_double_eq(bench_spread(one, 1), 0);
}
END_TEST

// The last third beside the first: an outlier in one of them does not count, a slow end does.
START_TEST(drift)
{
    const double steady[] = { 1, 1, 9, 1, 1, 1, 1, 1.04, 1 },
                 slower[] = { 1, 1, 1, 1, 1, 1, 1.25, 1.25, 1.25 };
    const double two[] = { 2, 1 }, one[] = { 1 };
    char note[32] = "x";
    ck_assert_double_eq(bench_drift(steady, 9), 0);
    ck_assert_str_eq(bench_drift_note(steady, 9, note, sizeof(note)), "");
    ck_assert_double_eq(bench_drift(slower, 9), .25);
    ck_assert_str_eq(bench_drift_note(slower, 9, note, sizeof(note)), "  drifts by +25 %");
    ck_assert_double_eq(bench_drift(two, 2), -.5);
    ck_assert_double_eq(bench_drift(one, 1), 0);
}
END_TEST

START_TEST(rows)
{
    struct bench_params p = { .rows = json_array() };
    const double s[] = { 1, 2 };
    bench_add_row(&p, "two", s, 2, json_pack("{s:i}", "more", 7));
    bench_add_row(&p, "none", NULL, 0, NULL);
    char *text = json_dumps(p.rows, JSON_COMPACT);
    ck_assert_str_eq(text,
                     "[{\"name\":\"two\",\"s\":[1.0,2.0],\"drift\":1.0,\"drifts\":true,\"more\":7},"
                     "{\"name\":\"none\",\"s\":[]}]");
    free(text);
    json_decref(p.rows);
}
END_TEST

// A tree as /sys has it, and one with nothing in it.
START_TEST(readings)
{
    const struct {
        const char *folder, *file, *text;
    } files[] = {
        { "devices/system/cpu/cpu0/cpufreq", "scaling_cur_freq", "2000000\n" },
        { "devices/system/cpu/cpu11/cpufreq", "scaling_cur_freq", "3000000\n" },
        // not a processor
        { "devices/system/cpu/cpuidle/cpufreq", "scaling_cur_freq", "9000000\n" },
        { "class/drm/card0", "gt_cur_freq_mhz", "1150\n" },
        { "class/thermal/thermal_zone0", "temp", "41000\n" },
        { "class/hwmon/hwmon2", "temp1_input", "52500\n" },
        { "class/hwmon/hwmon2", "temp2_input", "no number\n" },
    };
    char root[512], path[1024];
    snprintf(root, sizeof(root), "%s", test_path("sys"));
    for (size_t i = 0; i < WEIR_COUNT(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, files[i].folder);
        test_ok(weir_mkdirs(&test_log, path));
        snprintf(path, sizeof(path), "%s/%s/%s", root, files[i].folder, files[i].file);
        test_write(path, files[i].text, strlen(files[i].text));
    }
    json_t *got = bench_system(root);
    ck_assert_uint_eq(json_object_size(got), 3);
    ck_assert_double_eq(json_real_value(json_object_get(got, "cpu_mhz")), 2500);
    ck_assert_double_eq(json_real_value(json_object_get(got, "gpu_mhz")), 1150);
    ck_assert_double_eq(json_real_value(json_object_get(got, "celsius")), 52.5);
    json_decref(got);
    got = bench_system(test_path("nothing"));
    ck_assert_uint_eq(json_object_size(got), 0);
    json_decref(got);
}
END_TEST

int main(void)
{
    return test_run("bench", TEST_SECONDS, statistics, drift, rows, readings);
}
