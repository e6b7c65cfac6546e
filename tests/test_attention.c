// SPDX-License-Identifier: Apache-2.0
// Attention as kernels of its own, forward and backward: the bits of its decompose on the host, for odd
// lengths, masks, views and several sizes of heads; every tensor between guards; infinities among what a mask
// hides; in which cases the kernels are taken; and that a second derivative, which cannot take them, is the decompose still.
// Usage: test-attention [DEVICE [every] [grouped|gpu]]; without `every` some cases only. `grouped`: the kernels
// of grouped devices; `gpu`: with the larger work-groups of a GPU. Seed of all data: 11.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/device.h"
#include "support/support.h"
#include "weir/grad.h"
#include "weir/ops.h"
#include "weir/program.h"

enum { INPUTS = 5, OUTPUTS = 4 };
enum mask { NONE, CAUSAL, RANDOM, PADDING };

static const char *selector = "opencl:0";
static uint32_t hidden;
static bool every;
static weir_device *host, *dev;

struct spec {
    const char *name;
    int batch, heads, queries, keys, depth, width;
    enum mask mask;
    bool merged;    // q, k, v are slices of one projection, as a transformer has them
    bool shared;    // one head of keys and values for all
    double scale;   // 0: the default
    bool slow;      // one of `every`
};

static const struct spec specs[] = {
    {"one of each", 1, 2, 1, 1, 16, 16, NONE, .slow = true},
    {"a strip and one", 1, 2, 17, 17, 16, 32, NONE},
    {"a transformer's", 2, 3, 196, 196, 64, 64, NONE, .merged = true},
    {"keys over a chunk", 1, 2, 33, 513, 32, 48, NONE, .slow = true},
    {"queries over a chunk", 1, 2, 600, 70, 16, 16, NONE, .slow = true},
    {"both over a chunk, causal", 1, 2, 600, 600, 32, 32, CAUSAL},
    {"causal", 2, 2, 65, 65, 32, 16, CAUSAL, .merged = true, .slow = true},
    {"rows without a key", 1, 2, 40, 50, 80, 80, RANDOM},
    {"padded keys", 3, 2, 21, 30, 128, 112, PADDING, .slow = true},
    {"one query", 4, 1, 1, 129, 64, 64, NONE, .slow = true},
    {"one key", 1, 3, 50, 1, 64, 32, NONE, .slow = true},
    {"keys and values for all heads", 2, 3, 35, 20, 32, 32, NONE, .shared = true, .slow = true},
    {"odd heads", 1, 2, 37, 70, 20, 33, CAUSAL, .slow = true},
    {"negative scale", 1, 2, 20, 40, 48, 96, NONE, .scale = -0.7, .slow = true},
};

struct bench {
    weir_graph *g;
    weir_value *in[INPUTS], *out[OUTPUTS];
    int n_in, n_out;
};

static weir_value *input(struct bench *b, struct weir_shape shape)
{
    return b->in[b->n_in++] = weir_input(b->g, WEIR_F32, shape, "in");
}

static weir_value *mask_of(struct bench *b, const struct spec *s)
{
    weir_value *row = weir_iota(b->g, WEIR_I32, weir_shape(s->queries, s->keys), 0);
    weir_value *column = weir_iota(b->g, WEIR_I32, weir_shape(s->queries, s->keys), 1);
    if (s->mask == CAUSAL)
        return weir_ge(row, column);
    if (s->mask == PADDING) { // of image i, the first 7 i keys: none of the first
        struct weir_shape shape = weir_shape(s->batch, 1, 1, s->keys);
        return weir_lt(weir_iota(b->g, WEIR_I32, shape, 3),
                       weir_mul(weir_iota(b->g, WEIR_I32, shape, 0), weir_i32(b->g, 7)));
    }
    weir_value *x = input(b, weir_shape(s->batch, s->heads, s->queries, s->keys));
    weir_value *some = weir_ne(weir_mod(row, weir_i32(b->g, 3)), weir_i32(b->g, 1));
    return weir_and(weir_gt(x, weir_f32(b->g, 0.3)), some);
}

// (batch, tokens, heads, width) by strides, as (batch, heads, tokens, width).
static weir_value *heads_of(weir_value *x, const struct spec *s, int64_t tokens, int64_t width, int64_t at)
{
    x = weir_slice(x, 2, at, at + s->heads * width, 1);
    x = weir_reshape(x, weir_shape(s->batch, tokens, s->heads, width));
    return weir_permute(x, (int[]) { 0, 2, 1, 3 });
}

static void build(struct bench *b, const struct spec *s, bool backward)
{
    int64_t heads = s->shared ? 1 : s->heads, n = s->queries;
    weir_value *q, *k, *v;
    if (s->merged) {
        int64_t d = s->heads * s->depth, all = 2 * d + s->heads * s->width;
        weir_value *x = input(b, weir_shape(s->batch, n, all));
        q = heads_of(x, s, n, s->depth, 0);
        k = heads_of(x, s, n, s->depth, d);
        v = heads_of(x, s, n, s->width, 2 * d);
    } else {
        q = input(b, weir_shape(s->batch, s->heads, n, s->depth));
        k = input(b, weir_shape(s->batch, heads, s->keys, s->depth));
        v = input(b, weir_shape(s->batch, heads, s->keys, s->width));
    }
    int n_wrt = b->n_in;
    weir_value *mask = s->mask ? mask_of(b, s) : NULL;
    weir_value *y = weir_attention(q, k, v, mask, s->scale);
    b->out[b->n_out++] = y;
    if (!backward)
        return;
    weir_value *dy = input(b, *weir_value_shape(y));
    weir_vjp(&y, &dy, 1, b->in, b->out + 1, n_wrt);
    b->n_out += n_wrt;
}

static struct weir_program_info run(weir_device *on, struct bench *b, float **out,
                                    const struct weir_compile_params *params)
{
    weir_program *p = NULL;
    struct weir_binding bind[INPUTS];
    uint64_t seed = 11;
    for (int i = 0; i < b->n_in; i++) {
        int64_t n = weir_shape_size(weir_value_shape(b->in[i]));
        float *data = malloc((size_t)n * sizeof(*data));
        for (int64_t k = 0; k < n; k++)
            data[k] = (float)(test_next(&seed) >> 40) * 0x1p-22f - 2;
        bind[i] = (struct weir_binding) { b->in[i], data };
    }
    test_ok(weir_compile(on, b->out, b->n_out, params, &p));
    test_ok(weir_run(p, bind, b->n_in));
    for (int i = 0; i < b->n_out; i++) {
        out[i] = malloc((size_t)weir_shape_size(weir_value_shape(b->out[i])) * sizeof(float));
        test_ok(weir_read(p, i, out[i]));
    }
    struct weir_program_info info = *weir_program_info(p);
    weir_program_destroy(&p);
    for (int i = 0; i < b->n_in; i++)
        free((void *)(uintptr_t)bind[i].data);
    return info;
}

static void same(const struct bench *b, float **want, float **got, const char *name)
{
    for (int i = 0; i < b->n_out; i++) {
        int64_t n = weir_shape_size(weir_value_shape(b->out[i]));
        for (int64_t k = 0; k < n; k++)
            if (memcmp(&want[i][k], &got[i][k], 4) != 0) // an assertion each would take longer than all else
                ck_abort_msg("%s: element %lld of output %d is %a, on the host %a", name, (long long)k, i,
                             (double)got[i][k], (double)want[i][k]);
        free(got[i]);
    }
}

// The graph on both devices, every tensor between guards; it is given up. Returns its groups.
static int check_same(struct bench *b, const char *name)
{
    float *want[OUTPUTS], *got[OUTPUTS];
    run(host, b, want, NULL);
    int groups = run(dev, b, got, &(struct weir_compile_params) { .guards = true }).groups;
    same(b, want, got, name);
    for (int i = 0; i < b->n_out; i++)
        free(want[i]);
    weir_graph_destroy(&b->g);
    return groups;
}

// Output and gradients of a case.
START_TEST(bits)
{
    const struct spec *s = &specs[_i];
    struct bench b = { 0 };
    if (s->slow && !every)
        return;
    test_ok(weir_graph_create(&test_log, &b.g));
    build(&b, s, true);
    check_same(&b, s->name);
}
END_TEST

// Keys that the mask alone makes as many as the values: no kernel reads k beyond its one row.
START_TEST(broadcast_keys)
{
    struct bench b = { 0 };
    test_ok(weir_graph_create(&test_log, &b.g));
    weir_value *q = input(&b, weir_shape(2, 20, 16)), *k = input(&b, weir_shape(2, 1, 16));
    weir_value *v = input(&b, weir_shape(2, 40, 16)), *x = input(&b, weir_shape(2, 20, 40));
    b.out[b.n_out++] = weir_attention(q, k, v, weir_gt(x, weir_f32(b.g, 0.5)), 0.0);
    ck_assert_int_gt(check_same(&b, "broadcast keys"), 1);
}
END_TEST

// A key that no query of a block sees may be left out, but its infinite value times a weight of zero is NaN.
START_TEST(unseen_values)
{
    struct bench b = { 0 };
    test_ok(weir_graph_create(&test_log, &b.g));
    weir_value *q = input(&b, weir_shape(2, 20, 16)), *k = input(&b, weir_shape(2, 200, 16));
    weir_value *v = input(&b, weir_shape(2, 200, 20));
    weir_value *row = weir_iota(b.g, WEIR_I32, weir_shape(200, 20), 0);
    weir_value *column = weir_iota(b.g, WEIR_I32, weir_shape(200, 20), 1);
    weir_value *key = weir_add(weir_mul(column, weir_i32(b.g, 10)), weir_i32(b.g, 2));
    weir_value *there = weir_and(weir_eq(row, key), weir_ge(column, weir_i32(b.g, 9)));
    v = weir_select(there, weir_f32(b.g, -INFINITY), v);
    weir_value *seen = weir_lt(weir_iota(b.g, WEIR_I32, weir_shape(20, 200), 1),
                               weir_add(weir_i32(b.g, 100), weir_iota(b.g, WEIR_I32, weir_shape(20, 200), 0)));
    b.out[b.n_out++] = weir_attention(q, k, v, seen, 0.0);
    check_same(&b, "unseen values");
}
END_TEST

// Groups of a pass: forward one where a kernel takes it, backward one more and that of D.
static int groups_of(const struct spec *s, bool backward, const struct weir_compile_params *params)
{
    struct bench b = { 0 };
    float *got[OUTPUTS];
    test_ok(weir_graph_create(&test_log, &b.g));
    build(&b, s, backward);
    int groups = run(dev, &b, got, params).groups;
    for (int i = 0; i < b.n_out; i++)
        free(got[i]);
    weir_graph_destroy(&b.g);
    return groups;
}

START_TEST(claims)
{
    const struct spec small = { "", 1, 2, 20, 20, 16, 16, NONE };
    struct spec odd = small, many = small;
    const bool grouped = hidden & WEIR_CAP_WIDE; // the kernel takes any width up to 128
    odd.width = grouped ? 129 : 24;
    many.keys = 5000;
    if (grouped) {
        struct weir_caps *caps = &dev->info.caps, whole = *caps;
        caps->local_size = 8 << 10; // too little for any group
        ck_assert_int_gt(groups_of(&small, false, NULL), 1);
        *caps = whole;
    }
    ck_assert_int_eq(groups_of(&small, true, NULL), 3);
    if (!every)
        return;
    ck_assert_int_eq(groups_of(&small, false, NULL), 1);
    ck_assert_int_gt(groups_of(&small, false, &(struct weir_compile_params) { .no_fusion = true }), 4);
    ck_assert_int_gt(groups_of(&odd, false, NULL), 1);
    ck_assert_int_gt(groups_of(&many, false, NULL), 1);
}
END_TEST

// The gradient of a gradient's square goes through the decompose of both.
START_TEST(second_derivative)
{
    const struct spec s = { "second derivative", 1, 2, 18, 20, 16, 16, CAUSAL };
    struct bench b = { 0 };
    if (!every)
        return;
    test_ok(weir_graph_create(&test_log, &b.g));
    build(&b, &s, true);
    weir_value *loss = weir_sum(weir_square(b.out[1]), weir_all_axes, false);
    weir_grad(loss, b.in, b.out + 1, 3);
    check_same(&b, s.name);
}
END_TEST

int main(int argc, char **argv)
{
    selector = argc > 1 && *argv[1] ? argv[1] : selector;
    bool gpu = false;
    for (int i = 2; i < argc; i++) {
        every |= strcmp(argv[i], "every") == 0;
        gpu |= strcmp(argv[i], "gpu") == 0;
        hidden = gpu || strcmp(argv[i], "grouped") == 0 ? WEIR_CAP_WIDE : hidden;
    }
    struct weir_device_params params = { .selector = selector, .log = test_log, .caps_mask = hidden };
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("1..0 # SKIP no device for %s\n", selector);
        return TEST_SKIPPED;
    }
    dev->info.caps.is_gpu |= gpu;
    params.selector = "host";
    if (weir_device_open(&params, &host) != WEIR_OK)
        return EXIT_FAILURE;
    Suite *suite = suite_create("attention");
    TCase *tcase = tcase_create("attention");
    int n = (int)(sizeof(specs) / sizeof(specs[0]));
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, bits, 0, n);
    tcase_add_test(tcase, broadcast_keys);
    tcase_add_test(tcase, unseen_values);
    tcase_add_test(tcase, claims);
    tcase_add_test(tcase, second_derivative);
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    weir_device_close(&dev);
    weir_device_close(&host);
    return status;
}
