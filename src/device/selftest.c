// SPDX-License-Identifier: Apache-2.0
// Admission to exact mode: the device runs kernels/selftest.cl on hard inputs and must agree with C
// in every bit (any NaN equals any NaN). A wrong fma, or a wrong division or root, costs a
// capability that scalar.h makes up for in software, a wrong order of sums one that loops.h makes up
// for; whatever else is wrong leaves fast mode only.
#include "device/selftest.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "device/cache.h"
#include "device/engine.h"
#include "device/kernel_text.h"
#include "device/quirks.h"
#include "device/selftest_gemm.h"
#include "device/selftest_inputs.h"
#include "device/selftest_scalar.h"
#include "device/selftest_sums.h"

_Static_assert(FLT_EVAL_METHOD == 0, "float expressions must be evaluated in float");

#define N 16384 // triples, a multiple of 16

struct fault { // one way in which the device computes something else than C
    int wrong, tried;
    char example[96]; // the first wrong one
};

enum plane { ADD, SUB, MUL, MUL_ADD, MUL_SUB, RINT, FMA, DIV, SQRT, N_PLANES };

static const char *const plane_name[N_PLANES] = {
    "x + y", "x - y", "x * y", "x * y + z", "z - x * y", "rint(x)", "fma(x, y, z)", "x / y",
    "sqrt(|x|)",
};

static float expected(enum plane plane, float x, float y, float z)
{
    switch (plane) {
    case ADD:
        return x + y;
    case SUB:
        return x - y;
    case MUL:
        return x * y;
    case MUL_ADD:
        return x * y + z;
    case MUL_SUB:
        return z - x * y;
    case RINT:
        return rintf(x);
    case FMA:
        return fmaf(x, y, z);
    case DIV:
        return x / y;
    case SQRT:
        return sqrtf(fabsf(x));
    case N_PLANES:
        break;
    }
    return 0.0f;
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

// Compares one plane of results with C.
static void judge(enum plane plane, const float *in, const float *got,
                  struct fault *fault)
{
    *fault = (struct fault) { .tried = N };
    for (int i = 0; i < N; i++) {
        float x = in[i], y = in[N + i], z = in[2 * N + i];
        float want = expected(plane, x, y, z);
        if (same(got[i], want))
            continue;
        if (fault->wrong++ == 0)
            snprintf(fault->example, sizeof fault->example, "(%a, %a, %a): %a, not %a", x, y, z,
                     got[i], want);
    }
}

struct bench { // what the stages share
    weir_device *dev;
    weir_module *module;
    weir_buf *src, *dst;
    float *in, *out; // 3 planes, N_PLANES planes
};

static void bench_finish(struct bench *b)
{
    weir_buf_destroy(&b->src);
    weir_buf_destroy(&b->dst);
    weir_module_destroy(b->dev, &b->module);
    free(b->in);
    free(b->out);
}

static enum weir_status bench_init(struct bench *b, weir_device *dev)
{
    struct weir_build_params build = { .source = weir_kernel_text("selftest.cl"),
                                       .label = "selftest.cl" };
    *b = (struct bench) { .dev = dev };
    b->in = malloc(3 * N * sizeof *b->in);
    b->out = malloc(N_PLANES * N * sizeof *b->out);
    if (!b->in || !b->out)
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory in the self-test");
    weir_selftest_fill(b->in, b->in + N, b->in + 2 * N, N);
    enum weir_status status = weir_module_build(dev, &build, &b->module);
    if (status == WEIR_OK)
        status = weir_buf_create(dev, 3 * N * sizeof *b->in, &b->src);
    if (status == WEIR_OK)
        status = weir_buf_create(dev, N_PLANES * N * sizeof *b->out, &b->dst);
    if (status == WEIR_OK)
        status = weir_buf_write(b->src, 0, b->in, 3 * N * sizeof *b->in);
    return status;
}

static enum weir_status run(struct bench *b, const char *kernel, size_t items)
{
    weir_list *list = NULL;
    struct weir_launch launch = { .module = b->module, .kernel = kernel, .n_bufs = 2, .n_ints = 1,
                                  .ints = { N }, .global = { items, 1, 1 }, .label = kernel };
    launch.bufs[0] = (struct weir_buf_ref) { .buf = b->src, .elem_size = 4 };
    launch.bufs[1] = (struct weir_buf_ref) { .buf = b->dst, .elem_size = 4 };
    // Junk that no operation gives, so that a result never written shows.
    enum weir_status status = weir_buf_fill(b->dst, 0, 0x7fabcdefu, N_PLANES * N * sizeof(float));
    if (status == WEIR_OK)
        status = weir_list_record(b->dev, &launch, 1, &list);
    if (status == WEIR_OK)
        status = weir_list_replay(b->dev, list);
    if (status == WEIR_OK)
        status = weir_buf_read(b->dst, 0, b->out, N_PLANES * N * sizeof *b->out);
    weir_list_destroy(b->dev, &list);
    return status;
}

static void say(char *reason, size_t n, const char *what, const struct fault *f)
{
    size_t used = strlen(reason);
    snprintf(reason + used, n - used, "%s%s is wrong for %d of %d, e.g. %s", used ? "; " : "", what,
             f->wrong, f->tried, f->example);
}

// Lowers info.admission to what the planes of one kernel allow: `how` it ran.
static void weigh(struct bench *b, const char *how)
{
    struct weir_device_info *info = &b->dev->info;
    for (int plane = 0; plane < N_PLANES; plane++) {
        struct fault fault;
        char what[64];
        judge((enum plane)plane, b->in, b->out + plane * N, &fault);
        if (fault.wrong == 0)
            continue;
        uint32_t cap = plane == FMA ? WEIR_CAP_FMA
                                    : plane == DIV || plane == SQRT ? WEIR_CAP_DIV_SQRT : 0;
        if (cap && !(info->caps.features & cap))
            continue; // said already
        info->caps.features &= ~cap;
        if (!cap)
            info->admission = WEIR_FAST_ONLY;
        else if (info->admission == WEIR_EXACT)
            info->admission = WEIR_EXACT_SOFT_FMA;
        snprintf(what, sizeof what, "%s %s", plane_name[plane], how);
        say(info->reason, sizeof info->reason, what, &fault);
    }
}

static enum weir_status test_conversions(struct bench *b)
{
    struct weir_device_info *info = &b->dev->info;
    enum weir_status status = run(b, "selftest_convert", N);
    int wrong = 0;
    for (int i = 0; i < N && status == WEIR_OK; i++) {
        int32_t bits;
        memcpy(&bits, &b->in[i], sizeof bits);
        float f = b->in[i], from_int = (float)bits, from_uint = (float)(uint32_t)bits;
        int32_t to_int = fabsf(f) < 0x1p31f ? (int32_t)f : 0;
        wrong += memcmp(&b->out[i], &from_int, 4) != 0 ||
                 memcmp(&b->out[N + i], &from_uint, 4) != 0 ||
                 memcmp(&b->out[2 * N + i], &to_int, 4) != 0;
    }
    if (wrong) {
        struct fault fault = { .wrong = wrong, .tried = N, .example = "(no example)" };
        info->admission = WEIR_FAST_ONLY;
        say(info->reason, sizeof info->reason, "int/float conversion", &fault);
    }
    return status;
}

static enum weir_status test_arithmetic(weir_device *dev)
{
    struct bench bench;
    enum weir_status status = bench_init(&bench, dev);
    if (status == WEIR_OK)
        status = run(&bench, "selftest_arith", N);
    if (status == WEIR_OK) {
        weigh(&bench, "on one value");
        status = run(&bench, "selftest_arith16", N / 16);
    }
    if (status == WEIR_OK) {
        weigh(&bench, "on 16 lanes");
        status = test_conversions(&bench);
    }
    bench_finish(&bench);
    return status;
}

// The host is the definition, but a library in its process may have switched subnormals off or
// changed the rounding, and then it defines something else.
static void test_host(struct weir_device_info *info)
{
    volatile float tiny = FLT_MIN, half = 0.5f, one = 1.0f, eps = 0x1p-24f, third = 3.0f;
    bool good = tiny * half > 0.0f && (tiny * half) + tiny == 1.5f * FLT_MIN &&
                one + eps == one && one + 1.5f * eps == 1.0f + FLT_EPSILON &&
                one / third == 0x1.555556p-2f && one + one * eps * 0.0f == one &&
                fmaf(one + FLT_EPSILON, one - FLT_EPSILON, -one) == -0x1p-46f;
    if (!good) {
        info->admission = WEIR_FAST_ONLY;
        snprintf(info->reason, sizeof info->reason,
                 "this process flushes subnormals or rounds in another direction");
    }
}

// The outcome as it stands on disk.
struct outcome {
    uint32_t admission, features, sub_group;
    char reason[sizeof((struct weir_device_info *)0)->reason];
};

static struct weir_cache_key outcome_key(const weir_device *dev)
{
    struct weir_cache_hasher hasher;
    weir_cache_hasher_init(&hasher, dev);
    weir_cache_hasher_add(&hasher, weir_kernel_text("selftest.cl"));
    weir_cache_hasher_add(&hasher, weir_kernel_text("selftest_sums.cl"));
    weir_cache_hasher_add(&hasher, weir_kernel_text("scalar.h"));
    // Features are kept too: what probes them.
    weir_cache_hasher_add(&hasher, weir_kernel_text("subgroup_probe.cl"));
    weir_cache_hasher_add(&hasher, weir_kernel_text("engine_probe.cl"));
    for (const struct weir_engine *e = weir_engines; e->name; e++)
        weir_cache_hasher_add(&hasher, weir_kernel_text(e->text));
    return weir_cache_hasher_key(&hasher);
}

static bool load(weir_device *dev, struct weir_cache_key key)
{
    char *data;
    size_t size;
    struct outcome o;
    if (!weir_cache_load(dev, "selftest", key, &data, &size))
        return false;
    bool good = size == sizeof o;
    if (good) {
        memcpy(&o, data, sizeof o);
        o.reason[sizeof o.reason - 1] = 0;
        good = o.admission <= WEIR_FAST_ONLY;
    }
    if (good) {
        dev->info.admission = (enum weir_admission)o.admission;
        dev->info.caps.features = o.features;
        dev->info.caps.sub_group = (int)o.sub_group;
        memcpy(dev->info.reason, o.reason, sizeof o.reason);
    }
    free(data);
    return good;
}

static void store(weir_device *dev, struct weir_cache_key key)
{
    struct outcome o = { .admission = (uint32_t)dev->info.admission,
                         .features = dev->info.caps.features,
                         .sub_group = (uint32_t)dev->info.caps.sub_group };
    memcpy(o.reason, dev->info.reason, sizeof o.reason);
    weir_cache_store(dev, "selftest", key, &o, sizeof o);
}

// `complete` is false where the device failed on the way: that may pass, so it is not kept.
static enum weir_status test_device(weir_device *dev, bool *complete)
{
    enum weir_status status = test_arithmetic(dev);
    if (status == WEIR_OK && dev->info.admission != WEIR_FAST_ONLY)
        status = weir_selftest_sums(dev);
    if (status == WEIR_OK && dev->info.admission != WEIR_FAST_ONLY)
        status = weir_selftest_scalar(dev);
    *complete = status == WEIR_OK;
    if (status == WEIR_NOMEM)
        return status;
    if (status != WEIR_OK) {
        dev->info.admission = WEIR_FAST_ONLY;
        snprintf(dev->info.reason, sizeof dev->info.reason, "the self-test's kernels fail: %s",
                 weir_status_text(status));
    }
    return WEIR_OK;
}

static enum weir_status test_or_load(weir_device *dev, bool trust)
{
    struct weir_cache_key key = outcome_key(dev);
    if (!trust && load(dev, key)) {
        weir_quirks_apply(dev);
        return WEIR_OK;
    }
    dev->info.caps.features |= WEIR_CAP_FMA | WEIR_CAP_DIV_SQRT | WEIR_CAP_LOOP_SUMS;
    enum weir_status status = dev->fns->probe ? dev->fns->probe(dev) : WEIR_OK;
    weir_quirks_apply(dev);
    if (status != WEIR_OK || trust)
        return status;
    bool complete;
    status = test_device(dev, &complete);
    if (complete)
        store(dev, key);
    return status;
}

enum weir_status weir_selftest(weir_device *dev, bool trust)
{
    if (weir_device_is_host(dev)) {
        test_host(&dev->info);
        return WEIR_OK;
    }
    enum weir_status status = test_or_load(dev, trust);
    if (status == WEIR_OK)
        weir_selftest_gemm_recall(dev);
    return status;
}
