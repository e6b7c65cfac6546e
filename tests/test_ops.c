// SPDX-License-Identifier: Apache-2.0
// Every op row by every one of its cases, on the host, without a device: the loop nests against the
// double oracle within its bounds; all instruction sets against each other bit for bit; and the
// derivative rules against central differences and against each other. A row without cases fails.
//
// The argument `--op NAME` takes one row only.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/op_case.h"
#include "support/error_bound.h"
#include "support/support.h"
#include "weir/grad.h"

static const char *only;

static bool wants_cases(const struct weir_op *op)
{
    switch (op->cls) {
    case WEIR_OP_MAP:
    case WEIR_OP_GEN:
    case WEIR_OP_VIEW:
    case WEIR_OP_REDUCE:
    case WEIR_OP_CONTRACT:
    case WEIR_OP_OPAQUE:
    case WEIR_OP_COMPOSITE:
    case WEIR_OP_LOOP:
        return true;
    default:
        return false;
    }
}

static const struct weir_op *row(int i)
{
    const struct weir_op *op = weir_ops[i];
    return only && strcmp(only, op->name) != 0 ? NULL : op;
}

static int n_rows(void)
{
    int n = 0;
    while (weir_ops[n])
        n++;
    return n;
}

// No more than this many cases: an endless case function is a fault.
enum { MOST_CASES = 1000 };

static void *evaluate(const struct test_op_case *t, weir_value *v, enum weir_isa isa, int threads)
{
    void *out = calloc((size_t)weir_shape_size(&v->type.shape) + 1, sizeof(double));
    ck_assert_ptr_nonnull(out);
    const struct weir_eval_leaf *leaves = isa == WEIR_ISA_F64 ? t->leaves64 : t->leaves;
    test_ok(weir_eval(&v, 1, isa, threads, leaves, t->c.n_in, &out));
    return out;
}

START_TEST(rows_are_complete)
{
    for (int i = 0; weir_ops[i]; i++) {
        const struct weir_op *op = weir_ops[i];
        ck_assert_msg(op->name && op->desc, "row %d has no name or description", i);
        ck_assert_ptr_eq(weir_op_find(op->name), op);
        if (op->cls == WEIR_OP_MAP || op->cls == WEIR_OP_GEN)
            ck_assert_msg(op->instructions > 0, "%s: tools/instructions counts them", op->name);
        if (!wants_cases(op))
            continue;
        ck_assert_msg(op->cases, "%s has no cases", op->name);
        struct weir_op_case c = { 0 };
        ck_assert_msg(op->cases(0, &c), "%s has no first case", op->name);
        if (op->cls != WEIR_OP_COMPOSITE && op->cls != WEIR_OP_LOOP)
            for (int isa = 0; isa < WEIR_N_ISA; isa++)
                ck_assert_msg(op->host.isa[isa], "%s lacks a loop nest", op->name);
    }
}
END_TEST

START_TEST(host_is_within_bounds)
{
    const struct weir_op *op = row(_i);
    if (!op || !op->cases || op->cls == WEIR_OP_LOOP) // its rows have theirs; test_loop has its
                                                      // bits
        return;
    double worst = 0;
    int cases = 0;
    for (struct test_op_case t; cases < MOST_CASES && test_op_case_make(op, cases, &t); cases++) {
        struct test_bound o;
        char text[160];
        void *got = evaluate(&t, t.out, weir_isa_best(), 1);
        test_bound_run(t.out, t.leaves64, t.c.n_in, &o);
        int64_t bad = test_bound_check(&o, got, &worst, text, sizeof(text));
        ck_assert_msg(bad < 0, "%s, case %d (%s), element %lld: %s (first input there: %.9g)",
                      op->name, cases, t.c.label, (long long)bad, text,
                      t.c.n_in && bad >= 0 && t.c.in[0].dtype == WEIR_F32 &&
                              bad < weir_shape_size(&t.c.in[0].shape)
                          ? ((float *)t.data[0])[bad] : 0.0);
        test_bound_free(&o);
        free(got);
        test_op_case_free(&t);
    }
    ck_assert_int_gt(cases, 0);
    ck_assert_int_lt(cases, MOST_CASES);
}
END_TEST

START_TEST(instruction_sets_and_threads_agree)
{
    const struct weir_op *op = row(_i);
    if (!op || !op->cases)
        return;
    struct test_op_case t;
    for (int k = 0; test_op_case_make(op, k, &t); k++) {
        void *want = evaluate(&t, t.out, WEIR_ISA_BASE, 1);
        for (int isa = 0; isa <= (int)weir_isa_best(); isa++) {
            char text[160];
            void *got = evaluate(&t, t.out, (enum weir_isa)isa, 3);
            int64_t bad = test_first_difference(t.out->type.dtype, want, got,
                                                weir_shape_size(&t.out->type.shape), text,
                                                sizeof(text));
            ck_assert_msg(bad < 0, "%s, case %d (%s), instruction set %d, element %lld: %s",
                          op->name, k, t.c.label, isa, (long long)bad, text);
            free(got);
        }
        free(want);
        test_op_case_free(&t);
    }
}
END_TEST

// --- derivatives, all in double ---

struct derivative {
    struct test_op_case *t;
    int n;                        // real inputs
    weir_value *x[TEST_MAX_IN], *dx[TEST_MAX_IN], *gx[TEST_MAX_IN], *dy, *ct;
    double *step[TEST_MAX_IN], *weight; // the data of dx and ct
    struct weir_eval_leaf leaves[2 * TEST_MAX_IN + 1];
    int n_leaves;
};

static double *random_doubles(int64_t n, uint64_t seed)
{
    double *x = calloc((size_t)n + 1, sizeof(*x));
    ck_assert_ptr_nonnull(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(int64_t)test_next(&seed) * 0x1p-63;
    return x;
}

static bool varies(const struct test_op_case *t, int i)
{
    return t->in[i]->type.dtype == WEIR_F32 && !(t->c.fixed >> i & 1);
}

// Builds J dx and J^T ct; false where there is nothing to differentiate.
static bool derivative_make(struct test_op_case *t, struct derivative *d)
{
    memset(d, 0, sizeof(*d));
    d->t = t;
    for (int i = 0; i < t->c.n_in; i++) {
        d->leaves[d->n_leaves++] = t->leaves64[i];
        if (!varies(t, i))
            continue;
        int k = d->n++;
        int64_t n = weir_shape_size(&t->in[i]->type.shape);
        d->x[k] = t->in[i];
        d->dx[k] = weir_input(t->g, WEIR_F32, t->in[i]->type.shape, "dx");
        d->step[k] = random_doubles(n, (uint64_t)(100 + i));
    }
    if (d->n == 0)
        return false;
    d->ct = weir_input(t->g, WEIR_F32, t->out->type.shape, "ct");
    d->weight = random_doubles(weir_shape_size(&t->out->type.shape), 99);
    for (int k = 0; k < d->n; k++)
        d->leaves[d->n_leaves++] = (struct weir_eval_leaf) { d->dx[k], d->step[k] };
    d->leaves[d->n_leaves++] = (struct weir_eval_leaf) { d->ct, d->weight };
    weir_jvp(&t->out, &d->dy, 1, d->x, d->dx, d->n);
    weir_vjp(&t->out, &d->ct, 1, d->x, d->gx, d->n);
    ck_assert_msg(weir_graph_status(t->g) == WEIR_OK, "%s (%s): %s", t->op->name, t->c.label,
                  weir_graph_message(t->g));
    return true;
}

static void derivative_free(struct derivative *d)
{
    for (int k = 0; k < d->n; k++)
        free(d->step[k]);
    free(d->weight);
}

static double *eval64(const struct derivative *d, weir_value *v)
{
    void *out = calloc((size_t)weir_shape_size(&v->type.shape) + 1, sizeof(double));
    ck_assert_ptr_nonnull(out);
    test_ok(weir_eval(&v, 1, WEIR_ISA_F64, 1, d->leaves, d->n_leaves, &out));
    return out;
}

// (f(x + h dx) - f(x - h dx)) / 2h
static double *central(struct derivative *d, double h)
{
    struct test_op_case *t = d->t;
    int64_t n = weir_shape_size(&t->out->type.shape);
    double *y[2];
    for (int side = 0; side < 2; side++) {
        for (int i = 0, k = 0; i < t->c.n_in; i++) {
            if (!varies(t, i))
                continue;
            double *x = t->data64[i], by = side ? -2 * h : h;
            for (int64_t j = 0; j < weir_shape_size(&t->in[i]->type.shape); j++)
                x[j] += by * d->step[k][j];
            k++;
        }
        y[side] = eval64(d, t->out);
    }
    for (int64_t j = 0; j < n; j++)
        y[0][j] = (y[0][j] - y[1][j]) / (2 * h);
    free(y[1]);
    for (int i = 0, k = 0; i < t->c.n_in; i++) { // back to x, up to a last bit
        if (!varies(t, i))
            continue;
        for (int64_t j = 0; j < weir_shape_size(&t->in[i]->type.shape); j++)
            ((double *)t->data64[i])[j] = ((float *)t->data[i])[j];
        k++;
    }
    return y[0];
}

// |J dx - difference| is at most: the difference's own error, as halving the step shows it; its
// rounding; and constants of the rules being f32 (2^-24 relative to the terms, a few of them).
// Where halving the step changes everything there is a kink or a jump: one element in twenty may be
// such.
static void check_differences(struct derivative *d, int k, const double *jvp)
{
    const double h = 1e-4;
    struct test_op_case *t = d->t;
    int64_t n = weir_shape_size(&t->out->type.shape), kinks = 0;
    double *wide = central(d, h), *near = central(d, h / 2), *y = eval64(d, t->out);
    for (int64_t i = 0; i < n; i++) {
        double apart = fabs(wide[i] - near[i]), rounding = 0x1p-50 * fabs(y[i]) / h;
        double limit = 2 * apart + rounding + 0x1p-20 * (1 + fabs(near[i]));
        if (!isfinite(y[i])) // the maximum of nothing
            continue;
        if (apart > 1e-2 * (fabs(near[i]) + 1)) {
            kinks++;
            continue;
        }
        ck_assert_msg(fabs(jvp[i] - near[i]) <= limit,
                      "%s, case %d (%s), element %lld: jvp %.12g, differences %.12g +- %.3g",
                      t->op->name, k, t->c.label, (long long)i, jvp[i], near[i], limit);
    }
    ck_assert_msg(20 * kinks <= n, "%s, case %d (%s): %lld of %lld elements at kinks", t->op->name,
                  k, t->c.label, (long long)kinks, (long long)n);
    free(wide);
    free(near);
    free(y);
}

START_TEST(derivatives_are_right)
{
    const struct weir_op *op = row(_i);
    if (!op || !op->cases)
        return;
    struct test_op_case t;
    for (int k = 0; test_op_case_make(op, k, &t); k++) {
        struct derivative d;
        if (t.c.no_grad || t.out->type.dtype != WEIR_F32 || !derivative_make(&t, &d)) {
            test_op_case_free(&t);
            continue;
        }
        double *dy = eval64(&d, d.dy), left = 0, right = 0, size = 0;
        check_differences(&d, k, dy);
        for (int64_t i = 0; i < weir_shape_size(&t.out->type.shape); i++) {
            left += d.weight[i] * dy[i];
            size += fabs(d.weight[i] * dy[i]);
        }
        for (int j = 0; j < d.n; j++) {
            double *gx = eval64(&d, d.gx[j]);
            for (int64_t i = 0; i < weir_shape_size(&d.x[j]->type.shape); i++) {
                right += gx[i] * d.step[j][i];
                size += fabs(gx[i] * d.step[j][i]);
            }
            free(gx);
        }
        ck_assert_msg(fabs(left - right) <= 1e-6 * size,
                      "%s, case %d (%s): <v, J u> = %.12g but <J' v, u> = %.12g", op->name, k,
                      t.c.label, left, right);
        free(dy);
        derivative_free(&d);
        test_op_case_free(&t);
    }
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--op") == 0)
        only = argv[2];
    Suite *suite = suite_create("ops");
    TCase *rows = tcase_create("rows"), *host = tcase_create("host"), *grad = tcase_create("grad");
    tcase_add_test(rows, rows_are_complete);
    tcase_add_loop_test(host, host_is_within_bounds, 0, n_rows());
    tcase_add_loop_test(host, instruction_sets_and_threads_agree, 0, n_rows());
    tcase_add_loop_test(grad, derivatives_are_right, 0, n_rows());
    suite_add_tcase(suite, rows);
    suite_add_tcase(suite, host);
    suite_add_tcase(suite, grad);
    return test_main(suite);
}
