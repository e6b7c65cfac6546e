// SPDX-License-Identifier: Apache-2.0
// The validating front end: checks every call once, keeps the account of bytes, then hands over to
// the backend, which trusts it. Opening and choosing devices is in select.c.
#include "device/device.h"

#include <stdlib.h>

#include "base/log.h"
#include "device/tuning.h"

bool weir_device_has(const weir_device *dev, enum weir_cap cap)
{
    return (dev->info.caps.features & cap) != 0;
}

bool weir_device_is_host(const weir_device *dev)
{
    return dev->info.caps.max_group == 0;
}

enum weir_status weir_device_check_numerics(const weir_device *dev, enum weir_numerics numerics)
{
    if (dev->info.admission != WEIR_FAST_ONLY || numerics == WEIR_NUMERICS_FAST)
        return WEIR_OK;
    return weir_fail(&dev->log, WEIR_UNSUPPORTED,
                     "%s cannot run exact mode: %s; it can run fast mode (numerics = fast, --numerics fast)",
                     dev->info.name, dev->info.reason);
}

const struct weir_device_info *weir_device_info(const weir_device *dev)
{
    return &dev->info;
}

void weir_device_close(weir_device **dev)
{
    if (!dev || !*dev)
        return;
    if ((*dev)->bytes_live > 0)
        weir_logf(&(*dev)->log, WEIR_LOG_WARN, "%s closed with %zu bytes of buffers alive",
                  (*dev)->info.name, (*dev)->bytes_live);
    weir_tuning_destroy(&(*dev)->tuning);
    (*dev)->fns->destroy(*dev);
    *dev = NULL;
}

enum weir_status weir_device_finish(weir_device *dev)
{
    return dev->fns->finish(dev);
}

static enum weir_status too_big(const weir_device *dev, size_t size, const char *limit, uint64_t is)
{
    return weir_fail(&dev->log, WEIR_NOMEM,
                     "out of memory on %s: a buffer of %zu bytes wanted, %zu bytes live, %s %llu",
                     dev->info.name, size, dev->bytes_live, limit, (unsigned long long)is);
}

enum weir_status weir_buf_create(weir_device *dev, size_t size, weir_buf **out)
{
    enum weir_status status = WEIR_OK;
    const struct weir_caps *caps = &dev->info.caps;
    weir_require(&dev->log, out != NULL);
    weir_require(&dev->log, size > 0);
    if (size > caps->max_alloc)
        return too_big(dev, size, "the largest single buffer is", caps->max_alloc);
    if (size > caps->global_size - (dev->bytes_live < caps->global_size ? dev->bytes_live
                                                                        : caps->global_size))
        return too_big(dev, size, "the device has", caps->global_size);
    status = dev->fns->buf_create(dev, size, out);
    if (status == WEIR_OK) {
        (*out)->dev = dev;
        (*out)->size = size;
        dev->bytes_live += size;
        if (dev->bytes_live > dev->bytes_peak)
            dev->bytes_peak = dev->bytes_live;
    }
error:
    return status;
}

void weir_buf_destroy(weir_buf **buf)
{
    if (!buf || !*buf)
        return;
    weir_device *dev = (*buf)->dev;
    dev->bytes_live -= (*buf)->size;
    dev->fns->buf_destroy(dev, *buf);
    *buf = NULL;
}

static bool inside(const weir_buf *buf, size_t offset, size_t size)
{
    return offset <= buf->size && size <= buf->size - offset;
}

enum weir_status weir_buf_write(weir_buf *buf, size_t offset, const void *src, size_t size)
{
    enum weir_status status = WEIR_OK;
    weir_require(&buf->dev->log, inside(buf, offset, size));
    weir_require(&buf->dev->log, src != NULL || size == 0);
    if (size > 0)
        status = buf->dev->fns->buf_write(buf->dev, buf, offset, src, size);
error:
    return status;
}

enum weir_status weir_buf_read(weir_buf *buf, size_t offset, void *dst, size_t size)
{
    enum weir_status status = WEIR_OK;
    weir_require(&buf->dev->log, inside(buf, offset, size));
    weir_require(&buf->dev->log, dst != NULL || size == 0);
    if (size > 0)
        status = buf->dev->fns->buf_read(buf->dev, buf, offset, dst, size);
error:
    return status;
}

enum weir_status weir_buf_copy(weir_buf *src, size_t so, weir_buf *dst, size_t d_o, size_t size)
{
    enum weir_status status = WEIR_OK;
    weir_require(&src->dev->log, src->dev == dst->dev);
    weir_require(&src->dev->log, inside(src, so, size) && inside(dst, d_o, size));
    weir_require(&src->dev->log, src != dst || so + size <= d_o || d_o + size <= so);
    if (size > 0)
        status = src->dev->fns->buf_copy(src->dev, src, so, dst, d_o, size);
error:
    return status;
}

enum weir_status weir_buf_fill(weir_buf *buf, size_t offset, uint32_t word, size_t size)
{
    enum weir_status status = WEIR_OK;
    weir_require(&buf->dev->log, inside(buf, offset, size));
    weir_require(&buf->dev->log, offset % 4 == 0 && size % 4 == 0);
    if (size > 0)
        status = buf->dev->fns->buf_fill(buf->dev, buf, offset, word, size);
error:
    return status;
}

enum weir_status weir_module_build(weir_device *dev, const struct weir_build_params *p,
                                   weir_module **out)
{
    enum weir_status status = WEIR_OK;
    weir_require(&dev->log, p != NULL && out != NULL);
    weir_require(&dev->log, p->source != NULL);
    weir_module *module = NULL;
    status = dev->fns->module_build(dev, p, &module);
    if (status == WEIR_OK) {
        module->dev = dev;
        *out = module;
    }
error:
    return status;
}

void weir_module_destroy(weir_device *dev, weir_module **module)
{
    if (!module || !*module)
        return;
    dev->fns->module_destroy(dev, *module);
    *module = NULL;
}

static enum weir_status check_geometry(const weir_device *dev, const struct weir_launch *l)
{
    enum weir_status status = WEIR_OK;
    size_t group = 1;
    bool driver_chooses = l->local[0] == 0 && l->local[1] == 0 && l->local[2] == 0;
    for (int i = 0; i < 3; i++) {
        weir_require(&dev->log, l->global[i] > 0);
        if (driver_chooses)
            continue;
        weir_require(&dev->log, l->local[i] > 0 && l->global[i] % l->local[i] == 0);
        weir_require(&dev->log, l->local[i] <= (size_t)dev->info.caps.max_group);
        group *= l->local[i];
    }
    weir_require(&dev->log, group <= (size_t)dev->info.caps.max_group);
error:
    return status;
}

static enum weir_status check_bufs(const weir_device *dev, const struct weir_launch *l)
{
    enum weir_status status = WEIR_OK;
    weir_require(&dev->log, l->n_bufs >= 0 && l->n_bufs <= WEIR_LAUNCH_MAX_BUFS);
    weir_require(&dev->log, l->n_ints >= 0 && l->n_ints <= WEIR_LAUNCH_MAX_INTS);
    for (int i = 0; i < l->n_bufs; i++) {
        const struct weir_buf_ref *ref = &l->bufs[i];
        weir_require(&dev->log, ref->buf != NULL && ref->buf->dev == dev);
        weir_require(&dev->log, ref->elem_size > 0 && ref->offset % ref->elem_size == 0);
        weir_require(&dev->log, ref->offset <= ref->buf->size);
        if (l->host_callback || l->gemm)
            weir_require(&dev->log, inside(ref->buf, ref->offset, l->buf_size[i]));
    }
error:
    return status;
}

// The loops around a launch, while a list is checked.
struct nest {
    int depth, end[WEIR_LOOP_MAX_DEPTH];
    int64_t repeat[WEIR_LOOP_MAX_DEPTH];
};

// Moving arguments stay inside their buffers in every iteration.
static enum weir_status check_steps(const weir_device *dev, const struct weir_launch *l,
                                    const struct nest *nest)
{
    enum weir_status status = WEIR_OK;
    weir_require(&dev->log, l->n_steps == 0 || l->steps != NULL);
    for (int b = 0; b < l->n_bufs; b++) {
        const struct weir_buf_ref *ref = &l->bufs[b];
        int64_t low = (int64_t)ref->offset, high = low;
        for (int i = 0; i < l->n_steps; i++) {
            const struct weir_launch_step *s = &l->steps[i];
            weir_require(&dev->log, s->buf >= 0 && s->buf < l->n_bufs);
            weir_require(&dev->log, s->depth >= 0 && s->depth < nest->depth);
            int64_t last = s->bytes * (nest->repeat[s->depth] - 1);
            if (s->buf != b || nest->repeat[s->depth] == 0)
                continue;
            weir_require(&dev->log, s->bytes % (int64_t)ref->elem_size == 0);
            *(last < 0 ? &low : &high) += last;
        }
        weir_require(&dev->log, low >= 0);
        weir_require(&dev->log,
                     inside(ref->buf, (size_t)high, l->host_callback || l->gemm ? l->buf_size[b] : 0));
    }
error:
    return status;
}

// Elements from the first to behind the last of `rows` x `cols`, `batch` times.
static int64_t reach(int64_t rows, int64_t cols, int64_t ld, int64_t batch, int64_t apart)
{
    return (rows - 1) * ld + cols + (batch - 1) * apart;
}

enum weir_status weir_gemm_scratch(weir_device *dev, const struct weir_gemm *g, size_t *size)
{
    *size = 0; // on a device that is not here it is not known
    return dev->fns->gemm_scratch && !dev->planned ? dev->fns->gemm_scratch(dev, g, size) : WEIR_OK;
}

static enum weir_status check_gemm(weir_device *dev, const struct weir_launch *l)
{
    enum weir_status status = WEIR_OK;
    const struct weir_gemm *g = l->gemm;
    size_t scratch = 0;
    weir_require(&dev->log, weir_device_has(dev, WEIR_CAP_GEMM));
    weir_require(&dev->log, g->m > 0 && g->n > 0 && g->k > 0 && g->batch > 0 && g->rows >= 0);
    status = weir_gemm_scratch(dev, g, &scratch);
    if (status != WEIR_OK)
        return status;
    weir_require(&dev->log, l->n_bufs == (scratch ? 4 : 3) && l->n_ints == 0);
    weir_require(&dev->log, scratch == 0 || l->buf_size[3] >= scratch);
    weir_require(&dev->log, g->lda >= (g->ta ? g->m : g->k) && g->ldb >= (g->tb ? g->k : g->n) &&
                                g->ldc >= g->n);
    weir_require(&dev->log, g->batch_a >= 0 && g->batch_b >= 0);
    weir_require(&dev->log, g->batch == 1 || g->batch_c >= (g->m - 1) * g->ldc + g->n || g->m == 1);
    const int64_t need[3] = {
        reach(g->ta ? g->k : g->m, g->ta ? g->m : g->k, g->lda, g->batch, g->batch_a),
        reach(g->tb ? g->n : g->k, g->tb ? g->k : g->n, g->ldb, g->batch, g->batch_b),
        reach(g->m, g->n, g->ldc, g->batch, g->batch_c)};
    for (int i = 0; i < 3; i++) {
        weir_require(&dev->log, l->bufs[i].elem_size == sizeof(float));
        weir_require(&dev->log, (size_t)need[i] * sizeof(float) <= l->buf_size[i]);
    }
error:
    return status;
}

static enum weir_status check_launch(weir_device *dev, const struct weir_launch *l,
                                     const struct nest *nest)
{
    enum weir_status status = check_bufs(dev, l);
    if (status == WEIR_OK)
        status = check_steps(dev, l, nest);
    if (status != WEIR_OK)
        return status;
    if (l->gemm) {
        return check_gemm(dev, l);
    } else if (l->host_callback || weir_device_is_host(dev)) {
        weir_require(&dev->log, l->fn != NULL);
    } else {
        weir_require(&dev->log, l->module != NULL && l->module->dev == dev);
        weir_require(&dev->log, l->kernel != NULL);
        return check_geometry(dev, l);
    }
error:
    return status;
}

static enum weir_status check_loop(const weir_device *dev, const struct weir_launch *l, int at,
                                   int n, struct nest *nest)
{
    enum weir_status status = WEIR_OK;
    int end = nest->depth ? nest->end[nest->depth - 1] : n;
    weir_require(&dev->log, nest->depth < WEIR_LOOP_MAX_DEPTH);
    weir_require(&dev->log, l->span > 0 && l->span < end - at);
    weir_require(&dev->log, l->repeat >= 0);
    nest->end[nest->depth] = at + 1 + l->span;
    nest->repeat[nest->depth++] = l->repeat;
error:
    return status;
}

int weir_launch_splits(const struct weir_launch *l, int *along)
{
    size_t most = 0;
    *along = 0;
    for (int i = 2; i >= 0; i--) {
        size_t unit = l->local[0] == 0 ? WEIR_PART_ITEMS : l->local[i], n = l->global[i] / unit;
        if (n > most) {
            most = n;
            *along = i;
        }
    }
    return most < 1 ? 1 : most > INT32_MAX ? INT32_MAX : (int)most;
}

struct weir_moving *weir_moving_create(const struct weir_launch *l, int *n)
{
    *n = 0;
    struct weir_moving *m = l->n_steps ? calloc((size_t)l->n_steps, sizeof *m) : NULL;
    if (l->n_steps && !m)
        *n = -1;
    for (int i = 0; m && i < l->n_steps; i++) {
        int at = 0;
        while (at < *n && m[at].buf != l->steps[i].buf)
            at++;
        *n = at == *n ? at + 1 : *n;
        m[at].buf = l->steps[i].buf;
        m[at].bytes[l->steps[i].depth] += l->steps[i].bytes;
    }
    return m;
}

int64_t weir_moved(const struct weir_moving *m, const int64_t *iteration)
{
    int64_t by = 0;
    for (int d = 0; d < WEIR_LOOP_MAX_DEPTH; d++)
        by += m->bytes[d] * iteration[d];
    return by;
}

enum weir_status weir_list_record(weir_device *dev, const struct weir_launch *l, int n,
                                  weir_list **out)
{
    enum weir_status status = WEIR_OK;
    struct nest nest = { 0 };
    weir_require(&dev->log, out != NULL && n >= 0 && (l != NULL || n == 0));
    for (int i = 0; i < n; i++) {
        while (nest.depth && nest.end[nest.depth - 1] == i)
            nest.depth--;
        status = l[i].span ? check_loop(dev, &l[i], i, n, &nest) : check_launch(dev, &l[i], &nest);
        if (status != WEIR_OK)
            return weir_fail(&dev->log, status, "launch %d of %d (%s) is malformed", i, n,
                             l[i].label ? l[i].label : l[i].kernel ? l[i].kernel : "no label");
    }
    weir_list *list = NULL;
    status = dev->fns->list_record(dev, l, n, &list);
    if (status == WEIR_OK) {
        list->dev = dev;
        list->n = n;
        *out = list;
    }
error:
    return status;
}

enum weir_status weir_list_replay(weir_device *dev, weir_list *list)
{
    enum weir_status status = WEIR_OK;
    weir_require(&dev->log, list != NULL && list->dev == dev);
    status = dev->fns->list_replay(dev, list);
error:
    return status;
}

enum weir_status weir_list_profile(weir_device *dev, weir_list *list, struct weir_timing *rows)
{
    enum weir_status status = WEIR_OK;
    weir_require(&dev->log, list != NULL && list->dev == dev);
    weir_require(&dev->log, rows != NULL || list->n == 0);
    status = dev->fns->list_profile(dev, list, rows);
error:
    return status;
}

void weir_list_destroy(weir_device *dev, weir_list **list)
{
    if (!list || !*list)
        return;
    dev->fns->list_destroy(dev, *list);
    *list = NULL;
}
