// SPDX-License-Identifier: Apache-2.0
// Loops on $WEIR_TEST_DEVICE (or the host) against the same bodies unrolled by hand: the bits of
// the evaluator, of programs fused, unfused and unplanned; gradients against an unrolled walk
// backwards. What grows with the number of iterations: test_loop_sizes.c.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "graph/graph.h"
#include "support/op_case.h"
#include "support/support.h"
#include "weir/weir.h"

enum { N = 5, ROWS = 4, WIDTH = 6, MOST = 24 };
enum { C0, XS, W, SEED, COUNTS, N_IN };

static weir_device *dev;

struct inputs {
    weir_value *v[N_IN];
    float c0[ROWS * WIDTH], xs[N * ROWS * WIDTH], w[WIDTH * WIDTH];
    double wide[3][N * ROWS * WIDTH];
    uint32_t seed[2];
    int32_t counts[N];
    struct weir_eval_leaf leaf[N_IN], leaf64[N_IN];
    struct weir_binding binding[N_IN];
};

static weir_graph *make_inputs(struct inputs *in)
{
    weir_graph *g = NULL;
    uint64_t s = 11;
    test_ok(weir_graph_create(&test_log, &g));
    float *data[3] = {in->c0, in->xs, in->w};
    const int sizes[3] = {ROWS * WIDTH, N * ROWS * WIDTH, WIDTH * WIDTH};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < sizes[i]; k++)
            in->wide[i][k] = data[i][k] = (float)((double)(int64_t)test_next(&s) * 0x1p-63);
    in->seed[0] = 7;
    in->seed[1] = 9;
    for (int k = 0; k < N; k++)
        in->counts[k] = 3 * k - 4;
    in->v[C0] = weir_input(g, WEIR_F32, weir_shape(ROWS, WIDTH), "c0");
    in->v[XS] = weir_input(g, WEIR_F32, weir_shape(N, ROWS, WIDTH), "xs");
    in->v[W] = weir_input(g, WEIR_F32, weir_shape(WIDTH, WIDTH), "w");
    in->v[SEED] = weir_input(g, WEIR_U32, weir_shape(2), "seed");
    in->v[COUNTS] = weir_input(g, WEIR_I32, weir_shape(N), "counts");
    const void *all[N_IN] = {in->c0, in->xs, in->w, in->seed, in->counts};
    for (int i = 0; i < N_IN; i++) {
        in->leaf[i] = (struct weir_eval_leaf){in->v[i], all[i]};
        in->leaf64[i] =
            (struct weir_eval_leaf){in->v[i], i < 3 ? (const void *)in->wide[i] : all[i]};
        in->binding[i] = (struct weir_binding){in->v[i], all[i]};
    }
    return g;
}

// --- the unrolled form ---

static int64_t unrolled_at = -1; // the iteration being built, -1 where loops are loops

// The same value, seen through views: no product node.
static weir_value *through_views(weir_value *v)
{
    struct weir_shape s = *weir_value_shape(v), longer = s;
    longer.dim[longer.rank++] = 1;
    return weir_reshape(weir_reshape(v, longer), s);
}

static weir_value *slice_of(weir_value *xs, int64_t i)
{
    struct weir_shape s = *weir_value_shape(xs);
    memmove(s.dim, s.dim + 1, (size_t)--s.rank * sizeof(s.dim[0]));
    return weir_reshape(weir_slice(xs, 0, i, i + 1, 1), s);
}

static weir_value *stack(weir_value **v, int64_t n)
{
    weir_value *row[16];
    ck_assert_int_le(n, 16);
    for (int64_t i = 0; i < n; i++) {
        struct weir_shape s = *weir_value_shape(v[i]);
        memmove(s.dim + 1, s.dim, (size_t)s.rank++ * sizeof(s.dim[0]));
        s.dim[0] = 1;
        row[i] = weir_reshape(v[i], s);
    }
    return weir_concat(row, (int)n, 0);
}

static void unroll(const struct weir_loop_params *p, weir_value **carry, weir_value **ys)
{
    weir_value *c[4], *x[4], *next[4], *y[8], *all[8][16];
    int64_t outer = unrolled_at;
    for (int k = 0; k < p->n_carry; k++)
        next[k] = p->carry[k];
    for (int64_t i = 0; i < p->n; i++) {
        for (int k = 0; k < p->n_carry; k++)
            c[k] = through_views(next[k]);
        for (int k = 0; k < p->n_xs; k++)
            x[k] = slice_of(p->xs[k], i);
        unrolled_at = i;
        p->body(p->ctx, c, x, next, y);
        for (int k = 0; k < p->n_ys; k++)
            all[k][i] = y[k];
    }
    unrolled_at = outer;
    for (int k = 0; k < p->n_carry; k++)
        carry[k] = through_views(next[k]);
    for (int k = 0; k < p->n_ys; k++)
        ys[k] = stack(all[k], p->n);
}

static void repeat(const struct weir_loop_params *p, weir_value **carry, weir_value **ys)
{
    if (unrolled_at >= 0)
        unroll(p, carry, ys);
    else
        weir_loop(p, carry, ys);
}

static weir_value *number(weir_value *v)
{
    return unrolled_at >= 0 ? weir_u32(weir_value_graph(v), (uint32_t)unrolled_at)
                            : weir_loop_index(v);
}

// --- bodies ---

typedef int build_fn(struct inputs *in, weir_value **out); // returns the number of outputs

// Carried values that swap, stay, count; results that are computed, given, captured, repeated;
// noise of a stream whose step is the iteration; a product that is carried on and one that is
// captured.
struct mixed_ctx {
    weir_value *w, *seed, *product;
};

static void mixed(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                  weir_value **y)
{
    struct mixed_ctx *m = ctx;
    weir_value *i = number(c[0]), *h = weir_matmul(c[0], m->w, false, false);
    weir_value *noise = weir_random_normal(m->seed, i, weir_u32(weir_value_graph(i), 3),
                                           weir_shape(ROWS, WIDTH), "loop");
    y[0] = weir_softmax(weir_add(h, x[0]), -1);
    y[1] = weir_add(x[0], c[0]);
    y[2] = c[2];
    y[3] = x[0];
    y[4] = weir_add(c[1], m->product);
    y[5] = weir_mul(weir_cast(i, WEIR_F32), weir_f32(weir_value_graph(i), 0.25));
    y[6] = noise;
    y[7] = m->w;
    next[0] = weir_mul(weir_tanh(h), y[1]);
    next[1] = c[0];
    next[2] = weir_add(c[2], x[1]);
    next[0] = weir_select(weir_lt(noise, weir_f32(weir_value_graph(i), 0)), c[1], next[0]);
}

static int run_mixed(struct inputs *in, weir_value **out)
{
    struct mixed_ctx m = {in->v[W], in->v[SEED], weir_mul(in->v[C0], weir_sin(in->v[C0]))};
    weir_value *carry[3] = {in->v[C0], weir_flip(in->v[C0], 1),
                            weir_i32(weir_value_graph(in->v[C0]), 5)};
    weir_value *xs[2] = {in->v[XS], in->v[COUNTS]};
    repeat(&(struct weir_loop_params){.n = N, .carry = carry, .n_carry = 3, .xs = xs, .n_xs = 2,
                                      .n_ys = 8, .body = mixed, .ctx = &m},
           out, out + 3);
    out[11] = weir_add(out[0], weir_exp(out[1]));
    return 12;
}

// Loops in one another: the inner ones have slices of slices, both numbers, and results.
struct nest_ctx {
    weir_value *outer, *middle, *seed, *w;
};

static void innermost(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                      weir_value **y)
{
    struct nest_ctx *m = ctx;
    weir_graph *g = weir_value_graph(c[0]);
    weir_value *at = weir_add(
        weir_add(weir_mul(m->outer, weir_u32(g, 100)), weir_mul(m->middle, weir_u32(g, 10))),
        number(c[0]));
    y[0] = weir_add(c[0],
                    weir_random_uniform(m->seed, at, weir_u32(g, 0), weir_shape(WIDTH), "inner"));
    next[0] = weir_sin(weir_add(y[0], m->w));
}

static void middle(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                   weir_value **y)
{
    struct nest_ctx m = *(struct nest_ctx *)ctx;
    weir_value *sum = weir_add(c[0], x[0]);
    m.middle = number(c[0]);
    m.w = weir_reshape(weir_slice(m.w, 0, 2, 3, 1), weir_shape(WIDTH));
    repeat(
        &(struct weir_loop_params){
            .n = 3, .carry = &sum, .n_carry = 1, .n_ys = 1, .body = innermost, .ctx = &m},
        next, y);
    y[1] = c[0];
}

static void outer(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                  weir_value **y)
{
    struct nest_ctx m = *(struct nest_ctx *)ctx;
    weir_value *part[2];
    m.outer = number(c[0]);
    repeat(&(struct weir_loop_params){.n = ROWS,
                                      .carry = c,
                                      .n_carry = 1,
                                      .xs = x,
                                      .n_xs = 1,
                                      .n_ys = 2,
                                      .body = middle,
                                      .ctx = &m},
           next, part);
    y[0] = weir_mul(weir_sum(part[0], weir_axes(1), false), part[1]);
    y[1] = part[0];
}

static int run_nested(struct inputs *in, weir_value **out)
{
    struct nest_ctx m = {.seed = in->v[SEED], .w = in->v[W]};
    weir_value *first = weir_reshape(weir_slice(in->v[C0], 0, 1, 2, 1), weir_shape(WIDTH));
    repeat(&(struct weir_loop_params){.n = N, .carry = &first, .n_carry = 1, .xs = &in->v[XS],
                                      .n_xs = 1, .n_ys = 2, .body = outer, .ctx = &m},
           out, out + 1);
    return 3;
}

// Equal small launches that do not need each other, whose results go to several places: a value that is
// carried twice and a result besides, carried values that change places, in a loop and in a loop of loops.
static void shared(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                   weir_value **y)
{
    weir_value *a = weir_softmax(weir_add(c[0], x[0]), -1);
    weir_value *b = weir_softmax(weir_mul(c[1], x[0]), -1);
    y[0] = b;
    y[1] = weir_softmax(c[2], -1);
    y[2] = a;
    next[0] = b;
    next[1] = weir_add(weir_softmax(weir_sub(c[2], x[0]), -1), a);
    next[2] = b;
}

static void loop_of_shared(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                           weir_value **y)
{
    weir_value *ys[3];
    repeat(&(struct weir_loop_params){
               .n = N, .carry = c, .n_carry = 3, .xs = ctx, .n_xs = 1, .n_ys = 3, .body = shared},
           next, ys);
    y[0] = weir_softmax(c[0], -1);
    y[1] = next[1];
    y[2] = ys[1];
}

static int run_shared(struct inputs *in, weir_value **out)
{
    weir_value *carry[3] = {in->v[C0], weir_sin(in->v[C0]), weir_cos(in->v[C0])};
    repeat(&(struct weir_loop_params){.n = N, .carry = carry, .n_carry = 3, .xs = &in->v[XS],
                                      .n_xs = 1, .n_ys = 3, .body = shared},
           out, out + 3);
    repeat(&(struct weir_loop_params){.n = 3, .carry = carry, .n_carry = 3, .n_ys = 3,
                                      .body = loop_of_shared, .ctx = &in->v[XS]},
           out + 6, out + 9);
    return 12;
}

// Something to differentiate: a small recurrent net with a checkpoint and a rule of its own, both
// of which capture w.
static weir_value *through_w(void *ctx, weir_value *const *in)
{
    return weir_tanh(weir_matmul(in[0], ctx, false, false));
}

static weir_value *damp(void *ctx, weir_value *const *in)
{
    return weir_mul(in[0], weir_sigmoid(in[1]));
}

static void damp_vjp(void *ctx, weir_value *const *in, weir_value *y, weir_value *dy,
                     weir_value **dx)
{
    weir_value *s = weir_sigmoid(in[1]);
    dx[0] = weir_mul(dy, s);
    dx[1] = weir_mul(dy, weir_mul(y, weir_sub(weir_f32(weir_value_graph(y), 1), s)));
}

static void cell(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                 weir_value **y)
{
    weir_value *h = weir_checkpoint(through_w, ctx, (weir_value *[]){weir_add(c[0], x[0])}, 1);
    weir_value *both[2] = {h, c[1]};
    next[0] = weir_custom_vjp(damp, damp_vjp, NULL, both, 2);
    next[1] = weir_add(weir_mul(c[1], weir_f32(weir_value_graph(h), 0.5)), h);
    y[0] = weir_mul(next[0], x[0]);
}

static void run_cell(struct inputs *in, weir_value **out)
{
    weir_value *carry[2] = {in->v[C0], weir_cos(in->v[C0])};
    repeat(&(struct weir_loop_params){.n = N,
                                      .carry = carry,
                                      .n_carry = 2,
                                      .xs = &in->v[XS],
                                      .n_xs = 1,
                                      .n_ys = 1,
                                      .body = cell,
                                      .ctx = in->v[W]},
           out, out + 2);
}

static weir_value *loss_of(weir_value **v)
{
    weir_value *sum = weir_sum(weir_square(v[0]), weir_all_axes, false);
    sum = weir_add(sum, weir_sum(weir_sin(v[1]), weir_all_axes, false));
    return weir_add(sum, weir_sum(weir_mul(v[2], weir_cos(v[2])), weir_all_axes, false));
}

static int run_gradients(struct inputs *in, weir_value **out)
{
    weir_value *v[3], *d[3];
    run_cell(in, v);
    out[0] = loss_of(v);
    weir_grad(out[0], in->v, &out[1], 3);
    weir_value *square = weir_f32(weir_value_graph(v[0]), 0); // second order: grad |grad|^2, jvp of
                                                              // grad
    for (int i = 0; i < 3; i++)
        square = weir_add(square, weir_sum(weir_square(out[1 + i]), weir_all_axes, false));
    weir_grad(square, in->v, &out[4], 3);
    for (int i = 0; i < 3; i++)
        d[i] = weir_sin(in->v[i]);
    weir_jvp(out, &out[7], 4, in->v, d, 3);
    weir_vjp(&out[7], NULL, 1, in->v, &out[11], 3);
    return 14;
}

// Loops in one another, differentiated: the inner body's checkpoint captures what the outer body
// made, which must be found again in the copies that gradients are made of; a checkpoint around a
// loop.
static weir_value *bend(void *ctx, weir_value *const *in)
{
    weir_value **outside = ctx; // of the outer body, of the graph around it
    return weir_sin(weir_add(weir_mul(in[0], outside[0]), outside[1]));
}

static void bent(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                 weir_value **y)
{
    next[0] = weir_mul(weir_checkpoint(bend, ctx, c, 1), weir_exp(x[0]));
    y[0] = next[0];
}

struct bend_ctx {
    weir_value *w;
};

static weir_value *inner_loop(void *ctx, weir_value *const *in)
{
    weir_value *end, *ys;
    repeat(&(struct weir_loop_params){.n = ROWS,
                                      .carry = in,
                                      .n_carry = 1,
                                      .xs = in + 1,
                                      .n_xs = 1,
                                      .n_ys = 1,
                                      .body = bent,
                                      .ctx = ctx},
           &end, &ys);
    return weir_add(end, weir_sum(ys, weir_axes(0), false));
}

static void outer_loop(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                       weir_value **y)
{
    struct bend_ctx *m = ctx;
    weir_value *in[2] = {c[0], x[0]};
    weir_value **made = weir_arena_array(weir_value_graph(c[0])->arena, 2, sizeof(*made));
    made[0] = weir_cos(c[0]);
    made[1] = m->w;
    next[0] = weir_mul_c(weir_checkpoint(inner_loop, made, in, 2), 0.25);
}

static int run_nested_gradients(struct inputs *in, weir_value **out)
{
    struct bend_ctx m = {.w = weir_reshape(weir_slice(in->v[W], 0, 0, 1, 1), weir_shape(WIDTH))};
    weir_value *first = weir_reshape(weir_slice(in->v[C0], 0, 1, 2, 1), weir_shape(WIDTH)), *end;
    repeat(&(struct weir_loop_params){.n = N, .carry = &first, .n_carry = 1, .xs = &in->v[XS],
                                      .n_xs = 1, .body = outer_loop, .ctx = &m},
           &end, NULL);
    out[0] = weir_sum(weir_square(end), weir_all_axes, false);
    weir_grad(out[0], in->v, &out[1], 3);
    weir_grad(weir_sum(weir_square(out[3]), weir_all_axes, false), in->v, &out[4], 3);
    return 7;
}

// --- comparisons ---

static void **make_results(weir_value **v, int n)
{
    void **out = calloc((size_t)n, sizeof(*out));
    for (int i = 0; i < n; i++) {
        out[i] = calloc((size_t)weir_shape_size(weir_value_shape(v[i])) + 1, sizeof(double));
        ck_assert_ptr_nonnull(out[i]);
    }
    return out;
}

static void free_results(void **r, int n)
{
    for (int i = 0; i < n; i++)
        free(r[i]);
    free(r);
}

static void **evaluate(const struct inputs *in, weir_value **v, int n, enum weir_isa isa)
{
    void **out = make_results(v, n);
    for (int i = 0; i < n; i++)
        ck_assert_msg(!weir_is_poison(v[i]), "output %d: %s", i,
                      weir_graph_message(weir_value_graph(in->v[0])));
    test_ok(weir_eval(v, n, isa, 2, isa == WEIR_ISA_F64 ? in->leaf64 : in->leaf, N_IN, out));
    return out;
}

static void same_bits(weir_value **v, int n, void **want, void **got, const char *how)
{
    char text[160];
    for (int i = 0; i < n; i++) {
        int64_t size = weir_shape_size(weir_value_shape(v[i]));
        int64_t bad = test_first_difference(weir_value_dtype(v[i]), want[i], got[i], size, text,
                                            sizeof(text));
        ck_assert_msg(bad < 0, "%s: output %d, element %lld of %lld: %s", how, i, (long long)bad,
                      (long long)size, text);
    }
}

// The first `ways` of these.
static void run_on_device(const struct inputs *in, weir_value **v, int n, void **want, size_t ways)
{
    static const struct weir_compile_params how[] = {{.label = "fused"},
                                                     {.label = "unplanned", .no_plan = true},
                                                     {.label = "unfused", .no_fusion = true}};
    for (size_t k = 0; k < ways; k++) {
        weir_program *p = NULL;
        void **got = make_results(v, n);
        test_ok(weir_compile(dev, v, n, &how[k], &p));
        for (int round = 0; round < 2; round++) {
            test_ok(weir_run(p, in->binding, N_IN));
            for (int i = 0; i < n; i++)
                test_ok(weir_read(p, i, got[i]));
            same_bits(v, n, want, got, how[k].label);
        }
        free_results(got, n);
        weir_program_destroy(&p);
    }
}

// The loop has the bits of the unrolled form, in the evaluator and on the device.
static void check_bits(build_fn *build)
{
    struct inputs in, flat;
    weir_value *v[MOST], *u[MOST];
    weir_graph *g = make_inputs(&in), *h = make_inputs(&flat);
    int n = build(&in, v);
    unrolled_at = 0;
    ck_assert_int_eq(build(&flat, u), n);
    unrolled_at = -1;
    void **want = evaluate(&flat, u, n, WEIR_ISA_BASE), **got = evaluate(&in, v, n, WEIR_ISA_BASE);
    same_bits(v, n, want, got, "evaluator");
    run_on_device(&in, v, n, want, 3);
    free_results(want, n);
    free_results(got, n);
    weir_graph_destroy(&g);
    weir_graph_destroy(&h);
}

START_TEST(bits_of_the_unrolled_form)
{
    static build_fn *const build[] = {run_mixed, run_nested, run_shared};
    check_bits(build[_i]);
}
END_TEST

// In double both forms compute the same sums in another order: they are apart by roundings, some
// 1e4 of 2^-53 each.
START_TEST(derivatives_of_the_unrolled_form)
{
    struct inputs in, flat;
    weir_value *v[MOST], *u[MOST];
    weir_graph *g = make_inputs(&in), *h = make_inputs(&flat);
    build_fn *build = _i ? run_nested_gradients : run_gradients;
    int n = build(&in, v);
    unrolled_at = 0;
    build(&flat, u);
    unrolled_at = -1;
    void **want = evaluate(&flat, u, n, WEIR_ISA_F64), **got = evaluate(&in, v, n, WEIR_ISA_F64);
    for (int i = 0; i < n; i++) {
        const double *a = want[i], *b = got[i];
        double most = 0;
        for (int64_t k = 0; k < weir_shape_size(weir_value_shape(v[i])); k++)
            most = fmax(most, fabs(a[k]));
        ck_assert_double_gt(most, 0); // there is something to compare
        for (int64_t k = 0; k < weir_shape_size(weir_value_shape(v[i])); k++)
            ck_assert_msg(fabs(a[k] - b[k]) <= 1e4 * 0x1p-53 * most,
                          "output %d, element %lld: %.17g and %.17g", i, (long long)k, a[k], b[k]);
    }
    free_results(want, n);
    free_results(got, n);
    want = evaluate(&in, v, n, WEIR_ISA_BASE);
    run_on_device(&in, v, n, want, 2);
    free_results(want, n);
    weir_graph_destroy(&g);
    weir_graph_destroy(&h);
}
END_TEST

// The gradient by hand: from the last iteration to the first the vjp of one iteration at a time,
// what was summed before coming first, then results, then carried values.
static void backwards_by_hand(struct inputs *in, weir_value **dy, weir_value **out)
{
    weir_value *c[N + 1][2], *y, *dx[N], *minus = weir_f32(weir_value_graph(in->v[W]), -0.0);
    weir_value *sum = weir_broadcast(minus, *weir_value_shape(in->v[W])), *dc[2] = {dy[0], dy[1]};
    c[0][0] = in->v[C0];
    c[0][1] = weir_cos(in->v[C0]);
    for (int i = 0; i < N; i++) {
        weir_value *x = slice_of(in->v[XS], i),
                   *now[2] = {through_views(c[i][0]), through_views(c[i][1])};
        cell(in->v[W], now, &x, c[i + 1], &y);
    }
    for (int i = N - 1; i >= 0; i--) {
        weir_value *from[4], *to[4], *d[4], *seed[4];
        for (int k = 0; k < 2; k++)
            from[k] = weir_stop_gradient(through_views(c[i][k]));
        from[2] = slice_of(in->v[XS], i);
        from[3] = in->v[W];
        cell(in->v[W], from, from + 2, to + 2, to + 1);
        to[0] = in->v[W];
        seed[0] = through_views(sum);
        seed[1] = slice_of(dy[2], i);
        seed[2] = through_views(dc[0]);
        seed[3] = through_views(dc[1]);
        weir_vjp(to, seed, 4, from, d, 4);
        dc[0] = d[0];
        dc[1] = d[1];
        dx[i] = d[2];
        sum = d[3];
    }
    out[0] = dc[0];
    out[1] = dc[1];
    out[2] = stack(dx, N);
    out[3] = sum;
}

START_TEST(gradient_bits_of_the_walk_by_hand)
{
    struct inputs in, flat;
    weir_value *v[4], *u[4], *dy[3], *r[3], *x[4];
    weir_graph *g = make_inputs(&in), *h = make_inputs(&flat);
    for (int side = 0; side < 2; side++) {
        struct inputs *i = side ? &flat : &in;
        dy[0] = weir_sin(i->v[C0]);
        dy[1] = weir_exp(i->v[C0]);
        dy[2] = weir_sin(i->v[XS]);
        if (side) {
            backwards_by_hand(i, dy, u);
            continue;
        }
        x[0] = weir_stop_gradient(i->v[C0]);
        x[1] = weir_cos(i->v[C0]);
        x[2] = i->v[XS];
        x[3] = i->v[W];
        weir_loop(&(struct weir_loop_params){.n = N,
                                             .carry = x,
                                             .n_carry = 2,
                                             .xs = x + 2,
                                             .n_xs = 1,
                                             .n_ys = 1,
                                             .body = cell,
                                             .ctx = x[3]},
                  r, r + 2);
        weir_vjp(r, dy, 3, x, v, 4);
    }
    void **want = evaluate(&flat, u, 4, WEIR_ISA_BASE), **got = evaluate(&in, v, 4, WEIR_ISA_BASE);
    same_bits(v, 4, want, got, "evaluator");
    run_on_device(&in, v, 4, want, 3);
    free_results(want, 4);
    free_results(got, 4);
    weir_graph_destroy(&g);
    weir_graph_destroy(&h);
}
END_TEST

// --- the rest ---

START_TEST(no_iterations)
{
    struct inputs in;
    weir_value *v[8], *ys, *dx[3], *x[3], *none;
    weir_graph *g = make_inputs(&in);
    none = weir_slice(in.v[XS], 0, 0, 0, 1);
    x[0] = weir_sin(in.v[C0]), x[1] = none, x[2] = in.v[W];
    weir_value *carry[2] = {x[0], weir_cos(in.v[C0])};
    weir_loop(&(struct weir_loop_params){.n = 0,
                                         .carry = carry,
                                         .n_carry = 2,
                                         .xs = &none,
                                         .n_xs = 1,
                                         .n_ys = 1,
                                         .body = cell,
                                         .ctx = in.v[W]},
              v, &ys);
    ck_assert(weir_shape_equal(weir_value_shape(ys), &weir_shape(0, ROWS, WIDTH)));
    weir_vjp(v, &in.v[C0], 1, x, dx, 3);
    weir_jvp(v, &v[3], 2, x, (weir_value *[]){in.v[C0], none, in.v[W]}, 3);
    v[2] = ys;
    v[5] = dx[0];
    v[6] = dx[2];
    void **got = evaluate(&in, v, 7, WEIR_ISA_BASE);
    for (int k = 0; k < ROWS * WIDTH; k++) {
        ck_assert_float_eq(((float *)got[3])[k], in.c0[k]);
        ck_assert_float_eq(((float *)got[4])[k], 0);
        ck_assert_float_eq(((float *)got[5])[k], in.c0[k]);
    }
    for (int k = 0; k < WIDTH * WIDTH; k++)
        ck_assert_float_eq(((float *)got[6])[k], 0);
    run_on_device(&in, v, 7, got, 2);
    free_results(got, 7);
    weir_graph_destroy(&g);
}
END_TEST

static enum weir_status count(void *ctx, const void *const *in, void *const *out)
{
    int *calls = ctx;
    *(float *)out[0] = *(const float *)in[0] + (float)++*calls;
    return WEIR_OK;
}

struct state_ctx {
    weir_state *state;
    int calls;
};

static void reads_a_state(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                          weir_value **y)
{
    struct state_ctx *s = ctx;
    weir_graph *g = weir_value_graph(c[0]);
    weir_value *v = weir_add(c[0], weir_state_value(g, s->state));
    next[0] = weir_host_call(g, count, &s->calls, &v, 1, WEIR_F32, weir_scalar_shape);
}

// A state is read as it was before the run in every iteration; a user's function runs in each.
START_TEST(states_and_host_calls)
{
    struct state_ctx s = {0};
    weir_graph *g = NULL;
    weir_program *p = NULL;
    float value = 10, got;
    test_ok(weir_graph_create(&test_log, &g));
    test_ok(weir_state_create(dev, WEIR_F32, weir_scalar_shape, "s", &s.state));
    test_ok(weir_state_write(s.state, &value));
    weir_value *c = weir_f32(g, 0.5), *v;
    weir_loop(
        &(struct weir_loop_params){
            .n = 4, .carry = &c, .n_carry = 1, .body = reads_a_state, .ctx = &s},
        &v, NULL);
    weir_assign(s.state, v);
    test_ok(weir_compile(dev, &v, 1, NULL, &p));
    test_ok(weir_run(p, NULL, 0));
    test_ok(weir_read(p, 0, &got));
    ck_assert_float_eq(got, 0.5f + 4 * 10 + 1 + 2 + 3 + 4);
    test_ok(weir_run(p, NULL, 0));
    test_ok(weir_state_read(s.state, &value));
    ck_assert_float_eq(value, 0.5f + 4 * got + 5 + 6 + 7 + 8);
    ck_assert_int_eq(s.calls, 8);
    weir_program_destroy(&p);
    weir_state_destroy(&s.state);
    weir_graph_destroy(&g);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1); // OpenCL does not survive a fork on every driver
    const char *selector = getenv("WEIR_TEST_DEVICE");
    struct weir_device_params params = {
        .log = test_log, .threads = 2, .selector = selector ? selector : "host"};
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        fprintf(stderr, "%s\n", test_log_text());
        return 1;
    }
    Suite *suite = suite_create("loop-runs");
    TCase *t = tcase_create("loop-runs");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, bits_of_the_unrolled_form, 0, 3);
    tcase_add_loop_test(t, derivatives_of_the_unrolled_form, 0, 2);
    tcase_add_test(t, gradient_bits_of_the_walk_by_hand);
    tcase_add_test(t, no_iterations);
    tcase_add_test(t, states_and_host_calls);
    suite_add_tcase(suite, t);
    int status = test_main(suite);
    weir_device_close(&dev);
    return status;
}
