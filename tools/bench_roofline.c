// SPDX-License-Identifier: Apache-2.0
// weir bench roofline: this device's peak of fused multiply-adds, its bandwidth from memory and
// inside the caches, and the cost of a launch, by the kernels of kernels/bench.cl. Rates are of the
// best run: they are limits to set others beside.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "bench.h"
#include "device/device.h"
#include "device/kernel_text.h"

enum { CHAINS = 12, TARGET_MS = 50 };

struct roofline {
    struct bench_params *p;
    weir_device *dev;
    bool wide;
    size_t lanes;       // floats in a register of a work-item
    weir_module *module;
    weir_buf *a, *b;
    size_t size;        // bytes of each
};

static enum weir_status set_up(struct roofline *r)
{
    const struct weir_caps *caps = &weir_device_info(r->dev)->caps;
    struct weir_strbuf text = { 0 };
    r->wide = weir_device_has(r->dev, WEIR_CAP_WIDE);
    r->lanes = r->wide ? 16 : 1;
    r->size = (size_t)256 << 20;
    if (caps->max_alloc && r->size > caps->max_alloc / 2)
        r->size = (size_t)(caps->max_alloc / 2) & ~(size_t)0xffff;
    weir_strbuf_printf(&text, "#define WEIR_T %s\n%s", r->wide ? "float16" : "float",
                       weir_kernel_text("bench.cl"));
    char *source = weir_strbuf_finish(&text);
    enum weir_status status = source ? WEIR_OK : WEIR_NOMEM;
    if (!status)
        status = weir_module_build(
            r->dev, &(struct weir_build_params) { .source = source, .label = "bench" }, &r->module);
    free(source);
    if (!status)
        status = weir_buf_create(r->dev, r->size, &r->a);
    if (!status)
        status = weir_buf_create(r->dev, r->size, &r->b);
    if (!status)
        status = weir_buf_fill(r->a, 0, 0, r->size);
    return status ? status : weir_buf_fill(r->b, 0, 0, r->size);
}

// Seconds of one replay of `count` launches of l: the best of several.
static enum weir_status best_of(struct roofline *r, const struct weir_launch *l, int count,
                                double *best)
{
    weir_list *list = NULL;
    struct weir_launch *all = calloc((size_t)count, sizeof(*all));
    enum weir_status status = all ? WEIR_OK : WEIR_NOMEM;
    for (int i = 0; i < count && all; i++)
        all[i] = *l;
    if (!status)
        status = weir_list_record(r->dev, all, count, &list);
    *best = 0;
    for (int i = 0; i < r->p->repeats + 2 && !status; i++) {
        double start = weir_clock();
        status = weir_list_replay(r->dev, list);
        if (!status)
            status = weir_device_finish(r->dev);
        double s = weir_clock() - start;
        *best = i < 2 || s < *best ? s : *best; // two to warm up
    }
    weir_list_destroy(r->dev, &list);
    free(all);
    return status;
}

static struct weir_launch launch(const struct roofline *r, const char *kernel, size_t items)
{
    size_t group = r->wide ? 1 : 128;
    struct weir_launch l = { .module = r->module, .kernel = kernel, .n_bufs = 1, .label = kernel };
    l.bufs[0] = (struct weir_buf_ref) { r->a, 0, (uint32_t)(4 * r->lanes) };
    l.bufs[1] = (struct weir_buf_ref) { r->b, 0, (uint32_t)(4 * r->lanes) };
    l.global[0] = (items + group - 1) / group * group;
    l.local[0] = group;
    l.global[1] = l.global[2] = l.local[1] = l.local[2] = 1;
    return l;
}

// Work-items enough to fill the device and to even out what each takes.
static size_t many_items(const struct roofline *r)
{
    size_t units = (size_t)weir_device_info(r->dev)->caps.compute_units;
    return (units ? units : 1) * (r->wide ? 8 : 4096);
}

static enum weir_status measure_fma(struct roofline *r, double *flops)
{
    struct weir_launch l = launch(r, "bench_fma", many_items(r));
    double s = 0;
    enum weir_status status = WEIR_OK;
    l.n_ints = 1;
    for (l.ints[0] = 1000; !status; l.ints[0] *= 4) { // until a run is long enough to be timed
        status = best_of(r, &l, 1, &s);
        if (status || 1e3 * s > TARGET_MS || l.ints[0] > 1 << 28)
            break;
    }
    *flops = 2. * CHAINS * (double)r->lanes * (double)l.global[0] * l.ints[0] / s;
    return status;
}

// `bytes` of each of the two buffers, `times` over in one launch.
static enum weir_status measure_copy(struct roofline *r, size_t bytes, int times, double *rate)
{
    size_t elements = bytes / 4 / r->lanes, items = many_items(r);
    struct weir_launch l = launch(r, "bench_copy", items);
    double s;
    items = l.global[0];
    int each = (int)(elements / items);
    l.n_bufs = 2;
    l.n_ints = 4;
    l.ints[0] = each;
    l.ints[1] = r->wide ? 1 : (int)items; // a CPU's item walks a block, a GPU's neighbours lie side
                                          // by side
    l.ints[2] = r->wide ? each : 1;
    l.ints[3] = times;
    enum weir_status status = best_of(r, &l, 1, &s);
    *rate = 2. * (double)times * (double)each * (double)items * 4. * (double)r->lanes / s;
    return status;
}

static enum weir_status measure_launch(struct roofline *r, double *seconds, double *latency)
{
    enum { LAUNCHES = 1000 };
    struct weir_launch l = launch(r, "bench_nothing", 1);
    enum weir_status status = best_of(r, &l, LAUNCHES, seconds);
    *seconds /= LAUNCHES;
    return status ? status : best_of(r, &l, 1, latency);
}

// Bytes of each of two buffers that lie in the second level of the caches together: half a megabyte
// a core of a CPU, two megabytes of a GPU, whose second level is one for all.
static size_t cached_bytes(const struct roofline *r)
{
    size_t smallest = many_items(r) * 4 * r->lanes,
           bytes = r->wide ? many_items(r) * 32768 : (size_t)1 << 20;
    return bytes > smallest ? bytes : smallest;
}

static void show(struct bench_params *p)
{
    const struct { const char *name, *unit; double value, scale; } rows[] = {
        { "fused multiply-adds", "GFLOP/s", p->roof.flops, 1e-9 },
        { "copy, from memory", "GB/s", p->roof.copy, 1e-9 },
        { "copy, in the L2 cache", "GB/s", p->roof.cached, 1e-9 },
        { "a launch", "us", p->roof.launch, 1e6 },
        { "a launch, waited for", "us", p->roof.latency, 1e6 },
    };
    for (size_t i = 0; i < WEIR_COUNT(rows); i++) {
        printf("%-24s %10.1f %s\n", rows[i].name, rows[i].scale * rows[i].value, rows[i].unit);
        bench_add_row(p, rows[i].name, NULL, 0, json_pack("{s:f}", "value", rows[i].value));
    }
}

enum weir_status bench_measure_roof(struct bench_params *p)
{
    struct roofline r = { .p = p, .dev = p->dev };
    if (weir_device_is_host(p->dev))
        return WEIR_OK;
    enum weir_status status = set_up(&r);
    bench_progress("roofline", 1, 4);
    if (!status)
        status = measure_fma(&r, &p->roof.flops);
    bench_progress("roofline", 2, 4);
    if (!status)
        status = measure_copy(&r, r.size, 1, &p->roof.copy);
    bench_progress("roofline", 3, 4);
    if (!status)
        status = measure_copy(&r, cached_bytes(&r), 200, &p->roof.cached);
    bench_progress("roofline", 4, 4);
    if (!status)
        status = measure_launch(&r, &p->roof.launch, &p->roof.latency);
    bench_progress(NULL, 0, 0);
    weir_buf_destroy(&r.a);
    weir_buf_destroy(&r.b);
    weir_module_destroy(p->dev, &r.module);
    return status;
}

enum weir_status bench_roofline(struct bench_params *p)
{
    if (weir_device_is_host(p->dev))
        return weir_fail(&p->log, WEIR_UNSUPPORTED,
                         "the host runs loop nests, not kernels: `bench roofline` "
                         "measures OpenCL devices (--device opencl:0)");
    enum weir_status status = bench_measure_roof(p);
    if (!status)
        show(p);
    return status;
}
