// SPDX-License-Identifier: Apache-2.0
// The part of a program of `weir bench export` that is the same for every kernel: the macros and
// tables it uses (NAME, KERNEL, OPTIONS, SOURCE_SIZE, WHERE, IN_STEP_MS, LOCAL, N_INTS; sizes,
// args, ints, global) stand above it.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
enum { RUNS = 9 };

static void check(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return;
    fprintf(stderr, "%s failed with %d\n", what, code);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static cl_device_id find_device(cl_uint index)
{
    cl_platform_id platforms[16];
    cl_uint n_platforms = 0;
    check(clGetPlatformIDs(16, platforms, &n_platforms), "clGetPlatformIDs");
    for (cl_uint p = 0; p < n_platforms && p < 16; p++) {
        cl_device_id devices[16];
        cl_uint n = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 16, devices, &n) != CL_SUCCESS)
            continue;
        if (index < n)
            return devices[index];
        index -= n;
    }
    fprintf(stderr, "no such device\n");
    exit(1);
}

static char *read_source(void)
{
    FILE *f = fopen(NAME ".cl", "rb");
    char *text = calloc(1, SOURCE_SIZE + 1);
    if (!f || !text || fread(text, 1, SOURCE_SIZE, f) != SOURCE_SIZE) {
        fprintf(stderr, "cannot read " NAME ".cl\n");
        exit(1);
    }
    fclose(f);
    return text;
}

static cl_kernel build(cl_context context, cl_device_id device)
{
    cl_int code;
    static char log[65536];
    char *text = read_source();
    const char *source = text;
    cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &code);
    check(code, "clCreateProgramWithSource");
    code = clBuildProgram(program, 1, &device, OPTIONS, NULL, NULL);
    if (code != CL_SUCCESS) {
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof(log) - 1, log, NULL);
        fprintf(stderr, "%s\n", log);
    }
    check(code, "clBuildProgram");
    cl_kernel kernel = clCreateKernel(program, KERNEL, &code);
    check(code, "clCreateKernel");
    free(text);
    return kernel;
}

static cl_mem make_buffer(cl_context context, cl_command_queue queue, size_t size)
{
    cl_int code;
    cl_float one = 1;
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, size, NULL, &code);
    check(code, "clCreateBuffer");
    check(clEnqueueFillBuffer(queue, buffer, &one, sizeof(one), 0, size, 0, NULL, NULL),
          "clEnqueueFillBuffer");
    return buffer;
}

static void set_args(cl_kernel kernel, const cl_mem *buffers)
{
    cl_uint arg = 0;
    for (size_t i = 0; i < COUNT(args); i++) {
        cl_ulong offset = args[i].offset;
        check(clSetKernelArg(kernel, arg++, sizeof(cl_mem), &buffers[args[i].buffer]),
              "clSetKernelArg");
        check(clSetKernelArg(kernel, arg++, sizeof(offset), &offset), "clSetKernelArg");
    }
    for (int i = 0; i < N_INTS; i++)
        check(clSetKernelArg(kernel, arg++, sizeof(ints[i]), &ints[i]), "clSetKernelArg");
}

int main(int argc, char **argv)
{
    cl_int code;
    cl_device_id device = find_device(argc > 1 ? (cl_uint)atoi(argv[1]) : 0);
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    check(code, "clCreateContext");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    check(code, "clCreateCommandQueue");
    cl_kernel kernel = build(context, device);
    cl_mem buffers[COUNT(sizes)];
    char name[256] = "";
    double s[RUNS];
    for (size_t i = 0; i < COUNT(sizes); i++)
        buffers[i] = make_buffer(context, queue, sizes[i]);
    set_args(kernel, buffers);
    check(clFinish(queue), "clFinish");
    for (int i = -2; i < RUNS; i++) { // two to warm up
        double start = now();
        check(clEnqueueNDRangeKernel(queue, kernel, 3, NULL, global, LOCAL, 0, NULL, NULL),
              "clEnqueueNDRangeKernel");
        check(clFinish(queue), "clFinish");
        s[i < 0 ? 0 : i] = now() - start;
    }
    qsort(s, RUNS, sizeof(*s), by_size);
    clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(name) - 1, name, NULL);
    printf(KERNEL " on %s: %.3f ms, median of %d; %.3f ms in the step on " WHERE "\n", name,
           1e3 * s[RUNS / 2], RUNS, IN_STEP_MS);
    return 0;
}
