// SPDX-License-Identifier: Apache-2.0
// Stands between a program and Oclgrind (LD_PRELOAD, in front of its runtime) so that
// --uninitialized reports our faults alone. What its plugin gets wrong, seen in
// src/plugins/Uninitialized.cpp of 21.10 (of 26.03 only hostMemoryStore was read again, and is the
// same):
//
// 1. hostMemoryStore makes the shadow of a buffer anew, as large as the bytes just written,
//    whatever their offset: after a write of a part, the rest of the buffer and often the part
//    itself count as uninitialized. So only writes of whole buffers go the straight way here; parts
//    and copies are made by a kernel, whose stores it follows byte by byte.
// 2. It never hears that a buffer was released: the next one in its place inherits the shadow. So
//    nothing is released.
// 3. A lane left open in a shuffle's mask is taken for an index (21.10: it reads stray memory), and
//    lane 11 for an open one, which has the number of LLVM 14's UndefValueVal. So the three places
//    where our kernels shuffle so get another text of the same meaning.
//
// The library fills the first and the last word of each new buffer, so that running out of memory
// shows there; that is no data, and these two fills are dropped.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // RTLD_NEXT
#endif
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// (1) One item a word, or a byte where a bound is no word's.
static const char put_text[] =
    "#define PUT(name, T) \\\n"
    "    kernel void name(global const T *a, ulong from, global T *b, ulong to) \\\n"
    "    { b[to + get_global_id(0)] = a[from + get_global_id(0)]; }\n"
    "PUT(put1, uchar) PUT(put4, uint)\n";

// (3) What the #ifndefs of prelude.cl, scalar_normal.h and the contract kernels leave open.
static const char plain_text[] =
    "#define WEIR_UPPER8(a) shuffle2((a), (a), (uint8)(8, 9, 10, 11, 12, 13, 14, 15))\n"
    "#define WEIR_ODD16(a) shuffle2((a), (a), \\\n"
    "    (uint16)(1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15))\n"
    "#define WEIR_TURN16(r, d) \\\n"
    "    for (int i = 0; i < 16; i++) \\\n"
    "        for (int j = 0; j < 16 && !(i & d); j++) \\\n"
    "            if (!(j & d)) { \\\n"
    "                const float t = ((float *)&r[i])[j + d]; \\\n"
    "                ((float *)&r[i])[j + d] = ((float *)&r[i + d])[j]; \\\n"
    "                ((float *)&r[i + d])[j] = t; \\\n"
    "            }\n";

static struct {
    cl_context context;
    cl_kernel put1, put4;
    cl_mem stage; // what a part is written through
    size_t stage_size;
} shim;

struct touched {
    struct touched *next;
    cl_mem mem;
    int fills;
};

static void check(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return;
    fprintf(stderr, "oclgrind_shim: %s gave %d\n", what, code);
    abort();
}

static void use_context_of(cl_command_queue queue)
{
    cl_context context;
    cl_device_id device;
    cl_int code;
    const char *text = put_text;
    check(clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL), "queue");
    check(clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL), "queue");
    if (context == shim.context)
        return;
    memset(&shim, 0, sizeof shim);
    shim.context = context;
    cl_program program = NEXT(clCreateProgramWithSource)(context, 1, &text, NULL, &code);
    check(code, "program");
    check(clBuildProgram(program, 1, &device, "", NULL, NULL), "build");
    shim.put1 = clCreateKernel(program, "put1", &code);
    check(code, "put1");
    shim.put4 = clCreateKernel(program, "put4", &code);
    check(code, "put4");
}

static void put(cl_command_queue queue, cl_mem src, size_t from, cl_mem dst, size_t to, size_t size,
                cl_event *event)
{
    const size_t unit = (from | to | size) % 4 ? 1 : 4;
    cl_kernel kernel = unit == 4 ? shim.put4 : shim.put1;
    cl_ulong at[2] = {from / unit, to / unit};
    size /= unit;
    check(clSetKernelArg(kernel, 0, sizeof src, &src), "source");
    check(clSetKernelArg(kernel, 1, sizeof at[0], &at[0]), "from");
    check(clSetKernelArg(kernel, 2, sizeof dst, &dst), "destination");
    check(clSetKernelArg(kernel, 3, sizeof at[1], &at[1]), "to");
    check(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &size, NULL, 0, NULL, event), "put");
    check(clFinish(queue), "finish");
}

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem mem, cl_bool block, size_t at,
                            size_t size, const void *src, cl_uint n, const cl_event *waits,
                            cl_event *event)
{
    size_t whole = 0;
    cl_int code;
    check(clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof whole, &whole, NULL), "size");
    if (size == whole)
        return NEXT(clEnqueueWriteBuffer)(queue, mem, block, at, size, src, n, waits, event);
    use_context_of(queue);
    if (size > shim.stage_size) {
        shim.stage = clCreateBuffer(shim.context, CL_MEM_READ_WRITE, size, NULL, &code);
        check(code, "stage");
        shim.stage_size = size;
    }
    check(NEXT(clEnqueueWriteBuffer)(queue, shim.stage, CL_TRUE, 0, size, src, n, waits, NULL),
          "write");
    put(queue, shim.stage, 0, mem, at, size, event);
    return CL_SUCCESS;
}

// True for the library's two fills at a buffer's birth.
static int is_touch(cl_mem mem)
{
    static struct touched *list;
    struct touched *t = list;
    while (t && t->mem != mem)
        t = t->next;
    if (!t) {
        t = calloc(1, sizeof *t);
        check(t ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY, "calloc");
        *t = (struct touched) {list, mem, 0};
        list = t;
    }
    return t->fills++ < 2;
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem mem, const void *pattern,
                           size_t pattern_size, size_t at, size_t size, cl_uint n,
                           const cl_event *waits, cl_event *event)
{
    if (is_touch(mem) && size == pattern_size && !event)
        return CL_SUCCESS;
    char *bytes = malloc(size);
    check(bytes ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY, "malloc");
    for (size_t i = 0; i < size; i++)
        bytes[i] = ((const char *)pattern)[i % pattern_size];
    cl_int code = clEnqueueWriteBuffer(queue, mem, CL_TRUE, at, size, bytes, n, waits, event);
    free(bytes);
    return code;
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem src, cl_mem dst, size_t from, size_t to,
                           size_t size, cl_uint n, const cl_event *waits, cl_event *event)
{
    (void)n, (void)waits; // our queues are in order
    use_context_of(queue);
    put(queue, src, from, dst, to, size, event);
    return CL_SUCCESS;
}

cl_program clCreateProgramWithSource(cl_context context, cl_uint n, const char **texts,
                                     const size_t *lengths, cl_int *code)
{
    const char *all[16] = {plain_text};
    size_t length[16] = {0};
    check(n < COUNT(all) ? CL_SUCCESS : CL_INVALID_VALUE, "texts");
    for (cl_uint i = 0; i < n; i++) {
        all[i + 1] = texts[i];
        length[i + 1] = lengths ? lengths[i] : 0;
    }
    return NEXT(clCreateProgramWithSource)(context, n + 1, all, length, code);
}

cl_int clReleaseMemObject(cl_mem mem)
{
    (void)mem;
    return CL_SUCCESS;
}
