// SPDX-License-Identifier: Apache-2.0
// Fast mode: every op row on one device within the error bounds that follow from what
// docs/numerics.md (section 15) says of it, element by element, around the double oracle. The cases
// of some rows are one program. The host has no fast mode: its bits there are those of exact mode.
//
//   test-ops-fast SELECTOR [MASK [EVERY [NAMES]]]
//
// MASK: `all`, or `grouped`, which hides wide kernels. EVERY: each this many-th case (1). NAMES:
// only these rows, with commas between.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "support/error_bound.h"
#include "support/op_case.h"
#include "support/support.h"
#include "weir/ops.h"

enum { MOST_CASES = 4000, ROWS = 16, SKIPPED = 77 };

static weir_device *dev;
static const char *only;
static int every = 1;
static double worst; // error / bound of all elements of all rows

struct rows_test {
    weir_graph *g;
    int n, n_bindings;
    struct test_op_case cases[MOST_CASES];
    weir_value *outputs[MOST_CASES];
    struct weir_binding bindings[MOST_CASES * TEST_MAX_IN];
};

static void add_row(const struct weir_op *op, struct rows_test *r)
{
    for (int idx = 0; r->n < MOST_CASES; idx += every) {
        struct test_op_case *t = &r->cases[r->n];
        if (!test_op_case_make_in(op, idx, r->g, t))
            break;
        for (int i = 0; i < t->c.n_in; i++)
            r->bindings[r->n_bindings++] = (struct weir_binding){t->in[i], t->data[i]};
        r->outputs[r->n++] = t->out;
    }
    ck_assert_int_lt(r->n, MOST_CASES);
}

static void rows_test_free(struct rows_test *r)
{
    for (int i = 0; i < r->n; i++)
        test_op_case_free(&r->cases[i]);
    weir_graph_destroy(&r->g);
    free(r);
}

static bool wanted(const struct weir_op *op)
{
    size_t n = strlen(op->name);
    bool found = !only;
    for (const char *at = only; at && !found; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        found = strncmp(at, op->name, n) == 0 && (at[n] == ',' || at[n] == 0);
    return op->cases && found;
}

// The loop of the row's cases written out: the oracle's bounds go from value to value.
static weir_value *unrolled(const struct test_op_case *t)
{
    weir_value *carry = t->in[0], *xs = t->in[1], *w = t->in[2], *ys[64];
    struct weir_shape row = *weir_value_shape(carry);
    int n = (int)t->c.p[0];
    ck_assert_int_le(n, 64);
    for (int k = 0; k < n; k++) {
        weir_value *x = weir_reshape(weir_slice(xs, 0, k, k + 1, 1), row);
        weir_value *y = weir_sin(weir_add(carry, x));
        ys[k] = weir_reshape(y, weir_shape(1, row.dim[0]));
        carry = weir_mul(w, weir_add(carry, weir_mul(x, y)));
    }
    return t->c.p[1] ? weir_concat(ys, n, 0) : carry;
}

static void check_case(const struct test_op_case *t, const void *got)
{
    const struct weir_op *op = t->op;
    struct test_bound o;
    char text[160];
    test_bound_run(op->cls == WEIR_OP_LOOP ? unrolled(t) : t->out, t->leaves64, t->c.n_in, &o);
    int64_t bad = test_bound_check(&o, got, &worst, text, sizeof(text));
    ck_assert_msg(bad < 0, "%s, case %d (%s), element %lld: %s", op->name, t->idx, t->c.label,
                  (long long)bad, text);
    test_bound_free(&o);
}

static void *read_output(weir_program *p, int i, const weir_value *v)
{
    void *got = calloc((size_t)weir_shape_size(weir_value_shape(v)) + 1,
                       weir_dtype_size(weir_value_dtype(v)));
    ck_assert_ptr_nonnull(got);
    test_ok(weir_read(p, i, got));
    return got;
}

static void run_rows(struct rows_test *r)
{
    struct weir_compile_params params = {.numerics = WEIR_NUMERICS_FAST};
    weir_program *p = NULL;
    test_ok(weir_compile(dev, r->outputs, r->n, &params, &p));
    test_ok(weir_run(p, r->bindings, r->n_bindings));
    for (int i = 0; i < r->n; i++) {
        void *got = read_output(p, i, r->outputs[i]);
        check_case(&r->cases[i], got);
        free(got);
    }
    weir_program_destroy(&p);
}

START_TEST(rows_are_within_bounds)
{
    struct rows_test *r = calloc(1, sizeof(*r));
    ck_assert_ptr_nonnull(r);
    test_ok(weir_graph_create(&test_log, &r->g));
    for (int i = _i * ROWS; i < (_i + 1) * ROWS && weir_ops[i]; i++)
        if (wanted(weir_ops[i]))
            add_row(weir_ops[i], r);
    if (r->n > 0)
        run_rows(r);
    rows_test_free(r);
}
END_TEST

// What no device is needed for: the text says which functions it takes, and the host has no such
// mode.
START_TEST(fast_text_is_other_text)
{
    weir_graph *g = NULL;
    float in[16], out[2][16];
    for (int i = 0; i < 16; i++)
        in[i] = (float)i * .3f - 2;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(16), "x"), *y = weir_tanh(x);
    for (int fast = 0; fast < 2; fast++) {
        weir_program *p = NULL;
        struct weir_compile_params params = {.numerics = (enum weir_numerics)fast,
                                             .no_replay = true};
        test_ok(weir_compile(dev, &y, 1, &params, &p));
        test_ok(weir_run(p, &(struct weir_binding){x, in}, 1));
        test_ok(weir_read(p, 0, out[fast]));
        for (int i = 0; i < p->n_kernels; i++) {
            struct weir_strbuf text = {0};
            test_ok(weir_program_kernel_text(p, p->kernels[i].name, &text));
            ck_assert_int_eq(strncmp(text.s, "#define WEIR_FAST\n", 18) == 0, fast);
            weir_strbuf_free(&text);
        }
        weir_program_destroy(&p);
    }
    if (weir_device_is_host(dev))
        ck_assert_mem_eq(out[0], out[1], sizeof(in));
    weir_graph_destroy(&g);
}
END_TEST

int main(int argc, char **argv)
{
    setenv("CK_FORK", "no", 1); // OpenCL does not survive a fork on every driver
    const char *selector = argc > 1 ? argv[1] : "host", *mask = argc > 2 ? argv[2] : "all";
    struct weir_device_params params = {.log = test_log,
                                        .selector = selector,
                                        .allow_fast = true,
                                        .caps_mask = strcmp(mask, "grouped") ? 0 : WEIR_CAP_WIDE};
    every = argc > 3 ? atoi(argv[3]) : 1;
    only = argc > 4 ? argv[4] : NULL;
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        printf("1..0 # SKIP no such device here\n");
        return SKIPPED;
    }
    test_bound_fast = !weir_device_is_host(dev);
    test_bound_engine = test_engine_of(dev);
    int n = 0;
    while (weir_ops[n])
        n++;
    Suite *suite = suite_create("ops-fast");
    TCase *rows = tcase_create("rows"), *text = tcase_create("text");
    tcase_set_timeout(rows, 0);
    tcase_add_loop_test(rows, rows_are_within_bounds, 0, (n + ROWS - 1) / ROWS);
    tcase_add_test(text, fast_text_is_other_text);
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, text);
    int status = test_main(suite);
    fprintf(stderr, "largest error / bound: %.3f\n", worst);
    weir_device_close(&dev);
    return status;
}
