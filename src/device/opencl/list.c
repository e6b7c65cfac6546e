// SPDX-License-Identifier: Apache-2.0
// Launch lists: every kernel object gets its arguments once, when the list is recorded; a replay is
// a loop of enqueues on an in-order queue, or of command buffers where the driver has them, which stand for
// neighbours whose arguments never change. A user's host function runs between two of them, on
// copies of its buffers in host memory.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "device/opencl/opencl.h"

// Replays of a list in a GPU's queue: one that runs, one that waits. More would hold back the
// screen and whoever wants to stop.
enum { QUEUED = 2 };

struct callback {
    weir_host_fn *fn;
    const void *desc;
    int n;
    uint32_t written;
    struct weir_buf_ref bufs[WEIR_LAUNCH_MAX_BUFS];
    size_t size[WEIR_LAUNCH_MAX_BUFS];
    void *ptr[WEIR_LAUNCH_MAX_BUFS]; // host copies, owned
};

// A product by the library.
struct gemm {
    struct weir_gemm shape;
    struct weir_buf_ref bufs[4]; // the last is scratch, or nothing
    size_t sizes[4];
};

struct item {
    cl_kernel kernel;         // NULL: a gemm, a callback or a loop
    struct gemm *gemm;
    struct callback *callback;
    int span;                 // a loop over the items after it, if not 0
    int64_t repeat;
    struct weir_moving *moving; // arguments with an offset of their own in each iteration
    struct weir_buf_ref *moving_from; // their buffers in the first one
    int n_moving;
    size_t global[3], local[3];
    int parts, along; // parts of the range, cut along this dimension
    bool driver_chooses;
    char *label;
    weir_cl_command_buffer commands; // in place of the `covers` items from this one on; NULL: none
    cl_event pending; // of the latest time, where the driver cannot have it in the queue twice
    int covers;
};

struct list {
    struct weir_list base;
    struct item *items;
    cl_event done[QUEUED]; // the ends of the latest replays, in turn; NULL: waited for
    int64_t replays;
};

static void callback_destroy(struct callback *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n; i++)
        free(c->ptr[i]);
    free(c);
}

static void drop_commands(weir_device *dev, struct item *item)
{
    weir_cl_commands_release(dev, &item->commands);
    if (item->pending)
        clReleaseEvent(item->pending);
    item->pending = NULL;
}

void weir_cl_list_destroy(weir_device *dev, weir_list *list)
{
    struct list *l = (struct list *)list;
    for (int i = 0; i < l->base.n; i++) {
        if (l->items[i].kernel)
            clReleaseKernel(l->items[i].kernel);
        drop_commands(dev, &l->items[i]);
        free(l->items[i].gemm);
        callback_destroy(l->items[i].callback);
        free(l->items[i].moving);
        free(l->items[i].moving_from);
        free(l->items[i].label);
    }
    for (int i = 0; i < QUEUED; i++)
        if (l->done[i])
            clReleaseEvent(l->done[i]);
    free(l->items);
    free(l);
}

static struct callback *callback_create(const struct weir_launch *launch)
{
    struct callback *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->fn = launch->fn;
    c->desc = launch->desc;
    c->written = launch->written;
    for (int i = 0; i < launch->n_bufs; i++) {
        size_t size = launch->buf_size[i];
        c->bufs[i] = launch->bufs[i];
        c->size[i] = size;
        c->ptr[i] = aligned_alloc(64, (size + 64) / 64 * 64);
        c->n = i + 1;
        if (!c->ptr[i]) {
            callback_destroy(c);
            return NULL;
        }
    }
    return c;
}

static enum weir_status set_arg(weir_device *dev, cl_kernel kernel, cl_uint index, size_t size,
                                const void *value, const char *label)
{
    cl_int code = clSetKernelArg(kernel, index, size, value);
    if (code == CL_SUCCESS)
        return WEIR_OK;
    char what[160];
    snprintf(what, sizeof what, "argument %u of %s", (unsigned)index, label);
    return weir_cl_check(dev, code, "clSetKernelArg", what);
}

static enum weir_status set_args(weir_device *dev, cl_kernel kernel, const struct weir_launch *l)
{
    cl_uint arg = 0, takes = 0;
    enum weir_status status =
        weir_cl_check(dev, clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof takes, &takes, NULL),
                      "clGetKernelInfo", l->kernel);
    if (status == WEIR_OK && takes != (cl_uint)(2 * l->n_bufs + l->n_ints))
        status = weir_fail(&dev->log, WEIR_INVALID,
                           "kernel %s takes %u arguments, the launch has %d buffers (two arguments "
                           "each) and %d integers", l->kernel, (unsigned)takes, l->n_bufs,
                           l->n_ints);
    for (int i = 0; i < l->n_bufs && status == WEIR_OK; i++) {
        cl_mem mem = (cl_mem)l->bufs[i].buf->priv;
        cl_ulong offset = l->bufs[i].offset / l->bufs[i].elem_size;
        status = set_arg(dev, kernel, arg++, sizeof mem, &mem, l->kernel);
        if (status == WEIR_OK)
            status = set_arg(dev, kernel, arg++, sizeof offset, &offset, l->kernel);
    }
    for (int i = 0; i < l->n_ints && status == WEIR_OK; i++) {
        cl_int value = l->ints[i];
        status = set_arg(dev, kernel, arg++, sizeof value, &value, l->kernel);
    }
    return status;
}

// A group larger than the driver runs of this kernel (rusticl says 1024 for the device and takes
// 32): a kernel without local memory does not care for the size, so the driver chooses.
static enum weir_status check_group(weir_device *dev, struct item *item, const char *name)
{
    size_t max = 0, group = item->local[0] * item->local[1] * item->local[2];
    if (item->driver_chooses)
        return WEIR_OK;
    cl_int code = clGetKernelWorkGroupInfo(item->kernel, weir_cl(dev)->id,
                                           CL_KERNEL_WORK_GROUP_SIZE, sizeof max, &max, NULL);
    cl_ulong local = 0;
    if (code == CL_SUCCESS && group > max)
        code = clGetKernelWorkGroupInfo(item->kernel, weir_cl(dev)->id, CL_KERNEL_LOCAL_MEM_SIZE,
                                        sizeof local, &local, NULL);
    if (code == CL_SUCCESS && group > max && !local)
        item->driver_chooses = true;
    else if (code == CL_SUCCESS && group > max)
        return weir_fail(
            &dev->log, WEIR_UNSUPPORTED,
            "kernel %s: a group of %zu work-items wanted, this driver runs at most %zu "
            "of it",
            name, group, max);
    return weir_cl_check(dev, code, "clGetKernelWorkGroupInfo", name);
}

static enum weir_status record_kernel(weir_device *dev, const struct weir_launch *l,
                                      struct item *item)
{
    const struct weir_cl_module *module = (const struct weir_cl_module *)l->module;
    cl_int code;
    item->kernel = clCreateKernel(module->program, l->kernel, &code);
    if (code == CL_INVALID_KERNEL_NAME)
        return weir_fail(&dev->log, WEIR_INVALID, "'%s' has no kernel %s", module->label,
                         l->kernel);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clCreateKernel", l->kernel);
    enum weir_status status = set_args(dev, item->kernel, l);
    return status == WEIR_OK ? check_group(dev, item, l->kernel) : status;
}

static struct gemm *gemm_create(const struct weir_launch *l)
{
    struct gemm *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->shape = *l->gemm;
    memcpy(g->bufs, l->bufs, (size_t)l->n_bufs * sizeof *g->bufs);
    memcpy(g->sizes, l->buf_size, (size_t)l->n_bufs * sizeof *g->sizes);
    return g;
}

static bool record_moving(const struct weir_launch *l, struct item *item)
{
    item->moving = weir_moving_create(l, &item->n_moving);
    if (item->n_moving > 0)
        item->moving_from = calloc((size_t)item->n_moving, sizeof *item->moving_from);
    for (int i = 0; item->moving_from && i < item->n_moving; i++)
        item->moving_from[i] = l->bufs[item->moving[i].buf];
    return item->n_moving == 0 || item->moving_from;
}

static enum weir_status record_item(weir_device *dev, const struct weir_launch *l,
                                    struct item *item)
{
    const char *label = l->label    ? l->label
                        : l->kernel ? l->kernel
                        : l->span   ? "loop"
                        : l->gemm   ? "gemm"
                                    : "host call";
    memcpy(item->global, l->global, sizeof item->global);
    memcpy(item->local, l->local, sizeof item->local);
    item->driver_chooses = l->local[0] == 0;
    item->parts = l->parts > 1 && weir_launch_splits(l, &item->along) >= l->parts ? l->parts : 1;
    item->span = l->span;
    item->repeat = l->repeat;
    item->label = strdup(label);
    if (item->label && l->host_callback)
        item->callback = callback_create(l);
    if (item->label && l->gemm)
        item->gemm = gemm_create(l);
    if (!item->label || (l->host_callback && !item->callback) || (l->gemm && !item->gemm) ||
        !record_moving(l, item))
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory recording %s", label);
    return l->host_callback || l->span || l->gemm ? WEIR_OK : record_kernel(dev, l, item);
}

// Part `part` of the range begins at `offset`; a multiple of the group's size lies between any two.
static void range_of_part(const struct item *item, int part, size_t offset[3], size_t global[3])
{
    size_t unit = item->local[0] == 0 ? WEIR_PART_ITEMS : item->local[item->along];
    size_t n = item->global[item->along], units = n / unit, parts = (size_t)item->parts;
    size_t from = units * (size_t)part / parts * unit,
           to = units * ((size_t)part + 1) / parts * unit;
    memset(offset, 0, 3 * sizeof *offset);
    memcpy(global, item->global, 3 * sizeof *global);
    offset[item->along] = from;
    global[item->along] = ((size_t)part + 1 == parts ? n : to) - from;
}

static bool is_fixed(const struct item *item)
{
    return item->kernel && item->n_moving == 0;
}

// items[first .. end) as one command buffer. Where the driver refuses, they stay items.
static void record_buffer(weir_device *dev, struct list *l, int first, int end)
{
    struct item *head = &l->items[first];
    bool good = weir_cl_commands_begin(dev, &head->commands);
    for (int i = first; i < end && good; i++) {
        const struct item *item = &l->items[i];
        for (int part = 0; part < item->parts && good; part++) {
            size_t offset[3], global[3];
            range_of_part(item, part, offset, global);
            good = weir_cl_commands_add(dev, head->commands, item->kernel, item->parts > 1 ? offset : NULL, global,
                                        item->driver_chooses ? NULL : item->local);
        }
    }
    head->covers = end - first;
    if (!good || !weir_cl_commands_end(dev, head->commands))
        drop_commands(dev, head);
}

// Of each row of neighbours outside of loops whose arguments stay as they are.
static void record_buffers(weir_device *dev, struct list *l)
{
    if (!weir_device_has(dev, WEIR_CAP_COMMAND_BUFFER) || !weir_cl(dev)->commands.there)
        return;
    for (int i = 0, end; i < l->base.n; i = end) {
        for (end = i; end < l->base.n && is_fixed(&l->items[end]); end++)
            ;
        if (end - i >= 2)
            record_buffer(dev, l, i, end);
        if (end == i)
            end += 1 + l->items[i].span;
    }
}

enum weir_status weir_cl_list_record(weir_device *dev, const struct weir_launch *launch, int n,
                                     weir_list **out)
{
    struct list *l = calloc(1, sizeof *l);
    if (l)
        l->items = calloc((size_t)n + 1, sizeof *l->items);
    if (!l || !l->items) {
        free(l);
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory recording %d launches", n);
    }
    l->base.n = n;
    for (int i = 0; i < n; i++) {
        enum weir_status status = record_item(dev, &launch[i], &l->items[i]);
        if (status != WEIR_OK) {
            weir_cl_list_destroy(dev, &l->base);
            return status;
        }
    }
    record_buffers(dev, l);
    *out = &l->base;
    return WEIR_OK;
}

int weir_cl_list_buffers(const weir_list *list)
{
    const struct list *l = (const struct list *)list;
    int n = 0;
    for (int i = 0; i < l->base.n; i++)
        n += l->items[i].commands != NULL;
    return n;
}

static enum weir_status run_callback(weir_device *dev, const struct callback *c,
                                     const struct item *item, const int64_t *iteration)
{
    enum weir_status status = WEIR_OK;
    size_t at[WEIR_LAUNCH_MAX_BUFS];
    for (int i = 0; i < c->n; i++)
        at[i] = c->bufs[i].offset;
    for (int i = 0; i < item->n_moving; i++)
        at[item->moving[i].buf] += (size_t)weir_moved(&item->moving[i], iteration);
    for (int i = 0; i < c->n && status == WEIR_OK; i++)
        if (c->size[i] > 0)
            status = weir_cl_buf_read(dev, c->bufs[i].buf, at[i], c->ptr[i], c->size[i]);
    if (status != WEIR_OK)
        return status;
    c->fn(c->desc, c->ptr);
    for (int i = 0; i < c->n && status == WEIR_OK; i++)
        if (c->size[i] > 0 && (c->written >> i & 1))
            status = weir_cl_buf_write(dev, c->bufs[i].buf, at[i], c->ptr[i], c->size[i]);
    return status;
}

static enum weir_status enqueue_gemm(weir_device *dev, cl_command_queue queue,
                                     const struct item *item, const int64_t *iteration,
                                     cl_event *event)
{
    struct weir_buf_ref bufs[4];
    memcpy(bufs, item->gemm->bufs, sizeof bufs);
    for (int i = 0; i < item->n_moving; i++)
        bufs[item->moving[i].buf].offset += (size_t)weir_moved(&item->moving[i], iteration);
    return weir_cl_gemm_run(dev, queue, &item->gemm->shape, bufs, item->gemm->sizes, item->label, event);
}

static enum weir_status enqueue(weir_device *dev, cl_command_queue queue, const struct item *item,
                                int part, const int64_t *iteration, cl_event *event)
{
    size_t offset[3], global[3];
    if (item->gemm)
        return enqueue_gemm(dev, queue, item, iteration, event);
    range_of_part(item, part, offset, global);
    for (int i = 0; i < item->n_moving; i++) {
        const struct weir_buf_ref *from = &item->moving_from[i];
        size_t at = from->offset + (size_t)weir_moved(&item->moving[i], iteration);
        cl_ulong element = at / from->elem_size;
        enum weir_status status = set_arg(dev, item->kernel, (cl_uint)(2 * item->moving[i].buf + 1),
                                          sizeof element, &element, item->label);
        if (status != WEIR_OK)
            return status;
    }
    cl_int code =
        clEnqueueNDRangeKernel(queue, item->kernel, 3, item->parts > 1 ? offset : NULL, global,
                               item->driver_chooses ? NULL : item->local, 0, NULL, event);
    return weir_cl_check(dev, code, "clEnqueueNDRangeKernel", item->label);
}

// One way through a list: what is done with an item, in which iterations of the loops around it.
struct walk {
    weir_device *dev;
    const struct list *list;
    enum weir_status (*visit)(struct walk *w, int at);
    int64_t iteration[WEIR_LOOP_MAX_DEPTH];
    int64_t enqueued;
    cl_event behind;          // BACKLOG launches ago
    bool buffers;             // replay by command buffers
    struct weir_timing *rows; // profile
};

// False if the driver does not take it: then its kernels are enqueued, now and from now on.
static bool enqueue_buffer(struct walk *w, struct item *item, enum weir_status *status)
{
    const bool again = weir_cl(w->dev)->commands.simultaneous;
    cl_event pending = item->pending;
    item->pending = NULL;
    *status = pending ? weir_cl_wait_event(w->dev, pending, "an earlier replay") : WEIR_OK;
    if (*status != WEIR_OK)
        return true;
    cl_int code = weir_cl_commands_enqueue(w->dev, item->commands, again ? NULL : &item->pending);
    if (code == CL_SUCCESS)
        return true;
    weir_logf(&w->dev->log, WEIR_LOG_WARN, "%s: clEnqueueCommandBufferKHR failed with %s (%d): enqueueing kernel by kernel",
              w->dev->info.name, weir_cl_error_name(code), code);
    drop_commands(w->dev, item);
    return false;
}

static enum weir_status walk_range(struct walk *w, int first, int end, int depth)
{
    enum weir_status status = WEIR_OK;
    for (int i = first; i < end && status == WEIR_OK; i++) {
        struct item *item = &w->list->items[i];
        if (w->buffers && item->commands && enqueue_buffer(w, item, &status)) {
            i += item->covers - 1;
            continue;
        }
        for (int64_t k = 0; item->span && k < item->repeat && status == WEIR_OK; k++) {
            w->iteration[depth] = k;
            status = walk_range(w, i + 1, i + 1 + item->span, depth + 1);
        }
        if (item->span)
            w->iteration[depth] = 0;
        else
            status = w->visit(w, i);
        i += item->span;
    }
    return status;
}

// Long loops wait for what was enqueued BACKLOG launches before: drivers keep all that is pending.
enum { BACKLOG = 4096 };

static enum weir_status visit_replay(struct walk *w, int at)
{
    const struct item *item = &w->list->items[at];
    int64_t before = w->enqueued / BACKLOG;
    w->enqueued += item->parts;
    bool mark = w->enqueued / BACKLOG != before;
    cl_event behind = w->behind, event = NULL;
    if (item->callback)
        return run_callback(w->dev, item->callback, item, w->iteration);
    enum weir_status status = WEIR_OK;
    for (int part = 0; part < item->parts && status == WEIR_OK; part++)
        status = enqueue(w->dev, weir_cl(w->dev)->queue, item, part, w->iteration,
                         mark && part == item->parts - 1 ? &event : NULL);
    if (status != WEIR_OK || !mark)
        return status;
    clFlush(weir_cl(w->dev)->queue);
    w->behind = event;
    return behind ? weir_cl_wait_event(w->dev, behind, item->label) : WEIR_OK;
}

// Waits until fewer than QUEUED replays are in the queue.
static enum weir_status make_room(weir_device *dev, struct list *l)
{
    cl_event *oldest = &l->done[l->replays % QUEUED], event = *oldest;
    *oldest = NULL;
    return event ? weir_cl_wait_event(dev, event, "an earlier replay") : WEIR_OK;
}

static enum weir_status mark_end(weir_device *dev, struct list *l)
{
    int64_t at = l->replays++ % QUEUED;
    return weir_cl_check(dev,
                         clEnqueueMarkerWithWaitList(weir_cl(dev)->queue, 0, NULL, &l->done[at]),
                         "clEnqueueMarkerWithWaitList", NULL);
}

enum weir_status weir_cl_list_replay(weir_device *dev, weir_list *list)
{
    struct list *l = (struct list *)list;
    struct walk w = { .dev = dev, .list = l, .visit = visit_replay, .buffers = true };
    bool bounded = !weir_device_has(dev, WEIR_CAP_WIDE);
    enum weir_status status = bounded ? make_room(dev, l) : WEIR_OK;
    if (status == WEIR_OK)
        status = walk_range(&w, 0, l->base.n, 0);
    if (w.behind)
        clReleaseEvent(w.behind);
    if (status == WEIR_OK && bounded)
        status = mark_end(dev, l);
    if (status != WEIR_OK)
        return status;
    return weir_cl_check(dev, clFlush(weir_cl(dev)->queue), "clFlush", NULL);
}

// One launch at a time: with many in flight some drivers report overlapping times.
static enum weir_status profile_part(struct walk *w, int at, int part)
{
    weir_device *dev = w->dev;
    const struct item *item = &w->list->items[at];
    cl_event event = NULL;
    cl_ulong start = 0, end = 0;
    enum weir_status status = weir_cl_wait(dev);
    if (status == WEIR_OK)
        status = enqueue(dev, weir_cl(dev)->profiling, item, part, w->iteration, &event);
    if (status != WEIR_OK)
        return status;
    clRetainEvent(event);
    status = weir_cl_wait_event(dev, event, item->label);
    if (status == WEIR_OK &&
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) ==
            CL_SUCCESS &&
        clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) ==
            CL_SUCCESS &&
        end > start)
        w->rows[at].ns += end - start;
    clReleaseEvent(event);
    return status;
}

// By the host's clock: a library may launch several kernels, and gives the last one's event.
static enum weir_status profile_gemm(struct walk *w, int at)
{
    weir_device *dev = w->dev;
    cl_event event = NULL;
    enum weir_status status = weir_cl_wait(dev);
    double start = weir_clock();
    if (status == WEIR_OK)
        status =
            enqueue(dev, weir_cl(dev)->profiling, &w->list->items[at], 0, w->iteration, &event);
    if (status == WEIR_OK)
        status = weir_cl_wait_event(dev, event, w->list->items[at].label);
    w->rows[at].ns += (uint64_t)(1e9 * (weir_clock() - start));
    return status;
}

static enum weir_status visit_profile(struct walk *w, int at)
{
    const struct item *item = &w->list->items[at];
    enum weir_status status = WEIR_OK;
    if (item->callback)
        return run_callback(w->dev, item->callback, item, w->iteration);
    if (item->gemm)
        return profile_gemm(w, at);
    for (int part = 0; part < item->parts && status == WEIR_OK; part++)
        status = profile_part(w, at, part);
    return status;
}

enum weir_status weir_cl_list_profile(weir_device *dev, weir_list *list, struct weir_timing *rows)
{
    struct list *l = (struct list *)list;
    struct weir_cl *cl = weir_cl(dev);
    if (!cl->profiling) {
        cl_int code;
        cl_command_queue queue =
            clCreateCommandQueue(cl->context, cl->id, CL_QUEUE_PROFILING_ENABLE, &code);
        if (code != CL_SUCCESS)
            return weir_cl_check(dev, code, "clCreateCommandQueue", "profiling");
        cl->profiling = queue;
    }
    for (int i = 0; i < l->base.n; i++)
        rows[i] = (struct weir_timing) { .label = l->items[i].label };
    struct walk w = { .dev = dev, .list = l, .visit = visit_profile, .rows = rows };
    return walk_range(&w, 0, l->base.n, 0);
}
