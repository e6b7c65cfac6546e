// SPDX-License-Identifier: Apache-2.0
// Guards: a program that writes beside a tensor is told from one that does not, and a training step of a
// small unet, every tensor of it between guards, writes nowhere else and gives the bits of one without.
// On $WEIR_TEST_DEVICE, else on the host.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "support/support.h"
#include "train/step.h"

enum { N = 10, STEPS = 2, ITEMS = 3 * 8 * 8 };

static weir_device *dev;

static weir_device *open_device(const char *selector)
{
    weir_device *out = NULL;
    struct weir_device_params params = { .selector = selector, .log = test_log };
    test_ok(weir_device_open(&params, &out));
    return out;
}

// A kernel as faulty as `at` says: writes N elements from there on instead of from 0.
static enum weir_status write_at(void *at, const void *const *in, void *const *out)
{
    for (int i = 0; i < N; i++)
        ((float *)out[0])[i + *(int *)at] = ((const float *)in[0])[i];
    return WEIR_OK;
}

// -(write_at(x)): the fault lies beside a tensor between two others. Runs twice.
static void run_faulty(weir_device *host, int at, const char *fragment, float *first, float *second)
{
    weir_graph *g = NULL;
    weir_program *p = NULL;
    float data[N];
    for (int i = 0; i < N; i++)
        data[i] = (float)i;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(N), "x"), *y = weir_square(x);
    y = weir_neg(weir_host_call(g, write_at, &at, &y, 1, WEIR_F32, weir_shape(N)));
    test_ok(weir_compile(host, &y, 1, &(struct weir_compile_params) { .guards = true }, &p));
    enum weir_status wanted = *fragment ? WEIR_DEVICE : WEIR_OK;
    test_ok(weir_run(p, &(struct weir_binding) { x, data }, 1));
    test_status(weir_read(p, 0, first), wanted, fragment);
    test_ok(weir_run(p, NULL, 0));
    test_status(weir_read(p, 0, second), wanted, fragment);
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
}

START_TEST(faults_are_named)
{
    float first[N] = { 0 }, second[N] = { 0 };
    weir_device *host = open_device("host");
    run_faulty(host, 0, "", first, second);
    for (int i = 0; i < N; i++)
        ck_assert(first[i] == -(float)(i * i) && second[i] == first[i]);
    run_faulty(host, 1, "byte 1 behind host_call, 40 bytes written by host_call", first, second);
    run_faulty(host, -1, "byte 4 before host_call", first, second);
    run_faulty(host, 64, "byte 217 behind host_call", first, second); // the first of 40 that is outside
    weir_device_close(&host);
}
END_TEST

// What a kernel left out shows, whatever it should have been: two runs differ there.
START_TEST(nothing_is_right_by_luck)
{
    weir_device *host = open_device("host");
    weir_graph *g = NULL;
    weir_program *p = NULL;
    uint32_t got[2][2];
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_U32, weir_shape(2), "x"), *y = weir_not(x);
    test_ok(weir_compile(host, &y, 1, &(struct weir_compile_params) { .guards = true }, &p));
    test_ok(weir_run(p, &(struct weir_binding) { x, (uint32_t[]) { 1, 2 } }, 1));
    for (int k = 0; k < 2; k++) { // what a run begins with
        test_ok(weir_guards_before_run(p));
        test_ok(weir_buf_read(p->memory, p->output[0].offset, got[k], sizeof(got[k])));
    }
    ck_assert_uint_ne(got[0][0], got[1][0]);
    ck_assert_uint_ne(got[0][1], got[1][1]);
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    weir_device_close(&host);
}
END_TEST

static const char small_unet[] =
    "{\"model\": {\"name\": \"unet\", \"width\": 8, \"mult\": [1, 2], \"layers\": 1, \"groups\": 4, \"heads\": 2,"
    " \"class_conditional\": true, \"zero_init\": false}, \"data\": {\"name\": \"fashion-mnist\"},"
    " \"objective\": {\"label_drop\": 0.5}, \"train\": {\"batch\": 3, \"accumulate\": 2, \"ema\": 0.9}}";

// Trains STEPS steps; `bits` receives every parameter, moment and average, malloc'd. Returns its size.
static size_t train(bool guards, char **bits)
{
    struct weir_recipe recipe;
    struct weir_setup setup;
    struct weir_step_result result;
    weir_params *params = NULL;
    weir_step *step = NULL;
    float data[2][ITEMS];
    const int32_t label[2][3] = { { 0, 1, 2 }, { 2, 1, 0 } };
    uint64_t state = 5;
    size_t size = 0;
    for (int i = 0; i < 2 * ITEMS; i++)
        data[i / ITEMS][i % ITEMS] = (float)(int64_t)(test_next(&state) >> 40) * 0x1p-23f - 1.0f;
    test_ok(weir_recipe_parse(&test_log, "small unet", small_unet, strlen(small_unet), &recipe));
    test_ok(weir_setup_init(&test_log, &recipe, &weir_shape(8, 8, 1), 3, &setup));
    test_ok(weir_params_create(&test_log, &params));
    test_ok(weir_model_declare(setup.model, &setup.config, &test_log, params));
    test_ok(weir_params_allocate(params, dev, 1, true, setup.optimizer->n_slots));
    test_ok(weir_step_create(&test_log, dev, &setup, params,
                             &(struct weir_compile_params) { .guards = guards }, &step));
    for (int i = 0; i < STEPS; i++) {
        test_ok(weir_step_run(step, i, (const float *[]) { data[0], data[1] },
                              (const int32_t *[]) { label[0], label[1] }));
        test_ok(weir_step_result(step, &result));
        ck_assert(result.ok);
    }
    *bits = NULL;
    for (int i = 0; i < weir_params_count(params); i++) {
        const struct weir_param *row = weir_params_row(params, i);
        weir_state *states[4] = { row->state, row->ema, row->slot[0], row->slot[1] };
        for (int k = 0; k < 4; k++) {
            size_t n = 4 * (size_t)weir_shape_size(weir_state_shape(states[k]));
            *bits = realloc(*bits, size + n);
            test_ok(weir_state_read(states[k], *bits + size));
            size += n;
        }
    }
    weir_step_destroy(&step);
    weir_params_destroy(&params);
    return size;
}

START_TEST(training_step)
{
    const char *selector = getenv("WEIR_TEST_DEVICE");
    char *plain, *guarded;
    dev = open_device(selector ? selector : "host");
    size_t size = train(false, &plain);
    ck_assert_uint_eq(train(true, &guarded), size);
    ck_assert_mem_eq(plain, guarded, size);
    free(plain);
    free(guarded);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("guards");
    TCase *tcase = tcase_create("guards");
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, faults_are_named);
    tcase_add_test(tcase, nothing_is_right_by_luck);
    tcase_add_test(tcase, training_step);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
