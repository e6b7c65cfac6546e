// SPDX-License-Identifier: Apache-2.0
// Loops on $WEIR_TEST_DEVICE (or the host): what grows with the number of iterations and what does not.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "support/support.h"
#include "weir/weir.h"

static weir_device *dev;

static void logistic(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                     weir_value **y)
{
    weir_value *one = weir_f32(weir_value_graph(c[0]), 1);
    next[0] = weir_mul(weir_mul(ctx, c[0]), weir_sub(one, c[0]));
}

struct sized {
    weir_graph *g;
    weir_value *c, *r, *out[2];
    weir_program *p;
};

static struct sized make_sized(int64_t n, bool gradient)
{
    struct sized s = {0};
    test_ok(weir_graph_create(&test_log, &s.g));
    s.c = weir_input(s.g, WEIR_F32, weir_shape(256), "c");
    s.r = weir_input(s.g, WEIR_F32, weir_scalar_shape, "r");
    weir_loop(
        &(struct weir_loop_params){
            .n = n, .carry = &s.c, .n_carry = 1, .body = logistic, .ctx = s.r},
        &s.out[0], NULL);
    if (gradient)
        weir_grad(weir_sum(s.out[0], weir_all_axes, false), &s.r, &s.out[1], 1);
    test_ok(weir_compile(dev, s.out, gradient ? 2 : 1, NULL, &s.p));
    return s;
}

static void free_sized(struct sized *s)
{
    weir_program_destroy(&s->p);
    weir_graph_destroy(&s->g);
}

START_TEST(forward_does_not_grow)
{
    enum { TIMES = 10000 };
    struct sized few = make_sized(10, false), many = make_sized(TIMES, false);
    const struct weir_program_info *a = weir_program_info(few.p), *b = weir_program_info(many.p);
    ck_assert_int_eq(few.g->n_values, many.g->n_values);
    ck_assert_uint_eq(weir_arena_used(few.g->arena), weir_arena_used(many.g->arena));
    ck_assert_int_eq(a->launches, b->launches);
    ck_assert_int_eq(a->groups, b->groups);
    ck_assert_uint_eq(a->peak, b->peak);
    float c[256], r = 3.7f, got[256];
    for (int i = 0; i < 256; i++)
        c[i] = (float)(i + 1) / 257;
    test_ok(weir_run(many.p, (struct weir_binding[]){{many.c, c}, {many.r, &r}}, 2));
    test_ok(weir_read(many.p, 0, got));
    for (int i = 0; i < 256; i++) {
        for (int k = 0; k < TIMES; k++)
            c[i] = (r * c[i]) * (1 - c[i]);
        ck_assert_msg(c[i] == got[i], "%d: %a and %a", i, (double)c[i], (double)got[i]);
    }
    free_sized(&few);
    free_sized(&many);
}
END_TEST

// A gradient keeps one carried value an iteration, 1 KiB here, and nothing else.
START_TEST(gradient_grows_by_what_it_keeps)
{
    struct sized few = make_sized(100, true), many = make_sized(1100, true);
    const struct weir_program_info *a = weir_program_info(few.p), *b = weir_program_info(many.p);
    ck_assert_int_eq(few.g->n_values, many.g->n_values);
    ck_assert_int_eq(a->launches, b->launches);
    ck_assert_uint_eq(b->peak - a->peak, 1000 * 1024);
    free_sized(&few);
    free_sized(&many);
}
END_TEST

// In a loop of loops it keeps what the outer one carries, and of one inner loop at a time.
static void block(void *ctx, weir_value *const *c, weir_value *const *x, weir_value **next,
                  weir_value **y)
{
    weir_loop(
        &(struct weir_loop_params){.n = 32, .carry = c, .n_carry = 1, .body = logistic, .ctx = ctx},
        next, NULL);
}

START_TEST(loops_of_loops_keep_less)
{
    weir_graph *g = NULL;
    weir_program *p = NULL;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *c = weir_input(g, WEIR_F32, weir_shape(256), "c"),
               *r = weir_input(g, WEIR_F32, weir_scalar_shape, "r");
    weir_value *out[2];
    weir_loop(
        &(struct weir_loop_params){.n = 32, .carry = &c, .n_carry = 1, .body = block, .ctx = r},
        out, NULL);
    weir_grad(weir_sum(out[0], weir_all_axes, false), &r, &out[1], 1);
    test_ok(weir_compile(dev, out, 2, NULL, &p));
    struct sized flat = make_sized(1024, true);
    size_t kept = (32 + 32) * 1024, rest = weir_program_info(flat.p)->peak - 1024 * 1024;
    ck_assert_uint_le(weir_program_info(p)->peak, kept + rest + 8 * 1024);
    float data[256], rate = 3.1f, d[2][1];
    for (int i = 0; i < 256; i++)
        data[i] = (float)(i + 1) / 257;
    test_ok(weir_run(p, (struct weir_binding[]){{c, data}, {r, &rate}}, 2));
    test_ok(weir_read(p, 1, d[0]));
    test_ok(weir_run(flat.p, (struct weir_binding[]){{flat.c, data}, {flat.r, &rate}}, 2));
    test_ok(weir_read(flat.p, 1, d[1]));
    ck_assert_mem_eq(d[0], d[1], sizeof(d[0]));
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    free_sized(&flat);
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
    Suite *suite = suite_create("loop-sizes");
    TCase *t = tcase_create("loop-sizes");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, forward_does_not_grow);
    tcase_add_test(t, gradient_grows_by_what_it_keeps);
    tcase_add_test(t, loops_of_loops_keep_less);
    suite_add_tcase(suite, t);
    int status = test_main(suite);
    weir_device_close(&dev);
    return status;
}
