// SPDX-License-Identifier: Apache-2.0
// Every op row compiled: all cases of a row as one program, on the host and on a device, unfused and
// fused, with the device's wide kernels and without; the same bits as the definition (graph/eval).
//
// Usage: test-compile-ops [SELECTOR [ROW]]. Without a driver the host alone is tested.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "support/op_case.h"
#include "support/support.h"
#include "weir/weir.h"

enum { MAX_CASES = 160 };

static const char *selector = "opencl:0", *only_row;

struct batch {
    weir_graph *g;
    int n, n_bind;
    struct test_op_case cases[MAX_CASES];
    weir_value *out[MAX_CASES];
    struct weir_binding bind[MAX_CASES * TEST_MAX_IN];
    void *want[MAX_CASES];
};

static size_t out_size(const weir_value *v)
{
    return (size_t)weir_shape_size(weir_value_shape(v)) * weir_dtype_size(weir_value_dtype(v));
}

// Builds cases from..: all of a row in one graph, and their values by definition.
static int build(struct batch *b, const struct weir_op *op, int from)
{
    memset(b, 0, sizeof(*b));
    ck_assert_int_eq(weir_graph_create(&test_log, &b->g), WEIR_OK);
    while (b->n < MAX_CASES && test_op_case_make(op, from + b->n, &b->cases[b->n])) {
        struct test_op_case *t = &b->cases[b->n];
        weir_value *in[TEST_MAX_IN] = { 0 };
        for (int i = 0; i < t->c.n_in; i++) {
            in[i] = weir_input(b->g, t->c.in[i].dtype, t->c.in[i].shape, "x");
            b->bind[b->n_bind++] = (struct weir_binding) { in[i], t->data[i] };
        }
        b->out[b->n] = t->c.build(b->g, in, &t->c);
        b->want[b->n] = malloc(out_size(t->out) + 8);
        ck_assert_int_eq(weir_eval(&t->out, 1, weir_isa_best(), 1, t->leaves, t->c.n_in,
                                   &b->want[b->n]), WEIR_OK);
        b->n++;
    }
    return b->n;
}

static void finish(struct batch *b)
{
    for (int i = 0; i < b->n; i++) {
        test_op_case_free(&b->cases[i]);
        free(b->want[i]);
    }
    weir_graph_destroy(&b->g);
}

static int compare(const struct batch *b, weir_program *p, const char *where)
{
    int bad = 0;
    for (int i = 0; i < b->n; i++) {
        char text[256];
        const weir_value *v = b->out[i];
        size_t size = out_size(v);
        char *got = malloc(size + 8);
        memset(got, 0xa5, size + 8);
        ck_assert_int_eq(weir_read(p, i, got), WEIR_OK);
        int64_t at = test_first_difference(weir_value_dtype(v), b->want[i], got,
                                           weir_shape_size(weir_value_shape(v)), text, sizeof(text));
        if (at >= 0 && ++bad <= 3)
            fprintf(stderr, "# %s case %d (%s) on %s: element %lld: %s\n", b->cases[i].op->name, i,
                    b->cases[i].c.label, where, (long long)at, text);
        free(got);
    }
    return bad;
}

static int run(const struct batch *b, weir_device *dev, bool no_fusion, const char *where)
{
    weir_program *p = NULL;
    struct weir_compile_params params = { .no_fusion = no_fusion, .label = b->cases[0].op->name };
    test_log_clear();
    enum weir_status status = weir_compile(dev, b->out, b->n, &params, &p);
    if (status == WEIR_OK)
        status = weir_run(p, b->bind, b->n_bind);
    if (status != WEIR_OK) {
        fprintf(stderr, "# %s on %s: %s\n", b->cases[0].op->name, where, test_log_text());
        weir_program_destroy(&p);
        return 1;
    }
    int bad = compare(b, p, where);
    weir_program_destroy(&p);
    return bad;
}

static int run_all(weir_device *dev, const char *where)
{
    static struct batch b;
    int bad = 0, n_cases = 0;
    for (int i = 0; weir_ops[i]; i++) {
        const struct weir_op *op = weir_ops[i];
        if (!op->cases || (only_row && strcmp(op->name, only_row) != 0))
            continue;
        for (int from = 0, n; (n = build(&b, op, from)) > 0; from += n) {
            bad += run(&b, dev, true, where);
            if (!weir_device_is_host(dev))
                bad += run(&b, dev, false, where);
            n_cases += n;
            finish(&b);
        }
    }
    if (!only_row)
        ck_assert_int_gt(n_cases, 500);
    return bad;
}

static int on_device(const char *sel, uint32_t hidden, const char *where)
{
    struct weir_device_params params = { .selector = sel, .log = test_log, .caps_mask = hidden,
                                         .allow_fast = true };
    weir_device *dev = NULL;
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        fprintf(stderr, "# no device for %s: skipped\n", sel);
        return 0;
    }
    int bad = run_all(dev, where);
    weir_device_close(&dev);
    return bad;
}

START_TEST(host)
{
    ck_assert_int_eq(on_device("host", 0, "host"), 0);
}
END_TEST

START_TEST(wide)
{
    ck_assert_int_eq(on_device(selector, 0, "wide"), 0);
}
END_TEST

START_TEST(grouped)
{
    ck_assert_int_eq(on_device(selector, WEIR_CAP_WIDE, "grouped"), 0);
}
END_TEST

START_TEST(bare)
{
    ck_assert_int_eq(on_device(selector, WEIR_CAP_VECTOR_DEREF | WEIR_CAP_FMA | WEIR_CAP_DIV_SQRT, "bare"),
                     0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        selector = argv[1];
    if (argc > 2)
        only_row = argv[2];
    Suite *suite = suite_create("compile-ops");
    TCase *tcase = tcase_create("rows");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, host);
    tcase_add_test(tcase, wide);
    tcase_add_test(tcase, grouped);
    tcase_add_test(tcase, bare);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
