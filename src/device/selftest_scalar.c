// SPDX-License-Identifier: Apache-2.0
// Known answers: the device's build of scalar.h against the C build of the same text, one value and
// 16 lanes at a time. It also shows whether the software fma, division and root, where the first
// half of the self-test asked for them, do make up for what the device gets wrong.
#include "device/selftest_scalar.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "device/kernel_text.h"
#include "device/selftest_inputs.h"
#include "scalar.h"

#define N_HARD 8192
#define N_USUAL 8192 // arguments where the functions are not constant
#define N (N_HARD + N_USUAL)

// X(function, arguments): C and OpenCL C are made from this one list. Every operation and every
// trick of scalar.h occurs in one of these (64-bit products in the angles and in the random words);
// the test suite compares all of it. A kernel each: compilers that inline software fma take much
// longer over one kernel of many.
#define FUNCTION_MAP(X)                                    \
    X(fma_f, (x, y, z))                                    \
    X(div_f, (x, y))                                       \
    X(sqrt_f, (x))                                         \
    X(exp_f, (x))                                          \
    X(log_f, (x))                                          \
    X(sin_f, (x))                                          \
    X(tanh_f, (x))                                         \
    X(round_f16, (x))                                      \
    X(round_bf16, (x))                                     \
    X(random_normal_f, (U(x), U(y), U(z), U(z), U(y), U(x)))

enum function {
#define X(name, args) F_##name,
    FUNCTION_MAP(X)
#undef X
    N_FUNCTIONS
};

static const struct {
    const char *name, *args;
} functions[] = {
#define X(name, args) { #name, #args },
    FUNCTION_MAP(X)
#undef X
};

#define U(v) weir_as_u(v)

static float expected(int function, float x, float y, float z)
{
    switch ((enum function)function) {
#define X(name, args) \
    case F_##name:    \
        return weir_##name args;
        FUNCTION_MAP(X)
#undef X
    case N_FUNCTIONS:
        break;
    }
    return 0.0f;
}

// One width of every function: `v` is "" or "v".
static void write_kernels(struct weir_strbuf *buf, const char *v, const char *type,
                          const char *cast, const char *load, const char *store)
{
    weir_strbuf_printf(buf, "#define U(a) %s(a)\n", cast);
    for (int f = 0; f < N_FUNCTIONS; f++) {
        weir_strbuf_printf(buf,
                           "kernel void test_%s%s(global const float *src, ulong o_src,\n"
                           "                 global float *dst, ulong o_dst, int n)\n"
                           "{\n"
                           "    ulong i = get_global_id(0), plane = (ulong)n;\n",
                           functions[f].name, v);
        for (int p = 0; p < 3; p++)
            weir_strbuf_printf(buf, "    %s %c = %s(i, src + o_src + %d * plane);\n", type,
                               "xyz"[p], load, p);
        weir_strbuf_printf(buf, "    %s(weir_%s%s%s, i, dst + o_dst);\n}\n", store,
                           functions[f].name, v, functions[f].args);
    }
    weir_strbuf_puts(buf, "#undef U\n");
}

// The caller frees it. NULL when out of memory.
static char *write_source(bool lanes)
{
    struct weir_strbuf buf = { 0 };
    weir_strbuf_puts(&buf, weir_kernel_text("scalar.h"));
    weir_strbuf_puts(&buf, "#line 1 \"selftest-scalar\"\n"
                           "#define LOAD(i, p) ((p)[i])\n"
                           "#define STORE(v, i, p) ((p)[i] = (v))\n");
    write_kernels(&buf, "", "float", "as_uint", "LOAD", "STORE");
    if (lanes)
        write_kernels(&buf, "v", "float16", "as_uint16", "vload16", "vstore16");
    return weir_strbuf_finish(&buf);
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void compare(struct weir_device_info *info, const char *how, const float *in,
                    const float *out)
{
    for (int f = 0; f < N_FUNCTIONS; f++) {
        for (int i = 0; i < N; i++) {
            float x = in[i], y = in[N + i], z = in[2 * N + i], got = out[f * N + i];
            float want = expected(f, x, y, z);
            if (same(got, want))
                continue;
            size_t used = strlen(info->reason);
            info->admission = WEIR_FAST_ONLY;
            snprintf(info->reason + used, sizeof info->reason - used,
                     "%sweir_%s(x, y, z) %s differs from C at (%a, %a, %a): %a, not %a",
                     used ? "; " : "", functions[f].name, how, x, y, z, got, want);
            return;
        }
    }
}

struct bench {
    weir_module *module;
    weir_buf *src, *dst;
    float *in, *out; // 3 and N_FUNCTIONS planes of N
};

static enum weir_status prepare(weir_device *dev, struct bench *b)
{
    char *source = write_source(weir_device_has(dev, WEIR_CAP_WIDE));
    b->in = malloc(3 * N * sizeof *b->in);
    b->out = malloc((size_t)N_FUNCTIONS * N * sizeof *b->out);
    if (!source || !b->in || !b->out) {
        free(source);
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory in the self-test");
    }
    weir_selftest_fill(b->in, b->in + N, b->in + 2 * N, N_HARD);
    weir_selftest_fill_usual(b->in + N_HARD, b->in + N + N_HARD, b->in + 2 * N + N_HARD, N_USUAL);
    struct weir_build_params build = { .source = source, .label = "the self-test of scalar.h" };
    enum weir_status status = weir_module_build(dev, &build, &b->module);
    free(source);
    if (status == WEIR_OK)
        status = weir_buf_create(dev, 3 * N * sizeof *b->in, &b->src);
    if (status == WEIR_OK)
        status = weir_buf_create(dev, (size_t)N_FUNCTIONS * N * sizeof *b->out, &b->dst);
    if (status == WEIR_OK)
        status = weir_buf_write(b->src, 0, b->in, 3 * N * sizeof *b->in);
    return status;
}

// Runs every function at one width and compares.
static enum weir_status run(weir_device *dev, struct bench *b, const char *v, size_t items,
                            const char *how)
{
    weir_list *list = NULL;
    size_t size = (size_t)N_FUNCTIONS * N * sizeof *b->out;
    struct weir_launch launch[N_FUNCTIONS];
    char name[N_FUNCTIONS][64];
    for (int f = 0; f < N_FUNCTIONS; f++) {
        snprintf(name[f], sizeof name[f], "test_%s%s", functions[f].name, v);
        launch[f] = (struct weir_launch) { .module = b->module, .kernel = name[f], .n_bufs = 2,
                                           .n_ints = 1, .ints = { N }, .global = { items, 1, 1 } };
        launch[f].bufs[0] = (struct weir_buf_ref) { .buf = b->src, .elem_size = 4 };
        launch[f].bufs[1] = (struct weir_buf_ref) {
            .buf = b->dst, .offset = (size_t)f * N * sizeof *b->out, .elem_size = 4
        };
    }
    // Junk that none of the functions gives, so that a result never written shows.
    enum weir_status status = weir_buf_fill(b->dst, 0, 0x41414141u, size);
    if (status == WEIR_OK)
        status = weir_list_record(dev, launch, N_FUNCTIONS, &list);
    if (status == WEIR_OK)
        status = weir_list_replay(dev, list);
    if (status == WEIR_OK)
        status = weir_buf_read(b->dst, 0, b->out, size);
    if (status == WEIR_OK)
        compare(&dev->info, how, b->in, b->out);
    weir_list_destroy(dev, &list);
    return status;
}

enum weir_status weir_selftest_scalar(weir_device *dev)
{
    struct bench b = { 0 };
    enum weir_status status = prepare(dev, &b);
    if (status == WEIR_OK)
        status = run(dev, &b, "", N, "on one value");
    // Only wide kernels work on lanes, and some compilers take minutes over them.
    if (status == WEIR_OK && weir_device_has(dev, WEIR_CAP_WIDE) &&
        dev->info.admission != WEIR_FAST_ONLY)
        status = run(dev, &b, "v", N / 16, "on 16 lanes");
    weir_buf_destroy(&b.src);
    weir_buf_destroy(&b.dst);
    weir_module_destroy(dev, &b.module);
    free(b.in);
    free(b.out);
    return status;
}
