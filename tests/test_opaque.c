// SPDX-License-Identifier: Apache-2.0
// The definitions of contractions, indexed moves, scans, sorts, linear algebra and fft against
// plain restatements of their rules and against mathematics, on the host. Fills come from seeds
// given here or in op_case.c; every case of every row also gives the same bits on each instruction
// set and with one thread or three.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/nest.h"
#include "graph/ops/rows.h"
#include "support/op_case.h"
#include "support/support.h"

static const struct weir_op *const rows[] = {
    &weir_op_matmul,
    &weir_op_conv,
    &weir_op_conv_input_grad,
    &weir_op_conv_weight_grad,
    &weir_op_take,
    &weir_op_take_along,
    &weir_op_scatter,
    &weir_op_scatter_add,
    &weir_op_cumsum,
    &weir_op_sort,
    &weir_op_argsort,
    &weir_op_scatter_add_along,
    &weir_op_cholesky,
    &weir_op_lu,
    &weir_op_triangular_solve,
    &weir_op_fft,
    &weir_op_dynamic_slice,
    &weir_op_dynamic_update,
};

static void *evaluate(struct test_op_case *t, enum weir_isa isa, int threads)
{
    bool wide = isa == WEIR_ISA_F64;
    int64_t n = weir_shape_size(weir_value_shape(t->out));
    void *out = calloc((size_t)n + 1, 8);
    ck_assert(out);
    test_ok(weir_eval(&t->out, 1, isa, threads, wide ? t->leaves64 : t->leaves, t->c.n_in, &out));
    return out;
}

// --- every case: the same bits everywhere ---

START_TEST(every_isa_and_thread_count)
{
    struct test_op_case t;
    int n_cases = 0;
    for (; test_op_case_make(rows[_i], n_cases, &t); n_cases++) {
        int64_t n = weir_shape_size(weir_value_shape(t.out));
        void *want = evaluate(&t, WEIR_ISA_BASE, 1);
        for (int isa = 0; isa <= (int)weir_isa_best(); isa++)
            for (int threads = 1; threads <= 3; threads += 2) {
                char text[160];
                void *got = evaluate(&t, isa, threads);
                int64_t at = test_first_difference(weir_value_dtype(t.out), want, got, n, text,
                                                   sizeof(text));
                ck_assert_msg(at < 0, "%s, %s: isa %d, %d threads: element %lld: %s",
                              rows[_i]->name, t.c.label, isa, threads, (long long)at, text);
                free(got);
            }
        free(want);
        test_op_case_free(&t);
    }
    ck_assert_int_gt(n_cases, 4);
}
END_TEST

// --- restatements ---

// The contraction rule, a term at a time.
struct sum {
    float total, chain;
    int terms;
};

static void sum_term(struct sum *s, float a, float b, bool present)
{
    if (s->terms++ == 512) {
        s->total += s->chain;
        s->chain = 0;
        s->terms = 1;
    }
    if (present)
        s->chain = fmaf(a, b, s->chain);
}

static float sum_end(const struct sum *s)
{
    return s->total + s->chain;
}

static void check_f32(const struct test_op_case *t, const float *want, const float *got)
{
    char text[160];
    int64_t n = weir_shape_size(weir_value_shape(t->out));
    int64_t at = test_first_difference(WEIR_F32, want, got, n, text, sizeof(text));
    ck_assert_msg(at < 0, "%s, %s: element %lld: %s", t->op->name, t->c.label, (long long)at, text);
}

// Element (m, n) of one matrix product of two-dimensional cases.
static float matmul_element(const struct test_op_case *t, int64_t m, int64_t n)
{
    const float *a = t->data[0], *b = t->data[1];
    const struct weir_shape *as = &t->c.in[0].shape, *bs = &t->c.in[1].shape;
    bool ta = t->c.p[0], tb = t->c.p[1];
    int64_t k = ta ? as->dim[0] : as->dim[1];
    struct sum s = {0};
    for (int64_t i = 0; i < k; i++)
        sum_term(&s, a[ta ? i * as->dim[1] + m : m * as->dim[1] + i],
                 b[tb ? n * bs->dim[1] + i : i * bs->dim[1] + n], true);
    return sum_end(&s);
}

// After the evaluation: operands of 16 bits as floats, for the rules below.
static void widen_inputs(struct test_op_case *t)
{
    for (int i = 0; i < t->c.n_in; i++) {
        int64_t n = weir_shape_size(&t->c.in[i].shape);
        if (t->c.in[i].dtype != WEIR_F16 && t->c.in[i].dtype != WEIR_BF16)
            continue;
        float *wide = calloc((size_t)n + 1, sizeof(*wide));
        for (int64_t k = 0; k < n; k++)
            wide[k] = (float)((const double *)t->data64[i])[k];
        free(t->data[i]);
        t->data[i] = wide;
    }
}

START_TEST(matmul_follows_the_rule)
{
    struct test_op_case t;
    int checked = 0;
    for (int i = 0; test_op_case_make(&weir_op_matmul, i, &t); i++) {
        const struct weir_shape *y = weir_value_shape(t.out);
        if (y->rank == 2 && weir_value_dtype(t.out) == WEIR_F32) {
            float *got = evaluate(&t, weir_isa_best(), 2), *want = calloc(1 << 20, sizeof(float));
            widen_inputs(&t);
            for (int64_t e = 0; e < weir_shape_size(y); e++)
                want[e] = matmul_element(&t, e / y->dim[1], e % y->dim[1]);
            check_f32(&t, want, got);
            checked += weir_shape_size(y) > 0;
            free(got);
            free(want);
        }
        test_op_case_free(&t);
    }
    ck_assert_int_ge(checked, 10);
}
END_TEST

START_TEST(matmul_of_bytes_wraps)
{
    struct test_op_case t;
    for (int i = 0; test_op_case_make(&weir_op_matmul, i, &t); i++) {
        const struct weir_shape *y = weir_value_shape(t.out);
        if (y->rank == 2 && weir_value_dtype(t.out) == WEIR_I32) {
            int32_t *got = evaluate(&t, weir_isa_best(), 2);
            const int8_t *a = t.data[0], *b = t.data[1];
            int64_t k = t.c.in[0].shape.dim[1], n = y->dim[1];
            for (int64_t e = 0; e < y->dim[0] * n; e++) {
                int32_t want = 0;
                for (int64_t j = 0; j < k; j++)
                    want += a[e / n * k + j] * b[j * n + e % n];
                ck_assert_int_eq(got[e], want);
            }
            free(got);
        }
        test_op_case_free(&t);
    }
}
END_TEST

// A case's geometry with three spatial axes, absent ones of extent 1 in front.
struct geometry {
    int64_t n, groups, cin, cout; // channels in a group
    int64_t in[3], ker[3], out[3], stride[3], dilation[3], pad[3];
};

static struct geometry geometry_of(const struct test_op_case *t)
{
    const struct weir_shape *s[3] = {&t->c.in[0].shape, &t->c.in[1].shape,
                                     weir_value_shape(t->out)};
    int kind = (int)t->c.p[0], nd = (int)t->c.p[1]; // which of the three rows; see contract.c
    const struct weir_shape *x = s[kind == 1 ? 2 : 0], *w = s[kind == 2 ? 2 : 1],
                            *y = s[kind == 0   ? 2
                                   : kind == 1 ? 0
                                               : 1];
    struct geometry g = {.n = x->dim[0], .groups = t->c.p[17] ? t->c.p[17] : 1};
    g.cin = w->dim[nd + 1];
    g.cout = w->dim[0] / g.groups;
    for (int a = 0; a < 3; a++) {
        int from = a - (3 - nd);
        bool there = from >= 0;
        g.in[a] = there ? x->dim[from + 1] : 1;
        g.ker[a] = there ? w->dim[from + 1] : 1;
        g.out[a] = there ? y->dim[from + 1] : 1;
        g.stride[a] = there && t->c.p[5 + from] ? t->c.p[5 + from] : 1;
        g.dilation[a] = there && t->c.p[8 + from] ? t->c.p[8 + from] : 1;
        g.pad[a] = there ? t->c.p[11 + from] : 0;
    }
    return g;
}

static int64_t unpack(int64_t i, const int64_t *dim, int64_t *at)
{
    for (int a = 2; a >= 0; i /= dim[a], a--)
        at[a] = i % dim[a];
    return i;
}

static int64_t count(const int64_t *dim)
{
    return dim[0] * dim[1] * dim[2];
}

// The flat input position where output position o meets a tap, or -1.
static int64_t meet(const struct geometry *g, const int64_t *o, const int64_t *tap)
{
    int64_t flat = 0;
    for (int a = 0; a < 3; a++) {
        int64_t i = o[a] * g->stride[a] + tap[a] * g->dilation[a] - g->pad[a];
        if (i < 0 || i >= g->in[a])
            return -1;
        flat = flat * g->in[a] + i;
    }
    return flat;
}

static void conv_forward(const struct geometry *g, const float *x, const float *w, float *y)
{
    int64_t o[3], tap[3], c_in = g->cin * g->groups, c_out = g->cout * g->groups;
    for (int64_t e = 0; e < g->n * count(g->out) * c_out; e++) {
        int64_t co = e % c_out, n = unpack(e / c_out, g->out, o);
        struct sum s = {0};
        for (int64_t k = 0; k < count(g->ker) * g->cin; k++) {
            unpack(k / g->cin, g->ker, tap);
            int64_t i = meet(g, o, tap), ci = co / g->cout * g->cin + k % g->cin;
            sum_term(&s, i < 0 ? 0 : x[(n * count(g->in) + i) * c_in + ci],
                     w[co * count(g->ker) * g->cin + k], i >= 0);
        }
        y[e] = sum_end(&s);
    }
}

static void conv_dx(const struct geometry *g, const float *dy, const float *w, float *dx)
{
    int64_t o[3], tap[3], c_in = g->cin * g->groups, c_out = g->cout * g->groups;
    for (int64_t e = 0; e < g->n * count(g->in) * c_in; e++) {
        int64_t ci = e % c_in, at = e / c_in % count(g->in), n = e / c_in / count(g->in);
        struct sum s = {0};
        for (int64_t k = 0; k < count(g->ker) * g->cout; k++) {
            int64_t co = ci / g->cin * g->cout + k % g->cout, found = -1;
            unpack(k / g->cout, g->ker, tap);
            for (int64_t j = 0; j < count(g->out); j++) {
                unpack(j, g->out, o);
                found = meet(g, o, tap) == at ? j : found;
            }
            sum_term(&s, found < 0 ? 0 : dy[(n * count(g->out) + found) * c_out + co],
                     w[(co * count(g->ker) + k / g->cout) * g->cin + ci % g->cin], found >= 0);
        }
        dx[e] = sum_end(&s);
    }
}

static void conv_dw(const struct geometry *g, const float *x, const float *dy, float *dw)
{
    int64_t o[3], tap[3], c_in = g->cin * g->groups, c_out = g->cout * g->groups;
    for (int64_t e = 0; e < c_out * count(g->ker) * g->cin; e++) {
        int64_t co = e / g->cin / count(g->ker), ci = co / g->cout * g->cin + e % g->cin;
        struct sum s = {0};
        unpack(e / g->cin % count(g->ker), g->ker, tap);
        for (int64_t k = 0; k < g->n * count(g->out); k++) {
            int64_t n = unpack(k, g->out, o), i = meet(g, o, tap);
            sum_term(&s, i < 0 ? 0 : x[(n * count(g->in) + i) * c_in + ci], dy[k * c_out + co],
                     i >= 0);
        }
        dw[e] = sum_end(&s);
    }
}

START_TEST(convolutions_follow_the_rule)
{
    static void (*const rule[])(const struct geometry *, const float *, const float *,
                                float *) = {conv_forward, conv_dx, conv_dw};
    struct test_op_case t;
    for (int i = 0; test_op_case_make(rows[1 + _i], i, &t); i++) {
        struct geometry g = geometry_of(&t);
        int64_t n = weir_shape_size(weir_value_shape(t.out));
        float *got = evaluate(&t, weir_isa_best(), 2), *want = calloc((size_t)n + 1, sizeof(float));
        widen_inputs(&t);
        rule[_i](&g, t.data[0], t.data[1], want);
        check_f32(&t, want, got);
        free(got);
        free(want);
        test_op_case_free(&t);
    }
}
END_TEST

// cumsum by its recursive definition: scan the block totals, then add.
static void scan_rule(const float *x, float *y, int64_t n)
{
    int64_t blocks = (n + 63) / 64;
    float *total = calloc((size_t)blocks + 1, sizeof(float));
    for (int64_t i = 0; i < n; i++) {
        y[i] = i % 64 ? y[i - 1] + x[i] : x[i];
        total[i / 64] = y[i];
    }
    if (blocks > 1) {
        float *before = calloc((size_t)blocks, sizeof(float));
        scan_rule(total, before, blocks);
        for (int64_t i = 64; i < n; i++)
            y[i] = before[i / 64 - 1] + y[i];
        free(before);
    }
    free(total);
}

START_TEST(cumsum_follows_the_rule)
{
    enum { N = 64 * 64 * 64 + 77 }; // four levels
    uint64_t seed = 11;
    float *x = malloc(N * sizeof(*x)), *y = malloc(N * sizeof(*y)),
          *want = malloc(N * sizeof(*want));
    for (int i = 0; i < N; i++)
        x[i] = (float)((double)(int64_t)test_next(&seed) * 0x1p-63);
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(N), "x"), *out = weir_cumsum(in, 0);
    void *to = y;
    test_ok(weir_eval(&out, 1, weir_isa_best(), 1, &(struct weir_eval_leaf){in, x}, 1, &to));
    scan_rule(x, want, N);
    ck_assert_mem_eq(y, want, N * sizeof(*y));
    weir_graph_destroy(&g);
    free(x);
    free(y);
    free(want);
}
END_TEST

// --- moves by what they say ---

static int64_t axis_of(const struct test_op_case *t)
{
    int64_t axis = t->c.p[0];
    return axis < 0 ? axis + t->c.in[0].shape.rank : axis;
}

static void split(const struct weir_shape *s, int64_t axis, int64_t *outer, int64_t *inner)
{
    *outer = *inner = 1;
    for (int a = 0; a < s->rank; a++) {
        *outer *= a < axis ? s->dim[a] : 1;
        *inner *= a > axis ? s->dim[a] : 1;
    }
}

START_TEST(takes_and_scatters)
{
    // f32 cases: the five rows share (outer, n, inner) and m indices.
    const struct weir_op *op =
        (const struct weir_op *[]){&weir_op_take, &weir_op_take_along, &weir_op_scatter,
                                   &weir_op_scatter_add, &weir_op_scatter_add_along}[_i];
    bool along = _i == 1 || _i == 4;
    struct test_op_case t;
    for (int i = 0; test_op_case_make(op, i, &t); i++) {
        if (weir_value_dtype(t.out) == WEIR_F32) {
            int64_t axis = axis_of(&t), outer, inner, n = t.c.in[0].shape.dim[axis];
            split(&t.c.in[0].shape, axis, &outer, &inner);
            int64_t m = along ? t.c.in[1].shape.dim[axis] : weir_shape_size(&t.c.in[1].shape);
            const float *x = t.data[0], *u = t.data[2];
            const int32_t *idx = t.data[1];
            float *got = evaluate(&t, weir_isa_best(), 1);
            float *want =
                calloc((size_t)weir_shape_size(weir_value_shape(t.out)) + 1, sizeof(float));
            if (_i >= 2)
                memcpy(want, x, (size_t)(outer * n * inner) * sizeof(float));
            for (int64_t e = 0; e < outer * m * inner; e++) {
                int64_t o = e / inner / m, j = e / inner % m, k = e % inner,
                        at = idx[along ? e : j];
                if (_i < 2)
                    want[e] = x[(o * n + (at < 0 ? 0 : at >= n ? n - 1 : at)) * inner + k];
                else if (at >= 0 && at < n && _i == 2)
                    want[(o * n + at) * inner + k] = u[e];
                else if (at >= 0 && at < n)
                    want[(o * n + at) * inner + k] += u[e];
            }
            check_f32(&t, want, got);
            free(got);
            free(want);
        }
        test_op_case_free(&t);
    }
}
END_TEST

START_TEST(dynamic_slices_clamp)
{
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    float x[12], part[4] = {-1, -2, -3, -4}, cut[4], put[12];
    for (int i = 0; i < 12; i++)
        x[i] = (float)i;
    weir_value *vx = weir_constant(g, WEIR_F32, weir_shape(3, 4), x);
    weir_value *vp = weir_constant(g, WEIR_F32, weir_shape(2, 2), part);
    weir_value *at = weir_constant(g, WEIR_I32, weir_shape(2), (int32_t[]){9, -5});
    weir_value *out[2] = {weir_dynamic_slice(vx, at, (int64_t[]){2, 2}),
                          weir_dynamic_update(vx, vp, at)};
    test_ok(weir_eval(out, 2, WEIR_ISA_BASE, 1, NULL, 0, (void *[]){cut, put}));
    const float want_cut[4] = {4, 5, 8, 9};
    const float want_put[12] = {0, 1, 2, 3, -1, -2, 6, 7, -3, -4, 10, 11};
    ck_assert_mem_eq(cut, want_cut, sizeof(cut));
    ck_assert_mem_eq(put, want_put, sizeof(put));
    weir_graph_destroy(&g);
}
END_TEST

START_TEST(sort_orders_specials)
{
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    float x[9] = {NAN, 1, -0.0f, 0.0f, -INFINITY, INFINITY, -0.0f, -NAN, 1}, y[9];
    int32_t order[9];
    const int32_t want_order[9] = {4, 2, 6, 3, 1, 8, 5, 0, 7};
    weir_value *vx = weir_constant(g, WEIR_F32, weir_shape(9), x);
    weir_value *out[2] = {weir_sort(vx, 0), weir_argsort(vx, 0)};
    test_ok(weir_eval(out, 2, WEIR_ISA_BASE, 1, NULL, 0, (void *[]){y, order}));
    ck_assert_mem_eq(order, want_order, sizeof(order));
    for (int i = 0; i < 9; i++) {
        uint32_t bits;
        memcpy(&bits, &y[i], 4);
        if (i >= 7)
            ck_assert_uint_eq(bits, 0x7fc00000u);
        else
            ck_assert_mem_eq(&y[i], &x[want_order[i]], 4);
    }
    weir_graph_destroy(&g);
}
END_TEST

// argsort is a permutation in which (key, index) rises; sort is x in that order.
START_TEST(sort_and_argsort_agree)
{
    struct test_op_case a, b;
    for (int i = 0; test_op_case_make(&weir_op_argsort, i, &a); i++) {
        ck_assert(test_op_case_make(&weir_op_sort, i, &b));
        memcpy(b.data[0], a.data[0], (size_t)weir_shape_size(&a.c.in[0].shape) * 4);
        int64_t outer, inner, axis = axis_of(&a), n = a.c.in[0].shape.dim[axis];
        split(&a.c.in[0].shape, axis, &outer, &inner);
        int32_t *order = evaluate(&a, weir_isa_best(), 2);
        uint32_t *sorted = evaluate(&b, weir_isa_best(), 2);
        const uint32_t *x = a.data[0];
        enum weir_dtype t = a.c.in[0].dtype;
        for (int64_t row = 0; row < outer * inner; row++) {
            int64_t start = row / inner * n * inner + row % inner, index_sum = 0;
            for (int64_t k = 0; k < n; k++) {
                int64_t p = start + k * inner;
                char text[160];
                ck_assert(order[p] >= 0 && order[p] < n);
                index_sum += order[p];
                ck_assert(test_first_difference(t, &sorted[p], &x[start + order[p] * inner], 1,
                                                text, sizeof(text)) < 0);
                if (k > 0 && t == WEIR_F32) {
                    float u, v;
                    memcpy(&u, &sorted[p - inner], 4);
                    memcpy(&v, &sorted[p], 4);
                    ck_assert(
                        v != v || u < v ||
                        (u == v && (memcmp(&u, &v, 4) ? signbit(u) : order[p - inner] < order[p])));
                }
            }
            ck_assert_int_eq(index_sum, n * (n - 1) / 2);
        }
        free(order);
        free(sorted);
        test_op_case_free(&a);
        test_op_case_free(&b);
    }
}
END_TEST

// --- linear algebra against its own equations, in double ---

enum { SIZE = 23 };

static void random_matrix(double *a, uint64_t seed)
{
    for (int i = 0; i < SIZE * SIZE; i++)
        a[i] = (double)(int64_t)test_next(&seed) * 0x1p-63;
}

// Evaluates out[] in double from one matrix.
static void eval64(weir_value *in, const double *a, weir_value **out, int n, void *const *to)
{
    struct weir_eval_leaf leaf = {in, a};
    test_ok(weir_eval(out, n, WEIR_ISA_F64, 1, &leaf, 1, to));
}

START_TEST(cholesky_squares_back)
{
    static double x[SIZE * SIZE], a[SIZE * SIZE], l[SIZE * SIZE];
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(SIZE, SIZE), "a"), *out = weir_cholesky(in);
    random_matrix(x, 21);
    for (int i = 0; i < SIZE * SIZE; i++) {
        a[i] = i / SIZE == i % SIZE;
        for (int k = 0; k < SIZE; k++)
            a[i] += x[i / SIZE * SIZE + k] * x[i % SIZE * SIZE + k];
    }
    eval64(in, a, &out, 1, (void *[]){l});
    for (int i = 0; i < SIZE * SIZE; i++) {
        double back = 0;
        for (int k = 0; k < SIZE; k++)
            back += l[i / SIZE * SIZE + k] * l[i % SIZE * SIZE + k];
        ck_assert_double_eq_tol(back, a[i],
                                SIZE * 4 * 0x1p-52 * SIZE); // n rounding errors of size |a|
        if (i % SIZE > i / SIZE)
            ck_assert_double_eq(l[i], 0);
    }
    weir_graph_destroy(&g);
}
END_TEST

START_TEST(lu_multiplies_back)
{
    static double a[SIZE * SIZE], f[SIZE * SIZE];
    int32_t pivots[SIZE];
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(SIZE, SIZE), "a"), *p;
    weir_value *lu = weir_lu(in, &p), *sign, *log_det = weir_log_det(in, &sign);
    double det[2];
    random_matrix(a, 22);
    eval64(in, a, (weir_value *[]){lu, p, log_det, sign}, 4,
           (void *[]){f, pivots, &det[0], &det[1]});
    double log_want = 0, sign_want = 1;
    for (int k = 0; k < SIZE; k++) {
        ck_assert(pivots[k] >= k && pivots[k] < SIZE);
        for (int j = 0; j < SIZE; j++) {
            double keep = a[k * SIZE + j];
            a[k * SIZE + j] = a[pivots[k] * SIZE + j];
            a[pivots[k] * SIZE + j] = keep;
        }
        log_want += log(fabs(f[k * SIZE + k]));
        sign_want *= (f[k * SIZE + k] < 0 ? -1 : 1) * (pivots[k] != k ? -1 : 1);
    }
    for (int i = 0; i < SIZE * SIZE; i++) {
        double back = 0;
        int r = i / SIZE, c = i % SIZE;
        for (int k = 0; k <= (r < c ? r : c); k++)
            back += (k == r ? 1 : f[r * SIZE + k]) * f[k * SIZE + c];
        ck_assert_double_eq_tol(back, a[i], SIZE * SIZE * 4 * 0x1p-52);
        if (r > c) // partial pivoting
            ck_assert_double_le(fabs(f[i]), 1);
    }
    ck_assert_double_eq_tol(det[0], log_want, 1e-12);
    ck_assert_double_eq(det[1], sign_want);
    weir_graph_destroy(&g);
}
END_TEST

START_TEST(log_det_of_known_matrices)
{
    static const struct {
        double a[9], log_abs, sign;
    } known[] = {
        {{2, 0, 0, 0, 3, 0, 0, 0, 4}, 3.1780538303479458, 1},
        {{0, 1, 0, 1, 0, 0, 0, 0, 1}, 0, -1},
        {{0, 0, 2, 1, 0, 0, 0, -1, 0}, 0.6931471805599453, -1},
        {{1, 2, 3, 2, 4, 6, 1, 1, 1}, -INFINITY, 0},
    };
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(3, 3), "a"), *out[2];
    out[0] = weir_log_det(in, &out[1]);
    for (size_t i = 0; i < WEIR_COUNT(known); i++) {
        double got[2];
        eval64(in, known[i].a, out, 2, (void *[]){&got[0], &got[1]});
        if (isinf(known[i].log_abs))
            ck_assert(isinf(got[0]) && got[0] < 0);
        else
            ck_assert_double_eq_tol(got[0], known[i].log_abs, 1e-14);
        ck_assert_double_eq(got[1], known[i].sign);
    }
    weir_graph_destroy(&g);
}
END_TEST

START_TEST(triangular_solve_satisfies_its_equation)
{
    static double a[SIZE * SIZE], b[SIZE * SIZE], x[SIZE * SIZE];
    bool lower = _i & 1, transpose = _i & 2, unit = _i & 4;
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *va = weir_input(g, WEIR_F32, weir_shape(SIZE, SIZE), "a");
    weir_value *vb = weir_input(g, WEIR_F32, weir_shape(SIZE, SIZE), "b");
    weir_value *out = weir_triangular_solve(va, vb, lower, transpose, unit);
    random_matrix(a, 23);
    random_matrix(b, 24);
    for (int i = 0; i < SIZE * SIZE; i++)
        a[i] = i / SIZE == i % SIZE ? 2 + a[i] : a[i] / 4; // well conditioned
    struct weir_eval_leaf leaves[2] = {{va, a}, {vb, b}};
    test_ok(weir_eval(&out, 1, WEIR_ISA_F64, 1, leaves, 2, (void *[]){x}));
    for (int i = 0; i < SIZE * SIZE; i++) {
        double sum = 0;
        for (int k = 0; k < SIZE; k++) {
            int r = transpose ? k : i / SIZE, c = transpose ? i / SIZE : k;
            double e = r == c                    ? (unit ? 1 : a[r * SIZE + c])
                       : (lower ? c < r : c > r) ? a[r * SIZE + c]
                                                 : 0;
            sum += e * x[k * SIZE + i % SIZE];
        }
        ck_assert_double_eq_tol(sum, b[i], 1e-11);
    }
    weir_graph_destroy(&g);
}
END_TEST

// --- fft against the sum that defines it ---

START_TEST(fft_is_the_fourier_sum)
{
    static const int sizes[] = {1, 2, 3, 4, 5, 8, 12, 16, 31, 64, 128};
    int n = sizes[_i / 2];
    bool inverse = _i % 2;
    double x[256], y[256];
    float xf[256], yf[256];
    uint64_t seed = 31 + (uint64_t)_i;
    weir_graph *g;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_F32, weir_shape(n, 2), "x"), *out = weir_fft(in, inverse);
    for (int i = 0; i < 2 * n; i++)
        x[i] = xf[i] = (float)((double)(int64_t)test_next(&seed) * 0x1p-63);
    eval64(in, x, &out, 1, (void *[]){y});
    struct weir_eval_leaf leaf = {in, xf};
    test_ok(weir_eval(&out, 1, weir_isa_best(), 1, &leaf, 1, (void *[]){yf}));
    for (int k = 0; k < n; k++) {
        double re = 0, im = 0, size = 0;
        for (int j = 0; j < n; j++) {
            double t = (inverse ? 2 : -2) * 3.14159265358979323846 * ((double)j * k / n);
            re += x[2 * j] * cos(t) - x[2 * j + 1] * sin(t);
            im += x[2 * j] * sin(t) + x[2 * j + 1] * cos(t);
            size += hypot(x[2 * j], x[2 * j + 1]);
        }
        double scale = inverse ? 1.0 / n : 1;
        // Twiddles are f32 (2^-25 relative each); every output sums n terms of total size `size`
        // through at most 8 passes, or one chain of 2n, of f32 operations.
        double bound = size * scale * (n & (n - 1) ? 2 * n : 24) * 0x1p-24;
        ck_assert_double_eq_tol(y[2 * k], re * scale, size * scale * 9 * 0x1p-24 + 1e-15);
        ck_assert_double_eq_tol(y[2 * k + 1], im * scale, size * scale * 9 * 0x1p-24 + 1e-15);
        ck_assert_double_eq_tol(yf[2 * k], re * scale, bound + 1e-7 * (n == 1));
        ck_assert_double_eq_tol(yf[2 * k + 1], im * scale, bound + 1e-7 * (n == 1));
    }
    weir_graph_destroy(&g);
}
END_TEST

// --- bad arguments ---

START_TEST(errors_say_what_is_wrong)
{
    weir_graph *g = NULL;
#define FAILS(expr, fragment)                                                                      \
    do {                                                                                           \
        test_log_clear();                                                                          \
        ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);                               \
        weir_value *a = weir_input(g, WEIR_F32, weir_shape(4, 6, 6, 3), "a");                      \
        weir_value *m = weir_input(g, WEIR_F32, weir_shape(4, 6), "m");                            \
        weir_value *i = weir_input(g, WEIR_I32, weir_shape(4), "i");                               \
        ck_assert(a &&m &&i);                                                                      \
        ck_assert(weir_is_poison(expr));                                                           \
        ck_assert_msg(strstr(weir_graph_message(g), fragment), "%s", weir_graph_message(g));       \
        weir_graph_destroy(&g);                                                                    \
    } while (0)
    FAILS(weir_matmul(m, m, false, false), "summed extents differ");
    FAILS(weir_matmul(m, i, false, false), "must be floats of one type, or both i8");
    FAILS(weir_conv(weir_slice(a, 1, 0, 3, 1), a, NULL), "larger than the padded input");
    FAILS(weir_conv(m, m, NULL), "1 to 3 spatial axes");
    FAILS(weir_conv(a, a, &(struct weir_conv_params){.stride = {-1}}), "may not be negative");
    FAILS(weir_take(m, m, 0), "indices must be i32");
    FAILS(weir_take(m, i, 2), "no such axis");
    FAILS(weir_scatter_add(m, i, m, 1), "updates need the shape");
    FAILS(weir_cumsum(m, 7), "no such axis");
    FAILS(weir_sort(weir_cast(m, WEIR_F16), 0), "must be f32, i32 or u32");
    FAILS(weir_cholesky(m), "must be square");
    FAILS(weir_triangular_solve(weir_matmul(m, m, true, false), m, true, false, false),
          "does not fit");
    FAILS(weir_dynamic_slice(m, i, (int64_t[]){1, 1}), "one entry an axis");
    FAILS(weir_fft(m, false), "trailing axis of 2");
#undef FAILS
}
END_TEST

int main(void)
{
    Suite *s = suite_create("opaque");
    TCase *t = tcase_create("opaque");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_isa_and_thread_count, 0, (int)WEIR_COUNT(rows));
    tcase_add_test(t, matmul_follows_the_rule);
    tcase_add_test(t, matmul_of_bytes_wraps);
    tcase_add_loop_test(t, convolutions_follow_the_rule, 0, 3);
    tcase_add_test(t, cumsum_follows_the_rule);
    tcase_add_loop_test(t, takes_and_scatters, 0, 5);
    tcase_add_test(t, dynamic_slices_clamp);
    tcase_add_test(t, sort_orders_specials);
    tcase_add_test(t, sort_and_argsort_agree);
    tcase_add_test(t, cholesky_squares_back);
    tcase_add_test(t, lu_multiplies_back);
    tcase_add_test(t, log_det_of_known_matrices);
    tcase_add_loop_test(t, triangular_solve_satisfies_its_equation, 0, 8);
    tcase_add_loop_test(t, fft_is_the_fourier_sum, 0, 22);
    tcase_add_test(t, errors_say_what_is_wrong);
    suite_add_tcase(s, t);
    return test_main(s);
}
