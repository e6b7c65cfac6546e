// SPDX-License-Identifier: Apache-2.0
// The self-test of loops: single operations may all be right, and a compiler that vectorizes a loop
// still adds in another order. kernels/selftest_sums.cl has the shapes that were seen to go wrong.
#include "device/selftest_sums.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/kernel_text.h"
#include "device/selftest_inputs.h"

enum { ROWS = 12, TERMS = 67, ITEMS = 4, N_ROWS = ITEMS * ROWS, N = N_ROWS * TERMS };
enum form { NEIGHBOURS, SIDE_BY_SIDE, PRODUCTS, FMA, STRIDED, LANES, N_FORMS };

static const char *const form_name[N_FORMS] = {
    "a sum in a loop", "sums side by side", "a sum of products", "a chain of fma",
    "a sum over a stride", "sums of lanes",
};

static float expected(enum form form, const float *x, const float *y, int row)
{
    bool strided = form == STRIDED || form == LANES;
    int first = row / ROWS * ROWS * TERMS + (strided ? row % ROWS : row % ROWS * TERMS);
    float sum = -0.0f;
    for (int t = 0; t < TERMS; t++) {
        int at = first + t * (strided ? ROWS : 1);
        if (form == FMA)
            sum = fmaf(x[at], y[at], sum);
        else
            sum = sum + (form == PRODUCTS ? x[at] * y[at] : x[at]);
    }
    return sum;
}

struct bench {
    weir_module *module;
    weir_buf *src, *dst;
    float *in, *out; // 2 planes of N and what a vector reads behind the last; N_FORMS planes of N_ROWS
};

static enum weir_status prepare(weir_device *dev, struct bench *b)
{
    const size_t in_size = (2 * N + 16) * sizeof *b->in, out_size = N_FORMS * N_ROWS * sizeof *b->out;
    float *unused = malloc(2 * N * sizeof *unused);
    b->in = calloc(1, in_size);
    b->out = malloc(out_size);
    if (!unused || !b->in || !b->out) {
        free(unused);
        return weir_fail(&dev->log, WEIR_NOMEM, "out of memory in the self-test");
    }
    // The usual y: of alike size, so that every addition rounds.
    weir_selftest_fill_usual(unused, b->in, unused + N, N);
    memcpy(b->in + N, b->in + N / 2, N / 2 * sizeof *b->in);
    memcpy(b->in + N + N / 2, b->in, N / 2 * sizeof *b->in);
    free(unused);
    enum weir_status status = weir_buf_create(dev, in_size, &b->src);
    if (status == WEIR_OK)
        status = weir_buf_create(dev, out_size, &b->dst);
    return status == WEIR_OK ? weir_buf_write(b->src, 0, b->in, in_size) : status;
}

static enum weir_status run(weir_device *dev, struct bench *b, size_t group)
{
    const size_t size = N_FORMS * N_ROWS * sizeof *b->out;
    weir_list *list = NULL;
    struct weir_launch launch = { .module = b->module, .kernel = "selftest_sums", .n_bufs = 2,
                                  .bufs = { { b->src, 0, 4 }, { b->dst, 0, 4 } }, .n_ints = 2,
                                  .ints = { N, TERMS }, .global = { ITEMS, 1, 1 },
                                  .local = { group, 1, 1 }, .label = "selftest_sums" };
    enum weir_status status = weir_buf_fill(b->dst, 0, 0x7fabcdefu, size);
    if (status == WEIR_OK)
        status = weir_list_record(dev, &launch, 1, &list);
    if (status == WEIR_OK)
        status = weir_list_replay(dev, list);
    if (status == WEIR_OK)
        status = weir_buf_read(b->dst, 0, b->out, size);
    weir_list_destroy(dev, &list);
    return status;
}

// Says in `text` what differs; true when nothing does.
static bool right(const weir_device *dev, const struct bench *b, char *text, size_t n)
{
    for (int f = 0; f < N_FORMS; f++) {
        if (f == FMA && !weir_device_has(dev, WEIR_CAP_FMA))
            continue; // wrong alone already; software takes its place
        for (int row = 0; row < N_ROWS; row++) {
            float want = expected((enum form)f, b->in, b->in + N, row), got = b->out[f * N_ROWS + row];
            if (memcmp(&want, &got, sizeof want) == 0)
                continue;
            snprintf(text, n, "%s is %a, not %a", form_name[f], got, want);
            return false;
        }
    }
    return true;
}

// Builds as the capabilities say, runs both ways and compares.
static enum weir_status attempt(weir_device *dev, struct bench *b, bool *good, char *text, size_t n)
{
    struct weir_build_params build = { .source = weir_kernel_text("selftest_sums.cl"),
                                       .label = "selftest_sums.cl" };
    enum weir_status status = weir_module_build(dev, &build, &b->module);
    const size_t groups[2] = { 1, ITEMS };
    *good = true;
    for (int i = 0; i < 2 && status == WEIR_OK && *good; i++) {
        status = run(dev, b, groups[i]);
        if (status == WEIR_OK)
            *good = right(dev, b, text, n);
    }
    weir_module_destroy(dev, &b->module);
    return status;
}

enum weir_status weir_selftest_sums(weir_device *dev)
{
    struct bench b = { 0 };
    char text[128];
    bool good = false;
    enum weir_status status = prepare(dev, &b);
    if (status == WEIR_OK)
        status = attempt(dev, &b, &good, text, sizeof text);
    if (status == WEIR_OK && !good) {
        weir_logf(&dev->log, WEIR_LOG_DEBUG, "%s: %s: loops are built not to be vectorized",
                  dev->info.name, text);
        dev->info.caps.features &= ~(uint32_t)WEIR_CAP_LOOP_SUMS;
        status = attempt(dev, &b, &good, text, sizeof text);
    }
    if (status == WEIR_OK && !good) {
        size_t used = strlen(dev->info.reason);
        dev->info.admission = WEIR_FAST_ONLY;
        snprintf(dev->info.reason + used, sizeof dev->info.reason - used, "%s%s", used ? "; " : "",
                 text);
    }
    weir_buf_destroy(&b.src);
    weir_buf_destroy(&b.dst);
    free(b.in);
    free(b.out);
    return status;
}
