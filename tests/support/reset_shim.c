// SPDX-License-Identifier: Apache-2.0
// Preloaded: launches fail, as after a reset of the device, once the file named by WEIR_TEST_RESET
// is there.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                              const size_t *offset, const size_t *global, const size_t *local,
                              cl_uint n, const cl_event *wait, cl_event *event)
{
    typedef cl_int fn(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *,
                      const size_t *, cl_uint, const cl_event *, cl_event *);
    static fn *next;
    const char *file = getenv("WEIR_TEST_RESET");
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    if (!next || (file && access(file, F_OK) == 0))
        return CL_OUT_OF_RESOURCES;
    return next(queue, kernel, dims, offset, global, local, n, wait, event);
}
