// SPDX-License-Identifier: Apache-2.0
// A kernel with one fault, for tests/oclgrind.sh, which wants to see that Oclgrind names it.
//
//   oclgrind-faults none|uninitialized|race|stray
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"

enum { N = 32 };

static const char source[] =
    "kernel void step(global const uint *p0, ulong o0, global uint *p1, ulong o1, int stray,\n"
    "                 int race)\n"
    "{\n"
    "    const size_t i = get_global_id(0);\n"
    "    p1[o1 + (race ? i & 1 : i)] = p0[o0 + i + stray] + (uint)i;\n"
    "}\n";

static void check(enum weir_status status, const char *what)
{
    if (status == WEIR_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, weir_status_text(status));
    exit(2);
}

// The source arrives in parts, as inputs and constants do.
static void run(weir_device *dev, const char *fault)
{
    uint32_t words[N] = {0};
    weir_buf *src = NULL, *dst = NULL;
    weir_module *module = NULL;
    weir_list *list = NULL;
    struct weir_build_params build = {.source = source, .label = "faults"};
    check(weir_buf_create(dev, sizeof words, &src), "source");
    check(weir_buf_create(dev, sizeof words, &dst), "destination");
    check(weir_module_build(dev, &build, &module), "module");
    check(weir_buf_write(src, 64, words, 64), "second half");
    if (strcmp(fault, "uninitialized") != 0)
        check(weir_buf_write(src, 0, words, 64), "first half");
    struct weir_launch l = {.module = module, .kernel = "step", .n_bufs = 2, .n_ints = 2,
                            .bufs = {{src, 0, 4}, {dst, 0, 4}}, .global = {N, 1, 1},
                            .ints = {strcmp(fault, "stray") == 0, strcmp(fault, "race") == 0},
                            .label = "faults"};
    check(weir_list_record(dev, &l, 1, &list), "record");
    check(weir_list_replay(dev, list), "replay");
    check(weir_buf_read(dst, 0, words, sizeof words), "read");
    weir_list_destroy(dev, &list);
    weir_module_destroy(dev, &module);
    weir_buf_destroy(&src);
    weir_buf_destroy(&dst);
}

int main(int argc, char **argv)
{
    weir_device *dev = NULL;
    struct weir_device_params params = {.selector = "opencl:0", .skip_selftest = true};
    if (argc != 2)
        return 2;
    check(weir_device_open(&params, &dev), "opencl:0");
    run(dev, argv[1]);
    weir_device_close(&dev);
    return 0;
}
