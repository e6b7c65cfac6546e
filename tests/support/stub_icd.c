// SPDX-License-Identifier: Apache-2.0
// An OpenCL driver that misbehaves, for the loader to find. STUB_ICD says how:
//   empty      its platform lists no device          broken   listing its devices fails
//   old        its device is OpenCL 1.1              offline  its device has no compiler
//   lazy-oom   buffers are created, the first command on one fails
//   no-queue   a context, but no command queue
//   crash      creating a context aborts
// Only what the OpenCL backend calls on these ways is there.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <stdlib.h>
#include <string.h>

struct object { // every handle starts with the dispatch table: the loader reads it
    const cl_icd_dispatch *dispatch;
};

static cl_icd_dispatch table;
static struct object platform = { &table }, device = { &table }, context = { &table },
                     queue = { &table }, buffer = { &table };

static int mode(const char *name)
{
    const char *now = getenv("STUB_ICD");
    return now && strcmp(now, name) == 0;
}

static cl_int give(const void *value, size_t n, size_t size, void *dst, size_t *size_ret)
{
    if (size_ret)
        *size_ret = n;
    if (dst && size < n)
        return CL_INVALID_VALUE;
    if (dst)
        memcpy(dst, value, n);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL platform_info(cl_platform_id id, cl_platform_info what, size_t size,
                                        void *dst, size_t *size_ret)
{
    const char *text = what == CL_PLATFORM_EXTENSIONS ? "cl_khr_icd"
                       : what == 0x0920 /* CL_PLATFORM_ICD_SUFFIX_KHR */ ? "STUB"
                       : what == CL_PLATFORM_VERSION ? "OpenCL 1.2 stub" : "Stub platform";
    return give(text, strlen(text) + 1, size, dst, size_ret);
}

static cl_int CL_API_CALL device_ids(cl_platform_id id, cl_device_type type, cl_uint n,
                                     cl_device_id *out, cl_uint *n_ret)
{
    if (mode("empty"))
        return CL_DEVICE_NOT_FOUND;
    if (mode("broken"))
        return CL_OUT_OF_HOST_MEMORY;
    if (out && n > 0)
        out[0] = (cl_device_id)(void *)&device;
    if (n_ret)
        *n_ret = 1;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL device_info(cl_device_id id, cl_device_info what, size_t size, void *dst,
                                      size_t *size_ret)
{
    cl_bool yes = CL_TRUE, compiler = mode("offline") ? CL_FALSE : CL_TRUE;
    cl_device_type type = CL_DEVICE_TYPE_CPU;
    cl_ulong bytes = (cl_ulong)1 << 30;
    cl_uint units = 1;
    size_t group = 64;
    const char *text = "Stub device\n  "; // names are trimmed
    switch (what) {
    case CL_DEVICE_TYPE:
        return give(&type, sizeof type, size, dst, size_ret);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_ENDIAN_LITTLE:
        return give(&yes, sizeof yes, size, dst, size_ret);
    case CL_DEVICE_COMPILER_AVAILABLE:
        return give(&compiler, sizeof compiler, size, dst, size_ret);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        return give(&bytes, sizeof bytes, size, dst, size_ret);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
        return give(&units, sizeof units, size, dst, size_ret);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        return give(&group, sizeof group, size, dst, size_ret);
    case CL_DEVICE_VERSION:
        text = mode("old") ? "OpenCL 1.1 stub" : "OpenCL 1.2 stub";
        break;
    case CL_DEVICE_NAME:
    case CL_DEVICE_VENDOR:
    case CL_DRIVER_VERSION:
        break;
    default:
        return CL_INVALID_VALUE;
    }
    return give(text, strlen(text) + 1, size, dst, size_ret);
}

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint n,
                                             const cl_device_id *ids,
                                             void(CL_CALLBACK *notify)(const char *, const void *,
                                                                       size_t, void *),
                                             void *cookie, cl_int *code)
{
    if (mode("crash"))
        abort();
    *code = CL_SUCCESS;
    return (cl_context)(void *)&context;
}

static cl_command_queue CL_API_CALL create_queue(cl_context in, cl_device_id id,
                                                 cl_command_queue_properties properties,
                                                 cl_int *code)
{
    *code = mode("no-queue") ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
    return *code ? NULL : (cl_command_queue)(void *)&queue;
}

static cl_mem CL_API_CALL create_buffer(cl_context in, cl_mem_flags flags, size_t size, void *src,
                                        cl_int *code)
{
    *code = CL_SUCCESS;
    return (cl_mem)(void *)&buffer;
}

static cl_int CL_API_CALL fill(cl_command_queue q, cl_mem mem, const void *pattern, size_t n,
                               size_t offset, size_t size, cl_uint n_wait, const cl_event *wait,
                               cl_event *event)
{
    return mode("lazy-oom") ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_SUCCESS;
}

static cl_int CL_API_CALL marker(cl_command_queue q, cl_uint n, const cl_event *wait,
                                 cl_event *event)
{
    return CL_OUT_OF_RESOURCES;
}

static cl_program CL_API_CALL create_program(cl_context in, cl_uint n, const char **text,
                                             const size_t *sizes, cl_int *code)
{
    *code = CL_OUT_OF_RESOURCES;
    return NULL;
}

static cl_int CL_API_CALL release_mem(cl_mem mem)
{
    return CL_SUCCESS;
}

static cl_int CL_API_CALL release_queue(cl_command_queue q)
{
    return CL_SUCCESS;
}

static cl_int CL_API_CALL release_context(cl_context c)
{
    return CL_SUCCESS;
}

static cl_int CL_API_CALL finish(cl_command_queue q)
{
    return CL_SUCCESS;
}

static cl_int CL_API_CALL platform_ids(cl_uint n, cl_platform_id *out, cl_uint *n_ret)
{
    if (out && n > 0)
        out[0] = (cl_platform_id)(void *)&platform;
    if (n_ret)
        *n_ret = 1;
    return CL_SUCCESS;
}

void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    union { // a function pointer as an object pointer, as the loader wants it
        void (*fn)(void);
        void *address;
    } cast = { (void (*)(void))platform_ids };
    if (strcmp(name, "clGetPlatformInfo") == 0)
        cast.fn = (void (*)(void))platform_info;
    else if (strcmp(name, "clIcdGetPlatformIDsKHR") != 0)
        return NULL;
    table = (cl_icd_dispatch) {
        .clGetPlatformIDs = platform_ids,
        .clGetPlatformInfo = platform_info,
        .clGetDeviceIDs = device_ids,
        .clGetDeviceInfo = device_info,
        .clCreateContext = create_context,
        .clCreateCommandQueue = create_queue,
        .clCreateBuffer = create_buffer,
        .clEnqueueFillBuffer = fill,
        .clEnqueueMarkerWithWaitList = marker,
        .clCreateProgramWithSource = create_program,
        .clReleaseMemObject = release_mem,
        .clReleaseCommandQueue = release_queue,
        .clReleaseContext = release_context,
        .clFinish = finish,
    };
    return cast.address;
}
