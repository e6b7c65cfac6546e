// SPDX-License-Identifier: Apache-2.0
// The trial that admits a library of matrix products, of libraries played by C: one that is right
// is admitted, once; each that is wrong somewhere is not, and programs then do without it.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/selftest_gemm.h"
#include "support/support.h"

enum fault {
    NONE,
    ONE_ELEMENT, // of the large product of two transposed matrices
    SMALL_NT,    // b taken as it lies
    ROUNDED,     // operands of 8 bits
    SECOND,      // of several products is the first again
    BETWEEN,     // writes between two rows
    BEHIND,      // writes behind the last one
    NOT_ALL,     // the last row is not written
    FAILS,       // replays fail
    NO_SCRATCH,  // right, and never wants any: there are no large products to tell apart
    N_FAULTS
};

static enum fault fault;
static int runs, large_runs;

struct played {
    struct weir_list base;
    struct weir_gemm g;
    weir_buf *bufs[3];
};

static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= fault == ROUNDED ? 0xffff0000u : 0xffffffffu;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static enum weir_status scratch(weir_device *dev, const struct weir_gemm *g, size_t *size)
{
    *size = fault != NO_SCRATCH && g->m * g->n * g->k >= 90 * 90 * 90 ? 1000 : 0;
    return WEIR_OK;
}

static enum weir_status record(weir_device *dev, const struct weir_launch *l, int n,
                               weir_list **out)
{
    struct played *p = calloc(1, sizeof *p);
    ck_assert(p && n == 1 && l->gemm);
    p->g = *l->gemm;
    for (int i = 0; i < 3; i++)
        p->bufs[i] = l->bufs[i].buf;
    *out = &p->base;
    return WEIR_OK;
}

static float element(const struct weir_gemm *g, const float *a, const float *b, int64_t row,
                     int64_t col)
{
    const bool tb = g->tb && !(fault == SMALL_NT && !g->ta && g->m < 64);
    float sum = 0;
    for (int64_t i = 0; i < g->k; i++)
        sum += rounded(a[g->ta ? i * g->lda + row : row * g->lda + i]) *
               rounded(b[(tb ? col * g->ldb + i : i * g->ldb + col) % g->batch_b]);
    return sum;
}

static enum weir_status replay(weir_device *dev, weir_list *list)
{
    const struct played *p = (const struct played *)list;
    const struct weir_gemm *g = &p->g;
    float *a = p->bufs[0]->priv, *b = p->bufs[1]->priv, *c = p->bufs[2]->priv;
    runs++;
    large_runs += g->m > 64;
    for (int64_t z = 0; z < g->batch; z++) {
        const int64_t from = fault == SECOND ? 0 : z;
        float *to = c + z * g->batch_c;
        for (int64_t row = 0; row < g->m - (fault == NOT_ALL); row++)
            for (int64_t col = 0; col < g->n; col++)
                to[row * g->ldc + col] =
                    element(g, a + from * g->batch_a, b + from * g->batch_b, row, col);
        if (fault == ONE_ELEMENT && g->ta && g->tb && g->m > 64)
            to[(g->m - 1) * g->ldc + 3] += 1e-3f;
        if (fault == BETWEEN)
            to[g->ldc + g->n] = 0;
        if (fault == BEHIND)
            to[g->batch_c - 1] = 0;
    }
    return fault == FAILS ? WEIR_DEVICE : WEIR_OK;
}

static void drop(weir_device *dev, weir_list *list)
{
    free(list);
}

static weir_device *open_played(const char *cache_dir, struct weir_device_fns *fns)
{
    weir_device *dev = NULL;
    test_ok(weir_device_open(
        &(struct weir_device_params){.log = test_log, .selector = "host", .cache_dir = cache_dir},
        &dev));
    *fns = *dev->fns;
    fns->gemm_scratch = scratch;
    fns->list_record = record;
    fns->list_replay = replay;
    fns->list_destroy = drop;
    dev->fns = fns;
    dev->info.caps.untried = WEIR_CAP_GEMM;
    runs = large_runs = 0;
    return dev;
}

START_TEST(right_ones_alone_are_admitted)
{
    struct weir_device_fns fns;
    fault = (enum fault)_i;
    const bool good = fault == NONE || fault == NO_SCRATCH;
    weir_device *dev = open_played(NULL, &fns);
    ck_assert(!weir_device_has(dev, WEIR_CAP_GEMM));
    test_log_clear();
    ck_assert_int_eq(weir_device_admits_gemm(dev), good);
    ck_assert_msg(good == !strstr(test_log_text(), "is not used: "), "%s", test_log_text());
    ck_assert_int_eq(weir_device_has(dev, WEIR_CAP_GEMM), good);
    ck_assert_uint_eq(dev->info.caps.untried, 0);
    if (good)
        ck_assert_int_eq(runs, fault == NONE ? 8 : 4);
    ck_assert_int_eq(large_runs > 0, fault <= SMALL_NT);
    const int before = runs;
    ck_assert_int_eq(weir_device_admits_gemm(dev), good); // no second trial
    ck_assert_int_eq(runs, before);
    ck_assert_uint_eq(dev->bytes_live, 0);
    weir_device_close(&dev);
}
END_TEST

START_TEST(the_outcome_is_kept)
{
    struct weir_device_fns fns;
    const char *folder = test_path("library");
    for (fault = NONE; fault <= ONE_ELEMENT; fault++) {
        const bool good = fault == NONE;
        weir_device *dev = open_played(good ? folder : test_path("wrong"), &fns);
        ck_assert_int_eq(weir_device_admits_gemm(dev), good);
        char *cache = strdup(dev->cache_dir);
        weir_device_close(&dev);
        dev = open_played(cache, &fns);
        weir_selftest_gemm_recall(dev);
        ck_assert_int_eq(weir_device_has(dev, WEIR_CAP_GEMM), good);
        ck_assert_int_eq(weir_device_admits_gemm(dev), good);
        ck_assert_int_eq(runs, 0);
        weir_device_close(&dev);
        free(cache);
    }
}
END_TEST

// What is hidden, or was never there, is not tried.
START_TEST(hidden_ones_are_not_tried)
{
    struct weir_device_fns fns;
    fault = NONE;
    weir_device *dev = open_played(NULL, &fns);
    dev->info.caps.untried = 0;
    ck_assert(!weir_device_admits_gemm(dev));
    weir_selftest_gemm_recall(dev);
    ck_assert(!weir_device_has(dev, WEIR_CAP_GEMM));
    ck_assert_int_eq(runs, 0);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("library");
    TCase *tc = tcase_create("library");
    tcase_add_loop_test(tc, right_ones_alone_are_admitted, 0, N_FAULTS);
    tcase_add_test(tc, the_outcome_is_kept);
    tcase_add_test(tc, hidden_ones_are_not_tried);
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
