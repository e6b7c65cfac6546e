// SPDX-License-Identifier: Apache-2.0
// Solvers: measured orders of convergence on the double oracle, for y' = -2 s y², y(0) = 1, whose solution is
// 1/(1 + s²); adaptive steps, which end whatever the field does; the noise of churn against its definition.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "flow/integrate.h"
#include "graph/eval.h"
#include "support/support.h"

// --- orders ---

static weir_value *riccati(void *ctx, weir_value *y, weir_value *s)
{
    weir_value *s2 = weir_reshape(weir_mul_c(s, -2), weir_shape(-1, 1));
    return weir_mul(s2, weir_mul(y, y));
}

// |error| at s = 2 after n steps; n is a power of two, so s and h are exact.
static double error_after(const struct weir_solver *solver, int n)
{
    weir_graph *g = NULL;
    double y0 = 1, y = 0;
    ck_assert_int_eq(weir_graph_create(&test_log, &g), WEIR_OK);
    weir_value *start = weir_input(g, WEIR_F32, weir_shape(1, 1), "y"), *v = start;
    for (int i = 0; i < n; i++)
        v = weir_rk_step(solver->tableau, &(struct weir_ode) { riccati }, v,
                         weir_f32(g, 2.0 * i / n), weir_f32(g, 2.0 / n));
    struct weir_eval_leaf leaf = { start, &y0 };
    ck_assert_int_eq(weir_eval(&v, 1, WEIR_ISA_F64, 1, &leaf, 1, (void *const[]) { &y }), WEIR_OK);
    weir_graph_destroy(&g);
    return fabs(y - 1.0 / 5);
}

// The steps are chosen so that the error is far above rounding and the next term of its expansion
// is small beside it.
static const struct {
    const char *name;
    int order, n;
} orders[] = {
    { "euler", 1, 256 }, { "midpoint", 2, 128 }, { "heun", 2, 128 },
    { "rk4", 4, 64 },    { "dopri5", 5, 128 },  { "edm-heun", 2, 128 }, // its noise: further down
};

START_TEST(solvers_have_their_order)
{
    const struct weir_solver *solver = weir_solver_find(orders[_i].name);
    ck_assert_ptr_nonnull(solver);
    double coarse = error_after(solver, orders[_i].n), fine = error_after(solver, 2 * orders[_i].n);
    double order = log2(coarse / fine);
    ck_assert_msg(fabs(order - orders[_i].order) <= .15, "%s: order %.3f (errors %.3g, %.3g)",
                  orders[_i].name, order, coarse, fine);
}
END_TEST

START_TEST(every_solver_is_measured)
{
    for (int k = 0; weir_solvers[k]; k++) {
        bool found = false;
        for (size_t i = 0; i < WEIR_COUNT(orders); i++)
            found |= strcmp(orders[i].name, weir_solvers[k]->name) == 0;
        ck_assert_msg(found, "solver %s is not measured", weir_solvers[k]->name);
    }
}
END_TEST

// --- adaptive steps ---

enum { ROWS = 3 };
enum { Y, S, H, K1, ERR, REJECTED, STATES };

struct walk {
    weir_graph *g;
    weir_value *out[STATES];
    struct weir_eval_leaf leaf[STATES];
    double state[STATES][ROWS];
    int rows;
};

typedef weir_value *field_fn(void *ctx, weir_value *y, weir_value *s);

static void walk_init(struct walk *w, field_fn *field, const struct weir_adaptive_config *config, const double *y0,
                      int rows)
{
    *w = (struct walk) { .rows = rows };
    test_ok(weir_graph_create(&test_log, &w->g));
    struct weir_ode ode = { field, NULL };
    struct weir_shape row = weir_shape(rows), item = weir_shape(rows, 1);
    struct weir_adaptive in = { weir_input(w->g, WEIR_F32, item, "y"),   weir_input(w->g, WEIR_F32, row, "s"),
                                weir_input(w->g, WEIR_F32, row, "h"),    weir_input(w->g, WEIR_F32, item, "k1"),
                                weir_input(w->g, WEIR_F32, row, "err"), weir_input(w->g, WEIR_F32, row, "rejected") };
    weir_value *values[] = { [Y] = in.y, [S] = in.s, [H] = in.h, [K1] = in.k1, [ERR] = in.err, [REJECTED] = in.rejected };
    for (int k = 0; k < STATES; k++)
        w->leaf[k] = (struct weir_eval_leaf) { values[k], w->state[k] };
    for (int i = 0; i < rows; i++) {
        w->state[Y][i] = y0[i];
        w->state[S][i] = config->s0;
        w->state[H][i] = .1;
        w->state[ERR][i] = 1e-4;
    }
    weir_value *slope = field(NULL, in.y, in.s);
    test_ok(weir_eval(&slope, 1, WEIR_ISA_F64, 1, w->leaf, S + 1, (void *const[]) { w->state[K1] }));
    struct weir_adaptive out = weir_adaptive_step(weir_solver_find("dopri5")->tableau, &ode, config, in);
    memcpy(w->out, (weir_value *[]) { [Y] = out.y, [S] = out.s, [H] = out.h, [K1] = out.k1, [ERR] = out.err,
                                      [REJECTED] = out.rejected }, sizeof(w->out));
}

static void walk_attempts(struct walk *w, int n)
{
    for (; n > 0; n--) {
        double next[STATES][ROWS];
        void *to[STATES];
        for (int k = 0; k < STATES; k++)
            to[k] = next[k];
        test_ok(weir_eval(w->out, STATES, WEIR_ISA_F64, 1, w->leaf, STATES, to));
        for (int k = 0; k < STATES; k++)
            memcpy(w->state[k], next[k], sizeof(double) * (size_t)w->rows);
    }
}

// They reach the end, meet the tolerance, and rows do not influence each other.
START_TEST(adaptive_rows_are_independent)
{
    const struct weir_adaptive_config config = { .s0 = 0, .s1 = 2, .rtol = 1e-6, .atol = 1e-6 };
    const double y0[ROWS] = { 1, .01, 30 };
    double together[ROWS];
    for (int first = -1; first < ROWS; first++) { // all, then each alone
        struct walk w;
        int from = first < 0 ? 0 : first, rows = first < 0 ? ROWS : 1;
        walk_init(&w, riccati, &config, y0 + from, rows);
        walk_attempts(&w, 200);
        weir_graph_destroy(&w.g);
        for (int i = 0; i < rows; i++) {
            ck_assert_double_eq(w.state[S][i], 2);
            // exact: 1/(1/y0 + s²); the local tolerance 1e-6 over some tens of steps
            ck_assert_double_eq_tol(w.state[Y][i], 1 / (1 / y0[from + i] + 4), 1e-4);
            if (first < 0)
                together[i] = w.state[Y][i];
            else
                ck_assert_double_eq(w.state[Y][i], together[from]);
        }
    }
}
END_TEST

// y' = -1000 (y - cos s): the solution soon is (1000² cos s + 1000 sin s)/(1 + 1000²), to all 16 digits at
// s = 1; explicit steps longer than 3.3/1000 blow up, which the controller has to see.
static weir_value *stiff(void *ctx, weir_value *y, weir_value *s)
{
    return weir_mul_c(weir_sub(y, weir_cos(weir_reshape(s, weir_shape(-1, 1)))), -1000);
}

START_TEST(a_stiff_field_ends)
{
    const struct weir_adaptive_config config = { .s0 = 0, .s1 = 1, .rtol = 1e-6, .atol = 1e-6 };
    struct walk w;
    walk_init(&w, stiff, &config, &(double) { 5 }, 1);
    walk_attempts(&w, 1000); // at least 1000/3.3 steps, as many rejected and as many again
    ck_assert_double_eq(w.state[S][0], 1);
    // errors are damped at once: a few local ones, each within the tolerance
    ck_assert_double_eq_tol(w.state[Y][0], (1e6 * cos(1) + 1e3 * sin(1)) / (1 + 1e6), 1e-5);
    weir_graph_destroy(&w.g);
}
END_TEST

// y' = 1e6 cos(1e6 s): no step that is allowed follows it, so all are taken at the smallest length.
static weir_value *wild(void *ctx, weir_value *y, weir_value *s)
{
    return weir_reshape(weir_mul_c(weir_cos(weir_mul_c(s, 1e6)), 1e6), *weir_value_shape(y));
}

START_TEST(smallest_steps_are_taken)
{
    const struct weir_adaptive_config config = { .s0 = 0, .s1 = 2, .rtol = 1e-6, .atol = 1e-6, .h_min = 0x1p-6 };
    struct walk w;
    walk_init(&w, wild, &config, &(double) { 0 }, 1);
    walk_attempts(&w, 1 + 1); // .1 and .02 are too long
    ck_assert_double_eq(w.state[S][0], 0);
    for (int i = 1; i <= 2 << 6; i++) {
        walk_attempts(&w, 1);
        ck_assert_double_eq(w.state[S][0], i * 0x1p-6);
    }
    double y = w.state[Y][0];
    ck_assert(isfinite(y) && y != 0);
    walk_attempts(&w, 3); // and it stays there
    ck_assert_double_eq(w.state[S][0], 2);
    ck_assert_double_eq(w.state[Y][0], y);
    weir_graph_destroy(&w.g);
}
END_TEST

// y' = sqrt(y - 1): NaN below 1.
static weir_value *broken_below_1(void *ctx, weir_value *y, weir_value *s)
{
    return weir_sqrt(weir_add_c(y, -1));
}

START_TEST(a_broken_row_stops)
{
    const struct weir_adaptive_config config = { .s0 = 0, .s1 = 2, .rtol = 1e-6, .atol = 1e-6 };
    const double y0[2] = { 0, 2 };
    struct walk w, alone;
    walk_init(&w, broken_below_1, &config, y0, 2);
    walk_init(&alone, broken_below_1, &config, y0 + 1, 1);
    walk_attempts(&w, 1 + 6); // .1 5^-6 is less than the smallest step, 2e-5
    ck_assert(isnan(w.state[S][0]) && !isnan(w.state[S][1]));
    walk_attempts(&w, 100);
    walk_attempts(&alone, 107);
    ck_assert(isnan(w.state[S][0]));
    ck_assert_double_eq(w.state[S][1], 2);
    // sqrt(y - 1) = 1 + s/2; the local tolerance over some tens of steps
    ck_assert_double_eq_tol(w.state[Y][1], 1 + (1 + 1) * (1 + 1), 1e-4);
    ck_assert_double_eq(w.state[Y][1], alone.state[Y][0]);
    weir_graph_destroy(&w.g);
    weir_graph_destroy(&alone.g);
}
END_TEST

// --- the driver, on the host ---

static weir_value *driven(void *ctx, weir_value *y, weir_value *s, weir_value *const *in)
{
    field_fn *const *field = ctx;
    return (*field)(NULL, y, s);
}

static weir_integrator *integrator(weir_device *dev, const char *solver, field_fn *const *field,
                                   struct weir_integrator_params p)
{
    weir_integrator *it = NULL;
    p.log = test_log;
    p.dev = dev;
    p.solver = weir_solver_find(solver);
    p.field = driven;
    p.ctx = (void *)field;
    p.label = "walk";
    test_ok(weir_integrator_create(&p, &it));
    return it;
}

static void check_ends(weir_device *dev, field_fn *field, float y, const char *message)
{
    const double grid[] = { 0, 1 };
    weir_integrator *it = integrator(dev, "dopri5", &field, (struct weir_integrator_params) {
        .shape = weir_shape(1, 1), .grid = grid, .steps = 1, .rtol = 1e-5, .atol = 1e-5 });
    test_status(weir_integrator_run(it, &y, NULL, NULL), WEIR_NONFINITE, message);
    weir_integrator_destroy(&it);
}

START_TEST(it_never_hangs)
{
    weir_device *dev = test_device("host", 0);
    check_ends(dev, broken_below_1, 0, "walk: the field is not finite");
    check_ends(dev, wild, 0, "walk: not at the end after 10000 attempts");
    weir_device_close(&dev);
}
END_TEST

static weir_value *ray(void *ctx, weir_value *y, weir_value *s)
{
    return weir_div(y, weir_reshape(s, weir_shape(-1, 1)));
}

enum { ITEM = 2 };

// The noise of a step, as docs/numerics.md has it: by the row's seed and the number of the step.
static void churn_noise(const uint32_t *seeds, uint32_t step, float *noise)
{
    weir_graph *g = NULL;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *in = weir_input(g, WEIR_U32, weir_shape(ROWS, 2), "seeds");
    weir_value *n = weir_random_normal(in, weir_u32(g, step), weir_u32(g, 0), weir_shape(ROWS, ITEM), "churn");
    test_ok(weir_eval(&n, 1, weir_isa_best(), 1, &(struct weir_eval_leaf) { in, seeds }, 1, (void *const[]) { noise }));
    weir_graph_destroy(&g);
}

static const struct {
    double churn, least, most, noise;
} churns[] = { { .9, 1.5, 5, 1 }, { 30, 0, 100, 1.5 }, { .9, 1, 8, 0 }, { 0, 0, 100, 1 } };

// Karras et al. 2022, algorithm 2, for D = 0, where dy/ds = y/s: a step of Heun's from hat to next multiplies by
// next/hat exactly. gamma = min(churn/steps, sqrt 2 - 1) where the grid's s is within the limits.
START_TEST(churn_is_algorithm_2)
{
    static const double grid[] = { 8, 4, 2, 1 };
    const uint32_t seeds[ROWS * 2] = { 1, 2, 3, 4, 1, 2 };
    enum { STEPS = 3, N = ROWS * ITEM };
    float y[N], noise[N];
    double want[N], largest = 0;
    field_fn *field = ray;
    for (int i = 0; i < N; i++)
        want[i] = y[i] = (float)(3 * (i % (2 * ITEM)) - 4);
    for (uint32_t k = 0; k < STEPS; k++) {
        bool churned = grid[k] >= churns[_i].least && grid[k] <= churns[_i].most;
        double gamma = churned ? fmin(churns[_i].churn / STEPS, sqrt(2) - 1) : 0, hat = grid[k] * (1 + gamma);
        churn_noise(seeds, k, noise);
        for (int i = 0; i < N; i++) {
            want[i] += sqrt(hat * hat - grid[k] * grid[k]) * churns[_i].noise * noise[i];
            largest = fmax(largest, fabs(want[i]));
            want[i] *= grid[k + 1] / hat;
        }
    }
    weir_device *dev = test_device("host", 0);
    weir_integrator *it = integrator(dev, "edm-heun", &field, (struct weir_integrator_params) {
        .shape = weir_shape(ROWS, ITEM), .grid = grid, .steps = STEPS, .n_inputs = 1,
        .inputs = { { WEIR_U32, weir_shape(ROWS, 2), "seeds" } }, .churn = churns[_i].churn,
        .churn_min = churns[_i].least, .churn_max = churns[_i].most, .churn_noise = churns[_i].noise });
    test_ok(weir_integrator_run(it, y, (const void *const[]) { seeds }, NULL));
    for (int i = 0; i < N; i++) // a step: 12 roundings in f32 of numbers no larger than that
        ck_assert_double_eq_tol(y[i], want[i], STEPS * 12 * 0x1p-24 * largest);
    ck_assert_mem_eq(y, y + 2 * ITEM, ITEM * sizeof(*y)); // the same seeds, the same start
    weir_integrator_destroy(&it);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("solvers");
    TCase *tcase = tcase_create("solvers");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, solvers_have_their_order, 0, WEIR_COUNT(orders));
    tcase_add_test(tcase, every_solver_is_measured);
    tcase_add_test(tcase, adaptive_rows_are_independent);
    tcase_add_test(tcase, a_stiff_field_ends);
    tcase_add_test(tcase, smallest_steps_are_taken);
    tcase_add_test(tcase, a_broken_row_stops);
    tcase_add_test(tcase, it_never_hangs);
    tcase_add_loop_test(tcase, churn_is_algorithm_2, 0, WEIR_COUNT(churns));
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
