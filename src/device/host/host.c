// SPDX-License-Identifier: Apache-2.0
// The host backend: buffers from malloc, a list of C functions called in order. It needs no driver
// and it is the definition that every other backend is compared with. It knows no op: a compiled
// program hands it functions, as it hands OpenCL kernels.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/clock.h"
#include "base/log.h"
#include "base/threads.h"
#include "device/device.h"

#define HOST_ALIGN 128 // bytes: a pair of cache lines, and more than any vector needs

struct call {
    weir_host_fn *fn;
    const void *desc;
    const char *label;
    void **ptr; // into host_list.ptrs
    int n_ptrs;
    int span;   // a loop over the calls after it, if not 0
    int64_t repeat;
    struct weir_moving *moving; // arguments that are not at ptr in each iteration
    int n_moving;
};

struct host_list {
    struct weir_list base;
    struct call *calls;
    void **ptrs;
};

static enum weir_status buf_create(weir_device *dev, size_t size, weir_buf **out)
{
    weir_buf *buf = calloc(1, sizeof *buf);
    size_t rounded = (size + HOST_ALIGN - 1) / HOST_ALIGN * HOST_ALIGN;
    void *bytes = buf ? aligned_alloc(HOST_ALIGN, rounded) : NULL;
    if (!bytes) {
        free(buf);
        return weir_fail(&dev->log, WEIR_NOMEM,
                         "out of memory on host: a buffer of %zu bytes wanted, %zu bytes live",
                         size, dev->bytes_live);
    }
    buf->priv = bytes;
    *out = buf;
    return WEIR_OK;
}

static void buf_destroy(weir_device *dev, weir_buf *buf)
{
    free(buf->priv);
    free(buf);
}

static char *at(const weir_buf *buf, size_t offset)
{
    return (char *)buf->priv + offset;
}

static enum weir_status buf_write(weir_device *dev, weir_buf *buf, size_t offset, const void *src,
                                  size_t size)
{
    memcpy(at(buf, offset), src, size);
    return WEIR_OK;
}

static enum weir_status buf_read(weir_device *dev, weir_buf *buf, size_t offset, void *dst,
                                 size_t size)
{
    memcpy(dst, at(buf, offset), size);
    return WEIR_OK;
}

static enum weir_status buf_copy(weir_device *dev, weir_buf *src, size_t so, weir_buf *dst,
                                 size_t d_o, size_t size)
{
    memcpy(at(dst, d_o), at(src, so), size);
    return WEIR_OK;
}

static enum weir_status buf_fill(weir_device *dev, weir_buf *buf, size_t offset, uint32_t word,
                                 size_t size)
{
    uint32_t *dst = (uint32_t *)(void *)at(buf, offset);
    for (size_t i = 0; i < size / 4; i++)
        dst[i] = word;
    return WEIR_OK;
}

static enum weir_status module_build(weir_device *dev, const struct weir_build_params *p,
                                     weir_module **out)
{
    return weir_fail(&dev->log, WEIR_UNSUPPORTED, "host runs C functions, not kernel text (%s)",
                     p->label ? p->label : "no label");
}

static void module_destroy(weir_device *dev, weir_module *module)
{
}

static void list_destroy(weir_device *dev, weir_list *list)
{
    struct host_list *l = (struct host_list *)list;
    for (int i = 0; l->calls && i < l->base.n; i++)
        free(l->calls[i].moving);
    free(l->calls);
    free(l->ptrs);
    free(l);
}

static enum weir_status list_record(weir_device *dev, const struct weir_launch *launch, int n,
                                    weir_list **out)
{
    size_t n_ptrs = 1; // malloc(0) may be NULL
    for (int i = 0; i < n; i++)
        n_ptrs += (size_t)launch[i].n_bufs;
    struct host_list *l = calloc(1, sizeof *l);
    bool failed = false;
    if (l) {
        l->base.n = n;
        l->calls = calloc((size_t)n + 1, sizeof *l->calls);
        l->ptrs = calloc(n_ptrs, sizeof *l->ptrs);
    }
    failed = !l || !l->calls || !l->ptrs;
    void **ptr = failed ? NULL : l->ptrs;
    for (int i = 0; i < n && !failed; i++) {
        struct call *c = &l->calls[i];
        *c = (struct call) { .fn = launch[i].fn, .desc = launch[i].desc, .label = launch[i].label,
                             .ptr = ptr, .n_ptrs = launch[i].n_bufs, .span = launch[i].span,
                             .repeat = launch[i].repeat };
        for (int b = 0; b < launch[i].n_bufs; b++)
            *ptr++ = at(launch[i].bufs[b].buf, launch[i].bufs[b].offset);
        c->moving = weir_moving_create(&launch[i], &c->n_moving);
        failed = c->n_moving < 0;
    }
    if (failed) {
        if (l)
            list_destroy(dev, &l->base);
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory recording %d launches", n);
    }
    *out = &l->base;
    return WEIR_OK;
}

static void run_call(const struct call *c, const int64_t *iteration)
{
    void *moved[WEIR_LAUNCH_MAX_BUFS], **ptr = c->ptr;
    if (c->n_moving > 0) {
        ptr = memcpy(moved, c->ptr, (size_t)c->n_ptrs * sizeof(*moved));
        for (int i = 0; i < c->n_moving; i++)
            moved[c->moving[i].buf] =
                (char *)moved[c->moving[i].buf] + weir_moved(&c->moving[i], iteration);
    }
    c->fn(c->desc, ptr);
}

// Calls first .. end - 1, in these iterations of `depth` loops around them.
static void run_range(const struct host_list *l, int first, int end, int64_t *iteration, int depth,
                      struct weir_timing *rows)
{
    for (int i = first; i < end; i++) {
        const struct call *c = &l->calls[i];
        if (c->span) {
            for (int64_t k = 0; k < c->repeat; k++) {
                iteration[depth] = k;
                run_range(l, i + 1, i + 1 + c->span, iteration, depth + 1, rows);
            }
            iteration[depth] = 0;
            i += c->span;
            continue;
        }
        double start = rows ? weir_clock() : 0;
        run_call(c, iteration);
        if (rows)
            rows[i].ns += (uint64_t)(1e9 * (weir_clock() - start));
    }
}

// Runs the calls on dev->threads OpenMP threads, leaving the caller's own setting as it was.
static void run_calls(const weir_device *dev, const struct host_list *l, struct weir_timing *rows)
{
    int64_t iteration[WEIR_LOOP_MAX_DEPTH] = { 0 };
#ifdef _OPENMP
    int before = omp_get_max_threads();
    omp_set_num_threads(dev->threads);
#endif
    for (int i = 0; rows && i < l->base.n; i++)
        rows[i] = (struct weir_timing) { .label = l->calls[i].label };
    run_range(l, 0, l->base.n, iteration, 0, rows);
#ifdef _OPENMP
    omp_set_num_threads(before);
#endif
}

static enum weir_status list_replay(weir_device *dev, weir_list *list)
{
    run_calls(dev, (struct host_list *)list, NULL);
    return WEIR_OK;
}

static enum weir_status list_profile(weir_device *dev, weir_list *list, struct weir_timing *rows)
{
    run_calls(dev, (struct host_list *)list, rows);
    return WEIR_OK;
}

static enum weir_status finish(weir_device *dev)
{
    return WEIR_OK;
}

static void destroy(weir_device *dev)
{
    free(dev->cache_dir);
    free(dev);
}

static const struct weir_device_fns host_fns = {
    .buf_create = buf_create,
    .buf_destroy = buf_destroy,
    .buf_write = buf_write,
    .buf_read = buf_read,
    .buf_copy = buf_copy,
    .buf_fill = buf_fill,
    .module_build = module_build,
    .module_destroy = module_destroy,
    .list_record = list_record,
    .list_replay = list_replay,
    .list_profile = list_profile,
    .list_destroy = list_destroy,
    .finish = finish,
    .destroy = destroy,
};

static int list_devices(const struct weir_device_params *params, struct weir_device_info *rows,
                        int max)
{
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (max > 0) {
        rows[0] = (struct weir_device_info) {
            .backend = "host",
            .name = "C reference",
            .vendor = "Weir",
            .platform = "host",
            .version = "C11",
            .caps = { .features = WEIR_CAP_FMA | WEIR_CAP_DIV_SQRT | WEIR_CAP_LOOP_SUMS,
                      .compute_units = weir_cpu_count(),
                      .global_size = memory,
                      .max_alloc = memory,
                      .align = HOST_ALIGN },
        };
        snprintf(rows[0].driver, sizeof rows[0].driver, "%s", weir_version());
    }
    return 1;
}

static enum weir_status host_open(const struct weir_device_params *params, int index,
                                  weir_device **out)
{
    weir_device *dev = calloc(1, sizeof *dev);
    if (!dev)
        return weir_fail(&params->log, WEIR_NOMEM, "out of memory opening the host device");
    dev->fns = &host_fns;
    dev->log = params->log;
    list_devices(params, &dev->info, 1);
    *out = dev;
    return WEIR_OK;
}

const struct weir_backend weir_backend_host = {
    .name = "host",
    .desc = "the C reference: no driver, the definition of every result",
    .list = list_devices,
    .open = host_open,
};
