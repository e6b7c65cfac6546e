// SPDX-License-Identifier: Apache-2.0
// Attention as kernels of its own, forward and backward: the bits of its decompose on the host, for odd
// lengths, masks, views and several sizes of heads; every tensor between guards; in which cases the
// kernels are taken; and that a second derivative, which cannot take them, is the decompose still.
// Usage: test-attention [DEVICE [every|grouped]]; without `every` some cases only. Seed of all data: 11.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
            ck_assert_msg(memcmp(&want[i][k], &got[i][k], 4) == 0,
                          "%s: element %lld of output %d is %a, on the host %a", name, (long long)k, i,
                          (double)got[i][k], (double)want[i][k]);
        free(got[i]);
    }
}

// Output and gradients of a case.
START_TEST(bits)
{
    const struct spec *s = &specs[_i];
    struct bench b = { 0 };
    if (s->slow && !every)
        return;
    float *want[OUTPUTS], *got[OUTPUTS];
    test_ok(weir_graph_create(&test_log, &b.g));
    build(&b, s, true);
    run(host, &b, want, NULL);
    run(dev, &b, got, &(struct weir_compile_params) { .guards = true });
    same(&b, want, got, s->name);
    for (int i = 0; i < b.n_out; i++)
        free(want[i]);
    weir_graph_destroy(&b.g);
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
    if (hidden & WEIR_CAP_WIDE) { // there are no kernels for grouped devices
        ck_assert_int_gt(groups_of(&small, true, NULL), 3);
        return;
    }
    odd.width = 24;
    many.keys = 5000;
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
    float *want[OUTPUTS], *got[OUTPUTS];
    if (!every)
        return;
    test_ok(weir_graph_create(&test_log, &b.g));
    build(&b, &s, true);
    weir_value *loss = weir_sum(weir_square(b.out[1]), weir_all_axes, false);
    weir_grad(loss, b.in, b.out + 1, 3);
    run(host, &b, want, NULL);
    run(dev, &b, got, NULL);
    same(&b, want, got, s.name);
    for (int i = 0; i < b.n_out; i++)
        free(want[i]);
    weir_graph_destroy(&b.g);
}
END_TEST

int main(int argc, char **argv)
{
    selector = argc > 1 && *argv[1] ? argv[1] : selector;
    every = argc > 2 && strcmp(argv[2], "every") == 0;
    if (argc > 2 && strcmp(argv[2], "grouped") == 0)
        hidden = WEIR_CAP_WIDE;
    struct weir_device_params params = { .selector = selector, .log = test_log, .caps_mask = hidden };
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("1..0 # SKIP no device for %s\n", selector);
        return TEST_SKIPPED;
    }
    params.selector = "host";
    if (weir_device_open(&params, &host) != WEIR_OK)
        return EXIT_FAILURE;
    Suite *suite = suite_create("attention");
    TCase *tcase = tcase_create("attention");
    int n = (int)(sizeof(specs) / sizeof(specs[0]));
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, bits, 0, n);
    tcase_add_test(tcase, claims);
    tcase_add_test(tcase, second_derivative);
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    weir_device_close(&dev);
    weir_device_close(&host);
    return status;
}
