// SPDX-License-Identifier: Apache-2.0
// Command buffers (cl_khr_command_buffer 0.9): kernels recorded once by the driver, enqueued by one
// call. The extension is provisional and younger than the headers that we ask for, so what is
// needed of it stands here. Whether it works is tried (caps.c); whoever cannot have it enqueues
// kernel by kernel.
#include <string.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

#define REQUIRED_QUEUE_PROPERTIES 0x12AA
#define CAPABILITIES 0x12A9
#define SIMULTANEOUS_USE_CAPABILITY ((cl_bitfield)1 << 2)
#define FLAGS 0x1293
#define SIMULTANEOUS_USE ((cl_ulong)1 << 0)

static bool load(cl_platform_id platform, const char *name, void *fn, size_t size)
{
    void *address = clGetExtensionFunctionAddressForPlatform(platform, name);
    memcpy(fn, &address, size); // a function pointer from an object pointer, as the loader has it
    return address != NULL;
}

void weir_cl_commands_load(struct weir_cl *cl)
{
    struct weir_cl_commands c = {0};
    cl_command_queue_properties required = 0;
    cl_bitfield can = 0;
    if (!weir_cl_claims(cl->id, "cl_khr_command_buffer") ||
        clGetDeviceInfo(cl->id, REQUIRED_QUEUE_PROPERTIES, sizeof required, &required, NULL) !=
            CL_SUCCESS ||
        clGetDeviceInfo(cl->id, CAPABILITIES, sizeof can, &can, NULL) != CL_SUCCESS ||
        required != 0)
        return;
    c.simultaneous = (can & SIMULTANEOUS_USE_CAPABILITY) != 0;
    c.there = load(cl->platform, "clCreateCommandBufferKHR", &c.create, sizeof c.create) &&
              load(cl->platform, "clFinalizeCommandBufferKHR", &c.finalize, sizeof c.finalize) &&
              load(cl->platform, "clReleaseCommandBufferKHR", &c.release, sizeof c.release) &&
              load(cl->platform, "clCommandNDRangeKernelKHR", &c.kernel, sizeof c.kernel) &&
              load(cl->platform, "clEnqueueCommandBufferKHR", &c.enqueue, sizeof c.enqueue);
    cl->commands = c;
}

static bool good(const weir_device *dev, cl_int code, const char *call)
{
    if (code != CL_SUCCESS)
        weir_logf(&dev->log, WEIR_LOG_DEBUG, "%s: %s failed with %s (%d): no command buffer",
                  dev->info.name, call, weir_cl_error_name(code), code);
    return code == CL_SUCCESS;
}

bool weir_cl_commands_begin(weir_device *dev, weir_cl_command_buffer *out)
{
    struct weir_cl *cl = weir_cl(dev);
    const cl_ulong together[] = {FLAGS, SIMULTANEOUS_USE, 0};
    cl_int code = CL_SUCCESS;
    *out = cl->commands.create(1, &cl->queue, cl->commands.simultaneous ? together : NULL, &code);
    return good(dev, code, "clCreateCommandBufferKHR") && *out;
}

bool weir_cl_commands_add(weir_device *dev, weir_cl_command_buffer buffer, cl_kernel kernel,
                          const size_t *offset, const size_t *global, const size_t *local)
{
    cl_int code = weir_cl(dev)->commands.kernel(buffer, NULL, NULL, kernel, 3, offset, global,
                                                local, 0, NULL, NULL, NULL);
    return good(dev, code, "clCommandNDRangeKernelKHR");
}

bool weir_cl_commands_end(weir_device *dev, weir_cl_command_buffer buffer)
{
    return good(dev, weir_cl(dev)->commands.finalize(buffer), "clFinalizeCommandBufferKHR");
}

cl_int weir_cl_commands_enqueue(weir_device *dev, weir_cl_command_buffer buffer, cl_event *done)
{
    return weir_cl(dev)->commands.enqueue(0, NULL, buffer, 0, NULL, done);
}

void weir_cl_commands_release(weir_device *dev, weir_cl_command_buffer *buffer)
{
    if (*buffer)
        weir_cl(dev)->commands.release(*buffer);
    *buffer = NULL;
}
