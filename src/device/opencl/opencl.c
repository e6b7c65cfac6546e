// SPDX-License-Identifier: Apache-2.0
// Opens an OpenCL device (a context and an in-order queue of its own) and holds the backend's row.
#include "device/opencl/opencl.h"

#include <stdlib.h>

#include "base/log.h"

// May be called from a thread of the driver.
static void CL_CALLBACK notify(const char *text, const void *info, size_t size, void *cookie)
{
    weir_logf((const struct weir_log *)cookie, WEIR_LOG_DEBUG, "the driver says: %s", text);
}

static enum weir_status finish(weir_device *dev)
{
    enum weir_status status = weir_cl_wait(dev);
    if (status == WEIR_OK)
        weir_cl_staging_collect(dev, true);
    return status;
}

static void destroy(weir_device *dev)
{
    struct weir_cl *cl = weir_cl(dev);
    if (cl->queue)
        weir_cl_wait(dev);
    weir_cl_staging_collect(dev, true);
    weir_cl_programs_release(cl);
    weir_cl_gemm_finish(cl);
    if (cl->profiling)
        clReleaseCommandQueue(cl->profiling);
    if (cl->queue)
        clReleaseCommandQueue(cl->queue);
    if (cl->context)
        clReleaseContext(cl->context);
    free(cl);
    free(dev->cache_dir);
    free(dev);
}

static const struct weir_device_fns opencl_fns = {
    .buf_create = weir_cl_buf_create,
    .buf_destroy = weir_cl_buf_destroy,
    .buf_write = weir_cl_buf_write,
    .buf_read = weir_cl_buf_read,
    .buf_copy = weir_cl_buf_copy,
    .buf_fill = weir_cl_buf_fill,
    .module_build = weir_cl_module_build,
    .module_destroy = weir_cl_module_destroy,
    .list_record = weir_cl_list_record,
    .list_replay = weir_cl_list_replay,
    .list_profile = weir_cl_list_profile,
    .list_destroy = weir_cl_list_destroy,
    .probe = weir_cl_probe,
    .gemm_scratch = weir_cl_gemm_scratch,
    .finish = finish,
    .destroy = destroy,
};

static enum weir_status open_queue(weir_device *dev)
{
    struct weir_cl *cl = weir_cl(dev);
    cl_context_properties properties[] = { CL_CONTEXT_PLATFORM,
                                           (cl_context_properties)cl->platform, 0 };
    cl_device_fp_config config = 0;
    cl_int code;
    cl->context = clCreateContext(properties, 1, &cl->id, notify, &dev->log, &code);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clCreateContext", NULL);
    cl->queue = clCreateCommandQueue(cl->context, cl->id, 0, &code);
    if (code != CL_SUCCESS)
        return weir_cl_check(dev, code, "clCreateCommandQueue", NULL);
    weir_cl_commands_load(cl);
    clGetDeviceInfo(cl->id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL);
    cl->correctly_rounded = (config & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
    return WEIR_OK;
}

static enum weir_status opencl_open(const struct weir_device_params *params, int index,
                                    weir_device **out)
{
    weir_device *dev = calloc(1, sizeof *dev);
    struct weir_cl *cl = calloc(1, sizeof *cl);
    enum weir_status status;
    if (!dev || !cl) {
        free(dev);
        free(cl);
        return weir_fail(&params->log, WEIR_NOMEM, "out of memory opening opencl:%d", index);
    }
    dev->fns = &opencl_fns;
    dev->log = params->log;
    dev->priv = cl;
    if (!weir_cl_find(params, index, &cl->platform, &cl->id, &dev->info)) {
        status = weir_fail(&params->log, WEIR_NODEVICE, "there is no device opencl:%d", index);
        goto error;
    }
    status = open_queue(dev);
    if (status != WEIR_OK)
        goto error;
    *out = dev;
    return WEIR_OK;
error:
    destroy(dev);
    return status;
}

const struct weir_backend weir_backend_opencl = {
    .name = "opencl",
    .desc = "any OpenCL 1.2 device of any installed driver",
    .list = weir_cl_list,
    .open = opencl_open,
};
