// SPDX-License-Identifier: Apache-2.0
// All NaNs are one value: whatever sign and payload a device's memory holds, outputs, states, files
// and digests have one. On $WEIR_TEST_DEVICE, else on the host.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "compile/compile.h"
#include "support/support.h"
#include "train/checkpoint.h"
#include "weir/nn.h"

// f32, and of the 16 bit types two in a word: NaNs and others, which must stay.
static const uint32_t odd[] = { 0x7fc00000u, 0xffc00000u, 0x7fffffffu,
                                0xff812345u, 0x7f800001u, 0x7fd55555u },
                      plain[] = {
                          0x7f800000u, 0xff800000u, 0x80000000u, 1, 0x3f800000u, 0xff7fffffu
                      };
static const uint16_t odd16[2][4] = { { 0x7e00, 0xfe00, 0x7c01, 0xffff },
                                      { 0x7fc0, 0xffc0, 0x7f81, 0xffff } },
                      plain16[2][4] = { { 0x7c00, 0xfc00, 0x8001, 0xfbff },
                                        { 0x7f80, 0xff80, 0x8001, 0xff7f } },
                      nan16[2] = { 0x7e00, 0x7fc0 };
enum { N = 6 };

static void check32(const uint32_t *got)
{
    for (int i = 0; i < N; i++) {
        ck_assert_uint_eq(got[i], 0x7fc00000u);
        ck_assert_uint_eq(got[N + i], plain[i]);
    }
}

START_TEST(outputs)
{
    weir_device *dev = test_device(NULL, 0);
    weir_graph *g = NULL;
    weir_program *p = NULL;
    uint32_t got[2 * N];
    uint16_t got16[8];
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *a = weir_input(g, WEIR_F32, weir_shape(N), "a"),
               *b = weir_input(g, WEIR_F32, weir_shape(N), "b");
    weir_value *h[2],
        *out[3] = { weir_neg(weir_neg(weir_concat((weir_value *[]) { a, b }, 2, 0))) };
    for (int k = 0; k < 2; k++) {
        h[k] = weir_input(g, k ? WEIR_BF16 : WEIR_F16, weir_shape(8), "h");
        out[1 + k] = weir_reshape(weir_reshape(h[k], weir_shape(2, 4)), weir_shape(8));
    }
    test_ok(weir_compile(dev, out, 3, NULL, &p));
    uint16_t in16[2][8];
    for (int k = 0; k < 2; k++) {
        memcpy(in16[k], odd16[k], 8);
        memcpy(in16[k] + 4, plain16[k], 8);
    }
    const struct weir_binding in[] = {
        { a, odd }, { b, plain }, { h[0], in16[0] }, { h[1], in16[1] }
    };
    test_ok(weir_run(p, in, 4));
    test_ok(weir_read(p, 0, got));
    check32(got);
    for (int k = 0; k < 2; k++) {
        test_ok(weir_read(p, 1 + k, got16));
        for (int i = 0; i < 4; i++) {
            ck_assert_uint_eq(got16[i], nan16[k]);
            ck_assert_uint_eq(got16[4 + i], plain16[k][i]);
        }
    }
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
}
END_TEST

// Two tables that differ in the NaNs of their memory alone are saved as the same bytes.
static uint64_t digest_of(weir_device *dev, int rotated, const char *folder, uint64_t *file)
{
    struct weir_checkpoint_info info = { .step = 1 };
    struct weir_recipe recipe = weir_recipe_defaults;
    weir_params *params = NULL;
    weir_graph *g = NULL;
    uint32_t words[2 * N], got[2 * N];
    char path[600];
    size_t size;
    for (int i = 0; i < N; i++) {
        words[i] = odd[(i + rotated) % N];
        words[N + i] = plain[i];
    }
    test_ok(weir_params_create(&test_log, &params));
    test_ok(weir_graph_create(&test_log, &g));
    struct weir_nn nn = { params, g, false };
    weir_nn_param(&nn, "w", weir_shape(2, N), (struct weir_init) { 0 }, WEIR_FILE_SAME, false);
    weir_graph_destroy(&g);
    test_ok(weir_params_allocate(params, dev, 1, true, 0));
    test_ok(weir_state_write(weir_params_row(params, 0)->state, words));
    test_ok(weir_state_read(weir_params_row(params, 0)->state, got));
    check32(got);
    test_ok(weir_checkpoint_save(&test_log, test_path(folder), &recipe, params, 1, &info));
    snprintf(path, sizeof(path), "%s/model.safetensors", info.path);
    char *bytes = test_read(path, &size);
    *file = weir_hash64(bytes, size, 0);
    free(bytes);
    weir_params_destroy(&params);
    return info.digest;
}

START_TEST(digests)
{
    weir_device *dev = test_device(NULL, 0);
    uint64_t file[2], digest[2];
    for (int k = 0; k < 2; k++)
        digest[k] = digest_of(dev, k, k ? "one" : "two", &file[k]);
    ck_assert_uint_eq(digest[0], digest[1]);
    ck_assert_uint_eq(file[0], file[1]);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    return test_run("nan", 0, outputs, digests);
}
