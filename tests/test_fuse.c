// SPDX-License-Identifier: Apache-2.0
// Fusion, by the number of launches: a norm with its activation is one kernel, its backward one
// more and one for the sums over the batch. The bits are the host's, also where the device prefers
// another kind of kernel.
// usage: test-fuse [DEVICE]. Exits 77 where there is no such device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "compile/compile.h"
#include "support/support.h"
#include "weir/grad.h"
#include "weir/ops.h"
#include "weir/program.h"

static const char *selector = "opencl:0";
static bool missing; // no such device

enum { INPUTS = 5, OUTPUTS = 6 };
struct bench {
    weir_graph *g;
    weir_value *in[INPUTS], *out[OUTPUTS];
    int n_in, n_out;
};

static weir_value *input(struct bench *b, struct weir_shape shape)
{
    weir_value *v = weir_input(b->g, WEIR_F32, shape, "in");
    return b->in[b->n_in++] = v;
}

// Makes y and, through y's product with a last input, the gradients to all inputs before it
// outputs.
static void outputs(struct bench *b, weir_value *y, bool backward)
{
    b->out[b->n_out++] = y;
    if (!backward)
        return;
    int n = b->n_in;
    weir_value *dy = input(b, *weir_value_shape(y));
    weir_grad(weir_sum(weir_mul(y, dy), weir_all_axes, false), b->in, &b->out[1], n);
    for (int i = 0; i < n; i++)
        b->out[i] = b->out[i + 1]; // the gradients alone
    b->n_out = n;
}

static void softmax(struct bench *b, bool backward)
{
    outputs(b, weir_softmax(input(b, weir_shape(48, 5, 77)), -1), backward);
}

static void layer_norm_gelu(struct bench *b, bool backward)
{
    weir_value *x = input(b, weir_shape(96, 100)), *gamma = input(b, weir_shape(100));
    weir_value *beta = input(b, weir_shape(100));
    outputs(b, weir_gelu(weir_layer_norm(x, gamma, beta, 1e-5)), backward);
}

static weir_value *group_norm(struct bench *b, weir_value *x, int groups)
{
    int64_t c = weir_value_shape(x)->dim[3];
    weir_value *gamma = input(b, weir_shape(c)), *beta = input(b, weir_shape(c));
    return weir_silu(weir_group_norm(x, groups, gamma, beta, 1e-5));
}

static void group_norm_silu(struct bench *b, bool backward)
{
    outputs(b, group_norm(b, input(b, weir_shape(16, 7, 5, 32)), 8), backward);
}

// As in a residual block: what is normed has a bias, whose gradient sums the norm's.
static void bias_group_norm_silu(struct bench *b, bool backward)
{
    weir_value *x = input(b, weir_shape(9, 14, 14, 48)), *bias = input(b, weir_shape(48));
    outputs(b, group_norm(b, weir_add(x, bias), 8), backward);
}

static const struct {
    const char *name;
    void (*build)(struct bench *b, bool backward);
    bool backward;
    int launches; // on a wide device
} rows[] = {
    { "softmax", softmax, false, 1 },
    { "softmax, backward", softmax, true, 1 },
    { "layer norm and GELU", layer_norm_gelu, false, 1 },
    // one; two sums over the rows, together
    { "layer norm and GELU, backward", layer_norm_gelu, true, 2 },
    { "group norm and SiLU", group_norm_silu, false, 1 },
    // one; two sums over the batch, together
    { "group norm and SiLU, backward", group_norm_silu, true, 2 },
    { "bias, group norm and SiLU, backward", bias_group_norm_silu, true, 2 }, // three sums, too
};

static void run(weir_device *dev, struct bench *b, float **out, int *launches)
{
    weir_program *p = NULL;
    struct weir_binding bind[INPUTS];
    uint64_t seed = 7;
    for (int i = 0; i < b->n_in; i++) {
        int64_t n = weir_shape_size(weir_value_shape(b->in[i]));
        float *data = malloc((size_t)n * sizeof(*data));
        for (int64_t k = 0; k < n; k++)
            data[k] = (float)(test_next(&seed) >> 40) * 0x1p-23f - 1;
        bind[i] = (struct weir_binding) { b->in[i], data };
    }
    test_ok(weir_compile(dev, b->out, b->n_out, NULL, &p));
    test_ok(weir_run(p, bind, b->n_in));
    for (int i = 0; i < b->n_out; i++) {
        out[i] = malloc((size_t)weir_shape_size(weir_value_shape(b->out[i])) * sizeof(float));
        test_ok(weir_read(p, i, out[i]));
    }
    *launches = weir_program_info(p)->launches;
    weir_program_destroy(&p);
    for (int i = 0; i < b->n_in; i++)
        free((void *)(uintptr_t)bind[i].data);
}

static weir_device *open_device(const char *sel, uint32_t hidden)
{
    struct weir_device_params params = { .selector = sel, .log = test_log, .caps_mask = hidden };
    weir_device *dev = NULL;
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("# no device for %s: skipped\n", sel);
        missing = true;
    }
    return dev;
}

static void compare(int row, uint32_t hidden)
{
    struct bench b = { 0 };
    float *want[OUTPUTS], *got[OUTPUTS];
    int host_launches, launches;
    weir_device *host = open_device("host", 0), *dev = open_device(selector, hidden);
    if (!dev) {
        weir_device_close(&host);
        return;
    }
    test_ok(weir_graph_create(&test_log, &b.g));
    rows[row].build(&b, rows[row].backward);
    run(host, &b, want, &host_launches);
    run(dev, &b, got, &launches);
    for (int i = 0; i < b.n_out; i++) {
        size_t n = (size_t)weir_shape_size(weir_value_shape(b.out[i])) * sizeof(float);
        ck_assert_msg(memcmp(want[i], got[i], n) == 0, "%s: output %d differs from the host's",
                      rows[row].name, i);
        free(want[i]);
        free(got[i]);
    }
    bool wide = weir_device_info(dev)->caps.features & WEIR_CAP_WIDE;
    ck_assert_msg(!wide || launches == rows[row].launches, "%s: %d launches, not %d",
                  rows[row].name, launches, rows[row].launches);
    ck_assert_int_lt(launches, host_launches); // on the host each operation is one
    weir_graph_destroy(&b.g);
    weir_device_close(&dev);
    weir_device_close(&host);
}

START_TEST(norms_are_one_kernel)
{
    compare(_i, 0);
}
END_TEST

START_TEST(the_same_bits_grouped)
{
    compare(_i, WEIR_CAP_WIDE);
}
END_TEST

// How often the program's kernels call a function on sixteen lanes.
static int calls(weir_program *p, const char *call)
{
    int n = 0;
    for (int i = 0; i < p->n_kernels; i++)
        for (const char *at = p->kernels[i].text; (at = strstr(at, call)); at++)
            n++;
    return n;
}

// Passes over the same elements do not compute again what costs much: they read it from where the
// result comes to lie.
START_TEST(costly_values_are_kept)
{
    static const struct {
        void (*build)(struct bench *b, bool backward);
        bool backward;
        const char *call;
    } cases[] = { { softmax, false, "weir_exp_fv(" }, { group_norm_silu, true, "weir_sigmoid_fv(" },
                  { bias_group_norm_silu, true, "weir_sigmoid_fv(" } };
    const struct weir_compile_params params = { .no_replay = true };
    weir_device *dev = open_device(selector, 0);
    for (size_t i = 0; dev && i < WEIR_COUNT(cases); i++) {
        struct bench b = { 0 };
        weir_program *p = NULL;
        test_ok(weir_graph_create(&test_log, &b.g));
        cases[i].build(&b, cases[i].backward);
        test_ok(weir_compile(dev, b.out, b.n_out, &params, &p));
        if (weir_device_has(dev, WEIR_CAP_WIDE))
            ck_assert_int_eq(calls(p, cases[i].call), 1);
        weir_program_destroy(&p);
        weir_graph_destroy(&b.g);
    }
    weir_device_close(&dev);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        selector = argv[1];
    Suite *suite = suite_create("fuse");
    TCase *tcase = tcase_create("launches");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, norms_are_one_kernel, 0, WEIR_COUNT(rows));
    tcase_add_test(tcase, costly_values_are_kept);
    tcase_add_loop_test(tcase, the_same_bits_grouped, 0, WEIR_COUNT(rows));
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    return missing && !status ? TEST_SKIPPED : status;
}
