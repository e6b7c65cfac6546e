// SPDX-License-Identifier: Apache-2.0
// Objectives on the double oracle, each row of the list by what is known of it.
//   loss   the formula once more in plain C, on the random numbers that the graph drew
//   field  where data are normal with deviation A the best network is known, and so is the path
//          from the prior's samples to the data's: the field, walked along its own grid, follows it
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/oracle.h"
#include "weir/flow.h"

enum { ROWS = 5, ITEM = 6, ALL = ROWS * ITEM };
#define A 0.7 // standard deviation of the data

typedef struct weir_objective_config config;

// --- what is known: one entry an objective ---

static double square(double x)
{
    return x * x;
}

// The squared error's weight and target of one element: its term of the loss, given the network's
// answer to (network_x, network_t).
struct term {
    double network_x, network_t, weight, scale, shift; // weight (scale answer + shift)²
};

// cfm: x = (1 - t) n + t d, |net - (d - n)|²
static struct term cfm_term(const config *c, double draw, double noise, double data)
{
    double t =
        c->times == WEIR_TIMES_UNIFORM ? draw : 1 / (1 + exp(-(c->time_mean + c->time_std * draw)));
    return (struct term) { (1 - t) * noise + t * data, t, 1, 1, noise - data };
}

// E[d - n | x] of normal data
static double cfm_best(const config *c, double x, double t)
{
    return x * (t * A * A - (1 - t)) / (square(t * A) + square(1 - t));
}

static double cfm_deviation(const config *c, double t)
{
    return sqrt(square(t * A) + square(1 - t));
}

// edm: Karras et al. 2022, table 1: D = skip x + out F(in x, ln(s)/4), weight (s² + d²)/(s d)²
static struct term edm_term(const config *c, double draw, double noise, double data)
{
    double s = exp(c->p_mean + c->p_std * draw), d = c->sigma_data, x = data + s * noise,
           r = s * s + d * d;
    return (struct term) { x / sqrt(r), log(s) / 4, r / square(s * d), s * d / sqrt(r),
                           d * d / r * x - data };
}

static double edm_best(const config *c, double in, double quarter_log)
{
    double s = exp(4 * quarter_log), d = c->sigma_data, r = s * s + d * d, x = in * sqrt(r);
    return (A * A / (A * A + s * s) - d * d / r) * x / (s * d / sqrt(r)); // D = A² x/(A² + s²)
}

static double edm_deviation(const config *c, double s)
{
    return sqrt(A * A + s * s);
}

static const struct entry {
    const char *name;
    config c;
    bool normal_draw; // of the stream "time"; otherwise uniform
    struct term (*term)(const config *c, double draw, double noise, double data);
    double (*best)(const config *c, double network_x, double network_t);
    double (*deviation)(const config *c, double s); // of the samples on their way
    double from, to;                                // the grid's ends
} entries[] = {
    { "cfm", { .times = WEIR_TIMES_UNIFORM }, false, cfm_term, cfm_best, cfm_deviation, 0, 1 },
    { "cfm", { .times = WEIR_TIMES_LOGIT_NORMAL, .time_mean = .3, .time_std = 1.5 }, true,
      cfm_term, cfm_best, cfm_deviation, 0, 1 },
    { "edm", { .p_mean = -1.2, .p_std = 1.2, .sigma_data = .5, .sigma_min = .002, .sigma_max = 80,
               .rho = 7 }, true, edm_term, edm_best, edm_deviation, 80, .002 },
};

START_TEST(every_objective_has_an_entry)
{
    for (int k = 0; weir_objectives[k]; k++) {
        bool found = false;
        for (size_t i = 0; i < WEIR_COUNT(entries); i++)
            found |= !strcmp(entries[i].name, weir_objectives[k]->name);
        ck_assert_msg(found, "objective %s has no entry in tests/test_objectives.c",
                      weir_objectives[k]->name);
    }
}
END_TEST

// --- the loss ---

static weir_value *rows(weir_value *t)
{
    return weir_reshape(t, weir_shape(-1, 1));
}

// .3 x + .7 t: simple, and it tells the two apart
static weir_value *affine(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    return weir_add(weir_mul_c(x, .3),
                    weir_broadcast(weir_mul_c(rows(t), .7), *weir_value_shape(x)));
}

START_TEST(the_loss_is_its_formula)
{
    const struct entry *e = &entries[_i];
    weir_graph *g = NULL;
    uint64_t state = 11; // the data's seed
    double data[ALL], noise[ALL], draw[ROWS], loss = 0, want = 0;
    for (int i = 0; i < ALL; i++)
        data[i] = A * test_normal(&state);
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(ROWS, ITEM), "x");
    struct weir_random r = { weir_constant(g, WEIR_U32, weir_shape(2), (uint32_t[]) { 3, 4 }),
                             weir_u32(g, 5), weir_u32(g, 6) };
    struct weir_net net = { affine, NULL };
    struct weir_shape n = weir_shape(ROWS);
    weir_value *out[] = { weir_objective_find(e->name)->loss(&e->c, &net, &r, x, NULL),
                          weir_random_normal(r.seed, r.step, r.row0, weir_shape(ROWS, ITEM),
                                             "noise"),
                          e->normal_draw ? weir_random_normal(r.seed, r.step, r.row0, n, "time")
                                         : weir_random_uniform(r.seed, r.step, r.row0, n, "time") };
    struct weir_eval_leaf leaf = { x, data };
    test_ok(weir_eval(out, 3, WEIR_ISA_F64, 1, &leaf, 1, (void *[]) { &loss, noise, draw }));
    for (int i = 0; i < ALL; i++) {
        struct term t = e->term(&e->c, draw[i / ITEM], noise[i], data[i]);
        want += t.weight * square(t.scale * (.3 * t.network_x + .7 * t.network_t) + t.shift) / ALL;
    }
    // Fewer than 100 roundings a term; the difference in the square loses less than two digits.
    ck_assert_msg(fabs(loss - want) <= 1e4 * 0x1p-53 * want, "%s: loss %.17g, should be %.17g",
                  e->name, loss, want);
    weir_graph_destroy(&g);
}
END_TEST

// --- the field ---

// The best network, evaluated on the host: one row of one element, whose values the test reads step
// by step.
struct asked {
    weir_value *x, *t, *answer;
};

static weir_value *recorded(void *ctx, weir_value *x, weir_value *t, weir_value *label)
{
    struct asked *a = ctx;
    a->x = x;
    a->t = t;
    return a->answer;
}

// dx/ds at (x, s), and the denoised x where the objective has one.
static double field_at(const struct entry *e, double x, double s, double *denoised)
{
    const struct weir_objective *o = weir_objective_find(e->name);
    weir_graph *g = NULL;
    double dx = 0, xt[2], answer;
    test_ok(weir_graph_create(&test_log, &g));
    struct asked a = { .answer = weir_input(g, WEIR_F32, weir_shape(1, 1), "answer") };
    struct weir_net net = { recorded, &a };
    weir_value *vx = weir_input(g, WEIR_F32, weir_shape(1, 1), "x"),
               *vs = weir_input(g, WEIR_F32, weir_shape(1), "s");
    weir_value *out[] = { o->field(&e->c, &net, vx, vs, NULL),
                          o->denoise ? o->denoise(&e->c, &net, vx, vs, NULL) : vx };
    struct weir_eval_leaf leaves[] = { { vx, &x }, { vs, &s }, { a.answer, &answer } };
    test_ok(weir_eval((weir_value *[]) { a.x, a.t }, 2, WEIR_ISA_F64, 1, leaves, 2,
                      (void *[]) { &xt[0], &xt[1] }));
    answer = e->best(&e->c, xt[0], xt[1]);
    test_ok(weir_eval(out, 2, WEIR_ISA_F64, 1, leaves, 3, (void *[]) { &dx, denoised }));
    weir_graph_destroy(&g);
    return dx;
}

// Where a sample of one deviation of the prior is after n steps of RK4 along the objective's grid.
static double walk(const struct entry *e, int n, double *from, double *to)
{
    const struct weir_objective *o = weir_objective_find(e->name);
    double *s = calloc((size_t)n + 1, sizeof(*s)), unused;
    o->grid(&e->c, n, s);
    double x = o->prior_std(&e->c);
    for (int i = 0; i < n; i++) {
        double h = s[i + 1] - s[i], k1 = field_at(e, x, s[i], &unused);
        double k2 = field_at(e, x + h / 2 * k1, s[i] + h / 2, &unused);
        double k3 = field_at(e, x + h / 2 * k2, s[i] + h / 2, &unused);
        x += h / 6 * (k1 + 2 * k2 + 2 * k3 + field_at(e, x + h * k3, s[i + 1], &unused));
    }
    *from = s[0];
    *to = s[n];
    free(s);
    return x;
}

START_TEST(the_field_leads_the_prior_to_the_data)
{
    const struct entry *e = &entries[_i];
    double from, to, coarse = walk(e, 32, &from, &to), fine = walk(e, 64, &from, &to);
    double start = weir_objective_find(e->name)->prior_std(&e->c);
    ck_assert_double_eq(from, e->from);
    ck_assert_double_eq(to, e->to);
    double want = start * e->deviation(&e->c, to) / e->deviation(&e->c, from);
    // Order 4: what is left of the error is a fifteenth of what halving the step changed.
    ck_assert_msg(fabs(fine - want) <= fabs(coarse - fine) / 7 + 1e-14,
                  "%s: ends at %.12g, should be %.12g (coarse %.12g)", e->name, fine, want, coarse);
    ck_assert_msg(fabs(fine - want) <= 1e-3 * want, "%s: the grid is too coarse to show anything",
                  e->name);
    // edm's prior leaves the data out
    ck_assert_double_eq_tol(start, e->deviation(&e->c, from), 1e-4 * start);
}
END_TEST

START_TEST(the_denoiser_is_the_mean_of_the_data)
{
    const struct entry *e = &entries[_i];
    double x = 1.3, s = .4, denoised;
    if (!weir_objective_find(e->name)->denoise)
        return;
    field_at(e, x, s, &denoised);
    ck_assert_double_eq_tol(denoised, A * A / (A * A + s * s) * x, 1e4 * 0x1p-53 * x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("objectives");
    TCase *tcase = tcase_create("oracle");
    tcase_add_test(tcase, every_objective_has_an_entry);
    tcase_add_loop_test(tcase, the_loss_is_its_formula, 0, WEIR_COUNT(entries));
    tcase_add_loop_test(tcase, the_field_leads_the_prior_to_the_data, 0, WEIR_COUNT(entries));
    tcase_add_loop_test(tcase, the_denoiser_is_the_mean_of_the_data, 0, WEIR_COUNT(entries));
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
