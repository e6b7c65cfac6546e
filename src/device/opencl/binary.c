// SPDX-License-Identifier: Apache-2.0
// Program binaries on disk. Only for drivers that were seen to round-trip one; a binary that the
// driver refuses is rebuilt from source without a word.
#include <stdlib.h>
#include <string.h>

#include "device/opencl/opencl.h"

// The driver's binary of a built program; the caller frees it. NULL: it has none.
static unsigned char *get_binary(cl_program program, size_t *size)
{
    unsigned char *binary = NULL;
    *size = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *size, size, NULL) !=
            CL_SUCCESS ||
        *size == 0)
        return NULL;
    binary = malloc(*size);
    if (binary && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) !=
                      CL_SUCCESS) {
        free(binary);
        return NULL;
    }
    return binary;
}

static cl_program from_binary(const struct weir_cl *cl, const unsigned char *binary, size_t size,
                              const char *options)
{
    cl_int state, code;
    cl_program program =
        clCreateProgramWithBinary(cl->context, 1, &cl->id, &size, &binary, &state, &code);
    if (code != CL_SUCCESS)
        return NULL;
    if (state == CL_SUCCESS &&
        clBuildProgram(program, 1, &cl->id, options, NULL, NULL) == CL_SUCCESS)
        return program;
    clReleaseProgram(program);
    return NULL;
}

cl_program weir_cl_binary_load(const weir_device *dev, struct weir_cache_key key,
                               const char *options)
{
    char *binary;
    size_t size;
    if (!weir_device_has(dev, WEIR_CAP_BINARY_CACHE) ||
        !weir_cache_load(dev, "program", key, &binary, &size))
        return NULL;
    cl_program program = from_binary(weir_cl(dev), (unsigned char *)binary, size, options);
    free(binary);
    return program;
}

void weir_cl_binary_store(weir_device *dev, struct weir_cache_key key, cl_program program)
{
    size_t size;
    if (!weir_device_has(dev, WEIR_CAP_BINARY_CACHE) || !dev->cache_dir)
        return;
    unsigned char *binary = get_binary(program, &size);
    if (binary)
        weir_cache_store(dev, "program", key, binary, size);
    free(binary);
}

cl_program weir_cl_binary_copy(const weir_device *dev, cl_program program, const char *options)
{
    size_t size;
    unsigned char *binary = get_binary(program, &size);
    cl_program copy = binary ? from_binary(weir_cl(dev), binary, size, options) : NULL;
    free(binary);
    return copy;
}
