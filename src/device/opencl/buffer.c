// SPDX-License-Identifier: Apache-2.0
// Device memory. Drivers allocate lazily: "success" at creation may fail at the first launch. So
// the first and the last word are written at once, and running out has one place and one message.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

static enum weir_status no_memory(const weir_device *dev, size_t size, int code)
{
    return weir_fail(&dev->log, WEIR_NOMEM,
                     "out of memory on %s: a buffer of %zu bytes wanted, %zu bytes live (%s)",
                     dev->info.name, size, dev->bytes_live, weir_cl_error_name(code));
}

static cl_int touch(const struct weir_cl *cl, cl_mem mem, size_t rounded)
{
    cl_uint zero = 0;
    cl_int code = clEnqueueFillBuffer(cl->queue, mem, &zero, sizeof zero, 0, sizeof zero, 0, NULL,
                                      NULL);
    if (code == CL_SUCCESS)
        code = clEnqueueFillBuffer(cl->queue, mem, &zero, sizeof zero, rounded - sizeof zero,
                                   sizeof zero, 0, NULL, NULL);
    if (code == CL_SUCCESS)
        code = clFinish(cl->queue);
    return code;
}

enum weir_status weir_cl_buf_create(weir_device *dev, size_t size, weir_buf **out)
{
    const struct weir_cl *cl = weir_cl(dev);
    size_t rounded = (size + 3) / 4 * 4;
    cl_int code;
    weir_buf *buf = calloc(1, sizeof *buf);
    if (!buf)
        return no_memory(dev, size, CL_OUT_OF_HOST_MEMORY);
    cl_mem mem = clCreateBuffer(cl->context, CL_MEM_READ_WRITE, rounded, NULL, &code);
    if (code == CL_SUCCESS) {
        code = touch(cl, mem, rounded);
        if (code != CL_SUCCESS)
            clReleaseMemObject(mem);
    }
    if (code != CL_SUCCESS) {
        free(buf);
        enum weir_status status = weir_cl_status(code);
        if (status == WEIR_NOMEM || code == CL_OUT_OF_RESOURCES || code == CL_INVALID_BUFFER_SIZE)
            return no_memory(dev, size, code);
        return weir_cl_check(dev, code, "clCreateBuffer", NULL);
    }
    buf->priv = mem;
    *out = buf;
    return WEIR_OK;
}

void weir_cl_buf_destroy(weir_device *dev, weir_buf *buf)
{
    clReleaseMemObject((cl_mem)buf->priv);
    free(buf);
}

void weir_cl_staging_collect(weir_device *dev, bool all)
{
    struct weir_cl_staging **at = &weir_cl(dev)->staging;
    while (*at) {
        struct weir_cl_staging *s = *at;
        cl_int state = CL_QUEUED;
        clGetEventInfo(s->done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
        if (!all && state > CL_COMPLETE) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        clReleaseEvent(s->done);
        free(s);
    }
}

enum weir_status weir_cl_buf_write(weir_device *dev, weir_buf *buf, size_t offset, const void *src,
                                   size_t size)
{
    struct weir_cl *cl = weir_cl(dev);
    struct weir_cl_staging *s = NULL;
    weir_cl_staging_collect(dev, false);
    if (size <= WEIR_CL_STAGING_MAX)
        s = malloc(sizeof *s + size);
    if (!s) // large, or short of memory: wait instead of copying
        return weir_cl_check(dev,
                             clEnqueueWriteBuffer(cl->queue, (cl_mem)buf->priv, CL_TRUE, offset,
                                                  size, src, 0, NULL, NULL),
                             "clEnqueueWriteBuffer", NULL);
    memcpy(s->bytes, src, size);
    cl_int code = clEnqueueWriteBuffer(cl->queue, (cl_mem)buf->priv, CL_FALSE, offset, size,
                                       s->bytes, 0, NULL, &s->done);
    if (code != CL_SUCCESS) {
        free(s);
        return weir_cl_check(dev, code, "clEnqueueWriteBuffer", NULL);
    }
    s->next = cl->staging;
    cl->staging = s;
    return WEIR_OK;
}

enum weir_status weir_cl_buf_read(weir_device *dev, weir_buf *buf, size_t offset, void *dst,
                                  size_t size)
{
    cl_command_queue queue = weir_cl(dev)->queue;
    cl_event event;
    cl_bool blocking = dev->poll ? CL_FALSE : CL_TRUE;
    cl_int code = clEnqueueReadBuffer(queue, (cl_mem)buf->priv, blocking, offset, size, dst, 0,
                                      NULL, &event);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clEnqueueReadBuffer", NULL);
    clFlush(queue);
    return weir_cl_wait_event(dev, event, "clEnqueueReadBuffer");
}

enum weir_status weir_cl_buf_copy(weir_device *dev, weir_buf *src, size_t so, weir_buf *dst,
                                  size_t d_o, size_t size)
{
    return weir_cl_check(dev,
                         clEnqueueCopyBuffer(weir_cl(dev)->queue, (cl_mem)src->priv,
                                             (cl_mem)dst->priv, so, d_o, size, 0, NULL, NULL),
                         "clEnqueueCopyBuffer", NULL);
}

enum weir_status weir_cl_buf_fill(weir_device *dev, weir_buf *buf, size_t offset, uint32_t word,
                                  size_t size)
{
    cl_uint pattern = word;
    return weir_cl_check(dev,
                         clEnqueueFillBuffer(weir_cl(dev)->queue, (cl_mem)buf->priv, &pattern,
                                             sizeof pattern, offset, size, 0, NULL, NULL),
                         "clEnqueueFillBuffer", NULL);
}
