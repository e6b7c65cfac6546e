// SPDX-License-Identifier: Apache-2.0
// Launch lists: every kernel object gets its arguments once, when the list is recorded; a replay is
// a loop of enqueues on an in-order queue. A user's host function runs between two of them, on
// copies of its buffers in host memory.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

struct callback {
    weir_host_fn *fn;
    const void *desc;
    int n;
    uint32_t written;
    struct weir_buf_ref bufs[WEIR_LAUNCH_MAX_BUFS];
    size_t size[WEIR_LAUNCH_MAX_BUFS];
    void *ptr[WEIR_LAUNCH_MAX_BUFS]; // host copies, owned
};

struct item {
    cl_kernel kernel;         // NULL: a callback
    struct callback *callback;
    size_t global[3], local[3];
    bool driver_chooses;
    char *label;
};

struct list {
    struct weir_list base;
    struct item *items;
};

static void callback_destroy(struct callback *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n; i++)
        free(c->ptr[i]);
    free(c);
}

void weir_cl_list_destroy(weir_device *dev, weir_list *list)
{
    struct list *l = (struct list *)list;
    for (int i = 0; i < l->base.n; i++) {
        if (l->items[i].kernel)
            clReleaseKernel(l->items[i].kernel);
        callback_destroy(l->items[i].callback);
        free(l->items[i].label);
    }
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

// A group larger than the driver runs of this kernel (rusticl says 1024 for the device and takes 32): a
// kernel without local memory does not care for the size, so the driver chooses.
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

static enum weir_status record_item(weir_device *dev, const struct weir_launch *l,
                                    struct item *item)
{
    const char *label = l->label ? l->label : l->kernel ? l->kernel : "host call";
    memcpy(item->global, l->global, sizeof item->global);
    memcpy(item->local, l->local, sizeof item->local);
    item->driver_chooses = l->local[0] == 0;
    item->label = strdup(label);
    if (item->label && l->host_callback)
        item->callback = callback_create(l);
    if (!item->label || (l->host_callback && !item->callback))
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory recording %s", label);
    return l->host_callback ? WEIR_OK : record_kernel(dev, l, item);
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
    *out = &l->base;
    return WEIR_OK;
}

static enum weir_status run_callback(weir_device *dev, const struct callback *c)
{
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < c->n && status == WEIR_OK; i++)
        if (c->size[i] > 0)
            status = weir_cl_buf_read(dev, c->bufs[i].buf, c->bufs[i].offset, c->ptr[i],
                                      c->size[i]);
    if (status != WEIR_OK)
        return status;
    c->fn(c->desc, c->ptr);
    for (int i = 0; i < c->n && status == WEIR_OK; i++)
        if (c->size[i] > 0 && (c->written >> i & 1))
            status = weir_cl_buf_write(dev, c->bufs[i].buf, c->bufs[i].offset, c->ptr[i],
                                       c->size[i]);
    return status;
}

static enum weir_status enqueue(weir_device *dev, cl_command_queue queue, const struct item *item,
                                cl_event *event)
{
    cl_int code = clEnqueueNDRangeKernel(queue, item->kernel, 3, NULL, item->global,
                                         item->driver_chooses ? NULL : item->local, 0, NULL, event);
    return weir_cl_check(dev, code, "clEnqueueNDRangeKernel", item->label);
}

enum weir_status weir_cl_list_replay(weir_device *dev, weir_list *list)
{
    struct list *l = (struct list *)list;
    const struct weir_cl *cl = weir_cl(dev);
    for (int i = 0; i < l->base.n; i++) {
        struct item *item = &l->items[i];
        enum weir_status status = item->callback ? run_callback(dev, item->callback)
                                                 : enqueue(dev, cl->queue, item, NULL);
        if (status != WEIR_OK)
            return status;
    }
    return weir_cl_check(dev, clFlush(cl->queue), "clFlush", NULL);
}

// One launch at a time: with many in flight some drivers report overlapping times.
static enum weir_status profile_item(weir_device *dev, const struct item *item, uint64_t *ns)
{
    const struct weir_cl *cl = weir_cl(dev);
    cl_event event = NULL;
    cl_ulong start = 0, end = 0;
    *ns = 0;
    if (item->callback)
        return run_callback(dev, item->callback);
    enum weir_status status = weir_cl_wait(dev);
    if (status == WEIR_OK)
        status = enqueue(dev, cl->profiling, item, &event);
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
        *ns = end - start;
    clReleaseEvent(event);
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
    for (int i = 0; i < l->base.n; i++) {
        enum weir_status status = profile_item(dev, &l->items[i], &rows[i].ns);
        if (status != WEIR_OK)
            return status;
        rows[i].label = l->items[i].label;
    }
    return WEIR_OK;
}
