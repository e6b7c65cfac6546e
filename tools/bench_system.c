// SPDX-License-Identifier: Apache-2.0
// weir bench: what the system says of clocks and temperature, so that a result file shows a machine
// that slowed down. Nothing where /sys has nothing (containers, many virtual machines).
#include <glob.h>
#include <stdio.h>

#include "bench.h"

struct readings {
    double sum, highest;
    int n;
};

// Numbers in the files that match, each times `scale`.
static void read_all(const char *root, const char *pattern, double scale, struct readings *r)
{
    char path[512];
    glob_t found = { 0 };
    snprintf(path, sizeof(path), "%s/%s", root, pattern);
    if (!glob(path, 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++) {
            double value;
            FILE *f = fopen(found.gl_pathv[i], "r");
            if (f && fscanf(f, "%lf", &value) == 1) {
                value *= scale;
                r->highest = r->n == 0 || value > r->highest ? value : r->highest;
                r->sum += value;
                r->n++;
            }
            if (f)
                fclose(f);
        }
    globfree(&found);
}

json_t *bench_system(const char *root)
{
    struct readings cpu = { 0 }, gpu = { 0 }, heat = { 0 };
    json_t *out = json_object();
    read_all(root, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq", 1e-3, &cpu); // kHz
    read_all(root, "class/drm/card[0-9]*/gt_cur_freq_mhz", 1, &gpu);                     // i915
    // amdgpu, Hz
    read_all(root, "class/drm/card[0-9]*/device/hwmon/hwmon*/freq1_input", 1e-6, &gpu);
    // thousandths of a degree
    read_all(root, "class/thermal/thermal_zone*/temp", 1e-3, &heat);
    read_all(root, "class/hwmon/hwmon*/temp*_input", 1e-3, &heat);
    if (cpu.n)
        json_object_set_new(out, "cpu_mhz", json_real(cpu.sum / cpu.n));
    if (gpu.n)
        json_object_set_new(out, "gpu_mhz", json_real(gpu.highest));
    if (heat.n)
        json_object_set_new(out, "celsius", json_real(heat.highest));
    return out;
}
