// SPDX-License-Identifier: Apache-2.0
// Guards: a program that writes beside a tensor is told from one that does not, and a training step
// of a small unet, every tensor of it between guards, writes nowhere else and gives the bits of one
// without. On $WEIR_TEST_DEVICE, else on the host; in grouped form where $WEIR_TEST_MASK is
// `grouped`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "support/small_unet.h"
#include "support/support.h"

enum { N = 10 };

static weir_device *dev;

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
    weir_device *host = test_device("host", 0);
    run_faulty(host, 0, "", first, second);
    for (int i = 0; i < N; i++)
        ck_assert(first[i] == -(float)(i * i) && second[i] == first[i]);
    run_faulty(host, 1, "byte 1 behind host_call, 40 bytes written by host_call", first, second);
    run_faulty(host, -1, "byte 4 before host_call", first, second);
    run_faulty(host, 64, "byte 217 behind host_call", first, second); // the first of 40 that is
                                                                      // outside
    weir_device_close(&host);
}
END_TEST

// What a kernel left out shows, whatever it should have been: two runs differ there.
START_TEST(nothing_is_right_by_luck)
{
    weir_device *host = test_device("host", 0);
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

START_TEST(training_step)
{
    char *plain, *guarded;
    dev = test_device(NULL, 0);
    struct small_unet u;
    test_ok(small_unet_create(dev, &(struct weir_compile_params) { .launch_ms = 0.002 }, &u));
    const struct weir_program_info *info = weir_step_info(u.step);
    small_unet_check_memory(&u, dev);
    if (!weir_device_is_host(dev)) // in parts on a GPU alone
        ck_assert_int_eq(info->parts > info->launches, !weir_device_has(dev, WEIR_CAP_WIDE));
    size_t size = small_unet_run(&u, &plain);
    small_unet_finish(&u);
    ck_assert_uint_eq(
        small_unet_train(dev, &(struct weir_compile_params) { .guards = true }, &guarded), size);
    ck_assert_mem_eq(plain, guarded, size);
    free(guarded);
    weir_device_close(&dev);
    dev = test_device("host", 0);
    ck_assert_uint_eq(small_unet_train(dev, NULL, &guarded), size);
    ck_assert_mem_eq(plain, guarded, size);
    free(plain);
    free(guarded);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    return test_run("guards", 0, faults_are_named, nothing_is_right_by_luck, training_step);
}
