// SPDX-License-Identifier: Apache-2.0
// Platforms and their devices. Whatever a platform does wrong (no device, an error, an old version)
// costs its own devices, never the others.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/opencl/opencl.h"

#define MAX_PLATFORMS 64
#define MAX_DEVICES 64 // of one platform
#define TEXT_MAX 4096

#define PLATFORM_NOT_FOUND_KHR (-1001)

// Drivers pad names with blanks, and some let zeros and line feeds into them.
static void trim(const char *src, size_t n_src, char *dst, size_t n)
{
    size_t i = 0, end = 0;
    while (i < n_src && isspace((unsigned char)src[i]))
        i++;
    for (; i < n_src && src[i] && end + 1 < n; i++)
        dst[end++] = isprint((unsigned char)src[i]) ? src[i] : ' ';
    while (end > 0 && dst[end - 1] == ' ')
        end--;
    dst[end] = 0;
}

void weir_cl_device_text(cl_device_id id, cl_device_info what, char *dst, size_t n)
{
    char text[TEXT_MAX];
    size_t size = 0;
    dst[0] = 0;
    if (clGetDeviceInfo(id, what, 0, NULL, &size) != CL_SUCCESS || size == 0 || size > sizeof text)
        return;
    if (clGetDeviceInfo(id, what, size, text, NULL) == CL_SUCCESS)
        trim(text, size, dst, n);
}

static void platform_text(cl_platform_id id, cl_platform_info what, char *dst, size_t n)
{
    char text[TEXT_MAX];
    size_t size = 0;
    dst[0] = 0;
    if (clGetPlatformInfo(id, what, 0, NULL, &size) != CL_SUCCESS || size == 0 ||
        size > sizeof text)
        return;
    if (clGetPlatformInfo(id, what, size, text, NULL) == CL_SUCCESS)
        trim(text, size, dst, n);
}

// NULL, or why the device cannot be used.
static const char *unusable(cl_device_id id)
{
    cl_device_type type = 0;
    cl_bool available = CL_FALSE, compiler = CL_FALSE, little = CL_FALSE;
    char version[64];
    int major = 0, minor = 0;
    clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(id, CL_DEVICE_AVAILABLE, sizeof available, &available, NULL);
    clGetDeviceInfo(id, CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler, &compiler, NULL);
    clGetDeviceInfo(id, CL_DEVICE_ENDIAN_LITTLE, sizeof little, &little, NULL);
    weir_cl_device_text(id, CL_DEVICE_VERSION, version, sizeof version);
    if (type & CL_DEVICE_TYPE_CUSTOM)
        return "a custom device runs no kernels of ours";
    if (!available)
        return "it is not available";
    if (!compiler)
        return "it has no compiler";
    if (!little)
        return "it is big-endian";
    if (sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major * 100 + minor < 102)
        return "it is older than OpenCL 1.2";
    return NULL;
}

// Visits every usable device in order until `index` (-1: all of them).
struct visit {
    const struct weir_device_params *params;
    int index;
    struct weir_device_info *rows; // room for max
    int n, max;
    cl_platform_id platform; // of device `index`
    cl_device_id id;
};

static void fill_info(cl_platform_id platform, cl_device_id id, struct weir_device_info *info)
{
    memset(info, 0, sizeof *info);
    snprintf(info->backend, sizeof info->backend, "opencl");
    weir_cl_device_text(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    weir_cl_device_text(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    weir_cl_device_text(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    weir_cl_device_text(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    platform_text(platform, CL_PLATFORM_NAME, info->platform, sizeof info->platform);
    weir_cl_caps(id, &info->caps);
}

static void visit_platform(struct visit *v, cl_platform_id platform)
{
    const struct weir_log *log = &v->params->log;
    cl_device_id id[MAX_DEVICES];
    cl_uint n = 0;
    char name[128];
    platform_text(platform, CL_PLATFORM_NAME, name, sizeof name);
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, id, &n);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && n == 0)) {
        weir_logf(log, WEIR_LOG_DEBUG, "OpenCL platform '%s' lists no device", name);
        return;
    }
    if (code != CL_SUCCESS) {
        weir_logf(log, WEIR_LOG_WARN, "OpenCL platform '%s': clGetDeviceIDs failed with %s (%d)",
                  name, weir_cl_error_name(code), code);
        return;
    }
    for (cl_uint i = 0; i < n && i < MAX_DEVICES; i++) {
        struct weir_device_info info;
        const char *reason = unusable(id[i]);
        fill_info(platform, id[i], &info);
        if (reason) {
            weir_logf(log, WEIR_LOG_WARN, "OpenCL device '%s' is left out: %s", info.name, reason);
            continue;
        }
        if (v->n == v->index) {
            v->platform = platform;
            v->id = id[i];
        }
        if (v->n < v->max)
            v->rows[v->n] = info;
        v->n++;
    }
}

static void visit_all(struct visit *v)
{
    const struct weir_log *log = &v->params->log;
    cl_platform_id platform[MAX_PLATFORMS];
    cl_uint n = 0;
    cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platform, &n);
    if (code == PLATFORM_NOT_FOUND_KHR || (code == CL_SUCCESS && n == 0)) {
        weir_logf(log, WEIR_LOG_INFO, "no OpenCL platform: no driver is installed, or none loads");
        return;
    }
    if (code != CL_SUCCESS) {
        weir_logf(log, WEIR_LOG_WARN, "clGetPlatformIDs failed with %s (%d)",
                  weir_cl_error_name(code), code);
        return;
    }
    for (cl_uint i = 0; i < n && i < MAX_PLATFORMS; i++)
        visit_platform(v, platform[i]);
}

int weir_cl_list(const struct weir_device_params *params, struct weir_device_info *rows, int max)
{
    struct visit v = { .params = params, .index = -1, .rows = rows, .max = max };
    visit_all(&v);
    return v.n;
}

bool weir_cl_find(const struct weir_device_params *params, int index, cl_platform_id *platform,
                  cl_device_id *id, struct weir_device_info *info)
{
    // What is wrong with the other platforms was said when the devices were listed.
    struct weir_device_params quiet = *params;
    quiet.log.callback = NULL;
    struct visit v = { .params = &quiet, .index = index };
    visit_all(&v);
    if (!v.id)
        return false;
    *platform = v.platform;
    *id = v.id;
    fill_info(v.platform, v.id, info);
    return true;
}
