// SPDX-License-Identifier: Apache-2.0
// OpenCL's codes, named here and nowhere else. By number, since older headers lack the newer names.
#include <stddef.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

// X(name without CL_, code)
#define CODE_MAP(X) \
    X(SUCCESS, 0)                                                \
    X(DEVICE_NOT_FOUND, -1)                                      \
    X(DEVICE_NOT_AVAILABLE, -2)                                  \
    X(COMPILER_NOT_AVAILABLE, -3)                                \
    X(MEM_OBJECT_ALLOCATION_FAILURE, -4)                         \
    X(OUT_OF_RESOURCES, -5)                                      \
    X(OUT_OF_HOST_MEMORY, -6)                                    \
    X(PROFILING_INFO_NOT_AVAILABLE, -7)                          \
    X(MEM_COPY_OVERLAP, -8)                                      \
    X(IMAGE_FORMAT_MISMATCH, -9)                                 \
    X(IMAGE_FORMAT_NOT_SUPPORTED, -10)                           \
    X(BUILD_PROGRAM_FAILURE, -11)                                \
    X(MAP_FAILURE, -12)                                          \
    X(MISALIGNED_SUB_BUFFER_OFFSET, -13)                         \
    X(EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14)            \
    X(COMPILE_PROGRAM_FAILURE, -15)                              \
    X(LINKER_NOT_AVAILABLE, -16)                                 \
    X(LINK_PROGRAM_FAILURE, -17)                                 \
    X(DEVICE_PARTITION_FAILED, -18)                              \
    X(KERNEL_ARG_INFO_NOT_AVAILABLE, -19)                        \
    X(INVALID_VALUE, -30)                                        \
    X(INVALID_DEVICE_TYPE, -31)                                  \
    X(INVALID_PLATFORM, -32)                                     \
    X(INVALID_DEVICE, -33)                                       \
    X(INVALID_CONTEXT, -34)                                      \
    X(INVALID_QUEUE_PROPERTIES, -35)                             \
    X(INVALID_COMMAND_QUEUE, -36)                                \
    X(INVALID_HOST_PTR, -37)                                     \
    X(INVALID_MEM_OBJECT, -38)                                   \
    X(INVALID_IMAGE_FORMAT_DESCRIPTOR, -39)                      \
    X(INVALID_IMAGE_SIZE, -40)                                   \
    X(INVALID_SAMPLER, -41)                                      \
    X(INVALID_BINARY, -42)                                       \
    X(INVALID_BUILD_OPTIONS, -43)                                \
    X(INVALID_PROGRAM, -44)                                      \
    X(INVALID_PROGRAM_EXECUTABLE, -45)                           \
    X(INVALID_KERNEL_NAME, -46)                                  \
    X(INVALID_KERNEL_DEFINITION, -47)                            \
    X(INVALID_KERNEL, -48)                                       \
    X(INVALID_ARG_INDEX, -49)                                    \
    X(INVALID_ARG_VALUE, -50)                                    \
    X(INVALID_ARG_SIZE, -51)                                     \
    X(INVALID_KERNEL_ARGS, -52)                                  \
    X(INVALID_WORK_DIMENSION, -53)                               \
    X(INVALID_WORK_GROUP_SIZE, -54)                              \
    X(INVALID_WORK_ITEM_SIZE, -55)                               \
    X(INVALID_GLOBAL_OFFSET, -56)                                \
    X(INVALID_EVENT_WAIT_LIST, -57)                              \
    X(INVALID_EVENT, -58)                                        \
    X(INVALID_OPERATION, -59)                                    \
    X(INVALID_GL_OBJECT, -60)                                    \
    X(INVALID_BUFFER_SIZE, -61)                                  \
    X(INVALID_MIP_LEVEL, -62)                                    \
    X(INVALID_GLOBAL_WORK_SIZE, -63)                             \
    X(INVALID_PROPERTY, -64)                                     \
    X(INVALID_IMAGE_DESCRIPTOR, -65)                             \
    X(INVALID_COMPILER_OPTIONS, -66)                             \
    X(INVALID_LINKER_OPTIONS, -67)                               \
    X(INVALID_DEVICE_PARTITION_COUNT, -68)                       \
    X(INVALID_PIPE_SIZE, -69)                                    \
    X(INVALID_DEVICE_QUEUE, -70)                                 \
    X(INVALID_SPEC_ID, -71)                                      \
    X(MAX_SIZE_RESTRICTION_EXCEEDED, -72)                        \
    X(PLATFORM_NOT_FOUND_KHR, -1001)

const char *weir_cl_error_name(int code)
{
    switch (code) {
#define X(name, number) \
    case number:        \
        return "CL_" #name;
        CODE_MAP(X)
#undef X
    }
    return "an unknown OpenCL code";
}

enum weir_status weir_cl_status(int code)
{
    switch (code) {
    case CL_SUCCESS:
        return WEIR_OK;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
        return WEIR_NOMEM;
    case CL_BUILD_PROGRAM_FAILURE:
        return WEIR_BUILD;
    }
    return WEIR_DEVICE;
}

enum weir_status weir_cl_check(const weir_device *dev, int code, const char *call, const char *what)
{
    if (code == CL_SUCCESS)
        return WEIR_OK;
    return weir_fail(&dev->log, weir_cl_status(code), "%s: %s%s%s failed with %s (%d)",
                     dev->info.name, call, what ? " of " : "", what ? what : "",
                     weir_cl_error_name(code), code);
}
